"""Images of another size.

Resizing is linear in the image and goes side by side: each side is multiplied by a matrix whose
rows say how much of which old pixels makes a new one.
"""

import math
import warnings
from collections.abc import Sequence

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._dtype import uint8
from dlcourse.mini.nn.functional.adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
)
from dlcourse.mini.ops.index import index_select
from dlcourse.mini.ops.operation import check_kernel
from dlcourse.mini.ops.pool import AvgPool2DInput, Windows

import numpy as np

__all__ = ["interpolate", "upsample"]

MODES = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}  # and the dimensions of input


def interpolate(
    input: Tensor, size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:  # fmt: skip
    """`input` (B, C, T), (B, C, H, W) or (B, C, D, H, W) resized to `size`, or by `scale_factor`.

    `mode` is "nearest", "nearest-exact", "area", "linear" (for 3 dimensions), "bilinear" or
    "bicubic" (4), "trilinear" (5).  With `align_corners` the centres of the corner pixels stay
    where they are, else the corners of the images.
    """
    if align_corners is not None and mode in ("nearest", "area", "nearest-exact"):
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: "
            "linear | bilinear | bicubic | trilinear"
        )
    if antialias:
        raise NotImplementedError("mini does not support antialias=True")
    size, factors = _sizes(input, size, scale_factor, recompute_scale_factor, mode)
    _check(input, size, mode)
    if mode == "area":
        pools = adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
        return pools[input.ndim - 3](input, tuple(size))
    for dim, (count, factor) in enumerate(zip(size, factors, strict=True), 2):
        if mode.startswith("nearest"):
            input = _nearest(input, dim, count, factor, 0.5 if mode == "nearest-exact" else 0.0)
        else:
            input = _mixed(input, dim, count, factor, bool(align_corners), mode == "bicubic")
    return input


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """`interpolate` by its old name, which warns."""
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


def _nearest(x, dim, count, factor, offset):
    """Each new pixel is the old one that its corner, or (exact) its centre, lies in."""
    if x.dtype is not uint8:
        check_kernel("compute_indices_weights_nearest", x._data.dtype)
    old, kind = x.shape[dim], x._data.dtype if x.dtype.is_floating_point else np.dtype("float32")
    scale = kind.type(1 / factor if factor else old / count)
    where = np.floor((np.arange(count, dtype=kind) + kind.type(offset)) * scale)
    where = np.minimum(where.astype(np.int64), old - 1)
    times, rest = divmod(count, old)
    if rest == 0 and np.array_equal(where, np.arange(count) // times):  # every pixel so many times
        return _repeated(x, dim, times)
    return index_select(x, dim, wrap(where))


def _repeated(x, dim, times):
    """Each element `times` times along `dim`; the adjoint of adding up windows of so many."""
    shape = *x.shape[:dim], x.shape[dim] * times, *x.shape[dim + 1 :]
    if not x.dtype.is_floating_point:
        return wrap(np.repeat(x._data, times, dim))
    inner = math.prod(shape[dim + 1 :])
    rows = x.reshape(-1, x.shape[dim], inner)
    window, none = (times, 1), (0, 0)
    windows = Windows(window, tuple(rows.shape[1:]), window, (1, 1), (none, none), none)
    size = rows.shape[0], rows.shape[1] * times, inner
    return AvgPool2DInput.apply(rows, windows, 1, size).reshape(shape)


def _mixed(x, dim, count, factor, align_corners, cubic):
    """Each new pixel is a mixture of its two, or (cubic) four, old neighbours on this side."""
    # NB: in torch an infinite pixel touches its neighbours alone; in mini, where 0 * inf is NaN,
    # its whole row and column.
    old = x.shape[dim]
    places = _places(old, count, factor, align_corners, cubic)
    left = np.floor(places)
    t, matrix = places - left, np.zeros((count, old))
    weights = cubic_weights(t) if cubic else (1 - t, t)
    for k, weight in enumerate(weights, -1 if cubic else 0):
        neighbours = np.clip(left.astype(np.int64) + k, 0, old - 1)
        np.add.at(matrix, (np.arange(count), neighbours), weight)
    matrix = wrap(matrix.astype(x._data.dtype))
    if dim == x.ndim - 1:
        return x @ matrix.t()
    shape = *x.shape[:dim], count, *x.shape[dim + 1 :]
    return (matrix @ x.flatten(dim + 1)).reshape(shape)


def _places(old, count, factor, align_corners, cubic):
    """Where the centres of the new pixels lie among the old ones, whose centres are 0, 1, ..."""
    new = np.arange(count)
    if align_corners:
        return new * ((old - 1) / (count - 1) if count > 1 else 0.0)
    places = (new + 0.5) * (1 / factor if factor else old / count) - 0.5
    return places if cubic else np.maximum(places, 0)


def cubic_weights(t):
    """How much of the pixels at -1, 0, 1 and 2 makes one at 0 <= t < 1 (Keys 1981, a = -0.75)."""
    a = -0.75

    def near(s):
        return ((a + 2) * s - (a + 3)) * s * s + 1

    def far(s):
        return ((a * s - 5 * a) * s + 8 * a) * s - 4 * a

    return far(t + 1), near(t), near(1 - t), far(2 - t)


# -- sizes and errors ------------------------------------------------------------------------------


def _sizes(input, size, scale_factor, recompute, mode):
    """The new size of each side, and the factor to compute with or None."""
    n = input.ndim - 2
    if (size is None) == (scale_factor is None):
        which = "either" if size is None else "only one of"
        raise ValueError(f"{which} size or scale_factor should be defined")
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        return _for_each_side(input, size, "size"), [None] * n
    factors = _for_each_side(input, scale_factor, "scale_factor")
    size = [int(old * factor) for old, factor in zip(input.shape[2:], factors, strict=True)]
    return size, [None] * n if recompute or mode == "area" else factors


def _for_each_side(input, value, name):
    n = input.ndim - 2
    if not isinstance(value, tuple | list):
        return [value] * n
    if len(value) == n:
        return list(value)
    spatial = list(input.shape[2:])
    if name == "size":
        raise ValueError(
            "Input and output must have the same number of spatial dimensions, but got input with "
            f"spatial dimensions of {spatial} and output size of {value}. Please provide input "
            "tensor in (N, C, d1, d2, ...,dK) format and output size in (o1, o2, ...,oK) format."
        )
    raise ValueError(
        "Input and scale_factor must have the same number of spatial dimensions, but got input "
        f"with spatial dimensions of {spatial} and scale_factor of shape {value}. Please provide "
        "input tensor in (N, C, d1, d2, ...,dK) format and scale_factor in (s1, s2, ...,sK) format."
    )


def _check(input, size, mode):
    known = mode in MODES or mode in ("nearest", "nearest-exact", "area")
    if known and mode != "bicubic" and input.ndim in (3, 4, 5):
        needed = MODES.get(mode, input.ndim)
        if input.ndim != needed:
            raise NotImplementedError(
                f"Got {input.ndim}D input, but {mode} mode needs {needed}D input"
            )
    elif mode != "bicubic" or input.ndim != 4:
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {input.ndim}D) for the "
            "modes: nearest | linear | bilinear | bicubic | trilinear | lanczos | area | "
            f"nearest-exact (got {mode})"
        )
    if min(*size, *input.shape[2:]) < 1:
        raise RuntimeError(
            "Input and output sizes should be greater than 0, but got input "
            f"{list(input.shape[2:])} and output {list(size)}"
        )
    if mode in MODES and not input.dtype.is_floating_point:
        raise NotImplementedError(f"mode={mode!r} takes floating point tensors, got {input.dtype}")
