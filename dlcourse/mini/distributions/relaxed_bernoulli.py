"""A Bernoulli distribution made smooth, so that gradients flow through its draws.

Source: Maddison et al., 2017; Jang et al., 2017.
"""

from typing import ClassVar

from dlcourse.mini._core import Tensor
from dlcourse.mini.distributions import constraints
from dlcourse.mini.distributions.binary import Binary
from dlcourse.mini.distributions.transformed_distribution import TransformedDistribution
from dlcourse.mini.distributions.transforms import SigmoidTransform
from dlcourse.mini.distributions.utils import (
    broadcast_all,
    clamp_probs,
)
from dlcourse.mini.ops.creation import rand


class LogitRelaxedBernoulli(Binary):
    """The logit of a RelaxedBernoulli: (logits + logistic noise) / temperature."""

    support = constraints.real
    has_rsample = True  # NB: in torch has_rsample is False, though rsample works.

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ):
        self.temperature = temperature
        super().__init__(probs, logits, validate_args)

    def rsample(self, sample_shape=()):
        dtype = getattr(self, self._given).dtype
        noise = clamp_probs(rand(self._extended_shape(sample_shape), dtype=dtype))
        probs = clamp_probs(self.probs)
        logistic = noise.log() - (-noise).log1p()
        return (logistic + probs.log() - (-probs).log1p()) / self.temperature

    def log_prob(self, value):
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        away = logits - value * self.temperature
        return self.temperature.log() + away - 2 * away.exp().log1p()


class RelaxedBernoulli(TransformedDistribution):
    """Between 0 and 1, nearer to either the lower the `temperature`, a tensor, is."""

    support = constraints.unit_interval
    arg_constraints: ClassVar = LogitRelaxedBernoulli.arg_constraints

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ):
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)

    temperature = property(lambda self: self.base_dist.temperature)
    logits = property(lambda self: self.base_dist.logits)
    probs = property(lambda self: self.base_dist.probs)
