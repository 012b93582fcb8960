"""Max pooling undone, as far as it can be."""

import math
from collections.abc import Sequence

from dlcourse.mini._core import Tensor
from dlcourse.mini.ops.unpool import MaxUnpool

import numpy as np

__all__ = ["max_unpool1d", "max_unpool2d", "max_unpool3d"]

Sides = int | tuple[int, ...]


def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Sides, stride: Sides | None = None,
    padding: Sides = 0, output_size: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """(B, C, T') or (C, T') to (..., T); see `max_unpool2d`."""
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Sides, stride: Sides | None = None,
    padding: Sides = 0, output_size: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """(B, C, H', W') or (C, H', W') to (..., H, W): each element where max_pool2d found it, else 0.

    H = (H' - 1) * stride + kernel_size - 2 * padding; `output_size` chooses between the sizes that
    pooling confuses.  Source: Zeiler and Fergus 2014.
    """
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Sides, stride: Sides | None = None,
    padding: Sides = 0, output_size: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """(B, C, D', H', W') or (C, D', H', W') to (..., D, H, W); see `max_unpool2d`."""
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)


def _unpool(n, input, indices, kernel_size, stride, padding, output_size):
    _check(n, input, indices)
    stride = kernel_size if stride is None else stride
    geometry = [
        (v,) * n if isinstance(v, int | np.integer) else v for v in (kernel_size, stride, padding)
    ]
    sides = zip(input.shape[-n:], *geometry, strict=True)
    usual = [(size - 1) * s + k - 2 * p for size, k, s, p in sides]
    size = usual if output_size is None else _chosen(n, output_size, usual, geometry[1])
    lead, length = input.shape[:-n], math.prod(size)
    index = indices._data.reshape(*lead, -1).copy()  # (..., H' * W')
    bad = index[(index < 0) | (index >= length)]
    if bad.size:
        volumes = "x".join(map(str, size))
        raise RuntimeError(
            f"Found an invalid max index: {bad[0]} (output volumes are of size {volumes})"
        )
    out = MaxUnpool.apply(input.reshape(*lead, -1), index, length)  # (..., H * W)
    return out.reshape(*lead, *size)


def _check(n, input, indices):
    if input.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            f"Input to max_unpooling{n}d should be a {n + 1}d or {n + 2}d Tensor, but got a tensor "
            f"with {input.ndim} dimensions."
        )
    if indices.dtype.name != "int64":
        raise RuntimeError(
            f"elements in indices should be type int64 but got: {indices.dtype.scalar_type}"
        )
    if indices.shape != input.shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor "
            f"({list(input.shape)}) but got indices tensor with shape: {list(indices.shape)}"
        )


def _chosen(n, output_size, usual, stride):
    size = output_size[2:] if len(output_size) == n + 2 else output_size
    if len(size) != n:
        raise ValueError(
            f"output_size should be a sequence containing {n} or {n + 2} elements, but it has a "
            f"length of '{len(size)}'"
        )
    for d, (wanted, middle, s) in enumerate(zip(size, usual, stride, strict=True)):
        if not middle - s < wanted < middle + s:
            raise ValueError(
                f'invalid output_size "{size}" (dim {d} must be between {middle - s} and '
                f"{middle + s})"
            )
    return tuple(size)
