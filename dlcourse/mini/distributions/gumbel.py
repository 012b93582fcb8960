"""The Gumbel distribution, of the largest of many: density exp(-z - exp(-z)) / scale."""

import math

from dlcourse.mini._dtype import finfo
from dlcourse.mini.distributions.around import Around
from dlcourse.mini.ops.creation import rand

EULER = 0.577215664901532860606512090082402431  # the mean at loc 0 and scale 1


class Gumbel(Around):
    """With its peak at `loc`, as wide as `scale` > 0; z = (x - loc) / scale."""

    @property
    def mean(self):
        return self.loc + self.scale * EULER

    @property
    def stddev(self):
        return math.pi / math.sqrt(6) * self.scale

    @property
    def variance(self):
        return self.stddev**2

    def rsample(self, sample_shape=()):
        kind = finfo(self.loc.dtype)
        uniform = rand(self._extended_shape(sample_shape), dtype=self.loc.dtype)
        return self.icdf(uniform.clamp(min=kind.tiny, max=1 - kind.eps))

    def log_prob(self, value):
        self._check(value)
        z = (value - self.loc) / self.scale
        return -z - (-z).exp() - self.scale.log()

    def cdf(self, value):
        self._check(value)
        return (-(-(value - self.loc) / self.scale).exp()).exp()

    def icdf(self, value):
        return self.loc - self.scale * (-value.log()).log()

    def entropy(self):
        return self.scale.log() + (1 + EULER)
