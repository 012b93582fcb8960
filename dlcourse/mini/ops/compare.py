"""Questions about whole tensors and types, answered by a Python bool or a dtype."""

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._dtype import from_numpy_dtype
from dlcourse.mini.ops.operation import as_tensor_operand, check_broadcast, promote, result_dtype

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


# -- types -----------------------------------------------------------------------------------------


def promote_types(type1, type2):
    """The dtype that holds both; a float beats an integer whatever their widths."""
    return from_numpy_dtype(promote(type1.numpy, type2.numpy))


def result_type(tensor1, tensor2):
    """The dtype of an operation on the two, of which each is a tensor or a number."""
    like = next((t for t in (tensor1, tensor2) if isinstance(t, Tensor)), None)
    like = wrap(np.zeros((), np.int64)) if like is None else like
    return from_numpy_dtype(result_dtype(*[as_tensor_operand(t, like) for t in (tensor1, tensor2)]))


def can_cast(from_, to):
    """Whether the kind of `to` (boolean, integer, float) holds that of `from_`."""
    return from_.priority <= to.priority
