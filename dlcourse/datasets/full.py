"""The full data sets, downloaded once by torchvision and verified, or the embedded ones instead.

A download happens in a scratch folder, is checked, and only then moved to where torchvision looks,
so an interrupted one leaves nothing behind that a later call would take for the data.
"""

import errno
import hashlib
import os
import socket
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcourse.datasets.embedded import DataError, digits

import numpy as np

# The four files of MNIST, unpacked: torchvision keeps these, but checks only the archives.
MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
TIMEOUT = 30.0  # seconds a silent host is waited for; torchvision by itself would wait for ever


class FallbackWarning(UserWarning):
    """The full data set could not be had; the embedded one was returned instead."""


def cache_folder() -> Path:
    """Where full data sets are kept: `$DLCOURSE_DATA`, or `dlcourse` in the user's cache folder."""
    if chosen := os.environ.get("DLCOURSE_DATA"):
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    return (Path(cache) if os.path.isabs(cache) else Path.home() / ".cache") / "dlcourse"


def mnist(
    root: str | os.PathLike | None = None,
    train: bool = True,
    download: bool = True,
    *,
    fallback: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """The full MNIST through torchvision: 60 000 training images, 10 000 test images.

    When it cannot be had (no network, no torchvision, a full disk, damaged files), a
    `FallbackWarning` says why in one sentence, and the embedded `digits` are returned.  Their shape
    tells: 4000 or 1000 images.

    Args:
        root: folder that holds `MNIST/raw`, as for `torchvision.datasets.MNIST`; by default
            `cache_folder()`.
        train: the training set or the test set.
        download: fetch what is missing or damaged below `root`.
        fallback: with `False`, raise instead of returning the embedded set.

    Returns:
        images: uint8 of shape (N, 28, 28), ink 255 on 0; labels: int64 of shape (N,).

    Raises:
        DataError: with `fallback=False`, when the full set cannot be had.
    """
    root = _meant("mnist", root, train)
    try:
        dataset = _had("MNIST", lambda dataset: _mnist_files(), root, train, download)
        return dataset.data.numpy(), dataset.targets.numpy()
    except DataError as error:
        if not fallback:
            raise
        images, labels = digits("train" if train else "test")
        warnings.warn(
            f"The full MNIST cannot be had ({error}), so here are the {len(images)} embedded "
            f"{'training' if train else 'test'} images instead.",
            FallbackWarning,
            stacklevel=2,
        )
        return images, labels


def cifar10(
    root: str | os.PathLike | None = None, train: bool = True, download: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10 through torchvision: 50 000 training images, 10 000 test images, ten classes.

    The set carries no licence, so the course ships none of it and there is no embedded part of it
    to fall back to; `pictograms` has images of the same shape and the same classes.

    Args:
        root: folder that holds `cifar-10-batches-py`, as for `torchvision.datasets.CIFAR10`; by
            default `cache_folder()`.
        train: the training set or the test set.
        download: fetch what is missing or damaged below `root`.

    Returns:
        images: uint8 of shape (N, 32, 32, 3); labels: int64 of shape (N,), places in
            `CIFAR10_CLASSES`.

    Raises:
        DataError: the set cannot be had; the message says why.
    """
    dataset = _had("CIFAR10", _cifar10_files, _meant("cifar10", root, train), train, download)
    return dataset.data, np.array(dataset.targets, np.int64)


def _meant(function: str, root: str | os.PathLike | None, train: bool) -> Path:
    """The root; raises TypeError for a split, which the embedded sets take in its place."""
    if root in ("train", "test") or not isinstance(train, bool | np.bool_):
        got = f"root={root!r}, train={train!r}"
        raise TypeError(f"the test set is {function}(train=False), and root is a folder; got {got}")
    return Path(root).expanduser() if root else cache_folder()


# ------------------------------------------------------------------------------ through torchvision


@dataclass(frozen=True)
class _Files:
    """The files of a data set: their folder below a root, and the checksum of each."""

    folder: str
    sums: Mapping[str, str]
    algorithm: str

    def unfit(self, root: Path) -> str:
        """What is wrong below root, e.g. "t10k-labels-idx1-ubyte is missing"; "" for nothing."""
        problems = []
        for name, wanted in self.sums.items():
            path = root / self.folder / name
            if not path.exists():
                problems.append(f"{name} is missing")
            elif _sum(path, self.algorithm) != wanted:
                problems.append(f"{name} is damaged")
        return ", ".join(problems)


def _sum(path: Path, algorithm: str) -> str:
    return hashlib.new(algorithm, path.read_bytes(), usedforsecurity=False).hexdigest()


def _mnist_files() -> _Files:
    return _Files("MNIST/raw", MNIST_SHA256, "sha256")


def _cifar10_files(dataset: type) -> _Files:
    """By torchvision's own checksums."""
    meta = dataset.meta["filename"], dataset.meta["md5"]
    sums = dict([*dataset.train_list, *dataset.test_list, meta])
    return _Files(dataset.base_folder, sums, "md5")


def _had(
    name: str, files_of: Callable[[type], _Files], root: Path, train: bool, download: bool
) -> Any:
    """torchvision's data set `name` below root; what is missing or damaged is fetched first."""
    with _told_as_data_error("torchvision cannot be imported", root):
        import torchvision.datasets
    dataset = getattr(torchvision.datasets, name)
    files = files_of(dataset)
    with _told_as_data_error(f"{root} cannot be read", root):
        unfit = files.unfit(root)
    if unfit and not download:
        raise DataError(f"in {root / files.folder} {unfit}, and download is off")
    if unfit:
        with _told_as_data_error(f"the download into {root} failed", root), _timeout(TIMEOUT):
            _download(dataset, files, root)
    with _told_as_data_error(f"{root} cannot be read", root):
        return dataset(root, train=train)


def _download(dataset: type, files: _Files, root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as scratch:
        dataset(scratch, download=True)
        if unfit := files.unfit(Path(scratch)):
            raise DataError(f"what came was not {dataset.__name__}, {unfit}")
        folder = root / files.folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in files.sums:
            os.replace(Path(scratch) / files.folder / name, folder / name)


@contextmanager
def _told_as_data_error(what: str, root: Path):
    """Anything torchvision, the network or the disk raises becomes one DataError in one line."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{what}: {error}") from error
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        why = lines[-1] if lines else type(error).__name__  # torchvision's last line: the cause
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            why = f"the disk that holds {root} is full"
        raise DataError(f"{what}: {why}") from error


@contextmanager
def _timeout(seconds: float):
    """urllib, which torchvision calls without a timeout, takes the process's default."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
