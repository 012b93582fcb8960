"""The loss of sequences whose alignment is unknown."""

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.nn.functional.reduction import reduced
from dlcourse.mini.ops.ctc import CtcLoss

import numpy as np

__all__ = ["ctc_loss"]


def ctc_loss(
    log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean",
    zero_infinity=False,
):  # fmt: skip
    """-log P(targets), summed over all alignments, of log-probabilities (T, N, C) or (T, C).

    `targets` (N, S), or (sum of target_lengths,) one after another; `blank` is the class of "no
    label".  The mean divides each loss by its target's length first; `zero_infinity` lets targets
    that cannot be aligned count 0.
    """
    if log_probs.ndim == 2:
        lengths = [_lengths(v).reshape(1) for v in (input_lengths, target_lengths)]
        out = ctc_loss(
            log_probs.unsqueeze(1), targets.reshape(1, -1), *lengths, blank, "none", zero_infinity
        )
        size = max(int(lengths[1][0]), 1)
        return reduced(out / size if reduction == "mean" else out.reshape(()), reduction)
    steps, sizes = _lengths(input_lengths), _lengths(target_lengths)
    _check(log_probs, targets, steps, sizes, blank)
    labels = _padded(targets._data, sizes)
    each = CtcLoss.apply(log_probs, labels, steps, sizes, blank, zero_infinity)
    if reduction == "mean":
        each = each / wrap(np.maximum(sizes, 1).astype(each.dtype.numpy))
    return reduced(each, reduction)


def _lengths(value):
    array = value._data if isinstance(value, Tensor) else np.asarray(value)
    if array.dtype.kind not in "iu":
        raise RuntimeError("input_lengths and target_lengths must be integers")
    return array.astype(np.intp)


def _check(log_probs, targets, steps, sizes, blank):
    length, count, classes = log_probs.shape
    if targets.dtype.is_floating_point:
        raise RuntimeError(f"ctc_loss expects integer targets, got {targets.dtype}")
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    for name, lengths in (("input_lengths", steps), ("target_lengths", sizes)):
        if lengths.shape != (count,):
            raise RuntimeError(f"{name} must be of size batch_size")
        if lengths.size and lengths.min() < 0:
            raise RuntimeError(f"{name} must not be negative")
    if steps.size and steps.max() > length:
        raise RuntimeError(
            f"Expected input_lengths to have value at most {length}, but got value {steps.max()}"
        )
    width = targets.shape[1] if targets.ndim == 2 else None
    if width is None and targets.numel() != sizes.sum():
        raise RuntimeError(
            f"Expected tensor to have size {sizes.sum()} at dimension 0, but got size "
            f"{targets.numel()} for argument #2 'targets' (while checking arguments for "
            "ctc_loss_cpu)"
        )
    if width is not None and sizes.size and sizes.max() > width:
        raise RuntimeError(f"targets have {width} labels, but target_lengths says {sizes.max()}")


def _padded(targets, sizes):
    """The labels (N, S), whichever way they came."""
    if targets.ndim == 2:
        return targets[:, : sizes.max(initial=0)]
    out = np.zeros((len(sizes), sizes.max(initial=0)), targets.dtype)
    out[np.arange(out.shape[1]) < sizes[:, None]] = targets
    return out
