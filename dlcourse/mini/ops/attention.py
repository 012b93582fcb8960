"""Scaled dot-product attention as one node (Vaswani et al. 2017), and the cut into heads.

Shapes: T queries, S keys, hs features of a head; leading dimensions (B, nh) broadcast.
"""

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.norm import Fused
from dlcourse.mini.ops.operation import Op
from dlcourse.mini.ops.shape import alias, cat
from dlcourse.mini.ops.softmax import softmax

import numpy as np


class ScaledDotProductAttention(Fused):
    """`softmax(scale * q @ k^T + mask) @ v`.

    `mask` is added, -inf where a query must not look; a query that may look nowhere gets 0.  `keep`
    is an array that multiplies the weights, or None: dropout.
    """

    @staticmethod
    def plain(q, k, v, mask, keep, scale):
        """What attention is."""
        weights = masked_softmax(scale * (q @ k.mT), mask)
        return (weights if keep is None else weights * wrap(keep)) @ v

    @staticmethod
    def forward(ctx, q, k, v, mask, keep, scale):
        ctx.remember(q, k, v, mask, keep, scale)
        ctx.q = q._data * scale
        weights = ctx.q @ k._data.swapaxes(-1, -2)  # (B, nh, T, S)
        if mask is not None:
            weights += mask._data
        top = weights.max(-1, keepdims=True)
        if mask is not None:
            top[top == -np.inf] = 0
        weights -= top
        np.exp(weights, out=weights)
        # Not divided by their sum: the output and its gradient are divided, which are smaller.
        ctx.weights, ctx.total = weights, weights.sum(-1, keepdims=True)
        if mask is not None:
            ctx.total[ctx.total == 0] = 1
        out = product_like(q, weights if keep is None else weights * keep, v._data)
        out /= ctx.total
        ctx.out = out
        return wrap(out)

    def fast(self, grad):
        q, k, v, *_ = self.saved_tensors
        keep, scale = self.args[4:]
        needs_q, needs_k, needs_v, needs_mask, *_ = self.needs_input_grad
        grad = np.divide(grad, self.total, out=np.empty_like(self.out))
        kept = self.weights if keep is None else self.weights * keep
        grad_v = product_like(v, kept.swapaxes(-1, -2), grad) if needs_v else None
        scores = grad @ v._data.swapaxes(-1, -2)  # (B, nh, T, S)
        if keep is not None:
            scores *= keep
        # through the softmax: w * (dL/dw - sum(dL/dw * w)), and that sum is dL/dy . y
        scores -= np.einsum("...i,...i->...", grad, self.out)[..., None]
        scores *= self.weights
        grad_q = product_like(q, scores, k._data) if needs_q else None
        if needs_q:
            grad_q *= scale
        grad_k = product_like(k, scores.swapaxes(-1, -2), self.q) if needs_k else None
        grads = grad_q, grad_k, grad_v, scores if needs_mask else None, None, None
        return tuple([None if g is None else wrap(g) for g in grads])


def masked_softmax(scores, mask):
    """`softmax(scores + mask)` over the last dimension; 0 where the mask leaves nothing."""
    if mask is None:
        return softmax(scores, -1)
    scores = scores + mask
    nothing = wrap((scores._data == -np.inf).all(-1, keepdims=True))
    return softmax(scores.masked_fill(nothing, 0.0), -1).masked_fill(nothing, 0.0)


def product_like(x, a, b):
    """`a @ b`, in the memory order of x where the shapes agree: heads then join without a copy."""
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    if shape != x._data.shape:
        return a @ b
    return np.matmul(a, b, out=np.empty_like(x._data))


class SplitHeads(Op):
    """(B, T, n * E) to n tensors (B, nh, T, E / nh), views of it."""

    @staticmethod
    def forward(ctx, x, n, num_heads):
        batch, time, width = x._data.shape
        parts = x._data.reshape(batch, time, n, num_heads, width // (n * num_heads))
        return tuple([alias(x, part) for part in parts.transpose(2, 0, 3, 1, 4)])

    @staticmethod
    def backward(ctx, *grads):
        batch, heads, time, size = grads[0].shape
        joined = [g.transpose(1, 2).reshape(batch, time, heads * size) for g in grads]
        return cat(joined, 2), None, None
