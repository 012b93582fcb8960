"""CIFAR-10 through torchvision, from a mirror on the loopback interface with a small set in it."""

import hashlib
import io
import os
import pickle
import tarfile
from pathlib import Path

from dlcourse import datasets

import numpy as np
import pytest
from hosts import Host

dataset = pytest.importorskip("torchvision.datasets").CIFAR10

# torchvision (urllib) leaves a socket to the garbage collector when a host does not answer.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


ARCHIVE = "cifar.tar.gz"


class Mirror(Host):
    """Five training batches of two images and a test batch of three, packed as the real ones."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.batches = {}
        for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
            count = 3 if name == "test_batch" else 2
            self.batches[name] = {
                "data": rng.integers(0, 256, (count, 3072), np.uint8),
                "labels": rng.integers(0, 10, count).tolist(),
            }
        self.files = {name: pickle.dumps(batch) for name, batch in self.batches.items()}
        self.files["batches.meta"] = pickle.dumps({"label_names": list(datasets.CIFAR10_CLASSES)})
        super().__init__({ARCHIVE: pack(self.files)})


def pack(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{dataset.base_folder}/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def mirror(monkeypatch):
    with Mirror() as mirror:
        sums = [[name, md5(content)] for name, content in mirror.files.items()]
        monkeypatch.setattr(dataset, "url", mirror.url + ARCHIVE)
        monkeypatch.setattr(dataset, "tgz_md5", md5(mirror.archives[ARCHIVE]))
        monkeypatch.setattr(dataset, "train_list", sums[:5])
        monkeypatch.setattr(dataset, "test_list", sums[5:6])
        monkeypatch.setattr(dataset, "meta", {**dataset.meta, "md5": sums[6][1]})
        monkeypatch.setenv("no_proxy", "*")
        yield mirror


def assert_arrives(root: Path, mirror: Mirror) -> None:
    for train, names in ((True, [f"data_batch_{i}" for i in range(1, 6)]), (False, ["test_batch"])):
        images, labels = datasets.cifar10(root, train=train)
        rows = np.concatenate([mirror.batches[name]["data"] for name in names])
        assert images.dtype == np.uint8
        assert labels.dtype == np.int64
        assert np.array_equal(images, rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        wanted = [label for name in names for label in mirror.batches[name]["labels"]]
        assert labels.tolist() == wanted


def test_cifar10_is_downloaded_once_and_leaves_only_itself(mirror, tmp_path):
    assert_arrives(tmp_path / "new", mirror)
    asked = len(mirror.served)
    assert asked == 2  # torchvision first looks whether the address leads elsewhere
    assert_arrives(tmp_path / "new", mirror)
    assert len(mirror.served) == asked
    found = sorted(path.name for path in (tmp_path / "new" / dataset.base_folder).iterdir())
    assert found == sorted(mirror.files)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [dataset.base_folder]


@pytest.mark.parametrize("damage", ["one bit", "gone"])
def test_a_damaged_batch_is_named_and_fetched_again(damage, mirror, tmp_path):
    assert_arrives(tmp_path, mirror)
    path = tmp_path / dataset.base_folder / "data_batch_3"
    content = bytearray(path.read_bytes())
    path.unlink()
    if damage == "one bit":
        content[-40] ^= 1
        path.write_bytes(content)
    reason = rf"data_batch_3 is {'missing' if damage == 'gone' else 'damaged'}, and download is off"
    with pytest.raises(datasets.DataError, match=reason):
        datasets.cifar10(tmp_path, download=False)
    assert_arrives(tmp_path, mirror)


def test_a_wrong_archive_leaves_nothing(mirror, tmp_path):
    mirror.archives[ARCHIVE] = mirror.archives[ARCHIVE][:-100]
    with pytest.raises(datasets.DataError, match=r"the download into .* failed") as caught:
        datasets.cifar10(tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_dead_host_is_one_sentence(mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "url", "http://127.0.0.1:9/cifar.tar.gz")
    with pytest.raises(datasets.DataError, match=r"the download into .* failed") as caught:
        datasets.cifar10(tmp_path)
    assert "\n" not in str(caught.value)
    assert not any(os.scandir(tmp_path))


@pytest.mark.parametrize("call", [("test",), (None, "test"), (None, 0)])
def test_the_arguments_of_pictograms_are_not_taken_for_those_of_cifar10(call):
    with pytest.raises(TypeError, match=r"the test set is cifar10\(train=False\)"):
        datasets.cifar10(*call)
