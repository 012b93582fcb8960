"""The Laplace distribution: density exp(-|x - loc| / scale) / (2 scale)."""

import math

from dlcourse.mini._dtype import finfo
from dlcourse.mini.distributions.around import Around
from dlcourse.mini.ops.creation import empty


class Laplace(Around):
    """Around `loc`, falling to both sides within `scale` > 0 by a factor of e."""

    @property
    def stddev(self):
        return math.sqrt(2) * self.scale

    @property
    def variance(self):
        return 2 * self.scale**2

    def rsample(self, sample_shape=()):
        dtype = self.loc.dtype
        noise = empty(self._extended_shape(sample_shape), dtype=dtype)
        noise.uniform_(finfo(dtype).eps - 1, 1)  # never -1, whose logarithm below is infinite
        return self.loc - self.scale * noise.sign() * (-noise.abs()).log1p()

    def log_prob(self, value):
        self._check(value)
        return -(2 * self.scale).log() - (value - self.loc).abs() / self.scale

    def cdf(self, value):
        self._check(value)
        distance = value - self.loc
        return 0.5 - 0.5 * distance.sign() * (-distance.abs() / self.scale).expm1()

    def icdf(self, value):
        off = value - 0.5
        return self.loc - self.scale * off.sign() * (-2 * off.abs()).log1p()

    def entropy(self):
        return 1 + (2 * self.scale).log()
