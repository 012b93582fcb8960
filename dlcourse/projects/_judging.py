"""What a classifier is judged by: images held out, accuracy, confusion, and the errors made."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import torch
from torch.utils.data import TensorDataset


def hold_out(data: TensorDataset, count: int) -> tuple[TensorDataset, TensorDataset]:
    """All but the last `count` examples, and the last `count`.

    The last, not any: neighbours in MNIST's files, say, were often written by the same hand.
    """
    if not 0 < count < len(data):
        raise ValueError(f"cannot hold {count} of {len(data)} images out")
    inputs, labels = data.tensors
    return (
        TensorDataset(inputs[:-count], labels[:-count]),
        TensorDataset(inputs[-count:], labels[-count:]),
    )


def confusion_matrix(
    labels: torch.Tensor, guesses: torch.Tensor, classes: int = 10
) -> torch.Tensor:
    """Counts (K, K): the row is the true class, the column the guess."""
    return torch.bincount(labels * classes + guesses, minlength=classes**2).view(classes, classes)


ERRORS_KEPT = 100


def summary(
    probability: torch.Tensor, data: TensorDataset, errors_kept: int = ERRORS_KEPT
) -> dict[str, Any]:
    """Accuracy, confusion matrix, and the errors with probabilities and image, as plain data.

    A good network makes few; of a bad one the first `errors_kept` are kept.
    """
    images, labels = data.tensors
    guesses = probability.argmax(dim=1)
    wrong = (guesses != labels).nonzero().flatten().tolist()
    return {
        "accuracy": (len(labels) - len(wrong)) / len(labels),
        "images": len(labels),
        "wrong": len(wrong),
        "confusion": confusion_matrix(labels, guesses).tolist(),
        "errors": [
            {
                "index": i,
                "label": labels[i].item(),
                "guess": guesses[i].item(),
                "probabilities": [round(p, 4) for p in probability[i].tolist()],
                "image": _pack(images[i]),
            }
            for i in wrong[:errors_kept]
        ],
    }


def _pack(image: torch.Tensor) -> str:
    """An image (C, H, W) in [0, 1] as text; `unpack` brings it back as uint8."""
    pixels = (image * 255).round().to(torch.uint8).numpy()
    return base64.b64encode(zlib.compress(pixels.tobytes(), 9)).decode()


def unpack(text: str, shape: tuple[int, ...] = (28, 28)) -> np.ndarray:
    """The image of an error in a record, uint8 of the given shape."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(shape)
