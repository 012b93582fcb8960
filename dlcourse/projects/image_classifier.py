"""Train a network that says what a small colour image shows (CIFAR-10), and record the result.

The notebook `chapters/projects/image_classifier.ipynb` tells the story; this file holds the code
it shares with `python -m dlcourse train image_classifier`: augmentation, recipes, training,
evaluation.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from dlcourse import datasets
from dlcourse.models import ColorCNN, LeNet
from dlcourse.projects import _classifier
from dlcourse.projects._judging import unpack as unpack  # for the notebook, too
from dlcourse.training import History, accuracy, decay_groups, fit, predict

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CLASSES = datasets.CIFAR10_CLASSES

# --------------------------------------------------------------------------------------------- data


def as_tensors(images: np.ndarray, labels: np.ndarray) -> TensorDataset:
    """Images uint8 (N, H, W, 3), labels (N,): a data set of float images (3, H, W) in [0, 1]."""
    inputs = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255  # (N, 3, H, W)
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    return TensorDataset(inputs, torch.from_numpy(labels))


def load(data: str, train: bool) -> TensorDataset:
    """`"shipped"`: the course's pictograms; `"full"`: CIFAR-10's 50000 + 10000 photographs."""
    if data == "shipped":
        return as_tensors(*datasets.pictograms("train" if train else "test"))
    return as_tensors(*datasets.cifar10(train=train))


class RandomFlipShift:
    """Mirror each image of a batch or not, and move it by up to `pixels` along each axis.

    What comes in at the border is the image's own reflection.  Images (B, C, H, W).

    Args:
        pixels: shift along each axis by up to this many pixels, drawn uniformly.
        flip: mirror left and right with probability 1/2.
        cutout: the side of a square that becomes grey, elsewhere in each image (DeVries and Taylor
            2017); 0: none.
        generator: where the amounts come from (a CPU generator); by default torch's global one.
    """

    def __init__(
        self,
        pixels: int = 2,
        flip: bool = True,
        cutout: int = 0,
        generator: torch.Generator | None = None,
    ) -> None:
        self.pixels, self.flip, self.cutout, self.generator = pixels, flip, cutout, generator

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        B, _, H, W = images.shape
        rows = self._window(B, H, images.device)  # (B, H)
        columns = self._window(B, W, images.device)  # (B, W)
        if self.flip:
            mirrored = torch.rand(B, generator=self.generator).to(images.device) < 0.5
            columns = torch.where(mirrored[:, None], columns.flip(1), columns)
        padded = nn.functional.pad(images, (self.pixels,) * 4, mode="reflect")
        padded = padded.permute(0, 2, 3, 1)  # (B, H + 2p, W + 2p, C)
        each = torch.arange(B, device=images.device)[:, None, None]
        moved = padded[each, rows[:, :, None], columns[:, None, :]]  # (B, H, W, C)
        if self.cutout:
            moved = self._cut(moved, H, W)
        return moved.permute(0, 3, 1, 2)  # (B, C, H, W), channels last in memory

    def _window(self, B: int, size: int, device: torch.device) -> torch.Tensor:
        start = torch.randint(0, 2 * self.pixels + 1, (B, 1), generator=self.generator)
        return (start + torch.arange(size)).to(device)

    def _cut(self, moved: torch.Tensor, H: int, W: int) -> torch.Tensor:
        B = len(moved)
        top = torch.randint(0, H - self.cutout + 1, (B, 1), generator=self.generator)
        left = torch.randint(0, W - self.cutout + 1, (B, 1), generator=self.generator)
        y, x = torch.arange(H) - top, torch.arange(W) - left  # (B, H), (B, W)
        inside_y, inside_x = (y >= 0) & (y < self.cutout), (x >= 0) & (x < self.cutout)
        hole = (inside_y[:, :, None] & inside_x[:, None, :]).to(moved.device)  # (B, H, W)
        return torch.where(hole[..., None], torch.tensor(0.5, device=moved.device), moved)


# ------------------------------------------------------------------------------------------ recipes


@dataclass(frozen=True)
class Recipe:
    """All that is decided before training starts."""

    model: str = "color_cnn"  # or "lenet"
    widths: tuple[int, int, int] = (48, 160, 192)  # of color_cnn, and so the next three
    whiten: bool = True
    batch_norm: bool = True
    residual: bool = True
    normalize: bool = True  # pixels of mean 0 and deviation 1 in each channel
    epochs: int = 12
    batch_size: int = 512
    lr: float = 1.0  # the largest, with a schedule
    momentum: float = 0.85
    weight_decay: float = 1.3e-3
    schedule: str = "one_cycle"  # or "constant"
    label_smoothing: float = 0.2
    shift: int = 2
    flip: bool = True
    cutout: int = 0


HOUR = Recipe()  # for all of CIFAR-10 within an hour of two processor cores
SMALL = Recipe(widths=(16, 48, 96), epochs=3, batch_size=256, lr=0.5)  # within two minutes
GPU = Recipe(widths=(128, 384, 512), epochs=30, batch_size=1024, lr=2.0, cutout=12)
# What circulates: pixels from -1 to 1, LeNet, SGD with batches of four.  Ten epochs here.
TUTORIAL = Recipe(
    model="lenet",
    epochs=10,
    batch_size=4,
    lr=0.001,
    momentum=0.9,
    weight_decay=0.0,
    schedule="constant",
    label_smoothing=0.0,
    shift=0,
    flip=False,
)
SHIPPED = replace(SMALL, epochs=12, batch_size=128)  # for the pictograms of the course
RECIPES = {"small": SMALL, "hour": HOUR, "gpu": GPU, "tutorial": TUTORIAL, "shipped": SHIPPED}

# The small recipe with one thing changed.
ABLATION = {
    "the small recipe": SMALL,
    "no augmentation": replace(SMALL, shift=0, flip=False),
    "no normalised pixels": replace(SMALL, normalize=False, whiten=False),
    "no whitening": replace(SMALL, whiten=False),
    "no batch normalisation": replace(SMALL, batch_norm=False),
    "no residuals": replace(SMALL, residual=False),
    "no schedule": replace(SMALL, schedule="constant"),
    "no label smoothing": replace(SMALL, label_smoothing=0.0),
    "no weight decay": replace(SMALL, weight_decay=0.0),
    "the tutorial's network": replace(SMALL, model="lenet"),
}


class Normalize(nn.Module):
    """(images - mean) / std by channel, as the first layer, so that nobody forgets it."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images - self.mean) / self.std


def build(recipe: Recipe, data: TensorDataset | None = None) -> nn.Module:
    """The recipe's network for images in [0, 1], initialised from torch's global generator.

    `data`, the training images, give means, deviations and whitening filters; without them (to load
    saved weights, say) the network has their places only.
    """
    mean, std = [0.5] * 3, [0.5] * 3
    if data is not None and recipe.model != "lenet" and recipe.normalize:
        mean = data.tensors[0].mean(dim=(0, 2, 3)).tolist()
        std = data.tensors[0].std(dim=(0, 2, 3)).tolist()
    normalize = Normalize(mean, std) if recipe.normalize else nn.Identity()
    if recipe.model == "lenet":
        return nn.Sequential(normalize, LeNet(in_channels=3, size=32))
    model = ColorCNN(
        recipe.widths,
        whiten=recipe.whiten,
        batch_norm=recipe.batch_norm,
        residual=recipe.residual,
    )
    if data is not None and recipe.whiten:
        model.first.learn(normalize(data.tensors[0][:5000]))
    # How the fast convolutions want the memory to lie; the shapes stay (B, C, H, W).
    return nn.Sequential(normalize, model).to(memory_format=torch.channels_last)


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
        nesterov=recipe.schedule != "constant",
    )
    scheduler = None
    if recipe.schedule == "one_cycle":  # up in a fifth of the steps, then down to next to nothing
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=recipe.lr,
            total_steps=recipe.epochs * len(loader),
            pct_start=0.2,
            anneal_strategy="linear",
            cycle_momentum=False,
            div_factor=5,
            final_div_factor=20,
        )
    augment = None
    if recipe.shift or recipe.flip or recipe.cutout:
        augment = RandomFlipShift(recipe.shift, recipe.flip, recipe.cutout, generator)
    return fit(
        model,
        loader,
        nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing),
        optimizer,
        epochs=recipe.epochs,
        scheduler=scheduler,
        augment=augment,
        valid_loader=None if valid is None else DataLoader(valid, 1000),
        metrics={"accuracy": accuracy},
        **options,
    )


# --------------------------------------------------------------------------------------- evaluation

ONE_LOOK = ((False, 0, 0),)
# As it is and moved by a pixel along both diagonals, each of them also in the mirror.
SIX_LOOKS = tuple((flip, d, d) for flip in (False, True) for d in (-1, 0, 1))


def probabilities(
    model: nn.Module,
    data: TensorDataset,
    *,
    looks: Sequence[tuple[bool, int, int]] = ONE_LOOK,
    **options: Any,
) -> torch.Tensor:
    """The model's probabilities (N, K), averaged over looks `(mirrored, dy, dx)` at each image.

    With `looks=SIX_LOOKS` this is test-time augmentation.  `options` go to `predict`.
    """
    images, labels = data.tensors
    H, W = images.shape[2:]
    padded = nn.functional.pad(images, (1, 1, 1, 1), mode="reflect")  # (N, 3, H + 2, W + 2)
    total = torch.zeros(())
    for mirrored, dy, dx in looks:
        moved = padded[:, :, 1 - dy : 1 - dy + H, 1 - dx : 1 - dx + W]
        moved = moved.flip(3) if mirrored else moved
        logits, _ = predict(model, DataLoader(TensorDataset(moved, labels), 250), **options)
        total = total + logits.softmax(dim=1)
    return total / len(looks)


# -------------------------------------------------------------------------------------- the program


def default_recipe(data: str, device: str) -> str:
    if data == "shipped":
        return "shipped"
    return "gpu" if device.startswith("cuda") else "hour"


PROJECT = _classifier.Classifier(
    name="image_classifier",
    load=load,
    build=build,
    train=train,
    probabilities=probabilities,
    recipes=RECIPES,
    default_recipe=default_recipe,
    looks=("six", SIX_LOOKS),
    ablation=ABLATION,
    ablation_looks={"accuracy": ONE_LOOK, "accuracy_with_six_looks": SIX_LOOKS},
    held_out={"shipped": 1000, "full": 5000},
    errors_kept=20,  # CIFAR-10 has no licence: a record shows a few images, and no more
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m dlcourse train image_classifier`."""
    _classifier.add_arguments(
        parser,
        PROJECT,
        data="the pictograms of the course (default), or all of CIFAR-10",
        recipe="what to train and how "
        "(default: shipped for shipped; for full gpu on a GPU, else hour)",
    )


def main(args: argparse.Namespace) -> int:
    """Train, judge once, write the result.  Exit code 0; 130: interrupted; 1: an error, told."""
    return _classifier.main(args, PROJECT)
