"""Functions between the layers, element by element, and softmax with what belongs to it."""

import warnings

from dlcourse.mini._core import wrap
from dlcourse.mini.ops import activation as ops
from dlcourse.mini.ops import softmax as _softmax
from dlcourse.mini.ops.choose import where
from dlcourse.mini.ops.creation import random_source
from dlcourse.mini.ops.inplace import inplace as in_place_twin
from dlcourse.mini.ops.operation import check_kernel, plain
from dlcourse.mini.ops.softmax import logsigmoid

import numpy as np

__all__ = [
    "celu", "celu_", "elu", "elu_", "gelu", "glu", "gumbel_softmax", "hardshrink", "hardsigmoid",
    "hardswish", "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "log_softmax", "logsigmoid",
    "mish", "prelu", "relu", "relu6", "relu_", "rrelu", "rrelu_", "selu", "selu_", "sigmoid",
    "silu", "softmax", "softmin", "softplus", "softshrink", "softsign", "tanh", "tanhshrink",
    "threshold", "threshold_",
]  # fmt: skip


def _applied(op, input, *rest, inplace=False):
    """`op(input, *rest)`, written into `input` if `inplace`."""
    return in_place_twin(op.apply)(input, *rest) if inplace else op.apply(input, *rest)


# -- of straight pieces ----------------------------------------------------------------------------


def relu(input, inplace=False):
    """`max(input, 0)`."""
    return input.relu_() if inplace else input.relu()


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """`input`, and `negative_slope * input` below 0 (Maas et al. 2013)."""
    return _applied(ops.LeakyRelu, input, negative_slope, inplace=inplace)


def prelu(input, weight):
    """`input`, and `weight * input` below 0: one weight, or one a channel (He et al. 2015)."""
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.dtype is not input.dtype:
        types = f"{input.dtype.scalar_type} and {weight.dtype.scalar_type}"
        raise RuntimeError(f"prelu: Type promoting not supported. Got {types}")
    check_kernel("prelu_cpu", input._data.dtype)
    if weight.ndim > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}"
        )
    if weight.numel() != 1:
        if input.ndim == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        if weight.numel() != channels:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{weight.numel()} and channel size = {channels}."
            )
        weight = weight.reshape(-1, *[1] * (input.ndim - 2))  # (C, 1, ...)
    elif weight.ndim:
        weight = weight.reshape(())
    # NB: in torch this is one node, PreluKernelBackward0.
    return where(input > 0, input, weight * input)


def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """Below 0 times a random slope of [lower, upper), or times their mean if not `training`."""
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    noise = random_source().uniform(lower, upper, input.shape).astype(input.dtype.numpy)
    return _applied(ops.RreluWithNoise, input, noise, inplace=inplace)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """input limited to [min_val, max_val]; gradient 0 at the limits."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _applied(ops.Hardtanh, input, min_val, max_val, inplace=inplace)


def relu6(input, inplace=False):
    """`min(max(input, 0), 6)`."""
    return hardtanh(input, 0.0, 6.0, inplace)


def threshold(input, threshold, value, inplace=False):
    """input, and `value` where it is not above `threshold`."""
    return _applied(ops.Threshold, input, threshold, value, inplace=inplace)


def hardshrink(input, lambd=0.5):
    """input, and 0 within [-lambd, lambd]."""
    return ops.Hardshrink.apply(input, lambd)


def softshrink(input, lambd=0.5):
    """input moved by `lambd` towards 0, and 0 within [-lambd, lambd]."""
    if not lambd >= 0:
        kind = input.dtype.scalar_type
        end = f"{float(np.finfo(input.dtype.numpy).max):g}"
        raise RuntimeError(
            f"lambda must be in range [0, {end}] for input dtype {kind}, but found {lambd:g}"
        )
    return ops.Softshrink.apply(input, plain(lambd))


def hardsigmoid(input, inplace=False):
    """`min(max(input + 3, 0), 6) / 6`."""
    return _applied(ops.Hardsigmoid, input, inplace=inplace)


def hardswish(input, inplace=False):
    """`input * min(max(input + 3, 0), 6) / 6` (Howard et al. 2019)."""
    return _applied(ops.Hardswish, input, inplace=inplace)


# -- smooth ----------------------------------------------------------------------------------------


def sigmoid(input):
    """`1 / (1 + exp(-input))`."""
    return input.sigmoid()


def tanh(input):
    """The hyperbolic tangent."""
    return input.tanh()


def tanhshrink(input):
    """`input - tanh(input)`."""
    return input - input.tanh()


def softsign(input):
    """`input / (1 + |input|)`."""
    return input / (input.abs() + 1)


def softplus(input, beta=1, threshold=20):
    """`log(1 + exp(beta * input)) / beta`, and input where beta * input > threshold."""
    return ops.Softplus.apply(input, plain(beta), plain(threshold))


def elu(input, alpha=1.0, inplace=False):
    """`input`, and `alpha * (exp(input) - 1)` below 0 (Clevert et al. 2016)."""
    return _applied(ops.Elu, input, plain(alpha), 1.0, 1.0, inplace=inplace)


def celu(input, alpha=1.0, inplace=False):
    """`input`, and `alpha * (exp(input / alpha) - 1)` below 0 (Barron 2017)."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    alpha = plain(alpha)
    return _applied(ops.Celu, input, alpha, 1.0, 1 / alpha, inplace=inplace)


def selu(input, inplace=False):
    """ELU scaled so that mean 0 and variance 1 are kept (Klambauer et al. 2017)."""
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    return _applied(ops.Elu, input, alpha, scale, 1.0, inplace=inplace)


def silu(input, inplace=False):
    """`input * sigmoid(input)`, also called swish."""
    return _applied(ops.Silu, input, inplace=inplace)


def mish(input, inplace=False):
    """`input * tanh(softplus(input))` (Misra 2019)."""
    return _applied(ops.Mish, input, inplace=inplace)


def gelu(input, *, approximate="none"):
    """`input * Phi(input)`, Phi the normal distribution's, exact or by "tanh" (Hendrycks 2016)."""
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    return (ops.Gelu if approximate == "none" else ops.GeluTanh).apply(input)


def glu(input, dim=-1):
    """`a * sigmoid(b)`, a and b the halves of `input` along `dim` (Dauphin et al. 2017)."""
    if input.ndim == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    size = input.shape[dim] if -input.ndim <= dim < input.ndim else 2
    if size % 2:
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {dim % input.ndim} is size {size}"
        )
    check_kernel("glu_cpu", input._data.dtype)
    a, b = input.split(size // 2, dim)
    return a * b.sigmoid()  # NB: in torch this is one node, GluBackward0.


# -- along a dimension -----------------------------------------------------------------------------


def softmax(input, dim=None, _stacklevel=3, dtype=None):
    """`exp(input) / sum(exp(input))` along `dim`."""
    return _softmax.softmax(input, _stated(dim, "softmax", input, _stacklevel), dtype)


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """`softmax(-input)` along `dim`."""
    return _softmax.softmax(-input, _stated(dim, "softmin", input, _stacklevel), dtype)


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """`log(softmax(input))` along `dim`, precise where softmax would round to 0."""
    return _softmax.log_softmax(input, _stated(dim, "log_softmax", input, _stacklevel), dtype)


def _stated(dim, name, input, stacklevel):
    """`dim`, or the one that torch guesses, with its warning."""
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. "
        "Change the call to include dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if input.ndim in (0, 1, 3) else 1


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """A random, differentiable choice: softmax((logits + Gumbel noise) / tau) (Jang et al. 2017).

    With `hard` the value is one-hot, the gradient that of the soft choice.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    noise = -np.log(random_source().standard_exponential(logits.shape)).astype(logits.dtype.numpy)
    soft = ((logits + wrap(noise)) / tau).softmax(dim)
    if not hard:
        return soft
    chosen = wrap(np.zeros(soft.shape, soft.dtype.numpy))
    np.put_along_axis(chosen._data, soft._data.argmax(dim, keepdims=True), 1, dim)
    return chosen - soft.detach() + soft


# -- in place, under names of their own ------------------------------------------------------------


def relu_(input):
    """`relu`, written into `input`."""
    return relu(input, inplace=True)


def leaky_relu_(input, negative_slope=0.01):
    """`leaky_relu`, written into `input`."""
    return leaky_relu(input, negative_slope, inplace=True)


def rrelu_(input, lower=1.0 / 8, upper=1.0 / 3, training=False):
    """`rrelu`, written into `input`."""
    return rrelu(input, lower, upper, training, inplace=True)


def hardtanh_(input, min_val=-1.0, max_val=1.0):
    """`hardtanh`, written into `input`."""
    return hardtanh(input, min_val, max_val, inplace=True)


def threshold_(input, threshold, value):
    """`threshold`, written into `input`."""
    return _applied(ops.Threshold, input, threshold, value, inplace=True)


def elu_(input, alpha=1.0):
    """`elu`, written into `input`."""
    return elu(input, alpha, inplace=True)


def celu_(input, alpha=1.0):
    """`celu`, written into `input`."""
    return celu(input, alpha, inplace=True)


def selu_(input):
    """`selu`, written into `input`."""
    return selu(input, inplace=True)
