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
from contextlib import contextmanager
from pathlib import Path

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
    """Where full data sets are kept: $DLCOURSE_DATA, or dlcourse in the user's cache folder."""
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
    """The full MNIST through torchvision: 60000 training images, 10000 test images.

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
    if root in ("train", "test") or not isinstance(train, bool | np.bool_):
        got = f"root={root!r}, train={train!r}"
        raise TypeError(f"the test set is mnist(train=False), and root is a folder; got {got}")
    try:
        return _full_mnist(Path(root).expanduser() if root else cache_folder(), train, download)
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


def _full_mnist(root: Path, train: bool, download: bool) -> tuple[np.ndarray, np.ndarray]:
    with _told_as_data_error("torchvision cannot be imported", root):
        from torchvision.datasets import MNIST

    with _told_as_data_error(f"{root} cannot be read", root):
        unfit = _missing_or_damaged(root)
    if unfit and not download:
        raise DataError(f"in {_raw(root)} {unfit}, and download is off")
    if unfit:
        with _told_as_data_error(f"the download into {root} failed", root), _timeout(TIMEOUT):
            _download_mnist(MNIST, root)
    with _told_as_data_error(f"{root} cannot be read", root):
        dataset = MNIST(root, train=train)
    return dataset.data.numpy(), dataset.targets.numpy()


def _download_mnist(dataset: type, root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as scratch:
        dataset(scratch, download=True)
        if unfit := _missing_or_damaged(Path(scratch)):
            raise DataError(f"what came was not MNIST, {unfit}")
        _raw(root).mkdir(parents=True, exist_ok=True)
        for name in MNIST_SHA256:
            os.replace(_raw(Path(scratch)) / name, _raw(root) / name)


def cifar10(
    root: str | os.PathLike | None = None, train: bool = True, download: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10 through torchvision: 50000 training images, 10000 test images, ten classes.

    The set carries no licence, so the course ships none of it and there is no embedded part of it
    to fall back to; `pictograms` has images of the same shape and the same classes.

    Args:
        root: folder that holds `cifar-10-batches-py`, as for `torchvision.datasets.CIFAR10`; by
            default `cache_folder()`.
        train: the training set or the test set.
        download: fetch what is missing or damaged below `root`.

    Returns:
        images: uint8 of shape (N, 32, 32, 3); labels: int64 of shape (N,), in the order of
        `CIFAR10_CLASSES`.

    Raises:
        DataError: the set cannot be had; the message says why.
    """
    if root in ("train", "test") or not isinstance(train, bool | np.bool_):
        got = f"root={root!r}, train={train!r}"
        raise TypeError(f"the test set is cifar10(train=False), and root is a folder; got {got}")
    root = Path(root).expanduser() if root else cache_folder()
    with _told_as_data_error("torchvision cannot be imported", root):
        from torchvision.datasets import CIFAR10
    with _told_as_data_error(f"{root} cannot be read", root):
        unfit = _cifar10_is_unfit(CIFAR10, root)
    if unfit and not download:
        raise DataError(f"in {root / CIFAR10.base_folder} {unfit}, and download is off")
    if unfit:
        with _told_as_data_error(f"the download into {root} failed", root), _timeout(TIMEOUT):
            _download_cifar10(CIFAR10, root)
    with _told_as_data_error(f"{root} cannot be read", root):
        dataset = CIFAR10(root, train=train)
    return dataset.data, np.array(dataset.targets, np.int64)


def _cifar10_is_unfit(dataset: type, root: Path) -> str:
    """As `_missing_or_damaged`, by torchvision's own checksums."""
    problems = []
    named = [*dataset.train_list, *dataset.test_list]
    named.append([dataset.meta["filename"], dataset.meta["md5"]])
    for name, md5 in named:
        path = root / dataset.base_folder / name
        if not path.exists():
            problems.append(f"{name} is missing")
        elif hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != md5:
            problems.append(f"{name} is damaged")
    return ", ".join(problems)


def _download_cifar10(dataset: type, root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as scratch:
        dataset(scratch, download=True)
        if unfit := _cifar10_is_unfit(dataset, Path(scratch)):
            raise DataError(f"what came was not CIFAR-10, {unfit}")
        folder = root / dataset.base_folder
        folder.mkdir(parents=True, exist_ok=True)
        for path in (Path(scratch) / dataset.base_folder).iterdir():
            os.replace(path, folder / path.name)


def _missing_or_damaged(root: Path) -> str:
    """What is wrong below root, e.g. "t10k-labels-idx1-ubyte is missing"; "" for nothing."""
    problems = []
    for name, sha256 in MNIST_SHA256.items():
        path = _raw(root) / name
        if not path.exists():
            problems.append(f"{name} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            problems.append(f"{name} is damaged")
    return ", ".join(problems)


def _raw(root: Path) -> Path:
    return root / "MNIST" / "raw"


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
