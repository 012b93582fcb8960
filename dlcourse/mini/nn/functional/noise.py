"""Functions that draw at random."""

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.creation import random_source

import numpy as np

__all__ = [
    "alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout",
]  # fmt: skip


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training each element becomes 0 with probability `p`.

    The others are multiplied by 1 / (1 - p), so that the mean stays.
    """
    return _drop(input, p, training, inplace, input.ndim)


# -- by channels, and for SELU ---------------------------------------------------------------------


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """`dropout` of whole channels of (B, C, T) or (C, T)."""
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _drop(input, p, training, inplace, 1 if input.ndim == 2 else 2)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """`dropout` of whole channels of (B, C, H, W) (Tompson et al. 2015)."""
    # NB: in torch 3 dimensions mean (B, C, T), with a warning; in mini without one.
    return _drop(input, p, training, inplace, 2)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """`dropout` of whole channels of (B, C, D, H, W) or (C, D, H, W)."""
    return _drop(input, p, training, inplace, 2 if input.ndim == 5 else 1)


def _drop(input, p, training, inplace, lead):
    """One draw for each of the first `lead` dimensions."""
    _check_probability(p)
    if not training or p == 0:
        return input
    kept = _kept(input, p, lead)
    scale = wrap(kept / (1 - p if p < 1 else 1))
    return input.mul_(scale) if inplace else input * scale


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Elements become SELU's lowest value with probability `p`; mean and variance stay.

    Source: Klambauer et al. 2017.
    """
    return _alpha_dropout(input, p, training, inplace, input.ndim)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """`alpha_dropout` of whole channels of (B, C, ...)."""
    return _alpha_dropout(input, p, training, inplace, 2)


SELU_LOWEST = -1.7580993408473766  # minus scale times alpha


def _alpha_dropout(input, p, training, inplace, lead):
    _check_probability(p)
    if not training or p == 0:
        return input
    if p == 1:
        return input.mul_(0) if inplace else input * 0
    kept = _kept(input, p, lead)
    scale = ((SELU_LOWEST**2 * p + 1) * (1 - p)) ** -0.5
    shift = wrap(((1 - kept) * SELU_LOWEST - p * SELU_LOWEST) * scale)
    factor = wrap(kept * scale)
    return input.mul_(factor).add_(shift) if inplace else input * factor + shift


def _kept(input, p, lead):
    """1 with probability 1 - p, else 0, an array (..., 1, 1) that broadcasts."""
    shape = (*input.shape[:lead], *(1,) * (input.ndim - lead))
    kept = random_source().random(shape, np.float32) >= p
    return kept.astype(input.dtype.numpy)


def _check_probability(p):
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
