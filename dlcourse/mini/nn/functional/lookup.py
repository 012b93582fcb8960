"""Rows of a table by their number, and numbers as rows."""

from dlcourse.mini._core import wrap
from dlcourse.mini._grad_mode import no_grad
from dlcourse.mini.ops.creation import one_hot
from dlcourse.mini.ops.inplace import note_write
from dlcourse.mini.ops.lookup import AddRows, Embedding
from dlcourse.mini.ops.shape import stack

import numpy as np

__all__ = ["embedding", "embedding_bag", "one_hot"]


def embedding(
    input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False,
    sparse=False,
):  # fmt: skip
    """weight[input]: numbers (*) and a table (rows, D) give (*, D).

    Row `padding_idx` gets no gradient; rows longer than `max_norm` are shortened in the table,
    first; `scale_grad_by_freq` divides a row's gradient by how often it was taken.
    """
    if weight.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    _no_sparse(sparse)
    index = _numbers(input, weight, "embedding")
    padding_idx = _padding(padding_idx, weight)
    if max_norm is not None:
        _shorten(weight, index, max_norm, norm_type)
    share = _share(index, padding_idx, scale_grad_by_freq, weight.dtype.numpy)
    return Embedding.apply(weight, index, share)


def embedding_bag(
    input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False, mode="mean",
    sparse=False, per_sample_weights=None, include_last_offset=False, padding_idx=None,
):  # fmt: skip
    """The sum, mean or maximum of the rows of each bag: (B, L), or (N,) with `offsets` (B,).

    `offsets` says where each bag starts, and with `include_last_offset` also where the last one
    ends.  `per_sample_weights` (with "sum") multiply the rows; `padding_idx` counts for nothing.
    """
    _no_sparse(sparse)
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}'). Please open a feature request on GitHub."
        )
    if scale_grad_by_freq:
        raise NotImplementedError("mini's embedding_bag has no scale_grad_by_freq; embedding has")
    ends = _bag_ends(input, offsets, include_last_offset)
    index = _numbers(input.reshape(-1), weight, "embedding_bag")
    padding_idx = _padding(padding_idx, weight)
    if max_norm is not None:
        _shorten(weight, index, max_norm, norm_type)
    bag = np.repeat(np.arange(len(ends) - 1), np.diff(ends).astype(np.intp))
    kept = np.ones(index.shape, bool) if padding_idx is None else index != padding_idx
    index, bag = index[kept], bag[kept]
    rows = Embedding.apply(weight, index, None)  # (N, D)
    if per_sample_weights is not None:
        if per_sample_weights.shape != input.shape:
            raise ValueError(
                "embedding_bag: If per_sample_weights "
                f"({list(per_sample_weights.shape)}) is not None, it must have the same shape as "
                f"the input ({list(input.shape)})"
            )
        rows = rows * per_sample_weights.reshape(-1)[wrap(kept)].unsqueeze(1)
    if mode == "max":
        return _bag_max(rows, bag, len(ends) - 1)
    total = AddRows.apply(rows, bag, len(ends) - 1)  # (B, D)
    if mode == "sum":
        return total
    counts = np.maximum(np.bincount(bag, minlength=len(ends) - 1), 1)
    return total / wrap(counts.astype(weight.dtype.numpy)[:, None])


def _bag_ends(input, offsets, include_last_offset):
    """Where the bags begin, and where the last one ends."""
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                "of fixed length sequences. However, found offsets of type "
                f"{type(offsets)}"
            )
        return np.arange(input.shape[0] + 1) * input.shape[1]
    if input.ndim != 1:
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}"
        )
    if offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    if offsets.ndim != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    starts = offsets._data
    if starts.size and starts[0] != 0:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
            f"position 0. However, got {starts[0]}"
        )
    if not include_last_offset:
        return np.append(starts, input.shape[0])
    if starts[-1] != input.shape[0]:
        raise ValueError(f"the last offset must be {input.shape[0]}, where the last bag ends")
    return starts


def _bag_max(rows, bag, count):
    empty = wrap(np.zeros(rows.shape[1], rows.dtype.numpy))
    bags = [rows[wrap(np.flatnonzero(bag == i))] for i in range(count)]
    return stack([b.max(0)[0] if b.shape[0] else empty for b in bags])


def _numbers(input, weight, name):
    if input.dtype.name not in ("int64", "int32"):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got mini.{input.dtype.scalar_type}Tensor instead (while checking "
            f"arguments for {name})"
        )
    index = input._data
    if index.size and (index.min() < 0 or index.max() >= weight.shape[0]):
        raise IndexError("index out of range in self")
    return index.astype(np.intp)  # a copy, for the backward pass needs today's numbers


def _padding(padding_idx, weight):
    if padding_idx is None:
        return None
    rows = weight.shape[0]
    if not -rows <= padding_idx < rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    return padding_idx % rows


def _share(index, padding_idx, by_frequency, dtype):
    """How much of the gradient each place hands on; None: all of it."""
    if padding_idx is None and not by_frequency:
        return None
    # NB: in torch the second derivative forgets scale_grad_by_freq.
    share = np.ones(index.shape, dtype)
    if by_frequency:
        _, where, counts = np.unique(index, return_inverse=True, return_counts=True)
        share /= counts[where].reshape(index.shape)
    if padding_idx is not None:
        share[index == padding_idx] = 0
    return share


@no_grad()
def _shorten(weight, index, max_norm, norm_type):
    """Scale the rows in use that are longer than max_norm, in the table."""
    used = np.unique(index)
    norms = np.linalg.norm(weight._data[used], norm_type, axis=1, keepdims=True)
    weight._data[used] *= np.where(norms > max_norm, max_norm / (norms + 1e-7), 1)
    note_write(weight)


def _no_sparse(sparse):
    if sparse:
        raise NotImplementedError("mini has no sparse gradients: leave out sparse=True")
