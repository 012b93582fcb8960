"""Borders as layers."""

from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn.module import Module

import numpy as np


class Pad(Module):
    """The common part: a border of `padding`, one number or two for each of `n` dimensions."""

    n, mode = 0, "constant"

    def __init__(self, padding: int | tuple[int, ...]):
        super().__init__()
        one = isinstance(padding, int | np.integer)
        self.padding = (padding,) * (2 * self.n) if one else tuple(padding)

    def forward(self, input):
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self):
        return f"{self.padding}"


class ConstantPad(Pad):
    """A border of `value`."""

    def __init__(self, padding: int | tuple[int, ...], value: float):
        super().__init__(padding)
        self.value = value

    def forward(self, input):
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self):
        return f"padding={self.padding}, value={self.value}"


class ZeroPad(ConstantPad):
    """A border of zeros."""

    def __init__(self, padding: int | tuple[int, ...]):
        super().__init__(padding, 0.0)

    def extra_repr(self):
        return f"{self.padding}"


class CircularPad(Pad):
    """A border as if the images were repeated."""

    mode = "circular"

    def forward(self, input):
        if input.ndim not in (self.n + 1, self.n + 2):
            raise ValueError(
                f"expected {self.n + 1}D or {self.n + 2}D input (got {input.ndim}D input)"
            )
        return super().forward(input)


class ReflectionPad(Pad):
    """A border that mirrors the images; the edge itself is not repeated."""

    mode = "reflect"


class ReplicationPad(Pad):
    """A border that repeats the edge."""

    mode = "replicate"


class ConstantPad1d(ConstantPad):
    """(..., T): `padding` is a number or (left, right)."""

    n = 1


class ConstantPad2d(ConstantPad):
    """(..., H, W): `padding` is a number or (left, right, top, bottom)."""

    n = 2


class ConstantPad3d(ConstantPad):
    """(..., D, H, W): `padding` is a number or (left, right, top, bottom, front, back)."""

    n = 3


class ZeroPad1d(ZeroPad):
    """(..., T): `padding` is a number or (left, right)."""

    n = 1


class ZeroPad2d(ZeroPad):
    """(..., H, W): `padding` is a number or (left, right, top, bottom)."""

    n = 2


class ZeroPad3d(ZeroPad):
    """(..., D, H, W): `padding` is a number or (left, right, top, bottom, front, back)."""

    n = 3


class CircularPad1d(CircularPad):
    """(B, C, T) or (C, T): `padding` is a number or (left, right)."""

    n = 1


class CircularPad2d(CircularPad):
    """(B, C, H, W) or (C, H, W): `padding` is a number or (left, right, top, bottom)."""

    n = 2


class CircularPad3d(CircularPad):
    """(B, C, D, H, W) or (C, D, H, W): `padding` is a number or six."""

    n = 3


class ReflectionPad1d(ReflectionPad):
    """(B, C, T) or (C, T): `padding` is a number or (left, right)."""

    n = 1


class ReflectionPad2d(ReflectionPad):
    """(B, C, H, W) or (C, H, W): `padding` is a number or (left, right, top, bottom)."""

    n = 2


class ReflectionPad3d(ReflectionPad):
    """(B, C, D, H, W) or (C, D, H, W): `padding` is a number or six."""

    n = 3


class ReplicationPad1d(ReplicationPad):
    """(B, C, T) or (C, T): `padding` is a number or (left, right)."""

    n = 1


class ReplicationPad2d(ReplicationPad):
    """(B, C, H, W) or (C, H, W): `padding` is a number or (left, right, top, bottom)."""

    n = 2


class ReplicationPad3d(ReplicationPad):
    """(B, C, D, H, W) or (C, D, H, W): `padding` is a number or six."""

    n = 3
