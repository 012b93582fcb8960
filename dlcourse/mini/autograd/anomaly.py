"""Anomaly detection: which operation's backward made the first NaN, and where it was called."""

import traceback
import warnings

from dlcourse.mini._core import Function

import numpy as np


class _Watch:
    """What the engine calls while the detection is on."""

    def __init__(self, check_nan):
        self.check_nan = check_nan

    @staticmethod
    def note(node):
        """Keep where in the user's program the operation was called."""
        node._called_at = traceback.extract_stack()[:-3]  # without note, _record and apply

    def check(self, node, grad_inputs):
        """Raise if one of the gradients that `node` returns holds a NaN."""
        for i, grad in enumerate(grad_inputs if self.check_nan else ()):
            if grad is None or not np.isnan(grad._data).any():
                continue
            called_at = getattr(node, "_called_at", None)
            where = (
                "No forward pass information available. Enable detect anomaly during forward pass "
                "for more information."
                if called_at is None
                else "Traceback of forward call that caused the error:\n"
                + "".join(traceback.format_list(called_at))
            )
            warnings.warn(f"Error detected in {node.name()}. {where}", stacklevel=2)
            raise RuntimeError(f"Function '{node.name()}' returned nan values in its {i}th output.")


def is_anomaly_enabled():
    """Whether the detection is on."""
    return Function._watch is not None


class set_detect_anomaly:
    """The detection on or off: acts at once as a function, until the end of the block in a `with`.

    `check_nan=False` keeps where operations were called, and raises nothing.
    """

    def __init__(self, mode, check_nan=True):
        self.previous = Function._watch
        Function._watch = _Watch(check_nan) if mode else None

    def __enter__(self):
        return None

    def __exit__(self, *exc):
        Function._watch = self.previous


class detect_anomaly(set_detect_anomaly):
    """Within it a backward that makes NaN raises; a warning tells where its forward was called.

    Slow: for looking for the fault alone.
    """

    def __init__(self, check_nan=True):
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should "
            "only be enabled for debugging.",
            stacklevel=2,
        )
        self.previous, self.check_nan = Function._watch, check_nan

    def __enter__(self):
        self.previous, Function._watch = Function._watch, _Watch(self.check_nan)
