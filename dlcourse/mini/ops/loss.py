"""What losses are made of: the negative log likelihood as one node, a difference, cross-entropy."""

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.operation import Op, arrays

import numpy as np


def nll_loss_plain(log_probs, target):
    """What nll_loss is: minus the mean log-probability (B, K) of the right classes (B,)."""
    return -log_probs.gather(1, target.unsqueeze(1)).mean()


class NllLoss(Op):
    """`-weight[t] * x[b, t]` for t = target[b]: each, their sum, or their weighted mean.

    x (K,) with target (), or x (B, K, ...) with target (B, ...).  `scale` is -weight[t], 0 where
    the target is ignored; targets and scales are arrays, for no gradient flows into them.
    """

    def name(self):
        return "NllLoss2DBackward0" if len(self.shape) > 2 else "NllLossBackward0"

    @staticmethod
    def forward(ctx, x, target, scale, reduction):
        ctx.shape, ctx.dim, ctx.reduction = x._data.shape, min(x._data.ndim - 1, 1), reduction
        ctx.index = np.expand_dims(target, ctx.dim)
        ctx.scale = np.expand_dims(scale, ctx.dim)
        each = np.take_along_axis(x._data, ctx.index, ctx.dim) * ctx.scale
        if reduction == "none":
            return wrap(each.squeeze(ctx.dim))
        if reduction == "mean":
            total = -scale.sum()
            counts = ctx.scale != 0  # else its gradient is 0, even if nothing counts
            ctx.scale = np.divide(ctx.scale, total, out=np.zeros_like(ctx.scale), where=counts)
            return wrap(np.asarray(each.sum() / total))  # nothing to average: NaN
        return wrap(np.asarray(each.sum()))

    @staticmethod
    def backward(ctx, grad_output):
        slope = np.zeros(ctx.shape, grad_output._data.dtype)  # d(loss) / dx
        np.put_along_axis(slope, ctx.index, ctx.scale, ctx.dim)
        if ctx.reduction == "none":
            grad_output = grad_output.unsqueeze(ctx.dim)
        return grad_output * wrap(slope), None, None, None


class DifferenceLikeFirst(Op):
    """`x - y` in the type of x, for types that are not the same: these have no gradient."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.dtypes = x.dtype, y.dtype
        a, b = arrays(x, y)
        return wrap((a - b).astype(x._data.dtype))

    @staticmethod
    def backward(ctx, grad_output):
        wanted, found = ctx.dtypes if ctx.needs_input_grad[0] else ctx.dtypes[::-1]
        raise RuntimeError(f"Found dtype {found.scalar_type} but expected {wanted.scalar_type}")


class BinaryCrossEntropy(Op):
    """-(t * log(x) + (1 - t) * log(1 - x)), with logarithms limited to at least -100."""

    @staticmethod
    def forward(ctx, x, target):
        ctx.save_for_backward(x, target)
        array, t = x._data, target._data
        if not ((array >= 0) & (array <= 1)).all():
            raise RuntimeError("all elements of input should be between 0 and 1")
        if not ((t >= 0) & (t <= 1)).all():
            raise RuntimeError("all elements of target should be between 0 and 1")
        positive, negative = np.maximum(np.log(array), -100), np.maximum(np.log1p(-array), -100)
        return wrap(np.asarray((t - 1) * negative - t * positive, array.dtype))

    @staticmethod
    def backward(ctx, grad_output):
        x, target = ctx.saved_tensors
        needs_x, needs_target = ctx.needs_input_grad
        grad_x = grad_target = None
        if needs_x:  # (x - t) / (x * (1 - x))
            # NB: in torch the bound is 1e-12 rounded to float32.
            grad_x = grad_output * (x - target) / ((1 - x) * x).clamp(min=1e-12)
        if needs_target:
            grad_target = grad_output * ((1 - x).log() - x.log())  # without a bound, as torch's
        return grad_x, grad_target
