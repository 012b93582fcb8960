"""Train a network that reads handwritten digits (MNIST), and record how well it does.

The notebook ``chapters/projects/handwritten_digits.ipynb`` tells the story; this file holds the code that it shares
with ``python -m dlcourse train handwritten_digits``: the augmentation, the recipes, training, evaluation.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dlcourse import datasets
from dlcourse.models import DigitsCNN, LeNet
from dlcourse.projects._record import circumstances, write_record
from dlcourse.training import (
    CheckpointError,
    History,
    accuracy,
    evaluate,
    fit,
    predict,
    save_checkpoint,
    seed_everything,
)

# ---- data ------------------------------------------------------------------------------------------------------------


def as_tensors(images: np.ndarray, labels: np.ndarray) -> TensorDataset:
    """Images uint8 (N, 28, 28) and labels (N,) as a data set of float images (1, 28, 28) in [0, 1] and labels."""
    inputs = torch.from_numpy(images).unsqueeze(1).float() / 255  # (N, 1, 28, 28)
    return TensorDataset(inputs, torch.from_numpy(labels))


def load(data: str, train: bool) -> TensorDataset:
    """``"shipped"``: the 4000 + 1000 images of the course; ``"full"``: MNIST's 60000 + 10000, or a DataError."""
    if data == "shipped":
        return as_tensors(*datasets.digits("train" if train else "test"))
    return as_tensors(*datasets.mnist(train=train, fallback=False))


class RandomAffine:
    """Turn, slant, stretch and shift each image of a batch a little, each by its own random amount.

    One matrix an image and one ``grid_sample`` for the whole batch: this takes about a hundredth of the time of a
    training step.  Images (B, C, H, W) with values 0 outside; amounts are drawn uniformly.

    Args:
        degrees: rotation by up to this angle either way.
        shear: slant by up to this factor (0.2: the top moves by a fifth of its height).
        log_scale: each axis is stretched by a factor between exp(-log_scale) and exp(log_scale).
        pixels: shift along each axis by up to this many pixels.
        generator: where the amounts come from (a CPU generator); default: torch's global one.
    """

    def __init__(
        self,
        degrees: float = 15.0,
        shear: float = 0.2,
        log_scale: float = 0.12,
        pixels: float = 2.0,
        generator: torch.Generator | None = None,
    ) -> None:
        self.limits = torch.tensor(
            [math.radians(degrees), shear, log_scale, log_scale, pixels, pixels]
        )
        self.generator = generator

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        B, _, H, W = images.shape
        amounts = (2 * torch.rand(B, 6, generator=self.generator) - 1) * self.limits  # (B, 6)
        angle, shear, log_x, log_y, shift_x, shift_y = amounts.unbind(dim=1)
        cos, sin, scale_x, scale_y = angle.cos(), angle.sin(), log_x.exp(), log_y.exp()
        # affine_grid asks where each pixel of the result is taken from: rotation @ shear @ scale, then the shift, in
        # coordinates that run from -1 to 1 over the image.
        rows = [
            torch.stack([cos * scale_x, (cos * shear - sin) * scale_y, shift_x * 2 / W], dim=1),
            torch.stack([sin * scale_x, (sin * shear + cos) * scale_y, shift_y * 2 / H], dim=1),
        ]
        theta = torch.stack(rows, dim=1).to(images.device)  # (B, 2, 3)
        grid = nn.functional.affine_grid(
            theta, list(images.shape), align_corners=False
        )  # (B, H, W, 2)
        return nn.functional.grid_sample(images, grid, align_corners=False)  # (B, C, H, W)


# ---- recipes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recipe:
    """All that is decided before training starts."""

    model: str = "digits_cnn"  # or "lenet"
    width: int = 32  # of digits_cnn
    batch_norm: bool = True  # of digits_cnn
    epochs: int = 20
    batch_size: int = 128
    lr: float = 0.1  # the largest, with a schedule
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = "one_cycle"  # or "constant"
    label_smoothing: float = 0.1
    augment: bool = True


GOOD = Recipe()
# What circulates: LeNet, SGD with lr 0.001 and nothing else, batches of 64, ten epochs.
TUTORIAL = Recipe("lenet", epochs=10, batch_size=64, lr=0.001, momentum=0.0, weight_decay=0.0, schedule="constant",
                  label_smoothing=0.0, augment=False)  # fmt: skip
RECIPES = {
    "good": GOOD,
    "no_augmentation": replace(GOOD, augment=False),
    "tutorial": TUTORIAL,
}


def build(recipe: Recipe) -> nn.Module:
    """The recipe's network, freshly initialised from torch's global generator."""
    if recipe.model == "lenet":
        return LeNet()
    # Channels-last is how the fast convolutions want the memory; the shapes stay (B, C, H, W).
    return DigitsCNN(recipe.width, recipe.batch_norm).to(memory_format=torch.channels_last)


def train(
    model: nn.Module,
    recipe: Recipe,
    data: TensorDataset,
    *,
    seed: int,
    valid: TensorDataset | None = None,
    **options: Any,
) -> History:
    """Train a model by a recipe; ``options`` go to :func:`dlcourse.training.fit`."""
    generator = torch.Generator().manual_seed(seed)
    loader = DataLoader(data, recipe.batch_size, shuffle=True, generator=generator)
    decay = [
        p for p in model.parameters() if p.ndim > 1
    ]  # weights; not biases, not batch normalisation
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": decay, "weight_decay": recipe.weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    nesterov = recipe.momentum > 0
    optimizer = torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=nesterov)
    scheduler = None
    if recipe.schedule == "one_cycle":
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.lr, total_steps=recipe.epochs * len(loader), pct_start=0.2, anneal_strategy="linear",
            cycle_momentum=False, div_factor=10, final_div_factor=1000,
        )  # fmt: skip
    return fit(
        model,
        loader,
        nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing),
        optimizer,
        epochs=recipe.epochs,
        scheduler=scheduler,
        augment=RandomAffine(generator=generator) if recipe.augment else None,
        valid_loader=None if valid is None else DataLoader(valid, 500),
        metrics={"accuracy": accuracy},
        **options,
    )


# ---- evaluation ------------------------------------------------------------------------------------------------------

SHIFTS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


def probabilities(
    model: nn.Module, data: TensorDataset, *, shifts: Any = ((0, 0),), **options: Any
) -> torch.Tensor:
    """The model's probabilities (N, K), averaged over the images moved by each ``(dy, dx)`` of ``shifts``.

    With ``shifts=SHIFTS`` this is test-time augmentation: nine looks at each image, up to one pixel away.
    """
    images, labels = data.tensors
    H, W = images.shape[2:]
    padded = nn.functional.pad(images, (1, 1, 1, 1))  # (N, 1, H + 2, W + 2)
    total = 0.0
    for dy, dx in shifts:
        moved = TensorDataset(padded[:, :, 1 - dy : 1 - dy + H, 1 - dx : 1 - dx + W], labels)
        total = total + predict(model, DataLoader(moved, 500), **options)[0].softmax(dim=1)
    return total / len(shifts)


def confusion_matrix(
    labels: torch.Tensor, guesses: torch.Tensor, num_classes: int = 10
) -> torch.Tensor:
    """Counts (K, K): row is the true class, column the guess."""
    return torch.bincount(labels * num_classes + guesses, minlength=num_classes**2).view(
        num_classes, num_classes
    )


def summary(probability: torch.Tensor, labels: torch.Tensor) -> dict[str, Any]:
    """Accuracy, confusion matrix and every error with its probabilities, as plain data."""
    guesses = probability.argmax(dim=1)
    wrong = (guesses != labels).nonzero().flatten()
    return {
        "accuracy": (len(labels) - len(wrong)) / len(labels),
        "images": len(labels),
        "confusion": confusion_matrix(labels, guesses).tolist(),
        "errors": [
            {
                "index": int(i),
                "label": int(labels[i]),
                "guess": int(guesses[i]),
                "probabilities": [round(float(p), 4) for p in probability[i]],
            }
            for i in wrong
        ],
    }


# ---- the program -----------------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``python -m dlcourse train handwritten_digits``."""
    add = parser.add_argument
    add(
        "--data",
        choices=["shipped", "full"],
        default="shipped",
        help="the 5000 images of the course, or all of MNIST",
    )
    add(
        "--recipe",
        choices=sorted(RECIPES),
        default="good",
        help="what to train and how (default: good)",
    )
    add("--epochs", type=_positive, help="passes over the data (default: the recipe's)")
    add(
        "--seed",
        type=int,
        default=0,
        help="seed of weights, shuffling and augmentation (default: 0)",
    )
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    add("--precision", choices=["auto", "float32", "bfloat16"], default="auto",
        help="auto: bfloat16 for the convolutions where the processor has it in hardware")  # fmt: skip
    add(
        "--validate",
        type=_positive,
        metavar="N",
        help="hold out the last N training images and leave the test set alone",
    )
    add("--resume", action="store_true", help="go on from the checkpoint of an interrupted run")
    add(
        "--out",
        type=Path,
        metavar="FILE",
        help="where to write the result (default: runs/handwritten_digits_....json)",
    )


def main(args: argparse.Namespace) -> int:
    """Train, evaluate once, write the result; 0 if all went well, 130 if interrupted, else 1 and one clear line."""
    try:
        return _run(args)
    except (datasets.DataError, CheckpointError, FloatingPointError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(args: argparse.Namespace) -> int:
    recipe = RECIPES[args.recipe]
    if args.epochs:
        recipe = replace(recipe, epochs=args.epochs)
    name = f"handwritten_digits_{args.data}_{args.recipe}" + (
        "_validation" if args.validate else ""
    )
    out = args.out or Path("runs") / f"{name}.json"
    checkpoint = out.with_suffix(".checkpoint.pt")
    device = _device(args.device)
    autocast = _precision(args.precision, device)

    data, test = load(args.data, train=True), None
    if args.validate:  # the test set stays unread
        if args.validate >= len(data):
            print(
                f"error: --validate {args.validate} leaves nothing of {len(data)} images to train on",
                file=sys.stderr,
            )
            return 1
        inputs, labels = data.tensors
        test = TensorDataset(inputs[-args.validate :], labels[-args.validate :])
        data = TensorDataset(inputs[: -args.validate], labels[: -args.validate])
    if not args.resume:
        checkpoint.unlink(missing_ok=True)

    seed_everything(args.seed)
    model = build(recipe)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{len(data)} images, {parameters} parameters, {recipe.epochs} epochs on {device}, "
          f"{'float32' if autocast is None else 'bfloat16'}")  # fmt: skip
    try:
        history = train(
            model, recipe, data, seed=args.seed, valid=test, device=device, autocast=autocast,
            checkpoint=checkpoint, resume=args.resume,
            settings={**asdict(recipe), "data": args.data, "seed": args.seed, "images": len(data)},
        )  # fmt: skip
    except KeyboardInterrupt:
        kept = (
            f"the whole epochs are in {checkpoint}: go on with --resume"
            if checkpoint.exists()
            else "no epoch was done"
        )
        print(f"\ninterrupted; {kept}", file=sys.stderr)
        return 130

    if test is None:  # once, and only now
        test = load(args.data, train=False)
    options = {"device": device, "autocast": autocast}
    labels = test.tensors[1]
    once = summary(probabilities(model, test, **options), labels)
    nine = summary(probabilities(model, test, shifts=SHIFTS, **options), labels)
    record = {
        "name": name,
        **circumstances(device),
        "seed": args.seed,
        "precision": "float32" if autocast is None else "bfloat16 autocast",
        "recipe": asdict(recipe),
        "parameters": parameters,
        "train_images": len(data),
        "judged_on": f"the last {args.validate} training images"
        if args.validate
        else "the test set, read once",
        "minutes": round(history.seconds[-1] / 60, 1),
        "train_loss": [round(value, 4) for value in history.train_loss],
        "valid": {
            key: [round(value, 4) for value in values] for key, values in history.valid.items()
        },
        "accuracy": once["accuracy"],
        "accuracy_with_shifts": nine["accuracy"],
        "images": once["images"],
        "confusion": once["confusion"],
        "errors": once["errors"],
        "errors_with_shifts": nine["errors"],
    }
    save_checkpoint(out.with_suffix(".model.pt"), model=model, recipe=asdict(recipe))
    write_record(out, record)
    print(f"accuracy {100 * once['accuracy']:.2f} % ({len(once['errors'])} errors of {once['images']}), with nine looks "
          f"{100 * nine['accuracy']:.2f} %; {record['minutes']} minutes; written to {out}")  # fmt: skip
    return 0


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise OSError(
            f"device {name} cannot be used here ({str(error).splitlines()[0]})"
        ) from error
    return name


def _precision(name: str, device: str) -> torch.dtype | None:
    """``None`` for float32.  NB: bfloat16 without hardware for it is slower than float32, not faster."""
    if name == "auto":
        fast = torch.cuda.is_bf16_supported() if device.startswith("cuda") else _cpu_has_bfloat16()
        return torch.bfloat16 if fast else None
    return torch.bfloat16 if name == "bfloat16" else None


def _cpu_has_bfloat16() -> bool:
    flags = Path("/proc/cpuinfo")
    return flags.exists() and ("avx512_bf16" in (text := flags.read_text()) or "amx_bf16" in text)
