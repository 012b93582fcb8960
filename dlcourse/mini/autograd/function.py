"""What custom Functions are written with, under the names of torch.autograd.function."""

import functools

from dlcourse.mini._core import Function, Tensor
from dlcourse.mini._grad_mode import is_grad_enabled, no_grad

__all__ = ["Function", "once_differentiable"]


class Refusal(Function):
    """The identity, which refuses to be differentiated."""

    @staticmethod
    def forward(ctx, x):
        return x.detach()

    @staticmethod
    def backward(ctx, grad_output):
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )


def once_differentiable(backward):
    """Decorate a `backward` not made of differentiable operations: it runs without grad."""

    @functools.wraps(backward)
    def once(ctx, *grad_outputs):
        with no_grad():
            grads = backward(ctx, *grad_outputs)
        if not is_grad_enabled():
            return grads
        several = grads if isinstance(grads, tuple) else (grads,)
        refused = [_refused(g) if isinstance(g, Tensor) else g for g in several]
        return tuple(refused) if isinstance(grads, tuple) else refused[0]

    return once


def _refused(grad):
    """The same numbers; whoever differentiates them is told why that cannot be."""
    return Refusal.apply(grad.detach().requires_grad_())
