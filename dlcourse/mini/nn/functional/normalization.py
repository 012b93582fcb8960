"""Values brought to one scale: over a batch, a sample, or groups of channels."""

import math
from collections.abc import Sequence

from dlcourse.mini._core import Tensor
from dlcourse.mini._dtype import float16, float32
from dlcourse.mini.nn.functional.padding import pad
from dlcourse.mini.nn.functional.pooling import avg_pool2d
from dlcourse.mini.ops.inplace import note_write
from dlcourse.mini.ops.layer_norm import FusedRmsNorm, NativeLayerNorm
from dlcourse.mini.ops.norm import NativeBatchNorm, batch_statistics
from dlcourse.mini.ops.operation import check_kernel, plain

import numpy as np

__all__ = [
    "batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm",
]  # fmt: skip


def batch_norm(
    input,
    running_mean,
    running_var,
    weight=None,
    bias=None,
    training=False,
    momentum=0.1,
    eps=1e-05,
):
    """`(input - mean) / sqrt(var + eps) * weight + bias` for each channel of (B, C, ...).

    In training mean and (biased) variance are the batch's, and the running ones move towards them
    by `momentum`, the variance unbiased (Ioffe and Szegedy 2015); else the running ones are used.
    """
    if eps < 0 or (training and eps == 0):
        wanted = "positive during training" if training else "non-negative"
        raise ValueError(f"batch_norm eps must be {wanted}, but got {eps}")
    for name, tensor in zip(
        ("running_mean", "running_var", "weight", "bias"),
        (running_mean, running_var, weight, bias),
        strict=True,
    ):
        if tensor is not None and tensor.shape != input.shape[1:2]:
            raise RuntimeError(
                f"{name} should contain {input.shape[1]} elements not {tensor.numel()}"
            )
    check_kernel("batch_norm", input._data.dtype)
    _check_one_type(input, weight, bias, running_mean, running_var)
    if not training:
        for name, tensor in (("running_mean", running_mean), ("running_var", running_var)):
            if tensor is None:
                raise RuntimeError(f"{name} must be defined in evaluation mode")
        mean, var = running_mean._data.copy(), running_var._data.copy()
    else:
        count = input.numel() // max(input.shape[1], 1)
        if count == 1:
            raise ValueError(
                "Expected more than 1 value per channel when training, got input size "
                f"{input.shape}"
            )
        with np.errstate(all="ignore"):
            mean, var = batch_statistics(input._data)
            _move(running_mean, mean, momentum)
            _move(running_var, var * (count / (count - 1)), momentum)
    return NativeBatchNorm.apply(input, weight, bias, mean, var, training, eps)


def _check_one_type(input, *parameters):
    """All have the type of the input; those of float32 may stand beside one of float16."""
    found = [p.dtype for p in parameters if p is not None]
    if input.dtype is float16 and all(dtype is float32 for dtype in found):
        return
    if found and found[0] is not input.dtype:
        raise RuntimeError(
            "mixed dtype (CPU): all inputs must share same datatype."
            if all(dtype is float32 for dtype in found)
            else "mixed dtype (CPU): expect parameter to have scalar type of Float"
        )
    for dtype in found:
        if dtype is not input.dtype:
            wanted = input.dtype.scalar_type
            raise RuntimeError(f"expected scalar type {wanted} but found {dtype.scalar_type}")


def _move(running, value, momentum):
    """`running = (1 - momentum) * running + momentum * value`, in place."""
    if running is not None:
        running._data += momentum * (value - running._data)
        note_write(running)


def instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
    weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True,
    momentum: float = 0.1, eps: float = 1e-05,
) -> Tensor:  # fmt: skip
    """Batch normalisation of each image (B, C, ...) by itself (Ulyanov, Vedaldi, Lempitsky 2016).

    With `use_input_stats` mean and variance are each image's, and the running ones, (C,), move
    towards their average over the batch by `momentum`; else the running ones are used.
    """
    if use_input_stats and math.prod(input.shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {input.shape}"
        )
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError(
            "Expected running_mean and running_var to be defined when use_input_stats is false"
        )
    batch, *rest = input.shape

    def for_each_image(vector):
        if vector is None:
            return None
        return vector.unsqueeze(0).expand(batch, *vector.shape).reshape(-1)  # (B * C,)

    running = running_mean, running_var
    copies = [for_each_image(r if r is None else r.detach()) for r in running]
    images = input.reshape(1, batch * rest[0], *rest[1:])
    scale, shift = for_each_image(weight), for_each_image(bias)
    out = batch_norm(images, *copies, scale, shift, use_input_stats, momentum, eps)
    if use_input_stats:
        for old, new in zip(running, copies, strict=True):
            if old is not None:
                old._data[...] = new._data.reshape(batch, -1).mean(0)
                note_write(old)
    return out.reshape(input.shape)


def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    bias: Tensor | None = None, eps: float = 1e-05,
) -> Tensor:  # fmt: skip
    """`(input - mean) / sqrt(var + eps) * weight + bias` over the last dimensions (Ba et al. 2016).

    Mean and variance are those of each sample's `normalized_shape`, which `weight` and `bias` have.
    """
    shape = _normalized(input, normalized_shape, "layer_norm", "*, ", weight, bias)
    return NativeLayerNorm.apply(input, weight, bias, shape, eps)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:  # fmt: skip
    """`input / sqrt(mean(input^2) + eps) * weight` over the last dimensions (Zhang, Sennrich 2019).

    `eps` is that of the type unless given.
    """
    shape = _normalized(input, normalized_shape, "rms_norm", "*", weight)
    eps = float(np.finfo(input.dtype.numpy).eps) if eps is None else plain(eps)
    return FusedRmsNorm.apply(input, weight, shape, eps)


def _normalized(input, shape, function, any_sizes, weight, bias=None):
    """`normalized_shape` as a tuple, checked."""
    if isinstance(shape, int):
        raise TypeError(
            f"{function}(): argument 'normalized_shape' (position 2) must be tuple of ints, not int"
        )
    shape = tuple(shape)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            "element, but got normalized_shape = []"
        )
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f"{function} takes floating point tensors, got {input.dtype}")
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None and tensor.shape != shape:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(tensor.shape)} and normalized_shape = {list(shape)}"
            )
        if tensor is not None and tensor.dtype is not input.dtype:
            # NB: in torch rms_norm takes a weight of another type and answers in the input's, and
            # layer_norm takes float32 weights beside half precision alone; in mini both refuse.
            raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")
    if input.shape[-len(shape) :] != shape:
        sizes = ", ".join(map(str, shape))
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [{any_sizes}{sizes}],"
            f" but got input of size{list(input.shape)}"
        )
    return shape


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-05,
) -> Tensor:  # fmt: skip
    """`(input - mean) / sqrt(var + eps) * weight + bias` for each group of channels of (B, C, ...).

    Mean and variance are those of each sample's group; `weight` and `bias` are (C,) (Wu, He 2018).
    """
    # NB: in torch this is one node, NativeGroupNormBackward0.
    _check_groups(input, num_groups, weight, bias)
    _check_one_type(input, weight, bias)
    check_kernel("GroupNormKernelImpl", input._data.dtype)
    size = math.prod(input.shape[1:]) // num_groups
    rows = input.reshape(input.shape[0] * num_groups, size)  # (B * groups, C / groups * ...)
    out = NativeLayerNorm.apply(rows, None, None, (size,), eps).reshape(input.shape)
    column = -1, *(1,) * (input.ndim - 2)
    out = out if weight is None else out * weight.reshape(column)
    return out if bias is None else out + bias.reshape(column)


def _check_groups(input, num_groups, weight, bias):
    if input.ndim < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.ndim}"
        )
    batch, channels, *rest = input.shape
    if batch * channels // num_groups * math.prod(rest) == 1:
        size = [batch * channels // num_groups, num_groups, *rest]
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {size}"
        )
    if channels % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {list(input.shape)} and num_groups={num_groups}"
        )
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None and tensor.shape != (channels,):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, "
                f"but got {name} of shape {list(tensor.shape)} and input of shape "
                f"{list(input.shape)}"
            )


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """input / (k + alpha * mean of input^2 over `size` neighbouring channels)^beta.

    For (B, C, ...) (Krizhevsky, Sutskever, Hinton 2012).
    """
    if input.ndim < 3:
        raise ValueError(
            "Expected 3D or higher dimensionality                          input (got "
            f"{input.ndim} dimensions)"
        )
    if input.numel() == 0:
        return input
    squares = (input * input).reshape(input.shape[0], 1, input.shape[1], -1)
    squares = pad(squares, (0, 0, size // 2, (size - 1) // 2))
    mean = avg_pool2d(squares, (size, 1), stride=1).reshape(input.shape)
    return input / (mean * alpha + k) ** beta
