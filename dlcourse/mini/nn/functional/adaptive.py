"""Pooling to a size that is asked for, by windows that cover the input evenly.

Window i of n covers elements floor(i * H / n) to ceil((i + 1) * H / n).  None keeps a side.
"""

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.nn.functional.pooling import max_pool1d, max_pool2d, max_pool3d
from dlcourse.mini.ops.operation import check_kernel
from dlcourse.mini.ops.pad import part
from dlcourse.mini.ops.shape import stack

import numpy as np

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool2d", "adaptive_max_pool3d",
]  # fmt: skip

Sizes = int | None | tuple[int | None, ...]


def adaptive_avg_pool1d(input: Tensor, output_size: Sizes) -> Tensor:
    """Means over T' windows of (B, C, T) or (C, T)."""
    return _average(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Sizes) -> Tensor:
    """Means over H' x W' windows of (B, C, H, W) or (C, H, W).

    The mean over rows and columns is a product with a matrix from the left and one from the right.
    """
    # NB: in torch this is one node, AdaptiveAvgPool2DBackward0, unless the size is 1.
    return _average(2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Sizes) -> Tensor:
    """Means over D' x H' x W' windows of (B, C, D, H, W) or (C, D, H, W)."""
    return _average(3, input, output_size)


def adaptive_max_pool1d(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest of T' windows of (B, C, T) or (C, T); with `return_indices` where it stands."""
    return _largest(1, input, output_size, return_indices)


def adaptive_max_pool2d(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest of H' x W' windows of (B, C, H, W) or (C, H, W).

    With `return_indices` also where each stands in its image, as row * W + column.
    """
    return _largest(2, input, output_size, return_indices)


def adaptive_max_pool3d(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest of D' x H' x W' windows of (B, C, D, H, W); see `adaptive_max_pool2d`."""
    return _largest(3, input, output_size, return_indices)


def evenly(size: int, count: int) -> list[tuple[int, int]]:
    """The beginnings and ends of `count` windows that cover `size` elements."""
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def _average(n, input, output_size):
    counts = _checked(n, input, output_size, f"adaptive_avg_pool{n}d", "but got")
    if set(counts) == {1}:
        return input.mean(tuple(range(-n, 0)), keepdim=True)
    check_kernel("adaptive_avg_pool3d_cpu" if n > 2 else "adaptive_avg_pool2d", input._data.dtype)
    matrices = [
        _averages(*sizes, input.dtype) for sizes in zip(input.shape[-n:], counts, strict=True)
    ]
    out = input @ matrices[-1].t()  # (..., W')
    if n > 1:
        out = matrices[-2] @ out  # (..., H', W')
    if n > 2:
        out = (matrices[0] @ out.flatten(-2)).reshape(*input.shape[:-3], *counts)  # (..., D', ...)
    return out


def _averages(size, count, dtype):
    """The matrix (count, size) whose rows are the windows' means."""
    out = np.zeros((count, size), dtype.numpy)
    for row, (start, stop) in zip(out, evenly(size, count), strict=True):
        row[start:stop] = 1 / (stop - start)
    return wrap(out)


def _largest(n, input, output_size, return_indices):
    """Dimension by dimension, from the last: so the first of equals wins, as in torch."""
    counts = _checked(n, input, output_size, f"adaptive_max_pool{n}d", "but got:")
    sizes = input.shape[-n:]
    if all(count and size % count == 0 for size, count in zip(sizes, counts, strict=True)):
        kernel = tuple([size // count for size, count in zip(sizes, counts, strict=True)])
        pool = (max_pool1d, max_pool2d, max_pool3d)[n - 1]  # the windows are alike: 30 times faster
        return pool(input, kernel, return_indices=return_indices)
    out, where, step = input, None, 1
    for dim, count in zip(range(input.ndim - 1, -1, -1), reversed(counts), strict=False):
        size = input.shape[dim]
        windows = [(part(out, dim, a, b).max(dim), a) for a, b in evenly(size, count)]
        out = stack([best.values for best, _ in windows], dim)
        here = stack([best.indices + start for best, start in windows], dim)
        where = here if where is None else here * step + where.gather(dim, here)
        step *= size
    return (out, where) if return_indices else out


def _checked(n, input, output_size, function, but_got):
    """`output_size` as one number for each side."""
    if input.ndim not in (n + 1, n + 2):
        if n == 1:
            raise RuntimeError(
                f"Expected 2 to 3 dimensions, but got {input.ndim}-dimensional tensor for argument "
                f"#1 'self' (while checking arguments for {function})"
            )
        raise RuntimeError(
            f"{function}(): Expected {n + 1}D or {n + 2}D tensor, {but_got} {list(input.shape)}"
        )
    for dim in range(input.ndim - n, input.ndim):
        if input.shape[dim] == 0:
            raise RuntimeError(
                f"{function}(): Expected input to have non-zero size for non-batch dimensions, but "
                f"input has sizes {list(input.shape)} with dimension {dim} being empty"
            )
    sizes = tuple(output_size) if isinstance(output_size, tuple | list) else (output_size,) * n
    if len(sizes) != n:
        raise RuntimeError(f"{function}(): output_size must have {n} elements, got {sizes}")
    return [size if s is None else s for size, s in zip(input.shape[-n:], sizes, strict=True)]
