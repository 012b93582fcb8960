"""Functions of one tensor, element by element: logarithms, powers, trigonometry, hyperbolic ones.

Each is a NumPy function and its slope.  A slope that is simplest in the result is taken from it.
"""

import math

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.choose import where
from dlcourse.mini.ops.creation import zeros_like
from dlcourse.mini.ops.operation import Op, float_array
from dlcourse.mini.ops.pointwise import Sign, unary

import numpy as np

LN2, LN10 = math.log(2), math.log(10)


class Unary(Op):
    """`y = compute(x)` in floats; dy/dx = slope(x), or slope(y) where `of_result`."""

    of_result = False

    @staticmethod
    def forward(ctx, x):
        out = wrap(np.asarray(ctx.compute(float_array(x))))
        ctx.save_for_backward(out if ctx.of_result else x)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (saved,) = ctx.saved_tensors
        return grad_output * ctx.slope(saved)


# -- exponentials and logarithms -------------------------------------------------------------------


class Exp2(Unary):
    compute, of_result = np.exp2, True

    @staticmethod
    def slope(y):
        return y * LN2


class Expm1(Unary):
    compute, of_result = np.expm1, True

    @staticmethod
    def slope(y):
        return y + 1


class Log1P(Unary):
    compute = np.log1p

    @staticmethod
    def slope(x):
        return 1 / (x + 1)


class Log2(Unary):
    compute = np.log2

    @staticmethod
    def slope(x):
        return 1 / (x * LN2)


class Log10(Unary):
    compute = np.log10

    @staticmethod
    def slope(x):
        return 1 / (x * LN10)


class Rsqrt(Unary):
    of_result = True

    @staticmethod
    def compute(array):
        return 1 / np.sqrt(array)

    @staticmethod
    def slope(y):
        return -0.5 * y**3


class Logit(Op):
    """`log(x / (1 - x))`, the inverse of sigmoid; `eps` keeps x within [eps, 1 - eps]."""

    @staticmethod
    def forward(ctx, x, eps):
        ctx.save_for_backward(x)
        ctx.eps, array = eps, float_array(x)
        if eps is not None:
            array = np.clip(array, eps, 1 - eps)
        return wrap(np.log(array / (1 - array)))

    @staticmethod
    def backward(ctx, grad_output):
        (x,), low = ctx.saved_tensors, ctx.eps or 0.0
        outside = wrap((x._data < low) | (x._data > 1 - low))
        fill = math.nan if ctx.eps is None else 0.0
        return (grad_output / (x * (1 - x))).masked_fill(outside, fill), None


# -- trigonometry ----------------------------------------------------------------------------------


class Tan(Unary):
    compute, of_result = np.tan, True

    @staticmethod
    def slope(y):
        return 1 + y * y


class Asin(Unary):
    compute = np.arcsin

    @staticmethod
    def slope(x):
        return rsqrt(1 - x * x)


class Acos(Unary):
    compute = np.arccos

    @staticmethod
    def slope(x):
        return -rsqrt(1 - x * x)


class Atan(Unary):
    compute = np.arctan

    @staticmethod
    def slope(x):
        return 1 / (x * x + 1)


class Sinc(Op):
    """`sin(pi x) / (pi x)`, and 1 at 0."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return wrap(np.asarray(np.sinc(float_array(x))))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        z = x * math.pi
        slope = (z * z.cos() - z.sin()) / (z * x)
        return where(x == 0, 0.0, grad_output * slope)


# -- hyperbolic functions --------------------------------------------------------------------------


class Sinh(Unary):
    compute = np.sinh

    @staticmethod
    def slope(x):
        return cosh(x)


class Cosh(Unary):
    compute = np.cosh

    @staticmethod
    def slope(x):
        return sinh(x)


class Asinh(Unary):
    compute = np.arcsinh

    @staticmethod
    def slope(x):
        return rsqrt(x * x + 1)


class Acosh(Unary):
    compute = np.arccosh

    @staticmethod
    def slope(x):
        return rsqrt(x * x - 1)


class Atanh(Unary):
    compute = np.arctanh

    @staticmethod
    def slope(x):
        return 1 / (1 - x * x)


# -- rounding: steps, so the gradient is 0 ---------------------------------------------------------


def refuse_bool(x, name):
    """Rounding and the like are not for booleans."""
    if x._data.dtype.kind == "b":
        raise NotImplementedError(f"\"{name}\" not implemented for 'Bool'")


class Step(Op):
    """A piecewise constant function; an integer is rounded already."""

    @staticmethod
    def forward(ctx, x):
        refuse_bool(x, f"{type(ctx).__name__.lower()}_vml_cpu")
        array = x._data
        return wrap(np.asarray(ctx.compute(array)) if array.dtype.kind == "f" else array.copy())

    @staticmethod
    def backward(ctx, grad_output):
        return zeros_like(grad_output)


class Floor(Step):
    compute = np.floor


class Ceil(Step):
    compute = np.ceil


class Trunc(Step):
    compute = np.trunc


class Round(Step):
    """To the nearest; halves go to the even neighbour."""

    compute = np.rint


class RoundDecimals(Op):
    """To so many decimals; of a negative number to tens, hundreds, ..."""

    def name(self):
        return "RoundBackward1"

    @staticmethod
    def forward(ctx, x, decimals):
        scale = x._data.dtype.type(10.0 ** builtin_abs(decimals))
        if decimals < 0:
            return wrap(np.rint(x._data / scale) * scale)
        return wrap(np.rint(x._data * scale) / scale)

    @staticmethod
    def backward(ctx, grad_output):
        return zeros_like(grad_output), None


class Frac(Op):
    """What stands after the point, with the sign of x."""

    @staticmethod
    def forward(ctx, x):
        if x._data.dtype.kind != "f":
            kind = x.dtype.scalar_type
            raise NotImplementedError(f"\"frac_cpu\" not implemented for '{kind}'")
        return wrap(x._data - np.trunc(x._data))

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


class Sgn(Sign):
    """`Sign`, under the name that torch has for complex numbers, too."""


class NanToNum(Op):
    """Numbers in the place of NaN and the infinities, which get gradient 0."""

    @staticmethod
    def forward(ctx, x, nan, posinf, neginf):
        ctx.save_for_backward(x)
        return wrap(np.nan_to_num(x._data, True, nan or 0.0, posinf, neginf))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output.masked_fill(wrap(~np.isfinite(x._data)), 0.0), None, None, None


# -- the functions that users call -----------------------------------------------------------------

builtin_abs = abs

exp2 = unary(Exp2, "2 ** input.")
expm1 = unary(Expm1, "exp(input) - 1, precise near 0.")
log1p = unary(Log1P, "log(1 + input), precise near 0.")
log2 = unary(Log2, "The logarithm with base 2.")
log10 = unary(Log10, "The logarithm with base 10.")
rsqrt = unary(Rsqrt, "1 / sqrt(input).")
tan = unary(Tan, "The tangent.")
asin = arcsin = unary(Asin, "The angle whose sine is `input`.")
acos = arccos = unary(Acos, "The angle whose cosine is `input`.")
atan = arctan = unary(Atan, "The angle whose tangent is `input`.")
sinc = unary(Sinc, "sin(pi * input) / (pi * input), and 1 at 0.")
sinh = unary(Sinh, "The hyperbolic sine.")
cosh = unary(Cosh, "The hyperbolic cosine.")
asinh = arcsinh = unary(Asinh, "The inverse of sinh.")
acosh = arccosh = unary(Acosh, "The inverse of cosh.")
atanh = arctanh = unary(Atanh, "The inverse of tanh.")
floor = unary(Floor, "The largest whole number that is not above `input`; gradient 0.")
ceil = unary(Ceil, "The smallest whole number that is not below `input`; gradient 0.")
trunc = fix = unary(Trunc, "The whole number next to `input` on the side of 0; gradient 0.")
frac = unary(Frac, "input - trunc(input).")
sgn = unary(Sgn, "-1, 0 or 1.")


def logit(input, eps=None):
    """`log(input / (1 - input))`; with `eps`, `input` is first limited to [eps, 1 - eps]."""
    return Logit.apply(input, None if eps is None else float(eps))


def round(input, *, decimals=0):
    """The nearest number with that many decimals, halves to the even one; gradient 0."""
    if decimals == 0:
        return Round.apply(input)
    if input._data.dtype.kind != "f":
        kind = input.dtype.scalar_type
        raise NotImplementedError(f"\"round_cpu\" not implemented for '{kind}'")
    return RoundDecimals.apply(input, decimals)


def nan_to_num(input, nan=None, posinf=None, neginf=None):
    """NaN becomes `nan` (0), the infinities `posinf` and `neginf` (the largest numbers)."""
    return NanToNum.apply(input, nan, posinf, neginf)


def deg2rad(input):
    """Degrees to radians; integers give floats."""
    return input * (math.pi / 180)


def rad2deg(input):
    """Radians to degrees; integers give floats."""
    return input * (180 / math.pi)


def positive(input):
    """The tensor itself."""
    if input._data.dtype.kind == "b":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input
