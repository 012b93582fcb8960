"""Comparisons and logic, to tensors without gradient."""

from dlcourse.mini._core import Tensor
from dlcourse.mini._dtype import from_numpy_dtype
from dlcourse.mini.ops.operation import arrays, operands

import numpy as np


def compare(name, ufunc):
    """A comparison as a function of two operands, to a boolean tensor."""

    def comparison(input, other):
        return Tensor(ufunc(*arrays(*operands(input, other))))

    comparison.__name__, comparison.__doc__ = name, f"Whether input {name} other, one by one."
    return comparison


def bitwise(name, ufunc):
    """A bitwise operation on integers, on booleans a logical one."""

    def operation(input, other):
        a, b = arrays(*operands(input, other))
        if a.dtype.kind == "f":
            kind = from_numpy_dtype(a.dtype).scalar_type
            raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{kind}'")
        return Tensor(ufunc(a, b))

    operation.__name__, operation.__doc__ = name, f"`{name}`; on booleans the logical operation."
    return operation


eq, ne = compare("eq", np.equal), compare("ne", np.not_equal)
lt, le = compare("lt", np.less), compare("le", np.less_equal)
gt, ge = compare("gt", np.greater), compare("ge", np.greater_equal)
bitwise_and = bitwise("bitwise_and", np.bitwise_and)
bitwise_or = bitwise("bitwise_or", np.bitwise_or)
bitwise_xor = bitwise("bitwise_xor", np.bitwise_xor)


def invert(input):
    """~input: of booleans their negation, of integers all bits turned."""
    if input._data.dtype.kind == "f":
        raise TypeError(
            "~ (operator.invert) is only implemented on integer and Boolean-type tensors"
        )
    return Tensor(~input._data)


def logical_not(input):
    """Whether each element is 0."""
    return Tensor(np.logical_not(input._data))


def isnan(input):
    """Whether each element is NaN."""
    return Tensor(np.isnan(input._data))


def isfinite(input):
    """Whether each element is neither infinite nor NaN."""
    return Tensor(np.isfinite(input._data))
