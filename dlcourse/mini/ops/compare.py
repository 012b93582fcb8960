"""Questions about whole tensors, answered by a Python bool."""

from dlcourse.mini._core import Tensor
from dlcourse.mini.ops.operation import check_broadcast

import numpy as np


def is_tensor(obj):
    """Whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)


def equal(input, other):
    """Whether both have the same shape and the same elements."""
    return bool(np.array_equal(input._data, other._data))


def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether |input - other| <= atol + rtol * |other| everywhere."""
    if input._data.dtype != other._data.dtype:
        raise RuntimeError(f"{input.dtype.scalar_type} did not match {other.dtype.scalar_type}")
    check_broadcast(input._data.shape, other._data.shape)
    return bool(np.allclose(input._data, other._data, rtol, atol, equal_nan))
