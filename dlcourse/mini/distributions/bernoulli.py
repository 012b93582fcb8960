"""The Bernoulli distribution: 1 with the probability p, else 0."""

from math import nan

from dlcourse.mini._grad_mode import no_grad
from dlcourse.mini.distributions import constraints
from dlcourse.mini.distributions.binary import Binary
from dlcourse.mini.distributions.utils import (
    broadcast_all,
)
from dlcourse.mini.nn.functional import binary_cross_entropy_with_logits
from dlcourse.mini.ops.creation import arange
from dlcourse.mini.ops.random import bernoulli


class Bernoulli(Binary):
    """1 with the probability `probs`, or sigmoid(`logits`), else 0."""

    support = constraints.boolean
    has_enumerate_support = True

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
