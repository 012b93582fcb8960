"""Batch normalisation, as one node (Ioffe and Szegedy 2015)."""

from dlcourse.mini._core import Tensor, run_backward, wrap
from dlcourse.mini._grad_mode import is_grad_enabled
from dlcourse.mini.ops.operation import Op
from dlcourse.mini.ops.shape import alias

import numpy as np


class Alias(Op):
    """The same tensor under another node, which the hooks of the first do not hear of."""

    @staticmethod
    def forward(ctx, x):
        return alias(x, x._data.view())

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


class Fused(Op):
    """An operation whose derivative is written by hand, beside the composition that defines it.

    `fast` is the gradient in numbers, given that of each output.  When somebody wants to
    differentiate the gradient again (create_graph) that of `plain` is taken instead, so that
    derivatives of any order are right.  `plain` takes the arguments of forward.
    """

    @staticmethod
    def backward(ctx, *grad_outputs):
        if not is_grad_enabled():
            return ctx.fast(*[g._data for g in grad_outputs])
        saved = iter(ctx.saved_tensors)
        inputs = [next(saved) if a is Tensor else a for a in ctx.args]
        needs = ctx.needs_input_grad
        inputs = [Alias.apply(a) if n else a for a, n in zip(inputs, needs, strict=True)]
        outs = ctx.plain(*inputs)
        outs = outs if type(outs) is tuple else (outs,)
        wanted = [a for a, n in zip(inputs, needs, strict=True) if n]
        found = iter(run_backward(outs, grad_outputs, True, True, wanted, accumulate=False))
        return tuple([next(found) if n else None for n in needs])

    def remember(self, *args):
        """Keep the arguments of forward for `backward`: tensors saved, the rest as it is."""
        self.save_for_backward(*[a for a in args if isinstance(a, Tensor)])
        self.args = [Tensor if isinstance(a, Tensor) else a for a in args]


def batch_statistics(array):
    """Mean and (biased) variance of each channel of an array (B, C, ...)."""
    mean = array.mean(all_but_channels(array))
    rows = (array - mean.reshape(channels_at_1(array))).reshape(*array.shape[:2], -1)
    return mean, np.vecdot(rows, rows).mean(0) / max(rows.shape[2], 1)


def all_but_channels(array):
    """The axes of (B, C, ...) without that of the channels."""
    return (0, *range(2, array.ndim))


def channels_at_1(array):
    """The shape that lets (C,) broadcast against (B, C, ...)."""
    return (1, -1) + (1,) * (array.ndim - 2)


class NativeBatchNorm(Fused):
    """`(x - mean) / sqrt(var + eps) * weight + bias` for x (B, C, ...), the rest (C,) or None.

    `mean` and `var` are arrays; `of_batch` says whether they are the batch's, and so depend on x.
    """

    @staticmethod
    def plain(x, weight, bias, mean, var, of_batch, eps):
        """What batch normalisation is."""
        axes, shape = all_but_channels(x), channels_at_1(x)
        if of_batch:
            mean = x.mean(axes, keepdim=True)
            var = ((x - mean) ** 2).mean(axes, keepdim=True)
        else:
            mean, var = wrap(mean.reshape(shape)), wrap(var.reshape(shape))
        out = (x - mean) / (var + eps).sqrt()
        out = out if weight is None else out * weight.reshape(shape)
        return out if bias is None else out + bias.reshape(shape)

    @staticmethod
    def forward(ctx, x, weight, bias, mean, var, of_batch, eps):
        ctx.remember(x, weight, bias, mean, var, of_batch, eps)
        shape = channels_at_1(x._data)
        ctx.mean, ctx.inverse = mean.reshape(shape), (1 / np.sqrt(var + eps)).reshape(shape)
        out = x._data - ctx.mean
        out *= ctx.inverse if weight is None else ctx.inverse * weight._data.reshape(shape)
        if bias is not None:
            out += bias._data.reshape(shape)
        return wrap(out)

    def fast(self, grad):
        """The gradients of the arguments, as numbers."""
        x = self.saved_tensors[0]._data
        weight = self.saved_tensors[1]._data if self.args[1] is not None else None
        axes, shape = all_but_channels(x), channels_at_1(x)
        normal = x - self.mean
        normal *= self.inverse
        grad_bias = grad.sum(axes)
        rows = (*grad.shape[:2], -1)
        grad_weight = np.vecdot(grad.reshape(rows), normal.reshape(rows)).sum(0)
        scale = self.inverse if weight is None else self.inverse * weight.reshape(shape)
        if self.args[5]:  # x moves the mean and the variance of its batch, too
            count = x.size // x.shape[1]
            # dL/dx = scale * (g - mean(g) - normal * mean(g * normal))
            normal *= (grad_weight / -count).reshape(shape)
            normal += grad
            normal -= (grad_bias / count).reshape(shape)
            normal *= scale
        else:
            normal = grad * scale
        grads = wrap(normal), wrap(grad_weight), wrap(grad_bias), None, None, None, None
        return tuple([g if n else None for g, n in zip(grads, self.needs_input_grad, strict=True)])
