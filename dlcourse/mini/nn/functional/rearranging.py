"""Pixels and channels in another arrangement; images as windows, and windows as images."""

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.conv import taps
from dlcourse.mini.ops.index import PutItem
from dlcourse.mini.ops.operation import check_kernel
from dlcourse.mini.ops.pad import ConstantPadND
from dlcourse.mini.ops.shape import stack

import numpy as np

__all__ = ["channel_shuffle", "fold", "pixel_shuffle", "pixel_unshuffle", "unfold"]

Sides = int | tuple[int, ...]


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(..., C * r^2, H, W) to (..., C, H * r, W * r) (Shi et al. 2016)."""
    r = upscale_factor
    _at_least_three("pixel_shuffle", input)
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *lead, channels, height, width = input.shape
    if channels % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={channels} is not divisible by {r * r}"
        )
    n = len(lead)
    x = input.reshape(*lead, channels // (r * r), r, r, height, width)
    x = x.permute(*range(n), n, n + 3, n + 1, n + 4, n + 2)  # (..., C, H, r, W, r)
    return x.reshape(*lead, channels // (r * r), height * r, width * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(..., C, H * r, W * r) to (..., C * r^2, H, W): `pixel_shuffle` undone."""
    r = downscale_factor
    _at_least_three("pixel_unshuffle", input)
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *lead, channels, height, width = input.shape
    for side, size in (("height", height), ("width", width)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {side} to be divisible by downscale_factor, but "
                f"input.size({-2 if side == 'height' else -1})={size} is not divisible by {r}"
            )
    n = len(lead)
    x = input.reshape(*lead, channels, height // r, r, width // r, r)
    x = x.permute(*range(n), n, n + 2, n + 4, n + 1, n + 3)  # (..., C, r, r, H, W)
    return x.reshape(*lead, channels * r * r, height // r, width // r)


def _at_least_three(name, input):
    if input.ndim < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {input.ndim} "
            "dimension(s)"
        )


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """(B, C, ...): the channels of each group dealt out in turn (Zhang et al. 2018)."""
    if input.ndim < 3:
        raise RuntimeError(
            "channel_shuffle expects input with > 2 dims, but got input with sizes "
            f"{list(input.shape)}"
        )
    if groups <= 0:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    batch, channels, *size = input.shape
    if channels % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {channels} channels and {groups} "
            "groups."
        )
    dealt = input.reshape(batch, groups, channels // groups, *size).transpose(1, 2)
    return dealt.reshape(input.shape)


def unfold(
    input: Tensor, kernel_size: Sides, dilation: Sides = 1, padding: Sides = 0, stride: Sides = 1
) -> Tensor:
    """The windows of (B, C, H, W), or (C, H, W), as columns: (B, C * kh * kw, H' * W')."""
    if input.ndim == 3:
        return unfold(input.unsqueeze(0), kernel_size, dilation, padding, stride).squeeze(0)
    if input.ndim != 4:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {list(input.shape)}"
        )
    check_kernel("im2col_out_cpu", input._data.dtype, "bf")
    kernel, dilation, padding, stride = map(_pair, (kernel_size, dilation, padding, stride))
    places = _places(input.shape[2:], kernel, dilation, padding, stride)
    if min(places) < 1:
        raise RuntimeError(
            f"Given input with spatial size {tuple(input.shape[2:])}, kernel_size={kernel}, "
            f"dilation={dilation}, padding={padding}, calculated shape of the array of sliding "
            f"blocks as {places}, but its components must be at least one."
        )
    borders = (0, 0), (0, 0), *[(p, p) for p in padding]
    images = ConstantPadND.apply(input, borders, 0)
    windows = [images[index] for _, index in taps(kernel, places, stride, dilation)]
    columns = stack(windows, 2)  # (B, C, kh * kw, H', W')
    return columns.reshape(input.shape[0], -1, places[0] * places[1])


def fold(
    input: Tensor, output_size: Sides, kernel_size: Sides, dilation: Sides = 1, padding: Sides = 0,
    stride: Sides = 1,
) -> Tensor:  # fmt: skip
    """Columns (B, C * kh * kw, H' * W') *added* back to images (B, C, H, W): unfold's adjoint."""
    if input.ndim == 2:
        args = output_size, kernel_size, dilation, padding, stride
        return fold(input.unsqueeze(0), *args).squeeze(0)
    if input.ndim != 3:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            f"non-zero dimensions for input, but got: {list(input.shape)}"
        )
    size, kernel, dilation, padding, stride = map(
        _pair, (output_size, kernel_size, dilation, padding, stride)
    )
    places = _places(size, kernel, dilation, padding, stride)
    _check_columns(input, size, kernel, dilation, padding, stride, places)
    batch, channels = input.shape[0], input.shape[1] // (kernel[0] * kernel[1])
    windows = input.reshape(batch, channels, -1, *places)  # (B, C, kh * kw, H', W')
    padded = batch, channels, *[n + 2 * p for n, p in zip(size, padding, strict=True)]
    out = wrap(np.zeros(padded, input._data.dtype))
    for k, (_, index) in enumerate(taps(kernel, places, stride, dilation)):
        out = out + PutItem.apply(windows[:, :, k], index, padded, True)
    top, left = padding
    return out[:, :, top : top + size[0], left : left + size[1]]


def _pair(value):
    pair = (value, value) if isinstance(value, int | np.integer) else tuple(value)
    return pair * 2 if len(pair) == 1 else pair


def _places(size, kernel, dilation, padding, stride):
    """(H', W'): how many windows fit."""
    sides = zip(size, kernel, dilation, padding, stride, strict=True)
    return tuple([(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in sides])


def _check_columns(input, size, kernel, dilation, padding, stride, places):
    if input.shape[1] % (kernel[0] * kernel[1]):
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={input.shape[1]} and kernel_size={kernel}."
        )
    if min(places) < 1 or input.shape[2] != places[0] * places[1]:
        raise RuntimeError(
            f"Given output_size={size}, kernel_size={kernel}, dilation={dilation}, "
            f"padding={padding}, stride={stride}, expected size of input's dimension 2 to match "
            f"the calculated number of sliding blocks {places[0]} * {places[1]} = "
            f"{places[0] * places[1]}, but got input.size(2)={input.shape[2]}."
        )
