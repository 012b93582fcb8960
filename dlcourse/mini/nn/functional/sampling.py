"""Images looked up at any places: spatial transformers (Jaderberg et al. 2015)."""

import itertools
import math
import warnings
from collections.abc import Sequence

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.nn.functional.resampling import cubic_weights

import numpy as np

__all__ = ["affine_grid", "grid_sample"]

PADDING_MODES = ("zeros", "border", "reflection")


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The places (B, H, W, 2), as (x, y) in [-1, 1], that the maps theta (B, 2, 3) send pixels to.

    For `size` (B, C, H, W); or (B, D, H, W, 3) for theta (B, 3, 4) and `size` (B, C, D, H, W).
    """
    align_corners = _stated(align_corners)
    if not theta.dtype.is_floating_point:
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    n = len(size) - 2
    if n not in (2, 3):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {size}."
        )
    if theta.shape[1:] != (n, n + 1):
        raise ValueError(
            f"Expected a batch of {n}D affine matrices of shape Nx{n}x{n + 1} for size {size}. Got "
            f"{theta.shape}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    sides = [np.linspace(-1, 1, k) if k > 1 else np.zeros(1) for k in size[2:]]
    if not align_corners:  # the centres of the corner pixels lie inside
        sides = [side * (len(side) - 1) / len(side) for side in sides]
    places = np.stack(np.meshgrid(*sides, indexing="ij")[::-1], -1).reshape(-1, n)  # (x, y)
    places = np.concatenate([places, np.ones((len(places), 1))], 1)  # (H * W, 3)
    grid = wrap(places.astype(theta._data.dtype)) @ theta.transpose(1, 2)  # (B, H * W, 2)
    return grid.reshape(theta.shape[0], *size[2:], n)


def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:  # fmt: skip
    """`input` (B, C, H, W) at the places `grid` (B, H', W', 2), (x, y) in [-1, 1]: (B, C, H', W').

    Or (B, C, D, H, W) at (B, D', H', W', 3).  `mode` is "bilinear", "nearest" or, for images,
    "bicubic"; `padding_mode` says what lies outside: "zeros", "border" or "reflection".
    """
    # NB: in torch this is one node, GridSampler2DBackward0.
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding_mode not in PADDING_MODES:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    align_corners = _stated(align_corners)
    _check(input, grid, mode)
    n, size = input.ndim - 2, input.shape[2:]
    places = []  # for each side, in pixels: (B, 1, H' * W')
    for side, length in enumerate(size):
        x = grid[..., n - 1 - side].reshape(input.shape[0], 1, -1)
        places.append((x + 1) / 2 * (length - 1) if align_corners else ((x + 1) * length - 1) / 2)
    if mode != "bicubic":
        places = _inside(places, size, padding_mode, align_corners)
    corners = [_neighbours(x, mode) for x in places]
    out = 0
    for corner in itertools.product(*corners):
        weight = math.prod([w for _, w in corner[1:]], start=corner[0][1])
        at = [x for x, _ in corner]
        if mode == "bicubic":
            at = [
                x._data for x in _inside([wrap(x) for x in at], size, padding_mode, align_corners)
            ]
        out = out + _looked_up(input, at) * weight
    return out.reshape(*input.shape[:2], *grid.shape[1:-1])


def _neighbours(x, mode):
    """The pixels around each place x, as an array of whole numbers, and how much each counts."""
    if mode == "nearest":
        return [(np.rint(x._data), x * 0 + 1)]
    left = np.floor(x._data)
    t = x - wrap(left)
    weights = cubic_weights(t) if mode == "bicubic" else (1 - t, t)
    return [(left + k, w) for k, w in enumerate(weights, -1 if mode == "bicubic" else 0)]


def _looked_up(input, at):
    """input[b, c, y, x], 0 outside: (B, C, H' * W') for arrays y, x (B, 1, H' * W')."""
    flat, inside = np.zeros(at[0].shape, np.int64), np.ones(at[0].shape, bool)
    for x, length in zip(at, input.shape[2:], strict=True):
        ok = (x >= 0) & (x < length)
        inside &= ok
        flat = flat * length + np.where(ok, x, 0).astype(np.int64)
    index = np.broadcast_to(flat, (*input.shape[:2], flat.shape[2]))
    found = input.flatten(2).gather(2, wrap(index))
    return found if inside.all() else found.masked_fill(wrap(~inside), 0.0)


def _inside(places, size, padding_mode, align_corners):
    """Places outside moved to where the padding takes its pixels from."""
    if padding_mode == "zeros":
        return places
    if padding_mode == "reflection":
        places = [_reflected(x, n, align_corners) for x, n in zip(places, size, strict=True)]
    return [x.clamp(0, n - 1) for x, n in zip(places, size, strict=True)]


def _reflected(x, length, align_corners):
    """x mirrored, as often as needed, at the centres or at the outer edges of the last pixels."""
    low = 0.0 if align_corners else -0.5
    span = length - 1 if align_corners else length
    if span == 0:
        return x * 0
    far = (x - low).abs()
    flips = np.floor(far._data / span)
    even = flips % 2 == 0
    sign = wrap(np.where(even, 1.0, -1.0).astype(x._data.dtype))
    shift = wrap((np.where(even, -flips, flips + 1) * span).astype(x._data.dtype))
    return far * sign + shift + low


def _stated(align_corners):
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since "
            "1.3.0. Please specify align_corners=True if the old behavior is desired. See the "
            "documentation of grid_sample for details.",
            stacklevel=3,
        )
    return bool(align_corners)


def _check(input, grid, mode):
    n = input.ndim - 2
    if n not in (2, 3) or grid.ndim != input.ndim:
        raise RuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but "
            f"got input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if input.shape[0] != grid.shape[0]:
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with "
            f"sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if grid.shape[-1] != n:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {n} in last dimension, but got grid with "
            f"sizes {list(grid.shape)}"
        )
    if mode == "bicubic" and n != 2:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if input.dtype is not grid.dtype:
        raise RuntimeError(
            "grid_sampler(): expected input and grid to have same dtype, but input has "
            f"{input.dtype} and grid has {grid.dtype}"
        )
