"""The data sets that workers read, and the program that measures loaders."""

import argparse

import pytest

torch = pytest.importorskip("torch")

from dlcourse import datasets, mini  # noqa: E402
from dlcourse.exercises.datasets_and_loaders import check_stream_sizes  # noqa: E402
from dlcourse.projects import _record, loading  # noqa: E402

import numpy as np  # noqa: E402

LIBRARIES = [(mini, loading.MiniLines), (torch, loading.TorchLines)]


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "numbers"
    path.write_text("\n".join(str(i) for i in range(7)))
    return path


@pytest.mark.parametrize(("lib", "kind"), LIBRARIES)
@pytest.mark.parametrize("workers", [0, 2])
def test_shared_lines_come_once_and_others_once_a_worker(lib, kind, workers, lines):
    for share, times in ((True, 1), (False, max(workers, 1))):
        loader = lib.utils.data.DataLoader(kind(lines, share), 2, num_workers=workers)
        got = sorted(int(number) for batch in loader for number in batch)
        assert got == sorted(list(range(7)) * times)


@pytest.mark.parametrize(("lib", "kind"), LIBRARIES)
def test_the_exercise_on_the_sizes_of_a_streams_batches_is_right(lib, kind, tmp_path):
    path = tmp_path / "ten"
    path.write_text("\n".join(str(i) for i in range(10)))
    loader = lib.utils.data.DataLoader(kind(path, share=True), 4, num_workers=2)
    assert [len(batch) for batch in loader] == check_stream_sizes.solution


@pytest.mark.parametrize("lib", [mini, torch])
def test_workers_roll_the_same_dice_until_they_are_reseeded(lib):
    images = np.zeros((4, 28, 28), np.uint8)

    def halves(**options):
        data = loading.Shifted(images, np.random.default_rng(0))
        loader = lib.utils.data.DataLoader(data, 2, num_workers=2, **options)
        return [shifts.tolist() for _, shifts, _ in loader]

    first, second = halves()
    assert first == second
    first, second = halves(worker_init_fn=loading.reseed, generator=lib.Generator().manual_seed(0))
    assert first != second


def test_a_shift_moves_the_image_by_what_it_says():
    images, _ = datasets.digits("train")
    index, shifts, moved = loading.Shifted(images, np.random.default_rng(3))[5]
    assert index == 5
    assert np.array_equal(np.roll(moved, -shifts, (0, 1)), images[5])


def test_images_are_read_back_as_written(tmp_path):
    loading.write_images(tmp_path, 30)
    files = loading.ImageFiles(tmp_path)
    images, labels = datasets.digits("train")
    order = np.argsort(labels[:30], kind="stable")
    assert len(files) == 30
    assert files.labels == labels[order].tolist()
    for i, (pixels, label) in zip(order, files, strict=False):
        assert label == labels[i]
        np.testing.assert_array_equal(pixels, images[i] / np.float32(255))


def test_an_empty_folder_is_named_as_such(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no <class>/<name>\.png"):
        loading.ImageFiles(tmp_path)


def test_the_program_writes_its_record(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(loading, "waiting_costs", lambda *args: 12.0)
    monkeypatch.setattr(loading, "sample_costs", lambda *args: 3.0)
    parser = argparse.ArgumentParser()
    loading.add_arguments(parser)
    out = tmp_path / "loading.json"
    assert loading.main(parser.parse_args(["--quick", "--out", str(out)])) == 0
    record = _record.read_record(out)
    assert record["ms_per_batch"] == {"mini": [12.0, 12.0], "torch": [12.0, 12.0]}
    assert set(record["us_per_sample"]) >= {"mini, files", "torch, memory, 2 workers"}
    assert "loading.json" in capsys.readouterr().out


def test_the_period_leaves_out_both_ends(monkeypatch):
    moments = iter([0.0, 9.0, 10.0, 11.0, 12.0, 40.0])
    monkeypatch.setattr(loading.time, "perf_counter", lambda: next(moments))
    assert loading.per_batch(range(6), 0.0, skip=1) == 1.0
