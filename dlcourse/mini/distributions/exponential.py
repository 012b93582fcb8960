"""The exponential distribution: density rate exp(-rate x) for x >= 0."""

from typing import ClassVar

from dlcourse.mini._core import Tensor
from dlcourse.mini.distributions import constraints
from dlcourse.mini.distributions.distribution import Distribution
from dlcourse.mini.distributions.utils import broadcast_all
from dlcourse.mini.ops.creation import empty


class Exponential(Distribution):
    """Waiting times for events that come `rate` > 0 times in a unit of time."""

    arg_constraints: ClassVar = {"rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, rate: Tensor | float, validate_args: bool | None = None):
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self):
        return 1 / self.rate

    @property
    def mode(self):
        return (0 * self.rate).detach()

    @property
    def stddev(self):
        return 1 / self.rate

    @property
    def variance(self):
        return self.rate**-2

    def rsample(self, sample_shape=()):
        noise = empty(self._extended_shape(sample_shape), dtype=self.rate.dtype).exponential_()
        return noise / self.rate

    def log_prob(self, value):
        self._check(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value):
        self._check(value)
        return 1 - (-self.rate * value).exp()

    def icdf(self, value):
        return -(-value).log1p() / self.rate

    def entropy(self):
        return 1 - self.rate.log()
