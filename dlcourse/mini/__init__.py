"""mini: a small torch on NumPy.  `from dlcourse import mini` reads like `import torch`."""

from dlcourse.mini import autograd, nn, ops, optim, utils
from dlcourse.mini._core import Tensor
from dlcourse.mini._dtype import (
    Size, double, dtype, float16, float32, float64, get_default_dtype, half, int8, int16, int32, int64, long,
    set_default_dtype, short, uint8,
)  # fmt: skip
from dlcourse.mini._dtype import bool_ as bool
from dlcourse.mini._dtype import float_ as float
from dlcourse.mini._dtype import int_ as int
from dlcourse.mini._grad_mode import (
    enable_grad, inference_mode, is_grad_enabled, is_inference_mode_enabled, no_grad, set_grad_enabled,
)  # fmt: skip
from dlcourse.mini.ops.creation import Generator, default_generator

globals().update(ops.FUNCTIONS)
globals().update(ops.FREE)


def is_tensor(obj):
    """Whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)


def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether |input - other| <= atol + rtol * |other| everywhere."""
    import numpy as np

    return np.allclose(input._data, other._data, rtol, atol, equal_nan).__bool__()


def equal(input, other):
    """Whether both have the same shape and the same elements."""
    import numpy as np

    return np.array_equal(input._data, other._data).__bool__()
