"""Lengths, angles and distances."""

from dlcourse.mini._core import Tensor
from dlcourse.mini.ops.distance import LinalgVectorNorm
from dlcourse.mini.ops.reduce import axes_of
from dlcourse.mini.ops.statistics import norm

__all__ = ["cosine_similarity", "normalize", "pairwise_distance"]


def _norm(x, p, dim, keepdim):
    return LinalgVectorNorm.apply(x, p, axes_of(x, dim), keepdim)


def normalize(
    input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: None = None
) -> Tensor:
    """input / max(its p-norm along `dim`, eps): vectors of length 1."""
    if out is not None:
        raise NotImplementedError("mini does not support out=")
    return input / norm(input, p, dim, True).clamp(min=eps)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension: (B, D) and (B, D) to (B,)."""
    return _norm(x1 - x2 + eps, p, -1, keepdim)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """`x1 . x2 / (max(|x1|, eps) * max(|x2|, eps))` along `dim`; the two broadcast."""
    # NB: in torch integers beside floats are promoted; in mini both must be floating point.
    for x in (x1, x2):
        if not x.dtype.is_floating_point:
            raise RuntimeError(
                f"expected common dtype to be floating point, yet common dtype is {x.dtype}"
            )
    ndim = max(x1.ndim, x2.ndim)
    x1, x2 = [x.reshape((1,) * (ndim - x.ndim) + x.shape) for x in (x1, x2)]
    return (_unit(x1, dim, eps) * _unit(x2, dim, eps)).sum(dim)


def _unit(x, dim, eps):
    length = _norm(x, 2.0, dim, True)
    lift = length.detach().clamp(min=eps) - length.detach()  # has no derivative, as in torch
    return x / (length + lift)
