"""Normalisation of each row: layer and RMS normalisation, as one node each.

Layer normalisation: Ba, Kiros and Hinton 2016.  RMS normalisation: Zhang and Sennrich 2019.
"""

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.norm import Fused

import numpy as np


def as_rows(array, shape):
    """An array (..., *shape) as a matrix whose rows are normalised."""
    return array.reshape(-1, int(np.prod(shape)))


def row_means(a):
    """The mean of each row, as a column; a product with ones is several times as fast as mean."""
    return (a @ np.ones(a.shape[1], a.dtype))[:, None] / a.shape[1]


def column_sums(a):
    """The sum of each column, in the same way."""
    return np.ones(len(a), a.dtype) @ a


def row_dots(a, b):
    """The dot product of each row of a with that of b, as a column."""
    return np.vecdot(a, b)[:, None]


class NativeLayerNorm(Fused):
    """`(x - mean) / sqrt(var + eps) * weight + bias` over the last dimensions of x (..., *shape).

    `weight` and `bias` have that `shape`, or are None.
    """

    @staticmethod
    def plain(x, weight, bias, shape, eps):
        """What layer normalisation is."""
        dims = tuple(range(x.ndim - len(shape), x.ndim))
        centred = x - x.mean(dims, keepdim=True)
        out = centred / ((centred**2).mean(dims, keepdim=True) + eps).sqrt()
        out = out if weight is None else out * weight
        return out if bias is None else out + bias

    @staticmethod
    def forward(ctx, x, weight, bias, shape, eps):
        ctx.remember(x, weight, bias, shape, eps)
        rows = as_rows(x._data, shape)
        ctx.mean = row_means(rows)
        out = rows - ctx.mean
        variance = row_dots(out, out) / out.shape[1]
        ctx.inverse = 1 / np.sqrt(variance + eps)
        out *= ctx.inverse
        if weight is not None:
            out *= weight._data.reshape(-1)
        if bias is not None:
            out += bias._data.reshape(-1)
        return wrap(out.reshape(x._data.shape))

    def fast(self, grad):
        """The gradients of the arguments, as numbers."""
        _, weight, _, shape, _ = self.args
        needs, grad_x = self.needs_input_grad, None
        normal = as_rows(self.saved_tensors[0]._data, shape) - self.mean
        normal *= self.inverse  # made again: to keep it would cost as much memory as x
        g = as_rows(grad, shape)
        grad_weight = np.einsum("ij,ij->j", g, normal).reshape(shape) if needs[1] else None
        grad_bias = column_sums(g).reshape(shape) if needs[2] else None
        if needs[0]:
            if weight is not None:
                g = g * self.saved_tensors[1]._data.reshape(-1)
            # dL/dx = (g - mean(g) - normal * mean(g * normal)) / sqrt(var + eps)
            grad_x = normal * (row_dots(g, normal) / -normal.shape[1])
            grad_x += g
            grad_x -= row_means(g)
            grad_x *= self.inverse
            grad_x = grad_x.reshape(grad.shape)
        grads = grad_x, grad_weight, grad_bias, None, None
        return tuple([None if g is None else wrap(g) for g in grads])


class FusedRmsNorm(Fused):
    """`x / sqrt(mean(x^2) + eps) * weight` over the last dimensions of x (..., *shape)."""

    @staticmethod
    def plain(x, weight, shape, eps):
        """What RMS normalisation is."""
        dims = tuple(range(x.ndim - len(shape), x.ndim))
        out = x / ((x**2).mean(dims, keepdim=True) + eps).sqrt()
        return out if weight is None else out * weight

    @staticmethod
    def forward(ctx, x, weight, shape, eps):
        ctx.remember(x, weight, shape, eps)
        rows = as_rows(x._data, shape)
        ctx.inverse = 1 / np.sqrt(row_dots(rows, rows) / rows.shape[1] + eps)
        out = rows * ctx.inverse
        if weight is not None:
            out *= weight._data.reshape(-1)
        return wrap(out.reshape(x._data.shape))

    def fast(self, grad):
        """The gradients of the arguments, as numbers."""
        _, weight, shape, _ = self.args
        needs, grad_x, grad_weight = self.needs_input_grad, None, None
        normal = as_rows(self.saved_tensors[0]._data, shape) * self.inverse
        g = as_rows(grad, shape)
        if needs[1]:
            grad_weight = wrap(np.einsum("ij,ij->j", g, normal).reshape(shape))
        if needs[0]:
            if weight is not None:
                g = g * self.saved_tensors[1]._data.reshape(-1)
            # dL/dx = (g - normal * mean(g * normal)) / sqrt(mean(x^2) + eps)
            normal *= row_dots(g, normal) / -normal.shape[1]
            normal += g
            normal *= self.inverse
            grad_x = wrap(normal.reshape(grad.shape))
        return grad_x, grad_weight, None, None
