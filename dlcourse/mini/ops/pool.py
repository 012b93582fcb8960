"""Pooling in two dimensions.

Windows are walked tap by tap, not output by output: for a 2 x 2 kernel four strided slices of the
images are compared or added, whole arrays at once.
"""

from typing import NamedTuple

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.conv import bordered, pad_images, pad_plain, taps
from dlcourse.mini.ops.operation import Op, masked
from dlcourse.mini.ops.shape import stack

import numpy as np


class Windows(NamedTuple):
    """Where the windows of a pooling lie; `padding` is ((top, bottom), (left, right))."""

    kernel: tuple
    out_size: tuple
    stride: tuple
    dilation: tuple
    padding: tuple
    asked: tuple  # the padding before ceil_mode made it longer

    def taps(self):
        """For each element of the kernel, as an index: what it meets in the padded images."""
        return [index for _, index in taps(self.kernel, self.out_size, self.stride, self.dilation)]


def avg_pool2d_plain(x, windows):
    """What average pooling is: the mean over the taps."""
    x = pad_plain(x, windows.padding)
    return stack([x[index] for index in windows.taps()]).mean(0)


def max_pool2d_plain(x, windows):
    """What max pooling is (without padding): the largest over the taps."""
    return stack([x[index] for index in windows.taps()]).max(0).values


# -- max -------------------------------------------------------------------------------------------


class MaxPool2DWithIndices(Op):
    """The largest element of each window, and the number of its tap as a second output.

    The first of equals wins, NaN beats all, as in torch.
    """

    @staticmethod
    def forward(ctx, x, windows):
        ctx.windows, ctx.shape = windows, x._data.shape
        first, *others = windows.taps()
        images = pad_images(x._data, windows.padding, -np.inf)
        best = images[first].copy()
        which = np.zeros(best.shape, np.min_scalar_type(len(others)))
        for number, index in enumerate(others, 1):
            values = np.ascontiguousarray(images[index])
            better = values > best
            better |= values != values  # NaN
            np.maximum(which, better * which.dtype.type(number), out=which)  # a later tap wins
            np.maximum(best, values, out=best)
        ctx.which = wrap(which)
        ctx.mark_non_differentiable(ctx.which)
        ctx.set_materialize_grads(False)
        return wrap(best), ctx.which

    @staticmethod
    def backward(ctx, grad_output, _):
        return MaxPool2DInput.apply(grad_output, ctx.which, ctx.windows, ctx.shape), None


class MaxPool2DInput(Op):
    """The adjoint of max pooling: each gradient goes to the element that won."""

    @staticmethod
    def forward(ctx, grad, which, windows, shape):
        ctx.which, ctx.windows = which, windows
        padded, out = bordered(shape, windows.padding, grad._data.dtype)
        for number, index in enumerate(windows.taps()):
            part = masked(grad._data, which._data == number)
            if windows.stride == windows.kernel and windows.dilation == (1, 1):  # no overlap
                padded[index] = part
            else:
                padded[index] += part
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        return MaxPool2DWinners.apply(grad_output, ctx.which, ctx.windows), None, None, None


class MaxPool2DWinners(Op):
    """The adjoint of that: of each window the element that won."""

    @staticmethod
    def forward(ctx, x, which, windows):
        ctx.which, ctx.windows, ctx.shape = which, windows, x._data.shape
        images = pad_images(x._data, windows.padding)
        out = np.zeros(which._data.shape, x._data.dtype)
        for number, index in enumerate(windows.taps()):
            out += masked(images[index], which._data == number)
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        return MaxPool2DInput.apply(grad_output, ctx.which, ctx.windows, ctx.shape), None, None


def flat_indices(which, windows, shape):
    """Where each winner stands in its image, row * W + column, int64: torch's `return_indices`."""
    rows, columns = np.divmod(which._data.astype(np.int64), windows.kernel[1])
    for taps_along, dim in ((rows, 0), (columns, 1)):
        start = np.arange(windows.out_size[dim]) * windows.stride[dim] - windows.padding[dim][0]
        taps_along *= windows.dilation[dim]
        taps_along += start[:, None] if dim == 0 else start
    return wrap(rows * shape[-1] + columns)


# -- average ---------------------------------------------------------------------------------------


class AvgPool2D(Op):
    """The sum of each window over `divisor`: a number, or an array (H', W')."""

    @staticmethod
    def forward(ctx, x, windows, divisor):
        ctx.windows, ctx.divisor, ctx.shape = windows, divisor, x._data.shape
        images = pad_images(x._data, windows.padding)
        first, *others = windows.taps()
        out = images[first].copy()
        for index in others:
            out += images[index]
        out /= divisor
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        grad = AvgPool2DInput.apply(grad_output, ctx.windows, ctx.divisor, ctx.shape)
        return grad, None, None


class AvgPool2DInput(Op):
    """The adjoint of average pooling: each gradient goes, in equal parts, to its whole window."""

    @staticmethod
    def forward(ctx, grad, windows, divisor, shape):
        ctx.windows, ctx.divisor = windows, divisor
        padded, out = bordered(shape, windows.padding, grad._data.dtype)
        part = grad._data / np.asarray(divisor, grad._data.dtype)
        for index in windows.taps():
            padded[index] += part
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        return AvgPool2D.apply(grad_output, ctx.windows, ctx.divisor), None, None, None
