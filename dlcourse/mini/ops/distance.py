"""The length of vectors, by any norm."""

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.operation import Op
from dlcourse.mini.ops.reduce import restore

import numpy as np


class LinalgVectorNorm(Op):
    """(sum |x|^p)^(1 / p) over `axes`; infinity: the largest |x|, 0: how many are not 0.

    Where the norm is 0 its derivative, which does not exist, is taken as 0.
    """

    @staticmethod
    def forward(ctx, x, p, axes, keepdim):
        ctx.p, ctx.axes, size = p, axes, np.abs(x._data)
        if p == np.inf:
            out = size.max(axes, keepdims=keepdim)
        elif p == -np.inf:
            out = size.min(axes, keepdims=keepdim)
        elif p == 0:
            out = (size != 0).sum(axes, keepdims=keepdim).astype(size.dtype)
        elif p == 2:
            out = np.sqrt(np.square(size).sum(axes, keepdims=keepdim))
        else:
            out = (size**p).sum(axes, keepdims=keepdim) ** (1 / p)
        out = wrap(np.asarray(out, size.dtype))
        ctx.save_for_backward(x, out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        x, out = ctx.saved_tensors
        p, shape = ctx.p, x._data.shape
        grad, out = [restore(t, ctx.axes, shape) for t in (grad_output, out)]
        if p == 0:
            return None, None, None, None
        sign = wrap(np.sign(x._data))
        if abs(p) == np.inf:
            winners = np.abs(x._data) == out._data
            share = winners / winners.sum(ctx.axes, keepdims=True)
            return grad * sign * wrap(share.astype(x._data.dtype)), None, None, None
        if p == 1:
            return grad * sign, None, None, None
        # d|x| / dx_i = sign(x_i) * (|x_i| / |x|)^(p - 1), and 0 where |x| is 0
        length = out.masked_fill(out == 0, 1.0)
        if p == 2:
            return x * (grad / length), None, None, None
        size = x.abs().masked_fill(x == 0, 1.0)
        return grad * sign * (size / length) ** (p - 1), None, None, None
