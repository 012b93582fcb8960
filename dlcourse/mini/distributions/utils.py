"""What distributions share: parameters of one shape, and those given as one of a pair."""

import functools
from numbers import Number

from dlcourse.mini._core import Tensor
from dlcourse.mini._dtype import finfo, get_default_dtype
from dlcourse.mini._grad_mode import enable_grad
from dlcourse.mini.ops import FREE

__all__ = [
    "broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "one_of",
    "probs_to_logits", "sum_rightmost",
]  # fmt: skip


def broadcast_all(*values: Tensor | float) -> tuple[Tensor, ...]:
    """All as tensors of one shape; a number takes the type of the first tensor."""
    if not all(isinstance(v, Tensor | Number) for v in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing "
            "__torch_function__."
        )
    dtype = next((v.dtype for v in values if isinstance(v, Tensor)), get_default_dtype())
    tensors = [v if isinstance(v, Tensor) else FREE["tensor"](v, dtype=dtype) for v in values]
    return FREE["broadcast_tensors"](*tensors)


def sum_rightmost(value: Tensor, dim: int) -> Tensor:
    """The sum over the last `dim` dimensions."""
    return value.flatten(-dim).sum(-1) if dim else value


class lazy_property(functools.cached_property):
    """An attribute that is computed when it is first asked for, with its graph even in no_grad."""

    def __get__(self, instance, owner=None):
        with enable_grad():
            return super().__get__(instance, owner)


# -- probabilities and their logits ----------------------------------------------------------------


def one_of(probs, logits) -> str:
    """The name of the one that is given."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")
    return "logits" if probs is None else "probs"


def clamp_probs(probs: Tensor) -> Tensor:
    """Away from 0 and 1 by as little as the type can tell, so that logarithms stay finite."""
    eps = finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """log p; of two events log(p / (1 - p))."""
    probs = clamp_probs(probs)
    return probs.log() - (-probs).log1p() if is_binary else probs.log()


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """The softmax over the last dimension; of two events the sigmoid."""
    return logits.sigmoid() if is_binary else logits.softmax(-1)
