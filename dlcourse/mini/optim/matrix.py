"""Optimisers that see a weight as a matrix: Adafactor and Muon.

Sources: Shazeer and Stern 2018; Jordan et al. 2024.
"""

import math

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.optim.optimizer import Optimizer, check_ways, count

import numpy as np


def check(value, ok, what):
    """The sentence that torch's newer optimisers refuse an option with."""
    if not ok:
        raise ValueError(f"{what} but is: {value}")


def check_lr(lr):
    if isinstance(lr, Tensor) and lr._data.size != 1:
        raise ValueError("Tensor lr must be 1-element")
    check(lr, lr >= 0, "Learning rate should be >= 0")


def rms(array):
    """The root of the mean of the squares."""
    return float(np.linalg.norm(np.ravel(array))) / math.sqrt(array.size)


class Adafactor(Optimizer):
    """Adam without momentum that keeps, of a matrix, only row and column means of its squares.

    The rate is relative to the size of x: `max(eps[1], rms(x)) * min(lr, 1 / sqrt(step))`; a change
    whose rms exceeds `d` is scaled down to it.
    """

    def __init__(
        self, params, lr=1e-2, beta2_decay=-0.8, eps=(None, 1e-3), d=1.0, weight_decay=0.0, *,
        foreach=None, maximize=False,
    ):  # fmt: skip
        check_lr(lr)
        check(beta2_decay, beta2_decay <= 0, "beta2_decay should be <= 0")
        check(eps[0], eps[0] is None or eps[0] >= 0, "epsilon1 should be >= 0")
        check(eps[1], eps[1] >= 0, "epsilon2 should be >= 0")
        check(d, d >= 1, "Clipping threshold d should be >= 1")
        check(weight_decay, weight_decay >= 0, "weight_decay should be >= 0")
        check_ways(foreach)
        options = {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d}
        options |= {"weight_decay": weight_decay, "foreach": foreach, "maximize": maximize}
        super().__init__(params, options)

    def update(self, x, grad, state, group):
        lr, (eps1, eps2) = group["lr"], group["eps"]
        eps1 = np.finfo(x.dtype).eps.item() if eps1 is None else eps1
        grad = -grad if group["maximize"] else grad
        if not state:
            state["step"] = count()
            state.update(self._averages(x))
        state["step"]._data += 1
        step = state["step"]._data.item()
        rate = max(eps2, rms(x)) * min(lr, 1 / math.sqrt(step))
        if group["weight_decay"]:
            x *= 1 - lr * group["weight_decay"]
        variance = self._variance(grad * grad, state, step ** group["beta2_decay"], eps1)
        change = grad / np.sqrt(np.maximum(variance, eps1 * eps1))
        x -= rate / max(1.0, rms(change) / group["d"]) * change

    @staticmethod
    def _averages(x):
        if x.ndim < 2:
            return {"variance": wrap(np.zeros_like(x))}
        rows, columns = (*x.shape[:-1], 1), (*x.shape[:-2], 1, x.shape[-1])
        shapes = {"row_var": rows, "col_var": columns}
        return {name: wrap(np.zeros(shape, x.dtype)) for name, shape in shapes.items()}

    @staticmethod
    def _variance(squares, state, weight, eps1):
        """The mean of the squares: of a matrix the product of those of rows and columns."""
        if squares.ndim < 2:
            mean = state["variance"]._data
            mean += weight * (squares - mean)
            return mean
        rows, columns = state["row_var"]._data, state["col_var"]._data
        rows += weight * (squares.mean(-1, keepdims=True) - rows)
        columns += weight * (squares.mean(-2, keepdims=True) - columns)
        return rows @ columns / np.maximum(rows.mean(-2, keepdims=True), eps1)


def orthogonalized(matrix, coefficients, steps, eps):
    """The matrix with all singular values near 1, by `steps` Newton-Schulz iterations.

    X <- a X + (b A + c A A) X with A = X X^T, on the wide side.
    """
    # NB: in torch the products of the iteration are in bfloat16; in mini in the type of the
    # parameter.
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / max(np.linalg.norm(x), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if tall else x


class Muon(Optimizer):
    """SGD with momentum whose change of a matrix is made orthogonal; for 2-D parameters alone.

    `adjust_lr_fn`: "original" scales lr by `sqrt(max(1, rows / columns))`, "match_rms_adamw" by
    `0.2 * sqrt(max(rows, columns))`, so that rates found for AdamW fit.
    """

    def __init__(
        self, params, lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True,
        ns_coefficients=(3.4445, -4.775, 2.0315), eps=1e-7, ns_steps=5, adjust_lr_fn=None,
    ):  # fmt: skip
        check_lr(lr)
        check(momentum, momentum >= 0, "momentum should be >= 0")
        check(weight_decay, weight_decay >= 0, "weight decay should be >= 0")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        options = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum}
        options |= {"nesterov": nesterov, "ns_coefficients": ns_coefficients, "eps": eps}
        super().__init__(params, {**options, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn})
        for param in (p for group in self.param_groups for p in group["params"]):
            if param._data.ndim != 2:
                raise ValueError(
                    "Muon only supports 2D parameters whereas we found a parameter with size: "
                    f"{param.shape}"
                )

    def update(self, x, grad, state, group):
        lr, momentum = group["lr"], group["momentum"]
        if not state:
            state["momentum_buffer"] = wrap(np.zeros_like(x))
        mean = state["momentum_buffer"]._data
        mean += (1 - momentum) * (grad - mean)
        change = grad + momentum * (mean - grad) if group["nesterov"] else mean
        change = orthogonalized(change, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, columns = x.shape
        if group["adjust_lr_fn"] == "match_rms_adamw":
            scale = 0.2 * math.sqrt(max(rows, columns))
        else:
            scale = math.sqrt(max(1, rows / columns))
        x *= 1 - lr * group["weight_decay"]
        x -= lr * scale * change
