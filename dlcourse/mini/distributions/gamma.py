"""The gamma distribution: density rate^a x^(a - 1) exp(-rate x) / Gamma(a), a the concentration."""

from typing import ClassVar

from dlcourse.mini._core import Function, Tensor, wrap
from dlcourse.mini._dtype import finfo
from dlcourse.mini.autograd.function import once_differentiable
from dlcourse.mini.distributions import constraints
from dlcourse.mini.distributions.distribution import Distribution
from dlcourse.mini.distributions.utils import broadcast_all
from dlcourse.mini.ops.creation import random_source

import numpy as np


class StandardGamma(Function):
    """Draws z with the rate 1; dz/da is that which leaves the probability of a draw below z."""

    # NB: in torch this derivative is an approximation, to about three digits.

    @staticmethod
    def forward(ctx, concentration):
        drawn = random_source().standard_gamma(concentration._data)
        dtype = concentration._data.dtype
        drawn = np.maximum(drawn, np.finfo(dtype).tiny).astype(dtype)
        out = wrap(np.asarray(drawn))
        ctx.save_for_backward(concentration, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        return grad_output * slope_of_draw(*ctx.saved_tensors)


def slope_of_draw(concentration, drawn):
    """`dz/da = -(dP(a, z)/da) / (dP(a, z)/dz)`, P the probability of a draw below z.

    P = z^a e^-z sum_n z^n / Gamma(a + n + 1), and every term is differentiated by a.
    """
    a, z = (t._data.astype(np.float64) for t in (concentration, drawn))
    total, term, n = np.zeros_like(z), 1 / a, 0
    log, psi = np.log(z), wrap(a + 1).digamma()._data
    while True:
        part = term * (log - psi)
        total = total + part
        if np.all((n > z - a) & (np.abs(part) <= 1e-17 * np.abs(total))):
            return wrap((-z * total).astype(drawn._data.dtype))
        n += 1
        term = term * z / (a + n)
        psi = psi + 1 / (a + n)


class Gamma(Distribution):
    """With `concentration` > 0 and `rate` > 0; the mean is their quotient."""

    arg_constraints: ClassVar = {
        "concentration": constraints.positive,
        "rate": constraints.positive,
    }
    support = constraints.nonnegative
    has_rsample = True

    def __init__(
        self,
        concentration: Tensor | float,
        rate: Tensor | float,
        validate_args: bool | None = None,
    ):
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def mean(self):
        return self.concentration / self.rate

    @property
    def mode(self):
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self):
        return self.concentration / self.rate**2

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        drawn = StandardGamma.apply(self.concentration.expand(shape)) / self.rate
        drawn.detach().clamp_(min=finfo(drawn.dtype).tiny)
        return drawn

    def log_prob(self, value):
        self._check(value)
        a = self.concentration
        return a.xlogy(self.rate) + (a - 1).xlogy(value) - self.rate * value - a.lgamma()

    def entropy(self):
        a = self.concentration
        return a - self.rate.log() + a.lgamma() + (1 - a) * a.digamma()


class Chi2(Gamma):
    """The sum of the squares of `df` standard normal numbers."""

    arg_constraints: ClassVar = {"df": constraints.positive}

    def __init__(self, df: Tensor | float, validate_args: bool | None = None):
        (df,) = broadcast_all(df)
        super().__init__(df / 2, 0.5, validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new.concentration = self.concentration.expand(*batch_shape)
        new.rate = self.rate.expand(*batch_shape)
        return new

    @property
    def df(self):
        """The degrees of freedom."""
        return self.concentration * 2
