"""Whether operations are recorded: no_grad, enable_grad, set_grad_enabled, inference_mode."""

import contextvars
import functools
import threading

import numpy as np


class _GradMode(threading.local):
    """The setting of this thread."""

    enabled = True
    inference = False
    quiet = False  # inside `quietly`
    context = None


grad_mode = _GradMode()


def quietly(function, *args):
    """function(*args) while NumPy says nothing: 1 / 0 is inf and inf - inf is nan, as in torch.

    NumPy keeps this setting in a context variable.  To run in a context that was prepared once
    takes a tenth of the time of `np.errstate`, which every operation would pay.
    """
    if grad_mode.quiet:
        return function(*args)
    if grad_mode.context is None:
        grad_mode.context = contextvars.copy_context()
        grad_mode.context.run(np.seterr, all="ignore")
    grad_mode.quiet = True
    try:
        return grad_mode.context.run(function, *args)
    finally:
        grad_mode.quiet = False


class _Mode:
    """A context manager that is a decorator, too: `with no_grad():` and `@no_grad()`."""

    def __call__(self, function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with self._again():
                return function(*args, **kwargs)

        return wrapped

    def __exit__(self, *exc):
        grad_mode.enabled, grad_mode.inference = self.previous.pop()


class set_grad_enabled(_Mode):
    """Recording on or off: acts at once as a function, until the end of the block in a `with`."""

    def __init__(self, mode):
        self.previous = [(grad_mode.enabled, grad_mode.inference)]
        self.mode = grad_mode.enabled = bool(mode)

    def _again(self):
        return type(self)(self.mode)

    def __call__(self, function):
        grad_mode.enabled = self.previous[0][0]  # used as a decorator: the mode holds inside only
        return super().__call__(function)

    def __enter__(self):
        grad_mode.enabled = self.mode
        return self


class no_grad(_Mode):
    """Within it nothing is recorded, so results have `requires_grad=False`."""

    enabled, inference = False, None

    def __new__(cls, *args, **kwargs):
        mode = super().__new__(cls)
        if not args or not callable(args[0]):
            return mode
        mode.__init__()  # `@no_grad` without parentheses
        return mode(args[0])

    def __init__(self):
        self.previous = []

    def _again(self):
        return type(self)()

    def __enter__(self):
        self.previous.append((grad_mode.enabled, grad_mode.inference))
        grad_mode.enabled = self.enabled
        if self.inference is not None:
            grad_mode.inference = self.inference
        return self


class enable_grad(no_grad):
    """Within it operations are recorded, even inside `no_grad()`."""

    enabled = True


class inference_mode(no_grad):
    """`no_grad()` whose tensors may never enter a graph: they keep no version counter."""

    def __init__(self, mode=True):
        super().__init__()
        self.mode = self.inference = bool(mode)
        self.enabled = not mode

    def _again(self):
        return inference_mode(self.mode)


def is_grad_enabled():
    return grad_mode.enabled


def is_inference_mode_enabled():
    return grad_mode.inference
