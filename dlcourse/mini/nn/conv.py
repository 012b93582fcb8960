"""Convolutional layers, and their transposes, in one, two and three dimensions."""

from collections.abc import Sequence

from dlcourse.mini._core import Tensor
from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn.linear import uniform_by_fan_in
from dlcourse.mini.nn.module import Module
from dlcourse.mini.nn.parameter import Parameter
from dlcourse.mini.ops.creation import empty

import numpy as np

Sides = int | tuple[int, ...]
PADDING_MODES = {"zeros", "reflect", "replicate", "circular"}


def sides(value: Sides, n: int) -> tuple[int, ...]:
    """A number stands for all n sides."""
    return (value,) * n if isinstance(value, int | np.integer) else tuple(value)


class Convolutional(Module):
    """The common part: the weights, (O, C / groups, ...) or transposed (C, O / groups, ...)."""

    n, transposed = 0, False

    def _set_up(
        self, in_channels, out_channels, kernel_size, stride, padding, output_padding, dilation,
        groups, bias, padding_mode, device, dtype,
    ):  # fmt: skip
        self._check(in_channels, out_channels, stride, padding, groups, padding_mode)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride = sides(kernel_size, self.n), sides(stride, self.n)
        self.padding = padding if isinstance(padding, str) else sides(padding, self.n)
        self.dilation = sides(dilation, self.n)
        self.output_padding = sides(output_padding, self.n)
        self.groups, self.padding_mode = groups, padding_mode
        first, second = in_channels, out_channels
        if not self.transposed:
            first, second = second, first
        shape = first, second // groups, *self.kernel_size
        self.weight = Parameter(empty(shape, dtype=dtype, device=device))
        self.register_parameter(
            "bias", Parameter(empty(out_channels, dtype=dtype, device=device)) if bias else None
        )
        self.reset_parameters()

    def _check(self, in_channels, out_channels, stride, padding, groups, padding_mode):
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
        if padding == "same" and max(sides(stride, self.n)) != 1:
            raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode not in PADDING_MODES:
            raise ValueError(
                f"padding_mode must be one of {PADDING_MODES}, but got "
                f"padding_mode='{padding_mode}'"
            )

    def reset_parameters(self):
        uniform_by_fan_in(self.weight, self.bias)

    def extra_repr(self):
        out = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        out += f", stride={self.stride}"
        usual = {"padding": (0,) * self.n, "dilation": (1,) * self.n}
        usual |= {"output_padding": (0,) * self.n, "groups": 1}
        for name, value in usual.items():
            if getattr(self, name) != value:
                out += f", {name}={getattr(self, name)}"
        out += ", bias=False" if self.bias is None else ""
        return out + (f", padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else "")


class Conv(Convolutional):
    """The common part of Conv1d, Conv2d and Conv3d."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Sides, stride: Sides = 1,
        padding: Sides | str = 0, dilation: Sides = 1, groups: int = 1, bias: bool = True,
        padding_mode: str = "zeros", device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        self._set_up(
            in_channels, out_channels, kernel_size, stride, padding, 0, dilation, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input):
        convolve, padding = getattr(F, f"conv{self.n}d"), self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._borders(), self.padding_mode), 0
        options = self.stride, padding, self.dilation, self.groups
        return convolve(input, self.weight, self.bias, *options)

    def _borders(self):
        """`padding` as `functional.pad` wants it: from the last dimension backwards."""
        if self.padding == "valid":
            return (0, 0) * self.n
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            pairs = [(total // 2, total - total // 2) for total in totals]
        else:
            pairs = [(p, p) for p in self.padding]
        return tuple([p for pair in reversed(pairs) for p in pair])


class ConvTranspose(Convolutional):
    """The common part of ConvTranspose1d, ConvTranspose2d and ConvTranspose3d."""

    transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Sides, stride: Sides = 1,
        padding: Sides = 0, output_padding: Sides = 0, groups: int = 1, bias: bool = True,
        dilation: Sides = 1, padding_mode: str = "zeros", device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        if padding_mode != "zeros":
            name = type(self).__name__
            raise ValueError(f'Only "zeros" padding mode is supported for {name}')
        self._set_up(
            in_channels, out_channels, kernel_size, stride, padding, output_padding, dilation,
            groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None):
        more = self.output_padding if output_size is None else self._longer(input, output_size)
        options = self.stride, self.padding, more, self.groups, self.dilation
        convolve = getattr(F, f"conv_transpose{self.n}d")
        return convolve(input, self.weight, self.bias, *options)

    def _longer(self, input, output_size):
        """The output_padding that gives this output_size."""
        n, lead = self.n, 2 if input.ndim == self.n + 2 else 1
        output_size = output_size[lead:] if len(output_size) == lead + n else output_size
        if len(output_size) != n:
            raise ValueError(
                f"ConvTranspose{n}D: for {input.ndim}D input, output_size must have {n} or "
                f"{lead + n} elements (got {len(output_size)})"
            )
        sides = input.shape[lead:], self.stride, self.padding, self.dilation, self.kernel_size
        rows = zip(*sides, strict=True)
        least = [(i - 1) * s - 2 * p + d * (k - 1) + 1 for i, s, p, d, k in rows]
        most = [size + s - 1 for size, s in zip(least, self.stride, strict=True)]
        if not all(a <= o <= b for a, o, b in zip(least, output_size, most, strict=True)):
            raise ValueError(
                f"requested an output size of {output_size}, but valid sizes range from {least} to "
                f"{most} (for an input of {input.shape[2:]})"
            )
        return tuple([o - a for o, a in zip(output_size, least, strict=True)])


class Conv1d(Conv):
    """(B, in_channels, T) to (B, out_channels, T'); see `functional.conv1d`."""

    n = 1


class Conv2d(Conv):
    """(B, in_channels, H, W) to (B, out_channels, H', W'); see `functional.conv2d`."""

    n = 2


class Conv3d(Conv):
    """(B, in_channels, D, H, W) to (B, out_channels, D', H', W'); see `functional.conv3d`."""

    n = 3


class ConvTranspose1d(ConvTranspose):
    """(B, in_channels, T) to (B, out_channels, T'); see `functional.conv_transpose1d`."""

    n = 1


class ConvTranspose2d(ConvTranspose):
    """(B, in_channels, H, W) to (B, out_channels, H', W'); see `functional.conv_transpose2d`."""

    n = 2


class ConvTranspose3d(ConvTranspose):
    """(B, in_channels, D, H, W) to (B, out_channels, D', H', W').

    See `functional.conv_transpose3d`.
    """

    n = 3
