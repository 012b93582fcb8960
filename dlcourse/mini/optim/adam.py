"""Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019)."""

import math

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.optim.optimizer import Optimizer, checked, count, descent

import numpy as np


class Adam(Optimizer):
    """`x -= lr * m / (sqrt(v) + eps)`, m and v running means of the gradient and of its square.

    Both are corrected for their start at 0.  `weight_decay` adds `weight_decay * x` to the gradient
    or, decoupled, shrinks x by the factor `1 - lr * weight_decay` before the step.  `amsgrad` takes
    the largest v so far.
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *,
        foreach=None, maximize=False, capturable=False, differentiable=False, fused=None,
        decoupled_weight_decay=False,
    ):  # fmt: skip
        betas = tuple(beta.item() if isinstance(beta, Tensor) else beta for beta in betas)
        options = checked(
            lr=lr, eps=eps, betas=betas, weight_decay=weight_decay, amsgrad=amsgrad,
            maximize=maximize, foreach=foreach, capturable=capturable,
            differentiable=differentiable, fused=fused,
            decoupled_weight_decay=decoupled_weight_decay,
        )  # fmt: skip
        super().__init__(params, options)

    def update(self, x, grad, state, group):
        beta1, beta2 = group["betas"]
        if not state:
            state["step"] = count()
            for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 3 if group["amsgrad"] else 2]:
                state[name] = wrap(np.zeros_like(x))
        grad = descent(x, grad, group)
        state["step"]._data += 1
        step, mean, squares = (state[n]._data for n in ("step", "exp_avg", "exp_avg_sq"))
        mean += (1 - beta1) * (grad - mean)
        squares *= beta2
        squares += (1 - beta2) * grad * grad
        if group["amsgrad"]:
            largest = state["max_exp_avg_sq"]._data
            squares = np.maximum(largest, squares, out=largest)
        correction1, correction2 = 1 - beta1 ** step.item(), 1 - beta2 ** step.item()
        lr = group["lr"]
        x -= lr / correction1 * mean / (np.sqrt(squares) / math.sqrt(correction2) + group["eps"])


class AdamW(Adam):
    """Adam whose weight decay shrinks x directly, not through the gradient and its averages."""

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *,
        maximize=False, foreach=None, capturable=False, differentiable=False, fused=None,
    ):  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, foreach=foreach,
            capturable=capturable, differentiable=differentiable, fused=fused,
            decoupled_weight_decay=True,
        )  # fmt: skip
