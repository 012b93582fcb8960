"""A categorical distribution made smooth, so that gradients flow through its draws.

Source: Maddison et al., 2017; Jang et al., 2017 (there: Gumbel-softmax).
"""

import math
from typing import ClassVar

from dlcourse.mini._core import Tensor
from dlcourse.mini.distributions import constraints
from dlcourse.mini.distributions.categorical import Categorical
from dlcourse.mini.distributions.distribution import Distribution
from dlcourse.mini.distributions.transformed_distribution import TransformedDistribution
from dlcourse.mini.distributions.transforms import ExpTransform
from dlcourse.mini.distributions.utils import broadcast_all, clamp_probs
from dlcourse.mini.ops.creation import rand


class ExpRelaxedCategorical(Distribution):
    """The logarithm of a RelaxedOneHotCategorical."""

    arg_constraints: ClassVar = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ):
        self._categorical = Categorical(probs, logits)
        self.temperature = temperature
        *batch, size = self._categorical.param_shape
        super().__init__(batch, (size,), validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new._categorical = self._categorical.expand(batch_shape)
        return new

    logits = property(lambda self: self._categorical.logits)
    probs = property(lambda self: self._categorical.probs)

    def rsample(self, sample_shape=()):
        noise = rand(self._extended_shape(sample_shape), dtype=self.logits.dtype)
        gumbels = -(-clamp_probs(noise).log()).log()
        return ((self.logits + gumbels) / self.temperature).log_softmax(-1)

    def log_prob(self, value):
        self._check(value)
        k = self.event_shape[0]
        logits, value = broadcast_all(self.logits, value)
        score = (logits - value * self.temperature).log_softmax(-1).sum(-1)
        return score + math.lgamma(k) + (k - 1) * self.temperature.log()


class RelaxedOneHotCategorical(TransformedDistribution):
    """Probabilities, nearer to a one-hot vector the lower the `temperature`, a tensor, is."""

    support = constraints.simplex
    arg_constraints: ClassVar = ExpRelaxedCategorical.arg_constraints

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ):
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)

    temperature = property(lambda self: self.base_dist.temperature)
    logits = property(lambda self: self.base_dist.logits)
    probs = property(lambda self: self.base_dist.probs)
