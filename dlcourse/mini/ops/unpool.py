"""The partial inverse of max pooling."""

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.index import Gather
from dlcourse.mini.ops.operation import Op

import numpy as np


class MaxUnpool(Op):
    """Zeros (..., length) with x written where `index`, an array of the shape of x, says."""

    @staticmethod
    def forward(ctx, x, index, length):
        ctx.index = index
        out = np.zeros((*x._data.shape[:-1], length), x._data.dtype)
        np.put_along_axis(out, index, x._data, -1)
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        return Gather.apply(grad_output, grad_output.ndim - 1, ctx.index), None, None
