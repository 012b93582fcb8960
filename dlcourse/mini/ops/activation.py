"""Activations that are one node each: those of straight pieces, and the smooth ones.

A class says how values follow from the array (`values`), and the slope: as an array that does not
depend on x any more (`Pieces`), or made of differentiable operations (`Smooth`).
"""

import math

from dlcourse.mini._core import wrap
from dlcourse.mini._grad_mode import here
from dlcourse.mini._pieces import pieces
from dlcourse.mini.ops.choose import where
from dlcourse.mini.ops.erf import erf_array
from dlcourse.mini.ops.operation import Op
from dlcourse.mini.ops.pointwise import Keep

import numpy as np


def floats(x, name):
    """The array of a tensor of floats."""
    if x._data.dtype.kind != "f":
        raise NotImplementedError(f"\"{name}\" not implemented for '{x.dtype.scalar_type}'")
    return x._data


# -- of straight pieces ----------------------------------------------------------------------------


class Pieces(Op):
    """A function of straight pieces: `values(array, *rest)` gives its values and its slopes.

    Slopes are an array of numbers, or of booleans for 1 and 0.  `kernel`: torch's word in errors.
    """

    kernel = "activation"

    @classmethod
    def values(cls, array, *rest):
        raise NotImplementedError

    @staticmethod
    def forward(ctx, x, *rest):
        out, ctx.slope = ctx.values(floats(x, ctx.kernel), *rest)
        ctx.count = len(rest)
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        if ctx.slope.dtype == bool:
            grad = Keep.apply(grad_output, ctx.slope)
        else:
            grad = grad_output * wrap(ctx.slope)
        return grad, *[None] * ctx.count


class LeakyRelu(Pieces):
    kernel = "leaky_relu_cpu"

    @staticmethod
    def values(array, negative_slope):
        slope = np.where(array > 0, array.dtype.type(1), array.dtype.type(negative_slope))
        return array * slope, slope


class RreluWithNoise(Pieces):
    """`noise`: the slope where x is not positive."""

    @staticmethod
    def values(array, noise):
        slope = np.where(array > 0, array.dtype.type(1), noise)
        return array * slope, slope


class Hardtanh(Pieces):
    @staticmethod
    def values(array, low, high):
        out = np.minimum(np.maximum(array, low), high)
        return np.asarray(out, array.dtype), (array > low) & (array < high)


class Threshold(Pieces):
    @staticmethod
    def values(array, threshold, value):
        above = ~(array <= threshold)
        return np.where(above, array, array.dtype.type(value)), above


class Hardshrink(Pieces):
    kernel = "hardshrink_cpu"

    @staticmethod
    def values(array, lambd):
        outside = ~((array >= -lambd) & (array <= lambd))
        return np.where(outside, array, array.dtype.type(0)), outside


class Softshrink(Pieces):
    kernel = "softshrink_cpu"

    @staticmethod
    def values(array, lambd):
        outside = ~((array >= -lambd) & (array <= lambd))
        return np.where(outside, array - np.copysign(lambd, array), array * 0), outside


class Hardsigmoid(Pieces):
    """`min(max(x + 3, 0), 6) / 6`."""

    kernel = "hardsigmoid_cpu"

    # NB: in torch the slope is 1/6 rounded to float32, in float64 too.
    @staticmethod
    def values(array):
        out = np.asarray(np.clip(array + 3, 0, 6) / 6)
        inside = (array > -3) & (array < 3)
        return out, inside * array.dtype.type(1 / 6)


# -- smooth ----------------------------------------------------------------------------------------


class Smooth(Op):
    """A function of an array and numbers, `values`, with its `slope` as operations on a tensor."""

    kernel = "activation"

    @staticmethod
    def forward(ctx, x, *rest):
        ctx.save_for_backward(x)
        ctx.rest = rest
        return wrap(np.asarray(ctx.values(floats(x, ctx.kernel), *rest)))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * ctx.slope(x, *ctx.rest), *[None] * len(ctx.rest)


class Elu(Smooth):
    """x, and alpha * (exp(rate * x) - 1) for x <= 0, times `scale`."""

    kernel = "elu_cpu"

    @staticmethod
    def values(array, alpha, scale, rate):
        below = alpha * scale * np.expm1(np.minimum(array, 0) * rate)
        return np.where(array > 0, array * scale, below)

    @staticmethod
    def slope(x, alpha, scale, rate):
        below = (-rate * (-x).relu()).exp()  # with curvature 0 at 0, as torch has it
        return where(x > 0, scale, alpha * scale * rate * below)


class Celu(Elu):
    # NB: in torch the slope is computed with alpha rounded to float32, in float64 too.
    pass


class Softplus(Smooth):
    """`log(1 + exp(beta * x)) / beta`, and x where beta * x > threshold."""

    kernel = "softplus_cpu"

    @staticmethod
    def values(array, beta, threshold):
        return np.where(array * beta > threshold, array, np.logaddexp(0, array * beta) / beta)

    @staticmethod
    def slope(x, beta, threshold):
        return where(x * beta > threshold, 1.0, (x * beta).sigmoid())


class Hardswish(Smooth):
    """`x * min(max(x + 3, 0), 6) / 6`."""

    kernel = "hardswish_cpu"

    @staticmethod
    def values(array):
        return array * np.clip(array + 3, 0, 6) / 6

    @staticmethod
    def slope(x):
        inner = where((x > -3) & (x < 3), x / 3 + 0.5, 1.0)
        return inner.masked_fill(x <= -3, 0.0)


class Silu(Smooth):
    """`x * sigmoid(x)`."""

    kernel = "silu_cpu"

    @staticmethod
    def values(array):
        return array / (1 + np.exp(-array))

    @staticmethod
    def slope(x):
        s = x.sigmoid()
        return s * (1 + x * (1 - s))


class Mish(Smooth):
    """`x * tanh(log(1 + exp(x)))` (Misra 2019)."""

    kernel = "mish_cpu"

    @staticmethod
    def values(array):
        return array * np.tanh(np.logaddexp(0, array))

    @staticmethod
    def slope(x):
        t = Softplus.apply(x, 1, 20).tanh()
        return t + x * x.sigmoid() * (1 - t * t)


# -- GELU, the activation of transformers, in place ------------------------------------------------

ROOT_HALF = math.sqrt(0.5)
DENSITY = 1 / math.sqrt(2 * math.pi)  # of the normal distribution at 0
TANH_SCALE, CUBIC = math.sqrt(2 / math.pi), 0.044715


def _halved(array):
    """`(1 + array) / 2`, in that very array."""
    array = np.asarray(array)
    array += 1
    array *= 0.5
    return array


def _phi(array):
    """The normal distribution's function, (1 + erf(x / sqrt(2))) / 2."""
    return _halved(erf_array(array * array.dtype.type(ROOT_HALF)))


def _phi_by_tanh(array):
    inner = np.asarray(array * array)
    inner *= TANH_SCALE * CUBIC
    inner += TANH_SCALE
    inner *= array
    return _halved(np.tanh(inner, out=inner))


class Gelu(Op):
    """`x * Phi(x)`, Phi the normal distribution's function, which backward computes once more."""

    share_of = staticmethod(_phi)

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        array = floats(x, "GeluKernelImpl")
        out = np.empty_like(array)
        for part, product in pieces(array, out):
            np.multiply(part, ctx.share_of(part), out=product)
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        if here.mode.enabled:  # to be differentiated again
            return grad_output * ctx.slope(x)
        out = np.empty_like(x._data)
        for part, array, grad in pieces(out, x._data, grad_output._data):
            part[...] = ctx.scaled_slope(array, ctx.share_of(array), grad)
        return wrap(out)

    @staticmethod
    def slope(x):
        return Phi.apply(x) + x * (DENSITY * (x * x * -0.5).exp())

    @staticmethod
    def scaled_slope(array, share, grad):
        """`(Phi(x) + x * phi(x)) * grad`."""
        out = np.asarray(array * array)
        out *= -0.5
        np.exp(out, out=out)
        out *= array
        out *= DENSITY
        out += share
        out *= grad
        return out


class GeluTanh(Gelu):
    """`x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2`."""

    share_of = staticmethod(_phi_by_tanh)

    def name(self):
        return "GeluBackward0"

    @staticmethod
    def slope(x):
        t = (x * (x * x * (TANH_SCALE * CUBIC) + TANH_SCALE)).tanh()
        inner = x * x * (3 * TANH_SCALE * CUBIC) + TANH_SCALE
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner

    @staticmethod
    def scaled_slope(array, share, grad):
        """`share + x * (1 - tanh^2) / 2 * d(inner)/dx`, times grad."""
        out = np.asarray(array * array)
        out *= 3 * TANH_SCALE * CUBIC
        out += TANH_SCALE
        out *= array
        rest = 1 - share
        rest *= 2
        out *= rest  # (1 - tanh^2) / 2 = 2 * share * (1 - share)
        out += 1
        out *= share
        out *= grad
        return out


class Phi(Smooth):
    """`(1 + erf(x / sqrt(2))) / 2`."""

    @staticmethod
    def values(array):
        return _phi(array)

    @staticmethod
    def slope(x):
        return DENSITY * (x * x * -0.5).exp()


def gelu_plain(x):
    """What the tanh form of GELU is, step by step."""
    return 0.5 * x * (1 + (TANH_SCALE * (x + CUBIC * x**3)).tanh())
