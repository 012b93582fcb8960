"""The Bernoulli distribution: 1 with the probability p, else 0."""

from math import nan
from typing import ClassVar

from dlcourse.mini._core import Tensor
from dlcourse.mini._grad_mode import no_grad
from dlcourse.mini.distributions import constraints
from dlcourse.mini.distributions.distribution import Distribution
from dlcourse.mini.distributions.utils import (
    broadcast_all,
    lazy_property,
    logits_to_probs,
    one_of,
    probs_to_logits,
)
from dlcourse.mini.nn.functional import binary_cross_entropy_with_logits
from dlcourse.mini.ops.creation import arange
from dlcourse.mini.ops.random import bernoulli


class Bernoulli(Distribution):
    """1 with the probability `probs`, or sigmoid(`logits`), else 0."""

    arg_constraints: ClassVar = {
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    support = constraints.boolean
    has_enumerate_support = True

    def __init__(
        self,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ):
        self._given = one_of(probs, logits)
        (given,) = broadcast_all(logits if probs is None else probs)
        setattr(self, self._given, given)
        super().__init__(given.shape, validate_args=validate_args)

    @lazy_property
    def logits(self):
        """`log(p / (1 - p))`."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self):
        """The probability of 1."""
        return logits_to_probs(self.logits, is_binary=True)

    @property
    def param_shape(self):
        """The shape of the parameter."""
        return getattr(self, self._given).shape

    @property
    def mean(self):
        return self.probs

    @property
    def mode(self):
        likely = (self.probs >= 0.5).to(self.probs.dtype)
        return likely.masked_fill(self.probs == 0.5, nan)

    @property
    def variance(self):
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape=()):
        with no_grad():
            return bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value):
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self):
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand=True):
        return self._enumerated(arange(2, dtype=getattr(self, self._given).dtype), expand)
