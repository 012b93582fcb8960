"""Train five kinds of convolutional networks with equal multiply-adds, and record how they do.

The chapter `chapters/architectures/modern_convnets.ipynb` trains them on few images and reads the
record of CIFAR-10. Each network gets the same number of multiply-adds in all, so a cheaper one sees
more images; the learning rate of each is chosen by held-out training images; the test set is looked
at once, by every seed's last weights.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dlcourse import datasets
from dlcourse.models import VGG, AlexNet, DenseNet, ResNet, cost
from dlcourse.models.googlenet import small_googlenet
from dlcourse.models.resnet import BasicBlock
from dlcourse.projects._options import decide_about, positive, told, writable
from dlcourse.projects._record import circumstances, read_record, write_record
from dlcourse.training import accuracy, evaluate, fit, seed_everything

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

IMAGE = (1, 3, 32, 32)
BATCH = 64
VGG_STAGES = ((1, 16), (2, 32), (2, 48))

# Five to seven million multiply-adds an image; what differs is made up for by the number of steps.
# No image is seen twice, so there is nothing to overfit, and nothing for dropout to do.
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "AlexNet": lambda: AlexNet(10, width=24, hidden=256, dropout=0.0, small=True),
    "VGG": lambda: VGG(VGG_STAGES, 10, hidden=128, dropout=0.0, side=4),
    "Inception": lambda: small_googlenet(24),
    "ResNet": lambda: ResNet(BasicBlock, (2, 2, 2), 10, width=16, small=True),
    "DenseNet": lambda: DenseNet(12, (2, 4, 6), 10, small=True),
    # Not an architecture of its own: what of ResNet's result is due to the sum.
    "ResNet, no sum": lambda: ResNet(
        BasicBlock, (2, 2, 2), 10, width=16, small=True, residual=False
    ),
}
RATES = (0.01, 0.03, 0.1)
HELD_OUT = 2000


def as_tensors(images: np.ndarray, labels: np.ndarray) -> TensorDataset:
    """Images uint8 (N, 32, 32, 3), labels (N,): float images (3, 32, 32), each colour about 0."""
    inputs = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255  # (N, 3, 32, 32)
    return TensorDataset((inputs - 0.5) / 0.25, torch.from_numpy(labels))


def steps_for(multiply_adds: int, budget: float) -> int:
    """How many batches a network may see: forward costs once its multiply-adds, backward twice."""
    return round(budget / (3 * multiply_adds * BATCH))


def train(
    make: Callable[[], nn.Module], data: TensorDataset, *, rate: float, budget: float, seed: int
) -> tuple[nn.Module, list[float]]:
    """A network trained for `budget` multiply-adds, and its loss in every step.

    SGD with Nesterov momentum; the rate rises over a fifth of the steps and then falls to 0.
    """
    seed_everything(seed)
    model = make().to(memory_format=torch.channels_last)
    steps = steps_for(cost(model, IMAGE).multiply_adds, budget)
    order = torch.Generator().manual_seed(seed)
    sampler = RandomSampler(data, num_samples=steps * BATCH, generator=order)  # pass after pass
    optimizer = torch.optim.SGD(
        model.parameters(), lr=rate, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=0.2, cycle_momentum=False
    )
    loader = DataLoader(data, BATCH, sampler=sampler)
    loss_fn = nn.CrossEntropyLoss()
    history = fit(
        model, loader, loss_fn, optimizer, epochs=1, scheduler=scheduler, clip_norm=5.0,
        progress=sys.stderr.isatty(),
    )  # fmt: skip
    return model, history.step_loss


def judge(model: nn.Module, data: TensorDataset) -> float:
    """The share of images that the model classifies right."""
    measures = {"accuracy": accuracy}
    return evaluate(model, DataLoader(data, 500), nn.CrossEntropyLoss(), measures)["accuracy"]


def without_blocks(model: ResNet, data: TensorDataset) -> dict[str, float]:
    """The accuracy when one block is skipped: of each that keeps the shape of its input."""
    found = {}
    for name, block in list(model.named_modules()):
        if isinstance(block, BasicBlock) and block.conv1.in_channels == block.conv2.out_channels:
            stage, _, number = name.rpartition(".")
            sequence = model.get_submodule(stage)
            sequence[int(number)] = nn.Identity()
            found[name] = judge(model, data)
            sequence[int(number)] = block
    return found


def curve(losses: list[float], points: int = 40) -> list[float]:
    """Means over equal parts of the run."""
    return [round(float(part.mean()), 4) for part in np.array_split(losses, points)]


def begin(name: str, data: TensorDataset, budget: float) -> dict[str, Any]:
    """What is known of a network before it is trained: its costs, and its learning rate.

    The rate is the one with the best accuracy on the last images, held out from trainings with a
    sixth of the budget.
    """
    inputs, labels = data.tensors
    rest = TensorDataset(inputs[:-HELD_OUT], labels[:-HELD_OUT])
    held_out = TensorDataset(inputs[-HELD_OUT:], labels[-HELD_OUT:])
    rates = {}
    for rate in RATES:
        try:
            model, _ = train(NETWORKS[name], rest, rate=rate, budget=budget / 6, seed=0)
            rates[str(rate)] = judge(model, held_out)
        except FloatingPointError:
            rates[str(rate)] = 0.0
    counts = cost(NETWORKS[name](), IMAGE)
    steps = steps_for(counts.multiply_adds, budget)
    counted = {**asdict(counts), "steps": steps, "images": steps * BATCH}
    runs = {"accuracy": [], "curves": [], "cpu_seconds": []}
    return counted | {"rates": rates, "rate": float(max(rates, key=rates.get))} | runs


def add_run(
    row: dict[str, Any],
    name: str,
    seed: int,
    data: TensorDataset,
    test: TensorDataset,
    budget: float,
) -> None:
    """Train with one more seed, and judge by the test set."""
    start = time.process_time()
    model, losses = train(NETWORKS[name], data, rate=row["rate"], budget=budget, seed=seed)
    row["cpu_seconds"].append(round(time.process_time() - start, 1))
    row["accuracy"].append(judge(model, test))
    row["curves"].append(curve(losses))
    if isinstance(model, ResNet):
        inputs, labels = test.tensors
        part = TensorDataset(inputs[:HELD_OUT], labels[:HELD_OUT])
        found = {"all": judge(model, part)} | without_blocks(model, part)
        row.setdefault("without", []).append(found)
    row["mean"] = round(statistics.mean(row["accuracy"]), 5)
    row["spread"] = round(statistics.stdev(row["accuracy"]), 5) if seed else 0.0


# -------------------------------------------------------------------------------------- the program


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m dlcourse train convnets`."""
    add = parser.add_argument
    add(
        "--budget",
        help="multiply-adds of each training (default: %(default)s)",
        type=float,
        default=4e11,
    )
    add("--seeds", help="trainings of each network (default: 3)", type=positive, default=3)
    add("--threads", help="of torch (default: 1)", type=positive, default=1)
    add("--root", help="folder that holds cifar-10-batches-py", type=Path)
    add("--resume", help="go on where an interrupted run stopped", action="store_true")
    add("--restart", help="throw an interrupted run away and start anew", action="store_true")
    add(
        "--out",
        help="the result (default: in the folder runs)",
        type=Path,
        default=Path("runs/convnets.json"),
        metavar="FILE",
    )


def main(args: argparse.Namespace) -> int:
    """Train them all; the record is written after each training.  Exit code 0, or 1: told."""
    return told(_train_all, args)


def _train_all(args: argparse.Namespace) -> int:
    decide_about(args.out, args)
    out = writable(args.out)
    torch.set_num_threads(args.threads)
    data, test = (as_tensors(*datasets.cifar10(args.root, train=part)) for part in (True, False))
    settings = {"budget": args.budget, "batch": BATCH, "train_images": len(data)}
    record = circumstances("cpu") | settings | {"networks": {}}
    if args.resume and out.exists():
        old = read_record(out)
        if {key: old.get(key) for key in settings} != settings:
            raise ValueError(f"{out} was made with other settings")
        record["networks"] = old["networks"]
    rows = record["networks"]
    for seed, name in itertools.product(range(args.seeds), NETWORKS):
        if name not in rows:
            rows[name] = begin(name, data, args.budget)
        if len(rows[name]["accuracy"]) == seed:
            add_run(rows[name], name, seed, data, test, args.budget)
        write_record(out, record)
        print(f"seed {seed}, {name:14} {rows[name]['accuracy'][seed]:.1%}", flush=True)
    return 0
