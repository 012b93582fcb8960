"""Writing at indices: scatter, index_add, index_copy, index_put, masked_scatter; take."""

import math

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.creation import fitting
from dlcourse.mini.ops.index import (
    Gather,
    GetItem,
    PutItem,
    ScatterAdd,
    SetItem,
    along,
    check_index,
    check_scattered,
    check_written,
    gather,
    plain,
)
from dlcourse.mini.ops.operation import Op
from dlcourse.mini.ops.pieces import broadcast_tensors
from dlcourse.mini.ops.shape import expand, wrap_dim

import numpy as np


class Scatter(Op):
    """x with src[i, j] written at [index[i, j], j] for dim 0; `index` is an array."""

    @staticmethod
    def forward(ctx, x, dim, index, src):
        ctx.dim, ctx.index, ctx.shape = dim, index, src._data.shape
        out = x._data.copy()
        out[along(index, dim, out)] = src._data[tuple(slice(n) for n in index.shape)]
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        zeros = wrap(np.zeros(ctx.index.shape, grad_output._data.dtype))
        grad = Scatter.apply(grad_output, ctx.dim, ctx.index, zeros)
        grad_src = None
        if ctx.needs_input_grad[3]:
            grad_src = Gather.apply(grad_output, ctx.dim, ctx.index)
            if ctx.shape != ctx.index.shape:  # what lies beyond the index was not used
                corner = tuple(slice(n) for n in ctx.index.shape)
                grad_src = PutItem.apply(grad_src, corner, ctx.shape, True)
        return grad, None, None, grad_src


class ScatterReduce(Op):
    """Scatter with amax, amin or prod of what falls on one place; see `scatter_reduce`."""

    @staticmethod
    def forward(ctx, x, dim, index, src, ufunc):
        ctx.dim, ctx.index, ctx.ufunc = dim, index, ufunc
        out = x._data.copy()
        ufunc.at(out, along(index, dim, out), src._data)
        result = wrap(out)
        ctx.save_for_backward(x, src, result)
        return result

    @staticmethod
    def backward(ctx, grad_output):
        x, src, out = ctx.saved_tensors
        if ctx.ufunc is np.multiply:
            raise RuntimeError("derivative for aten::scatter is not implemented")
        here = (x == out).to(out.dtype)  # ties share the gradient evenly
        there = (src == Gather.apply(out, ctx.dim, ctx.index)).to(out.dtype)
        share = grad_output / ScatterAdd.apply(here, ctx.dim, ctx.index, there)
        return share * here, None, None, Gather.apply(share, ctx.dim, ctx.index) * there, None


class ScatterProduct(ScatterReduce):
    """Scatter with prod: each factor's slope is the product of the others."""

    def name(self):
        return "ScatterReduceBackward0"

    @staticmethod
    def backward(ctx, grad_output):
        x, src, out = ctx.saved_tensors

        def product(x, src):
            return ScatterProduct.apply(x, ctx.dim, ctx.index, src, np.multiply)

        def gathered(at):
            return Gather.apply(at, ctx.dim, ctx.index)

        nothing, none = x == 0, src == 0
        grad_x = grad_output * product(x.masked_fill(nothing, 1), src) / x.masked_fill(nothing, 1)
        zeros = ScatterAdd.apply((x * 0).detach(), ctx.dim, ctx.index, none.to(x.dtype))
        alone = (none & (gathered(zeros) == 1)).to(x.dtype)  # divided out, it would be 0 / 0
        rest = gathered(grad_output * product(x, src.masked_fill(alone == 1, 1)))
        usual = gathered(grad_output * out) / src.masked_fill(none, 1)
        return grad_x, None, None, alone * rest + (1 - alone) * usual, None


REDUCTIONS = {"prod": (np.multiply, 1), "amax": (np.maximum, -math.inf),
              "amin": (np.minimum, math.inf)}  # fmt: skip


# -- the functions that users call -----------------------------------------------------------------


def scatter(input, dim, index, src=None, *, value=None, reduce=None):
    """`input` with src[i][j] (or a number) written at [index[i][j]][j] for dim 0."""
    src = value if src is None else src
    if src is None:
        raise TypeError("scatter() wants a tensor src or a number value")
    if reduce not in (None, "add", "multiply"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    if not isinstance(src, Tensor):
        src = wrap(fitting(src, input._data.dtype)).expand(index._data.shape)
    check_scattered(input, index, src)
    dim, index, input, shape = _as_one(input, dim, index)
    src = src.reshape(1) if src._data.ndim == 0 else src
    _check_sizes(input, dim, index, src)
    if reduce == "add":
        out = ScatterAdd.apply(input, dim, index, src)
    elif reduce == "multiply":
        out = ScatterReduce.apply(input, dim, index, src, np.multiply)
    else:
        out = Scatter.apply(input, dim, index, src)
    return out if shape else out.reshape(())


def _as_one(input, dim, index):
    """A 0-d tensor and its index as vectors of one element; the index copied."""
    shape = input._data.shape
    dim = wrap_dim(dim, len(shape))
    index = index._data.copy()
    return (
        dim,
        index if shape else np.atleast_1d(index),
        input if shape else input.reshape(1),
        shape,
    )


def _check_sizes(input, dim, index, src):
    """The index must not reach beyond `src`."""
    if any(n > m for n, m in zip(index.shape, src._data.shape, strict=False)):
        raise RuntimeError(
            f"Expected index {list(index.shape)} to be no larger than self {list(input.shape)} "
            f"apart from dimension {dim} and to be no larger size than src {list(src.shape)}"
        )


def scatter_reduce(input, dim, index, src, reduce, *, include_self=True):
    """`input` with the sum, prod, mean, amax or amin of what falls on one place."""
    if reduce not in ("sum", "mean", *REDUCTIONS):
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )
    check_scattered(input, index, src)
    dim, index, input, shape = _as_one(input, dim, index)
    src = (src if shape else src.reshape(1))[tuple(slice(n) for n in index.shape)]
    hit = np.zeros(input._data.shape, bool)
    hit[along(index, dim, hit)] = True
    if not include_self:
        neutral = 0 if reduce in ("sum", "mean") else REDUCTIONS[reduce][1]
        input = input.masked_fill(wrap(hit), neutral)
    if reduce in REDUCTIONS:
        operation = ScatterProduct if reduce == "prod" else ScatterReduce
        out = operation.apply(input, dim, index, src, REDUCTIONS[reduce][0])
    else:
        out = ScatterAdd.apply(input, dim, index, src)
    if reduce == "mean":
        count = np.ones(hit.shape) if include_self else (~hit).astype(float)
        np.add.at(count, along(index, dim, count), 1)
        out = out / wrap(count.astype(out._data.dtype))
    return out if shape else out.reshape(())


def _slices(input, dim, index):
    """The index of the slices along `dim` that a vector names."""
    if index._data.ndim > 1:
        raise IndexError("Index is supposed to be a vector")
    if index._data.dtype.kind not in "iu":
        raise RuntimeError("Expected dtype int32/int64 for index")
    return (*(slice(None),) * wrap_dim(dim, input._data.ndim), np.atleast_1d(index._data.copy()))


def index_add(input, dim, index, source, *, alpha=1):
    """`input` with `alpha` times the slices of `source` added to its slices `index`."""
    kind = index.dtype.scalar_type
    check_index("index_add_", index, f"Expected dtype int32/int64 for index but got: {kind}")
    place = _slices(input, dim, index)
    if source.dtype is not input.dtype:
        raise RuntimeError(
            f"index_add_(): self ({input.dtype.scalar_type}) and source "
            f"({source.dtype.scalar_type}) must have the same scalar type"
        )
    source = source if alpha == 1 else source * alpha
    return input + PutItem.apply(source, place, input._data.shape, False)


def index_copy(input, dim, index, source):
    """`input` with the slices of `source` in the place of its slices `index`."""
    _check_long("index_copy_", index)
    if source.dtype is not input.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{input.dtype.scalar_type} and (source) {source.dtype.scalar_type}"
        )
    place = _slices(input, dim, index)
    if source._data.shape != input._data[place].shape:
        raise IndexError(
            f"index_copy_(): Number of indices ({place[-1].size}) should be equal to the size of "
            f"source, which is {list(source.shape)}, along dim"
        )
    return SetItem.apply(input, place, source)


def index_fill(input, dim, index, value):
    """`input` with a number in its slices `index`."""
    value = value if isinstance(value, Tensor) else wrap(fitting(value, input._data.dtype))
    place = _slices(input, dim, index)
    shape = input._data[place].shape
    return SetItem.apply(input, place, expand(value.to(input.dtype), shape))


def index_put(input, indices, values, accumulate=False):
    """`input` with `values` at the indices (a tuple of tensors), written or added."""
    place = plain(tuple(slice(None) if i is None else i for i in indices))
    check_written(input, place, values)
    values = expand(values, input._data[place].shape)
    if accumulate:
        return input + PutItem.apply(values, place, input._data.shape, False)
    return SetItem.apply(input, place, values)


def put(input, index, source, accumulate=False):
    """`input` with `source` at the places that `index` names as if all were flattened."""
    _check_long("put_", index)
    if source.dtype is not input.dtype:
        raise RuntimeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{input.dtype.scalar_type} and source.dtype = {source.dtype.scalar_type}"
        )
    flat = index_put(input.reshape(-1), (index.reshape(-1),), source.reshape(-1), accumulate)
    return flat.reshape(input._data.shape)


def _check_long(function, index):
    if index._data.dtype != np.int64:
        kind = index.dtype.scalar_type
        raise RuntimeError(f"{function}(): Expected a long tensor for index, but got {kind}")


def take(input, index):
    """The elements that `index` names as if `input` were flattened, in the shape of `index`."""
    if index._data.dtype != np.int64:
        raise RuntimeError("take(): Expected a long tensor for index, but got " + index.dtype.name)
    place = index._data.copy()
    size = input._data.size
    if place.size and (place.min() < -size or place.max() >= size):
        raise IndexError("out of range: tried to access an index that the tensor does not have")
    return GetItem.apply(input.reshape(-1), place)


def take_along_dim(input, indices, dim=None):
    """`gather` that broadcasts; without `dim` over the flattened tensor."""
    if indices._data.dtype != np.int64:
        raise RuntimeError("take_along_dim(): dtype of indices should be Long but got "
                           f"{indices.dtype.scalar_type}")  # fmt: skip
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1))
    if input._data.ndim != indices._data.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {input._data.ndim} dimensions for input, and {indices._data.ndim} dimensions "
            "for indices"
        )
    dim = wrap_dim(dim, input._data.ndim)
    a, b = list(input._data.shape), list(indices._data.shape)
    full = [max(n, m) if n and m else 0 for n, m in zip(a, b, strict=True)]
    input = expand(input, [*full[:dim], a[dim], *full[dim + 1 :]])
    return gather(input, dim, expand(indices, [*full[:dim], b[dim], *full[dim + 1 :]]))


def masked_select(input, mask):
    """The elements where `mask` is true, as a vector; both broadcast."""
    _require_mask("masked_select", mask)
    input, mask = broadcast_tensors(input, mask)
    return GetItem.apply(input, mask._data.copy())


def masked_scatter(input, mask, source):
    """`input` with the elements of `source`, in order, where `mask` is true."""
    _require_mask("masked_scatter", mask)
    if source.dtype is not input.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got"
            f"{input.dtype.scalar_type} and {source.dtype.scalar_type}"
        )
    input, mask = broadcast_tensors(input, mask)
    count = int(mask._data.sum())
    if count > source._data.size:
        raise RuntimeError("masked_scatter: expected self and source to have same dtypes but got "
                           "too few elements in source")  # fmt: skip
    return SetItem.apply(input, mask._data.copy(), source.reshape(-1)[:count])


def _require_mask(name, mask):
    if mask._data.dtype.kind != "b":
        raise RuntimeError(f"{name}: expected BoolTensor for mask")
