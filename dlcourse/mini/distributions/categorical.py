"""The categorical distribution: one of K classes."""

import math
from typing import ClassVar

from dlcourse.mini._core import Tensor
from dlcourse.mini._dtype import finfo
from dlcourse.mini.distributions import constraints
from dlcourse.mini.distributions.distribution import Distribution
from dlcourse.mini.distributions.utils import (
    lazy_property,
    logits_to_probs,
    one_of,
    probs_to_logits,
)
from dlcourse.mini.ops import FREE
from dlcourse.mini.ops.creation import arange, full
from dlcourse.mini.ops.random import multinomial


class Categorical(Distribution):
    """A class from 0 to K - 1, with probabilities as `probs`, or softmax(`logits`): (..., K).

    Both may be scaled or shifted: the attributes `probs` and `logits` are normalised.
    """

    arg_constraints: ClassVar = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ):
        self._given = one_of(probs, logits)
        given = logits if probs is None else probs
        if given.dim() < 1:
            raise ValueError(f"`{self._given}` parameter must be at least one-dimensional.")
        if probs is not None:
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = logits - logits.logsumexp(-1, keepdim=True)
        self._num_events = given.shape[-1]
        super().__init__(given.shape[:-1], validate_args=validate_args)

    @property
    def support(self):
        """Integers from 0 to K - 1."""
        return constraints.integer_interval(0, self._num_events - 1)

    @lazy_property
    def logits(self):
        """The logarithms of the probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self):
        """The probabilities of the classes."""
        return logits_to_probs(self.logits)

    @property
    def param_shape(self):
        """The shape of the parameter: (*batch_shape, K)."""
        return getattr(self, self._given).shape

    @property
    def mean(self):
        return full(self._extended_shape(), math.nan, dtype=self.probs.dtype)

    @property
    def mode(self):
        return self.probs.argmax(-1)

    @property
    def variance(self):
        return self.mean

    def sample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        rows = self.probs.detach().reshape(-1, self._num_events)  # (B, K)
        draws = multinomial(rows, math.prod(sample_shape), replacement=True)  # (B, samples)
        return draws.T.reshape(shape)

    def log_prob(self, value):
        self._check(value)
        index = value.long().unsqueeze(-1)
        index, logits = FREE["broadcast_tensors"](index, self.logits)
        return logits.gather(-1, index[..., :1]).squeeze(-1)

    def entropy(self):
        logits = self.logits.clamp(min=finfo(self.logits.dtype).min)  # 0 * -inf would be nan
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand=True):
        return self._enumerated(arange(self._num_events), expand)
