"""Types, devices, and random numbers beyond the first: under mini as under torch."""

import copy
import math
import pickle

from dlcourse import mini

import numpy as np
import pytest
import torch
from both import agree, same_error

NAMES = ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"]


def x(f):
    return f.tensor([[1.5, -2.0], [4.0, 5.5]])


def short_name(dtype):
    return str(dtype).split(".")[1]


QUESTIONS = {
    "half": lambda f: x(f).half(),
    "short": lambda f: x(f).short(),
    "char": lambda f: x(f).char(),
    "byte": lambda f: x(f).abs().byte(),
    "type": lambda f: (
        x(f).type(), x(f).long().type(), x(f).bool().type(), x(f).type(f.float64),
        x(f).type("torch.IntTensor"),
    ),
    "to": lambda f: (
        x(f).to(f.float64, non_blocking=True), x(f).to("cpu", copy=True), x(f).to(f.device("cpu")),
        [y.to(f.float32, copy=True) is y for y in [x(f)]],
    ),
    "element_size": lambda f: (x(f).element_size(), x(f).half().element_size()),
    "is_complex": lambda f: (x(f).is_complex(), f.is_complex(x(f))),
    "is_signed": lambda f: (x(f).is_signed(), x(f).abs().byte().is_signed(), f.is_signed(x(f))),
    "is_nonzero": lambda f: (f.is_nonzero(f.tensor([0])), f.tensor(1.5).is_nonzero()),
    "is_same_size": lambda f: (f.is_same_size(x(f), x(f)), x(f).is_same_size(f.ones(2))),
    "is_floating_point": lambda f: (f.is_floating_point(x(f)), f.is_floating_point(x(f).int())),
    "numel": lambda f: (f.numel(x(f)), x(f).nelement(), x(f).ndimension()),
    "nelement": lambda f: x(f).nelement(),
    "ndimension": lambda f: x(f).ndimension(),
    "get_device": lambda f: x(f).get_device(),
    "is_cuda": lambda f: x(f).is_cuda,
    "data_ptr": lambda f: [y.data_ptr() == y.reshape(-1).data_ptr() for y in [x(f)]],
    "fill_diagonal_": lambda f: (x(f).fill_diagonal_(7.0), f.zeros(3, 2).fill_diagonal_(1)),
    "new_empty": lambda f: (x(f).new_empty(2, 3).shape, str(x(f).int().new_empty((2,)).dtype)[-5:]),
    "empty_like": lambda f: (f.empty_like(x(f)).shape, f.empty_like(x(f), dtype=f.int64).sum() * 0),
    "device": lambda f: (
        repr(f.device("cpu")), str(f.device("cuda:1")), repr(f.device("cuda", 0)),
        f.device("cpu").type, f.device("cuda:1").index, f.device("cpu") == x(f).device,
        f.device("cuda") == f.device("cpu"), f.ones(2, device=f.device("cpu")),
        len({f.device("cpu"), f.device("cpu")}),
        repr(copy.deepcopy(f.device("cuda:1"))), str(pickle.loads(pickle.dumps(f.device("cpu")))),
    ),
    "cuda": lambda f: (
        f.cuda.is_available(), f.cuda.device_count(), f.cuda.manual_seed(0),
        f.cuda.manual_seed_all(0), f.cuda.empty_cache(),
    ),
    "backends": lambda f: (f.backends.mps.is_available(), f.backends.cudnn.deterministic),
    "numbers": lambda f: (f.pi, f.e, f.inf, math.isnan(f.nan)),
    "finfo": lambda f: [
        (i.bits, i.eps, i.max, i.min, i.tiny, i.resolution, i.dtype, repr(i))
        for i in [f.finfo(d) for d in (f.float64, f.float32, f.float16)] + [f.finfo()]
    ],
    "iinfo": lambda f: [
        (i.bits, i.max, i.min, i.dtype, repr(i))
        for i in [f.iinfo(d) for d in (f.int64, f.int32, f.int16, f.int8, f.uint8)]
    ],
    "promote_types": lambda f: [
        short_name(f.promote_types(getattr(f, a), getattr(f, b))) for a in NAMES for b in NAMES
    ],
    "can_cast": lambda f: [
        f.can_cast(getattr(f, a), getattr(f, b)) for a in NAMES for b in NAMES
    ],
    "result_type": lambda f: [
        short_name(f.result_type(a, b)) for a, b in (
            (x(f), 1), (x(f), 2.5), (x(f).long(), 2.5), (x(f).int(), x(f).double()), (1, 2.5),
            (True, 1), (f.tensor(1.0, dtype=f.float64), x(f)), (x(f).bool(), 3),
        )
    ],
    "special": lambda f: [
        *[getattr(f.special, n)(f.tensor([0.3, 0.6])) for n in (
            "expit", "gammaln", "psi", "digamma", "erf", "erfc", "erfinv", "exp2", "expm1",
            "log1p", "logit", "sinc",
        )],
        f.special.xlogy(x(f), x(f).abs()), f.special.softmax(x(f), 1),
        f.special.log_softmax(x(f), 1), f.special.logsumexp(x(f), 1),
        f.special.polygamma(1, x(f).abs()),
    ],
    "asarray": lambda f: [
        [f.asarray(a, copy=c).data_ptr() == a.ctypes.data for c in (None, True, False)]
        for a in [np.arange(3.0)]
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONS)
def test_answers_as_torch(name):
    agree(QUESTIONS[name])


REFUSED = {
    "no such device": lambda f: f.device("gpu"),
    "cuda": lambda f: x(f).cuda(),
    "finfo of integers": lambda f: f.finfo(f.int64),
    "iinfo of floats": lambda f: f.iinfo(f.float32),
    "multinomial of nothing": lambda f: f.multinomial(f.zeros(3), 1),
    "multinomial of too many": lambda f: f.multinomial(f.ones(3), 4),
    "multinomial of negative weights": lambda f: f.multinomial(f.tensor([-1.0, 2.0]), 1),
    "bernoulli of 2": lambda f: f.bernoulli(f.tensor([2.0])),
    "exponential_ of 0": lambda f: f.ones(2).exponential_(0.0),
    "random_ of nothing": lambda f: f.ones(2).random_(3, 3),
}
OTHER_WORDS = {
    "no such device",
    "exponential_ of 0",
    "iinfo of floats",
    "finfo of integers",
    "bernoulli of 2",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_as_in_torch(name):
    same_error(REFUSED[name], same_sentence=name not in OTHER_WORDS)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("float32", "bool")])
def test_a_convolution_names_the_types_that_do_not_fit(name, bias):
    def program(f):
        image = f.zeros(1, 1, 5, 5, dtype=getattr(f, name))
        return f.nn.Conv2d(1, 1, 3, bias=bias)(image)

    # Where the processor reckons with half precision, torch asks for a tensor of oneDNN instead.
    other = name == "float16" and not bias and torch.ops.mkldnn._is_mkldnn_fp16_supported()
    same_error(program, same_sentence=not other)


def test_an_array_of_objects_is_refused_in_the_same_words():
    for lib in (mini, torch):
        with pytest.raises(TypeError, match=r"can't convert np.ndarray of type numpy\.object_\. "):
            lib.tensor(np.array([1, "two"], dtype=object))


def test_no_tensor_goes_to_another_device():
    for device in ("cuda", mini.device("cuda:0"), "mps"):
        with pytest.raises(RuntimeError, match="CPU alone"):
            mini.ones(2, device=device)


# -- random numbers --------------------------------------------------------------------------------

WEIGHTS = [[1.0, 0.0, 3.0], [2.0, 2.0, 0.0]]
DRAWS = {
    "rand_like": lambda f, g: f.rand_like(f.ones(4, 2), generator=g),
    "randn_like": lambda f, g: f.randn_like(f.ones(4, 2), generator=g),
    "randint_like": lambda f, g: f.randint_like(f.ones(20, 2), 3, 30, generator=g),
    "normal": lambda f, g: f.normal(f.zeros(4, 2), 2.0, generator=g),
    "normal of numbers": lambda f, g: f.normal(1.0, 2.0, (3, 2), generator=g),
    "bernoulli": lambda f, g: f.bernoulli(f.full((40,), 0.5), generator=g),
    "bernoulli_": lambda f, g: f.zeros(40).bernoulli_(0.3, generator=g),
    "exponential_": lambda f, g: f.zeros(4).exponential_(2.0, generator=g),
    "random_": lambda f, g: f.zeros(20).random_(5, 50, generator=g),
    "random_ to": lambda f, g: f.zeros(20, dtype=f.int64).random_(50, generator=g),
    "random_ of all": lambda f, g: f.zeros(20).random_(generator=g),
    "log_normal_": lambda f, g: f.zeros(4).log_normal_(generator=g),
    "geometric_": lambda f, g: f.zeros(40).geometric_(0.1, generator=g),
    "poisson": lambda f, g: f.poisson(f.full((30,), 9.0), generator=g),
    "multinomial": lambda f, g: f.multinomial(f.ones(2, 30), 9, generator=g),
    "multinomial again": lambda f, g: f.multinomial(f.ones(30), 40, True, generator=g),
    "rand of a size": lambda f, g: f.rand(size=(2, 3), generator=g),
    "randint by name": lambda f, g: f.randint(high=90, size=(9,), generator=g),
    "randint and a size": lambda f, g: f.randint(90, size=(9,), generator=g),
    "randperm": lambda f, g: f.randperm(30, generator=g, dtype=f.int32),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_seed_repeats_the_draw_of_torchs_shape_and_type(name):
    first = DRAWS[name](mini, mini.Generator().manual_seed(7))
    assert mini.equal(first, DRAWS[name](mini, mini.Generator().manual_seed(7)))
    assert not mini.equal(first, DRAWS[name](mini, mini.Generator().manual_seed(8)))
    theirs = DRAWS[name](torch, torch.Generator().manual_seed(7))
    assert tuple(first.shape) == tuple(theirs.shape)
    assert short_name(first.dtype) == short_name(theirs.dtype)


def moments(sample):
    sample = sample.double()
    return sample.mean().item(), sample.std().item()


def test_samples_have_the_moments_of_their_distributions():
    g, n = mini.Generator().manual_seed(0), 40_000
    zeros = mini.zeros(n)
    for sample, mean, std in (
        (mini.normal(mini.full((n,), 3.0), 2.0, generator=g), 3, 2),
        (mini.bernoulli(mini.full((n,), 0.3), generator=g), 0.3, 0.458),
        (zeros.clone().exponential_(2.0, generator=g), 0.5, 0.5),
        (zeros.clone().random_(0, 5, generator=g), 2, 2**0.5),
        (zeros.clone().geometric_(0.5, generator=g), 2, 2**0.5),
        (mini.poisson(mini.full((n,), 4.0), generator=g), 4, 2),
    ):
        assert moments(sample) == pytest.approx((mean, std), rel=0.03)


@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial_draws_by_weight(replacement):
    weights = mini.tensor(WEIGHTS)
    counts = np.zeros((2, 3))
    g = mini.Generator().manual_seed(0)
    for _ in range(4000):
        for i, row in enumerate(mini.multinomial(weights, 1, replacement, generator=g).tolist()):
            counts[i, row[0]] += 1
    assert counts / 4000 == pytest.approx(np.array([[0.25, 0, 0.75], [0.5, 0.5, 0]]), abs=0.03)


def test_multinomial_without_replacement_repeats_nothing():
    out = mini.multinomial(mini.ones(5, 9), 9, generator=mini.Generator().manual_seed(0))
    assert [sorted(row) for row in out.tolist()] == [list(range(9))] * 5


def test_the_default_generator_can_be_kept_and_set_back():
    state = mini.get_rng_state()
    first = mini.rand(3)
    mini.set_rng_state(state)
    assert mini.equal(first, mini.rand(3))
    assert mini.seed() == mini.initial_seed()
    mini.manual_seed(0)


def test_the_names_that_errors_give_to_types():
    for name in [
        "bool",
        "uint8",
        "int8",
        "int16",
        "int32",
        "int64",
        "float16",
        "float32",
        "float64",
    ]:
        kind = torch.zeros(1, dtype=getattr(torch, name)).type()  # "torch.LongTensor"
        assert f"torch.{getattr(mini, name).scalar_type}Tensor" == kind
