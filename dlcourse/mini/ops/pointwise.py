"""Pointwise operations: an output element depends on one element of each input (broadcast).

Un-broadcasting is the engine's business (`Function._fit`), so no `backward` here speaks of it.
"""

from dlcourse.mini._core import Tensor
from dlcourse.mini._dtype import get_default_dtype
from dlcourse.mini.ops.creation import zeros_like
from dlcourse.mini.ops.operation import (
    Op,
    arrays,
    as_tensor_operand,
    check_broadcast,
    float_array,
    masked,
    operands,
)

import numpy as np

# -- arithmetic ------------------------------------------------------------------------------------


class Add(Op):
    @staticmethod
    def forward(ctx, x, y):
        a, b = arrays(x, y)
        return Tensor(a + b)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output, grad_output


class Sub(Op):
    @staticmethod
    def forward(ctx, x, y):
        a, b = arrays(x, y)
        if a.dtype.kind == "b":
            raise RuntimeError(
                "Subtraction, the `-` operator, with two bool tensors is not supported. Use the "
                "`^` or `logical_xor()` operator instead."
            )
        return Tensor(a - b)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output, -grad_output if ctx.needs_input_grad[1] else None


class Rsub(Op):
    """number - x, under the name that torch gives its node."""

    overload = 1

    @staticmethod
    def forward(ctx, x, number):
        a, b = arrays(as_tensor_operand(number, x), x)
        return Tensor(a - b)

    @staticmethod
    def backward(ctx, grad_output):
        return -grad_output, None


class Mul(Op):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        a, b = arrays(x, y)
        return Tensor(a * b)

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
        return Tensor(a / b)

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        needs_x, needs_y = ctx.needs_input_grad
        grad_x = grad_output / y if needs_x else None
        grad_y = -grad_output * (x / y) / y if needs_y else None  # d(x/y)/dy = -x / y^2
        return grad_x, grad_y


def divisible(x, y):
    """The arrays of x and y; integers are not divided by 0."""
    a, b = arrays(x, y)
    if b.dtype.kind in "iu" and not b.all():
        raise RuntimeError("ZeroDivisionError")
    return a, b


class FloorDivide(Op):
    """The quotient rounded down."""

    def name(self):
        return "NotImplemented"

    @staticmethod
    def forward(ctx, x, y):
        return Tensor(np.floor_divide(*divisible(x, y)))

    @staticmethod
    def backward(ctx, grad_output):
        raise RuntimeError("derivative for floor_divide is not implemented")


class Remainder(Op):
    """What is left of x / y rounded down; it has the sign of y.  `overload` is torch's."""

    @staticmethod
    def forward(ctx, x, y, overload):
        ctx.save_for_backward(x, y)
        ctx.overload = overload
        return Tensor(np.remainder(*divisible(x, y)))

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        _, needs_y, _ = ctx.needs_input_grad
        whole = Tensor(np.floor_divide(x._data, y._data)) if needs_y else None
        return grad_output, -grad_output * whole if needs_y else None, None


class Neg(Op):
    @staticmethod
    def forward(ctx, x):
        if x._data.dtype.kind == "b":
            raise RuntimeError(
                "Negation, the `-` operator, on a bool tensor is not supported. If you are trying "
                "to invert a mask, use the `~` or `logical_not()` operator instead."
            )
        return Tensor(-x._data)

    @staticmethod
    def backward(ctx, grad_output):
        return -grad_output


class Reciprocal(Op):
    @staticmethod
    def forward(ctx, x):
        out = Tensor(np.reciprocal(float_array(x)))
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors
        return -grad_output * out * out  # d(1/x)/dx = -1 / x^2


class Pow(Op):
    """x ** n for a number n."""

    @staticmethod
    def forward(ctx, x, exponent):
        ctx.save_for_backward(x)
        ctx.exponent = exponent
        if x._data.dtype.kind in "iu" and isinstance(exponent, int) and exponent < 0:
            raise RuntimeError("Integers to negative integer powers are not allowed.")
        base = x._data if isinstance(exponent, int) else float_array(x)
        return Tensor(base * base if exponent == 2 else base**exponent)

    @staticmethod
    def backward(ctx, grad_output):
        (x,), n = ctx.saved_tensors, ctx.exponent
        if n == 0:
            return zeros_like(grad_output), None  # not n * x ** -1, which is NaN at 0
        return grad_output * (n * x ** (n - 1)), None


class PowTensor(Op):
    """x ** y for tensors."""

    def name(self):
        return "PowBackward1"

    @staticmethod
    def forward(ctx, x, y):
        a, b = arrays(x, y)
        out = Tensor(a**b)
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
        out = Tensor(np.exp(float_array(x)))
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
        return Tensor(np.log(float_array(x)))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output / x


class Sqrt(Op):
    @staticmethod
    def forward(ctx, x):
        out = Tensor(np.sqrt(float_array(x)))
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors
        return grad_output / (2 * out)


class Abs(Op):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return Tensor(np.abs(x._data))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * x.sign()  # 0 at 0


class Sign(Op):
    @staticmethod
    def forward(ctx, x):
        return Tensor(np.sign(x._data))

    @staticmethod
    def backward(ctx, grad_output):
        return zeros_like(grad_output)


class Sin(Op):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return Tensor(np.sin(float_array(x)))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * x.cos()


class Cos(Op):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return Tensor(np.cos(float_array(x)))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return -grad_output * x.sin()


class Tanh(Op):
    @staticmethod
    def forward(ctx, x):
        out = Tensor(np.tanh(float_array(x)))
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors
        return grad_output * (1 - out * out)


class Sigmoid(Op):
    @staticmethod
    def forward(ctx, x):
        out = Tensor(0.5 * (1 + np.tanh(0.5 * float_array(x))))  # the form that cannot overflow
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors
        return grad_output * (out * (1 - out))


class Relu(Op):
    @staticmethod
    def forward(ctx, x):
        out = Tensor(np.maximum(x._data, 0))
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors
        return Keep.apply(grad_output, out._data > 0)  # 0 at 0


class Clamp(Op):
    overload = 1

    @staticmethod
    def forward(ctx, x, low, high):
        if low is None and high is None:
            raise RuntimeError("clamp: At least one of 'min' or 'max' must not be None")
        ctx.save_for_backward(x)
        ctx.low, ctx.high = low, high
        out = x._data if low is None else np.maximum(x._data, low)
        return Tensor(out if high is None else np.minimum(out, high))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        inside = np.ones(x._data.shape, bool)
        if ctx.low is not None:
            inside &= x._data >= ctx.low
        if ctx.high is not None:
            inside &= x._data <= ctx.high
        return Keep.apply(grad_output, inside), None, None


class Keep(Op):
    """x where the array `mask` is true, else 0."""

    @staticmethod
    def forward(ctx, x, mask):
        ctx.mask = mask
        return Tensor(masked(x._data, mask))

    @staticmethod
    def backward(ctx, grad_output):
        return Keep.apply(grad_output, ctx.mask), None


# -- choosing --------------------------------------------------------------------------------------


class Where(Op):
    @staticmethod
    def forward(ctx, condition, x, y):
        if condition._data.dtype.kind != "b":
            raise RuntimeError(
                "where expected condition to be a boolean tensor, but got a tensor with dtype "
                f"{condition.dtype.scalar_type}"
            )
        ctx.save_for_backward(condition)
        a, b = arrays(x, y)
        check_broadcast(condition._data.shape, np.broadcast_shapes(a.shape, b.shape))
        return Tensor(np.where(condition._data, a, b))

    @staticmethod
    def backward(ctx, grad_output):
        (condition,) = ctx.saved_tensors
        _, needs_x, needs_y = ctx.needs_input_grad
        chosen = condition._data  # chosen, not multiplied: NaN * 0 is NaN
        return (
            None,
            Keep.apply(grad_output, chosen) if needs_x else None,
            Keep.apply(grad_output, ~chosen) if needs_y else None,
        )


class MaskedFill(Op):
    @staticmethod
    def forward(ctx, x, mask, value):
        if mask._data.dtype.kind != "b":
            raise RuntimeError(
                "masked_fill_ only supports boolean masks, but got mask with dtype "
                f"{mask.dtype.c_type}"
            )
        check_broadcast(mask._data.shape, x._data.shape)
        ctx.save_for_backward(mask)
        return Tensor(np.where(mask._data, np.asarray(value, x._data.dtype), x._data))

    @staticmethod
    def backward(ctx, grad_output):
        (mask,) = ctx.saved_tensors
        return Keep.apply(grad_output, ~mask._data), None, None


class Maximum(Op):
    """The larger; a tie splits the gradient evenly."""

    pick, loses = np.maximum, np.less

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return Tensor(ctx.pick(*arrays(x, y)))

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        shared = where(x == y, grad_output / 2, grad_output)
        return (
            Keep.apply(shared, ~ctx.loses(x._data, y._data)),
            Keep.apply(shared, ~ctx.loses(y._data, x._data)),
        )


class Minimum(Maximum):
    """The smaller; a tie splits the gradient evenly."""

    pick, loses = np.minimum, np.greater


class To(Op):
    """A change of dtype; torch calls its node ToCopyBackward0."""

    def name(self):
        return "ToCopyBackward0"

    @staticmethod
    def forward(ctx, x, dtype):
        ctx.dtype = x.dtype
        return Tensor(x._data.astype(dtype.numpy))

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.to(ctx.dtype), None


class Clone(Op):
    @staticmethod
    def forward(ctx, x):
        return Tensor(x._data.copy())

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# -- the functions that users call -----------------------------------------------------------------


def add(input, other, *, alpha=1):
    """input + alpha * other."""
    return Add.apply(*operands(input, other if alpha == 1 else alpha * other))


def sub(input, other, *, alpha=1):
    """input - alpha * other."""
    return Sub.apply(*operands(input, other if alpha == 1 else alpha * other))


def mul(input, other):
    """input * other, element by element."""
    return Mul.apply(*operands(input, other))


def div(input, other):
    """input / other, element by element; integers give floats."""
    return Div.apply(*operands(input, other))


def maximum(input, other):
    """The larger of the two tensors, element by element; a tie splits the gradient evenly."""
    return Maximum.apply(*operands(input, other))


def minimum(input, other):
    """The smaller of the two tensors, element by element; a tie splits the gradient evenly."""
    return Minimum.apply(*operands(input, other))


def rsub(input, other):
    """other - input."""
    return Rsub.apply(input, other)


def rdiv(input, other):
    """other / input."""
    return mul(reciprocal(input), other)


def pow(input, exponent):
    """input ** exponent; either may be a number."""
    if isinstance(input, Tensor) and isinstance(exponent, int | float):
        return Pow.apply(input, exponent)
    return PowTensor.apply(*operands(input, exponent))


def where(condition, input, other):
    """`input` where `condition`, else `other`.

    The branch that is not chosen gets gradient 0, even where it is NaN.
    """
    if not isinstance(input, Tensor) and not isinstance(other, Tensor):
        input = Tensor(np.asarray(input, np.result_type(type(input))))
        input = input.to(get_default_dtype()) if input.dtype.is_floating_point else input
    return Where.apply(condition, *operands(input, other))


def remainder(input, other):
    """input - other * floor(input / other), with the sign of `other`."""
    return Remainder.apply(*operands(input, other), int(isinstance(other, Tensor)))


def rpow(input, other):
    """other ** input."""
    return pow(other, input)


def square(input):
    """input ** 2."""
    return pow(input, 2)


def clamp(input, min=None, max=None):
    """`input` limited to [min, max], numbers."""
    # NB: in torch the bounds may be tensors, too.
    for bound in (min, max):
        if isinstance(bound, Tensor):
            raise TypeError(
                "mini's clamp takes numbers for min and max; for tensors use maximum and minimum"
            )
    return Clamp.apply(input, min, max)


def masked_fill(input, mask, value):
    """`input` with the number `value` where the boolean `mask` is True."""
    return MaskedFill.apply(input, mask, value.item() if isinstance(value, Tensor) else value)


def floor_divide(input, other):
    """The quotient rounded down; it has no derivative, as in torch."""
    return FloorDivide.apply(*operands(input, other))


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
clone = unary(Clone, "A copy; gradients flow back through it.")
