"""Comparisons and logic, to tensors without gradient."""

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.choose import only_tensors
from dlcourse.mini.ops.operation import arrays, check_broadcast, check_kernel, operands

import numpy as np

# -- comparisons -----------------------------------------------------------------------------------


def compare(name, sign, ufunc):
    """A comparison as a function of two operands, to a boolean tensor."""

    def comparison(input, other):
        return wrap(ufunc(*arrays(*operands(input, other))))

    comparison.__name__ = name
    comparison.__doc__ = f"Whether input {sign} other, element by element."
    return comparison


eq, ne = compare("eq", "==", np.equal), compare("ne", "!=", np.not_equal)
lt, le = compare("lt", "<", np.less), compare("le", "<=", np.less_equal)
gt, ge = compare("gt", ">", np.greater), compare("ge", ">=", np.greater_equal)
not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge


def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether |input - other| <= atol + rtol * |other|, element by element."""
    if input._data.dtype != other._data.dtype:
        raise RuntimeError(f"{input.dtype.scalar_type} did not match {other.dtype.scalar_type}")
    check_broadcast(input._data.shape, other._data.shape)
    return wrap(np.asarray(np.isclose(input._data, other._data, rtol, atol, equal_nan)))


def isin(elements, test_elements, *, assume_unique=False, invert=False):
    """Whether each of `elements` is among `test_elements`."""
    for v in (elements, test_elements):
        if isinstance(v, Tensor) and v._data.dtype.kind == "b":
            raise RuntimeError("Unsupported input type encountered for isin(): Bool")
    values, among = (v._data if isinstance(v, Tensor) else v for v in (elements, test_elements))
    found = np.isin(values, among, assume_unique=assume_unique, invert=invert)
    return wrap(np.asarray(found))


# -- what kind of number ---------------------------------------------------------------------------


def question(name, ufunc, doc):
    """A property of each element, as a function to a boolean tensor."""

    def ask(input):
        return wrap(np.asarray(ufunc(input._data)))

    ask.__name__, ask.__doc__ = name, doc
    return ask


isnan = question("isnan", np.isnan, "Whether each element is NaN.")
isinf = question("isinf", np.isinf, "Whether each element is infinite.")
isfinite = question("isfinite", np.isfinite, "Whether each element is neither infinite nor NaN.")
isposinf = question("isposinf", lambda a: a == np.inf, "Whether each element is +infinity.")
isneginf = question("isneginf", lambda a: a == -np.inf, "Whether each element is -infinity.")
isreal = question("isreal", np.isreal, "Whether each element is real: in mini all are.")
signbit = question(
    "signbit",
    lambda a: np.signbit(a) if a.dtype.kind == "f" else a < 0,
    "Whether each element has a minus, -0.0 too.",
)
logical_not = question("logical_not", np.logical_not, "Whether each element is 0.")

# -- logic: what is not 0 is true ------------------------------------------------------------------


def logical(name, true, ufunc):
    """A logical operation of two tensors of any type."""

    def operation(input, other):
        return wrap(ufunc(*arrays(*only_tensors(name, input, other))))

    operation.__name__ = name
    operation.__doc__ = f"Whether {true} true, element by element; what is not 0 is true."
    return operation


logical_and = logical("logical_and", "both are", np.logical_and)
logical_or = logical("logical_or", "one or both are", np.logical_or)
logical_xor = logical("logical_xor", "exactly one is", np.logical_xor)

# -- bits ------------------------------------------------------------------------------------------


def whole(name, ufunc, doc, kinds="bui"):
    """An operation on integers, and, where `kinds` has "b", on booleans."""

    def operation(input, other):
        a, b = arrays(*operands(input, other))
        check_kernel(f"{name}_cpu", a.dtype, kinds)
        return wrap(np.asarray(ufunc(a, b)))

    operation.__name__, operation.__doc__ = name, doc
    return operation


def bitwise(name, which, ufunc):
    """A bitwise operation on integers, on booleans a logical one."""
    return whole(name, ufunc, f"The bits that {which}; on booleans the logical operation.")


bitwise_and = bitwise("bitwise_and", "both have", np.bitwise_and)
bitwise_or = bitwise("bitwise_or", "one or both have", np.bitwise_or)
bitwise_xor = bitwise("bitwise_xor", "exactly one has", np.bitwise_xor)
bitwise_left_shift = whole("lshift", np.left_shift, "All bits to the left by `other`.", "ui")
bitwise_right_shift = whole("rshift", np.right_shift, "All bits to the right by `other`.", "ui")
gcd = whole("gcd", np.gcd, "The greatest common divisor.", "ui")
lcm = whole("lcm", np.lcm, "The least common multiple.", "ui")


def reverse_left_shift(input, other):
    """other << input."""
    return bitwise_left_shift(other, input)


def reverse_right_shift(input, other):
    """other >> input."""
    return bitwise_right_shift(other, input)


def invert(input):
    """~input: of booleans their negation, of integers all bits turned."""
    if input._data.dtype.kind == "f":
        raise TypeError(
            "~ (operator.invert) is only implemented on integer and Boolean-type tensors"
        )
    return wrap(~input._data)


def bitwise_not(input):
    """All bits turned; of booleans the negation."""
    check_kernel("bitwise_not_cpu", input._data.dtype, "bui")
    return wrap(~input._data)
