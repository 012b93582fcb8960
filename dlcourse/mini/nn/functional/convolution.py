"""Convolutions."""

from dlcourse.mini.ops.conv import Convolution, Geometry

__all__ = ["conv2d"]


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """(B, C, H, W) or (C, H, W) with weight (O, C / groups, kh, kw) to (B, O, H', W').

    H' = (H + 2 * padding - dilation * (kh - 1) - 1) // stride + 1.  `padding` is a number, a pair,
    "valid" or "same".
    """
    if input.ndim == 3:
        args = bias, stride, padding, dilation, groups
        return conv2d(input.unsqueeze(0), weight, *args).squeeze(0)
    stride, dilation = _conv_pair(stride, "stride"), _conv_pair(dilation, "dilation")
    padding = _conv_padding(padding, weight.shape[2:], stride, dilation)
    geometry = Geometry(stride, padding, dilation, groups)
    _check_conv(input, weight, bias, geometry)
    return Convolution.apply(input, weight, bias, geometry)


def _conv_pair(value, name):
    pair = (value, value) if isinstance(value, int) else tuple(value)
    pair = pair * 2 if len(pair) == 1 else pair
    if len(pair) != 2:
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of 2 values to match the "
            f"convolution dimensions, but got {name}={list(pair)}"
        )
    if min(pair) < (0 if name == "padding" else 1):
        kind = "negative" if name == "padding" else "non-positive"
        raise RuntimeError(f"{kind} {name} is not supported")
    return pair


def _conv_padding(padding, kernel, stride, dilation):
    """((top, bottom), (left, right)).  "same" with an even kernel pads one more at the end."""
    if padding == "same":
        if stride != (1, 1):
            raise RuntimeError("padding='same' is not supported for strided convolutions")
        totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return tuple([(total // 2, total - total // 2) for total in totals])
    if isinstance(padding, str) and padding != "valid":
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    rows, columns = _conv_pair(0 if padding == "valid" else padding, "padding")
    return (rows, rows), (columns, columns)


def _check_conv(input, weight, bias, geometry):
    if input.ndim != 4:
        raise RuntimeError(
            "Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: "
            f"{list(input.shape)}"
        )
    if weight.ndim != 4:
        raise RuntimeError(f"conv2d expects weight (O, C / groups, kh, kw), got {weight.shape}")
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
    if bias is not None and bias.shape != weight.shape[:1]:
        raise RuntimeError(
            f"Given weight of size {list(weight.shape)}, expected bias to be 1-dimensional with "
            f"{weight.shape[0]} elements, but got bias of size {list(bias.shape)} instead"
        )
    if input.dtype is not weight.dtype:
        raise RuntimeError(
            f"expected scalar type {input.dtype.scalar_type} but found {weight.dtype.scalar_type}"
        )
    if bias is not None and bias.dtype is not input.dtype:
        raise RuntimeError(
            f"Input type ({input.dtype.c_type}) and bias type ({bias.dtype.c_type}) should be "
            "the same"
        )
    if min(geometry.out_size(input.shape[2:], weight.shape[2:])) < 1:
        sides = zip(input.shape[2:], geometry.padding, strict=True)
        padded = " x ".join(str(n + sum(p)) for n, p in sides)
        kernel = " x ".join(str(k) for k in weight.shape[2:])
        raise RuntimeError(
            f"Calculated padded input size per channel: ({padded}). Kernel size: ({kernel}). "
            "Kernel size can't be greater than actual input size"
        )
