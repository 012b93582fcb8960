"""Functions of two and three tensors, element by element, beyond + - * / and **."""

import math

from dlcourse.mini import _dtype
from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.choose import only_tensors
from dlcourse.mini.ops.creation import zeros_like
from dlcourse.mini.ops.operation import (
    OfTwo,
    Op,
    arrays,
    as_tensor_operand,
    check_kernel,
    number_last,
    operands,
    plain,
    result_dtype,
)
from dlcourse.mini.ops.pointwise import Remainder, divisible, pow
from dlcourse.mini.ops.special import Xlogy

import numpy as np


def float_arrays(x, y):
    """The arrays in the type of the result; integers become the default float type."""
    a, b = arrays(x, y)
    if a.dtype.kind == "f":
        return a, b
    default = _dtype.get_default_dtype().numpy
    return a.astype(default), b.astype(default)


# -- angles and lengths ----------------------------------------------------------------------------


class Atan2(Op):
    @staticmethod
    def forward(ctx, y, x):
        ctx.save_for_backward(y, x)
        return wrap(np.arctan2(*float_arrays(y, x)))

    @staticmethod
    def backward(ctx, grad_output):
        y, x = ctx.saved_tensors
        share = grad_output / (x * x + y * y)
        return share * x, -share * y


class Hypot(Op):
    @staticmethod
    def forward(ctx, x, y):
        a, b = arrays(x, y)
        check_kernel("hypot_cpu", a.dtype)
        out = wrap(np.hypot(a, b))
        ctx.save_for_backward(x, y, out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        x, y, out = ctx.saved_tensors
        share = grad_output / out
        return share * x, share * y


# -- division and its remains ----------------------------------------------------------------------


class Fmod(Op):
    """What is left of x / y rounded towards 0; it has the sign of x.  `overload` is torch's."""

    _asks_for = staticmethod(Remainder._asks_for)

    @staticmethod
    def forward(ctx, x, y, overload):
        a, b = divisible(x, y, "fmod_cpu")
        ctx.save_for_backward(x, y)
        ctx.overload = overload
        return wrap(np.fmod(a, b))

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        _, needs_y, _ = ctx.needs_input_grad
        whole = wrap(np.trunc(x._data / y._data)) if needs_y else None
        return grad_output, -grad_output * whole if needs_y else None, None


# -- signs --------------------------------------------------------------------------------------


class Copysign(Op):
    """The size of x with the sign of y."""

    @staticmethod
    def forward(ctx, x, y, overload):
        ctx.save_for_backward(x)
        ctx.overload = overload
        ctx.out = np.copysign(*float_arrays(x, y))
        return wrap(ctx.out)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        # +1 where the sign stayed, -1 where it changed, 0 at 0
        ratio = np.where(x._data == 0, 0, np.sign(ctx.out) * np.sign(x._data))
        grad_x = grad_output * wrap(ratio.astype(ctx.out.dtype))
        return grad_x, zeros_like(grad_output) if ctx.needs_input_grad[1] else None, None


class Heaviside(Op):
    """0 below 0, 1 above, y at 0."""

    def name(self):
        return "NotImplemented"

    @staticmethod
    def forward(ctx, x, y):
        if x._data.dtype != y._data.dtype:
            raise RuntimeError(
                "heaviside is not yet implemented for tensors with different dtypes."
            )
        return wrap(np.where(x._data == 0, y._data, x._data > 0).astype(x._data.dtype))

    @staticmethod
    def backward(ctx, grad_output):
        raise RuntimeError("derivative for heaviside is not implemented")


# -- logarithms of sums ----------------------------------------------------------------------------


class Logaddexp(OfTwo):
    """`log(e ** x + e ** y)`, without overflow."""

    compute, base = np.logaddexp, math.e

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        return (
            grad_output / (1 + pow(ctx.base, y - x)),
            grad_output / (1 + pow(ctx.base, x - y)),
        )


class Logaddexp2(Logaddexp):
    """`log2(2 ** x + 2 ** y)`, without overflow."""

    compute, base = np.logaddexp2, 2.0


# -- three tensors ---------------------------------------------------------------------------------


class Lerp(Op):
    """`start + weight * (end - start)`.  `overload` is torch's: 0 for a number as the weight."""

    @staticmethod
    def _asks_for(needs_start, needs_end, needs_weight, _):
        return needs_weight, needs_weight, needs_start or needs_end

    @staticmethod
    def forward(ctx, start, end, weight, overload):
        ctx.save_for_backward(start, end, weight)
        ctx.overload = overload
        for name, other in (("end", end), ("weight", weight)):
            if other.dtype is not start.dtype and (name == "end" or other._data.ndim):
                raise RuntimeError(
                    f"expected dtype {start.dtype.c_type} for `{name}` but got dtype "
                    f"{other.dtype.c_type}"
                )
        check_kernel(f"lerp_kernel_{'tensor' if weight._data.ndim else 'scalar'}", end._data.dtype)
        a, b = arrays(start, end)
        return wrap(a + weight._data.astype(a.dtype, copy=False) * (b - a))

    @staticmethod
    def backward(ctx, grad_output):
        start, end, weight = ctx.saved_tensors
        needs_start, needs_end, needs_weight, _ = ctx.needs_input_grad
        return (
            grad_output * (1 - weight) if needs_start else None,
            grad_output * weight if needs_end else None,
            grad_output * (end - start) if needs_weight else None,
            None,
        )


class Addcmul(Op):
    """`x + value * y * z`."""

    @staticmethod
    def _asks_for(needs_x, needs_y, needs_z, _):
        return needs_z, needs_y

    @staticmethod
    def forward(ctx, x, y, z, value):
        ctx.save_for_backward(y, z)
        ctx.value = value
        b, c = arrays(y, z)
        a, product = arrays(x, wrap(np.asarray(b * c)))
        check_kernel("addcmul_cpu_out", a.dtype, "iuf")
        return wrap(a + (product if value == 1 else value * product).astype(a.dtype))

    @staticmethod
    def backward(ctx, grad_output):
        y, z = ctx.saved_tensors
        _, needs_y, needs_z, _ = ctx.needs_input_grad
        scaled = grad_output * ctx.value
        return grad_output, scaled * z if needs_y else None, scaled * y if needs_z else None, None


class Addcdiv(Op):
    """`x + value * y / z`."""

    @staticmethod
    def _asks_for(needs_x, needs_y, needs_z, _):
        return needs_z, True

    @staticmethod
    def forward(ctx, x, y, z, value):
        b, c = arrays(y, z)
        if b.dtype.kind != "f":
            raise RuntimeError(
                "Integer division with addcdiv is no longer supported, and in a future  release "
                "addcdiv will perform a true division of tensor1 and tensor2. The historic addcdiv "
                "behavior can be implemented as (input + value * torch.trunc(tensor1 / tensor2))."
                "to(input.dtype) for integer inputs and as (input + value * tensor1 / tensor2) for "
                "float inputs. The future addcdiv behavior is just the latter implementation: "
                "(input + value * tensor1 / tensor2), for all dtypes."
            )
        ctx.save_for_backward(y, z)
        ctx.value = value
        a, quotient = arrays(x, wrap(np.asarray(b / c)))
        return wrap(a + value * quotient)

    @staticmethod
    def backward(ctx, grad_output):
        y, z = ctx.saved_tensors
        _, needs_y, needs_z, _ = ctx.needs_input_grad
        scaled = grad_output * ctx.value / z
        grad_y = scaled if needs_y else None
        return grad_output, grad_y, -scaled * y / z if needs_z else None, None


# -- the functions that users call -----------------------------------------------------------------


def atan2(input, other):
    """The angle of the point (other, input), between -pi and pi."""
    return Atan2.apply(*only_tensors("atan2", input, other))


arctan2 = atan2


def hypot(input, other):
    """`sqrt(input ** 2 + other ** 2)`."""
    return Hypot.apply(*only_tensors("hypot", input, other))


def fmod(input, other):
    """The remainder of input / other, with the sign of `input`."""
    return Fmod.apply(*operands(input, other), int(isinstance(other, Tensor)))


def copysign(input, other):
    """The size of `input` with the sign of `other`."""
    return Copysign.apply(*operands(input, other), int(not isinstance(other, Tensor)))


def logaddexp(input, other):
    """`log(exp(input) + exp(other))`, without overflow."""
    return _of_floats("logaddexp", Logaddexp, input, other)


def logaddexp2(input, other):
    """`log2(2 ** input + 2 ** other)`, without overflow."""
    return _of_floats("logaddexp2", Logaddexp2, input, other)


def _of_floats(name, operation, input, other):
    x, y = only_tensors(name, input, other)
    check_kernel(f"{name}_cpu", result_dtype(x, y))
    return operation.apply(x, y)


def xlogy(input, other):
    """`input * log(other)`, and 0 where `input` is 0."""
    overload = 2 if not isinstance(other, Tensor) else int(not isinstance(input, Tensor))
    x, y = operands(input, other)
    a, b = float_arrays(x, y)
    x = x if x._data.dtype == a.dtype else wrap(a)
    return Xlogy.apply(x, y if y._data.dtype == b.dtype else wrap(b), overload)


def float_power(input, exponent):
    """`input ** exponent` in float64."""
    parts = [v.double() if isinstance(v, Tensor) else v for v in (input, exponent)]
    if not isinstance(input, Tensor):
        parts[0] = float(input)
    return pow(*parts)


def float_power_(self, exponent):
    """`input ** exponent`, written into this tensor of float64."""
    if self.dtype is not _dtype.float64:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {self.dtype.scalar_type} but the "
            "operation's result requires dtype Double"
        )
    return self.pow_(exponent)


def ldexp(input, other):
    """`input * 2 ** other`."""
    # NB: in torch it is one node, LdexpBackward0.
    if isinstance(other, Tensor) and isinstance(input, Tensor) and input.dtype.is_floating_point:
        check_kernel("ldexp_cpu_exp", other._data.dtype, "iuf")
        other = other if other.dtype.is_floating_point else other.to(input.dtype)
    return input * pow(2.0, other)


def heaviside(input, values):
    """0 below 0, 1 above, `values` at 0; it has no derivative, as in torch."""
    return Heaviside.apply(input, values)


def lerp(input, end, weight):
    """`input + weight * (end - input)`, for a number or a tensor as the weight."""
    overload = int(isinstance(weight, Tensor))
    return Lerp.apply(input, end, as_tensor_operand(weight, input), overload)


def addcmul(input, tensor1, tensor2, *third, value=1):
    """`input + value * tensor1 * tensor2`."""
    if third:
        tensor1, tensor2, value = number_last("addcmul", "value", (tensor1, tensor2, *third), 3)
    return Addcmul.apply(input, tensor1, tensor2, value)


def addcdiv(input, tensor1, tensor2, *third, value=1):
    """`input + value * tensor1 / tensor2`."""
    if third:
        tensor1, tensor2, value = number_last("addcdiv", "value", (tensor1, tensor2, *third), 3)
    return Addcdiv.apply(input, tensor1, tensor2, plain(value))
