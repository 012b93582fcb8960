"""Running sums, products and extremes along one dimension, and the product over it."""

from typing import NamedTuple

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.operation import Op, float_array
from dlcourse.mini.ops.shape import cat, wrap_dim

import numpy as np


def whole_to_int64(x):
    """Integers and booleans are summed and multiplied as int64."""
    return x._data if x._data.dtype.kind == "f" else x._data.astype(np.int64)


class Cumsum(Op):
    @staticmethod
    def forward(ctx, x, dim):
        ctx.dim = dim
        array = whole_to_int64(x)
        return wrap(array.cumsum(dim) if array.ndim else array.copy())

    @staticmethod
    def backward(ctx, grad_output):
        if grad_output._data.ndim == 0:
            return grad_output, None
        return cumsum(grad_output.flip(ctx.dim), ctx.dim).flip(ctx.dim), None


class Logcumsumexp(Op):
    @staticmethod
    def forward(ctx, x, dim):
        out = wrap(np.logaddexp.accumulate(np.atleast_1d(float_array(x)), dim))
        out._data = out._data.reshape(x._data.shape)
        ctx.dim = dim
        ctx.save_for_backward(x, out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        x, out = ctx.saved_tensors
        if x._data.ndim == 0:
            return grad_output, None
        # dy_i/dx_j = exp(x_j - y_i) for j <= i: at most 1, so nothing overflows
        x, out, grad = (t.transpose(ctx.dim, -1) for t in (x, out, grad_output))
        n = x._data.shape[-1]
        above = wrap(np.triu(np.ones((n, n), bool), 1))
        slopes = (x.unsqueeze(-2) - out.unsqueeze(-1)).masked_fill(above, -np.inf).exp()
        return (grad.unsqueeze(-1) * slopes).sum(-2).transpose(ctx.dim, -1), None


class Cummax(Op):
    """The largest so far, and where it stands: of equal ones the last."""

    beats = np.greater_equal

    @staticmethod
    def forward(ctx, x, dim):
        array = np.moveaxis(np.atleast_1d(x._data), dim, 0)
        values, index = array.copy(), np.zeros(array.shape, np.int64)
        for i in range(1, len(array)):
            new = ctx.beats(array[i], values[i - 1]) | np.isnan(array[i])
            values[i] = np.where(new, array[i], values[i - 1])
            index[i] = np.where(new, i, index[i - 1])
        ctx.dim, shape = dim, x._data.shape
        indices = wrap(np.moveaxis(index, 0, dim).reshape(shape))
        ctx.mark_non_differentiable(indices)
        ctx.save_for_backward(indices)
        return wrap(np.moveaxis(values, 0, dim).reshape(shape)), indices

    @staticmethod
    def backward(ctx, grad_output, _):
        (index,) = ctx.saved_tensors
        if not grad_output._data.ndim:
            return grad_output, None
        zeros = wrap(np.zeros(index._data.shape, grad_output._data.dtype))
        return zeros.scatter_add(ctx.dim, index, grad_output), None


class Cummin(Cummax):
    """The smallest so far, and where it stands: of equal ones the last."""

    beats = np.less_equal


class CumResult(NamedTuple):
    """What cummax and cummin return."""

    values: Tensor
    indices: Tensor


class Prod(Op):
    """The product; the gradient of an element is the product of all others, zeros or not."""

    def name(self):
        return f"ProdBackward{self.overload}"

    @staticmethod
    def forward(ctx, x, dim, keepdim, overload):
        ctx.dim, ctx.keepdim, ctx.overload = dim, keepdim, overload
        ctx.save_for_backward(x)
        array = whole_to_int64(x)
        axis = dim if array.ndim else None
        return wrap(np.asarray(array.prod(axis, keepdims=keepdim and array.ndim > 0)))

    @staticmethod
    def backward(ctx, grad_output):
        (x,), shape = ctx.saved_tensors, ctx.saved_tensors[0]._data.shape
        if not shape:
            return grad_output, None, None, None
        whole, dim = ctx.dim is None, ctx.dim or 0
        if whole:
            x = x.reshape(-1)
        grad = grad_output if ctx.keepdim and not whole else grad_output.unsqueeze(dim)
        before = running_product(x, dim, exclusive=True)
        after = running_product(x.flip(dim), dim, exclusive=True).flip(dim)
        return (grad * before * after).reshape(shape), None, None, None


def running_product(x, dim, exclusive=False):
    """x_0, x_0 x_1, x_0 x_1 x_2, ..., by doubling; `exclusive`: without the element itself.

    It divides by nothing, so zeros do no harm, and its steps are operations: every derivative
    comes free.
    """
    length = x._data.shape[dim]
    if exclusive:
        one = x.narrow(dim, 0, 1) * 0 + 1 if length else x
        x = cat([one, x.narrow(dim, 0, length - 1)], dim) if length else x
    step = 1
    while step < length:
        rest = length - step
        x = cat([x.narrow(dim, 0, step), x.narrow(dim, step, rest) * x.narrow(dim, 0, rest)], dim)
        step *= 2
    return x


# -- the functions that users call -----------------------------------------------------------------


def cumsum(input, dim, *, dtype=None):
    """Running sums along `dim`; integers and booleans give int64."""
    input = input if dtype is None else input.to(dtype)
    return Cumsum.apply(input, wrap_dim(dim, input._data.ndim))


def cumprod(input, dim, *, dtype=None):
    """Running products along `dim`; integers and booleans give int64."""
    # NB: in torch it is one node, CumprodBackward0.
    input = input if dtype is None else input.to(dtype)
    dim = wrap_dim(dim, input._data.ndim)
    if input.requires_grad and input._data.ndim:
        return running_product(input, dim)
    array = whole_to_int64(input)
    return wrap(array.cumprod(dim)) if array.ndim else input.clone()


def logcumsumexp(input, dim):
    """log of the running sums of exp(input) along `dim`, without overflow."""
    return Logcumsumexp.apply(input, wrap_dim(dim, input._data.ndim))


def cummax(input, dim):
    """(values, indices): the largest so far along `dim`, and where it stands."""
    return CumResult(*Cummax.apply(input, wrap_dim(dim, input._data.ndim)))


def cummin(input, dim):
    """(values, indices): the smallest so far along `dim`, and where it stands."""
    return CumResult(*Cummin.apply(input, wrap_dim(dim, input._data.ndim)))


def prod(input, dim=None, keepdim=False, *, dtype=None):
    """The product over `dim`, over everything without one; integers give int64."""
    input = input if dtype is None else input.to(dtype)
    if dim is None:
        return Prod.apply(input, None, False, 0)
    return Prod.apply(input, wrap_dim(dim, input._data.ndim), keepdim, 1)


def diff(input, n=1, dim=-1, prepend=None, append=None):
    """The differences of neighbours along `dim`, taken n times."""
    if input._data.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    parts = [t for t in (prepend, input, append) if t is not None]
    out = cat(parts, dim) if len(parts) > 1 else input
    for _ in range(n):
        length = max(out._data.shape[dim] - 1, 0)
        start = min(1, out._data.shape[dim])
        high, low = out.narrow(dim, start, length), out.narrow(dim, 0, length)
        out = high ^ low if out._data.dtype.kind == "b" else high - low
    return out


def trapezoid(y, x=None, *, dx=1, dim=-1):
    """The integral of `y` along `dim` by trapezoids, at the points `x` or `dx` apart."""
    n = y._data.shape[dim]
    if n == 0:
        return y.sum(dim)
    areas = (y.narrow(dim, 0, n - 1) + y.narrow(dim, 1, n - 1)) / 2
    if x is None:
        return (areas * dx).sum(dim)
    widths = diff(x, dim=dim if x._data.ndim > 1 else 0)
    if x._data.ndim == 1:
        widths = widths.reshape([-1 if d == wrap_dim(dim, y.ndim) else 1 for d in range(y.ndim)])
    return (areas * widths).sum(dim)


trapz = trapezoid
