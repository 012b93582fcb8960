"""The error function and the gamma function with what belongs to them; NumPy has none of them.

Abramowitz and Stegun, Handbook of Mathematical Functions (1964), chapters 6 and 7.
"""

import math

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.elementary import Unary
from dlcourse.mini.ops.erf import erf_array
from dlcourse.mini.ops.operation import Op, float_array
from dlcourse.mini.ops.pointwise import unary

import numpy as np

# -- the functions on arrays -----------------------------------------------------------------------


def in_double(function):
    """A function computed in float64, its result in the type of its argument."""

    def wrapped(*args):
        dtype = args[-1].dtype
        return np.asarray(function(*args[:-1], args[-1].astype(np.float64))).astype(dtype)

    wrapped.__name__, wrapped.__doc__ = function.__name__, function.__doc__
    return wrapped


def each(function, limit=None):
    """A function of the math module on every element; `limit` replaces its errors."""

    def one(value):
        try:
            return function(value)
        except (ValueError, OverflowError):
            return limit

    by_element = np.frompyfunc(one, 1, 1)
    return lambda x: np.asarray(by_element(x), np.float64)


erfc_array = in_double(each(math.erfc))
lgamma_array = in_double(each(math.lgamma, math.inf))


@in_double
def erfinv_array(y):
    """Halley's method from Winitzki's approximation; cubic, so thrice.

    It solves erf(x) = |y|, near 1 erfc(x) = 1 - |y|: each where its numbers are precise.
    """
    size, tail = np.abs(y), 1 - np.abs(y)
    log = np.log1p(-y * y)
    half = 2 / (math.pi * 0.147) + log / 2
    x = np.sqrt(np.sqrt(half * half - log / 0.147) - half)
    for _ in range(3):
        error = np.where(size < 0.5, size - erf_array(x), erfc_array(x) - tail)
        step = error / (-2 / math.sqrt(math.pi) * np.exp(-x * x))
        x = np.where(error == 0, x, x - step / (1 + x * step))
    x = np.where(tail == 0, np.inf, x)
    return np.copysign(x, y)


# B_2k, the Bernoulli numbers.
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
LARGE = 10


@in_double
def digamma_array(x):
    """psi(x) = psi(x + 1) - 1 / x to where the asymptotic series holds; below 0 by reflection."""
    negative = x < 0
    y = np.where(negative, 1 - x, x)
    out = np.where(negative, -math.pi / np.tan(math.pi * np.fmod(x, 1)), 0.0)
    out = np.where(negative & (x == np.floor(x)), np.nan, out)
    for _ in range(LARGE):
        small = y < LARGE
        out = out - np.where(small, 1 / y, 0.0)
        y = np.where(small, y + 1, y)
    series = sum(b / (2 * k * y ** (2 * k)) for k, b in enumerate(BERNOULLI, 1))
    return out + np.log(y) - 1 / (2 * y) - np.where(np.isinf(y), 0.0, series)


@in_double
def zeta_array(s, q):
    """Hurwitz' sum of (q + k) ** -s over k >= 0: some terms, then Euler and Maclaurin's formula."""
    whole = (q <= 0) & (q == np.floor(q))
    head = sum((q + k) ** -float(s) for k in range(LARGE))
    y = q + LARGE
    tail = y ** (1.0 - s) / (s - 1) + y ** -float(s) / 2
    factor = float(s)
    for k, b in enumerate(BERNOULLI, 1):
        tail = tail + b / math.factorial(2 * k) * factor * y ** (1.0 - s - 2 * k)
        factor *= (s + 2 * k - 1) * (s + 2 * k)
    return np.where(whole, np.inf, head + tail)


# -- operations ------------------------------------------------------------------------------------


class Erf(Unary):
    compute = staticmethod(erf_array)

    @staticmethod
    def slope(x):
        return 2 / math.sqrt(math.pi) * (-x * x).exp()


class Erfc(Unary):
    compute = staticmethod(erfc_array)

    @staticmethod
    def slope(x):
        return -2 / math.sqrt(math.pi) * (-x * x).exp()


class Erfinv(Unary):
    compute, of_result = staticmethod(erfinv_array), True

    @staticmethod
    def slope(y):
        return math.sqrt(math.pi) / 2 * (y * y).exp()


class Lgamma(Unary):
    """log |gamma(x)|."""

    compute = staticmethod(lgamma_array)

    @staticmethod
    def slope(x):
        return digamma(x)


class Digamma(Unary):
    """The slope of lgamma."""

    compute = staticmethod(digamma_array)

    @staticmethod
    def slope(x):
        return polygamma(1, x)


class Polygamma(Op):
    """The n-th derivative of digamma, (-1) ** (n + 1) * n! * zeta(n + 1, x)."""

    @staticmethod
    def forward(ctx, n, x):
        ctx.n = n
        ctx.save_for_backward(x)
        array = zeta_array(n + 1, float_array(x))
        return wrap(np.asarray((-1) ** (n + 1) * math.factorial(n) * array, array.dtype))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return None, grad_output * polygamma(ctx.n + 1, x)


class Xlogy(Op):
    """`x * log(y)`, and 0 where x is 0, whatever y is (unless it is NaN)."""

    def name(self):
        return f"XlogyBackward{self.overload}"

    @staticmethod
    def forward(ctx, x, y, overload):
        ctx.overload = overload
        ctx.save_for_backward(x, y)
        a, b = x._data, y._data
        return wrap(np.where((a == 0) & ~np.isnan(b), b.dtype.type(0), a * np.log(b)))

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        needs_x, needs_y, _ = ctx.needs_input_grad
        grad_x = grad_y = None
        if needs_x:
            grad_x = (grad_output * y.log()).masked_fill((x == 0) & (y <= 0), 0.0)
        if needs_y:
            grad_y = grad_output * x / y
        return grad_x, grad_y, None


# -- the functions that users call -----------------------------------------------------------------

erf = unary(Erf, "The error function.")
erfc = unary(Erfc, "1 - erf(input), precise where erf is near 1.")
erfinv = unary(Erfinv, "The inverse of erf.")
lgamma = unary(Lgamma, "The logarithm of the absolute value of the gamma function.")
digamma = unary(Digamma, "The derivative of lgamma.")


def polygamma(n, input):
    """The n-th derivative of digamma."""
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return digamma(input) if n == 0 else Polygamma.apply(n, input)


def polygamma_method(self, n):
    """The n-th derivative of digamma at this tensor."""
    return polygamma(n, self)
