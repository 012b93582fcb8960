"""Convolutions and their transposes in one, two and three dimensions.

`input` is (B, C, ...) or, without a batch, (C, ...).  One dimension is two with a height of 1.
"""

from dlcourse.mini._core import Tensor
from dlcourse.mini.ops.conv import Convolution, Geometry, convolution_input
from dlcourse.mini.ops.conv3d import convolution3d, convolution3d_input
from dlcourse.mini.ops.pad import ConstantPadND

import numpy as np

__all__ = [
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
]  # fmt: skip

Sides = int | tuple[int, ...]


def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sides = 1,
    padding: Sides | str = 0, dilation: Sides = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """(B, C, T) or (C, T) with weight (O, C / groups, k) to (B, O, T'); see `conv2d`."""
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sides = 1,
    padding: Sides | str = 0, dilation: Sides = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """(B, C, H, W) or (C, H, W) with weight (O, C / groups, kh, kw) to (B, O, H', W').

    H' = (H + 2 * padding - dilation * (kh - 1) - 1) // stride + 1.  `padding` is a number, a pair,
    "valid" or "same".
    """
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sides = 1,
    padding: Sides | str = 0, dilation: Sides = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """(B, C, D, H, W) or (C, D, H, W) with weight (O, C / groups, kd, kh, kw); see `conv2d`."""
    return _conv(3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sides = 1,
    padding: Sides = 0, output_padding: Sides = 0, groups: int = 1, dilation: Sides = 1,
) -> Tensor:  # fmt: skip
    """(B, C, T) or (C, T) with weight (C, O / groups, k) to (B, O, T'); see `conv_transpose2d`."""
    return _transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sides = 1,
    padding: Sides = 0, output_padding: Sides = 0, groups: int = 1, dilation: Sides = 1,
) -> Tensor:  # fmt: skip
    """The gradient of conv2d in its input: (B, C, H, W) with weight (C, O / groups, kh, kw).

    H' = (H - 1) * stride - 2 * padding + dilation * (kh - 1) + output_padding + 1 (Zeiler et al.
    2010).  `output_padding` lengthens the end, to choose between sizes that a stride confuses.
    """
    return _transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sides = 1,
    padding: Sides = 0, output_padding: Sides = 0, groups: int = 1, dilation: Sides = 1,
) -> Tensor:  # fmt: skip
    """(B, C, D, H, W) with weight (C, O / groups, kd, kh, kw); see `conv_transpose2d`."""
    return _transpose(3, input, weight, bias, stride, padding, output_padding, groups, dilation)


# -- in n dimensions -------------------------------------------------------------------------------


def _conv(n, input, weight, bias, stride, padding, dilation, groups):
    _check_tensors(f"conv{n}d", input, weight, bias)
    if input.ndim == n + 1:
        args = bias, stride, padding, dilation, groups
        return _conv(n, input.unsqueeze(0), weight, *args).squeeze(0)
    stride, dilation = _sides(n, stride, "stride"), _sides(n, dilation, "dilation")
    padding = _conv_padding(n, padding, weight.shape[2:], stride, dilation)
    geometry = Geometry(stride, padding, dilation, groups)
    _check_conv(n, input, weight, bias, geometry)
    if n == 1:
        planes = input.unsqueeze(2), weight.unsqueeze(2), bias, _as_planes(geometry)
        return Convolution.apply(*planes).squeeze(2)
    return (Convolution.apply if n == 2 else convolution3d)(input, weight, bias, geometry)


def _transpose(n, input, weight, bias, stride, padding, output_padding, groups, dilation):
    _check_tensors(f"conv_transpose{n}d", input, weight, bias)
    if input.ndim == n + 1:
        args = bias, stride, padding, output_padding, groups, dilation
        return _transpose(n, input.unsqueeze(0), weight, *args).squeeze(0)
    if isinstance(padding, str):
        raise TypeError(f"conv_transpose{n}d(): argument 'padding' must be tuple of ints, not str")
    stride, dilation = _sides(n, stride, "stride"), _sides(n, dilation, "dilation")
    padding, more = _sides(n, padding, "padding"), _sides(n, output_padding, "output_padding")
    _check_transpose(n, input, weight, bias, groups)
    _check_output_padding(more, stride, dilation)
    # A longer end is a shorter crop; what is longer than the crop is zeros.
    crops = tuple([(p, max(p - m, 0)) for p, m in zip(padding, more, strict=True)])
    zeros = [max(m - p, 0) for p, m in zip(padding, more, strict=True)]
    geometry = Geometry(stride, crops, dilation, groups)
    sides = zip(input.shape[2:], weight.shape[2:], stride, dilation, crops, strict=True)
    size = [(i - 1) * s + d * (k - 1) + 1 - sum(c) for i, k, s, d, c in sides]
    if min(size) + min(zeros) < 1:
        raise RuntimeError(
            f"Given input size per channel: {list(input.shape[2:])}. Calculated output size per "
            f"channel: {size}. Output size is too small"
        )
    out = _adjoint(n, input, weight, (len(input), weight.shape[1] * groups, *size), geometry)
    if any(zeros):
        out = ConstantPadND.apply(out, ((0, 0), (0, 0), *[(0, z) for z in zeros]), 0)
    return out if bias is None else out + bias.reshape(-1, *[1] * n)


def _adjoint(n, input, weight, shape, geometry):
    if n == 1:
        planes = input.unsqueeze(2), weight.unsqueeze(2), (*shape[:2], 1, shape[2])
        return convolution_input(*planes, _as_planes(geometry)).squeeze(2)
    return (convolution_input if n == 2 else convolution3d_input)(input, weight, shape, geometry)


def _as_planes(geometry):
    """One dimension as the second of two."""
    stride, padding, dilation, groups = geometry
    return Geometry((1, *stride), ((0, 0), *padding), (1, *dilation), groups)


def _sides(n, value, name):
    """One number for each of n sides."""
    sides = (value,) * n if isinstance(value, int | np.integer) else tuple(value)
    sides = sides * n if len(sides) == 1 else sides
    if len(sides) != n:
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {n} values to match the "
            f"convolution dimensions, but got {name}={list(sides)}"
        )
    if min(sides) < (0 if "padding" in name else 1):
        kind = "negative" if "padding" in name else "non-positive"
        raise RuntimeError(f"{kind} {name} is not supported")
    return sides


def _conv_padding(n, padding, kernel, stride, dilation):
    """((top, bottom), (left, right)).  "same" with an even kernel pads one more at the end."""
    if padding == "same":
        if max(stride) != 1:
            raise RuntimeError("padding='same' is not supported for strided convolutions")
        totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return tuple([(total // 2, total - total // 2) for total in totals])
    if isinstance(padding, str) and padding != "valid":
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    sides = _sides(n, 0 if padding == "valid" else padding, "padding")
    return tuple([(side, side) for side in sides])


# -- errors ----------------------------------------------------------------------------------------


def _check_tensors(name, input, weight, bias):
    """Refuse an array, a list, and a tensor of another library, whose module is then named."""
    given = {"input": input, "weight": weight} | ({} if bias is None else {"bias": bias})
    for position, (label, value) in enumerate(given.items(), 1):
        if not isinstance(value, Tensor):
            kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
            raise TypeError(
                f"{name}(): argument '{label}' (position {position}) must be Tensor, not {kind}"
            )


def _check_conv(n, input, weight, bias, geometry):
    _check_ranks(n, input, weight, f"conv{n}d", "(O, C / groups, ...)")
    groups, channels = geometry.groups, weight.shape[1] * geometry.groups
    if groups < 1:
        raise RuntimeError("non-positive groups is not supported")
    if weight.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size {list(weight.shape)} instead"
        )
    if input.shape[1] != channels:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {list(weight.shape)}, expected "
            f"input{list(input.shape)} to have {channels} channels, but got {input.shape[1]} "
            "channels instead"
        )
    _check_bias(input, weight, bias, weight.shape[0], "Given")
    if min(geometry.out_size(input.shape[2:], weight.shape[2:])) < 1:
        sides = zip(input.shape[2:], geometry.padding, strict=True)
        padded = " x ".join(str(size + sum(p)) for size, p in sides)
        kernel = " x ".join(str(k) for k in weight.shape[2:])
        raise RuntimeError(
            f"Calculated padded input size per channel: ({padded}). Kernel size: ({kernel}). "
            "Kernel size can't be greater than actual input size"
        )


def _check_transpose(n, input, weight, bias, groups):
    _check_ranks(n, input, weight, f"conv_transpose{n}d", "(C, O / groups, ...)")
    if groups < 1:
        raise RuntimeError("non-positive groups is not supported")
    if weight.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size [{list(weight.shape)}] instead"
        )
    if input.shape[1] != weight.shape[0]:
        raise RuntimeError(
            f"Given transposed=1, weight of size {list(weight.shape)}, expected "
            f"input{list(input.shape)} to have {weight.shape[0]} channels, but got "
            f"{input.shape[1]} channels instead"
        )
    _check_bias(input, weight, bias, weight.shape[1] * groups, "Given transposed=1,")


def _check_ranks(n, input, weight, name, layout):
    if input.ndim != n + 2:
        raise RuntimeError(
            f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {name}, but got input "
            f"of size: {list(input.shape)}"
        )
    if weight.ndim != n + 2:
        raise RuntimeError(
            f"{name} expects a weight of {n + 2} dimensions, {layout}, got {list(weight.shape)}"
        )


def _check_bias(input, weight, bias, channels, given):
    """The size of the bias, and that all are of one type."""
    if bias is not None and bias.shape != (channels,):
        raise RuntimeError(
            f"{given} weight of size {list(weight.shape)}, expected bias to be 1-dimensional with "
            f"{channels} elements, but got bias of size {list(bias.shape)} instead"
        )
    if bias is not None and bias.dtype is not input.dtype:
        raise RuntimeError(
            f"Input type ({input.dtype.c_type}) and bias type ({bias.dtype.c_type}) should be "
            "the same"
        )
    if input.dtype is not weight.dtype:
        raise RuntimeError(
            f"expected scalar type {input.dtype.scalar_type} but found {weight.dtype.scalar_type}"
        )


def _check_output_padding(more, stride, dilation):
    if any(m >= max(s, d) for m, s, d in zip(more, stride, dilation, strict=True)):
        raise RuntimeError(
            "output padding must be smaller than either stride or dilation, but got "
            f"output_padding={more}, stride={stride}, dilation={dilation}"
        )
