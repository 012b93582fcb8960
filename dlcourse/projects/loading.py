"""What a loader costs: workers, batch sizes and collation, measured in mini and torch.

The data sets of the chapter on loaders that run in worker processes live here, in a module: a
process that is started anew, and not forked, finds a class by importing it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from dlcourse import datasets, mini
from dlcourse.projects._record import circumstances, write_record

import numpy as np
import torch

LIBRARIES = {"mini": mini, "torch": torch}


# ------------------------------------------------------------------------------------ the data sets


class Waiting:
    """`length` items, each its own index after `seconds` of waiting: for a disk, or a network."""

    def __init__(self, length: int, seconds: float):
        self.length, self.seconds = length, seconds

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> int:
        if self.seconds:
            time.sleep(self.seconds)
        return index


class Shifted:
    """Images, each moved by up to three pixels at random: (index, the two shifts, the image).

    `rng` is a generator, or None for NumPy's global one.
    """

    def __init__(self, images: np.ndarray, rng: np.random.Generator | None = None):
        self.images, self.rng = images, rng

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[int, np.ndarray, np.ndarray]:
        draw = np.random.randint if self.rng is None else self.rng.integers
        shifts = draw(-3, 4, size=2)
        return index, shifts, np.roll(self.images[index], shifts, axis=(0, 1))


def reseed(worker_id: int) -> None:
    """A worker_init_fn: give this worker's copy of the data set a generator of its own."""
    info = torch.utils.data.get_worker_info() or mini.utils.data.get_worker_info()
    info.dataset.rng = np.random.default_rng(info.seed)


class Lines:
    """The numbers in a file, one a line, as a stream; with `share`, each worker takes its part."""

    def __init__(self, path: str | os.PathLike, share: bool):
        self.path, self.share = path, share

    def __iter__(self):
        info = self.get_worker_info() if self.share else None
        mine, workers = (0, 1) if info is None else (info.id, info.num_workers)
        with open(self.path) as file:
            for number, line in enumerate(file):
                if number % workers == mine:
                    yield int(line)


class MiniLines(Lines, mini.utils.data.IterableDataset):
    """Lines for mini's DataLoader."""

    get_worker_info = staticmethod(mini.utils.data.get_worker_info)


class TorchLines(Lines, torch.utils.data.IterableDataset):
    """Lines for torch's DataLoader."""

    get_worker_info = staticmethod(torch.utils.data.get_worker_info)


class ImageFiles:
    """Images in a folder for each class, `<folder>/<class>/<name>.png`; opened when asked for."""

    def __init__(self, folder: str | os.PathLike):
        self.paths = sorted(Path(folder).glob("*/*.png"))
        if not self.paths:
            raise FileNotFoundError("no <class>/<name>.png in that folder")
        self.classes = sorted({path.parent.name for path in self.paths})
        self.labels = [self.classes.index(path.parent.name) for path in self.paths]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        from PIL import Image

        with Image.open(self.paths[index]) as image:
            pixels = np.asarray(image, np.float32) / 255
        return pixels, self.labels[index]


def write_images(folder: str | os.PathLike, count: int) -> None:
    """The first `count` training digits as PNG files, in a folder for each class."""
    from PIL import Image

    images, labels = datasets.digits("train")
    for number, (image, label) in enumerate(zip(images[:count], labels[:count], strict=True)):
        path = Path(folder) / str(label) / f"{number:04}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)


# ------------------------------------------------------------------------------------- the measures


def per_batch(loader: Any, step: float, skip: int) -> float:
    """Seconds a batch in the steady state: `skip` batches at each end of the run do not count."""
    moments = []
    for _ in loader:
        if step:
            time.sleep(step)
        moments.append(time.perf_counter())
    steady = moments[skip : len(moments) - skip]
    return (steady[-1] - steady[0]) / (len(steady) - 1)


def waiting_costs(library: Any, item: float, batch_size: int, step: float, workers: int) -> float:
    """Milliseconds a batch when items and steps are waits of known length."""
    data = Waiting(60 * batch_size, item)
    with warnings.catch_warnings():  # who waits needs no core
        warnings.filterwarnings("ignore", "This DataLoader will create")
        loader = library.utils.data.DataLoader(data, batch_size, num_workers=workers)
        return 1e3 * per_batch(loader, step, skip=12)


def sample_costs(dataset: Any, library: Any, batch_size: int, workers: int = 0) -> float:
    """Microseconds a sample, from the data set to the collated batch."""
    loader = library.utils.data.DataLoader(dataset, batch_size, num_workers=workers)
    batches = len(loader)
    return 1e6 * per_batch(loader, 0.0, skip=batches // 8) / batch_size


def typical(function: Any, *args: Any, repeats: int) -> float:
    """The median of several measurements, to three digits."""
    return float(f"{statistics.median(function(*args) for _ in range(repeats)):.3g}")


def measure(repeats: int, workers: list[int], batch_sizes: list[int]) -> dict[str, Any]:
    """All figures of the record."""
    item, batch_size, step = 0.008, 5, 0.010
    waits = {
        name: [typical(waiting_costs, lib, item, batch_size, step, w, repeats=repeats)
               for w in workers]
        for name, lib in LIBRARIES.items()
    }  # fmt: skip
    images, labels = datasets.digits("train")
    images = (images / 255).astype(np.float32)
    samples: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_images(folder, 2048)
        files = ImageFiles(folder)
        for name, lib in LIBRARIES.items():
            arrays = [lib.tensor(array) for array in (images[:2048], labels[:2048])]
            memory = lib.utils.data.TensorDataset(*arrays)
            kinds = {"files": files, "memory": memory}
            for kind, dataset in kinds.items():
                samples[f"{name}, {kind}"] = [
                    typical(sample_costs, dataset, lib, size, repeats=repeats)
                    for size in batch_sizes
                ]
                samples[f"{name}, {kind}, 2 workers"] = [
                    typical(sample_costs, dataset, lib, size, 2, repeats=repeats)
                    for size in batch_sizes
                ]
    return {
        "item_ms": 1e3 * item,
        "batch_size": batch_size,
        "step_ms": 1e3 * step,
        "workers": workers,
        "ms_per_batch": waits,
        "batch_sizes": batch_sizes,
        "us_per_sample": samples,
    }


# -------------------------------------------------------------------------------------- the program


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m dlcourse train loading`."""
    parser.add_argument("--repeats", help="of each measurement (default: 3)", type=int, default=3)
    parser.add_argument("--quick", help="few of them, to try the program", action="store_true")
    parser.add_argument(
        "--out", help="the result (default: in runs)", type=Path, default=Path("runs/loading.json")
    )


def main(args: argparse.Namespace) -> int:
    """Measure and write the record.  Exit code 0."""
    torch.set_num_threads(1)
    before = [round(load, 2) for load in os.getloadavg()[:2]]
    sizes = [16, 64] if args.quick else [1, 8, 32, 128, 256]
    workers = [0, 2] if args.quick else [0, 1, 2, 3, 4, 5, 6]
    figures = measure(1 if args.quick else args.repeats, workers, sizes)
    after = [round(load, 2) for load in os.getloadavg()[:2]]
    load = {"load_before": before, "load_after": after, "repeats": args.repeats}
    write_record(args.out, circumstances("cpu") | load | figures)
    print(f"measured {len(workers)} numbers of workers and {len(sizes)} batch sizes: {args.out}")
    return 0
