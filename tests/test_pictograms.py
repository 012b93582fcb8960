"""The pictograms: the same bytes everywhere, and no artist of the test set in training."""

import hashlib
import importlib.util
from pathlib import Path

from dlcourse import datasets
from dlcourse.datasets import drawings

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
SUMS = {
    "train": "34a54442b7cca1c7899f37e3c9099834460cef2de4334973a50b7cbd6822d842",
    "valid": "ce688c4f5cb1fe0dcb2d1f51d1d0afb0c87c2b80d72dd6883961ebd0f5f713ff",
    "new photographs": "98a97236a5952aa02633ec0f030ab32943ed9de49f138589121c341b59707c26",
    "test": "8170c02b51529a5665f5705627a949752994eb03c2b2cb5cdf8290a9cb63fede",
}


@pytest.fixture(scope="module")
def bank():
    return drawings._archive()


@pytest.mark.parametrize("split", drawings.SPLITS)
def test_pictograms_come_in_equal_shares(split):
    images, labels, artists = datasets.pictograms(split, return_artists=True)
    count = drawings.SPLITS[split].count
    assert images.shape == (count, 32, 32, 3)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64
    assert (labels == np.arange(count) % 10).all()
    assert len(artists) == count
    assert len(datasets.pictograms(split)) == 2


@pytest.mark.parametrize("split", drawings.SPLITS)
def test_every_machine_gets_the_same_bytes(split):
    images, _ = datasets.pictograms(split)
    assert hashlib.sha256(images.tobytes()).hexdigest() == SUMS[split]


def test_no_artist_of_the_test_set_is_in_training():
    seen = {split: set(datasets.pictograms(split, True)[2]) for split in drawings.SPLITS}
    assert seen["test"] == set(drawings.TEST_ARTISTS)
    assert seen["train"] == seen["valid"] == seen["new photographs"]
    assert not seen["train"] & seen["test"]
    assert len(seen["train"]) >= 4


def test_every_class_is_drawn_by_several_artists_in_training(bank):
    test = np.isin(bank["artists"], drawings.TEST_ARTISTS)
    for k in range(10):
        artists = np.unique(bank["artist"][bank["label"] == k])
        assert (~test[artists]).sum() >= 3
        assert test[artists].sum() >= 1


def test_no_image_is_there_twice():
    images = [datasets.pictograms(split)[0] for split in drawings.SPLITS]
    assert len({image.tobytes() for part in images for image in part}) == sum(map(len, images))


def test_a_reader_may_write_into_what_they_got():
    for array in datasets.pictograms("valid", True):
        array[:] = array[0]
    images, labels, artists = datasets.pictograms("valid", True)
    assert len(np.unique(labels)) == 10
    assert len(np.unique(artists)) > 1
    assert (images[0] != images[1]).any()


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match=r'one of "train", "valid", .*got \'testing\''):
        datasets.pictograms("testing")


def test_the_stored_colours_are_times_opacity(bank):
    assert (bank["glyphs"][..., :3] <= bank["glyphs"][..., 3:]).all()
    assert (bank["glyphs"][..., 3].max((1, 2)) == 255).all()


def test_without_a_drawing_the_photograph_stays(bank):
    """Opacity 0 everywhere: what is left is a piece of the photograph, in some light."""
    nothing = np.zeros((3, 48, 48, 4), np.uint8)
    chance = drawings.Chance(0)
    piece = drawings._cut(bank["photos"], np.array([0, 1, 0]), chance)
    assert piece.shape == (3, 32, 32, 3)
    assert drawings._place(nothing, chance).max() == 0


def test_a_drawing_without_turn_is_found_where_it_was_put(monkeypatch):
    """A full square of size 24 in the middle covers 24 x 24 pixels, and nothing else."""
    fixed = iter([24, 0, 0, 0, 0])  # size, the two shifts, turn, mirror

    class Fixed:
        def draw(self, count, low, high):
            value = next(fixed)
            reach = 20  # (32 - 24) * 4 // 2 + 4
            return np.full(count, reach if high == 10**6 else value)

    full = np.full((2, 48, 48, 4), 200, np.uint8)
    placed = drawings._place(full, Fixed())
    want = np.zeros((32, 32))
    want[4:28, 4:28] = 200
    assert (placed == want[None, :, :, None]).all()


def test_a_blur_keeps_what_is_even():
    flat = np.full((1, 32, 32, 3), 77)
    assert (drawings._blur(flat) == 77).all()
    dot = np.zeros((1, 32, 32, 3), np.int64)
    dot[0, 10, 20] = 160
    blurred = drawings._blur(dot)[0, 9:12, 19:22, 0]
    assert blurred.tolist() == [[10, 20, 10], [20, 40, 20], [10, 20, 10]]


def test_the_raw_bits_are_those_of_pcg64():
    chance = drawings.Chance(0)
    assert (
        chance.draw(5, 0, 999).tolist()
        == np.random.PCG64(0).random_raw(5).__mod__(np.uint64(1000)).tolist()
    )
    rows = np.array([[3, 4, -1], [7, -1, -1]] * 50)
    picked = chance.pick(rows)
    assert set(picked[::2]) == {3, 4}
    assert set(picked[1::2]) == {7}


def test_the_builder_names_every_source_that_the_readme_names():
    path = ROOT / "data" / "build_pictograms.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    readme = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    for package, version, sha256 in build.SETS.values():
        assert f"`{package}` {version}" in readme
        assert len(sha256) == 64
    assert tuple(build.DRAWINGS) == datasets.CIFAR10_CLASSES
    for name in build.PHOTOS:
        assert f"`{name}`" in readme
