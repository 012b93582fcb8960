"""Losses that want scores or distances apart by a margin."""

from dlcourse.mini._core import wrap
from dlcourse.mini._dtype import get_default_dtype, int64
from dlcourse.mini._grad_mode import here
from dlcourse.mini.nn.functional.distance import pairwise_distance
from dlcourse.mini.nn.functional.reduction import check_reduction, from_legacy, reduced
from dlcourse.mini.ops.choose import minimum, where
from dlcourse.mini.ops.operation import check_kernel
from dlcourse.mini.ops.softmax import logsigmoid

import numpy as np

__all__ = [
    "cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "soft_margin_loss",
    "triplet_margin_loss", "triplet_margin_with_distance_loss",
]  # fmt: skip


# -- targets of 1 and -1 ---------------------------------------------------------------------------


def hinge_embedding_loss(
    input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"
):
    """`input` where target is 1, `max(0, margin - input)` where it is -1."""
    reduction = from_legacy(size_average, reduce, reduction)
    near = where(target != -1, input, 0)
    far = where(target != 1, (margin - input).to(input.dtype).clamp(min=0), 0)
    return reduced(near + far, reduction)


def margin_ranking_loss(
    input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"
):
    """`max(0, margin - target * (input1 - input2))`: target 1 wants input1 higher, -1 input2."""
    reduction = from_legacy(size_average, reduce, reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return reduced((-target * (input1 - input2) + float(margin)).clamp(min=0), reduction)


def cosine_embedding_loss(
    input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"
):
    """`1 - cos(input1, input2)` where target is 1, `max(0, cos - margin)` where it is -1.

    Inputs (N, D) and targets (N,), or (D,) and ().
    """
    reduction = from_legacy(size_average, reduce, reduction)
    if target.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if not input1.ndim == input2.ndim == target.ndim + 1:
        raise RuntimeError(
            f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, but found "
            f"inputs with sizes {list(input1.shape)} and {list(input2.shape)}."
        )
    squares = ((input1 * input1).sum(-1) + 1e-12) * ((input2 * input2).sum(-1) + 1e-12)
    cosine = (input1 * input2).sum(-1) / squares.sqrt()
    near = where(target == 1, 1 - cosine, 0.0)
    far = where(target == -1, (cosine - margin).clamp(min=0), 0.0)
    return reduced(near + far, reduction)


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """`log(1 + exp(-target * input))`."""
    # NB: in torch this overflows to infinity for large arguments, and bytes and booleans as the
    # target have no true gradient.
    reduction = from_legacy(size_average, reduce, reduction)
    check_reduction(reduction)
    if target.requires_grad and here.mode.enabled:
        raise RuntimeError(
            "The function 'soft_margin_loss' is not differentiable with respect to argument "
            "'target'. This input cannot have requires_grad True."
        )
    product = target * input
    if not (-input).dtype.is_floating_point:  # and booleans have no minus
        kind = product.dtype if product.dtype.is_floating_point else get_default_dtype()
        raise RuntimeError(
            f"result type {kind.scalar_type} can't be cast to the desired output type "
            f"{input.dtype.scalar_type}"
        )
    return reduced(-logsigmoid(product).to(input.dtype), reduction)


# -- triplets --------------------------------------------------------------------------------------


def triplet_margin_loss(
    anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, size_average=None,
    reduce=None, reduction="mean",
):  # fmt: skip
    """`max(0, d(anchor, positive) - d(anchor, negative) + margin)`, d the p-norm of differences.

    `swap`: d(positive, negative) counts if it is smaller (Balntas et al. 2016).
    """
    reduction = from_legacy(size_average, reduce, reduction)
    return triplet_margin_with_distance_loss(
        anchor, positive, negative, margin=margin, swap=swap, reduction=reduction,
        distance_function=lambda a, b: pairwise_distance(a, b, p, eps),
    )  # fmt: skip


def triplet_margin_with_distance_loss(
    anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction="mean"
):
    """`triplet_margin_loss` with any distance, a function of two tensors."""
    check_reduction(reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {anchor.ndim}D, positive {positive.ndim}D, and negative "
            f"{negative.ndim}D inputs"
        )
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced((margin + near - far).clamp(min=0), reduction)


# -- several classes -------------------------------------------------------------------------------


def multi_margin_loss(
    input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """sum over i != y of max(0, margin - input[y] + input[i])^p * weight[y], divided by K."""
    reduction = from_legacy(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    _check_labels("multi_margin_loss_cpu_kernel", input, target)
    single, x = input.ndim < 2, input.reshape(-1, input.shape[-1])  # (N, K)
    index = target.reshape(-1, 1)
    if index.shape[0] != x.shape[0]:
        raise RuntimeError(f"inconsistent target size, expected {x.shape[0]} targets")
    over = (margin - x.gather(1, index) + x).relu() ** p
    if weight is not None:
        over = over * weight[index]
    others = np.arange(x.shape[1]) != index._data
    each = where(wrap(others), over, 0.0).sum(1) / x.shape[1]
    return reduced(each.reshape(()) if single and target.ndim == 0 else each, reduction)


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """sum over labels y, other classes i of max(0, 1 - input[y] + input[i]), divided by K.

    A row of `target` (N, K) or (K,) holds the labels, and -1 behind the last.
    """
    reduction = from_legacy(size_average, reduce, reduction)
    if input.shape != target.shape:
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    _check_labels("multilabel_margin_loss_forward_out_frame", input, target)
    x, labels = input.reshape(-1, input.shape[-1]), target._data.reshape(-1, input.shape[-1])
    valid = np.logical_and.accumulate(labels >= 0, 1)
    index = np.where(valid, labels, 0)
    is_label = np.zeros(x.shape, bool)
    np.logical_or.at(is_label, (np.arange(len(labels))[:, None], index), valid)
    chosen = x.gather(1, wrap(index))
    over = (1 - chosen.unsqueeze(2) + x.unsqueeze(1)).relu()  # (N, labels, K)
    counted = wrap(valid[:, :, None] & ~is_label[:, None])
    each = where(counted, over, 0.0).sum((1, 2)) / x.shape[1]
    return reduced(each if input.ndim > 1 else each.reshape(()), reduction)


def _check_labels(kernel, input, target):
    check_kernel(kernel, input._data.dtype)
    if target.dtype is not int64:
        raise RuntimeError(f"expected scalar type Long but found {target.dtype.scalar_type}")


def multilabel_soft_margin_loss(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """The mean over classes of the binary cross-entropies of logits (*, K)."""
    reduction = from_legacy(size_average, reduce, reduction)
    each = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    each = each if weight is None else each * weight
    return reduced(each.sum(-1) / input.shape[-1], reduction)
