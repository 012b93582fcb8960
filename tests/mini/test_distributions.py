"""mini.distributions against torch.distributions: values, gradients, checks, draws, programs."""

import math

from dlcourse import mini
from dlcourse.testing import assert_matches

import numpy as np
import pytest
import torch
from both import START, agree, same_error, sentence
from test_ops import derivatives

ALL = ["mean", "mode", "variance", "stddev", "entropy", "perplexity", "log_prob", "cdf", "icdf"]
CONTINUOUS = [name for name in ALL if name != "perplexity"]
DISCRETE = [name for name in ALL if name not in ("cdf", "icdf")]


def real(f, x):
    return x


def matrix(f, a):
    return a @ a.mT + f.eye(a.shape[-1], dtype=a.dtype)


def lower(f, a):
    return a.tril(-1) + f.eye(a.shape[-1], dtype=a.dtype) * 1.5


def one_hot(f, x):
    return f.nn.functional.one_hot(x.argmax(-1), x.shape[-1]).to(x.dtype)


# name: (make(f, *parameters), shapes of the parameters, value(f, x), its shape, what is asked).
# The parameters are between -2 and 2; so is x, which requires a gradient, too.
CASES = {
    "Normal": (lambda f, a, b: f.distributions.Normal(a, b.exp()),
               [(2, 3), (3,)], real, (4, 2, 3), CONTINUOUS),
    "Normal of numbers": (lambda f, a: f.distributions.Normal(a.sum(), 0.7),
                          [()], real, (5,), CONTINUOUS),
    "LogNormal": (lambda f, a, b: f.distributions.LogNormal(a, b.exp()),
                  [(3,), (2, 1)], lambda f, x: x.exp(), (2, 3), CONTINUOUS),
    "Laplace": (lambda f, a, b: f.distributions.Laplace(a, scale=b.exp()),
                [(2, 1), (3,)], real, (2, 3), CONTINUOUS),
    "Exponential": (lambda f, a: f.distributions.Exponential(rate=a.exp()),
                    [(2, 3)], lambda f, x: x.exp(), (1, 3), CONTINUOUS),
    "Uniform": (lambda f, a, b: f.distributions.Uniform(a - 3, a + b.exp() + 3),
                [(2, 3), (3,)], lambda f, x: x.tanh() * 0.9, (4, 1, 3), CONTINUOUS),
    "Bernoulli of logits": (lambda f, a: f.distributions.Bernoulli(logits=a),
                            [(2, 3)], lambda f, x: (x > 0).to(x.dtype), (4, 1, 3), DISCRETE),
    "Bernoulli of probs": (lambda f, a: f.distributions.Bernoulli(a.sigmoid()),
                           [(2, 3)], lambda f, x: (x > 0).to(x.dtype), (2, 3), DISCRETE),
    "Categorical of logits": (lambda f, a: f.distributions.Categorical(logits=a),
                              [(2, 5)], lambda f, x: (x + 2).long(), (4, 2), DISCRETE),
    "Categorical of probs": (lambda f, a: f.distributions.Categorical(a.exp()),
                             [(5,)], lambda f, x: (x + 2).long(), (4, 2), DISCRETE),
    "OneHotCategorical of logits": (lambda f, a: f.distributions.OneHotCategorical(logits=a),
                                    [(2, 5)], one_hot, (4, 2, 5), DISCRETE),
    "OneHotCategorical of probs": (lambda f, a: f.distributions.OneHotCategorical(a.exp()),
                                   [(5,)], one_hot, (4, 5), DISCRETE),
    "Independent": (
        lambda f, a, b: f.distributions.Independent(f.distributions.Normal(a, b.exp()), 2),
        [(4, 2, 3), (3,)], real, (1, 2, 3), ["mean", "variance", "stddev", "entropy", "log_prob"]),
    "Independent of none": (
        lambda f, a: f.distributions.Independent(f.distributions.Exponential(a.exp()), 0),
        [(3,)], lambda f, x: x.exp(), (2, 3), ["mean", "mode", "entropy", "log_prob"]),
    "MultivariateNormal": (
        lambda f, a, b: f.distributions.MultivariateNormal(a, matrix(f, b)),
        [(2, 3), (3, 3)], real, (4, 2, 3), ["mean", "mode", "variance", "entropy", "log_prob"]),
    "MultivariateNormal of a root": (
        lambda f, a, b: f.distributions.MultivariateNormal(a, scale_tril=lower(f, b)),
        [(3,), (2, 3, 3)], real, (3,), ["mean", "variance", "stddev", "entropy", "log_prob"]),
    "MultivariateNormal of the inverse": (
        lambda f, a, b: f.distributions.MultivariateNormal(a, precision_matrix=matrix(f, b)),
        [(3,), (3, 3)], real, (2, 3), ["variance", "entropy", "log_prob"]),
    "Gamma": (lambda f, a, b: f.distributions.Gamma(a.exp() + 1.1, b.exp()),
              [(2, 3), (3,)], lambda f, x: x.exp(), (4, 2, 3),
              ["mean", "mode", "variance", "stddev", "entropy", "log_prob"]),
    "Chi2": (lambda f, a: f.distributions.Chi2(a.exp() + 1), [(2, 3)], lambda f, x: x.exp(), (2, 3),
             ["mean", "variance", "log_prob"]),
    "Beta": (lambda f, a, b: f.distributions.Beta(a.exp() + 1.1, b.exp() + 1.2),
             [(2, 3), (3,)], lambda f, x: x.sigmoid(), (4, 2, 3),
             ["mean", "mode", "variance", "stddev", "entropy", "log_prob"]),
    "Beta of small ones": (lambda f, a, b: f.distributions.Beta(a.sigmoid(), b.exp()),
                           [(3,), (3,)], lambda f, x: x.sigmoid(), (2, 3), ["log_prob"]),
    "Dirichlet": (lambda f, a: f.distributions.Dirichlet(a.exp() + 1.1),
                  [(2, 4)], lambda f, x: x.softmax(-1), (3, 2, 4),
                  ["mean", "mode", "variance", "stddev", "entropy", "log_prob"]),
    "Poisson": (lambda f, a: f.distributions.Poisson(a.exp()), [(2, 3)],
                lambda f, x: (x.abs() * 3).floor(), (4, 2, 3),
                ["mean", "mode", "variance", "stddev", "log_prob"]),
    "Geometric of probs": (lambda f, a: f.distributions.Geometric(a.sigmoid()), [(2, 3)],
                           lambda f, x: (x.abs() * 3).floor(), (4, 2, 3), DISCRETE),
    "Geometric of logits": (lambda f, a: f.distributions.Geometric(logits=a), [(3,)],
                            lambda f, x: (x.abs() * 3).floor(), (2, 3), DISCRETE),
    "Gumbel": (lambda f, a, b: f.distributions.Gumbel(a, b.exp()), [(2, 3), (3,)], real, (4, 2, 3),
               CONTINUOUS),
    "RelaxedBernoulli": (
        lambda f, a, b: f.distributions.RelaxedBernoulli(b.exp(), logits=a),
        [(2, 3), ()], lambda f, x: x.sigmoid(), (4, 2, 3), ["log_prob"]),
    "RelaxedBernoulli of probs": (
        lambda f, a, b: f.distributions.RelaxedBernoulli(b.exp(), a.sigmoid()),
        [(2, 3), (3,)], lambda f, x: x.sigmoid(), (2, 3), ["log_prob"]),
    "RelaxedOneHotCategorical": (
        lambda f, a, b: f.distributions.RelaxedOneHotCategorical(b.exp(), logits=a),
        [(2, 4), ()], lambda f, x: x.softmax(-1), (3, 2, 4), ["log_prob"]),
    "RelaxedOneHotCategorical of probs": (
        lambda f, a, b: f.distributions.RelaxedOneHotCategorical(b.exp(), a.exp()),
        [(4,), ()], lambda f, x: x.softmax(-1), (3, 4), ["log_prob"]),
    "mixture of normals": (
        lambda f, a, b: f.distributions.MixtureSameFamily(
            f.distributions.Categorical(logits=a), f.distributions.Normal(b, b.abs() + 0.5)),
        [(2, 4), (2, 4)], real, (3, 2), ["mean", "variance", "stddev", "log_prob", "cdf"]),
    "mixture of vectors": (
        lambda f, a, b: f.distributions.MixtureSameFamily(
            f.distributions.Categorical(a.exp()),
            f.distributions.Independent(f.distributions.Normal(b, b.abs() + 0.5), 1)),
        [(2, 4), (2, 4, 3)], real, (5, 2, 3), ["mean", "variance", "log_prob"]),
    "tanh of Normal": (
        lambda f, a, b: f.distributions.TransformedDistribution(
            f.distributions.Normal(a, b.exp()), f.distributions.TanhTransform()),
        [(2, 3), (3,)], lambda f, x: (x / 2).tanh(), (4, 2, 3), ["log_prob", "cdf", "icdf"]),
    "several of vectors": (
        lambda f, a, b: f.distributions.TransformedDistribution(
            f.distributions.Independent(f.distributions.Normal(a, 1.5), 1),
            [f.distributions.AffineTransform(b, b.exp(), event_dim=1),
             f.distributions.SigmoidTransform(),
             f.distributions.AffineTransform(1.0, -2.0)]),
        [(2, 3), (3,)], lambda f, x: x.tanh() * 0.9, (4, 2, 3), ["log_prob"]),
    "affine events": (
        lambda f, a, b: f.distributions.TransformedDistribution(
            f.distributions.Laplace(a, 0.8), f.distributions.AffineTransform(b, -b.exp(), 1)),
        [(3,), (2, 3)], real, (2, 3), ["log_prob"]),
    "falling": (
        lambda f, a, b: f.distributions.TransformedDistribution(
            f.distributions.Laplace(a * 0 + 0.3, 0.8),
            [f.distributions.AffineTransform(a, -b.exp()), f.distributions.SoftplusTransform(),
             f.distributions.ExpTransform().inv, f.distributions.ExpTransform()]),
        [(2, 3), (3,)], lambda f, x: x.exp(), (2, 3), ["log_prob", "cdf", "icdf"]),
    "no transforms": (
        lambda f, a: f.distributions.TransformedDistribution(f.distributions.Normal(a, 1.0), []),
        [(3,)], real, (2, 3), ["log_prob", "cdf", "icdf"]),
}  # fmt: skip
WITHOUT_MOMENTS = {
    "tanh of Normal", "several of vectors", "affine events", "falling", "no transforms",
    "RelaxedBernoulli", "RelaxedBernoulli of probs",
    "RelaxedOneHotCategorical", "RelaxedOneHotCategorical of probs",
}  # fmt: skip


def leaves(f, shapes, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return [f.from_numpy(rng.uniform(-2, 2, s).astype(dtype)).requires_grad_() for s in shapes]


def asked(f, name, question, dtype):
    """What a distribution answers, and the first and second derivatives of that."""
    make, shapes, value, shape, _ = CASES[name]
    *parameters, x = leaves(f, [*shapes, shape], dtype)
    distribution = make(f, *parameters)
    if question in ("log_prob", "cdf"):
        out = getattr(distribution, question)(value(f, x))
    elif question == "icdf":
        out = distribution.icdf(x.sigmoid())
    else:
        out = getattr(distribution, question)
        out = out() if callable(out) else out
    return [out], *derivatives(f, [out], [*parameters, x])


@pytest.mark.parametrize(
    ("name", "question"), [(n, q) for n, case in CASES.items() for q in case[4]]
)
def test_matches_torch(name, question):
    ours, theirs = (asked(f, name, question, "float64") for f in (mini, torch))
    for i in range(3):
        assert_matches(ours[i], theirs[i], rtol=1e-9, atol=1e-9)
    ours, theirs = (asked(f, name, question, "float32") for f in (mini, torch))
    assert_matches(ours[0], theirs[0], rtol=1e-4, atol=1e-5)
    assert_matches(ours[1], theirs[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_shapes_and_names(name):
    make, shapes, value, of_value, _ = CASES[name]

    def program(f):
        *parameters, x = leaves(f, [*shapes, of_value], "float64")
        p = make(f, *parameters)
        wide = p.expand((3, *p.batch_shape))
        shapes_of = [p.batch_shape, p.event_shape, wide.batch_shape, wide.event_shape]
        draws = [p.sample(), p.sample([4]), p.sample(f.Size((2, 1))), wide.sample((2,))]
        if p.has_rsample:
            draws += [p.rsample((2,)), wide.rsample()]
        facts = p.has_rsample, p.has_enumerate_support, [d.requires_grad for d in draws]
        texts = [sentence(str(d)) for d in (p, wide)]
        event = value(f, x).reshape(-1, *p.event_shape)[0]
        answers = [wide.log_prob(event)]
        if name not in WITHOUT_MOMENTS:
            answers += [wide.mean, wide.variance]
        if name not in WITHOUT_MOMENTS and "mixture" not in name and name != "Poisson":
            answers.append(wide.entropy())
        if p.has_enumerate_support:
            answers += [p.enumerate_support(), wide.enumerate_support(expand=False)]
            answers.append(p.log_prob(p.enumerate_support()))
        return shapes_of, [d.shape for d in draws], facts, texts, answers

    agree(program)


def test_parameters_given_either_way_are_normalised():
    def program(f):
        d, x = f.distributions, f.tensor([[1.0, 3.0, 4.0], [0.0, 2.0, 0.0]])
        made = [d.Categorical(x), d.Categorical(logits=x), d.OneHotCategorical(x)]
        made += [d.OneHotCategorical(logits=x), d.Bernoulli(x / 4), d.Bernoulli(logits=x)]
        made += [d.Bernoulli(0.25), d.Bernoulli(logits=-1), d.Bernoulli(f.tensor([0, 1.0]))]
        found = [(p.probs, p.logits, p.param_shape, p.probs, p.entropy(), p.mode) for p in made]
        matrices = []
        for name in ("covariance_matrix", "precision_matrix", "scale_tril"):
            root = f.tensor([[2.0, 0.0], [0.5, 1.0]])
            given = root if name == "scale_tril" else root @ root.mT
            p = d.MultivariateNormal(f.zeros(3, 2), **{name: given})
            matrices += [p.covariance_matrix, p.precision_matrix, p.scale_tril]
        return found, matrices, d.LogNormal(1, 2).loc, d.LogNormal(1, 2).scale

    agree(program)


def test_what_is_computed_when_asked_for_has_its_graph_even_in_no_grad():
    def program(f):
        x = f.tensor([0.2, 0.3, 0.5], requires_grad=True)
        p = f.distributions.Categorical(x)
        with f.no_grad():
            first = p.logits
        (first[0] * 2).backward()
        return p.logits is first, x.grad

    agree(program)


# -- divergence ------------------------------------------------------------------------------------


def pair(f, name):
    """A distribution of that kind, twice, with parameters of its own."""
    d = f.distributions
    a, b, a2, b2 = leaves(f, [(2, 3), (3,), (3,), (2, 3)], "float64", 3)
    wide = a2.exp() + b.exp() + a.abs()
    make = {
        "Normal": lambda x, y: d.Normal(x, y.exp()),
        "LogNormal": lambda x, y: d.LogNormal(x, y.exp()),
        "Laplace": lambda x, y: d.Laplace(x, y.exp()),
        "Exponential": lambda x, y: d.Exponential((x + y).exp()),
        "Bernoulli": lambda x, y: d.Bernoulli(logits=x + y),
        "Categorical": lambda x, y: d.Categorical(logits=x + y),
        "OneHotCategorical": lambda x, y: d.OneHotCategorical((x + y).exp()),
        "Independent": lambda x, y: d.Independent(d.Normal(x + y, y.exp()), 1),
        "MultivariateNormal": lambda x, y: d.MultivariateNormal(
            (x + y)[0], scale_tril=lower(f, (x + y).mT @ (x + y))
        ),
    }
    if name == "Uniform":
        return [d.Uniform(a, a + b.exp()), d.Uniform(a - 1, a + wide)], (a, b, a2)
    return [make[name](a, b), make[name](a2, b2)], (a, b, a2, b2)


KINDS = {
    "Normal", "LogNormal", "Laplace", "Exponential", "Bernoulli", "Categorical",
    "OneHotCategorical", "Independent", "MultivariateNormal", "Uniform",
}  # fmt: skip


def pairs_of(registry):
    names = [(p.__name__, q.__name__) for p, q in registry]
    return sorted((p, q) for p, q in names if {p, q} <= KINDS)


PAIRS = sorted({*pairs_of(torch.distributions.kl._KL_REGISTRY), ("LogNormal", "LogNormal")})


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_kl_divergence(p, q):
    def program(f):
        (first, second), parameters = pair(f, p)
        other, more = pair(f, q)
        second, parameters = (second, parameters) if p == q else (other[1], parameters + more)
        out = f.distributions.kl_divergence(first, second)
        inside = [out.nan_to_num(posinf=0.0)] if out.requires_grad else []
        return out, *derivatives(f, inside, parameters)

    agree(program, rtol=1e-9, atol=1e-9)


def test_kl_divergence_has_the_formulas_of_torch():
    ours = pairs_of(mini.distributions.kl.FORMULAS)
    assert ours == PAIRS


def test_kl_divergence_of_what_cannot_be():
    def program(f):
        d, t = f.distributions, f.tensor
        kl = d.kl_divergence
        sure, open_ = t([0.0, 1.0, 0.0, 1.0, 0.5, 0.0]), t([0.0, 1.0, 1.0, 0.0, 0.0, 0.3])
        p, q = t([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]), t([[0.5, 0.0, 0.5], [0.2, 0.4, 0.4]])
        return [
            kl(d.Bernoulli(sure), d.Bernoulli(open_)), kl(d.Categorical(p), d.Categorical(q)),
            kl(d.Uniform(t([0.0, 1, 2]), 3.0), d.Uniform(1.0, t([4.0, 2.0, 3.0]))),
            kl(d.Uniform(t([-1.0, 0.0]), 3.0), d.Exponential(2.0)),
        ]  # fmt: skip

    agree(program)


def test_kl_divergence_of_what_is_transformed_alike():
    def program(f):
        d = f.distributions
        ways = [d.TanhTransform()], [d.AffineTransform(0.0, 2.0), d.TanhTransform()]
        p, q = (d.Normal(f.tensor([0.0, x]), 1.0) for x in (1.0, -0.5))
        p0 = d.TransformedDistribution(p, ways[0])
        q0, q1 = (d.TransformedDistribution(q, way) for way in ways)
        with pytest.raises(NotImplementedError):
            d.kl_divergence(p0, q1)
        return d.kl_divergence(p0, q0)

    agree(program)


def test_kl_divergence_is_the_expectation_that_it_is_said_to_be():
    """By a sum over a fine grid, without torch."""
    d = mini.distributions
    x = mini.linspace(-30, 30, 60001, dtype=mini.float64)
    for p, q in ((d.Normal(0.3, 0.8), d.Laplace(-0.5, 1.2)), (d.Laplace(0.1, 0.6), d.Normal(1, 2))):
        log_p = p.log_prob(x)
        expected = (log_p.exp() * (log_p - q.log_prob(x))).sum() * 1e-3
        assert float(d.kl_divergence(p, q)) == pytest.approx(float(expected), abs=1e-5)


def test_formulas_of_ones_own():
    def program(f):
        d = f.distributions

        class Mine(d.Normal):
            pass

        class Yours(d.Normal):
            pass

        inherited = d.kl_divergence(Mine(0.0, 1.0), Yours(1.0, 2.0))
        d.register_kl(Mine, d.Normal)(lambda p, q: "mine on the left")
        left = d.kl_divergence(Mine(0.0, 1.0), Yours(1.0, 2.0))
        d.register_kl(d.Normal, Yours)(lambda p, q: "yours on the right")
        with pytest.warns(RuntimeWarning, match=r"Ambiguous kl_divergence\(Mine, Yours\)"):
            both = d.kl_divergence(Mine(0.0, 1.0), Yours(1.0, 2.0))
        d.register_kl(Mine, Yours)(lambda p, q: "both")
        return inherited, left, both, d.kl_divergence(Mine(0.0, 1.0), Yours(1.0, 2.0))

    agree(program)


# -- checks ----------------------------------------------------------------------------------------

ERRORS = {
    "scale of 0": lambda d, t: d.Normal(t([0.0, 1.0]), t([1.0, 0.0])),
    "scale below 0": lambda d, t: d.Laplace(0.0, -1.0),
    "loc of nan": lambda d, t: d.Normal(t([math.nan]), 1.0),
    "LogNormal": lambda d, t: d.LogNormal(0.0, -1.0),
    "rate": lambda d, t: d.Exponential(t([1.0, -2.0])),
    "probs of 2": lambda d, t: d.Bernoulli(t([0.5, 2.0])),
    "logits of nan": lambda d, t: d.Bernoulli(logits=t([0.5, math.nan])),
    "probs below 0": lambda d, t: d.Categorical(t([0.5, -0.5, 2.0])),
    "logits nan": lambda d, t: d.Categorical(logits=t([[0.5, math.nan]])),
    "probs of 0": lambda d, t: d.OneHotCategorical(t([0.0, 0.0])),
    "both": lambda d, t: d.Bernoulli(0.5, 0.5),
    "neither": lambda d, t: d.Categorical(),
    "a number of classes": lambda d, t: d.Categorical(t(0.5)),
    "a logit of classes": lambda d, t: d.Categorical(logits=t(0.5)),
    "no number": lambda d, t: d.Normal("a", 1.0),
    "shapes": lambda d, t: d.Normal(t([1.0, 2.0]), t([1.0, 2.0, 3.0])),
    "low and high": lambda d, t: d.Uniform(t([1.0, 2.0]), t([2.0, 1.0])),
    "too many dimensions": lambda d, t: d.Independent(d.Normal(0.0, 1.0), 1),
    "value of nan": lambda d, t: d.Normal(0.0, 1.0).log_prob(t([math.nan])),
    "a number as value": lambda d, t: d.Normal(0.0, 1.0).log_prob(1.0),
    "value below 0": lambda d, t: d.Exponential(t([1.0, 2.0])).log_prob(t([1.0, -2.0])),
    "cdf below 0": lambda d, t: d.Exponential(t([1.0, 2.0])).cdf(t([1.0, -2.0])),
    "log of a value below 0": lambda d, t: d.LogNormal(0.0, 1.0).log_prob(t([-1.0])),
    "outside": lambda d, t: d.Uniform(0.0, 1.0).log_prob(t([0.5, 1.5])),
    "no class": lambda d, t: d.Categorical(t([0.5, 0.5])).log_prob(t([2])),
    "half a class": lambda d, t: d.Categorical(t([0.5, 0.5])).log_prob(t([0.5])),
    "no bit": lambda d, t: d.Bernoulli(0.5).log_prob(t([0.5])),
    "not one hot": lambda d, t: d.OneHotCategorical(t([0.5, 0.5])).log_prob(t([1.0, 1.0])),
    "event": lambda d, t: d.OneHotCategorical(t([0.5, 0.5])).log_prob(t([1.0, 0.0, 0.0])),
    "event of none": lambda d, t: d.OneHotCategorical(t([0.5, 0.5])).log_prob(t(1.0)),
    "batch": lambda d, t: d.Normal(t([0.0, 1.0]), 1.0).log_prob(t([1.0, 2.0, 3.0])),
    "Independent": lambda d, t: d.Independent(d.Bernoulli(t([0.5, 0.5])), 1).log_prob(t([1.0, 2])),
    "no matrix": lambda d, t: d.MultivariateNormal(t([0.0, 1.0])),
    "two matrices": lambda d, t: d.MultivariateNormal(t([0.0]), t([[1.0]]), t([[1.0]])),
    "a number as loc": lambda d, t: d.MultivariateNormal(t(0.0), t([[1.0]])),
    "a vector as matrix": lambda d, t: d.MultivariateNormal(t([0.0]), t([1.0])),
    "a vector as root": lambda d, t: d.MultivariateNormal(t([0.0]), scale_tril=t([1.0])),
    "not symmetric": lambda d, t: d.MultivariateNormal(t([0.0, 1]), t([[1.0, 0.5], [0.0, 1.0]])),
    "not positive": lambda d, t: d.MultivariateNormal(t([0.0, 1]), t([[1.0, 2.0], [2.0, 1.0]])),
    "not lower": lambda d, t: d.MultivariateNormal(
        t([0.0, 1]), scale_tril=t([[1.0, 2.0], [0.0, 1.0]])
    ),
    "diagonal": lambda d, t: d.MultivariateNormal(t([0.0]), scale_tril=t([[-1.0]])),
    "no rsample": lambda d, t: d.Bernoulli(0.5).rsample(),
    "no cdf": lambda d, t: d.Categorical(t([0.5, 0.5])).cdf(t([0.5])),
    "no icdf": lambda d, t: d.Bernoulli(0.5).icdf(t([0.5])),
    "no support to list": lambda d, t: d.Normal(0.0, 1.0).enumerate_support(),
    "a product to list": lambda d, t: d.Independent(d.Bernoulli(t([0.5])), 1).enumerate_support(),
    "no formula": lambda d, t: d.kl_divergence(d.Uniform(0.0, 1.0), d.Bernoulli(0.5)),
    "Independent unlike": lambda d, t: d.kl_divergence(
        d.Independent(d.Normal(t([0.0]), 1.0), 1), d.Independent(d.Normal(t([0.0]), 1.0), 0)
    ),
    "vectors unlike": lambda d, t: d.kl_divergence(
        d.MultivariateNormal(t([0.0]), t([[1.0]])),
        d.MultivariateNormal(t([0.0, 1.0]), t([[1.0, 0.0], [0.0, 1.0]])),
    ),
    "no switch": lambda d, t: d.Distribution.set_default_validate_args(2),
    "sample_shape": lambda d, t: d.Normal(0.0, 1.0).sample(3),
}  # fmt: skip
# torch's sentence is another library's, empty, or about its own types.
OTHER_WORDS = {
    "no switch", "sample_shape", "Independent unlike", "vectors unlike", "shapes",
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(lambda f: ERRORS[name](f.distributions, f.tensor), name not in OTHER_WORDS)


def test_nothing_is_checked_when_it_is_not_wanted():
    def program(f):
        d, t = f.distributions, f.tensor
        p = d.Normal(0.0, -1.0, validate_args=False)
        outside = [
            d.Uniform(0.0, 1.0, validate_args=False).log_prob(t([-1.0, 0.0, 0.5, 1.0, 2.0])),
            d.Uniform(0.0, 2.0, validate_args=False).cdf(t([-1.0, 0.0, 0.5, 2.0, 3.0])),
            d.Bernoulli(0.3, validate_args=False).log_prob(t([0.5])),
            p.expand((2,)).variance,
        ]
        kept = d.Distribution._validate_args
        d.Distribution.set_default_validate_args(False)
        try:
            outside.append(d.Normal(0.0, -1.0).mean)
        finally:
            d.Distribution.set_default_validate_args(kept)
        return outside, kept

    agree(program)


def test_constraints():
    def program(f):
        c, t = f.distributions.constraints, f.tensor
        x = t([-1.0, 0.0, 0.5, 1.0, 2.0, math.nan])
        of_numbers = [
            c.real, c.boolean, c.positive, c.nonnegative, c.unit_interval, c.greater_than(0.5),
            c.greater_than_eq(0.5), c.less_than(0.5), c.interval(0.0, 1.0),
            c.half_open_interval(0.0, 1.0), c.integer_interval(0, 1), c.nonnegative_integer,
        ]  # fmt: skip
        vectors = t([[0.0, 1.0], [0.5, 0.5], [1.0, 1.0], [2.0, -1.0]])
        of_vectors = [c.real_vector, c.simplex, c.one_hot, c.independent(c.positive, 1)]
        squares = t([[[2.0, 0.0], [0.5, 1.0]], [[1.0, 0.5], [0.5, 1.0]], [[1.0, 3], [3, 1.0]]])
        of_matrices = [c.lower_cholesky, c.positive_definite]
        checked = [k.check(v) for ks, v in (
            (of_numbers, x), (of_vectors, vectors), (of_matrices, squares),
            (of_matrices, squares[1:]),
        ) for k in ks]  # fmt: skip
        all_ = [*of_numbers, *of_vectors, *of_matrices]
        facts = [(k.event_dim, k.is_discrete, repr(k), c.is_dependent(k)) for k in all_]
        return checked, facts, c.is_dependent(c.dependent), isinstance(c.real, c.Constraint)

    agree(program)
    same_error(lambda f: f.distributions.constraints.dependent.check(f.ones(1)))
    same_error(lambda f: f.distributions.constraints.real_vector.check(f.tensor(1.0)))
    with pytest.raises(NotImplementedError):
        mini.distributions.constraints.Constraint().check(mini.ones(1))


def test_a_class_of_ones_own():
    """expand wants to be told how to, where there is an __init__; a base class without checks."""

    def program(f):
        d = f.distributions

        class Shifted(d.Normal):
            def __init__(self, by):
                super().__init__(by + 1.0, 2.0)

        class Same(d.Normal):
            pass

        class Coin(d.Distribution):
            arg_constraints = {}  # noqa: RUF012
            support = d.constraints.boolean

            def sample(self, sample_shape=()):
                return f.ones(self._extended_shape(sample_shape))

        with pytest.raises(NotImplementedError) as refused:
            Shifted(f.zeros(2)).expand((3, 2))
        coin = Coin(f.Size((2,)))
        with pytest.raises(ValueError, match="support"):
            coin._validate_sample(f.ones(2) * 3)
        texts = sentence(refused.value).split(" of ")[0], type(Same(0, 1).expand((2,))).__name__
        return Shifted(f.zeros(2)).stddev, texts[1], coin.sample((3,)), coin.batch_shape, repr(coin)

    agree(program)
    for name in ("mean", "mode", "variance"):
        same_error(
            lambda f, n=name: getattr(f.distributions.Distribution(validate_args=False), n), False
        )
    for name in ("log_prob", "cdf", "icdf"):
        same_error(
            lambda f, n=name: getattr(f.distributions.Distribution(validate_args=False), n)(
                f.ones(1)
            ),
            False,
        )
    for name in ("entropy", "rsample", "sample", "enumerate_support"):
        same_error(
            lambda f, n=name: getattr(f.distributions.Distribution(validate_args=False), n)(), False
        )


# -- draws -----------------------------------------------------------------------------------------

DRAWN = {
    "Normal": (lambda d: d.Normal(1.0, 0.5), True),
    "LogNormal": (lambda d: d.LogNormal(0.3, 0.4), True),
    "Laplace": (lambda d: d.Laplace(-1.0, 0.7), True),
    "Exponential": (lambda d: d.Exponential(2.5), True),
    "Uniform": (lambda d: d.Uniform(-1.0, 2.0), True),
    "Bernoulli": (lambda d: d.Bernoulli(0.3), False),
    "OneHotCategorical": (lambda d: d.OneHotCategorical(mini.tensor([0.2, 0.5, 0.3])), False),
}


@pytest.mark.parametrize("name", DRAWN)
def test_draws_have_the_moments_and_the_quantiles(name):
    make, continuous = DRAWN[name]
    p = make(mini.distributions)
    mini.manual_seed(0)
    x = p.sample((40000,))
    error = p.stddev / 40000**0.5
    assert ((x.mean(0) - p.mean).abs() < 4 * error).all()
    assert ((x.var(0) - p.variance).abs() < 0.05 * p.variance).all()
    if continuous:
        for quantile in (0.05, 0.5, 0.9):
            below = (x < p.icdf(mini.tensor(quantile))).float().mean()
            assert float(below) == pytest.approx(quantile, abs=0.01)
    mini.manual_seed(0)
    assert mini.equal(p.sample((40000,)), x)


def test_draws_of_classes_have_their_frequencies():
    probs = mini.tensor([[0.1, 0.2, 0.7], [0.6, 0.4, 0.0]])
    mini.manual_seed(0)
    x = mini.distributions.Categorical(probs).sample((20000,))  # (20000, 2)
    found = mini.stack([(x == k).float().mean(0) for k in range(3)], -1)
    assert x.dtype == mini.int64
    assert mini.allclose(found, probs, atol=0.01)


def test_draws_of_vectors_have_their_covariance():
    covariance = mini.tensor([[2.0, 0.8], [0.8, 1.0]])
    p = mini.distributions.MultivariateNormal(mini.tensor([1.0, -1.0]), covariance)
    mini.manual_seed(0)
    x = p.sample((40000,))
    assert mini.allclose(x.mean(0), p.mean, atol=0.03)
    assert mini.allclose(x.T.cov(), covariance, atol=0.05)


def test_a_normal_draw_is_that_of_randn():
    mini.manual_seed(3)
    noise = mini.randn(4, 2)
    mini.manual_seed(3)
    assert mini.allclose(mini.distributions.Normal(mini.ones(2), 2.0).sample((4,)), 1 + 2 * noise)
    with pytest.warns(FutureWarning, match="sample_n"):
        assert mini.distributions.Normal(0.0, 1.0).sample_n(3).shape == (3,)


REPARAMETRISED = {
    "Normal": lambda d, a, b: d.Normal(a, b),
    "LogNormal": lambda d, a, b: d.LogNormal(a, b),
    "Laplace": lambda d, a, b: d.Laplace(a, b),
    "Uniform": lambda d, a, b: d.Uniform(a, a + b),
    "Exponential": lambda d, a, b: d.Exponential(a**2 + b),
    "MultivariateNormal": lambda d, a, b: d.MultivariateNormal(a, scale_tril=b.diag()),
    "Independent": lambda d, a, b: d.Independent(d.Normal(a, b), 1),
    "Gumbel": lambda d, a, b: d.Gumbel(a, b),
    "RelaxedBernoulli": lambda d, a, b: d.RelaxedBernoulli(b, logits=a),
    "RelaxedOneHotCategorical": lambda d, a, b: d.RelaxedOneHotCategorical(b[0], logits=a),
    "TransformedDistribution": lambda d, a, b: d.TransformedDistribution(
        d.Normal(a, b), [d.AffineTransform(b, a), d.TanhTransform()]
    ),
}


@pytest.mark.parametrize("name", REPARAMETRISED)
def test_gradients_flow_through_a_draw(name):
    """They are the differences of draws with the same noise."""

    def draw(a, b):
        mini.manual_seed(0)
        return REPARAMETRISED[name](mini.distributions, a, b).rsample((3,))

    inputs = leaves(mini, [(2,)], "float64")
    inputs.append(mini.tensor([0.7, 1.6], dtype=mini.float64, requires_grad=True))
    assert mini.autograd.gradcheck(draw, inputs)
    assert mini.autograd.gradgradcheck(draw, inputs)


def test_every_reparametrised_one_is_tried():
    public = [getattr(mini.distributions, n) for n in mini.distributions.__all__]
    with_rsample = [c.__name__ for c in public if getattr(c, "has_rsample", False)]
    assert set(with_rsample) == set(REPARAMETRISED) | {"Gamma", "Chi2", "Beta", "Dirichlet"}


# -- draws by rejection ----------------------------------------------------------------------------


def test_the_slope_of_a_gamma_draw_keeps_its_probability():
    """Against torch's incomplete gamma function: P(a + h, z + h dz/da) is P(a, z)."""
    for a in (0.02, 0.3, 1.0, 2.5, 9.0, 40.0, 300.0):
        a = mini.full((200,), a, dtype=mini.float64, requires_grad=True)
        mini.manual_seed(0)
        z = mini.distributions.Gamma(a, 1.0).rsample()
        (slope,) = mini.autograd.grad(z.sum(), a)
        h = 1e-5 * a.detach()
        kept = []
        for step in (h, -h):
            moved = z.detach() + step * slope
            alpha = torch.from_numpy((a.detach() + step).numpy())
            kept.append(torch.special.gammainc(alpha, torch.from_numpy(moved.numpy())))
        density = mini.distributions.Gamma(a, 1.0).log_prob(z).exp().detach().numpy()
        error = (kept[0] - kept[1]).numpy() / (2 * h.numpy()) / density
        near = z.detach().numpy() > 1e-12
        assert near.any()
        np.testing.assert_allclose((error / slope.numpy())[near], 0, atol=1e-6)


def test_a_gamma_draw_is_differentiated_once():
    a = mini.tensor([2.0], requires_grad=True)
    (slope,) = mini.autograd.grad(mini.distributions.Gamma(a, 1.0).rsample(), a, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.backward()


def moments(f):
    """(draws, mean, variance) of distributions whose draws can only be counted."""
    d, t = f.distributions, f.tensor
    return {
        "Gamma": d.Gamma(t([0.3, 2.0]), t([1.0, 3.0])), "Chi2": d.Chi2(t([3.0, 1.0])),
        "Beta": d.Beta(t([0.4, 2.0]), t([1.5, 3.0])), "Gumbel": d.Gumbel(t([0.4, -2.0]), 1.5),
        "Dirichlet": d.Dirichlet(t([0.4, 2.0, 1.0])), "Poisson": d.Poisson(t([0.3, 4.0])),
        "Geometric": d.Geometric(t([0.3, 0.9])),
        "MixtureSameFamily": d.MixtureSameFamily(
            d.Categorical(t([0.2, 0.8])), d.Normal(t([[0.0, 4.0], [1.0, 2.0]]), 1.0)
        ),
        "mixture of vectors": d.MixtureSameFamily(
            d.Categorical(t([0.2, 0.8])),
            d.Independent(d.Normal(t([[0.0, 4.0], [1.0, 2.0]]), 1.0), 1),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", moments(mini))
def test_the_moments_of_draws(name):
    p, n = moments(mini)[name], 40000
    mini.manual_seed(1)
    draws = p.sample((n,)).double()
    mean, variance = p.mean.double(), p.variance.double()
    assert p.log_prob(draws.to(p.mean.dtype)).isfinite().all()
    assert ((draws.mean(0) - mean).abs() < 5 * (variance / n).sqrt()).all()
    assert ((draws.var(0) / variance - 1).abs() < 0.12).all()


@pytest.mark.parametrize("name", ["Gamma", "Beta", "Dirichlet"])
def test_gradients_through_draws_are_those_of_the_moments(name):
    """E x^2 by many draws, differentiated, against its formula, differentiated."""
    make = getattr(mini.distributions, name)
    given = [[2.0, 0.7], [3.0, 1.3]]
    leaves = [mini.tensor(v, dtype=mini.float64, requires_grad=True) for v in given]
    leaves = leaves[:1] if name == "Dirichlet" else leaves
    p = make(*leaves)
    mini.manual_seed(0)
    by_draws = mini.autograd.grad((p.rsample((200000,)) ** 2).mean(0).sum(), leaves)
    exact = mini.autograd.grad((p.variance + p.mean**2).sum(), leaves)
    for ours, wanted in zip(by_draws, exact, strict=True):
        assert mini.allclose(ours, wanted, rtol=0.03, atol=0.005)


SAME_KIND = {
    "Gamma": lambda d, a, b: d.Gamma(a.exp(), b.exp()),
    "Beta": lambda d, a, b: d.Beta(a.exp(), b.exp()),
    "Dirichlet": lambda d, a, b: d.Dirichlet((a + b).exp()),
    "Poisson": lambda d, a, b: d.Poisson((a + b).exp()),
    "Geometric": lambda d, a, b: d.Geometric(logits=a + b),
    "Gumbel": lambda d, a, b: d.Gumbel(a, b.exp()),
}


@pytest.mark.parametrize("name", SAME_KIND)
def test_kl_divergence_within_a_kind(name):
    def program(f):
        a, b, c, e = leaves(f, [(2, 3), (3,), (3,), (2, 3)], "float64", 3)
        make = SAME_KIND[name]
        out = f.distributions.kl_divergence(
            make(f.distributions, a, b), make(f.distributions, c, e)
        )
        return out, *derivatives(f, [out], [a, b, c, e])

    agree(program, rtol=1e-8, atol=1e-8)


MORE_ERRORS = {
    "Gamma": lambda d, t: d.Gamma(t([1.0, -1.0]), 1.0),
    "Gamma of a value": lambda d, t: d.Gamma(t([1.0, 1.0]), 1.0).log_prob(t([1.0, -1.0])),
    "Dirichlet of numbers": lambda d, t: d.Dirichlet(t(1.0)),
    "Dirichlet of a value": lambda d, t: d.Dirichlet(t([1.0, 1.0])).log_prob(t([0.5, 0.6])),
    "Poisson": lambda d, t: d.Poisson(t([-1.0])),
    "half a count": lambda d, t: d.Poisson(t([1.0])).log_prob(t([0.5])),
    "Poisson's entropy": lambda d, t: d.Poisson(t([1.0])).entropy(),
    "Geometric of 0": lambda d, t: d.Geometric(t([0.0, 0.5])),
    "Geometric of both": lambda d, t: d.Geometric(0.5, 0.5),
    "Gumbel": lambda d, t: d.Gumbel(0.0, t([-1.0])),
    "no mixture": lambda d, t: d.MixtureSameFamily(3, d.Normal(0.0, 1.0)),
    "no component": lambda d, t: d.MixtureSameFamily(d.Categorical(t([0.5, 0.5])), 3),
    "counts": lambda d, t: d.MixtureSameFamily(
        d.Categorical(t([0.5, 0.5])), d.Normal(t([0.0, 1.0, 2.0]), 1.0)
    ),
    "batches": lambda d, t: d.MixtureSameFamily(
        d.Categorical(t([[0.5, 0.5]] * 3)), d.Normal(t([[0.0, 1.0]] * 2), 1.0)
    ),
}


@pytest.mark.parametrize("name", MORE_ERRORS)
def test_more_is_refused_as_in_torch(name):
    others = {"Poisson's entropy", "no mixture", "no component"}
    same_error(lambda f: MORE_ERRORS[name](f.distributions, f.tensor), name not in others)


# -- programs --------------------------------------------------------------------------------------

TORCH = """
import torch
from torch import nn
from torch.distributions import Bernoulli, Categorical, Independent, Normal, kl_divergence
from torch.distributions.normal import Normal as TheSame
"""
MINI = TORCH.replace("import torch\n", "import dlcourse.mini as torch\n", 1)
MINI = MINI.replace("from torch", "from dlcourse.mini")
VAE = """
class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
        self.decoder = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 6))

    def loss(self, x):
        loc, log_scale = self.encoder(x).chunk(2, dim=-1)
        posterior = Independent(Normal(loc, log_scale.exp()), 1)
        prior = Independent(Normal(torch.zeros_like(loc), torch.ones_like(loc)), 1)
        z = posterior.rsample()
        likelihood = Independent(Bernoulli(logits=self.decoder(z)), 1)
        sampled = posterior.log_prob(z) - prior.log_prob(z)
        exact = kl_divergence(posterior, prior)
        return (exact - likelihood.log_prob(x) + 0.1 * sampled).mean()

model, x = start(VAE().double()), (numbers(16, 6) > 0).double()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
losses = []
for step in range(8):
    optimizer.zero_grad()
    loss = model.loss(x)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
assert TheSame is Normal
"""
REINFORCE = """
policy = start(nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 4)).double())
value = start(nn.Linear(3, 1).double())
optimizer = torch.optim.SGD([*policy.parameters(), *value.parameters()], lr=0.1)
states, rewards = numbers(10, 3), numbers(10, times=0.4)
losses = []
for step in range(8):
    dist = Categorical(logits=policy(states))
    actions = (torch.arange(10) * (step + 1)) % 4
    assert dist.sample().shape == actions.shape
    advantage = rewards - value(states).squeeze(-1)
    old = Categorical(probs=torch.full((10, 4), 0.25).double())
    ratio = (dist.log_prob(actions) - old.log_prob(actions)).exp()
    loss = -torch.min(ratio * advantage.detach(), ratio.clamp(0.8, 1.2) * advantage.detach())
    loss = loss.mean() + advantage.pow(2).mean() - 0.01 * dist.entropy().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
"""


def fixed_noise(shape, dtype=None, device=None):
    n = math.prod(shape)
    return torch.sin(torch.arange(n, dtype=torch.float64) * 2.1).reshape(tuple(shape))


@pytest.mark.parametrize("program", [VAE, REINFORCE], ids=["vae", "reinforce"])
def test_program_gives_torchs_losses(program, monkeypatch):
    ours = lambda *args, **kwargs: mini.from_numpy(fixed_noise(*args).numpy())  # noqa: E731
    monkeypatch.setattr(mini.distributions.normal, "randn", ours)
    monkeypatch.setattr(torch.distributions.normal, "_standard_normal", fixed_noise)
    found = []
    for imports in (MINI, TORCH):
        space = {}
        exec(imports + START + program, space)
        found.append(space["losses"])
    assert found[0] == pytest.approx(found[1], rel=1e-9)
    assert len(set(found[0])) == 8


def test_the_names_are_those_of_torch():
    assert not set(mini.distributions.__all__) - set(dir(torch.distributions))
    with pytest.raises(AttributeError, match="no attribute 'distribution'"):
        _ = mini.distribution


# -- transforms ------------------------------------------------------------------------------------

TRANSFORMS = {
    "exp": lambda d, t: d.ExpTransform(),
    "sigmoid": lambda d, t: d.SigmoidTransform(cache_size=1),
    "softplus": lambda d, t: d.SoftplusTransform(),
    "tanh": lambda d, t: d.TanhTransform(cache_size=1),
    "affine": lambda d, t: d.AffineTransform(1.0, -2.5),
    "affine of tensors": lambda d, t: d.AffineTransform(t([1.0, 2.0]), t([[-2.0, 3.0]])),
    "affine of vectors": lambda d, t: d.AffineTransform(0.5, t([2.0, 3.0]), event_dim=1),
    "composed": lambda d, t: d.ComposeTransform(
        [d.AffineTransform(0.5, 0.2, 1), d.TanhTransform(), d.AffineTransform(2.0, 0.7)]
    ),
    "composed, with a cache": lambda d, t: d.ComposeTransform(
        [d.ExpTransform(), d.AffineTransform(1.0, t(3.0))], cache_size=1
    ),
    "identity": lambda d, t: d.identity_transform,
    "inverse": lambda d, t: d.ExpTransform().inv,
    "inverse of composed": lambda d, t: (
        d.ComposeTransform([d.ExpTransform().inv, d.SigmoidTransform()]).inv
    ),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transform(name):
    def program(f):
        t = TRANSFORMS[name](f.distributions, f.tensor)
        x = f.tensor([[0.3, 0.7], [0.2, 0.9]], requires_grad=True)
        y = t(x)
        back, again = t.inv(y), t.inv(y.detach().clone())
        slope = t.log_abs_det_jacobian(x, y)
        shapes = t.forward_shape(f.Size((5, 1))), t.inverse_shape(f.Size((5, 2)))
        facts = [t.bijective, t.sign, t.domain.event_dim, t.codomain.event_dim, back is x]
        facts += [t == t.with_cache(), t == f, t(x) is t(x)]
        texts = repr(t), repr(t.domain), repr(t.codomain), repr(t.inv)
        out = [y, back, again, slope, t.inv.log_abs_det_jacobian(y, x)]
        return out, derivatives(f, [y, slope], [x]), [list(s) for s in shapes], facts, texts

    agree(program, rtol=1e-5, atol=1e-5)


def test_the_tanh_of_large_numbers_is_undone_with_a_cache():
    def program(f):
        d, out = f.distributions, []
        for size in (0, 1):
            p = d.TransformedDistribution(
                d.Normal(f.tensor([20.0]), 0.001, validate_args=False),
                d.TanhTransform(size), validate_args=False,
            )  # fmt: skip
            out.append(p.log_prob(p.rsample()).isfinite())
        return out

    agree(program)
    assert program(mini)[1].all()


def test_a_transform_of_ones_own():
    """As soft actor-critic defines it."""

    def program(f):
        d = f.distributions

        class Squash(d.transforms.Transform):
            domain = d.constraints.real
            codomain = d.constraints.interval(-1.0, 1.0)
            bijective = True
            sign = +1

            def __init__(self, cache_size=1):
                super().__init__(cache_size=cache_size)

            def __eq__(self, other):
                return isinstance(other, Squash)

            def _call(self, x):
                return x.tanh()

            def _inverse(self, y):
                return 0.5 * (y.log1p() - (-y).log1p())

            def log_abs_det_jacobian(self, x, y):
                return 2.0 * (math.log(2.0) - x - f.nn.functional.softplus(-2.0 * x))

        mean = f.tensor([[0.1, -0.4]], dtype=f.float64, requires_grad=True)
        p = d.transformed_distribution.TransformedDistribution(d.Normal(mean, 0.5), [Squash()])
        action = f.tensor([[0.3, -0.2], [0.9, 0.1]], dtype=f.float64)
        log_prob = p.log_prob(action).sum(-1, keepdim=True)
        draw = p.rsample()
        assert f.allclose(p.log_prob(draw), p.log_prob(draw.clone()))
        mu = p.base_dist.mean
        for tr in p.transforms:
            mu = tr(mu)
        return log_prob, f.autograd.grad(log_prob.sum(), mean), mu, draw.requires_grad, p.support

    ours, theirs = program(mini), program(torch)
    assert_matches(ours[:4], theirs[:4])
    assert repr(ours[4]) == repr(theirs[4])


def test_edges():
    def program(f):
        d, t = f.distributions, f.tensor
        falling = d.TransformedDistribution(d.Normal(0.0, 1.0), d.AffineTransform(1.0, -2.0))
        vectors = d.TransformedDistribution(
            d.Normal(t([0.0, 1.0]), 1.0), d.AffineTransform(1.0, 2.0, event_dim=1)
        )
        return [
            falling.cdf(t([0.3])), falling.icdf(t([0.3])), vectors.base_dist.event_shape,
            d.Geometric(t([1.0, 0.5])).log_prob(t([0.0])), d.Geometric(t([1.0])).sample(),
            d.Dirichlet(t([[0.5, 0.4, 0.9], [3.0, 0.5, 2.0]])).mode, d.Beta(0.3, 0.6).mode,
        ]  # fmt: skip

    agree(program)


def test_a_scale_shared_by_an_event_counts_for_each_number_of_it():
    """torch counts it once, so that the density does not integrate to 1."""
    t = mini.tensor
    shared = mini.distributions.AffineTransform(t([0.0, 1.0]), t([2.0]), event_dim=1)
    full = mini.distributions.AffineTransform(t([0.0, 1.0]), t([2.0, 2.0]), event_dim=1)
    x = mini.ones(3, 2)
    assert_matches(shared.log_abs_det_jacobian(x, x), full.log_abs_det_jacobian(x, x))


TRANSFORM_ERRORS = {
    "cache_size": lambda d, t: d.ExpTransform(cache_size=2),
    "no transform": lambda d, t: d.TransformedDistribution(d.Normal(0.0, 1.0), [3]),
    "no list": lambda d, t: d.TransformedDistribution(d.Normal(0.0, 1.0), 3),
    "too small": lambda d, t: d.TransformedDistribution(
        d.Normal(0.0, 1.0), d.AffineTransform(0.0, 1.0, event_dim=1)
    ),
    "outside": lambda d, t: d.TransformedDistribution(
        d.Normal(0.0, 1.0), d.TanhTransform()
    ).log_prob(t([2.0])),
    "no entropy": lambda d, t: d.TransformedDistribution(
        d.Normal(0.0, 1.0), d.TanhTransform()
    ).entropy(),
    "nothing defined": lambda d, t: d.Transform()(t([1.0])),
}


@pytest.mark.parametrize("name", TRANSFORM_ERRORS)
def test_transforms_are_refused_as_in_torch(name):
    same_error(lambda f: TRANSFORM_ERRORS[name](f.distributions, f.tensor), name != "outside")


CACHED = {
    "of the way back": lambda f: f.distributions.TanhTransform().inv,
    "of two": lambda f: f.distributions.ComposeTransform(
        [f.distributions.ExpTransform().inv, f.distributions.AffineTransform(0.0, -2.0)]
    ),
}


@pytest.mark.parametrize("name", CACHED)
def test_a_cache_keeps_the_parts_too(name):
    def program(f):
        transform, x = CACHED[name](f).with_cache(), f.tensor([0.1, 0.3])
        y = transform(x)
        return transform.inv(y) is x, y, transform.with_cache(0)(x)

    agree(program)
