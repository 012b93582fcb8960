"""Images as windows, and windows added up to images."""

from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn.module import Module

Sides = int | tuple[int, ...]


class Fold(Module):
    """Columns added back to images; see `functional.fold`."""

    def __init__(
        self, output_size: Sides, kernel_size: Sides, dilation: Sides = 1, padding: Sides = 0,
        stride: Sides = 1,
    ):  # fmt: skip
        super().__init__()
        self.output_size, self.kernel_size, self.dilation = output_size, kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, input):
        window = self.kernel_size, self.dilation, self.padding, self.stride
        return F.fold(input, self.output_size, *window)

    def extra_repr(self):
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )


class Unfold(Module):
    """The windows of images as columns; see `functional.unfold`."""

    def __init__(
        self, kernel_size: Sides, dilation: Sides = 1, padding: Sides = 0, stride: Sides = 1
    ):
        super().__init__()
        self.kernel_size, self.dilation = kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, input):
        window = self.kernel_size, self.dilation, self.padding, self.stride
        return F.unfold(input, *window)

    def extra_repr(self):
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )
