"""The mean, the largest or the p-norm of each window, as layers."""

from collections.abc import Sequence

from dlcourse.mini._core import Tensor
from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn.conv import sides
from dlcourse.mini.nn.module import Module

Sides = int | tuple[int, ...]
Sizes = int | None | tuple[int | None, ...]


class MaxPool(Module):
    """The common part of MaxPool1d, 2d and 3d: the largest element of each window."""

    n = 0

    def __init__(
        self, kernel_size: Sides, stride: Sides | None = None, padding: Sides = 0,
        dilation: Sides = 1, return_indices: bool = False, ceil_mode: bool = False,
    ):  # fmt: skip
        super().__init__()
        self.kernel_size, self.padding, self.dilation = kernel_size, padding, dilation
        self.stride = kernel_size if stride is None else stride
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input):
        window = self.kernel_size, self.stride, self.padding, self.dilation
        pool = getattr(F, f"max_pool{self.n}d")
        return pool(input, *window, self.ceil_mode, self.return_indices)

    def extra_repr(self):
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(MaxPool):
    """(B, C, T) or (C, T); see `functional.max_pool1d`."""

    n = 1


class MaxPool2d(MaxPool):
    """(B, C, H, W) or (C, H, W); see `functional.max_pool2d`."""

    n = 2


class MaxPool3d(MaxPool):
    """(B, C, D, H, W) or (C, D, H, W); see `functional.max_pool3d`."""

    n = 3


class AvgPool(Module):
    """The common part of AvgPool2d and 3d: the mean of each window."""

    n = 0

    def __init__(
        self, kernel_size: Sides, stride: Sides | None = None, padding: Sides = 0,
        ceil_mode: bool = False, count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):  # fmt: skip
        super().__init__()
        self.kernel_size, self.padding, self.ceil_mode = kernel_size, padding, ceil_mode
        self.stride = kernel_size if stride is None else stride
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input):
        window = self.kernel_size, self.stride, self.padding
        count = self.ceil_mode, self.count_include_pad, self.divisor_override
        return getattr(F, f"avg_pool{self.n}d")(input, *window, *count)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(Module):
    """(B, C, T) or (C, T); see `functional.avg_pool1d`."""

    def __init__(
        self, kernel_size: Sides, stride: Sides | None = None, padding: Sides = 0,
        ceil_mode: bool = False, count_include_pad: bool = True,
    ):  # fmt: skip
        super().__init__()
        stride = kernel_size if stride is None else stride
        window = [sides(value, 1) for value in (kernel_size, stride, padding)]
        self.kernel_size, self.stride, self.padding = window
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input):
        window = self.kernel_size, self.stride, self.padding
        return F.avg_pool1d(input, *window, self.ceil_mode, self.count_include_pad)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(AvgPool):
    """(B, C, H, W) or (C, H, W); see `functional.avg_pool2d`."""

    n = 2


class AvgPool3d(AvgPool):
    """(B, C, D, H, W) or (C, D, H, W); see `functional.avg_pool3d`."""

    n = 3


class LPPool(Module):
    """The common part of LPPool1d, 2d and 3d: the p-norm of each window."""

    n = 0

    def __init__(
        self, norm_type: float, kernel_size: Sides, stride: Sides | None = None,
        ceil_mode: bool = False,
    ):  # fmt: skip
        super().__init__()
        self.norm_type, self.kernel_size = norm_type, kernel_size
        self.stride, self.ceil_mode = stride, ceil_mode

    def forward(self, input):
        pool = getattr(F, f"lp_pool{self.n}d")
        return pool(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self):
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(LPPool):
    """(B, C, T) or (C, T); see `functional.lp_pool1d`."""

    n = 1


class LPPool2d(LPPool):
    """(B, C, H, W) or (C, H, W); see `functional.lp_pool2d`."""

    n = 2


class LPPool3d(LPPool):
    """(B, C, D, H, W) or (C, D, H, W); see `functional.lp_pool3d`."""

    n = 3


class MaxUnpool(Module):
    """The common part of MaxUnpool1d, 2d and 3d: back to where max pooling found each element."""

    n = 0

    def __init__(self, kernel_size: Sides, stride: Sides | None = None, padding: Sides = 0):
        super().__init__()
        stride = kernel_size if stride is None else stride
        window = [sides(value, self.n) for value in (kernel_size, stride, padding)]
        self.kernel_size, self.stride, self.padding = window

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None):
        unpool = getattr(F, f"max_unpool{self.n}d")
        return unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(MaxUnpool):
    """(B, C, T') or (C, T'); see `functional.max_unpool1d`."""

    n = 1


class MaxUnpool2d(MaxUnpool):
    """(B, C, H', W') or (C, H', W'); see `functional.max_unpool2d`."""

    n = 2


class MaxUnpool3d(MaxUnpool):
    """(B, C, D', H', W') or (C, D', H', W'); see `functional.max_unpool3d`."""

    n = 3


class AdaptiveAvgPool(Module):
    """The common part of AdaptiveAvgPool1d, 2d and 3d: means over windows that cover evenly."""

    n = 0

    def __init__(self, output_size: Sizes):
        super().__init__()
        self.output_size = output_size

    def forward(self, input):
        return getattr(F, f"adaptive_avg_pool{self.n}d")(input, self.output_size)

    def extra_repr(self):
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(AdaptiveAvgPool):
    """(B, C, T) or (C, T); see `functional.adaptive_avg_pool1d`."""

    n = 1


class AdaptiveAvgPool2d(AdaptiveAvgPool):
    """(B, C, H, W) or (C, H, W); see `functional.adaptive_avg_pool2d`."""

    n = 2


class AdaptiveAvgPool3d(AdaptiveAvgPool):
    """(B, C, D, H, W) or (C, D, H, W); see `functional.adaptive_avg_pool3d`."""

    n = 3


class AdaptiveMaxPool(Module):
    """The common part of AdaptiveMaxPool1d, 2d and 3d: the largest of windows that cover evenly."""

    n = 0

    def __init__(self, output_size: Sizes, return_indices: bool = False):
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input):
        pool = getattr(F, f"adaptive_max_pool{self.n}d")
        return pool(input, self.output_size, self.return_indices)

    def extra_repr(self):
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(AdaptiveMaxPool):
    """(B, C, T) or (C, T); see `functional.adaptive_max_pool1d`."""

    n = 1


class AdaptiveMaxPool2d(AdaptiveMaxPool):
    """(B, C, H, W) or (C, H, W); see `functional.adaptive_max_pool2d`."""

    n = 2


class AdaptiveMaxPool3d(AdaptiveMaxPool):
    """(B, C, D, H, W) or (C, D, H, W); see `functional.adaptive_max_pool3d`."""

    n = 3
