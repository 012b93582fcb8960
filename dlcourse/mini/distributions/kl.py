"""The Kullback-Leibler divergence between two distributions, in closed form."""

import math
import warnings
from collections.abc import Callable

from dlcourse.mini._core import Tensor
from dlcourse.mini.distributions.bernoulli import Bernoulli
from dlcourse.mini.distributions.beta import Beta
from dlcourse.mini.distributions.categorical import Categorical
from dlcourse.mini.distributions.dirichlet import Dirichlet
from dlcourse.mini.distributions.distribution import Distribution
from dlcourse.mini.distributions.exponential import Exponential
from dlcourse.mini.distributions.gamma import Gamma
from dlcourse.mini.distributions.geometric import Geometric
from dlcourse.mini.distributions.gumbel import EULER, Gumbel
from dlcourse.mini.distributions.independent import Independent
from dlcourse.mini.distributions.laplace import Laplace
from dlcourse.mini.distributions.log_normal import LogNormal
from dlcourse.mini.distributions.multivariate_normal import (
    MultivariateNormal,
    log_det,
    squared_distance,
)
from dlcourse.mini.distributions.normal import Normal
from dlcourse.mini.distributions.one_hot_categorical import OneHotCategorical
from dlcourse.mini.distributions.poisson import Poisson
from dlcourse.mini.distributions.transformed_distribution import TransformedDistribution
from dlcourse.mini.distributions.uniform import Uniform
from dlcourse.mini.distributions.utils import sum_rightmost
from dlcourse.mini.linalg import solve_triangular
from dlcourse.mini.nn.functional import softplus
from dlcourse.mini.ops.creation import full_like

FORMULAS: dict[tuple[type, type], Callable] = {}  # (class of p, class of q) -> formula(p, q)


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """`KL(p || q)`, the expectation under p of log p(x) - log q(x), of the shape of the batch.

    Raises NotImplementedError for a pair without a formula: see `register_kl`.
    """
    return _formula(type(p), type(q))(p, q)


def register_kl(type_p: type, type_q: type) -> Callable:
    """Decorate a formula(p, q): `kl_divergence` then uses it for these classes and those below."""
    for name, kind in (("type_p", type_p), ("type_q", type_q)):
        if not (isinstance(kind, type) and issubclass(kind, Distribution)):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {kind}")

    def register(formula):
        FORMULAS[type_p, type_q] = formula
        return formula

    return register


def _formula(type_p, type_q):
    """The formula for the nearest classes above; where p and q do not agree on it, p decides."""
    far = {
        (type_p.__mro__.index(p), type_q.__mro__.index(q)): (p, q)
        for p, q in FORMULAS
        if issubclass(type_p, p) and issubclass(type_q, q)
    }
    if not far:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {type_p.__name__} and q type "
            f"{type_q.__name__}"
        )
    by_p, by_q = far[min(far)], far[min(far, key=lambda steps: steps[::-1])]
    if FORMULAS[by_p] is not FORMULAS[by_q]:
        warnings.warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). Please "
            f"register_kl({by_p[0].__name__}, {by_q[1].__name__})",
            RuntimeWarning,
            stacklevel=3,
        )
    return FORMULAS[by_p]


# -- the same on both sides ------------------------------------------------------------------------


@register_kl(Normal, Normal)
def _normal_normal(p, q):
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


@register_kl(LogNormal, LogNormal)
def _log_normal_log_normal(p, q):
    return kl_divergence(p.base_dist, q.base_dist)  # exp on both sides changes nothing


@register_kl(Bernoulli, Bernoulli)
def _bernoulli_bernoulli(p, q):
    one = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    zero = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    one = one.masked_fill(q.probs == 0, math.inf).masked_fill(p.probs == 0, 0)
    zero = zero.masked_fill(q.probs == 1, math.inf).masked_fill(p.probs == 1, 0)
    return one + zero


@register_kl(Categorical, Categorical)
def _categorical_categorical(p, q):
    terms = p.probs * (p.logits - q.logits)
    terms = terms.masked_fill(q.probs == 0, math.inf).masked_fill(p.probs == 0, 0)
    return terms.sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot_one_hot(p, q):
    return _categorical_categorical(p, q)


@register_kl(Exponential, Exponential)
def _exponential_exponential(p, q):
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(Gamma, Gamma)
def _gamma_gamma(p, q):
    a, b, ratio = p.concentration, q.concentration, q.rate / p.rate
    spread = (a - b) * a.digamma() + b.lgamma() - a.lgamma()
    return spread - b * ratio.log() + a * (ratio - 1)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet_dirichlet(p, q):
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    norms = total.lgamma() - b.sum(-1).lgamma() + (b.lgamma() - a.lgamma()).sum(-1)
    return norms + ((a - b) * (a.digamma() - total.digamma().unsqueeze(-1))).sum(-1)


@register_kl(Beta, Beta)
def _beta_beta(p, q):
    return _dirichlet_dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Poisson, Poisson)
def _poisson_poisson(p, q):
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Geometric, Geometric)
def _geometric_geometric(p, q):
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Gumbel, Gumbel)
def _gumbel_gumbel(p, q):
    ratio, away = p.scale / q.scale, (q.loc - p.loc) / q.scale
    expected = (away + (ratio + 1).lgamma()).exp()  # of exp(-(x - q.loc) / q.scale)
    return expected + ratio * EULER - away - ratio.log() - (1 + EULER)


@register_kl(Laplace, Laplace)
def _laplace_laplace(p, q):
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return distance / q.scale + ratio * (-distance / p.scale).exp() - ratio.log() - 1


@register_kl(Uniform, Uniform)
def _uniform_uniform(p, q):
    ratio = (q.high - q.low) / (p.high - p.low)
    return ratio.log().masked_fill((q.low > p.low) | (q.high < p.high), math.inf)


@register_kl(Independent, Independent)
def _independent_independent(p, q):
    moved = p.reinterpreted_batch_ndims
    if moved != q.reinterpreted_batch_ndims:
        raise NotImplementedError(
            "KL(p || q) of two Independent wants the same reinterpreted_batch_ndims, but got "
            f"{moved} and {q.reinterpreted_batch_ndims}"
        )
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), moved)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed_transformed(p, q):
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError("KL(p || q) of two transformed wants the same transforms")
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal_multivariate_normal(p, q):
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two Multivariate Normals with different event shapes cannot be "
            "computed"
        )
    ratio = solve_triangular(q._factor, p._factor, upper=False)  # Lq^-1 Lp
    spread = (ratio**2).sum((-2, -1)) + squared_distance(q._factor, q.loc - p.loc)
    return log_det(q._factor) - log_det(p._factor) + (spread - p.event_shape[0]) / 2


# -- two kinds -------------------------------------------------------------------------------------


@register_kl(Normal, Laplace)
def _normal_laplace(p, q):
    # E|x - m| of a normal x: scale sqrt(2 / pi) exp(-z^2 / 2) + (loc - m) erf(z / sqrt(2))
    away = p.loc - q.loc
    z = away / p.scale
    expected = math.sqrt(2 / math.pi) * p.scale * (-(z**2) / 2).exp()
    expected = expected + away * (z * math.sqrt(0.5)).erf()
    return expected / q.scale - (p.scale / q.scale).log() - 0.5 * (1 + math.log(math.pi / 2))


@register_kl(Laplace, Normal)
def _laplace_normal(p, q):
    squared = 2 * p.scale**2 + (p.loc - q.loc) ** 2  # E (x - q.loc)^2
    entropy_gap = (q.scale / p.scale).log() + 0.5 * math.log(math.pi / 2) - 1
    return entropy_gap + squared / (2 * q.scale**2)


@register_kl(Exponential, Normal)
def _exponential_normal(p, q):
    squared = (1 / p.rate) ** 2 + (1 / p.rate - q.loc) ** 2
    entropy_gap = (p.rate * q.scale).log() + 0.5 * math.log(2 * math.pi) - 1
    return entropy_gap + squared / (2 * q.scale**2)


@register_kl(Uniform, Normal)
def _uniform_normal(p, q):
    squared = p.variance + (p.mean - q.loc) ** 2
    entropy_gap = (q.scale / (p.high - p.low)).log() + 0.5 * math.log(2 * math.pi)
    return entropy_gap + squared / (2 * q.scale**2)


@register_kl(Uniform, Exponential)
def _uniform_exponential(p, q):
    result = q.rate * p.mean - ((p.high - p.low) * q.rate).log()
    return result.masked_fill(p.low < 0, math.inf)


@register_kl(Exponential, Uniform)
@register_kl(Laplace, Exponential)
@register_kl(Laplace, Uniform)
@register_kl(Normal, Exponential)
@register_kl(Normal, Uniform)
def _infinite(p, q):
    """What p may draw q cannot."""
    return full_like(p.mean, math.inf).detach()
