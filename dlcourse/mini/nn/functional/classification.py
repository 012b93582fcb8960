"""Losses of classifiers, and the classes as vectors."""

import math

from dlcourse.mini.nn.functional.reduction import check_reduction, from_legacy, reduced
from dlcourse.mini.ops import softmax as _softmax
from dlcourse.mini.ops.loss import BinaryCrossEntropy, NllLoss
from dlcourse.mini.ops.operation import check_kernel
from dlcourse.mini.ops.softmax import logsigmoid

import numpy as np

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "nll_loss"]


def binary_cross_entropy(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """`-(target * log(input) + (1 - target) * log(1 - input))`, logarithms at least -100."""
    reduction = from_legacy(size_average, reduce, reduction)
    if input.shape != target.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}) is deprecated. Please ensure they have the same size."
        )
    if target.dtype != input.dtype:
        found, wanted = target.dtype.scalar_type, input.dtype.scalar_type
        raise RuntimeError(f"Found dtype {found} but expected {wanted}")
    each = BinaryCrossEntropy.apply(input, target)
    return reduced(each if weight is None else (each * weight).to(each.dtype), reduction)


def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    """-(target * log(sigmoid(input)) + (1 - target) * log(1 - sigmoid(input))), without overflow.

    `pos_weight` multiplies the first term, `weight` both.
    """
    # NB: in torch this is one node, BinaryCrossEntropyWithLogitsBackward0.
    reduction = from_legacy(size_average, reduce, reduction)
    if input.shape != target.shape:
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size ({input.shape})"
        )
    _check_not_counts(input, target)
    positive = logsigmoid(input) if pos_weight is None else logsigmoid(input) * pos_weight
    each = -(target * positive + (1 - target) * logsigmoid(-input))
    each = each if weight is None else each * weight
    return reduced(each.to(target.dtype), reduction)


def _check_not_counts(input, target):
    if target.dtype.name == "bool":
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. "
            "Use the `^` or `logical_xor()` operator instead."
        )
    if not target.dtype.is_floating_point:
        raise RuntimeError(
            f"result type {input.dtype.scalar_type} can't be cast to the desired output type "
            f"{target.dtype.scalar_type}"
        )


def nll_loss(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"
):
    """`-input[b, target[b]] * weight[target[b]]` for log-probabilities (B, K, ...) or (K,).

    `target` (B, ...) or () holds classes, int64; elements equal to `ignore_index` count for
    nothing; the mean is weighted.
    """
    reduction = from_legacy(size_average, reduce, reduction)
    check_reduction(reduction)
    _check_nll(input, target, weight)
    index, classes = target._data, input.shape[min(input.ndim - 1, 1)]
    kept = index != ignore_index
    bad = index[kept & ((index < 0) | (index >= classes))]
    if bad.size:
        raise IndexError(f"Target {bad.flat[0]} is out of bounds.")
    index = np.where(kept, index, 0)
    scale = -(kept.astype(input.dtype.numpy) if weight is None else weight._data[index] * kept)
    return NllLoss.apply(input, index, scale, reduction)


def _check_nll(input, target, weight):
    if input.ndim == 0:
        raise ValueError(f"Expected 1 or more dimensions (got {input.ndim})")
    if input.ndim <= 2 and target.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    batch = input.shape[: max(0, min(input.ndim - 1, 1))]
    if target.shape[:1] != batch:
        raise ValueError(
            f"Expected input batch_size ({batch[0] if batch else 1}) to match target batch_size "
            f"({target.shape[0] if target.ndim else 1})."
        )
    if target.shape != batch + input.shape[2:]:
        raise RuntimeError(
            f"Expected target size {list(batch + input.shape[2:])}, got {list(target.shape)}"
        )
    if target.dtype.name not in ("int64", "uint8"):
        raise RuntimeError(
            f"expected target dtype to be Long or Byte, but got {target.dtype.scalar_type}"
        )
    check_kernel(f"nll_loss{'2d_forward' * (input.ndim > 2)}_out_frame", input._data.dtype)
    if weight is not None and weight.dtype is not input.dtype:
        wanted, found = input.dtype.scalar_type, weight.dtype.scalar_type
        raise RuntimeError(f"expected scalar type {wanted} but found {found}")
    classes = input.shape[min(input.ndim - 1, 1)]
    if weight is not None and weight.shape != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but "
            f"got weight tensor of shape: {list(weight.shape)}"
        )


def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
    reduction="mean", label_smoothing=0.0,
):  # fmt: skip
    """`-log(softmax(input))[target]` for logits (B, K, ...) or (K,): NO softmax before.

    `target` holds classes (B, ...), int64, or probabilities (B, K, ...).  `label_smoothing`
    mixes the target with the uniform distribution (Szegedy et al. 2016).
    """
    reduction = from_legacy(size_average, reduce, reduction)
    if not 0 <= label_smoothing <= 1:
        got = f"{label_smoothing:g}"
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {got}")
    dim = min(input.ndim - 1, 1) if input.ndim else 1
    log_probs = _softmax.log_softmax(input, dim)
    if target.shape == input.shape:
        return _soft_cross_entropy(log_probs, target, weight, reduction, label_smoothing, dim)
    loss = nll_loss(log_probs, target, weight, None, ignore_index, None, reduction)
    if label_smoothing == 0:
        return loss
    kept = target != ignore_index
    costs = log_probs if weight is None else log_probs * _along(weight, dim, input.ndim)
    smooth = -costs.sum(dim).masked_fill(~kept, 0.0)
    if reduction == "mean":
        counts = kept if weight is None else weight[target.masked_fill(~kept, 0)] * kept
        smooth = smooth.sum() / counts.sum()
    else:
        smooth = reduced(smooth, reduction)
    share = label_smoothing / input.shape[dim]
    return (1 - label_smoothing) * loss + share * smooth


def _soft_cross_entropy(log_probs, target, weight, reduction, label_smoothing, dim):
    if not target.dtype.is_floating_point:
        raise RuntimeError(
            "Expected floating point type for target with class probabilities, got "
            f"{target.dtype.scalar_type}"
        )
    classes = log_probs.shape[dim]
    if label_smoothing > 0:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    costs = log_probs if weight is None else log_probs * _along(weight, dim, log_probs.ndim)
    each = -(costs * target)
    if reduction == "mean":  # over the batch and places, not over the classes
        return each.sum() / math.prod(log_probs.shape[:dim] + log_probs.shape[dim + 1 :])
    return each.sum() if reduction == "sum" else reduced(each.sum(dim), reduction)


def _along(weight, dim, ndim):
    """A vector (K,) that broadcasts along `dim`."""
    return weight.reshape(*(-1 if d == dim else 1 for d in range(ndim)))
