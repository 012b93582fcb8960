"""Reductions: sum, mean, var, max, ... over all dimensions, one, or several."""

import numpy as np

from dlcourse.mini._core import Tensor
from dlcourse.mini.ops.pointwise import Op, float_array, where
from dlcourse.mini.ops.shape import wrap_dim


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
    """Give a reduced tensor its dimensions back, as size 1, so that it broadcasts against `shape` again."""
    kept = tuple(1 if i in axes else s for i, s in enumerate(shape))
    return x if x._data.shape == kept else x.reshape(kept)


class Reduction(Op):
    """A reduction's node carries overload 1 when it was asked for particular dims, as in torch."""

    def name(self):
        return f"{type(self).__name__}Backward{int(self.by_dim)}"


class Sum(Reduction):
    @staticmethod
    def forward(ctx, x, axes, keepdim, by_dim):
        ctx.axes, ctx.shape, ctx.by_dim = axes, x._data.shape, by_dim
        dtype = np.int64 if x._data.dtype.kind in "biu" else x._data.dtype
        return Tensor(np.asarray(x._data.sum(axes, keepdims=keepdim, dtype=dtype)))

    @staticmethod
    def backward(ctx, grad_output):
        return restore(grad_output, ctx.axes, ctx.shape).expand(ctx.shape), None, None, None


class Mean(Reduction):
    @staticmethod
    def forward(ctx, x, axes, keepdim, by_dim):
        if x._data.dtype.kind != "f":
            raise RuntimeError(
                "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
                f"Got: {x.dtype}"
            )
        ctx.axes, ctx.shape, ctx.by_dim = axes, x._data.shape, by_dim
        ctx.count = int(np.prod([x._data.shape[a] for a in axes]))
        with np.errstate(invalid="ignore", divide="ignore"):
            total = np.asarray(x._data.sum(axes, keepdims=keepdim))
            return Tensor(
                total / np.asarray(ctx.count, x._data.dtype)
            )  # NaN for no elements, as in torch

    @staticmethod
    def backward(ctx, grad_output):
        return (
            restore(grad_output / ctx.count, ctx.axes, ctx.shape).expand(ctx.shape),
            None,
            None,
            None,
        )


class Amax(Op):
    """The largest value; ties share the gradient evenly."""

    @staticmethod
    def forward(ctx, x, axes, keepdim):
        ctx.axes = axes
        kept = np.asarray(x._data.max(axes, keepdims=True))
        ctx.save_for_backward(x)
        return Tensor(kept if keepdim else np.asarray(kept.squeeze(axes)))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        winners = x._data == x._data.max(ctx.axes, keepdims=True)
        share = Tensor((winners / winners.sum(ctx.axes, keepdims=True)).astype(x._data.dtype))
        return restore(grad_output, ctx.axes, x._data.shape) * share, None, None


class MaxDim(Op):
    """The largest value along one dim and where it stands; the gradient goes to that one element."""

    def name(self):
        return "MaxBackward0"

    @staticmethod
    def forward(ctx, x, dim, keepdim):
        ctx.dim, ctx.shape, ctx.keepdim = dim, x._data.shape, keepdim
        index = (
            np.expand_dims(np.asarray(x._data.argmax(dim)), dim)
            if x._data.ndim
            else np.zeros((), np.int64)
        )
        values = np.take_along_axis(x._data, index, dim) if x._data.ndim else x._data.copy()
        indices = Tensor(index)
        ctx.save_for_backward(Tensor(index))
        if not keepdim and x._data.ndim:
            values, indices = values.squeeze(dim), Tensor(index.squeeze(dim))
        ctx.mark_non_differentiable(indices)
        return Tensor(np.asarray(values)), indices

    @staticmethod
    def backward(ctx, grad_output, _):
        (index,) = ctx.saved_tensors
        if not ctx.shape:
            return grad_output, None, None
        grad = grad_output if ctx.keepdim else grad_output.unsqueeze(ctx.dim)
        return (
            Tensor(np.zeros(ctx.shape, grad._data.dtype)).scatter_add(ctx.dim, index, grad),
            None,
            None,
        )


# -- the functions that users call -----------------------------------------------------------------------------


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


def var(input, dim=None, *, correction=1, keepdim=False, unbiased=None):
    """The variance, divided by N - correction (1: unbiased).  NaN where N <= correction, as in torch."""
    if unbiased is not None:
        correction = int(unbiased)
    axes = axes_of(input, dim)
    count = int(np.prod([input._data.shape[a] for a in axes]))
    squares = (input - mean(input, axes, keepdim=True)) ** 2 if axes else (input - input) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return sum(squares, axes, keepdim) / np.maximum(count - correction, 0)


def std(input, dim=None, *, correction=1, keepdim=False, unbiased=None):
    """The square root of `var`."""
    return var(input, dim, correction=correction, keepdim=keepdim, unbiased=unbiased).sqrt()


def amax(input, dim=(), keepdim=False):
    """The largest value over `dim`; ties share the gradient evenly."""
    _not_empty(input, "amax", dim)
    return Amax.apply(input, axes_of(input, dim), keepdim)


def amin(input, dim=(), keepdim=False):
    """The smallest value over `dim`; ties share the gradient evenly."""
    _not_empty(input, "amin", dim)
    return -Amax.apply(-input, axes_of(input, dim), keepdim)


def max(input, dim=None, keepdim=False):
    """max(input): the largest value, ties sharing its gradient.  max(input, dim): (values, indices)."""
    if isinstance(dim, Tensor):
        return input.maximum(dim)
    if dim is None:
        _not_empty(input, "max", dim)
        return Amax.apply(input, axes_of(input, None), False)
    return MaxResult(*MaxDim.apply(input, wrap_dim(dim, input._data.ndim), keepdim))


def min(input, dim=None, keepdim=False):
    """min(input): the smallest value, ties sharing its gradient.  min(input, dim): (values, indices)."""
    if isinstance(dim, Tensor):
        return -((-input).maximum(-dim))
    if dim is None:
        _not_empty(input, "min", dim)
        return -Amax.apply(-input, axes_of(input, None), False)
    values, indices = MaxDim.apply(-input, wrap_dim(dim, input._data.ndim), keepdim)
    return MaxResult(-values, indices)


class MaxResult(tuple):
    """(values, indices), with those names."""

    __slots__ = ()

    def __new__(cls, values, indices):
        return tuple.__new__(cls, (values, indices))

    values = property(lambda self: self[0])
    indices = property(lambda self: self[1])


def argmax(input, dim=None, keepdim=False):
    """The index of the (first) largest value, int64."""
    _not_empty(input, "argmax", dim)
    if dim is None:
        return Tensor(np.asarray(input._data.argmax()))
    dim = wrap_dim(dim, input._data.ndim)
    index = np.asarray(input._data.argmax(dim if input._data.ndim else None))
    return Tensor(np.expand_dims(index, dim) if keepdim and input._data.ndim else index)


def argmin(input, dim=None, keepdim=False):
    """The index of the (first) smallest value, int64."""
    return argmax(Tensor(-input._data), dim, keepdim)


def logsumexp(input, dim, keepdim=False):
    """log(sum(exp(x))), computed without overflow as m + log(sum(exp(x - m)))."""
    axes = axes_of(input, dim)
    m = Tensor(
        np.asarray(float_array(input).max(axes, keepdims=True))
    )  # a constant: its gradient cancels
    m = where(Tensor(np.isfinite(m._data)), m, 0.0)
    out = sum((input - m).exp(), axes, keepdim=True).log() + m
    return out if keepdim else out.squeeze(axes)


def all(input):
    """Whether every element is true."""
    return Tensor(np.asarray(input._data.all()))


def any(input):
    """Whether some element is true."""
    return Tensor(np.asarray(input._data.any()))


def _not_empty(x, name, dim):
    if x._data.size == 0 and (dim is None or dim == ()):
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument."
        )
