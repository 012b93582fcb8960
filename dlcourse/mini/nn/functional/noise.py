"""Functions that draw at random."""

from dlcourse.mini._core import Tensor
from dlcourse.mini.ops.creation import random_source

import numpy as np

__all__ = ["dropout"]


def dropout(input, p=0.5, training=True, inplace=False):
    """In training each element becomes 0 with probability `p`, the others grow by 1 / (1 - p)."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0:
        return input
    kept = random_source().random(input.shape, np.float32) >= p
    scale = Tensor(kept.astype(input.dtype.numpy) / (1 - p if p < 1 else 1))
    return input.mul_(scale) if inplace else input * scale
