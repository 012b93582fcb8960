"""Which types of numbers an operation takes, and of which type its result is: as in torch."""

import itertools
import warnings

from dlcourse import mini
from dlcourse.testing import assert_matches

import pytest
import torch
from both import agree, same_error, sentence

TYPES = ("bool", "uint8", "int64", "float32", "float64")
NUMBERS = {"True": True, "2": 2, "1.5": 1.5}
PAIRS = [*itertools.product(TYPES, repeat=2)]
WITH_NUMBERS = [p for a in TYPES for n in NUMBERS for p in ((a, n), (n, a))]
GRID = [[1, 2, 3], [3, 1, 2]]


def value(f, kind, data=GRID):
    """A tensor of that type, or the number of that name."""
    if kind in NUMBERS:
        return NUMBERS[kind]
    data = [[n > 1 for n in row] for row in data] if kind == "bool" else data
    return f.tensor(data, dtype=getattr(f, kind))


def outcome(f, program):
    """What a program returns, or the error that it raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return program(f)
        except Exception as error:
            return error


def same_outcome(program, where, same_sentence=True):
    ours, theirs = outcome(mini, program), outcome(torch, program)
    if isinstance(ours, Exception) or isinstance(theirs, Exception):
        assert type(ours).__name__ == type(theirs).__name__, (where, ours, theirs)
        assert not same_sentence or sentence(ours) == sentence(theirs), where
    else:
        assert_matches(ours, theirs)


def test_there_is_no_subtraction_with_booleans():
    def masks(f, alpha):
        return [
            lambda x, y: x - y, lambda x, y: f.sub(x, y, alpha=alpha), lambda x, y: y - x,
            lambda x, y: f.rsub(y, x, alpha=alpha) if isinstance(y, f.Tensor) else x - y,
        ]  # fmt: skip

    kinds = [p for p in PAIRS + WITH_NUMBERS if "bool" in p or "True" in p]
    for a, b in kinds:
        for way, alpha in itertools.product(range(4), (1, 2)):
            same_error(
                lambda f, a=a, b=b, way=way, alpha=alpha: masks(f, alpha)[way](
                    value(f, a), value(f, b)
                )
            )


def test_nothing_is_subtracted_from_booleans_in_place():
    for a, b in PAIRS + [(a, n) for a in TYPES for n in NUMBERS]:
        same_outcome(lambda f, a=a, b=b: value(f, a).sub_(value(f, b)), (a, b))


@pytest.mark.parametrize("name", ["add", "sub", "rsub"])
@pytest.mark.parametrize("alpha", [True, 2, 0.5])
def test_alpha_fits_the_result(name, alpha):
    for a, b in PAIRS + [(a, n) for a in TYPES for n in NUMBERS]:
        same_outcome(
            lambda f, a=a, b=b: getattr(f, name)(value(f, a), value(f, b), alpha=alpha), (a, b)
        )


# -- losses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"reduction": "none"}, {"reduction": "sum"}, {}])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_losses_of_two_types(name, options):
    for a, b in PAIRS:
        same_outcome(
            lambda f, a=a, b=b: getattr(f.nn.functional, name)(value(f, a), value(f, b), **options),
            (a, b),
        )


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", ["mse_loss", "smooth_l1_loss", "huber_loss"])
def test_gradients_of_losses_of_two_types(name, which):
    def program(f, kinds):
        pair = [value(f, kind) for kind in kinds]
        x = pair[which].requires_grad_()
        getattr(f.nn.functional, name)(*pair).backward()
        return x.grad

    for kinds in PAIRS:
        if "float" in kinds[which]:
            same_outcome(lambda f, kinds=kinds: program(f, kinds), kinds)


@pytest.mark.parametrize("options", [{"reduction": "none"}, {"reduction": "sum"}, {}])
@pytest.mark.parametrize(
    "name", ["binary_cross_entropy_with_logits", "soft_margin_loss", "hinge_embedding_loss"]
)
def test_losses_in_the_type_that_torch_gives_them(name, options):
    for a, b in PAIRS:
        if "uint8" not in (a, b) and (name[0] != "b" or "float" in b):
            same_outcome(
                lambda f, a=a, b=b: getattr(f.nn.functional, name)(
                    value(f, a), value(f, b), **options
                ),
                (a, b),
                name[0] != "h",
            )


def test_the_weight_of_a_cross_entropy_does_not_change_its_type():
    for a, b in itertools.product(["float32", "float64"], TYPES):
        for name in ("binary_cross_entropy", "binary_cross_entropy_with_logits"):
            same_outcome(
                lambda f, a=a, b=b, name=name: getattr(f.nn.functional, name)(
                    value(f, a) / 4, value(f, a) / 4, weight=value(f, b)
                ),
                (name, a, b),
            )


CLASSES = {
    "nll_loss": lambda f, x, y: f.nn.functional.nll_loss(x, y[:, 0] - 1),
    "of places": lambda f, x, y: f.nn.functional.nll_loss(x[..., None], y[:, :1] - 1),
    "multi_margin_loss": lambda f, x, y: f.nn.functional.multi_margin_loss(x, y[:, 0] - 1),
    "multilabel_margin_loss": lambda f, x, y: f.nn.functional.multilabel_margin_loss(x, y - 1),
    "weight": lambda f, x, y: f.nn.functional.nll_loss(x, f.tensor([0, 2]), weight=y[0]),
    "variance": lambda f, x, y: f.nn.functional.gaussian_nll_loss(x * 1.5, x, y),
}


@pytest.mark.parametrize("name", CLASSES)
def test_types_of_classes_weights_and_variances(name):
    for a, b in itertools.product(TYPES, ("int64", "int32", "float32", "float64")):
        if (a, name) != ("bool", "variance"):
            same_outcome(lambda f, a=a, b=b: CLASSES[name](f, value(f, a), value(f, b)), (a, b))


def test_a_soft_margin_has_no_gradient_for_its_target():
    target = [1.0, -1.0]
    same_error(
        lambda f: f.nn.functional.soft_margin_loss(f.ones(2), f.tensor(target, requires_grad=True))
    )


# -- operations ------------------------------------------------------------------------------------

BINARY = {
    "add": lambda f, x, y: x + y, "mul": lambda f, x, y: x * y, "div": lambda f, x, y: x / y,
    "floor_divide": lambda f, x, y: x // y, "remainder": lambda f, x, y: x % y,
    "pow": lambda f, x, y: x**y, "lshift": lambda f, x, y: x << y, "rshift": lambda f, x, y: x >> y,
    "and": lambda f, x, y: x & y, "eq": lambda f, x, y: x == y, "lt": lambda f, x, y: x < y,
    "fmod": lambda f, x, y: f.fmod(x, y), "maximum": lambda f, x, y: f.maximum(x, y),
    "trunc": lambda f, x, y: f.div(x, y, rounding_mode="trunc"),
    "floor": lambda f, x, y: f.div(x, y, rounding_mode="floor"),
    "hypot": lambda f, x, y: f.hypot(x, y), "atan2": lambda f, x, y: f.atan2(x, y),
    "logaddexp": lambda f, x, y: f.logaddexp(x, y), "gcd": lambda f, x, y: f.gcd(x, y),
    "logaddexp2": lambda f, x, y: f.logaddexp2(x, y), "ldexp": lambda f, x, y: f.ldexp(x, y),
    "xlogy": lambda f, x, y: f.xlogy(x, y), "copysign": lambda f, x, y: f.copysign(x, y),
    "lerp": lambda f, x, y: f.lerp(x, y, 0.5), "dist": lambda f, x, y: f.dist(x, y),
    "weight of lerp": lambda f, x, y: f.lerp(x, x, y), "cdist": lambda f, x, y: f.cdist(x, y),
    "matmul": lambda f, x, y: x @ y.mT, "vector": lambda f, x, y: x @ y[0],
    "dot": lambda f, x, y: x[0].dot(y[0]), "bmm": lambda f, x, y: x[None] @ y.mT[None],
    "addcmul": lambda f, x, y: f.addcmul(x, y, y, value=2), "isin": lambda f, x, y: f.isin(x, y),
    "addcdiv": lambda f, x, y: f.addcdiv(x, y, y, value=2),
    "cross": lambda f, x, y: f.cross(x, y, dim=1),
    "clamp": lambda f, x, y: f.clamp(x, y, y), "clamp_min": lambda f, x, y: f.clamp_min(x, y),
    "clamp_max": lambda f, x, y: f.clamp_max(x, y), "where": lambda f, x, y: f.where(x, y, y),
    "masked_scatter": lambda f, x, y: f.masked_scatter(x, f.ones(2, 3) > 0, y),
    "quantile": lambda f, x, y: f.quantile(x, y[0] / 4), "prelu": lambda f, x, y: prelu(f, x, y),
    "searchsorted": lambda f, x, y: f.searchsorted(x.sort().values, y),
}  # fmt: skip


def prelu(f, x, y):
    return f.nn.functional.prelu(x, y[0])


@pytest.mark.parametrize("name", BINARY)
def test_operations_of_two_types(name):
    for kinds in PAIRS:
        if name != "bmm" or kinds[0] == kinds[1]:
            same_outcome(
                lambda f, k=kinds: BINARY[name](f, value(f, k[0]), value(f, k[1])),
                kinds,
                name not in ("dist", "vector", "dot"),
            )


@pytest.mark.parametrize("name", [n for n in [*BINARY][:14] if n not in ("maximum", "fmod")])
def test_operations_with_a_number(name):
    for kinds in WITH_NUMBERS:
        same_outcome(lambda f, k=kinds: BINARY[name](f, value(f, k[0]), value(f, k[1])), kinds)


UNARY = {
    **{n: lambda f, x, n=n: getattr(f, n)(x) for n in (
        "abs", "sign", "sgn", "relu", "median", "nanmedian", "argmax", "argmin", "all", "any",
        "square", "var", "std", "histc", "cov", "corrcoef", "bitwise_not", "logit",
    )},
    **{n: lambda f, x, n=n: getattr(f.nn.functional, n)(x) for n in ("logsigmoid", "normalize")},
    "softmax": lambda f, x: x.softmax(-1), "log_softmax": lambda f, x: x.log_softmax(0),
    "matrix_exp": lambda f, x: f.matrix_exp(x[:, :2]), "trace": lambda f, x: f.trace(x),
    "histogram": lambda f, x: f.histogram(x).hist.sum(), "kth": lambda f, x: x.kthvalue(1).values,
    "repeat_interleave": lambda f, x: f.repeat_interleave(x[0]),
    "unique_consecutive": lambda f, x: f.unique_consecutive(x[0]),
    "topk": lambda f, x: x.topk(1),
    "glu": lambda f, x: f.nn.functional.glu(x, 0), "clamp": lambda f, x: x.clamp(True, True),
    "clamp to 1": lambda f, x: x.clamp(max=1), "clamp from a half": lambda f, x: x.clamp(0.5),
    "clamp from True": lambda f, x: x.clamp(True), "adjoint": lambda f, x: x.adjoint(),
    "adaptive_avg_pool2d": lambda f, x: f.nn.functional.adaptive_avg_pool2d(x[None], 2),
    "nearest": lambda f, x: f.nn.functional.interpolate(x[None], 6),
    "unfold": lambda f, x: f.nn.functional.unfold(x[None], 1),
    "group_norm": lambda f, x: f.nn.functional.group_norm(x, 1),
    "batch_norm": lambda f, x: f.nn.functional.batch_norm(x, None, None, training=True),
}  # fmt: skip
OF_A_NUMBER = ("abs", "sign", "relu", "median", "argmax", "all", "square", "var", "adjoint")


@pytest.mark.parametrize("name", UNARY)
def test_operations_of_each_type(name):
    for kind in TYPES:
        same_outcome(lambda f, kind=kind: UNARY[name](f, value(f, kind)), kind)
        if name in OF_A_NUMBER:
            same_outcome(lambda f, kind=kind: UNARY[name](f, value(f, kind)[0, 0]), kind)


def test_a_vector_has_no_adjoint():
    same_error(lambda f: f.ones(3).adjoint())


@pytest.mark.parametrize("number", [-5, -300, 255, 300])
def test_numbers_go_round_in_small_integers(number):
    agree_on = ("uint8", "int8")
    for kind in agree_on:
        same_outcome(lambda f, k=kind: f.tensor([1, 44, 100], dtype=getattr(f, k)) + number, kind)
        same_outcome(lambda f, k=kind: number * f.tensor([1, 2], dtype=getattr(f, k)), kind)


def test_the_middle_of_a_number_has_one_dimension():
    for name in ("median", "nanmedian", "mode"):
        same_error(lambda f, name=name: getattr(f, name)(f.tensor(2.0), 1))


# -- writing at indices ----------------------------------------------------------------------------

INDEX = [[0, 1, 1], [1, 0, 0]]
WRITES = {
    "gather": lambda f, x, i, y: x.gather(0, i),
    "index_select": lambda f, x, i, y: x.index_select(0, i[0]),
    "scatter": lambda f, x, i, y: x.scatter(0, i, y),
    "scatter_add": lambda f, x, i, y: x.scatter_add(0, i, y),
    "scatter_reduce": lambda f, x, i, y: x.scatter_reduce(0, i, y, "amax"),
    "index_add": lambda f, x, i, y: x.index_add(0, i[0, :2], y),
    "index_copy": lambda f, x, i, y: x.index_copy(0, i[0, :2], y),
    "put": lambda f, x, i, y: x.put(i, y),
    "index_put": lambda f, x, i, y: x.index_put((i[0, :2],), y),
    "index_put of one": lambda f, x, i, y: x.index_put((x > 1,), y[0, 0]),
    "accumulate": lambda f, x, i, y: x.index_put((i[0, :2],), y, accumulate=True),
}


@pytest.mark.parametrize("name", WRITES)
def test_writing_at_indices_converts_nothing(name):
    for a, b in PAIRS:
        for kind in ("int64", "int32", "uint8"):
            if not (name.startswith(("index_put", "accum")) and kind == "uint8"):
                same_outcome(
                    lambda f, a=a, b=b, kind=kind: WRITES[name](
                        f, value(f, a), f.tensor(INDEX, dtype=getattr(f, kind)), value(f, b)
                    ),
                    (a, b, kind),
                )


@pytest.mark.parametrize(
    "place",
    [
        lambda f: f.tensor([0, 1]), lambda f: [0, 1], lambda f: f.tensor([True, False]),
        lambda f: slice(None), lambda f: 0, lambda f: (slice(None), f.tensor([1, 1])),
    ],
    ids=["indices", "list", "mask", "slice", "number", "second"],
)  # fmt: skip
@pytest.mark.parametrize("what", [lambda y: y[:1, :2], lambda y: y[0, 0], lambda y: 2.5])
def test_what_is_written_at_an_index_has_the_same_type(place, what):
    def program(f, a, b):
        x = value(f, a)[:, :2]
        x[place(f)] = what(value(f, b))
        return x

    for a, b in PAIRS:
        same_outcome(lambda f, a=a, b=b: program(f, a, b), (a, b))


# -- layers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["batch_norm", "group_norm", "instance_norm"])
def test_parameters_of_a_norm_have_the_type_of_its_input(name):
    def program(f, a, b, c):
        F, ones = f.nn.functional, [f.ones(3, dtype=getattr(f, k)) for k in (b, c)]
        x = f.arange(12, dtype=getattr(f, a)).reshape(2, 3, 2)
        if name == "group_norm":
            return F.group_norm(x, 1, *ones)
        if name == "instance_norm":
            return F.instance_norm(x, None, None, *ones)
        return F.batch_norm(x, None, None, *ones, training=True)

    for kinds in itertools.product(["float32", "float64"], repeat=3):
        same_outcome(lambda f, kinds=kinds: program(f, *kinds), kinds)


def test_both_inputs_of_a_bilinear_layer_have_its_type():
    for a, b in itertools.product(["float32", "float64", "int64"], repeat=2):
        same_outcome(
            lambda f, a=a, b=b: f.nn.functional.bilinear(value(f, a), value(f, b), f.ones(2, 3, 3)),
            (a, b),
        )


def test_the_middle_of_nothing_is_no_number():
    for name in ("median", "nanmedian"):
        for kind in ("float32", "float64"):
            same_outcome(
                lambda f, n=name, k=kind: getattr(f.zeros(0, dtype=getattr(f, k)), n)(), name
            )


# -- numbers that a type cannot hold ---------------------------------------------------------------

BIG = [300, -5, -256, 2.5, -0.5, -129, 70000.0, -1e5, 65504.0, 65519.0, 1e39, float("inf"), 2**40]
FILLED = {
    "fill_": lambda f, x, n: x.clone().fill_(n),
    "full_like": lambda f, x, n: f.full_like(x, n),
    "masked_fill": lambda f, x, n: x.masked_fill(x == 0, n),
    "scatter": lambda f, x, n: x.scatter(0, f.tensor([1]), n),
    "index_fill": lambda f, x, n: x.index_fill(0, f.tensor([1]), n),
    "pad": lambda f, x, n: f.nn.functional.pad(x, (1, 1), value=n),
    "full": lambda f, x, n: f.full((2,), n, dtype=f.float32 if x.dtype is f.float16 else x.dtype),
}


def refused_or_agreed(program):
    """What torch refuses mini refuses in its words; else they give the same."""
    try:
        program(torch)
    except RuntimeError:
        same_error(program)
    else:
        agree(program)


@pytest.mark.parametrize("number", BIG)
@pytest.mark.parametrize("kind", ["bool", "uint8", "int8", "int64", "float16", "float32"])
@pytest.mark.parametrize("name", FILLED)
def test_a_number_must_fit_where_it_is_written(name, kind, number):
    def program(f):
        return FILLED[name](f, f.tensor([1, 0, 2]).to(getattr(f, kind)), number)

    refused_or_agreed(program)


@pytest.mark.parametrize("number", [300, 256, -5, 2**40])
@pytest.mark.parametrize("kind", ["bool", "uint8", "int8", "int64", "float32"])
def test_a_quotient_takes_the_whole_number(kind, number):
    def program(f):
        x = f.tensor([1, 0, 2]).to(getattr(f, kind))
        return x / number, f.div(x, number), x.true_divide(number), number / x, f.div(number, x)

    agree(program)


@pytest.mark.parametrize("data", [*BIG, [1, -1], [[300.0], [1.0]], [float("nan"), 1.0], -1.0])
@pytest.mark.parametrize("kind", ["bool", "uint8", "int8", "int32", "int64", "float16", "float32"])
def test_numbers_must_fit_the_type_of_a_tensor(kind, data):
    def program(f):
        out = f.tensor(data, dtype=getattr(f, kind))
        return out, f.ones(1, dtype=getattr(f, kind)).new_tensor(data)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused_or_agreed(program)


@pytest.mark.filterwarnings("error")
def test_tensor_takes_what_is_too_large_as_inf_and_nothing_but_numbers():
    agree(lambda f: (f.Tensor([1e39, -1e39]), f.Tensor([2**70]), f.tensor([1e39])))
    for data in ([None], [1.0, None], [1j]):
        same_error(lambda f, data=data: f.Tensor(data))


def test_empty_parameters_have_the_default_type():
    def program(f):
        f.set_default_dtype(f.float64)
        try:
            return f.nn.Parameter(), f.nn.Buffer()
        finally:
            f.set_default_dtype(f.float32)

    agree(program)
