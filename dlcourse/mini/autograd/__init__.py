"""Derivatives, and the tools around them, under the names of torch.autograd."""

from dlcourse.mini._core import Function
from dlcourse.mini._grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from dlcourse.mini.autograd import function, functional
from dlcourse.mini.autograd.anomaly import detect_anomaly, set_detect_anomaly
from dlcourse.mini.autograd.gradients import (
    GradcheckError,
    backward,
    grad,
    gradcheck,
    gradgradcheck,
)
from dlcourse.mini.autograd.variable import Variable

__all__ = [
    "Function", "GradcheckError", "Variable", "backward", "detect_anomaly", "enable_grad",
    "function", "functional", "grad", "gradcheck", "gradgradcheck", "inference_mode",
    "is_grad_enabled", "no_grad", "set_detect_anomaly", "set_grad_enabled",
]  # fmt: skip
