"""Rows of a table, taken by their number, and gradients added up where the rows came from."""

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.operation import Op

import numpy as np


class Embedding(Op):
    """table[index]: (rows, D) and an array of numbers (*) give (*, D).

    `share`, None or an array (*), is how much of the gradient each place hands on.
    """

    @staticmethod
    def forward(ctx, table, index, share):
        ctx.index, ctx.share, ctx.rows = index, share, table._data.shape[0]
        return wrap(table._data[index])

    @staticmethod
    def backward(ctx, grad_output):
        if ctx.share is not None:
            grad_output = grad_output * wrap(ctx.share[..., None])
        return AddRows.apply(grad_output, ctx.index, ctx.rows), None, None


class AddRows(Op):
    """out[index[i]] += values[i]: (*, D) and an array of numbers (*) give (rows, D)."""

    def name(self):
        return "EmbeddingDenseBackward0"

    @staticmethod
    def forward(ctx, values, index, rows):
        ctx.index = index
        array = values._data.reshape(index.size, values._data.shape[-1])
        out = np.zeros((rows, array.shape[1]), array.dtype)
        if index.size:
            # Sorted, equal numbers are neighbours, and one reduction adds them (not np.add.at).
            order = np.argsort(index.ravel(), kind="stable")
            numbers = index.ravel()[order]
            starts = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]])
            out[numbers[starts]] = np.add.reduceat(array[order], starts)
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        return Embedding.apply(grad_output, ctx.index, None), None, None
