"""Borders: constant, reflected, repeated, periodic.

`pads` names a border for each dimension: ((before, after), ...), one pair for every dimension of x.
A negative border crops.
"""

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.creation import fitting
from dlcourse.mini.ops.operation import Op
from dlcourse.mini.ops.shape import cat, expand, flip

import numpy as np


class ConstantPadND(Op):
    """A border of `value`; its adjoint takes the border off, which is a border of minus that."""

    @staticmethod
    def forward(ctx, x, pads, value):
        ctx.pads = pads
        shape = [n + before + after for n, (before, after) in zip(x._data.shape, pads, strict=True)]
        out = np.full(shape, fitting(float(value), x._data.dtype), x._data.dtype)
        inner = [
            slice(max(before, 0), size - max(after, 0))
            for size, (before, after) in zip(shape, pads, strict=True)
        ]
        kept = [
            slice(max(-before, 0), size - max(-after, 0))
            for size, (before, after) in zip(x._data.shape, pads, strict=True)
        ]
        out[tuple(inner)] = x._data[tuple(kept)]
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        opposite = tuple([(-before, -after) for before, after in ctx.pads])
        return ConstantPadND.apply(grad_output, opposite, 0), None, None


def part(x, dim, start, stop):
    """x[start:stop] along `dim`."""
    return x[(slice(None),) * dim + (slice(start, stop),)]


class Continue(Op):
    """x continued before and after along `dim`: element i is x[index[i]], and x stands at `start`.

    NumPy's word for how: [a b c d] with 2 and 1 is [c b a b c d c] by "reflect", [a a a b c d d] by
    "edge" and [c d a b c d a] by "wrap".
    """

    @staticmethod
    def forward(ctx, x, dim, start, index):
        ctx.rest = dim, start, index, x._data.shape[dim]
        return wrap(np.take(x._data, index, dim))

    @staticmethod
    def backward(ctx, grad_output):
        return ContinueInput.apply(grad_output, *ctx.rest), None, None, None


class ContinueInput(Op):
    """The adjoint of Continue: what stands in the border is ADDED to where it came from."""

    @staticmethod
    def forward(ctx, grad, dim, start, index, size):
        ctx.rest = dim, start, index
        slices = np.moveaxis(grad._data, dim, 0)
        out = grad._data[(slice(None),) * dim + (slice(start, start + size),)].copy()
        target = np.moveaxis(out, dim, 0)
        for i in (*range(start), *range(start + size, len(index))):
            target[index[i]] += slices[i]
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        return Continue.apply(grad_output, *ctx.rest), None, None, None, None


def continued(x, dim, before, after, how):
    """x with `before` and `after` more elements along `dim`, by NumPy's word for how."""
    index = np.pad(np.arange(x.shape[dim]), (before, after), mode=how)
    return Continue.apply(x, dim, before, index)


def continued_plain(x, dim, before, after, how):
    """What continuing is, by concatenation."""
    n = x.shape[dim]
    if how == "reflect":
        left, right = part(x, dim, 1, before + 1), part(x, dim, n - 1 - after, n - 1)
        left, right = flip(left, dim), flip(right, dim)
    elif how == "edge":
        sizes = [(*x.shape[:dim], size, *x.shape[dim + 1 :]) for size in (before, after)]
        left, right = expand(part(x, dim, 0, 1), sizes[0]), expand(part(x, dim, n - 1, n), sizes[1])
    else:
        left, right = part(x, dim, n - before, n), part(x, dim, 0, after)
    return cat([left, x, right], dim)


def constant_pad_plain(x, pads, value):
    """What ConstantPadND is, by concatenation."""
    for dim, (before, after) in enumerate(pads):
        sizes = [(*x.shape[:dim], max(n, 0), *x.shape[dim + 1 :]) for n in (before, after)]
        left, right = [wrap(np.full(size, value, x._data.dtype)) for size in sizes]
        n = x.shape[dim]
        x = cat([left, part(x, dim, max(-before, 0), n - max(-after, 0)), right], dim)
    return x
