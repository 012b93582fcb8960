"""Windows of signal processing: weights that fade towards both ends."""

import math

from dlcourse.mini._core import wrap
from dlcourse.mini._device import require_cpu
from dlcourse.mini.ops.creation import numpy_dtype

import numpy as np


def _cosines(weights, window_length, periodic, dtype, device, requires_grad):
    """The sum of weights[k] * cos(2 pi k n / N) over k; N is the length, less 1 if symmetric."""
    require_cpu(device)
    if window_length < 0:
        raise RuntimeError("window_length must be non-negative")
    n = np.arange(window_length)
    angle = 2 * math.pi * n / max(window_length if periodic else window_length - 1, 1)
    array = sum(w * np.cos(k * angle) for k, w in enumerate(weights))
    array = np.ones(1) if window_length == 1 else np.asarray(array)
    return wrap(array.astype(numpy_dtype(dtype)), requires_grad)


def hann_window(window_length, periodic=True, *, dtype=None, device=None, requires_grad=False):
    """`(1 - cos(2 pi n / N)) / 2`; N is the length, one less if not `periodic`."""
    return _cosines((0.5, -0.5), window_length, periodic, dtype, device, requires_grad)


def hamming_window(
    window_length, periodic=True, alpha=0.54, beta=0.46, *, dtype=None, device=None,
    requires_grad=False,
):  # fmt: skip
    """`alpha - beta cos(2 pi n / N)`; N is the length, one less if not `periodic`."""
    return _cosines((alpha, -beta), window_length, periodic, dtype, device, requires_grad)


def blackman_window(window_length, periodic=True, *, dtype=None, device=None, requires_grad=False):
    """`0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N)`, with N as in `hann_window`."""
    return _cosines((0.42, -0.5, 0.08), window_length, periodic, dtype, device, requires_grad)


def bartlett_window(window_length, periodic=True, *, dtype=None, device=None, requires_grad=False):
    """A triangle, `1 - |2 n / N - 1|`; N is the length, one less if not `periodic`."""
    require_cpu(device)
    if window_length < 0:
        raise RuntimeError("window_length must be non-negative")
    steps = max(window_length if periodic else window_length - 1, 1)
    array = 1 - np.abs(2 * np.arange(window_length) / steps - 1)
    array = np.ones(1) if window_length == 1 else array
    return wrap(array.astype(numpy_dtype(dtype)), requires_grad)
