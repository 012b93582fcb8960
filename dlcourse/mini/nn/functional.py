"""The functions behind the modules, with torch's signatures.

`from dlcourse.mini.nn import functional as F`.  Shapes: B batch, C channels, H and W height and
width, K classes.
"""

import math
import warnings

from dlcourse.mini._core import Tensor
from dlcourse.mini.ops import softmax as _softmax
from dlcourse.mini.ops.conv import Convolution, Geometry
from dlcourse.mini.ops.creation import one_hot, random_source
from dlcourse.mini.ops.inplace import note_write
from dlcourse.mini.ops.linalg import addmm
from dlcourse.mini.ops.loss import NllLoss
from dlcourse.mini.ops.norm import NativeBatchNorm, batch_statistics
from dlcourse.mini.ops.pool import AvgPool2D, MaxPool2DWithIndices, Windows, flat_indices
from dlcourse.mini.ops.softmax import logsigmoid

import numpy as np

__all__ = [
    "adaptive_avg_pool2d", "avg_pool2d", "batch_norm", "binary_cross_entropy_with_logits", "conv2d",
    "cross_entropy", "dropout", "l1_loss", "linear", "log_softmax", "logsigmoid", "max_pool2d",
    "mse_loss", "nll_loss", "one_hot", "relu", "sigmoid", "softmax", "tanh",
]  # fmt: skip


# -- activations -----------------------------------------------------------------------------------


def relu(input, inplace=False):
    """max(input, 0)."""
    return input.relu_() if inplace else input.relu()


def sigmoid(input):
    """1 / (1 + exp(-input))."""
    return input.sigmoid()


def tanh(input):
    """The hyperbolic tangent."""
    return input.tanh()


def softmax(input, dim=None, dtype=None):
    """exp(input) / sum(exp(input)) along `dim`."""
    return _softmax.softmax(input, _stated(dim, "softmax"), dtype)


def log_softmax(input, dim=None, dtype=None):
    """log(softmax(input)) along `dim`, precise where softmax would round to 0."""
    return _softmax.log_softmax(input, _stated(dim, "log_softmax"), dtype)


def _stated(dim, name):
    # NB: in torch softmax without dim guesses one and warns that this is deprecated.
    if dim is None:
        raise TypeError(f"{name}() needs dim: the dimension along which probabilities sum to 1")
    return dim


# -- layers ----------------------------------------------------------------------------------------


def linear(input, weight, bias=None):
    """input @ weight^T + bias: (*, I) to (*, O) with weight (O, I) and bias (O,)."""
    if bias is None:
        return input @ weight.t()
    if input.ndim == 2:
        return addmm(bias, input, weight.t())
    rows = input.reshape(-1, input.shape[-1])  # (N, in_features)
    return addmm(bias, rows, weight.t()).reshape(*input.shape[:-1], weight.shape[0])


def dropout(input, p=0.5, training=True, inplace=False):
    """In training each element becomes 0 with probability `p`, the others grow by 1 / (1 - p)."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0:
        return input
    kept = random_source().random(input.shape, np.float32) >= p
    scale = Tensor(kept.astype(input.dtype.numpy) / (1 - p if p < 1 else 1))
    return input.mul_(scale) if inplace else input * scale


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


# -- pooling ---------------------------------------------------------------------------------------


def max_pool2d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """The largest element of each window, (B, C, H, W) or (C, H, W) to (..., H', W').

    `stride` is the kernel's size unless stated; the padding counts as minus infinity.  With
    `return_indices` also where each stands in its image, as row * W + column.
    """
    windows = _windows(input, kernel_size, stride, padding, dilation, ceil_mode)
    out, which = MaxPool2DWithIndices.apply(input, windows)
    return (out, flat_indices(which, windows, input.shape)) if return_indices else out


def avg_pool2d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
    divisor_override=None,
):  # fmt: skip
    """The mean of each window, (B, C, H, W) or (C, H, W) to (..., H', W').

    The padding's zeros count unless `count_include_pad` is off; `divisor_override` replaces the
    count of elements.
    """
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    windows = _windows(input, kernel_size, stride, padding, 1, ceil_mode)
    divisor = divisor_override or _counts(windows, input.shape[-2:], count_include_pad)
    return AvgPool2D.apply(input, windows, divisor)


def _counts(windows, size, count_include_pad):
    """How many elements each window has, (H', W'); beyond the padding there are none."""
    counts = []
    for dim in (0, 1):
        start = np.arange(windows.out_size[dim]) * windows.stride[dim] - windows.padding[dim][0]
        pad = windows.asked[dim] if count_include_pad else 0
        end = np.minimum(start + windows.kernel[dim], size[dim] + pad)
        counts.append(end - np.maximum(start, -pad))
    return np.multiply.outer(*counts)


def _windows(input, kernel_size, stride, padding, dilation, ceil_mode):
    """Where the windows of a pooling lie."""
    if input.ndim not in (3, 4):
        raise RuntimeError("non-empty 3D or 4D (batch mode) tensor expected for input")
    if not input.dtype.is_floating_point:
        raise RuntimeError(f"mini pools floating point tensors alone, got {input.dtype}")
    kernel, dilation, asked = _pair(kernel_size), _pair(dilation), _pair(padding)
    stride = kernel if stride is None else _pair(stride)
    if min(stride) < 1:
        raise RuntimeError("stride should not be zero")
    out_size, pads = [], []
    for n, k, s, p, d in zip(input.shape[-2:], kernel, stride, asked, dilation, strict=True):
        span = d * (k - 1) + 1
        if not 0 <= p <= span // 2:
            raise RuntimeError(
                "pad should be at most half of effective kernel size, but got "
                f"pad={p}, kernel_size={k} and dilation={d}"
            )
        steps = (n + 2 * p - span + (s - 1 if ceil_mode else 0)) // s
        if (
            ceil_mode and steps * s >= n + p
        ):  # a window must start inside the image or its left border
            steps -= 1
        out_size.append(steps + 1)
        pads.append((p, max(p, steps * s + span - n - p)))
    if min(out_size) < 1:
        given = "x".join(map(str, input.shape[-3:]))
        got = "x".join(str(max(n, 0)) for n in (input.shape[-3], *out_size))
        raise RuntimeError(
            f"Given input size: ({given}). Calculated output size: ({got}). "
            "Output size is too small"
        )
    return Windows(kernel, tuple(out_size), stride, dilation, tuple(pads), asked)


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def adaptive_avg_pool2d(input, output_size):
    """Means over H' x W' windows that cover the images evenly; None keeps a side.

    Window i of n covers elements floor(i * H / n) to ceil((i + 1) * H / n).  The mean over rows and
    columns is a product with a matrix from the left and one from the right.
    """
    if input.ndim not in (3, 4):
        raise RuntimeError(
            f"adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got {list(input.shape)}"
        )
    # NB: in torch this is one node, AdaptiveAvgPool2DBackward0, unless the size is 1.
    if _pair(output_size) == (1, 1):
        return input.mean((-2, -1), keepdim=True)
    sides = zip(input.shape[-2:], _pair(output_size), strict=True)
    rows, columns = [_averages(n, m, input.dtype) for n, m in sides]
    return rows @ input @ columns.t()


def _averages(size, count, dtype):
    """The matrix (count, size) whose rows are the windows' means."""
    count = size if count is None else count
    out = np.zeros((count, size), dtype.numpy)
    for i in range(count):
        window = slice(i * size // count, -(-(i + 1) * size // count))
        out[i, window] = 1 / (window.stop - window.start)
    return Tensor(out)


# -- normalisation ---------------------------------------------------------------------------------


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
    """(input - mean) / sqrt(var + eps) * weight + bias for each channel of (B, C, ...).

    In training mean and (biased) variance are the batch's, and the running ones move towards them
    by `momentum`, the variance unbiased (Ioffe and Szegedy 2015); else the running ones are used.
    """
    for name, tensor in zip(
        ("running_mean", "running_var", "weight", "bias"),
        (running_mean, running_var, weight, bias),
        strict=True,
    ):
        if tensor is not None and tensor.shape != input.shape[1:2]:
            raise RuntimeError(
                f"{name} should contain {input.shape[1]} elements not {tensor.numel()}"
            )
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError("running_mean must be defined in evaluation mode")
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


def _move(running, value, momentum):
    """running = (1 - momentum) * running + momentum * value, in place."""
    if running is not None:
        running._data += momentum * (value - running._data)
        note_write(running)


# -- losses ----------------------------------------------------------------------------------------


def _reduced(each, reduction):
    if reduction == "none":
        return each
    if reduction not in ("mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return each.mean() if reduction == "mean" else each.sum()


def _no_legacy(size_average, reduce):
    if size_average is not None or reduce is not None:
        raise NotImplementedError("size_average and reduce are deprecated: use reduction")


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """(input - target)^2, times `weight`: its mean, its sum, or each ("none")."""
    # NB: in torch this is one node, MseLossBackward0; in mini it is the composition.
    _no_legacy(size_average, reduce)
    _same_size(input, target)
    return _weighted((input - target) ** 2, weight, reduction)


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """|input - target|, times `weight`: its mean, its sum, or each ("none")."""
    _no_legacy(size_average, reduce)
    _same_size(input, target)
    return _weighted((input - target).abs(), weight, reduction)


def _weighted(each, weight, reduction):
    """With weights the mean is the weighted one."""
    if weight is None:
        return _reduced(each, reduction)
    if weight.shape != each.shape:
        raise ValueError("Weights and input must have the same size.")
    if reduction == "mean":
        return (each * weight).sum() / weight.sum()
    return _reduced(each * weight, reduction)


def _same_size(input, target):
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=3,
        )


def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    """-(target * log(sigmoid(input)) + (1 - target) * log(1 - sigmoid(input))), without overflow.

    `pos_weight` multiplies the first term, `weight` both.
    """
    # NB: in torch this is one node, BinaryCrossEntropyWithLogitsBackward0.
    _no_legacy(size_average, reduce)
    if input.shape != target.shape:
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size ({input.shape})"
        )
    positive = logsigmoid(input) if pos_weight is None else logsigmoid(input) * pos_weight
    each = -(target * positive + (1 - target) * logsigmoid(-input))
    return _reduced(each if weight is None else each * weight, reduction)


def nll_loss(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"
):
    """-input[b, target[b]] * weight[target[b]] for log-probabilities (B, K, ...) or (K,).

    `target` (B, ...) or () holds classes, int64; elements equal to `ignore_index` count for
    nothing; the mean is weighted.
    """
    _no_legacy(size_average, reduce)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    _check_nll(input, target, weight)
    index, classes = target._data, input.shape[min(input.ndim - 1, 1)]
    kept = index != ignore_index
    bad = index[kept & ((index < 0) | (index >= classes))]
    if bad.size:
        raise IndexError(f"Target {bad.flat[0]} is out of bounds.")
    index = np.where(kept, index, 0)
    scale = -(kept.astype(input.dtype.numpy) if weight is None else weight._data[index] * kept)
    return NllLoss.apply(input, index, scale, reduction)


def _check_nll(input, target, weight):
    if input.ndim == 0:
        raise ValueError(f"Expected 1 or more dimensions (got {input.ndim})")
    if target.dtype.name not in ("int64", "uint8"):
        raise RuntimeError(
            f"expected target dtype to be Long or Byte, but got {target.dtype.scalar_type}"
        )
    if input.ndim <= 2 and target.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    batch = input.shape[: max(0, min(input.ndim - 1, 1))]
    if target.shape[:1] != batch:
        raise ValueError(
            f"Expected input batch_size ({batch[0] if batch else 1}) to match target batch_size "
            f"({target.shape[0] if target.ndim else 1})."
        )
    if target.shape != batch + input.shape[2:]:
        raise RuntimeError(
            f"Expected target size {list(batch + input.shape[2:])}, got {list(target.shape)}"
        )
    classes = input.shape[min(input.ndim - 1, 1)]
    if weight is not None and weight.shape != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but "
            f"got weight tensor of shape: {list(weight.shape)}"
        )


def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
    reduction="mean", label_smoothing=0.0,
):  # fmt: skip
    """-log(softmax(input))[target] for logits (B, K, ...) or (K,): do NOT apply softmax before.

    `target` holds classes (B, ...), int64, or probabilities (B, K, ...).  `label_smoothing` mixes
    the target with the uniform distribution (Szegedy et al. 2016).
    """
    _no_legacy(size_average, reduce)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    dim = min(input.ndim - 1, 1) if input.ndim else 1
    log_probs = _softmax.log_softmax(input, dim)
    if target.shape == input.shape:
        return _soft_cross_entropy(log_probs, target, weight, reduction, label_smoothing, dim)
    loss = nll_loss(log_probs, target, weight, None, ignore_index, None, reduction)
    if label_smoothing == 0:
        return loss
    kept = target != ignore_index
    costs = log_probs if weight is None else log_probs * _along(weight, dim, input.ndim)
    smooth = -costs.sum(dim).masked_fill(~kept, 0.0)
    if reduction == "mean":
        counts = kept if weight is None else weight[target.masked_fill(~kept, 0)] * kept
        smooth = smooth.sum() / counts.sum()
    else:
        smooth = _reduced(smooth, reduction)
    share = label_smoothing / input.shape[dim]
    return (1 - label_smoothing) * loss + share * smooth


def _soft_cross_entropy(log_probs, target, weight, reduction, label_smoothing, dim):
    if not target.dtype.is_floating_point:
        raise RuntimeError(
            "Expected floating point type for target with class probabilities, got "
            f"{target.dtype.scalar_type}"
        )
    classes = log_probs.shape[dim]
    if label_smoothing > 0:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    costs = log_probs if weight is None else log_probs * _along(weight, dim, log_probs.ndim)
    each = -(costs * target)
    if reduction == "mean":  # over the batch and places, not over the classes
        return each.sum() / math.prod(log_probs.shape[:dim] + log_probs.shape[dim + 1 :])
    return each.sum() if reduction == "sum" else _reduced(each.sum(dim), reduction)


def _along(weight, dim, ndim):
    """A vector (K,) that broadcasts along `dim`."""
    return weight.reshape(*(-1 if d == dim else 1 for d in range(ndim)))
