"""Order: sort, topk, kthvalue; where what is not zero stands.

The indices carry no gradient; the values are gathered by them, and differentiate so.
"""

from typing import NamedTuple

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.operation import Op, check_kernel
from dlcourse.mini.ops.shape import wrap_dim

import numpy as np


class Picked(Op):
    """The elements that `index` (an array) names along `dim`, and the indices."""

    node = "SortBackward0"

    def name(self):
        return self.node

    @staticmethod
    def forward(ctx, x, dim, index):
        ctx.dim, ctx.index, ctx.shape = dim, index, x._data.shape
        indices = wrap(index)
        ctx.mark_non_differentiable(indices)
        return wrap(np.take_along_axis(x._data, index, dim)), indices

    @staticmethod
    def backward(ctx, grad_output, _):
        zeros = wrap(np.zeros(ctx.shape, grad_output._data.dtype))
        return zeros.scatter_add(ctx.dim, wrap(ctx.index), grad_output), None, None


class PickedTop(Picked):
    """Those of topk."""

    node = "TopkBackward0"


class SortResult(NamedTuple):
    """What sort and topk and kthvalue return."""

    values: Tensor
    indices: Tensor


def order(array, dim, descending=False):
    """The indices that sort along `dim`: equals in their order, NaN the largest of all."""
    if not descending:
        return np.argsort(array, dim, kind="stable")
    back = np.argsort(np.flip(array, dim), dim, kind="stable")
    return array.shape[dim] - 1 - np.flip(back, dim)


def picked(function, input, dim, index):
    """(values, indices); a 0-d tensor counts as one element."""
    if input._data.ndim == 0:
        values, indices = function.apply(input.reshape(1), 0, index)
        return SortResult(values.reshape(()), indices.reshape(()))
    return SortResult(*function.apply(input, dim, index))


# -- the functions that users call -----------------------------------------------------------------


def sort(input, dim=-1, descending=False, stable=False):
    """(values, indices) in ascending order along `dim`; always stable, which torch is if asked."""
    if isinstance(dim, bool):
        dim, descending = -1, dim
    dim = wrap_dim(dim, input._data.ndim)
    return picked(Picked, input, dim, order(np.atleast_1d(input._data), dim, descending))


def argsort(input, dim=-1, descending=False, stable=False):
    """The indices that sort `input` along `dim`."""
    return sort(input.detach(), dim, descending, stable).indices


def msort(input):
    """The values in ascending order along the first dimension."""
    return sort(input, 0).values


def topk(input, k, dim=-1, largest=True, sorted=True):
    """(values, indices) of the k largest (or smallest) along `dim`, in order."""
    dim, array = wrap_dim(dim, input._data.ndim), np.atleast_1d(input._data)
    if not 0 <= k <= array.shape[dim]:
        raise RuntimeError("selected index k out of range")
    if array.dtype.kind == "b":
        raise RuntimeError("topk does not support bool dtypes on CPU")
    index = np.take(order(array, dim, largest), np.arange(k), dim)
    return picked(PickedTop, input, dim, index)


def kthvalue(input, k, dim=-1, keepdim=False):
    """(values, indices) of the k-th smallest along `dim`; k counts from 1."""
    dim, array = wrap_dim(dim, input._data.ndim), np.atleast_1d(input._data)
    if not 1 <= k <= array.shape[dim]:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}")
    check_kernel("kthvalue_cpu", array.dtype, "iuf")
    found = picked(Picked, input, dim, np.take(order(array, dim), [k - 1], dim))
    if keepdim or input._data.ndim == 0:
        return found
    return SortResult(*(t.squeeze(dim) for t in found))


def nonzero(input, *, as_tuple=False):
    """The indices of what is not 0, one row each; as a tuple one vector for each dimension."""
    places = np.nonzero(np.atleast_1d(input._data))
    if as_tuple:
        return tuple(wrap(p) for p in places)
    return wrap(np.stack(places, 1)[:, : input._data.ndim])


def argwhere(input):
    """The indices of what is not 0, one row each."""
    return nonzero(input)
