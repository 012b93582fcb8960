"""Arrays out of whatever the course computes with, importing neither mini nor torch."""

from __future__ import annotations

import numpy as np


def is_tensor(value) -> bool:
    """Whether `value` is a tensor of mini or torch."""
    return hasattr(value, "grad_fn") and hasattr(value, "detach")


def to_numpy(value) -> np.ndarray:
    """A NumPy array of the numbers in `value`: a tensor, an array, a number, or lists of these."""
    if is_tensor(value):
        value = value.detach()
        value = value.cpu() if hasattr(value, "cpu") else value
        value = value.float() if str(value.dtype).endswith("bfloat16") else value
        return np.asarray(value.numpy())
    if isinstance(value, (list, tuple)):
        value = [to_numpy(item) for item in value]
        if len({item.shape for item in value}) > 1:
            shapes = ", ".join(str(shape) for shape in sorted({item.shape for item in value}))
            raise ValueError(f"expected entries of one shape, but got {shapes}")
    return np.asarray(value)


def tensor_like(tensor, array):
    """`array` as a tensor of the same engine, dtype and device as `tensor`, without history."""
    if hasattr(tensor, "new_tensor"):
        return tensor.new_tensor(array)
    return type(tensor.detach())(np.asarray(array, dtype=to_numpy(tensor).dtype))
