"""Pointwise operations: an output element depends on one element of each input (broadcast).

Un-broadcasting is the engine's business (`Function._fit`), so no `backward` here speaks of it.
"""

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._dtype import from_numpy_dtype, get_default_dtype, preserve_format
from dlcourse.mini.ops.creation import zeros_like
from dlcourse.mini.ops.operation import (
    Op,
    arrays,
    as_tensor_operand,
    check_kernel,
    each_for_the_other,
    float_array,
    masked,
    number_last,
    operands,
    plain,
    result_dtype,
    summands,
)

import numpy as np

# -- arithmetic ------------------------------------------------------------------------------------


class Add(Op):
    _number_nr = 0

    @staticmethod
    def forward(ctx, x, y):
        a, b = arrays(x, y)
        return wrap(a + b)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output, grad_output


def subtractable(x, y):
    """The arrays of x and y, neither of them of booleans."""
    if type(y) is float:
        return arrays(x, y)
    kinds = x._data.dtype.kind + y._data.dtype.kind
    if "b" in kinds:
        which, instead = "a bool tensor", "If you are trying to invert a mask, use the `~` or "
        if kinds == "bb":
            which, instead = "two bool tensors", "Use the `^` or "
        raise RuntimeError(
            f"Subtraction, the `-` operator, with {which} is not supported. {instead}"
            f"`logical_{'xor' if kinds == 'bb' else 'not'}()` operator instead."
        )
    return arrays(x, y)


class Sub(Op):
    _number_nr = 0

    @staticmethod
    def forward(ctx, x, y):
        a, b = subtractable(x, y)
        return wrap(a - b)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output, -grad_output if ctx.needs_input_grad[1] else None


class Rsub(Op):
    """`number - x`, under the name that torch gives its node."""

    overload = 1

    @staticmethod
    def forward(ctx, x, number):
        a, b = subtractable(as_tensor_operand(number, x), x)
        return wrap(a - b)

    @staticmethod
    def backward(ctx, grad_output):
        return -grad_output, None


class Mul(Op):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        a, b = arrays(x, y)
        return wrap(a * b)

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        needs_x, needs_y = ctx.needs_input_grad
        return grad_output * y if needs_x else None, grad_output * x if needs_y else None


class Div(Op):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        a, b = arrays(x, y)
        if a.dtype.kind != "f":
            a, b = a.astype(get_default_dtype().numpy), b.astype(get_default_dtype().numpy)
        return wrap(a / b)

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        needs_x, needs_y = ctx.needs_input_grad
        grad_x = grad_output / y if needs_x else None
        grad_y = -grad_output * (x / y) / y if needs_y else None  # d(x/y)/dy = -x / y^2
        return grad_x, grad_y


def divisible(x, y, kernel):
    """The arrays of x and y; integers are not divided by 0, and booleans not at all."""
    a, b = arrays(x, y)
    check_kernel(kernel, a.dtype, "iuf")
    if b.dtype.kind in "iu" and not b.all():
        raise RuntimeError("ZeroDivisionError")
    return a, b


class FloorDivide(Op):
    """The quotient rounded down."""

    def name(self):
        return "NotImplemented"

    @staticmethod
    def forward(ctx, x, y):
        return wrap(np.floor_divide(*divisible(x, y, "div_floor_cpu")))

    @staticmethod
    def backward(ctx, grad_output):
        raise RuntimeError("derivative for floor_divide is not implemented")


class DivRounded(Op):
    """`x / y`, rounded by `rounding`: a step function, so the gradients are 0."""

    def name(self):
        return "DivBackward2"

    @staticmethod
    def forward(ctx, x, y, rounding):
        a, b = divisible(x, y, f"div_{rounding}_cpu")
        if rounding == "floor":
            out = np.where(b == 0, a / b, np.floor_divide(a, b)) if a.dtype.kind == "f" else a // b
        elif a.dtype.kind == "f":
            out = np.trunc(a / b)
        else:
            out = np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))
        return wrap(np.asarray(out, a.dtype))

    @staticmethod
    def backward(ctx, grad_output):
        zeros = zeros_like(grad_output)
        return zeros, zeros, None


class Remainder(Op):
    """What is left of x / y rounded down; it has the sign of y.  `overload` is torch's."""

    @staticmethod
    def forward(ctx, x, y, overload):
        ctx.save_for_backward(x, y)
        ctx.overload = overload
        return wrap(np.remainder(*divisible(x, y, "remainder_cpu")))

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        _, needs_y, _ = ctx.needs_input_grad
        whole = wrap(np.floor_divide(x._data, y._data)) if needs_y else None
        return grad_output, -grad_output * whole if needs_y else None, None


class Neg(Op):
    @staticmethod
    def forward(ctx, x):
        if x._data.dtype.kind == "b":
            raise RuntimeError(
                "Negation, the `-` operator, on a bool tensor is not supported. If you are trying "
                "to invert a mask, use the `~` or `logical_not()` operator instead."
            )
        return wrap(-x._data)

    @staticmethod
    def backward(ctx, grad_output):
        return -grad_output


class Reciprocal(Op):
    @staticmethod
    def forward(ctx, x):
        out = wrap(np.reciprocal(float_array(x)))
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors
        return -grad_output * out * out  # d(1/x)/dx = -1 / x^2


class Pow(Op):
    """`x ** n` for a number n."""

    @staticmethod
    def forward(ctx, x, exponent):
        ctx.save_for_backward(x)
        ctx.exponent = exponent
        if x._data.dtype.kind in "iu" and isinstance(exponent, int) and exponent < 0:
            raise RuntimeError("Integers to negative integer powers are not allowed.")
        base = x._data if isinstance(exponent, int) else float_array(x)
        if base.dtype.kind == "b":
            out = base.astype(np.int64) ** int(exponent)
            return wrap(out.astype(bool) if isinstance(exponent, bool) else out)
        return wrap(base * base if exponent == 2 else base**exponent)

    @staticmethod
    def backward(ctx, grad_output):
        (x,), n = ctx.saved_tensors, ctx.exponent
        if n == 0:
            return zeros_like(grad_output), None  # not n * x ** -1, which is NaN at 0
        return grad_output * (n * x ** (n - 1)), None


class PowTensor(Op):
    """`x ** y` for tensors."""

    def name(self):
        return "PowBackward1"

    @staticmethod
    def forward(ctx, x, y):
        a, b = arrays(x, y)
        check_kernel("pow", a.dtype, "iuf")
        out = wrap(a**b)
        ctx.save_for_backward(x, y, out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        x, y, out = ctx.saved_tensors
        needs_x, needs_y = ctx.needs_input_grad
        grad_x = grad_output * (y * x ** (y - 1)).masked_fill(y == 0, 0.0) if needs_x else None
        # d(x^y)/dy = x^y log x, and 0 where x = 0 <= y: the limit, not 0 * -inf
        dead = (x == 0) & (y >= 0)
        grad_y = grad_output * (out * x.log()).masked_fill(dead, 0.0) if needs_y else None
        return grad_x, grad_y


# -- functions of one tensor -----------------------------------------------------------------------


class Exp(Op):
    @staticmethod
    def forward(ctx, x):
        out = wrap(np.exp(float_array(x)))
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors
        return grad_output * out  # dL/dx = dL/dy * exp(x)


class Log(Op):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return wrap(np.log(float_array(x)))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output / x


class Sqrt(Op):
    @staticmethod
    def forward(ctx, x):
        out = wrap(np.sqrt(float_array(x)))
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors
        return grad_output / (2 * out)


class Abs(Op):
    @staticmethod
    def forward(ctx, x):
        check_kernel("abs_cpu", x._data.dtype, "iuf")
        ctx.save_for_backward(x)
        return wrap(np.abs(x._data))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * x.sign()  # 0 at 0


class Sign(Op):
    @staticmethod
    def forward(ctx, x):
        array = x._data
        if array.dtype.kind == "b":
            return wrap(array.copy())
        return wrap(np.subtract(array > 0, array < 0, dtype=array.dtype))  # of NaN: 0

    @staticmethod
    def backward(ctx, grad_output):
        return zeros_like(grad_output)


class Sin(Op):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return wrap(np.sin(float_array(x)))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * x.cos()


class Cos(Op):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return wrap(np.cos(float_array(x)))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return -grad_output * x.sin()


class Tanh(Op):
    @staticmethod
    def forward(ctx, x):
        out = wrap(np.tanh(float_array(x)))
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors
        return grad_output * (1 - out * out)


class Sigmoid(Op):
    @staticmethod
    def forward(ctx, x):
        x = float_array(x)
        e = np.exp(-np.abs(x))  # at most 1: no overflow, and no digit of a small result is lost
        out = wrap(np.where(x < 0, e, 1) / (1 + e))
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors
        return grad_output * (out * (1 - out))


class Relu(Op):
    @staticmethod
    def forward(ctx, x):
        if x._data.dtype.kind == "b":
            raise RuntimeError("Boolean inputs not supported for relu")
        out = wrap(np.maximum(x._data, 0))
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors
        return Keep.apply(grad_output, out._data > 0)  # 0 at 0


class Keep(Op):
    """x where the array `mask` is true, else 0."""

    @staticmethod
    def forward(ctx, x, mask):
        ctx.mask = mask
        return wrap(masked(x._data, mask))

    @staticmethod
    def backward(ctx, grad_output):
        return Keep.apply(grad_output, ctx.mask), None


class To(Op):
    """A change of dtype; torch calls its node ToCopyBackward0."""

    def name(self):
        return "ToCopyBackward0"

    @staticmethod
    def forward(ctx, x, dtype):
        ctx.dtype = x.dtype
        return wrap(x._data.astype(dtype.numpy))

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.to(ctx.dtype), None


class Clone(Op):
    @staticmethod
    def forward(ctx, x, memory_format):
        return wrap(memory_format.arranged(x._data))

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output, None


# Their backward is + - * / alone, and so right for arrays as it is for Tensors.
for op in (Add, Sub, Neg, Mul, Div, Reciprocal, Exp, Log, Sqrt, Tanh, Sigmoid):
    op._of_arrays = True
# What stands beside a constant alone may change: only the constant is asked for.
Mul._asks_for = staticmethod(each_for_the_other)
Div._asks_for = staticmethod(lambda needs_x, needs_y: (needs_y, True))
Remainder._asks_for = staticmethod(lambda needs_x, needs_y, _: (needs_y, needs_y))


# -- the functions that users call -----------------------------------------------------------------


def add(input, other, *second, alpha=1):
    """`input + alpha * other`."""
    if second:
        other, alpha = number_last("add", "alpha", (other, *second), 2)
    x, y = summands(input, other)
    if alpha != 1 or alpha is True:
        y = scaled(alpha, *operands(x, y))
    return Add.apply(x, y)


def scaled(alpha, x, y):
    """`alpha * y` in the type of x + y, which alpha must fit."""
    dtype = from_numpy_dtype(result_dtype(x, y))
    if isinstance(alpha, bool) and dtype.name != "bool":
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if isinstance(alpha, float) and not dtype.is_floating_point:
        raise RuntimeError(
            "For integral input tensors, argument alpha must not be a floating point number."
        )
    return (y.to(dtype) * alpha).to(dtype)


def sub(input, other, *second, alpha=1):
    """`input - alpha * other`."""
    if second:
        other, alpha = number_last("sub", "alpha", (other, *second), 2)
    x, y = summands(input, other)
    if alpha != 1 or alpha is True:
        x, y = operands(x, y)
        subtractable(x, y)
        y = scaled(alpha, x, y)
    return Sub.apply(x, y)


subtract = sub


def mul(input, other):
    """`input * other`, element by element."""
    return Mul.apply(*operands(input, other))


def div(input, other, *, rounding_mode=None):
    """`input / other`, element by element; integers give floats.

    `rounding_mode`: "trunc" rounds towards 0, "floor" down; then integers stay integers.
    """
    if rounding_mode is None:
        return true_divide(input, other)
    if rounding_mode not in ("trunc", "floor"):
        raise RuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
            f"'{rounding_mode}'"
        )
    return DivRounded.apply(*operands(input, other), rounding_mode)


multiply = mul
divide = div


def true_divide(input, other):
    """`input / other`, element by element; integers give floats."""
    # In the type of the quotient: beside integers 300 would go round in theirs.
    input, other = [float(v) if isinstance(v, int | np.integer) else v for v in (input, other)]
    return Div.apply(*operands(input, other))


def rsub(input, other, *, alpha=1):
    """`other - alpha * input`."""
    if isinstance(other, Tensor):
        return sub(other, input, alpha=alpha)
    if alpha != 1 or alpha is True:
        number = as_tensor_operand(other, input)
        subtractable(number, input)
        input = scaled(alpha, number, input)
    return Rsub.apply(input, other)


def rdiv(input, other):
    """`other / input`."""
    return mul(reciprocal(input), other)


def pow(input, exponent):
    """`input ** exponent`; either may be a number."""
    if isinstance(input, Tensor) and isinstance(exponent, int | float):
        return Pow.apply(input, plain(exponent))
    return PowTensor.apply(*operands(input, exponent))


def remainder(input, other):
    """`input - other * floor(input / other)`, with the sign of `other`."""
    return Remainder.apply(*operands(input, other), int(isinstance(other, Tensor)))


def rpow(input, other):
    """`other ** input`."""
    return pow(other, input)


def square(input):
    """`input ** 2`."""
    return pow(input, 2)


def floor_divide(input, other):
    """The quotient rounded down; it has no derivative, as in torch."""
    return FloorDivide.apply(*operands(input, other))


def rfloor_divide(input, other):
    """`other // input`."""
    return floor_divide(other, input)


def rremainder(input, other):
    """other % input."""
    return remainder(other, input)


# -- functions of one tensor, by their operation


def unary(op, doc):
    """An operation of one tensor as a function."""

    def function(input):
        return op.apply(input)

    function.__name__, function.__doc__ = op.__name__.lower(), doc
    return function


neg = unary(Neg, "-input.")
exp = unary(Exp, "e ** input.")
log = unary(Log, "The natural logarithm.")
sqrt = unary(Sqrt, "The square root.")
reciprocal = unary(Reciprocal, "1 / input.")
abs = unary(Abs, "The absolute value; gradient 0 at 0.")
sign = unary(Sign, "-1, 0 or 1.")
sin = unary(Sin, "The sine.")
cos = unary(Cos, "The cosine.")
tanh = unary(Tanh, "The hyperbolic tangent.")
sigmoid = unary(Sigmoid, "1 / (1 + exp(-input)).")
relu = unary(Relu, "max(input, 0); gradient 0 at 0.")


def clone(input, *, memory_format=preserve_format):
    """A copy; gradients flow back through it."""
    return Clone.apply(input, memory_format)


negative = neg
absolute = abs
