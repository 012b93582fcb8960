"""Probability distributions, under the names of torch.distributions.

    policy = Categorical(logits=model(state))          # parameters may require gradients
    action = policy.sample()                           # no gradient flows through it
    loss = -policy.log_prob(action) * reward           # the score function (REINFORCE)

    z = Normal(mean, std).rsample()                    # mean + std * noise: gradients flow through

Numbers drawn come from mini's generator, so that the same seed gives others than torch's.
"""

from dlcourse.mini.distributions import constraints, transforms
from dlcourse.mini.distributions.bernoulli import Bernoulli
from dlcourse.mini.distributions.beta import Beta
from dlcourse.mini.distributions.categorical import Categorical
from dlcourse.mini.distributions.dirichlet import Dirichlet
from dlcourse.mini.distributions.distribution import Distribution
from dlcourse.mini.distributions.exponential import Exponential
from dlcourse.mini.distributions.gamma import Chi2, Gamma
from dlcourse.mini.distributions.geometric import Geometric
from dlcourse.mini.distributions.gumbel import Gumbel
from dlcourse.mini.distributions.independent import Independent
from dlcourse.mini.distributions.kl import kl_divergence, register_kl
from dlcourse.mini.distributions.laplace import Laplace
from dlcourse.mini.distributions.log_normal import LogNormal
from dlcourse.mini.distributions.mixture_same_family import MixtureSameFamily
from dlcourse.mini.distributions.multivariate_normal import MultivariateNormal
from dlcourse.mini.distributions.normal import Normal
from dlcourse.mini.distributions.one_hot_categorical import OneHotCategorical
from dlcourse.mini.distributions.poisson import Poisson
from dlcourse.mini.distributions.relaxed_bernoulli import RelaxedBernoulli
from dlcourse.mini.distributions.relaxed_categorical import RelaxedOneHotCategorical
from dlcourse.mini.distributions.transformed_distribution import TransformedDistribution
from dlcourse.mini.distributions.transforms import (
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    SigmoidTransform,
    SoftplusTransform,
    TanhTransform,
    Transform,
    identity_transform,
)
from dlcourse.mini.distributions.uniform import Uniform

__all__ = [
    "AffineTransform", "Bernoulli", "Beta", "Categorical", "Chi2", "ComposeTransform", "Dirichlet",
    "Distribution", "ExpTransform", "Exponential", "Gamma", "Geometric", "Gumbel", "Independent",
    "Laplace", "LogNormal", "MixtureSameFamily", "MultivariateNormal",
    "Normal", "OneHotCategorical", "Poisson", "RelaxedBernoulli", "RelaxedOneHotCategorical",
    "SigmoidTransform", "SoftplusTransform", "TanhTransform", "Transform",
    "TransformedDistribution", "Uniform", "constraints", "identity_transform", "kl_divergence",
    "register_kl", "transforms",
]  # fmt: skip
