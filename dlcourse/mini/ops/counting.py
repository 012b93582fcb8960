"""Counting and placing: unique values, histograms, where a value belongs; none has a gradient."""

from typing import NamedTuple

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.operation import check_kernel, promote
from dlcourse.mini.ops.reduce import axes_of

import numpy as np


def count_nonzero(input, dim=None):
    """How many elements are not 0, int64."""
    return wrap(np.asarray((input._data != 0).sum(axes_of(input, dim), dtype=np.int64)))


def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The different elements in order (or slices along `dim`); on request where each went, counts.

    They are sorted in any case.
    """
    out = np.unique(
        input._data, return_inverse=return_inverse, return_counts=return_counts, axis=dim
    )
    if not (return_inverse or return_counts):
        return wrap(out)
    parts = list(out)
    if return_inverse:
        shape = input._data.shape if dim is None else (input._data.shape[dim],)
        parts[1] = np.asarray(parts[1]).reshape(shape).astype(np.int64)
    return tuple(wrap(np.asarray(p)) for p in parts)


def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """Without the elements (or slices along `dim`) that equal the one before them."""
    array = input._data.reshape(-1) if dim is None else np.moveaxis(input._data, dim, 0)
    new = np.ones(len(array), bool)
    other = array[1:] != array[:-1]
    new[1:] = other.any(tuple(range(1, other.ndim)))
    values = array[new] if dim is None else np.moveaxis(array[new], 0, dim)
    out = [wrap(values)]
    if return_inverse:
        shape = input._data.shape if dim is None else new.shape
        out.append(wrap((np.cumsum(new) - 1).reshape(shape)))
    if return_counts:
        starts = np.append(np.flatnonzero(new), len(array))
        out.append(wrap(np.diff(starts)))
    return out[0] if len(out) == 1 else tuple(out)


def bincount(input, weights=None, minlength=0):
    """How often each of 0, 1, 2, ... occurs in a vector, or the sum of its weights."""
    array = input._data
    if array.dtype.kind == "f":
        kind = input.dtype.scalar_type
        raise NotImplementedError(f"\"bincount_cpu\" not implemented for '{kind}'")
    if array.ndim != 1 or (array.size and array.min() < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is None:
        return wrap(np.bincount(array, minlength=minlength))
    if weights._data.shape != array.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    out = np.bincount(array, weights._data, minlength)
    return wrap(out.astype(weights._data.dtype if weights._data.dtype.kind == "f" else np.float64))


def histc(input, bins=100, min=0, max=0):
    """How many elements lie in each of `bins` equal parts of [min, max].

    min = max = 0 stands for the smallest and the largest element.
    """
    if bins <= 0:
        raise RuntimeError("bins must be > 0")
    if max < min:
        raise RuntimeError("max must be larger than min")
    array = input._data
    check_kernel("linspace_cpu", array.dtype, "iuf")
    check_kernel("histogram_cpu", array.dtype)
    if min == max and array.size:
        min, max = array.min(), array.max()
    if min == max:
        min, max = min - 1, max + 1
    counts, _ = np.histogram(array, bins, (float(min), float(max)))
    return wrap(counts.astype(array.dtype))


class HistogramResult(NamedTuple):
    """How many elements lie in each part, and the edges of the parts."""

    hist: Tensor
    bin_edges: Tensor


def histogram(input, bins=100, *, range=None, weight=None, density=False):
    """(hist, bin_edges): how many elements lie between the edges, or their summed weight.

    `bins` is the edges, or a number of equal parts of `range` (without one of all elements);
    `density`: as a share of all per unit of length.
    """
    check_kernel("histogramdd", input._data.dtype)
    if isinstance(bins, Tensor) and bins.dtype is not input.dtype:
        raise RuntimeError(
            "torch.histogramdd: input tensor and bins tensors should have the same dtype, but got "
            f"input with dtype {input.dtype.c_type} and bins for dimension 0 with dtype "
            f"{bins.dtype.c_type}"
        )
    array = input._data.ravel()
    edges = bins._data if isinstance(bins, Tensor) else bins
    if isinstance(edges, int) and range is None:
        range = (array.min(), array.max()) if array.size else (0.0, 0.0)
        range = range if range[0] < range[1] else (range[0] - 0.5, range[1] + 0.5)
    weights = None if weight is None else weight._data.ravel()
    hist, edges = np.histogram(array, edges, range, density, weights)
    return HistogramResult(*(wrap(part.astype(array.dtype)) for part in (hist, edges)))


def bucketize(input, boundaries, *, out_int32=False, right=False):
    """The index of the bucket between sorted `boundaries` in which each element lies."""
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None):
    """Where in the last dimension of `sorted_sequence` each element belongs, to keep the order.

    `right`: after those that are equal, else before them.
    """
    if side not in (None, "left", "right"):
        raise RuntimeError(
            "torch.searchsorted(): side can only be 'left' or 'right' but got " + str(side)
        )
    side = side or ("right" if right else "left")
    edges, values = sorted_sequence._data, input._data if isinstance(input, Tensor) else input
    values = np.asarray(values)
    check_kernel("searchsorted_out_cpu", promote(edges.dtype, values.dtype), "iuf")
    if edges.ndim == 1:
        out = np.searchsorted(edges, values, side)
    else:
        if edges.shape[:-1] != values.shape[:-1]:
            raise RuntimeError(
                "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
                "dimensions of boundaries tensor and input value tensor must match, but we got "
                f"boundaries tensor {list(edges.shape)} and input value tensor {list(values.shape)}"
            )
        rows = zip(
            edges.reshape(-1, edges.shape[-1]), values.reshape(-1, values.shape[-1]), strict=True
        )
        out = np.array([np.searchsorted(e, v, side) for e, v in rows]).reshape(values.shape)
    return wrap(np.asarray(out, np.intc if out_int32 else np.int64))
