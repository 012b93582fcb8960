"""Stochastic gradient descent with momentum (Robbins and Monro 1951; Sutskever et al. 2013)."""

from dlcourse.mini._core import wrap
from dlcourse.mini._pieces import pieces
from dlcourse.mini.optim.optimizer import Optimizer, checked, descent


class SGD(Optimizer):
    """`x -= lr * v` for `v = momentum * v + (1 - dampening) * g`, g the gradient.

    The first v is g itself, as is each without momentum.  `weight_decay` adds `weight_decay * x`
    to the gradient, `nesterov` looks one step of momentum ahead, `maximize` climbs.
    """

    def __init__(
        self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *,
        maximize=False, foreach=None, differentiable=False, fused=None,
    ):  # fmt: skip
        options = checked(
            lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov,
            maximize=maximize, foreach=foreach, differentiable=differentiable, fused=fused,
        )  # fmt: skip
        options["dampening"] = dampening
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, options)

    def update(self, x, grad, state, group):
        momentum, grad = group["momentum"], descent(x, grad, group)
        if momentum:
            if state.get("momentum_buffer") is None:
                state["momentum_buffer"] = wrap(grad.copy())
            else:
                state["momentum_buffer"]._data *= momentum
                state["momentum_buffer"]._data += (1 - group["dampening"]) * grad
            velocity = state["momentum_buffer"]._data
            grad = grad + momentum * velocity if group["nesterov"] else velocity
        for part, slope in pieces(x, grad):
            part -= group["lr"] * slope
