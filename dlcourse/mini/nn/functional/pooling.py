"""Pooling."""

from dlcourse.mini._core import Tensor
from dlcourse.mini.ops.pool import AvgPool2D, MaxPool2DWithIndices, Windows, flat_indices

import numpy as np

__all__ = ["adaptive_avg_pool2d", "avg_pool2d", "max_pool2d"]


def max_pool2d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """The largest element of each window, (B, C, H, W) or (C, H, W) to (..., H', W').

    `stride` is the kernel's size unless stated; the padding counts as minus infinity.  With
    `return_indices` also where each stands in its image, as row * W + column.
    """
    windows = _windows(input, kernel_size, stride, padding, dilation, ceil_mode)
    out, which = MaxPool2DWithIndices.apply(input, windows)
    return (out, flat_indices(which, windows, input.shape)) if return_indices else out


def avg_pool2d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
    divisor_override=None,
):  # fmt: skip
    """The mean of each window, (B, C, H, W) or (C, H, W) to (..., H', W').

    The padding's zeros count unless `count_include_pad` is off; `divisor_override` replaces the
    count of elements.
    """
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    windows = _windows(input, kernel_size, stride, padding, 1, ceil_mode)
    divisor = divisor_override or _counts(windows, input.shape[-2:], count_include_pad)
    return AvgPool2D.apply(input, windows, divisor)


def _counts(windows, size, count_include_pad):
    """How many elements each window has, (H', W'); beyond the padding there are none."""
    counts = []
    for dim in (0, 1):
        start = np.arange(windows.out_size[dim]) * windows.stride[dim] - windows.padding[dim][0]
        pad = windows.asked[dim] if count_include_pad else 0
        end = np.minimum(start + windows.kernel[dim], size[dim] + pad)
        counts.append(end - np.maximum(start, -pad))
    return np.multiply.outer(*counts)


def _windows(input, kernel_size, stride, padding, dilation, ceil_mode):
    """Where the windows of a pooling lie."""
    if input.ndim not in (3, 4):
        raise RuntimeError("non-empty 3D or 4D (batch mode) tensor expected for input")
    if not input.dtype.is_floating_point:
        raise RuntimeError(f"mini pools floating point tensors alone, got {input.dtype}")
    kernel, dilation, asked = _pair(kernel_size), _pair(dilation), _pair(padding)
    stride = kernel if stride is None else _pair(stride)
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


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def adaptive_avg_pool2d(input, output_size):
    """Means over H' x W' windows that cover the images evenly; None keeps a side.

    Window i of n covers elements floor(i * H / n) to ceil((i + 1) * H / n).  The mean over rows and
    columns is a product with a matrix from the left and one from the right.
    """
    if input.ndim not in (3, 4):
        raise RuntimeError(
            f"adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got {list(input.shape)}"
        )
    # NB: in torch this is one node, AdaptiveAvgPool2DBackward0, unless the size is 1.
    if _pair(output_size) == (1, 1):
        return input.mean((-2, -1), keepdim=True)
    sides = zip(input.shape[-2:], _pair(output_size), strict=True)
    rows, columns = [_averages(n, m, input.dtype) for n, m in sides]
    return rows @ input @ columns.t()


def _averages(size, count, dtype):
    """The matrix (count, size) whose rows are the windows' means."""
    count = size if count is None else count
    out = np.zeros((count, size), dtype.numpy)
    for i in range(count):
        window = slice(i * size // count, -(-(i + 1) * size // count))
        out[i, window] = 1 / (window.stop - window.start)
    return Tensor(out)
