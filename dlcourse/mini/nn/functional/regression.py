"""Losses that compare numbers with numbers."""

import math
import warnings

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._dtype import from_numpy_dtype
from dlcourse.mini.nn.functional.reduction import from_legacy, reduced, same_size, weighted
from dlcourse.mini.ops.creation import full_like
from dlcourse.mini.ops.loss import DifferenceLikeFirst
from dlcourse.mini.ops.operation import check_kernel, result_dtype

import numpy as np

__all__ = [
    "gaussian_nll_loss", "huber_loss", "kl_div", "l1_loss", "mse_loss", "poisson_nll_loss",
    "smooth_l1_loss",
]  # fmt: skip


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """`(input - target)^2`, times `weight`: its mean, its sum, or each ("none")."""
    # NB: in torch this is one node, MseLossBackward0; in mini it is the composition.
    reduction = from_legacy(size_average, reduce, reduction)
    same_size(input, target)
    difference = _difference("mse_cpu", input, target) if weight is None else input - target
    return weighted(difference**2, weight, reduction)


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """`|input - target|`, times `weight`: its mean, its sum, or each ("none")."""
    reduction = from_legacy(size_average, reduce, reduction)
    same_size(input, target)
    return weighted((input - target).abs(), weight, reduction)


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """`d^2 / (2 beta)` for |d| < beta, else `|d| - beta / 2`, with d = input - target."""
    reduction = from_legacy(size_average, reduce, reduction)
    same_size(input, target)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return reduced((input - target).abs(), reduction)
    return reduced(_huber(_difference("smooth_l1_cpu", input, target), beta) / beta, reduction)


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """`d^2 / 2` for |d| < delta, else `delta * (|d| - delta / 2)`, d = input - target (Huber)."""
    same_size(input, target)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    each = _huber(_difference_like_input("huber_cpu", input, target), delta)
    if weight is None:
        return reduced(each, reduction)
    if weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")
    return reduced(each * weight, reduction)


def _difference(kernel, input, target):
    """input - target as floats, booleans too."""
    dtype = result_dtype(input, target)
    check_kernel(kernel, dtype)
    return input.to(from_numpy_dtype(dtype)) - target.to(from_numpy_dtype(dtype))


def _difference_like_input(kernel, input, target):
    """`input - target` in the type of the input; a gradient wants both of one type."""
    dtype = from_numpy_dtype(result_dtype(input, target))
    if dtype.priority > input.dtype.priority:
        raise RuntimeError(
            f"result type {dtype.scalar_type} can't be cast to the desired output type "
            f"{input.dtype.scalar_type}"
        )
    check_kernel(kernel, dtype.numpy)
    if input.dtype is target.dtype:
        return input - target
    return DifferenceLikeFirst.apply(input, target)


def _huber(difference, delta):
    near = difference.clamp(-delta, delta)
    return near * (difference - 0.5 * near)


def poisson_nll_loss(
    input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None,
    reduction="mean",
):  # fmt: skip
    """`exp(input) - target * input`, or input - target * log(input + eps) without `log_input`.

    `full` adds Stirling's approximation of log(target!) where target > 1.
    """
    reduction = from_legacy(size_average, reduce, reduction)
    each = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        each = each + stirling.masked_fill(target <= 1, 0.0)
    return reduced(each, reduction)


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """`(log(var) + (input - target)^2 / var) / 2`, `var` at least eps; `full` adds log(2 pi) / 2.

    `var` is a number, of the size of input, or with 1 for (or without) the last dimension.
    """
    if not isinstance(var, Tensor):
        var = full_like(input, float(var))
    if not var.dtype.is_floating_point:
        raise RuntimeError(
            f"result type Float can't be cast to the desired output type {var.dtype.c_type}"
        )
    if (var._data < 0).any():
        raise ValueError("var has negative entry/entries")
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif not _differs_in_ones(input.shape, var.shape):
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    # The gradient goes through as if there were no limit.
    var = var + wrap(np.maximum(eps - var._data, 0).astype(var.dtype.numpy))
    each = 0.5 * (var.log() + (input - target) ** 2 / var)
    return reduced(each + 0.5 * math.log(2 * math.pi) if full else each, reduction)


def _differs_in_ones(size, other):
    """Whether `other` has a 1 in the one place where the sizes differ."""
    if len(size) != len(other):
        return False
    return sum(b for a, b in zip(size, other, strict=True) if a != b) == 1


def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """`target * (log(target) - input)` for log-probabilities `input`, element by element.

    `reduction="batchmean"` is the mathematical divergence: the sum divided by the batch size.
    """
    reduction = from_legacy(size_average, reduce, reduction)
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support "
            "size. 'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.",
            stacklevel=2,
        )
    if not (input.dtype.is_floating_point and target.dtype.is_floating_point):
        raise RuntimeError("kl_div: Integral inputs not supported.")
    if log_target:
        each = target.exp() * (target - input)
    else:
        entropy = (target * target.log()).masked_fill(target == 0, 0.0)  # 0 log 0 = 0
        each = entropy - target * input
    if reduction == "batchmean":
        return each.sum() / input.shape[0] if input.ndim else each.sum()
    return reduced(each, reduction)
