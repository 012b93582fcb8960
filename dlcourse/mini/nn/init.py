"""Values to start from.  Each function writes into its tensor, in place, and returns it."""

import math
import warnings

from dlcourse.mini._core import wrap
from dlcourse.mini._grad_mode import no_grad
from dlcourse.mini.ops.creation import normal_array, random_source

import numpy as np

__all__ = [
    "calculate_gain", "constant_", "dirac_", "eye_", "kaiming_normal_", "kaiming_uniform_",
    "normal_", "ones_", "orthogonal_", "sparse_", "trunc_normal_", "uniform_", "xavier_normal_",
    "xavier_uniform_", "zeros_",
]  # fmt: skip

GAINS = {
    **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "sigmoid"), 1.0),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), 1.0),
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}


def calculate_gain(nonlinearity, param=None):
    """By how much weights must be wider than 1 / sqrt(fan) so that a nonlinearity keeps the spread.

    `param` is the negative slope of "leaky_relu" (0.01).
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"negative_slope {slope} not a valid number")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return GAINS[nonlinearity]


def fans(tensor):
    """(fan_in, fan_out): how many inputs feed one output of these weights, and the reverse."""
    if tensor.ndim < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    receptive = tensor.shape[2:].numel()
    return tensor.shape[1] * receptive, tensor.shape[0] * receptive


_calculate_fan_in_and_fan_out = fans  # the name that many programs reach for


def _fan(tensor, mode):
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    return fans(tensor)[mode == "fan_out"]


@no_grad()
def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Uniform between a and b."""
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Normal with this mean and standard deviation."""
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def constant_(tensor, val):
    """`val` everywhere."""
    return tensor.fill_(val)


def zeros_(tensor):
    """0 everywhere."""
    return constant_(tensor, 0.0)


def ones_(tensor):
    """1 everywhere."""
    return constant_(tensor, 1.0)


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Uniform with variance gain^2 * 2 / (fan_in + fan_out) (Glorot and Bengio 2010)."""
    bound = gain * math.sqrt(6 / sum(fans(tensor)))  # a uniform has variance bound^2 / 3
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Normal with variance gain^2 * 2 / (fan_in + fan_out) (Glorot and Bengio 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor))), generator)


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Uniform with variance gain^2 / fan (He et al. 2015); `a` is the slope of leaky_relu."""
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / _fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Normal with variance gain^2 / fan (He et al. 2015); `a` is the slope of leaky_relu."""
    std = calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


@no_grad()
def _set(tensor, array):
    return tensor.copy_(wrap(np.asarray(array, tensor.dtype.numpy)))


def eye_(tensor):
    """The identity matrix."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return _set(tensor, np.eye(*tensor.shape))


def dirac_(tensor, groups=1):
    """Kernels that hand each channel on as it is: 1 in the middle, as far as there are channels."""
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if tensor.shape[0] % groups:
        raise ValueError("dim 0 must be divisible by groups")
    array, count = np.zeros(tensor.shape), tensor.shape[0] // groups
    middle = tuple(k // 2 for k in tensor.shape[2:])
    for group in range(groups):
        for channel in range(min(count, tensor.shape[1])):
            array[(group * count + channel, channel, *middle)] = 1
    return _set(tensor, array)


def orthogonal_(tensor, gain=1, generator=None):
    """Rows (or columns, if they are fewer) of length `gain` at right angles (Saxe et al. 2014)."""
    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    rows, columns = tensor.shape[0], tensor.numel() // tensor.shape[0]
    square = normal_array(generator, (max(rows, columns), min(rows, columns)), np.dtype(float))
    q, r = np.linalg.qr(square)
    q *= np.sign(np.diag(r))  # else the matrices would not be uniformly distributed
    return _set(tensor, gain * (q.T if rows < columns else q).reshape(tensor.shape))


def sparse_(tensor, sparsity, std=0.01, generator=None):
    """Normal, with the fraction `sparsity` of each column 0 (Martens 2010)."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    array = normal_array(generator, tensor.shape, np.dtype(float)) * std
    zeros = math.ceil(sparsity * tensor.shape[0])
    for column in array.T:
        column[random_source(generator).permutation(len(column))[:zeros]] = 0
    return _set(tensor, array)


def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Normal with this mean and standard deviation, but only what falls into [a, b]."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of "
            "values may be incorrect.",
            stacklevel=2,
        )
    source, array = random_source(generator), np.empty(tensor.shape)
    missing = np.ones(tensor.shape, bool)
    peak = min(max(mean, a), b)  # of the density within [a, b]
    near = a <= mean <= b and b - a > 2 * std
    while count := int(missing.sum()):  # draw, and draw again what is not accepted
        if near:
            drawn = source.normal(mean, std, count)
            accepted = (drawn >= a) & (drawn <= b)
        else:
            drawn = source.uniform(a, b, count)
            ratio = ((peak - mean) ** 2 - (drawn - mean) ** 2) / (2 * std**2)
            accepted = source.random(count) <= np.exp(ratio)
        array[missing] = drawn
        missing[missing] = ~accepted
    return _set(tensor, array)


# -- older names -----------------------------------------------------------------------------------

OLDER = """
    constant dirac eye kaiming_normal kaiming_uniform normal orthogonal sparse uniform
    xavier_normal xavier_uniform
"""


def older(name):
    """The function under its name without the underscore, which warns."""

    def function(*args, **kwargs):
        warnings.warn(
            f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`.",
            FutureWarning,
            stacklevel=2,
        )
        return globals()[f"{name}_"](*args, **kwargs)

    function.__doc__ = f"`{name}_` by its older name, which warns."
    return function


globals().update({name: older(name) for name in OLDER.split()})
