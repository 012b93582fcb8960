"""Relatives of Adam: Adamax (Kingma and Ba 2015), NAdam (Dozat 2016), RAdam (Liu et al. 2020)."""

import math

from dlcourse.mini._core import wrap
from dlcourse.mini.optim.optimizer import Optimizer, checked, count, descent

import numpy as np


def start(state, x, *names, **numbers):
    """At the first step: counts, and arrays of zeros like x."""
    if not state:
        for name, value in {"step": 0.0, **numbers}.items():
            state[name] = count(value)
        state.update({name: wrap(np.zeros_like(x)) for name in names})
    state["step"]._data += 1
    return state["step"]._data.item(), *(state[name]._data for name in names)


def average(mean, squares, grad, beta1, beta2):
    """Move the averages of gradients and of their squares towards this gradient, in place."""
    mean += (1 - beta1) * (grad - mean)
    squares *= beta2
    squares += (1 - beta2) * grad * grad


class Adamax(Optimizer):
    """Adam that divides by the largest recent gradient: `u = max(beta2 * u, abs(g) + eps)`."""

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, foreach=None, *,
        maximize=False, differentiable=False, capturable=False,
    ):  # fmt: skip
        options = checked(
            lr=lr, eps=eps, betas=betas, weight_decay=weight_decay, foreach=foreach,
            maximize=maximize, differentiable=differentiable, capturable=capturable,
        )  # fmt: skip
        super().__init__(params, options)

    def update(self, x, grad, state, group):
        beta1, beta2 = group["betas"]
        step, mean, largest = start(state, x, "exp_avg", "exp_inf")
        grad = descent(x, grad, group)
        mean += (1 - beta1) * (grad - mean)
        largest *= beta2
        np.maximum(largest, np.abs(grad) + group["eps"], out=largest)
        x -= group["lr"] / (1 - beta1**step) * mean / largest


class NAdam(Optimizer):
    """Adam that looks one step of momentum ahead; the momentum grows from beta1 / 2 to beta1."""

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3,
        decoupled_weight_decay=False, *, foreach=None, maximize=False, capturable=False,
        differentiable=False,
    ):  # fmt: skip
        options = checked(
            lr=lr, eps=eps, betas=betas, weight_decay=weight_decay, momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay, maximize=maximize, foreach=foreach,
            capturable=capturable, differentiable=differentiable,
        )  # fmt: skip
        super().__init__(params, options)

    def update(self, x, grad, state, group):
        beta1, beta2 = group["betas"]
        step, mean, squares = start(state, x, "exp_avg", "exp_avg_sq", mu_product=1.0)
        grad = descent(x, grad, group)
        now, ahead = (
            beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1)
        )
        state["mu_product"]._data *= now
        product = state["mu_product"]._data.item()
        average(mean, squares, grad, beta1, beta2)
        scale = group["lr"] / (np.sqrt(squares / (1 - beta2**step)) + group["eps"])
        x -= (1 - now) / (1 - product) * grad * scale
        x -= ahead / (1 - product * ahead) * mean * scale


class RAdam(Optimizer):
    """Adam that divides by the spread only once enough gradients were seen to know it.

    Before, in the first five steps or so, it is SGD with momentum.
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0,
        decoupled_weight_decay=False, *, foreach=None, maximize=False, capturable=False,
        differentiable=False,
    ):  # fmt: skip
        options = checked(
            lr=lr, eps=eps, betas=betas, weight_decay=weight_decay, maximize=maximize,
            foreach=foreach, capturable=capturable, differentiable=differentiable,
            decoupled_weight_decay=decoupled_weight_decay,
        )  # fmt: skip
        super().__init__(params, options)

    def update(self, x, grad, state, group):
        beta1, beta2 = group["betas"]
        step, mean, squares = start(state, x, "exp_avg", "exp_avg_sq")
        grad = descent(x, grad, group)
        average(mean, squares, grad, beta1, beta2)
        correction2 = 1 - beta2**step
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / correction2  # how many gradients count
        change = group["lr"] / (1 - beta1**step) * mean
        if length > 5:
            rectify = (length - 4) * (length - 2) * longest
            rectify = math.sqrt(rectify / ((longest - 4) * (longest - 2) * length))
            change *= rectify * math.sqrt(correction2) / (np.sqrt(squares) + group["eps"])
        x -= change
