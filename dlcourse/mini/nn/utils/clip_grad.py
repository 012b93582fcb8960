"""What one does to gradients between backward and step."""

from dlcourse.mini._core import Tensor
from dlcourse.mini._grad_mode import no_grad

import numpy as np


def _gradients(parameters):
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [p._grad for p in parameters if p._grad is not None]


@no_grad()
@np.errstate(all="ignore")
def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale all gradients together so that their norm is at most `max_norm`; returns the old norm.

    Source: Pascanu, Mikolov, Bengio 2013.
    """
    if foreach:
        raise NotImplementedError("mini knows no foreach: leave it out")
    grads = _gradients(parameters)
    norms = [np.linalg.norm(g._data.ravel(), norm_type) for g in grads]
    dtype = grads[0]._data.dtype if grads else np.float32
    total = np.linalg.norm(np.array(norms, dtype), norm_type) if grads else 0.0
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, "
            "so it cannot be clipped. To disable this error and scale the gradients by the "
            "non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    scale = min(1.0, max_norm / (float(total) + 1e-6)) if np.isfinite(total) else max_norm / total
    for grad in grads:
        grad.mul_(float(scale))
    return Tensor(np.asarray(total, dtype))


@no_grad()
def clip_grad_value_(parameters, clip_value, foreach=None):
    """Limit every element of every gradient to [-clip_value, clip_value]."""
    if foreach:
        raise NotImplementedError("mini knows no foreach: leave it out")
    for grad in _gradients(parameters):
        grad.clamp_(-clip_value, clip_value)
