"""Train a network that reads handwritten digits (MNIST), and record how well it does.

The notebook `chapters/projects/handwritten_digits.ipynb` tells the story; this file holds the code
it shares with `python -m dlcourse train handwritten_digits`: augmentation, recipes, training,
evaluation.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from dlcourse import datasets
from dlcourse.models import DigitsCNN, LeNet
from dlcourse.projects import _classifier
from dlcourse.projects._judging import hold_out as hold_out  # for the notebook, too
from dlcourse.projects._judging import unpack as unpack
from dlcourse.training import History, accuracy, decay_groups, fit, predict

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

# --------------------------------------------------------------------------------------------- data


def as_tensors(images: np.ndarray, labels: np.ndarray) -> TensorDataset:
    """Images uint8 (N, 28, 28), labels (N,): a data set of float images (1, 28, 28) in [0, 1]."""
    inputs = torch.from_numpy(images).unsqueeze(1).float() / 255  # (N, 1, 28, 28)
    return TensorDataset(inputs, torch.from_numpy(labels))


def load(data: str, train: bool) -> TensorDataset:
    """`"shipped"`: the course's 4000 + 1000 images; `"full"`: MNIST's 60000 + 10000."""
    if data == "shipped":
        return as_tensors(*datasets.digits("train" if train else "test"))
    return as_tensors(*datasets.mnist(train=train, fallback=False))


class RandomAffine:
    """Turn, slant, stretch and shift each image of a batch a little, each by its own amounts.

    One matrix an image and one `grid_sample` for the whole batch: about a hundredth of the time of
    a training step.  Images (B, C, H, W) with 0 outside; the amounts are drawn uniformly.

    Args:
        degrees: rotation by up to this angle either way.
        shear: slant by up to this factor (0.2: over its height, a stroke leans by a fifth of it).
        log_scale: each axis is stretched by a factor from exp(-log_scale) to exp(log_scale).
        pixels: shift along each axis by up to this many pixels.
        generator: where the amounts come from (a CPU generator); by default torch's global one.
    """

    def __init__(
        self,
        degrees: float = 15.0,
        shear: float = 0.2,
        log_scale: float = 0.12,
        pixels: float = 2.0,
        generator: torch.Generator | None = None,
    ) -> None:
        angle = math.radians(degrees)
        self.limits = torch.tensor([angle, shear, log_scale, log_scale, pixels, pixels])
        self.generator = generator

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        B, _, H, W = images.shape
        amounts = (2 * torch.rand(B, 6, generator=self.generator) - 1) * self.limits  # (B, 6)
        angle, shear, log_x, log_y, shift_x, shift_y = amounts.unbind(dim=1)
        cos, sin, scale_x, scale_y = angle.cos(), angle.sin(), log_x.exp(), log_y.exp()
        # affine_grid asks where each pixel of the result is taken from: rotation @ shear @ scale,
        # then the shift, in coordinates that run from -1 to 1 over the image.
        row_x = [cos * scale_x, (cos * shear - sin) * scale_y, shift_x * 2 / W]
        row_y = [sin * scale_x, (sin * shear + cos) * scale_y, shift_y * 2 / H]
        theta = torch.stack([torch.stack(row_x, dim=1), torch.stack(row_y, dim=1)], dim=1)
        theta = theta.to(images)  # (B, 2, 3)
        grid = nn.functional.affine_grid(theta, list(images.shape), align_corners=False)
        return nn.functional.grid_sample(images, grid, align_corners=False)  # (B, C, H, W)


# ------------------------------------------------------------------------------------------ recipes


@dataclass(frozen=True)
class Recipe:
    """All that is decided before training starts."""

    model: str = "digits_cnn"  # or "lenet"
    width: int = 32  # of digits_cnn
    batch_norm: bool = True  # of digits_cnn
    pixel_mean: float = 0.0  # pixels from 0 to 1 become (pixel - pixel_mean) / pixel_std
    pixel_std: float = 1.0
    epochs: int = 20
    batch_size: int = 128
    lr: float = 0.1  # the largest, with a schedule
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = "one_cycle"  # or "constant"
    label_smoothing: float = 0.1
    augment: bool = True


FULL = Recipe()  # for all of MNIST
SMALL = Recipe(width=16, epochs=12, batch_size=64)  # for the 4000 images of the course
# What circulates: pixels from -1 to 1, LeNet, SGD with a learning rate of 0.001, ten epochs.
TUTORIAL = Recipe(
    model="lenet",
    pixel_mean=0.5,
    pixel_std=0.5,
    epochs=10,
    batch_size=64,
    lr=0.001,
    momentum=0.0,
    weight_decay=0.0,
    schedule="constant",
    label_smoothing=0.0,
    augment=False,
)
RECIPES = {"full": FULL, "small": SMALL, "tutorial": TUTORIAL}

# The small recipe with one thing changed (in one case the learning rate with it).
ABLATION = {
    "the small recipe": SMALL,
    "no augmentation": replace(SMALL, augment=False),
    "no label smoothing": replace(SMALL, label_smoothing=0.0),
    "no weight decay": replace(SMALL, weight_decay=0.0),
    "no momentum": replace(SMALL, momentum=0.0),
    "no momentum, rate x 10": replace(SMALL, momentum=0.0, lr=1.0),  # steps as long as with it
    "no schedule": replace(SMALL, schedule="constant"),
    "no batch normalisation": replace(SMALL, batch_norm=False),
    "LeNet": replace(SMALL, model="lenet"),
}


class Normalize(nn.Module):
    """(images - mean) / std, as the first layer, so that nobody who uses the model forgets it."""

    def __init__(self, mean: float, std: float) -> None:
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images - self.mean) / self.std


def build(recipe: Recipe) -> nn.Module:
    """The recipe's network for images in [0, 1], initialised from torch's global generator."""
    if recipe.model == "lenet":
        model = LeNet()
    else:
        model = DigitsCNN(recipe.width, recipe.batch_norm)
        # How the fast convolutions want the memory to lie; the shapes stay (B, C, H, W).
        model = model.to(memory_format=torch.channels_last)
    if (recipe.pixel_mean, recipe.pixel_std) != (0.0, 1.0):
        model = nn.Sequential(Normalize(recipe.pixel_mean, recipe.pixel_std), model)
    return model


def train(
    model: nn.Module,
    recipe: Recipe,
    data: TensorDataset,
    *,
    seed: int,
    valid: TensorDataset | None = None,
    **options: Any,
) -> History:
    """Train a model by a recipe; `options` go to `dlcourse.training.fit`."""
    generator = torch.Generator().manual_seed(seed)
    loader = DataLoader(data, recipe.batch_size, shuffle=True, generator=generator)
    optimizer = torch.optim.SGD(
        decay_groups(model, recipe.weight_decay),
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,
    )
    scheduler = None
    if recipe.schedule == "one_cycle":  # up in a fifth of the steps, then down to nearly 0
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=recipe.lr,
            total_steps=recipe.epochs * len(loader),
            pct_start=0.2,
            anneal_strategy="linear",
            cycle_momentum=False,
            div_factor=10,
            final_div_factor=1000,
        )
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


# --------------------------------------------------------------------------------------- evaluation

ONE_LOOK = ((0, 0),)
NINE_LOOKS = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))


def probabilities(
    model: nn.Module,
    data: TensorDataset,
    *,
    looks: Sequence[tuple[int, int]] = ONE_LOOK,
    **options: Any,
) -> torch.Tensor:
    """The model's probabilities (N, K), averaged over the images moved by each `(dy, dx)` pixels.

    With `looks=NINE_LOOKS` this is test-time augmentation.  `options` go to `predict`.
    """
    images, labels = data.tensors
    H, W = images.shape[2:]
    padded = nn.functional.pad(images, (1, 1, 1, 1))  # (N, 1, H + 2, W + 2)
    total = torch.zeros(())
    for dy, dx in looks:
        moved = padded[:, :, 1 - dy : 1 - dy + H, 1 - dx : 1 - dx + W]
        logits, _ = predict(model, DataLoader(TensorDataset(moved, labels), 500), **options)
        total = total + logits.softmax(dim=1)
    return total / len(looks)


# -------------------------------------------------------------------------------------- the program


PROJECT = _classifier.Classifier(
    name="handwritten_digits",
    load=load,
    build=lambda recipe, data: build(recipe),
    train=train,
    probabilities=probabilities,
    recipes=RECIPES,
    default_recipe=lambda data, device: {"shipped": "small", "full": "full"}[data],
    looks=("nine", NINE_LOOKS),
    ablation=ABLATION,
    ablation_looks={"accuracy": ONE_LOOK},
    held_out={"shipped": 1000, "full": 10_000},
    # A record holds the images that were misread, so it says whose they are.
    credit={"images_from": "MNIST, LeCun, Cortes and Burges, CC BY-SA 3.0; see data/README.md"},
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m dlcourse train handwritten_digits`."""
    _classifier.add_arguments(
        parser,
        PROJECT,
        data="the 5000 images of the course (default), or all of MNIST",
        recipe="what to train and how (default: small for shipped, full for full)",
    )


def main(args: argparse.Namespace) -> int:
    """Train, judge once, write the result.  Exit code 0; 130: interrupted; 1: an error, told."""
    return _classifier.main(args, PROJECT)
