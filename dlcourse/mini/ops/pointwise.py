"""Pointwise operations: each output element depends on one element of each input (after broadcasting).

Un-broadcasting is the engine's business (`Function._fit`), so no `backward` here speaks of it.
"""

import numpy as np

from dlcourse.mini._core import Function, Tensor
from dlcourse.mini._dtype import from_numpy_dtype, get_default_dtype


class Op(Function):
    """A built-in operation; torch names its node after it, with the number of the overload."""

    overload = 0

    def name(self):
        return f"{type(self).__name__}Backward{self.overload}"


# -- type promotion --------------------------------------------------------------------------------------------


def as_tensor_operand(x, other):
    """A Python number beside the tensor `other`: its kind counts, its width does not (3.0 leaves float32 alone)."""
    if isinstance(x, Tensor):
        return x
    if isinstance(x, bool | np.bool_):
        return Tensor(np.asarray(x))
    mine = other._data.dtype
    if isinstance(x, int | np.integer):
        return Tensor(np.asarray(x, np.int64 if mine.kind == "b" else mine))
    if isinstance(x, float | np.floating):
        return Tensor(np.asarray(x, mine if mine.kind == "f" else get_default_dtype().numpy))
    raise TypeError(
        f"unsupported operand type: expected a Tensor or a number, got {type(x).__name__}"
    )


def result_dtype(x, y):
    """The NumPy dtype of x (op) y.  A tensor with dimensions outranks a 0-d one of the same kind, as in torch."""
    a, b = x._data.dtype, y._data.dtype
    if a == b:
        return a
    kind_a, kind_b = from_numpy_dtype(a).priority, from_numpy_dtype(b).priority
    if (x._data.ndim > 0) != (y._data.ndim > 0):
        strong, kind_s, weak, kind_w = (
            (a, kind_a, b, kind_b) if x._data.ndim else (b, kind_b, a, kind_a)
        )
        return strong if kind_s >= kind_w else weak
    if kind_a != kind_b:  # float beats integer, whatever the widths
        return a if kind_a > kind_b else b
    return np.promote_types(a, b)


def arrays(x, y):
    """The two arrays in the type of the result."""
    a, b = x._data, y._data
    if a.dtype == b.dtype:
        return a, b
    dtype = result_dtype(x, y)
    return a.astype(dtype, copy=False), b.astype(dtype, copy=False)


def float_array(x):
    """Integers and booleans become the default float type, as torch does for exp, mean of a division and the like."""
    return x._data if x._data.dtype.kind == "f" else x._data.astype(get_default_dtype().numpy)


def masked(array, mask):
    """`array` where `mask`, else 0.

    By bits, because np.where branches at every element (14 times slower on a random mask), and
    because inf * 0 is not 0.
    """
    integer = np.dtype(f"i{array.itemsize}")
    bits = np.array(mask, integer)
    np.negative(bits, out=bits)  # 1 becomes all ones
    return np.asarray(array.view(integer) & bits).view(array.dtype)


# -- arithmetic ------------------------------------------------------------------------------------------------


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
                "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
                "`logical_xor()` operator instead."
            )
        return Tensor(a - b)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output, -grad_output if ctx.needs_input_grad[1] else None


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
        with np.errstate(all="ignore"):
            return Tensor(a / b)

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        needs_x, needs_y = ctx.needs_input_grad
        grad_x = grad_output / y if needs_x else None
        grad_y = -grad_output * (x / y) / y if needs_y else None  # d(x/y)/dy = -x / y^2
        return grad_x, grad_y


class Neg(Op):
    @staticmethod
    def forward(ctx, x):
        if x._data.dtype.kind == "b":
            raise RuntimeError(
                "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, "
                "use the `~` or `logical_not()` operator instead."
            )
        return Tensor(-x._data)

    @staticmethod
    def backward(ctx, grad_output):
        return -grad_output


class Pow(Op):
    """x ** n for a number n."""

    @staticmethod
    def forward(ctx, x, exponent):
        ctx.save_for_backward(x)
        ctx.exponent = exponent
        if x._data.dtype.kind in "iu" and isinstance(exponent, int) and exponent < 0:
            raise RuntimeError("Integers to negative integer powers are not allowed.")
        base = x._data if isinstance(exponent, int) else float_array(x)
        with np.errstate(all="ignore"):
            return Tensor(base * base if exponent == 2 else base**exponent)

    @staticmethod
    def backward(ctx, grad_output):
        (x,), n = ctx.saved_tensors, ctx.exponent
        if n == 0:
            return grad_output * 0, None  # not n * x ** -1, which is NaN at 0
        return grad_output * (n * x ** (n - 1)), None


class PowTensor(Op):
    """x ** y for tensors; named PowBackward1 as in torch."""

    overload = 1

    def name(self):
        return "PowBackward1"

    @staticmethod
    def forward(ctx, x, y):
        a, b = arrays(x, y)
        with np.errstate(all="ignore"):
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


# -- functions of one tensor -----------------------------------------------------------------------------------


class Exp(Op):
    @staticmethod
    def forward(ctx, x):
        with np.errstate(over="ignore"):
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
        with np.errstate(all="ignore"):
            return Tensor(np.log(float_array(x)))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output / x


class Sqrt(Op):
    @staticmethod
    def forward(ctx, x):
        with np.errstate(invalid="ignore"):
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
        return grad_output * 0


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
    @staticmethod
    def forward(ctx, x, low, high):
        if low is None and high is None:
            raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
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


# -- choosing --------------------------------------------------------------------------------------------------


class Where(Op):
    @staticmethod
    def forward(ctx, condition, x, y):
        if condition._data.dtype.kind != "b":
            raise RuntimeError(
                f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype}"
            )
        ctx.save_for_backward(condition)
        a, b = arrays(x, y)
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
                + mask.dtype.name
            )
        ctx.save_for_backward(mask)
        return Tensor(np.where(mask._data, np.asarray(value, x._data.dtype), x._data))

    @staticmethod
    def backward(ctx, grad_output):
        (mask,) = ctx.saved_tensors
        return Keep.apply(grad_output, ~mask._data), None, None


class Maximum(Op):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return Tensor(np.maximum(*arrays(x, y)))

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        half = grad_output / 2  # a tie splits the gradient evenly
        return (
            where(x == y, half, grad_output.masked_fill(x < y, 0.0)),
            where(x == y, half, grad_output.masked_fill(x > y, 0.0)),
        )


def minimum(x, y):
    """The smaller of x and y, element by element."""
    return -Maximum.apply(-x, -y)


class To(Op):
    """A change of dtype; torch calls its node ToCopyBackward0."""

    def name(self):
        return "ToCopyBackward0"

    @staticmethod
    def forward(ctx, x, dtype):
        ctx.dtype = x.dtype
        with np.errstate(invalid="ignore"):
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


# -- the functions that users call -----------------------------------------------------------------------------


def _pair(x, y):
    if type(x) is Tensor and type(y) is Tensor:
        return x, y
    if isinstance(x, Tensor):
        return x, as_tensor_operand(y, x)
    return as_tensor_operand(x, y), y


def add(input, other, *, alpha=1):
    """input + alpha * other."""
    return Add.apply(*_pair(input, other if alpha == 1 else alpha * other))


def sub(input, other, *, alpha=1):
    """input - alpha * other."""
    return Sub.apply(*_pair(input, other if alpha == 1 else alpha * other))


def mul(input, other):
    """input * other, element by element."""
    return Mul.apply(*_pair(input, other))


def div(input, other):
    """input / other, element by element; integers give floats."""
    return Div.apply(*_pair(input, other))


def maximum(input, other):
    """The larger of the two tensors, element by element; a tie splits the gradient evenly."""
    return Maximum.apply(*_pair(input, other))


def pow(input, exponent):
    """input ** exponent; either may be a number."""
    if isinstance(input, Tensor) and isinstance(exponent, int | float):
        return Pow.apply(input, exponent)
    return PowTensor.apply(*_pair(input, exponent))


def where(condition, input, other):
    """`input` where `condition`, else `other`; a branch that is not chosen gets gradient 0, even beside NaN."""
    if not isinstance(input, Tensor) and not isinstance(other, Tensor):
        input = Tensor(np.asarray(input, np.result_type(type(input))))
        input = input.to(get_default_dtype()) if input.dtype.is_floating_point else input
    return Where.apply(condition, *_pair(input, other))


def clamp(input, min=None, max=None):
    """`input` limited to [min, max], numbers."""
    for bound in (min, max):
        if isinstance(bound, Tensor):
            raise TypeError(
                "mini's clamp takes numbers for min and max; for tensors use maximum and minimum"
            )
    return Clamp.apply(input, min, max)


def masked_fill(input, mask, value):
    """`input` with the number `value` where the boolean `mask` is True."""
    return MaskedFill.apply(input, mask, value.item() if isinstance(value, Tensor) else value)


def compare(ufunc):
    """A comparison as a function of two operands, to a boolean tensor without gradient."""

    def comparison(input, other):
        x, y = _pair(input, other)
        return Tensor(ufunc(*arrays(x, y)))

    return comparison


def logical(ufunc):
    """A bitwise or logical operation on booleans and integers, without gradient."""

    def operation(input, other):
        x, y = _pair(input, other)
        a, b = arrays(x, y)
        if a.dtype.kind == "f":
            raise RuntimeError(
                f'"{ufunc.__name__}" not implemented for {from_numpy_dtype(a.dtype)}'
            )
        return Tensor(ufunc(a, b))

    return operation


def floor_divide(input, other):
    """The quotient rounded down; no gradient flows (it is 0 almost everywhere)."""
    x, y = _pair(input, other)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Tensor(np.floor_divide(*arrays(x, y)))
