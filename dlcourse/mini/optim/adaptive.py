"""Steps of their own for every weight: Adagrad, RMSprop, Adadelta, Rprop, and averaged SGD.

Sources: Duchi, Hazan, Singer 2011; Hinton 2012 (lecture 6e) and Graves 2013; Zeiler 2012;
Riedmiller and Braun 1993; Polyak and Juditsky 1992.
"""

from dlcourse.mini._core import wrap
from dlcourse.mini.optim.adam_family import start
from dlcourse.mini.optim.optimizer import Optimizer, check, checked, count, descent

import numpy as np


class Adagrad(Optimizer):
    """`x -= lr / (1 + (step - 1) * lr_decay) * g / (sqrt(s) + eps)`, s the sum of all g squared."""

    def __init__(
        self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10,
        foreach=None, *, maximize=False, differentiable=False, fused=None,
    ):  # fmt: skip
        options = checked(
            lr=lr, lr_decay=lr_decay, weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value, eps=eps, foreach=foreach,
            maximize=maximize, differentiable=differentiable, fused=fused,
        )  # fmt: skip
        super().__init__(params, options)
        for group in self.param_groups:  # Adagrad alone has state before the first step, as torch's
            for param in group["params"]:
                self._start(self.state[param], param._data)

    def _start(self, state, x):
        state["step"] = count()
        state["sum"] = wrap(np.full_like(x, self.defaults["initial_accumulator_value"]))

    def update(self, x, grad, state, group):
        if not state:
            self._start(state, x)
        state["step"]._data += 1
        grad = descent(x, grad, group)
        lr = group["lr"] / (1 + (state["step"]._data.item() - 1) * group["lr_decay"])
        state["sum"]._data += grad * grad
        x -= lr * grad / (np.sqrt(state["sum"]._data) + group["eps"])


class RMSprop(Optimizer):
    """`x -= lr * g / (sqrt(v) + eps)`, v a running mean of g squared; momentum on that quotient.

    `centered` subtracts the square of the mean gradient: it divides by the standard deviation.
    """

    def __init__(
        self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False,
        capturable=False, foreach=None, maximize=False, differentiable=False,
    ):  # fmt: skip
        options = checked(
            lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha,
            centered=centered, capturable=capturable, foreach=foreach, maximize=maximize,
            differentiable=differentiable,
        )  # fmt: skip
        super().__init__(params, options)

    def update(self, x, grad, state, group):
        alpha, momentum = group["alpha"], group["momentum"]
        extra = ["momentum_buffer"] * (momentum > 0) + ["grad_avg"] * group["centered"]
        start(state, x, "square_avg", *extra)
        grad, squares = descent(x, grad, group), state["square_avg"]._data
        squares *= alpha
        squares += (1 - alpha) * grad * grad
        if group["centered"]:
            mean = state["grad_avg"]._data
            mean += (1 - alpha) * (grad - mean)
            squares = squares - mean * mean
        change = grad / (np.sqrt(squares) + group["eps"])
        if momentum > 0:
            velocity = state["momentum_buffer"]._data
            velocity *= momentum
            velocity += change
            change = velocity
        x -= group["lr"] * change


class Adadelta(Optimizer):
    """`x -= lr * g * sqrt(u + eps) / sqrt(v + eps)`, u and v running means of squares.

    u is that of the changes so far (without lr), v that of the gradient g.
    """

    def __init__(
        self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, foreach=None, *,
        capturable=False, maximize=False, differentiable=False,
    ):  # fmt: skip
        check(rho, 0 <= rho <= 1, "rho value")
        options = checked(
            lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize,
            capturable=capturable, foreach=foreach, differentiable=differentiable,
        )  # fmt: skip
        super().__init__(params, options)

    def update(self, x, grad, state, group):
        rho, eps = group["rho"], group["eps"]
        _, squares, changes = start(state, x, "square_avg", "acc_delta")
        grad = descent(x, grad, group)
        squares *= rho
        squares += (1 - rho) * grad * grad
        change = np.sqrt(changes + eps) / np.sqrt(squares + eps) * grad
        changes *= rho
        changes += (1 - rho) * change * change
        x -= group["lr"] * change


class Rprop(Optimizer):
    """Steps by the sign of the gradient: longer by etas[1] while it stays, shorter when it turns.

    Each weight's step begins at `lr` and stays within `step_sizes`.  Made for whole data sets, not
    for mini-batches.
    """

    def __init__(
        self, params, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), *, capturable=False,
        foreach=None, maximize=False, differentiable=False,
    ):  # fmt: skip
        options = checked(
            lr=lr, etas=etas, step_sizes=step_sizes, foreach=foreach, maximize=maximize,
            differentiable=differentiable, capturable=capturable,
        )  # fmt: skip
        if not 0 < etas[0] < 1 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(params, options)

    def update(self, x, grad, state, group):
        if not state:
            state["step"], state["prev"] = count(), wrap(np.zeros_like(x))
            state["step_size"] = wrap(np.full_like(x, group["lr"]))
        state["step"]._data += 1
        grad = -grad if group["maximize"] else grad
        previous, length = state["prev"]._data, state["step_size"]._data
        agree = np.asarray(np.sign(grad * previous))
        factor = np.ones_like(agree)
        factor[agree > 0] = group["etas"][1]
        factor[agree < 0] = group["etas"][0]
        length *= factor
        np.clip(length, *group["step_sizes"], out=length)
        previous[...] = np.where(agree < 0, 0, grad)  # after a turn: stand still once
        x -= np.sign(previous) * length


class ASGD(Optimizer):
    """SGD with a falling rate, and in the state's "ax" the average of x from step `t0` on.

    `rate = lr / (1 + lambd * lr * step) ** alpha`; each step also shrinks x by the factor
    `1 - lambd * rate`.
    """

    def __init__(
        self, params, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0, foreach=None,
        maximize=False, differentiable=False, capturable=False,
    ):  # fmt: skip
        options = checked(
            lr=lr, weight_decay=weight_decay, foreach=foreach, maximize=maximize,
            differentiable=differentiable, capturable=capturable,
        )  # fmt: skip
        super().__init__(params, {**options, "lambd": lambd, "alpha": alpha, "t0": t0})

    def update(self, x, grad, state, group):
        lr, lambd = group["lr"], group["lambd"]
        step, average = start(state, x, "ax", eta=lr, mu=1.0)
        rate, weight = state["eta"]._data, state["mu"]._data
        grad, now = descent(x, grad, group), rate.item()
        x *= 1 - lambd * now
        x -= now * grad
        average += (x - average) * weight if weight != 1 else x - average
        rate[...] = lr / (1 + lambd * lr * step) ** group["alpha"]
        weight[...] = 1 / max(1, step - group["t0"])
