"""Convolution in two dimensions.

A convolution is linear in the input and in the kernel, so three operations suffice for derivatives
of any order: out(x, w), its adjoint in x (grad, w) and its adjoint in w (grad, x).  Each is the
derivative of the others.

All three are one matrix product on unfolded windows (im2col; Chellapilla, Puri, Simard 2006), built
for a block of images at a time, so that the unfolded copy, kh * kw times as large as the images,
stays in the cache.  `conv2d_plain` says the same in a few lines, without any of that.
"""

from typing import NamedTuple

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.operation import Op
from dlcourse.mini.ops.shape import cat

import numpy as np
from numpy.lib.stride_tricks import as_strided

BLOCK_BYTES = 1 << 19  # of unfolded windows; 2**18 to 2**20 measured alike


class Geometry(NamedTuple):
    """A convolution but for its arrays; `padding` is ((top, bottom), (left, right))."""

    stride: tuple
    padding: tuple
    dilation: tuple
    groups: int

    def out_size(self, size, kernel):
        """(H', W') for images of `size` (H, W)."""
        sides = zip(size, kernel, self.stride, self.padding, self.dilation, strict=True)
        return tuple([(n + sum(p) - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sides])


def taps(kernel, out_size, stride, dilation):
    """For each element (i, j) of a kernel: the part of the padded images that it meets."""
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            sides = zip((i, j), out_size, stride, dilation, strict=True)
            parts = [slice(a * d, a * d + s * (n - 1) + 1, s) for a, n, s, d in sides]
            yield (i, j), (..., *parts)


def conv2d_plain(x, w, bias, geometry):
    """What a convolution is: for each tap of the kernel one product over the channels."""
    out_size = geometry.out_size(x.shape[2:], w.shape[2:])
    x = pad_plain(x, geometry.padding)
    x = x.reshape(len(x), geometry.groups, -1, *x.shape[2:])  # (B, groups, C / groups, H, W)
    w = w.reshape(geometry.groups, -1, *w.shape[1:])  # (groups, O / groups, C / groups, kh, kw)
    out = 0
    for (i, j), index in taps(w.shape[3:], out_size, geometry.stride, geometry.dilation):
        out = out + w[:, :, :, i, j] @ x[index].flatten(3)  # (B, groups, O / groups, H' * W')
    out = out.reshape(len(x), -1, *out_size)
    return out if bias is None else out + bias.reshape(-1, 1, 1)


def pad_plain(x, padding):
    """x (B, C, H, W) with a border of zeros, by concatenation."""
    for dim, sizes in zip((2, 3), padding, strict=True):
        borders = [(*x.shape[:dim], size, *x.shape[dim + 1 :]) for size in sizes]
        before, after = [wrap(np.zeros(shape, x._data.dtype)) for shape in borders]
        x = cat([before, x, after], dim)
    return x


# -- the arrays ------------------------------------------------------------------------------------


def bordered(shape, padding, dtype, value=0.0):
    """Padded images, all `value`, and the view of them that are the images of `shape`."""
    (top, bottom), (left, right) = padding
    *lead, height, width = shape
    padded = np.full((*lead, height + top + bottom, width + left + right), value, dtype)
    return padded, padded[..., top : top + height, left : left + width]


def pad_images(x, padding, value=0.0):
    """The array x (B, C, H, W) with a border of `value`; x itself when the border is empty."""
    if padding == ((0, 0), (0, 0)):
        return x
    padded, inner = bordered(x.shape, padding, x.dtype, value)
    inner[...] = x
    return padded


def unfold(images, geometry, out):
    """The windows of padded images (B, C, H, W), written into `out` (C, kh, kw, B, H', W')."""
    b, c, h, w = images.strides
    (dh, dw), (sh, sw) = geometry.dilation, geometry.stride
    strides = c, h * dh, w * dw, b, h * sh, w * sw
    np.copyto(out, as_strided(images, out.shape, strides, writeable=False))


def fold(windows, geometry, images):
    """The adjoint of `unfold`: ADD windows (C, kh, kw, B, H', W') where they came from."""
    target = images.transpose(1, 0, 2, 3)  # (C, B, H, W)
    kernel, out_size = windows.shape[1:3], windows.shape[4:]
    for (i, j), index in taps(kernel, out_size, geometry.stride, geometry.dilation):
        target[index] += windows[:, i, j]


def blocks(count, bytes_each):
    """How many images make a block, and the blocks as slices."""
    step = max(1, min(count, BLOCK_BYTES // max(1, bytes_each)))
    return step, [slice(b, min(b + step, count)) for b in range(0, count, step)]


def by_channel(grad, out, groups):
    """Images (B, O, H', W') copied into `out` (O, B, H', W'): a matrix for each group."""
    out = out[:, : len(grad)]
    np.copyto(out, grad.transpose(1, 0, 2, 3))
    return out.reshape(groups, len(out) // groups, -1)  # (groups, O / groups, B * H' * W')


def correlate(x, w, bias, geometry):
    """The convolution of arrays: for each block of images one product with its windows."""
    groups, kernel = geometry.groups, w.shape[2:]
    height, width = geometry.out_size(x.shape[2:], kernel)
    images = pad_images(x, geometry.padding)
    count, channels = images.shape[:2]
    matrix = w.reshape(groups, len(w) // groups, -1)
    out = np.empty((count, len(w), height, width), x.dtype)
    rows = channels * kernel[0] * kernel[1]
    step, parts = blocks(count, rows * height * width * out.itemsize)
    windows = np.empty((channels, *kernel, step, height, width), out.dtype)
    columns = windows.reshape(groups, rows // groups, step, height * width)
    columns = columns.transpose(2, 0, 1, 3)  # (B, groups, rows / groups, H' * W')
    for part in parts:
        n = part.stop - part.start
        unfold(images[part], geometry, windows[:, :, :, :n])
        flat = out[part].reshape(n, groups, matrix.shape[1], height * width)
        np.matmul(matrix, columns[:n], out=flat)
    if bias is not None:
        out += bias[:, None, None]
    return out


def flipped(w, geometry):
    """The kernel (C, O / groups, kh, kw) and the geometry that take gradients back by `correlate`.

    With stride 1 the gradient of the input is itself a convolution, with the kernel turned round.
    None if the borders do not allow it.
    """
    if geometry.stride != (1, 1):
        return None
    groups, (outputs, inputs, *kernel) = geometry.groups, w.shape
    sides = zip(kernel, geometry.dilation, geometry.padding, strict=True)
    padding = tuple([tuple([d * (k - 1) - p for p in pads]) for k, d, pads in sides])
    if min(min(pads) for pads in padding) < 0:
        return None
    w = w.reshape(groups, outputs // groups, inputs, *kernel)[..., ::-1, ::-1].swapaxes(1, 2)
    return w.reshape(groups * inputs, -1, *kernel), geometry._replace(padding=padding)


class Convolution(Op):
    """out[b, o, y, x] = bias[o] + the sum over c, i, j of
    w[o, c, i, j] * images[b, c, y * stride + i * dilation, x * stride + j * dilation].
    """

    @staticmethod
    def forward(ctx, x, w, bias, geometry):
        ctx.save_for_backward(x, w)
        ctx.geometry = geometry
        out = correlate(x._data, w._data, None if bias is None else bias._data, geometry)
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        x, w = ctx.saved_tensors
        needs_x, needs_w, needs_bias, _ = ctx.needs_input_grad
        return (
            convolution_input(grad_output, w, x.shape, ctx.geometry) if needs_x else None,
            convolution_weight(grad_output, x, w.shape, ctx.geometry) if needs_w else None,
            grad_output.sum((0, 2, 3)) if needs_bias else None,
            None,
        )


class ConvolutionInput(Op):
    """`dL/dx`: each gradient, times the kernel, goes back to the window that it came from."""

    @staticmethod
    def forward(ctx, grad, w, shape, geometry):
        ctx.save_for_backward(grad, w)
        ctx.geometry, groups = geometry, geometry.groups
        # Windows of the gradient are copied; those of the input are added up, in twice the time.
        copied = w._data.shape[0] * shape[2] * shape[3]
        added = w._data.shape[1] * groups * grad._data.shape[2] * grad._data.shape[3]
        turned = flipped(w._data, geometry) if copied <= 2 * added else None
        if turned is not None:
            return wrap(correlate(grad._data, turned[0], None, turned[1]))
        padded, out = bordered(shape, geometry.padding, grad._data.dtype)
        channels, kernel, out_size = shape[1], w._data.shape[2:], grad._data.shape[2:]
        matrix = w._data.reshape(groups, len(w._data) // groups, -1).transpose(0, 2, 1)
        rows = channels * kernel[0] * kernel[1]
        step, parts = blocks(shape[0], rows * out_size[0] * out_size[1] * out.itemsize)
        columns = np.empty((grad._data.shape[1], step, *out_size), out.dtype)
        for part in parts:
            windows = matrix @ by_channel(grad._data[part], columns, groups)
            fold(windows.reshape(channels, *kernel, -1, *out_size), geometry, padded[part])
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        grad, w = ctx.saved_tensors
        needs_grad, needs_w, *_ = ctx.needs_input_grad
        return (
            Convolution.apply(grad_output, w, None, ctx.geometry) if needs_grad else None,
            convolution_weight(grad, grad_output, w.shape, ctx.geometry) if needs_w else None,
            None,
            None,
        )


class ConvolutionWeight(Op):
    """`dL/dw`: each weight collects gradient times input over all places where it was used."""

    @staticmethod
    def forward(ctx, grad, x, shape, geometry):
        ctx.save_for_backward(grad, x)
        ctx.geometry, groups = geometry, geometry.groups
        images, kernel = pad_images(x._data, geometry.padding), shape[2:]
        channels, out_size = images.shape[1], grad._data.shape[2:]
        rows = channels * kernel[0] * kernel[1]
        out = np.zeros((groups, shape[0] // groups, rows // groups), grad._data.dtype)
        step, parts = blocks(len(images), rows * out_size[0] * out_size[1] * out.itemsize)
        windows = np.empty((channels, *kernel, step, *out_size), out.dtype)
        columns = np.empty((shape[0], step, *out_size), out.dtype)
        for part in parts:
            block = windows[:, :, :, : part.stop - part.start]
            unfold(images[part], geometry, block)
            right = block.reshape(groups, rows // groups, -1).transpose(0, 2, 1)
            out += by_channel(grad._data[part], columns, groups) @ right
        return wrap(out.reshape(shape))

    @staticmethod
    def backward(ctx, grad_output):
        grad, x = ctx.saved_tensors
        needs_grad, needs_x, *_ = ctx.needs_input_grad
        return (
            Convolution.apply(x, grad_output, None, ctx.geometry) if needs_grad else None,
            convolution_input(grad, grad_output, x.shape, ctx.geometry) if needs_x else None,
            None,
            None,
        )


convolution_input, convolution_weight = ConvolutionInput.apply, ConvolutionWeight.apply
