"""mini.linalg against torch.linalg: values, gradients, second gradients, errors."""

import re
from pathlib import Path

from dlcourse import mini
from dlcourse.testing import assert_matches

import numpy as np
import pytest
import torch
from both import same_error, sentence
from test_ops import derivatives, flat


def positive(f, a):
    return a @ a.mT + f.eye(a.shape[-2], dtype=a.dtype)


INF = float("inf")
S, BATCH, TALL, WIDE = ((3, 3),), ((2, 3, 3),), ((4, 2),), ((2, 4),)
# name: (shapes, function).  What has a free sign is squared or multiplied back together.
CASES = {
    "inv": (S, lambda f, a: f.linalg.inv(a)),
    "inv of a batch": (BATCH, lambda f, a: (f.inverse(a), a.inverse())),
    "solve": ((*S, (3, 2)), lambda f, a, b: f.linalg.solve(a, b)),
    "solve a vector": ((*S, (3,)), lambda f, a, b: f.linalg.solve(a, b)),
    "solve vectors": ((*BATCH, (2, 3)), lambda f, a, b: f.linalg.solve(a, b)),
    "solve batches": ((*BATCH, (3, 2)), lambda f, a, b: f.linalg.solve(a, b)),
    "solve from the right": ((*S, (2, 3)), lambda f, a, b: f.linalg.solve(a, b, left=False)),
    "det": (S, lambda f, a: (f.linalg.det(a), f.det(a), a.det())),
    "det of a batch": (BATCH, lambda f, a: f.linalg.det(a)),
    "slogdet": (BATCH, lambda f, a: f.linalg.slogdet(a).logabsdet),
    "sign": (BATCH, lambda f, a: (f.slogdet(a.detach()).sign, a.detach().slogdet()[0])),
    "logdet": (BATCH, lambda f, a: f.logdet(positive(f, a))),
    "cholesky": (BATCH, lambda f, a: f.linalg.cholesky(positive(f, a))),
    "cholesky upper": (S, lambda f, a: f.linalg.cholesky(positive(f, a), upper=True)),
    "cholesky as a method": (S, lambda f, a: [
        x for b in (positive(f, a),) for x in (b.cholesky(), f.cholesky(b), b.cholesky(upper=True))
    ]),
    "cholesky_solve": (((3, 2), *S), lambda f, b, a: (
        f.cholesky_solve(b, f.linalg.cholesky(positive(f, a))),
        f.cholesky_solve(b, f.linalg.cholesky(positive(f, a)).mT, upper=True),
    )),
    "cholesky_inverse": (S, lambda f, a: [
        x for root in (f.linalg.cholesky(positive(f, a)),)
        for x in (f.cholesky_inverse(root), f.cholesky_inverse(root.mT, upper=True))
    ]),
    "solve_triangular": (
        (*S, (3, 2)),
        lambda f, a, b: [
            f.linalg.solve_triangular(a, b, upper=u, unitriangular=n)
            for u in (True, False) for n in (True, False)
        ],
    ),
    "qr": (S, lambda f, a: tuple(f.linalg.qr(a))),
    "qr of a tall one": (
        TALL, lambda f, a: (f.linalg.qr(a).Q, f.linalg.qr(a).R, *f.qr(a), *a.qr())
    ),
    "qr of a wide one": (WIDE, lambda f, a: tuple(f.linalg.qr(a))),
    "lu": (S, lambda f, a: tuple(f.linalg.lu(a))),
    "lu of a batch": (BATCH, lambda f, a: f.linalg.lu(a).L + f.linalg.lu(a).U),
    "matrix_exp": (BATCH, lambda f, a: f.linalg.matrix_exp(a)),
    "svd": (BATCH, lambda f, a: [
        x for u, s, vh in (f.linalg.svd(a),) for x in (u**2, s, vh**2, (u * s[:, None]) @ vh)
    ]),
    "svd reduced": (TALL, lambda f, a: [
        x for u, s, vh in (f.linalg.svd(a, full_matrices=False),) for x in (u**2, s, vh**2)
    ]),
    "svd of a wide one": (WIDE, lambda f, a: [
        x for u, s, v in (f.svd(a),) for x in (u**2, s, v**2, a.svd().S)
    ]),
    "svdvals": (BATCH, lambda f, a: f.linalg.svdvals(a)),
    "eigh": (BATCH, lambda f, a: [
        x for w, v in (f.linalg.eigh(positive(f, a)),) for x in (w, v**2)
    ]),
    "eigvalsh": (S, lambda f, a: f.linalg.eigvalsh(positive(f, a), UPLO="U")),
    "pinv": (BATCH, lambda f, a: f.linalg.pinv(a)),
    "pinv of a tall one": (TALL, lambda f, a: (f.linalg.pinv(a), f.pinverse(a), a.pinverse())),
    "pinv of a wide one": (WIDE, lambda f, a: f.linalg.pinv(a)),
    "lstsq": ((*TALL, (4, 3)), lambda f, a, b: f.linalg.lstsq(a, b).solution),
    "norm": (BATCH, lambda f, a: (f.linalg.norm(a), f.linalg.norm(a, dim=1, keepdim=True))),
    "norm of a matrix": (S, lambda f, a: [
        f.linalg.norm(a, p) for p in ("fro", "nuc", 1, -1, 2, -2, INF, -INF)
    ]),
    "vector_norm": (BATCH, lambda f, a: [
        f.linalg.vector_norm(a, p, dim=(0, 2)) for p in (1, 2, 3, 0.5, INF, -INF, 2.5)
    ]),
    "count": (S, lambda f, a: f.linalg.vector_norm(a * (a > 0), 0, dim=0, keepdim=True) + 0 * a),
    "matrix_norm": (BATCH, lambda f, a: [
        f.linalg.matrix_norm(a, p, dim=(0, 1), keepdim=True) for p in ("fro", 1, INF, 2)
    ]),
    "cond": (S, lambda f, a: [
        f.linalg.cond(a), f.linalg.cond(a, -2), *(f.linalg.cond(a.detach(), p) for p in (1, "fro"))
    ]),
    "matrix_power": (S, lambda f, a: (f.linalg.matrix_power(a, -2), f.linalg.matrix_power(a, 5))),
    "multi_dot": (((2, 3), (3, 4), (4,)), lambda f, *m: f.linalg.multi_dot(m)),
    "cross": (((2, 3), (2, 3)), lambda f, a, b: f.linalg.cross(a, b)),
    "vecdot": (((2, 3), (3,)), lambda f, a, b: f.linalg.vecdot(a, b)),
    "diagonal": (BATCH, lambda f, a: f.linalg.diagonal(a, offset=1)),
    "matmul": (((2, 3), (3, 4)), lambda f, a, b: f.linalg.matmul(a, b)),
    "vander": (((3,),), lambda f, a: f.linalg.vander(a.detach(), N=4)),
    "matrix_rank": (BATCH, lambda f, a: f.linalg.matrix_rank(a.detach())),
    "what lstsq knows": ((*TALL, (4, 3)), lambda f, a, b: [
        x for found in (f.linalg.lstsq(a.detach(), b.detach()),)
        for x in (found.residuals, found.rank, found.singular_values)
    ]),
    "qr complete": (TALL, lambda f, a: [q @ r for q, r in (f.linalg.qr(a.detach(), "complete"),)]),
    "r alone": (TALL, lambda f, a: f.linalg.qr(a.detach(), mode="r").R),
}  # fmt: skip


def run(f, shapes, function, dtype):
    rng = np.random.default_rng(0)
    leaves = [f.from_numpy(rng.uniform(-2, 2, s).astype(dtype)).requires_grad_() for s in shapes]
    outs = flat(function(f, *leaves))
    return outs, *derivatives(f, outs, leaves)


@pytest.mark.filterwarnings("ignore:.*is deprecated")
@pytest.mark.parametrize("name", CASES)
def test_matches_torch(name):
    ours, theirs = (run(f, *CASES[name], "float64") for f in (mini, torch))
    for a, b in zip(ours, theirs, strict=True):
        assert_matches(a, b, rtol=1e-8, atol=1e-8)
    ours, theirs = (flat(run(f, *CASES[name], "float32")[0]) for f in (mini, torch))
    assert_matches(ours, theirs, rtol=1e-3, atol=1e-4)


def ones(f, *shape):
    return f.ones(shape, dtype=f.float64)


ERRORS = {
    "not square": lambda f: f.linalg.inv(ones(f, 2, 3)),
    "a vector": lambda f: f.linalg.inv(ones(f, 2)),
    "integers": lambda f: f.linalg.inv(f.ones(2, 2, dtype=f.int64)),
    "a norm of what has three dimensions": lambda f: f.linalg.norm(ones(f, 2, 2, 2), 1),
    "an unknown mode": lambda f: f.linalg.qr(ones(f, 2, 2), "all"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(ERRORS[name], same_sentence=name not in ("integers", "an unknown mode"))


UNSOLVABLE = {
    "inverse": lambda f: f.linalg.inv(ones(f, 3, 3)),
    "inverse in a batch": lambda f: f.linalg.inv(ones(f, 2, 3, 3)),
    "solution": lambda f: f.linalg.solve(ones(f, 2, 2), ones(f, 2)),
    "factor": lambda f: f.linalg.cholesky(-f.eye(3, dtype=f.float64)),
}


@pytest.mark.parametrize("name", UNSOLVABLE)
def test_a_matrix_without(name):
    sentences = []
    for f in (mini, torch):
        with pytest.raises(f.linalg.LinAlgError) as caught:
            UNSOLVABLE[name](f)
        assert isinstance(caught.value, RuntimeError)
        sentences.append(sentence(caught.value))
    assert sentences[0] == sentences[1]


def test_gradients_where_the_formula_divides_by_zero():
    def program(f):
        out = []
        for function, values in (
            (f.linalg.vector_norm, [0.0, 0.0]),
            (lambda x: f.linalg.svdvals(x).sum(), [[2.0, 0.0], [0.0, 2.0]]),
        ):
            x = f.tensor(values, dtype=f.float64, requires_grad=True)
            function(x).backward()
            out.append(x.grad)
        return out

    assert_matches(program(mini), program(torch), rtol=1e-7, atol=1e-7)


def test_every_function_of_the_module_is_called():
    source = Path(__file__).read_text()
    called = set(re.findall(r"linalg\.(\w+)", source))
    assert sorted(set(mini.linalg.__all__) - called) == []


def test_gradient_of_a_determinant_that_is_zero():
    """The cofactors need no inverse; torch 2.13 gives zeros here, the differences say otherwise."""
    x = mini.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=mini.float64, requires_grad=True)
    x.det().backward()
    assert x.grad.tolist() == [[4.0, -2.0], [-2.0, 1.0]]
    assert mini.autograd.gradgradcheck(mini.det, x)


def test_the_logarithm_of_a_determinant_that_is_0_or_negative():
    matrices = [[[2.0, 0.0], [0.0, 3.0]], [[0.0, 0.0], [0.0, 3.0]], [[0.0, 1.0], [1.0, 0.0]]]
    ours, theirs = (f.logdet(f.tensor(matrices)) for f in (mini, torch))
    assert_matches(ours, theirs)
    assert ours[1].item() == -INF
