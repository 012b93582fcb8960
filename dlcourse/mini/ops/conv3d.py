"""Convolution in three dimensions, as one convolution of planes.

The depths that a window meets become channels, the depth of the output joins the batch: what is
left is a convolution in two dimensions, with all its derivatives.
"""

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.conv import Convolution, Geometry, convolution_input
from dlcourse.mini.ops.index import PutItem
from dlcourse.mini.ops.pad import ConstantPadND
from dlcourse.mini.ops.shape import stack

import numpy as np


def depth_taps(count, out_size, stride, dilation):
    """For each plane of the kernel, as an index: the depths of the images that it meets."""
    starts = [i * dilation for i in range(count)]
    spans = [slice(a, a + stride * (out_size - 1) + 1, stride) for a in starts]
    return [(slice(None), slice(None), span) for span in spans]


def in_plane(geometry):
    """What is left of a geometry when depth has become channels."""
    stride, padding, dilation, groups = geometry
    return Geometry(stride[1:], padding[1:], dilation[1:], groups)


def convolution3d(x, w, bias, geometry):
    """x (B, C, D, H, W) with w (O, C / groups, kd, kh, kw) to (B, O, D', H', W')."""
    depth = geometry.out_size(x.shape[2:], w.shape[2:])[0]
    if geometry.padding[0] != (0, 0):
        x = ConstantPadND.apply(x, ((0, 0), (0, 0), geometry.padding[0], (0, 0), (0, 0)), 0)
    taps = depth_taps(w.shape[2], depth, geometry.stride[0], geometry.dilation[0])
    planes = stack([x[index] for index in taps], 2)  # (B, C, kd, D', H, W)
    planes = planes.permute(0, 3, 1, 2, 4, 5).flatten(2, 3).flatten(0, 1)  # (B * D', C * kd, H, W)
    out = Convolution.apply(planes, w.flatten(1, 2), bias, in_plane(geometry))
    return out.reshape(x.shape[0], depth, *out.shape[1:]).transpose(1, 2)  # (B, O, D', H', W')


def convolution3d_input(grad, w, shape, geometry):
    """The adjoint of `convolution3d` in x: grad (B, O, D', H', W') back to x of `shape`."""
    batch, channels, *size = shape
    depth, kernel = grad.shape[2], w.shape[2]
    planes = grad.transpose(1, 2).flatten(0, 1)  # (B * D', O, H', W')
    flat = batch * depth, channels * kernel, *size[1:]
    parts = convolution_input(planes, w.flatten(1, 2), flat, in_plane(geometry))
    parts = parts.reshape(batch, depth, channels, kernel, *size[1:])  # (B, D', C, kd, H, W)
    parts = parts.permute(3, 0, 2, 1, 4, 5)  # (kd, B, C, D', H, W)
    before, after = geometry.padding[0]
    padded = batch, channels, size[0] + before + after, *size[1:]
    taps = depth_taps(kernel, depth, geometry.stride[0], geometry.dilation[0])
    out = wrap(np.zeros(padded, grad._data.dtype))
    for number, index in enumerate(taps):
        out = out + PutItem.apply(parts[number], index, padded, True)
    return out[:, :, before : before + size[0]]
