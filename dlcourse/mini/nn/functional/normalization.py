"""Normalisation."""

from dlcourse.mini.ops.inplace import note_write
from dlcourse.mini.ops.norm import NativeBatchNorm, batch_statistics

import numpy as np

__all__ = ["batch_norm"]


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
