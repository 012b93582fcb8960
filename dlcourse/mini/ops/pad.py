"""Borders: constant, reflected, repeated, periodic.

`pads` names a border for each dimension: ((before, after), ...), one pair for every dimension of x.
A negative border crops.
"""

from dlcourse.mini._core import Tensor
from dlcourse.mini.ops.operation import Op
from dlcourse.mini.ops.shape import cat, expand, flip

import numpy as np


class ConstantPadND(Op):
    """A border of `value`; its adjoint takes the border off, which is a border of minus that."""

    @staticmethod
    def forward(ctx, x, pads, value):
        ctx.pads = pads
        shape = [n + before + after for n, (before, after) in zip(x._data.shape, pads, strict=True)]
        out = np.full(shape, value, x._data.dtype)
        inner = [
            slice(max(before, 0), size - max(after, 0))
            for size, (before, after) in zip(shape, pads, strict=True)
        ]
        kept = [
            slice(max(-before, 0), size - max(-after, 0))
            for size, (before, after) in zip(x._data.shape, pads, strict=True)
        ]
        out[tuple(inner)] = x._data[tuple(kept)]
        return Tensor(out)

    @staticmethod
    def backward(ctx, grad_output):
        opposite = tuple([(-before, -after) for before, after in ctx.pads])
        return ConstantPadND.apply(grad_output, opposite, 0), None, None


def part(x, dim, start, stop):
    """x[start:stop] along `dim`."""
    return x[(slice(None),) * dim + (slice(start, stop),)]


def reflected(x, dim, before, after):
    """[a b c d] with 2 and 1 is [c b a b c d c]: the edge is not repeated."""
    n = x.shape[dim]
    left, right = part(x, dim, 1, before + 1), part(x, dim, n - 1 - after, n - 1)
    return cat([flip(left, dim), x, flip(right, dim)], dim)


def replicated(x, dim, before, after):
    """[a b c d] with 2 and 1 is [a a a b c d d]."""
    n = x.shape[dim]
    sizes = [(*x.shape[:dim], size, *x.shape[dim + 1 :]) for size in (before, after)]
    left, right = part(x, dim, 0, 1), part(x, dim, n - 1, n)
    return cat([expand(left, sizes[0]), x, expand(right, sizes[1])], dim)


def periodic(x, dim, before, after):
    """[a b c d] with 2 and 1 is [c d a b c d a]."""
    n = x.shape[dim]
    return cat([part(x, dim, n - before, n), x, part(x, dim, 0, after)], dim)


def constant_pad_plain(x, pads, value):
    """What ConstantPadND is, by concatenation."""
    for dim, (before, after) in enumerate(pads):
        sizes = [(*x.shape[:dim], max(n, 0), *x.shape[dim + 1 :]) for n in (before, after)]
        left, right = [Tensor(np.full(size, value, x._data.dtype)) for size in sizes]
        n = x.shape[dim]
        x = cat([left, part(x, dim, max(-before, 0), n - max(-after, 0)), right], dim)
    return x
