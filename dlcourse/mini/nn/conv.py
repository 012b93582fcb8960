"""Convolutional layers."""

from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn.linear import uniform_by_fan_in
from dlcourse.mini.nn.module import Module
from dlcourse.mini.nn.parameter import Parameter
from dlcourse.mini.ops.creation import empty


def pair(value):
    """A number stands for both sides."""
    return (value, value) if isinstance(value, int) else tuple(value)


class Conv2d(Module):
    """(B, in_channels, H, W) to (B, out_channels, H', W'); see `functional.conv2d`."""

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1,
        bias=True, padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups:
            raise ValueError("out_channels must be divisible by groups")
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(
                f"Invalid padding string '{padding}', should be one of {{'same', 'valid'}}"
            )
        if padding == "same" and pair(stride) != (1, 1):
            raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode != "zeros":
            raise NotImplementedError(
                f"mini pads with zeros: padding_mode={padding_mode!r} is not supported"
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.dilation = map(pair, (kernel_size, stride, dilation))
        self.padding = padding if isinstance(padding, str) else pair(padding)
        self.groups, self.padding_mode = groups, padding_mode
        shape = out_channels, in_channels // groups, *self.kernel_size
        self.weight = Parameter(empty(shape, dtype=dtype, device=device))
        self.register_parameter(
            "bias", Parameter(empty(out_channels, dtype=dtype, device=device)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self):
        uniform_by_fan_in(self.weight, self.bias)

    def forward(self, input):
        options = self.stride, self.padding, self.dilation, self.groups
        return F.conv2d(input, self.weight, self.bias, *options)

    def extra_repr(self):
        out = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        out += f", stride={self.stride}"
        for name, usual in (("padding", (0, 0)), ("dilation", (1, 1)), ("groups", 1)):
            if getattr(self, name) != usual:
                out += f", {name}={getattr(self, name)}"
        return out + (", bias=False" if self.bias is None else "")
