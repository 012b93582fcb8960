"""Resizing as layers."""

from collections.abc import Sequence

from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn.module import Module

Size = int | Sequence[int] | None
Factor = float | Sequence[float] | None


class Upsample(Module):
    """Images of another size; see `functional.interpolate`."""

    def __init__(
        self, size: Size = None, scale_factor: Factor = None, mode: str = "nearest",
        align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
    ):  # fmt: skip
        super().__init__()
        if isinstance(scale_factor, tuple):
            scale_factor = tuple([float(factor) for factor in scale_factor])
        else:
            scale_factor = float(scale_factor) if scale_factor else None
        self.name = type(self).__name__
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, input):
        options = self.size, self.scale_factor, self.mode, self.align_corners
        return F.interpolate(input, *options, recompute_scale_factor=self.recompute_scale_factor)

    def extra_repr(self):
        name = "size" if self.scale_factor is None else "scale_factor"
        return f"{name}={getattr(self, name)!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """`Upsample` that repeats pixels."""

    def __init__(self, size: Size = None, scale_factor: Factor = None):
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """`Upsample` that mixes neighbours and keeps the corners where they are."""

    def __init__(self, size: Size = None, scale_factor: Factor = None):
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
