"""Limits for gradients, between backward and step."""

import warnings

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._grad_mode import no_grad

import numpy as np


def _listed(tensors):
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters):
    return [p._grad for p in _listed(parameters) if p._grad is not None]


@no_grad()
@np.errstate(all="ignore")
def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm of all elements of all tensors, as if they were one vector.

    `foreach` asks for another way to the same number; mini has one way.
    """
    tensors, norm_type = _listed(tensors), float(norm_type)
    norms = [np.linalg.norm(t._data.ravel(), norm_type) for t in tensors]
    dtype = tensors[0]._data.dtype if tensors else np.float32
    total = np.linalg.norm(np.array(norms, dtype), norm_type) if tensors else 0.0
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, "
            "so it cannot be clipped. To disable this error and scale the gradients by the "
            "non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return wrap(np.asarray(total, dtype))


@no_grad()
@np.errstate(all="ignore")
def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale all gradients by max_norm / total_norm if that is below 1."""
    total = float(total_norm)
    scale = max_norm / (total + 1e-6)
    for grad in _gradients(parameters):
        grad.mul_(scale if np.isnan(scale) else min(1.0, scale))


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale all gradients together so that their norm is at most `max_norm`; returns the old norm.

    Source: Pascanu, Mikolov, Bengio 2013.
    """
    parameters = _listed(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """`clip_grad_norm_` by its old name, which warns."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@no_grad()
def clip_grad_value_(parameters, clip_value, foreach=None):
    """Limit every element of every gradient to [-clip_value, clip_value]."""
    for grad in _gradients(parameters):
        grad.clamp_(-clip_value, clip_value)
