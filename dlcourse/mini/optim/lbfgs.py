"""L-BFGS (Liu and Nocedal 1989), with the line search of Nocedal and Wright 2006, chapter 3."""

import math

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._grad_mode import enable_grad, no_grad
from dlcourse.mini.ops.inplace import note_write
from dlcourse.mini.optim.optimizer import Optimizer, check, plain

import numpy as np


class LBFGS(Optimizer):
    """A quasi-Newton method: the last changes of x and of its gradient stand for the Hessian.

    `step(closure)` makes up to `max_iter` iterations; each calls the closure once, or several times
    with `line_search_fn="strong_wolfe"`.  Only one group of parameters is allowed.
    """

    def __init__(
        self, params, lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7,
        tolerance_change=1e-9, history_size=100, line_search_fn=None,
    ):  # fmt: skip
        if isinstance(lr, Tensor) and lr._data.size != 1:
            raise ValueError("Tensor lr must be 1-element")
        check(lr, lr >= 0, "learning rate")
        max_eval = max_iter * 5 // 4 if max_eval is None else max_eval
        options = {"lr": lr, "max_iter": max_iter, "max_eval": max_eval}
        options |= {"tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change}
        options |= {"history_size": history_size, "line_search_fn": line_search_fn}
        super().__init__(params, options)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    # -- all parameters as one vector --------------------------------------------------------------

    @property
    def _params(self):
        return self.param_groups[0]["params"]

    def _gradient(self):
        parts = [np.zeros_like(p._data) if p._grad is None else p._grad._data for p in self._params]
        return np.concatenate([part.ravel() for part in parts])

    def _move(self, length, direction, origin=None):
        """`x = origin + length * direction`; the origin is where x is unless given."""
        offset = 0
        for i, param in enumerate(self._params):
            if origin is not None:
                param._data[...] = origin[i]
            part = direction[offset : offset + param._data.size]
            param._data[...] += length * part.reshape(param._data.shape)
            offset += param._data.size
            note_write(param)

    # -- the step ----------------------------------------------------------------------------------

    @no_grad()
    def step(self, closure):
        """Minimise what `closure` gives.

        It clears the gradients, computes the loss, calls backward and returns the loss.
        Returns the loss before the step.
        """
        closure = enable_grad()(closure)
        with np.errstate(all="ignore"):
            return self._step(closure, plain(self.param_groups[0]))

    def _step(self, closure, group):
        memory = self.state[self._params[0]]
        memory.setdefault("func_evals", 0)
        memory.setdefault("n_iter", 0)
        first_loss = closure()
        memory["func_evals"] += 1
        loss, grad, evaluations = float(first_loss), self._gradient(), 1
        if np.abs(grad).max() <= group["tolerance_grad"]:
            return first_loss
        for iteration in range(1, group["max_iter"] + 1):
            memory["n_iter"] += 1
            direction = self._direction(memory, grad, group["history_size"])
            previous, memory["prev_loss"] = loss, loss
            memory["prev_flat_grad"] = wrap(grad.copy())
            length = group["lr"]
            if memory["n_iter"] == 1:
                length *= min(1.0, 1.0 / float(np.abs(grad).sum()))
            memory["d"], memory["t"] = wrap(direction), length
            slope = float(grad @ direction)
            if slope > -group["tolerance_change"]:
                break
            last = iteration == group["max_iter"]
            if group["line_search_fn"] is not None:
                found = self._search(
                    closure, length, direction, (loss, grad, slope), group, evaluations
                )
                loss, grad, length, calls = found
                memory["t"] = length
            else:
                self._move(length, direction)
                calls = 0 if last else 1  # after the last step nobody asks for the loss
                if calls:
                    loss, grad = float(closure()), self._gradient()
            evaluations += calls
            memory["func_evals"] += calls
            if (
                last
                or evaluations >= group["max_eval"]
                or np.abs(grad).max() <= group["tolerance_grad"]
                or np.abs(direction * length).max() <= group["tolerance_change"]
                or abs(loss - previous) < group["tolerance_change"]
            ):
                break
        return first_loss

    @staticmethod
    def _direction(memory, grad, history_size):
        """-H grad for the inverse Hessian H that the history implies (the two-loop recursion)."""
        if memory["n_iter"] == 1:
            memory.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return -grad
        dirs, steps, inverses = memory["old_dirs"], memory["old_stps"], memory["ro"]
        y = grad - memory["prev_flat_grad"]._data  # the change of the gradient
        s = memory["d"]._data * _number(memory["t"])  # the change of x
        ys = y @ s
        if ys > 1e-10:
            if len(dirs) == history_size:
                for kept in (dirs, steps, inverses):
                    kept.pop(0)
            dirs.append(wrap(y))
            steps.append(wrap(s))
            inverses.append(wrap(np.asarray(1 / ys)))
            memory["H_diag"] = wrap(np.asarray(ys / (y @ y)))
        history = [
            (s._data, y._data, r._data) for s, y, r in zip(steps, dirs, inverses, strict=True)
        ]
        q, alphas = -grad, memory.setdefault("al", [None] * history_size)
        for i in reversed(range(len(history))):
            s, y, r = history[i]
            alpha = (s @ q) * r
            alphas[i] = wrap(np.asarray(alpha))
            q = q - alpha * y
        q = q * _number(memory["H_diag"])
        for i, (s, y, r) in enumerate(history):
            q = q + (alphas[i]._data - (y @ q) * r) * s
        return q

    def _search(self, closure, length, direction, at, group, evaluations):
        """(loss, gradient, length, calls of the closure) at the end of the line search."""
        if group["line_search_fn"] != "strong_wolfe":
            raise RuntimeError("only 'strong_wolfe' is supported")
        origin = [p._data.copy() for p in self._params]

        def evaluate(length):
            self._move(length, direction, origin)
            loss, grad = float(closure()), self._gradient()
            return Point(length, loss, grad, float(grad @ direction))

        loss, grad, slope = at
        found, calls = strong_wolfe(
            evaluate, length, Point(0, loss, grad, slope), float(np.abs(direction).max()),
            max_calls=group["max_eval"] - evaluations,
        )  # fmt: skip
        self._move(found.length, direction, origin)
        return found.loss, found.grad, found.length, calls


def _number(value):
    return value.item() if isinstance(value, Tensor) else value


# -- the line search -------------------------------------------------------------------------------


class Point:
    """A length on the line, with the loss, its gradient and its slope there."""

    def __init__(self, length, loss, grad, slope):
        self.length, self.loss, self.grad, self.slope = length, loss, grad, slope


def cubic_minimum(a, b, bounds=None):
    """Where the cubic through two points, with their slopes, is lowest, kept within bounds."""
    if a.length > b.length:
        a, b = b, a
    low, high = bounds or (a.length, b.length)
    width = b.length - a.length
    if width == 0:
        return (low + high) / 2
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    d2 = math.sqrt(square)
    bottom = b.slope - a.slope + 2 * d2
    where = b.length - width * ((b.slope + d2 - d1) / bottom) if bottom else math.inf
    return min(max(where, low), high)


def strong_wolfe(evaluate, length, start, largest, max_calls, c1=1e-4, c2=0.9, tolerance=1e-9):
    """A point where the loss fell enough and the slope flattened enough, and the calls it took.

    loss <= start.loss + c1 * length * start.slope and |slope| <= c2 * |start.slope|.
    """

    def too_high(point):
        return point.loss > start.loss + c1 * point.length * start.slope

    def flat(point):
        return abs(point.slope) <= -c2 * start.slope

    # First walk on until two points hold such a one between them.
    previous, point, calls, tries = start, evaluate(length), 1, 0
    bracket = None
    while tries < max_calls:
        if too_high(point) or (tries > 1 and point.loss >= previous.loss):
            bracket = [previous, point]
        elif flat(point):
            return point, calls
        elif point.slope >= 0:
            bracket = [previous, point]
        if bracket:
            break
        bounds = point.length + 0.01 * (point.length - previous.length), point.length * 10
        next_length = cubic_minimum(previous, point, bounds)
        previous, point = point, evaluate(next_length)
        calls, tries = calls + 1, tries + 1
    low, high = sorted(bracket or [start, point], key=lambda p: p.loss)
    # Then narrow that interval, a lowest point and another, until the lowest satisfies both.
    stuck = False
    while tries < max_calls and abs(high.length - low.length) * largest >= tolerance:
        left, right = sorted((low.length, high.length))
        length, margin = cubic_minimum(low, high), 0.1 * (right - left)
        if min(right - length, length - left) < margin:  # too near an end to learn from
            if stuck or length >= right or length <= left:
                length = right - margin if right - length < length - left else left + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        point = evaluate(length)
        calls, tries = calls + 1, tries + 1
        if too_high(point) or point.loss >= low.loss:
            low, high = sorted((low, point), key=lambda p: p.loss)
        elif flat(point):
            return point, calls
        else:
            if point.slope * (high.length - low.length) >= 0:
                high = low
            low = point
    return low, calls
