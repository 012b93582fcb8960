"""Activations as modules; the formulas stand in `functional.activation`."""

from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn.module import Module
from dlcourse.mini.nn.parameter import Parameter
from dlcourse.mini.ops.creation import full


class MayBeInPlace(Module):
    """An activation that may write into its input; `settings` names the attributes to print."""

    settings = ()

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def extra_repr(self):
        said = [f"{name}={getattr(self, name)}" for name in self.settings]
        return ", ".join(said + ["inplace=True"] * bool(self.inplace))


# -- of straight pieces ----------------------------------------------------------------------------


class ReLU(MayBeInPlace):
    """`max(x, 0)`."""

    def forward(self, input):
        return F.relu(input, self.inplace)


class LeakyReLU(MayBeInPlace):
    """`x`, and `negative_slope * x` below 0."""

    settings = ("negative_slope",)

    def __init__(self, negative_slope=0.01, inplace=False):
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, input):
        return F.leaky_relu(input, self.negative_slope, self.inplace)


class PReLU(Module):
    """`x`, and `weight * x` below 0: one learnt weight, or one a channel."""

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(full((num_parameters,), float(init), dtype=dtype, device=device))

    def reset_parameters(self):
        self.weight.data.fill_(self.init)

    def forward(self, input):
        return F.prelu(input, self.weight)

    def extra_repr(self):
        return f"num_parameters={self.num_parameters}"


class RReLU(MayBeInPlace):
    """In training x below 0 times a random slope of [lower, upper), else times their mean."""

    settings = ("lower", "upper")

    def __init__(self, lower=1.0 / 8, upper=1.0 / 3, inplace=False):
        super().__init__(inplace)
        self.lower, self.upper = lower, upper

    def forward(self, input):
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)


class Hardtanh(MayBeInPlace):
    """x limited to [min_val, max_val]."""

    settings = ("min_val", "max_val")

    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False):
        super().__init__(inplace)
        if not max_val > min_val:
            raise AssertionError(f"max_val ({max_val}) must be greater than min_val ({min_val})")
        self.min_val, self.max_val = min_val, max_val

    def forward(self, input):
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)


class ReLU6(Hardtanh):
    """`min(max(x, 0), 6)`."""

    settings = ()

    def __init__(self, inplace=False):
        super().__init__(0.0, 6.0, inplace)


class Threshold(MayBeInPlace):
    """x, and `value` where it is not above `threshold`."""

    settings = ("threshold", "value")

    def __init__(self, threshold, value, inplace=False):
        super().__init__(inplace)
        self.threshold, self.value = threshold, value

    def forward(self, input):
        return F.threshold(input, self.threshold, self.value, self.inplace)


class Hardshrink(Module):
    """x, and 0 within [-lambd, lambd]."""

    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, input):
        return F.hardshrink(input, self.lambd)

    def extra_repr(self):
        return f"{self.lambd}"


class Softshrink(Hardshrink):
    """x moved by `lambd` towards 0, and 0 within [-lambd, lambd]."""

    def forward(self, input):
        return F.softshrink(input, self.lambd)


class Hardsigmoid(MayBeInPlace):
    """`min(max(x + 3, 0), 6) / 6`."""

    def forward(self, input):
        return F.hardsigmoid(input, self.inplace)

    def extra_repr(self):
        return ""


class Hardswish(MayBeInPlace):
    """`x * min(max(x + 3, 0), 6) / 6`."""

    def forward(self, input):
        return F.hardswish(input, self.inplace)

    def extra_repr(self):
        return ""


# -- smooth ----------------------------------------------------------------------------------------


class Sigmoid(Module):
    """`1 / (1 + exp(-x))`."""

    def forward(self, input):
        return F.sigmoid(input)


class LogSigmoid(Module):
    """`log(1 / (1 + exp(-x)))`."""

    def forward(self, input):
        return F.logsigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, input):
        return F.tanh(input)


class Tanhshrink(Module):
    """`x - tanh(x)`."""

    def forward(self, input):
        return F.tanhshrink(input)


class Softsign(Module):
    """`x / (1 + |x|)`."""

    def forward(self, input):
        return F.softsign(input)


class Softplus(Module):
    """`log(1 + exp(beta * x)) / beta`, and x where beta * x > threshold."""

    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input):
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self):
        return f"beta={self.beta}, threshold={self.threshold}"


class ELU(MayBeInPlace):
    """`x`, and `alpha * (exp(x) - 1)` below 0."""

    settings = ("alpha",)

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, input):
        return F.elu(input, self.alpha, self.inplace)


class CELU(ELU):
    """`x`, and `alpha * (exp(x / alpha) - 1)` below 0."""

    def forward(self, input):
        return F.celu(input, self.alpha, self.inplace)


class SELU(MayBeInPlace):
    """ELU scaled so that mean 0 and variance 1 are kept."""

    def forward(self, input):
        return F.selu(input, self.inplace)


class SiLU(MayBeInPlace):
    """`x * sigmoid(x)`."""

    def forward(self, input):
        return F.silu(input, self.inplace)


class Mish(MayBeInPlace):
    """`x * tanh(softplus(x))`."""

    def forward(self, input):
        return F.mish(input, self.inplace)


class GELU(Module):
    """`x * Phi(x)`, exact or approximated by "tanh"."""

    def __init__(self, approximate="none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, input):
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self):
        return f"approximate={self.approximate!r}"


class GLU(Module):
    """`a * sigmoid(b)`, a and b the halves of x along `dim`."""

    def __init__(self, dim=-1):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        return F.glu(input, self.dim)

    def extra_repr(self):
        return f"dim={self.dim}"


# -- along a dimension -----------------------------------------------------------------------------


class Softmax(Module):
    """`exp(x) / sum(exp(x))` along `dim`."""

    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        return F.softmax(input, self.dim, 5)

    def extra_repr(self):
        return f"dim={self.dim}"


class Softmin(Softmax):
    """`softmax(-x)` along `dim`."""

    def forward(self, input):
        return F.softmin(input, self.dim, 5)


class LogSoftmax(Softmax):
    """`log(softmax(x))` along `dim`."""

    def forward(self, input):
        return F.log_softmax(input, self.dim, 5)


class Softmax2d(Module):
    """softmax over the channels of (B, C, H, W) or (C, H, W)."""

    def forward(self, input):
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead")
        return F.softmax(input, -3)
