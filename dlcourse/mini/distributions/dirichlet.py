"""The Dirichlet distribution, of probabilities that add up to 1.

The density is prod x_i^(a_i - 1) / B(a).
"""

from typing import ClassVar

from dlcourse.mini._core import Tensor
from dlcourse.mini.distributions import constraints
from dlcourse.mini.distributions.distribution import Distribution
from dlcourse.mini.distributions.gamma import StandardGamma
from dlcourse.mini.nn.functional import one_hot
from dlcourse.mini.ops.choose import where


class Dirichlet(Distribution):
    """With the `concentration` > 0 of each part, along the last dimension."""

    arg_constraints: ClassVar = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, concentration: Tensor, validate_args: bool | None = None):
        if concentration.ndim < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        *batch, size = concentration.shape
        super().__init__(batch, (size,), validate_args=validate_args)

    @property
    def mean(self):
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def mode(self):
        peaks = (self.concentration - 1).clamp(min=0)
        mode = peaks / peaks.sum(-1, keepdim=True)
        corner = one_hot(mode.argmax(-1), mode.shape[-1]).to(mode.dtype)
        return where((self.concentration < 1).all(-1, keepdim=True), corner, mode)

    @property
    def variance(self):
        total = self.concentration.sum(-1, keepdim=True)
        return self.concentration * (total - self.concentration) / (total**2 * (total + 1))

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        drawn = StandardGamma.apply(self.concentration.expand(shape))
        return drawn / drawn.sum(-1, keepdim=True)

    def log_prob(self, value):
        self._check(value)
        a = self.concentration
        return (a - 1).xlogy(value).sum(-1) + a.sum(-1).lgamma() - a.lgamma().sum(-1)

    def entropy(self):
        a, total, k = self.concentration, self.concentration.sum(-1), self.event_shape[0]
        spread = (k - total) * total.digamma() + ((a - 1) * a.digamma()).sum(-1)
        return a.lgamma().sum(-1) - total.lgamma() - spread
