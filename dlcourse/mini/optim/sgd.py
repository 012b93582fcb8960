"""Stochastic gradient descent with momentum (Robbins and Monro 1951; Sutskever et al. 2013)."""

from dlcourse.mini._core import Tensor
from dlcourse.mini.optim.optimizer import Optimizer, check, refuse


class SGD(Optimizer):
    """x -= lr * v for v = momentum * v + (1 - dampening) * gradient; v = gradient without momentum.

    `weight_decay` adds weight_decay * x to the gradient, `nesterov` looks one step of momentum
    ahead, `maximize` climbs.  The first v is the first gradient itself.
    """

    def __init__(
        self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *,
        maximize=False, foreach=None, differentiable=False, fused=None,
    ):  # fmt: skip
        refuse(foreach=foreach, differentiable=differentiable, fused=fused)
        check(lr, lr >= 0, "learning rate")
        check(momentum, momentum >= 0, "momentum value")
        check(weight_decay, weight_decay >= 0, "weight_decay value")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        options = {"lr": lr, "momentum": momentum, "dampening": dampening}
        options |= {"weight_decay": weight_decay, "nesterov": nesterov, "maximize": maximize}
        options |= {"foreach": foreach, "differentiable": differentiable, "fused": fused}
        super().__init__(params, options)

    def update(self, x, grad, state, group):
        momentum = group["momentum"]
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"]:
            grad = grad + group["weight_decay"] * x
        if momentum:
            if state.get("momentum_buffer") is None:
                state["momentum_buffer"] = Tensor(grad.copy())
            else:
                state["momentum_buffer"]._data *= momentum
                state["momentum_buffer"]._data += (1 - group["dampening"]) * grad
            velocity = state["momentum_buffer"]._data
            grad = grad + momentum * velocity if group["nesterov"] else velocity
        x -= group["lr"] * grad
