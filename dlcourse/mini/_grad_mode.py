"""Whether operations are recorded: no_grad, enable_grad, set_grad_enabled, inference_mode."""

import contextvars
import functools
import threading

import numpy as np


class _Setting:
    """The setting of one thread."""

    __slots__ = ("context", "enabled", "inference", "levels", "quiet")

    def __init__(self):
        self.enabled, self.inference = True, False
        self.quiet = False  # inside `context`
        self.levels = ()  # of func.vmap, which watch what is drawn and written
        self.context = contextvars.copy_context()  # in which NumPy says nothing: see `quietly`
        self.context.run(np.seterr, all="ignore")


class _Thread(threading.local):
    """`here.mode` is the setting of the thread that asks."""

    def __init__(self):
        self.mode = _Setting()


here = _Thread()


def quietly(function, *args):
    """function(*args) while NumPy says nothing: 1 / 0 is inf and inf - inf is nan, as in torch.

    NumPy keeps this setting in a context variable.  To run in a context that was prepared once
    takes a tenth of the time of `np.errstate`, which every operation would pay.
    """
    mode = here.mode
    if mode.quiet:
        return function(*args)
    mode.quiet = True
    try:
        return mode.context.run(function, *args)
    finally:
        mode.quiet = False


class _Mode:
    """A context manager that is a decorator, too: `with no_grad():` and `@no_grad()`."""

    def __call__(self, function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with self._again():
                return function(*args, **kwargs)

        return wrapped

    def __exit__(self, *exc):
        here.mode.enabled, here.mode.inference = self.previous.pop()


class set_grad_enabled(_Mode):
    """Recording on or off: acts at once as a function, until the end of the block in a `with`."""

    def __init__(self, mode):
        self.previous = [(here.mode.enabled, here.mode.inference)]
        self.mode = here.mode.enabled = bool(mode)

    def _again(self):
        return type(self)(self.mode)

    def __call__(self, function):
        here.mode.enabled = self.previous[0][0]  # used as a decorator: the mode holds inside only
        return super().__call__(function)

    def __enter__(self):
        here.mode.enabled = self.mode
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
        self.previous.append((here.mode.enabled, here.mode.inference))
        here.mode.enabled = self.enabled
        if self.inference is not None:
            here.mode.inference = self.inference
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
    """Whether operations are recorded here."""
    return here.mode.enabled


def is_inference_mode_enabled():
    """Whether this is inside `inference_mode`."""
    return here.mode.inference
