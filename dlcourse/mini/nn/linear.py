"""Layers that multiply by a weight, and one that does nothing."""

import math

from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn import init
from dlcourse.mini.nn.module import Module
from dlcourse.mini.nn.parameter import Parameter
from dlcourse.mini.ops.creation import empty


def uniform_by_fan_in(weight, bias):
    """torch's start of linear and convolutional layers: uniform within 1 / sqrt(fan_in)."""
    fan_in, _ = init.fans(weight)
    bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
    init.uniform_(weight, -bound, bound)
    if bias is not None:
        init.uniform_(bias, -bound, bound)


class Linear(Module):
    """`input @ weight^T + bias`: (*, in_features) to (*, out_features)."""

    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(empty(out_features, in_features, dtype=dtype, device=device))
        self.register_parameter(
            "bias", Parameter(empty(out_features, dtype=dtype, device=device)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self):
        uniform_by_fan_in(self.weight, self.bias)

    def forward(self, input):
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self):
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"


class Bilinear(Module):
    """`input1^T @ weight[o] @ input2 + bias[o]` for each output o."""

    def __init__(
        self, in1_features, in2_features, out_features, bias=True, device=None, dtype=None
    ):
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got {in1_features}")
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features, options = out_features, {"dtype": dtype, "device": device}
        self.weight = Parameter(empty(out_features, in1_features, in2_features, **options))
        self.register_parameter("bias", Parameter(empty(out_features, **options)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        bound = 1 / math.sqrt(self.in1_features)
        for tensor in self.parameters():
            init.uniform_(tensor, -bound, bound)

    def forward(self, input1, input2):
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self):
        sizes = f"in1_features={self.in1_features}, in2_features={self.in2_features}"
        return f"{sizes}, out_features={self.out_features}, bias={self.bias is not None}"


class Identity(Module):
    """Its input, whatever the arguments of the constructor: a place holder."""

    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, input):
        return input
