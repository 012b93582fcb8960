"""softmax and log_softmax, in the forms that cannot overflow.

With them log(sigmoid), which is softmax of two classes and cannot overflow either.
"""

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.operation import Op, check_kernel
from dlcourse.mini.ops.shape import wrap_dim

import numpy as np


def softmax_plain(x, dim):
    """What softmax is: exp(x - max) / sum(exp(x - max)); the maximum cancels."""
    e = (x - x.amax(dim, keepdim=True).detach()).exp()
    return e / e.sum(dim, keepdim=True)


def log_softmax_plain(x, dim):
    """What log_softmax is: x - log(sum(exp(x)))."""
    return x - x.logsumexp(dim, keepdim=True)


class Softmax(Op):
    @staticmethod
    def forward(ctx, x, dim):
        ctx.dim = dim
        array = np.exp(shifted(x, dim))
        array /= array.sum(dim, keepdims=True)
        out = wrap(array)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors
        weighted = grad_output * out  # dL/dx = y * (dL/dy - sum(dL/dy * y))
        return weighted - out * weighted.sum(ctx.dim, keepdim=True), None


class LogSoftmax(Op):
    @staticmethod
    def forward(ctx, x, dim):
        ctx.dim = dim
        array = shifted(x, dim)
        array -= np.log(np.exp(array).sum(dim, keepdims=True))
        out = wrap(array)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors
        # dL/dx = dL/dy - softmax(x) * sum(dL/dy)
        return grad_output - out.exp() * grad_output.sum(ctx.dim, keepdim=True), None


def shifted(x, dim):
    """`x - max(x)` along `dim`, a new array."""
    array = x._data
    if array.size == 0:
        return array.copy()
    return np.asarray(array - array.max(dim if array.ndim else None, keepdims=True))


class LogSigmoid(Op):
    """`log(1 / (1 + exp(-x))) = min(x, 0) - log(1 + exp(-|x|))`."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        array = x._data
        return wrap(np.minimum(array, 0) - np.log1p(np.exp(-np.abs(array))))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * (-x).sigmoid()


# -- the functions that users call -----------------------------------------------------------------


def softmax(input, dim, dtype=None):
    """`exp(input) / sum(exp(input))` along `dim`: positive numbers with sum 1."""
    input = input if dtype is None else input.to(dtype)
    return Softmax.apply(input, _dim_of_floats("softmax", input, dim))


def log_softmax(input, dim, dtype=None):
    """`log(softmax(input))` along `dim`, precise where softmax would round to 0."""
    input = input if dtype is None else input.to(dtype)
    return LogSoftmax.apply(input, _dim_of_floats("log_softmax", input, dim))


def _dim_of_floats(name, input, dim):
    """`dim`, counted from the front; integers are refused."""
    ndim = input._data.ndim
    dim = wrap_dim(dim, ndim)
    check_kernel(f"{name}{'_lastdim' * (dim >= ndim - 1)}_kernel_impl", input._data.dtype)
    return dim


def logsigmoid(input):
    """`log(sigmoid(input))`, precise where sigmoid would round to 0."""
    check_kernel("log_sigmoid_cpu", input._data.dtype)
    return LogSigmoid.apply(input)
