"""Pooling by windows, in one, two and three dimensions.

One dimension is two with a height of 1.  Windows in three are windows in two, of each plane, and
then windows along the depth: the largest of the largest, the sum of the sums.
"""

import math

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.pool import AvgPool2D, MaxPool2DWithIndices, Windows, flat_indices

import numpy as np

__all__ = [
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d", "max_pool1d",
    "max_pool2d", "max_pool3d",
]  # fmt: skip

Sides = int | tuple[int, ...]


def max_pool1d(
    input: Tensor, kernel_size: Sides, stride: Sides | None = None, padding: Sides = 0,
    dilation: Sides = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:  # fmt: skip
    """The largest element of each window, (B, C, T) or (C, T) to (..., T'); see `max_pool2d`."""
    if input.ndim not in (2, 3):
        raise RuntimeError(
            "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for "
            f"input, but got:{list(input.shape)}"
        )
    window = _in_row(kernel_size, stride, padding)
    out, where = max_pool2d(
        input.unsqueeze(-2), *window, (1, *_sides(1, dilation)), ceil_mode, return_indices=True
    )
    return (out.squeeze(-2), where.squeeze(-2)) if return_indices else out.squeeze(-2)


def max_pool2d(
    input: Tensor, kernel_size: Sides, stride: Sides | None = None, padding: Sides = 0,
    dilation: Sides = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:  # fmt: skip
    """The largest element of each window, (B, C, H, W) or (C, H, W) to (..., H', W').

    `stride` is the kernel's size unless stated; the padding counts as minus infinity.  With
    `return_indices` also where each stands in its image, as row * W + column.
    """
    windows = _windows(input, kernel_size, stride, padding, dilation, ceil_mode)
    out, which = MaxPool2DWithIndices.apply(input, windows)
    return (out, flat_indices(which, windows, input.shape)) if return_indices else out


def max_pool3d(
    input: Tensor, kernel_size: Sides, stride: Sides | None = None, padding: Sides = 0,
    dilation: Sides = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:  # fmt: skip
    """The largest element of each window, (B, C, D, H, W) or (C, D, H, W) to (..., D', H', W').

    With `return_indices` also where each stands, as (depth * H + row) * W + column.
    """
    deep, flat = _depth_and_plane(input, kernel_size, stride, padding, dilation)
    planes = input.reshape(-1, *input.shape[-3:])  # (B * C, D, H, W)
    out, in_plane = max_pool2d(planes, *flat, ceil_mode, return_indices=True)
    columns = out.flatten(2)  # (B * C, D, H' * W')
    best, where = max_pool2d(columns, *deep, ceil_mode, return_indices=True)
    shape = *input.shape[:-3], best.shape[1], *out.shape[2:]
    if not return_indices:
        return best.reshape(shape)
    depth = where // columns.shape[2]
    where = depth * math.prod(input.shape[-2:]) + in_plane.flatten(2).gather(1, depth)
    return best.reshape(shape), where.reshape(shape)


def avg_pool1d(
    input: Tensor, kernel_size: Sides, stride: Sides | None = None, padding: Sides = 0,
    ceil_mode: bool = False, count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """The mean of each window, (B, C, T) or (C, T) to (..., T'); see `avg_pool2d`."""
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"Expected 2 to 3 dimensions, but got {input.ndim}-dimensional tensor for argument #1 "
            "'self' (while checking arguments for avg_pool1d)"
        )
    window = _in_row(kernel_size, stride, padding)
    return avg_pool2d(input.unsqueeze(-2), *window, ceil_mode, count_include_pad).squeeze(-2)


def avg_pool2d(
    input: Tensor, kernel_size: Sides, stride: Sides | None = None, padding: Sides = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of each window, (B, C, H, W) or (C, H, W) to (..., H', W').

    The padding's zeros count unless `count_include_pad` is off; `divisor_override` replaces the
    count of elements.
    """
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    windows = _windows(input, kernel_size, stride, padding, 1, ceil_mode)
    divisor = divisor_override or _counts(windows, input.shape[-2:], count_include_pad)
    return AvgPool2D.apply(input, windows, divisor)


def avg_pool3d(
    input: Tensor, kernel_size: Sides, stride: Sides | None = None, padding: Sides = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of each window, (B, C, D, H, W) or (C, D, H, W); see `avg_pool2d`."""
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    deep, flat = _depth_and_plane(input, kernel_size, stride, padding, 1)
    planes = input.reshape(-1, *input.shape[-3:])  # (B * C, D, H, W)
    in_plane = _windows(planes, *flat, ceil_mode)
    columns = AvgPool2D.apply(planes, in_plane, 1).flatten(2)  # (B * C, D, H' * W'), sums
    along = _windows(columns, *deep, ceil_mode)
    out = AvgPool2D.apply(columns, along, 1).reshape(
        *input.shape[:-3], along.out_size[0], *in_plane.out_size
    )
    if divisor_override:
        return out / divisor_override
    depth, height, width = input.shape[-3:]
    counts = _counts(in_plane, (height, width), count_include_pad)  # (H', W')
    depths = _counts_along(along, 0, depth, count_include_pad)  # (D',)
    counts = np.multiply.outer(depths, counts).astype(out.dtype.numpy)
    return out / wrap(counts)


def _counts(windows, size, count_include_pad):
    """How many elements each window has, (H', W'); beyond the padding there are none."""
    sides = [_counts_along(windows, dim, size[dim], count_include_pad) for dim in (0, 1)]
    return np.multiply.outer(*sides)


def _counts_along(windows, dim, size, count_include_pad):
    start = np.arange(windows.out_size[dim]) * windows.stride[dim] - windows.padding[dim][0]
    pad = windows.asked[dim] if count_include_pad else 0
    end = np.minimum(start + windows.kernel[dim], size + pad)
    return end - np.maximum(start, -pad)


# -- the p-norm ------------------------------------------------------------------------------------


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Sides, stride: Sides | None = None,
    ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    """`(sum of input^p over each window)^(1 / p)`, with p = `norm_type`.

    (B, C, T) or (C, T) to (..., T').
    """
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Sides, stride: Sides | None = None,
    ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    """`(sum of input^p over each window)^(1 / p)`, with p = `norm_type`.

    (B, C, H, W) or (C, H, W).
    """
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Sides, stride: Sides | None = None,
    ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    """`(sum of input^p over each window)^(1 / p)`, with p = `norm_type`.

    (B, C, D, H, W) or (C, D, H, W).
    """
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


def _lp_pool(n, input, norm_type, kernel_size, stride, ceil_mode):
    largest = (max_pool1d, max_pool2d, max_pool3d)[n - 1]
    if norm_type == math.inf:
        return largest(input.abs(), kernel_size, stride, 0, 1, ceil_mode)
    if norm_type == -math.inf:
        return -largest(-input.abs(), kernel_size, stride, 0, 1, ceil_mode)
    mean = (avg_pool1d, avg_pool2d, avg_pool3d)[n - 1]
    out = mean(input**norm_type, kernel_size, stride, 0, ceil_mode)
    count = math.prod(_sides(n, kernel_size))
    # A negative sum, of an odd p, has no root: NaN.
    return (out.sign() * out.abs().relu() * count) ** (1 / norm_type)


# -- windows ---------------------------------------------------------------------------------------


def _sides(n, value):
    """One number for each of n sides."""
    sides = (value,) * n if isinstance(value, int | np.integer) else tuple(value)
    sides = sides * n if len(sides) == 1 else sides
    if len(sides) != n:
        raise RuntimeError(f"expected one number or {n}, got {sides}")
    return sides


def _in_row(kernel_size, stride, padding):
    """A window of one dimension as one of two."""
    stride = kernel_size if stride is None else stride
    return (1, *_sides(1, kernel_size)), (1, *_sides(1, stride)), (0, *_sides(1, padding))


def _depth_and_plane(input, kernel_size, stride, padding, dilation):
    """A window of three dimensions as one along the depth, of columns, and one of planes."""
    if input.ndim not in (4, 5):
        raise RuntimeError("non-empty 4D or 5D (batch mode) tensor expected for input")
    stride = kernel_size if stride is None else stride
    sides = [_sides(3, value) for value in (kernel_size, stride, padding, dilation)]
    deep = [(side[0], usual) for side, usual in zip(sides, (1, 1, 0, 1), strict=True)]
    return deep, [side[1:] for side in sides]


def _windows(input, kernel_size, stride, padding, dilation, ceil_mode):
    """Where the windows of a pooling lie."""
    if input.ndim not in (3, 4):
        raise RuntimeError("non-empty 3D or 4D (batch mode) tensor expected for input")
    if not input.dtype.is_floating_point:
        raise RuntimeError(f"mini pools floating point tensors alone, got {input.dtype}")
    kernel, dilation, asked = _sides(2, kernel_size), _sides(2, dilation), _sides(2, padding)
    stride = kernel if stride is None else _sides(2, stride)
    if min(stride) < 1:
        raise RuntimeError("stride should not be zero")
    out_size, pads = [], []
    for n, k, s, p, d in zip(input.shape[-2:], kernel, stride, asked, dilation, strict=True):
        span = d * (k - 1) + 1
        if not 0 <= p <= span // 2:
            raise RuntimeError(
                "pad should be at most half of effective kernel size, but got "
                f"pad={p}, kernel_size={k} and dilation={d}"
            )
        steps = (n + 2 * p - span + (s - 1 if ceil_mode else 0)) // s
        if (
            ceil_mode and steps * s >= n + p
        ):  # a window must start inside the image or its left border
            steps -= 1
        out_size.append(steps + 1)
        pads.append((p, max(p, steps * s + span - n - p)))
    if min(out_size) < 1:
        given = "x".join(map(str, input.shape[-3:]))
        got = "x".join(str(max(n, 0)) for n in (input.shape[-3], *out_size))
        raise RuntimeError(
            f"Given input size: ({given}). Calculated output size: ({got}). "
            "Output size is too small"
        )
    return Windows(kernel, tuple(out_size), stride, dilation, tuple(pads), asked)
