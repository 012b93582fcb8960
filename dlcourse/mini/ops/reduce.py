"""Reductions: sum, mean, var, max, ... over all dimensions, one, or several."""

import builtins
import math
from typing import NamedTuple

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._dtype import uint8
from dlcourse.mini.ops.choose import maximum, minimum
from dlcourse.mini.ops.operation import Op, float_array
from dlcourse.mini.ops.shape import wrap_dim

import numpy as np


def axes_of(x, dim):
    """`dim` (None, an int, several) as a sorted tuple of axes; None means all."""
    ndim = x._data.ndim
    if dim is None or (isinstance(dim, tuple | list) and len(dim) == 0):
        return tuple(range(ndim))
    dims = [wrap_dim(d, ndim) for d in (dim if isinstance(dim, tuple | list) else (dim,))]
    if len(set(dims)) != len(dims):
        raise RuntimeError(f"dim {dims[-1]} appears multiple times in the list of dims")
    return tuple(sorted(dims)) if ndim else ()


def restore(x, axes, shape):
    """Give a reduced tensor its dimensions back, as size 1: it broadcasts against `shape` again."""
    kept = tuple(1 if i in axes else s for i, s in enumerate(shape))
    return x if x._data.shape == kept else x.reshape(kept)


class Reduction(Op):
    """The node's name ends in 1 when particular dims were asked for, as in torch."""

    def name(self):
        return f"{type(self).__name__}Backward{int(self.by_dim)}"


class Sum(Reduction):
    @staticmethod
    def forward(ctx, x, axes, keepdim, by_dim):
        ctx.axes, ctx.shape, ctx.by_dim = axes, x._data.shape, by_dim
        dtype = np.int64 if x._data.dtype.kind in "biu" else x._data.dtype
        return wrap(np.asarray(x._data.sum(axes, keepdims=keepdim, dtype=dtype)))

    @staticmethod
    def backward(ctx, grad_output):
        return restore(grad_output, ctx.axes, ctx.shape).expand(ctx.shape), None, None, None


class Mean(Reduction):
    @staticmethod
    def forward(ctx, x, axes, keepdim, by_dim):
        if x._data.dtype.kind != "f":
            raise RuntimeError(
                "mean(): could not infer output dtype. Input dtype must be either a floating point "
                f"or complex dtype. Got: {x.dtype.scalar_type}"
            )
        ctx.axes, ctx.shape, ctx.by_dim = axes, x._data.shape, by_dim
        ctx.count = math.prod([x._data.shape[a] for a in axes])
        total = np.asarray(x._data.sum(axes, keepdims=keepdim))  # no elements: NaN
        return wrap(total / np.asarray(ctx.count, x._data.dtype))

    @staticmethod
    def backward(ctx, grad_output):
        share = restore(grad_output / builtins.max(ctx.count, 1), ctx.axes, ctx.shape)
        return share.expand(ctx.shape), None, None, None


class Amax(Op):
    """The largest value; ties share the gradient evenly."""

    pick = staticmethod(np.max)

    @staticmethod
    def forward(ctx, x, axes, keepdim):
        ctx.axes = axes
        ctx.save_for_backward(x)
        return wrap(np.asarray(ctx.pick(x._data, axis=axes, keepdims=keepdim)))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        winners = x._data == ctx.pick(x._data, axis=ctx.axes, keepdims=True)
        share = winners / winners.sum(ctx.axes, keepdims=True)  # among NaN nobody wins: 0 / 0
        share = wrap(share.astype(x._data.dtype))
        return restore(grad_output, ctx.axes, x._data.shape) * share, None, None


class Amin(Amax):
    """The smallest value; ties share the gradient evenly."""

    pick = staticmethod(np.min)


class Max(Amax):
    """`amax` over everything, under the name that torch gives its node."""

    overload = 1


class Min(Amin):
    """`amin` over everything, under the name that torch gives its node."""

    overload = 1


class MaxDim(Op):
    """The largest value along one dim and where it stands; the gradient goes to that element."""

    pick = staticmethod(np.argmax)

    def name(self):
        return f"{type(self).__name__.removesuffix('Dim')}Backward0"

    @staticmethod
    def forward(ctx, x, dim, keepdim):
        ctx.dim, ctx.shape, ctx.keepdim = dim, x._data.shape, keepdim
        array = np.atleast_1d(x._data)
        index = np.expand_dims(ctx.pick(array, dim), dim)
        values = np.take_along_axis(array, index, dim)
        ctx.save_for_backward(wrap(index))
        if not keepdim or x._data.ndim == 0:
            values, index = values.squeeze(dim), index.squeeze(dim)
        indices = wrap(index)
        ctx.mark_non_differentiable(indices)
        return wrap(values), indices

    @staticmethod
    def backward(ctx, grad_output, _):
        (index,) = ctx.saved_tensors
        if not ctx.shape:
            return grad_output, None, None
        grad = grad_output if ctx.keepdim else grad_output.unsqueeze(ctx.dim)
        zeros = wrap(np.zeros(ctx.shape, grad._data.dtype))
        return zeros.scatter_add(ctx.dim, index, grad), None, None


class MinDim(MaxDim):
    """The smallest value along one dim and where it stands."""

    pick = staticmethod(np.argmin)


class Logsumexp(Op):
    """`m + log(sum(exp(x - m)))` with the maximum m, so that nothing overflows."""

    @staticmethod
    def forward(ctx, x, axes, keepdim):
        ctx.axes, array = axes, float_array(x)
        m = np.asarray(array.max(axes, keepdims=True, initial=-np.inf))
        m[~np.isfinite(m)] = 0
        total = np.log(np.exp(array - m).sum(axes, keepdims=True)) + m
        out = wrap(total if keepdim else np.asarray(total.squeeze(axes)))
        ctx.save_for_backward(x, out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        x, out = ctx.saved_tensors
        grad = restore(grad_output, ctx.axes, x._data.shape)
        return grad * (x - restore(out, ctx.axes, x._data.shape)).exp(), None, None


class StdOf(Op):
    """The square root of a variance; where that is 0 the gradient is 0, as torch has it."""

    @staticmethod
    def forward(ctx, x):
        out = wrap(np.sqrt(x._data))
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors
        return (grad_output / (2 * out)).masked_fill(out == 0, 0.0)


class MaxResult(NamedTuple):
    """What max and min along one dim return."""

    values: Tensor
    indices: Tensor


# -- the functions that users call -----------------------------------------------------------------


def sum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum over `dim` (all dims when None); integers and booleans sum to int64."""
    if dtype is not None:
        input = input.to(dtype)
    return Sum.apply(input, axes_of(input, dim), keepdim, dim is not None)


def mean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean over `dim` (all dims when None) of a floating point tensor."""
    if dtype is not None:
        input = input.to(dtype)
    return Mean.apply(input, axes_of(input, dim), keepdim, dim is not None)


def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The variance, divided by N - correction (1: unbiased).  NaN where N <= correction."""
    # NB: in torch var and std are one node each, VarBackward0 and StdBackward0.
    if input._data.dtype.kind != "f":
        raise RuntimeError("std and var only support floating point and complex dtypes")
    if isinstance(dim, bool):  # var(input, unbiased)
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise TypeError("var() and std() take unbiased or correction, not both")
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    axes = axes_of(input, dim)
    count = math.prod([input._data.shape[a] for a in axes])
    squares = (input - mean(input, axes, keepdim=True)) ** 2 if axes else (input - input) ** 2
    return sum(squares, axes, keepdim) / builtins.max(count - correction, 0)


def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The square root of `var`."""
    spread = var(input, dim, unbiased, keepdim, correction=correction)
    return StdOf.apply(spread)


def amax(input, dim=(), keepdim=False):
    """The largest value over `dim`; ties share the gradient evenly."""
    return Amax.apply(input, _not_empty(input, dim, "amax"), keepdim)


def amin(input, dim=(), keepdim=False):
    """The smallest value over `dim`; ties share the gradient evenly."""
    return Amin.apply(input, _not_empty(input, dim, "amin"), keepdim)


def max(input, dim=None, keepdim=False, *, other=None):
    """The largest value, ties sharing its gradient; with `dim` (values, indices) along it.

    max(input, other) is maximum(input, other).
    """
    other = dim if isinstance(dim, Tensor) else other
    if other is not None:
        return maximum(input, other)
    axes = _not_empty(input, dim, "max")
    if dim is None:
        return Max.apply(input, axes, False)
    return MaxResult(*MaxDim.apply(input, wrap_dim(dim, input._data.ndim), keepdim))


def min(input, dim=None, keepdim=False, *, other=None):
    """The smallest value, ties sharing its gradient; with `dim` (values, indices) along it.

    min(input, other) is minimum(input, other).
    """
    other = dim if isinstance(dim, Tensor) else other
    if other is not None:
        return minimum(input, other)
    axes = _not_empty(input, dim, "min")
    if dim is None:
        return Min.apply(input, axes, False)
    return MaxResult(*MinDim.apply(input, wrap_dim(dim, input._data.ndim), keepdim))


def argmax(input, dim=None, keepdim=False):
    """The index of the (first) largest value, int64; without `dim` in the flattened tensor."""
    return _arg(np.argmax, "argmax", input, dim, keepdim)


def argmin(input, dim=None, keepdim=False):
    """The index of the (first) smallest value, int64; without `dim` in the flattened tensor."""
    return _arg(np.argmin, "argmin", input, dim, keepdim)


def _arg(pick, name, input, dim, keepdim):
    if dim is None and input._data.size == 0:
        raise IndexError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0."
        )
    _not_empty(input, dim, name)
    if input._data.dtype.kind == "b":
        raise RuntimeError(f"{name}(): does not support bool input")
    axis = None if dim is None or input._data.ndim == 0 else wrap_dim(dim, input._data.ndim)
    return wrap(np.asarray(pick(input._data, axis=axis, keepdims=keepdim)))


def logsumexp(input, dim, keepdim=False):
    """`log(sum(exp(input)))` over `dim`, computed without overflow."""
    return Logsumexp.apply(input, axes_of(input, dim), keepdim)


def all(input, dim=None, keepdim=False):
    """Whether every element is true, over `dim` or over everything."""
    return _truth(input, input._data.all(axes_of(input, dim), keepdims=keepdim))


def any(input, dim=None, keepdim=False):
    """Whether some element is true, over `dim` or over everything."""
    return _truth(input, input._data.any(axes_of(input, dim), keepdims=keepdim))


def _truth(input, array):
    """Booleans; of bytes, which were masks once, bytes."""
    return wrap(np.asarray(array, np.uint8 if input.dtype is uint8 else np.bool_))


def _not_empty(x, dim, name):
    """The axes of `dim`; a reduction without a neutral element needs elements along them."""
    axes = axes_of(x, dim)
    if x._data.size == 0 and (dim is None or dim == ()):
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
            "reduction dim with the 'dim' argument."
        )
    for axis in axes:
        if x._data.shape[axis] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {axis} to have non-zero size.")
    return axes
