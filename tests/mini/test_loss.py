"""What the rows of rows_loss cannot say: CTC against torch and against all paths, refusals."""

import itertools
import warnings

from dlcourse import mini
from dlcourse.mini.nn import functional as F
from dlcourse.testing import assert_matches

import numpy as np
import pytest
from both import agree, same_error

RNG = np.random.default_rng(0)
SCORES = RNG.standard_normal((7, 4, 5))
TARGETS = np.array([[1, 2, 2], [3, 3, 3], [1, 4, 0], [2, 0, 0]])
CASES = [
    # targets, input lengths, target lengths, blank
    (TARGETS, [7, 7, 7, 7], [3, 3, 2, 1], 0),
    (TARGETS, [7, 6, 3, 1], [3, 3, 2, 1], 0),
    (TARGETS, [7, 5, 3, 2], [2, 1, 1, 0], 0),
    (np.array([1, 2, 2, 3, 3, 1, 2]), [7, 6, 5, 4], [3, 2, 2, 0], 0),
    (TARGETS % 4, [7, 6, 5, 4], [3, 1, 2, 1], 4),
]


def ctc(f, targets, steps, sizes, blank, as_tensors, **options):
    x = f.tensor(SCORES, requires_grad=True)
    lengths = [f.tensor(v) if as_tensors else tuple(v) for v in (steps, sizes)]
    labels = f.tensor(targets)
    raw = f.nn.functional.ctc_loss(x.detach().requires_grad_(), labels, *lengths, blank)
    out = f.nn.functional.ctc_loss(x.log_softmax(2), labels, *lengths, blank, **options)
    weights = f.arange(1.0, out.numel() + 1).double().reshape(out.shape)
    (out * weights).sum().backward()
    return raw, out, x.grad


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ctc(case, reduction):
    for as_tensors in (True, False):
        agree(lambda f, t=as_tensors: ctc(f, *case, t, reduction=reduction))


def impossible(f, zero_infinity):
    x = f.tensor(SCORES, requires_grad=True)
    lengths = f.tensor([7, 4, 7, 2]), f.tensor([3, 3, 2, 1])  # 3 3 3 needs 5 steps
    options = {"reduction": "none", "zero_infinity": zero_infinity}
    out = f.nn.functional.ctc_loss(x.log_softmax(2), f.tensor(TARGETS), *lengths, **options)
    if zero_infinity:
        out.sum().backward()
    return out, x.grad


def without_batch(f):
    x = f.tensor(SCORES[:, 0], requires_grad=True)
    seen = []
    for reduction in ("mean", "sum", "none"):
        lengths = f.tensor(7), f.tensor(3)
        out = f.nn.functional.ctc_loss(
            x.log_softmax(1), f.tensor(TARGETS[0]), *lengths, reduction=reduction
        )
        out.backward()
        seen += [out, x.grad.clone()]
    return seen


def test_ctc_corners():
    agree(lambda f: impossible(f, True))
    agree(lambda f: impossible(f, False))
    agree(without_batch)


def test_ctc_is_the_sum_over_all_paths():
    log_probs = mini.tensor(SCORES[:4, :1]).log_softmax(2)
    total = 0.0
    for path in itertools.product(range(5), repeat=4):
        kept = [c for c, _ in itertools.groupby(path) if c]
        if kept == [2, 1]:
            total += np.exp(sum(log_probs[t, 0, c].item() for t, c in enumerate(path)))
    loss = F.ctc_loss(log_probs, mini.tensor([[2, 1]]), (4,), (2,), reduction="none")
    assert_matches(loss, np.array([-np.log(total)]))


def test_ctc_has_no_second_derivative():
    x = mini.tensor(SCORES, requires_grad=True)
    loss = F.ctc_loss(x.log_softmax(2), mini.tensor(TARGETS), (7,) * 4, (1,) * 4)
    (grad,) = mini.autograd.grad(loss, x, create_graph=True)
    with pytest.raises(RuntimeError, match="not implemented"):
        (grad * grad).sum().backward()


@pytest.mark.parametrize(
    ("steps", "sizes", "blank"),
    [([8, 7, 7, 7], [1] * 4, 0), ([7] * 4, [1] * 4, 5), ([7] * 3, [1] * 4, 0),
     ([7] * 4, [1] * 3, 0), ([7] * 4, [4] * 4, 0)],
)  # fmt: skip
def test_ctc_refuses(steps, sizes, blank):
    same_error(
        lambda f: f.nn.functional.ctc_loss(
            f.tensor(SCORES), f.tensor(TARGETS), tuple(steps), tuple(sizes), blank
        ),
        same_sentence=False,
    )


def test_a_distance_of_ones_own():
    def program(f):
        loss = f.nn.TripletMarginWithDistanceLoss(
            distance_function=lambda a, b: (a - b).abs().sum(1), reduction="none"
        )
        return loss(*[f.tensor(SCORES[i]) for i in range(3)])

    agree(program)


def test_margins_must_be_positive():
    for name in ("TripletMarginLoss", "TripletMarginWithDistanceLoss"):
        same_error(lambda f, n=name: getattr(f.nn, n)(margin=0.0))
    same_error(lambda f: f.nn.MultiMarginLoss(p=3))


PREDECESSORS = [{"size_average": a, "reduce": r} for a in (None, True, False) for r in (None, 1, 0)]


@pytest.mark.parametrize("name", ["MSELoss", "NLLLoss", "BCELoss", "SoftMarginLoss"])
@pytest.mark.parametrize("old", PREDECESSORS[1:], ids=str)
def test_deprecated_arguments_choose_the_reduction(name, old):
    function = {
        "MSELoss": "mse_loss", "NLLLoss": "nll_loss", "BCELoss": "binary_cross_entropy",
        "SoftMarginLoss": "soft_margin_loss",
    }[name]  # fmt: skip

    def program(f):
        x = f.tensor([[0.2, 0.9], [0.4, 0.3]])
        target = f.tensor([1, 0]) if name == "NLLLoss" else f.tensor([[1.0, 0.5], [0.2, 0.7]])
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            loss = getattr(f.nn, name)(**old)
            out = getattr(f.nn.functional, function)(x, target, **old)
        said = [str(w.message) for w in seen if "please use reduction=" in str(w.message)]
        return out, loss(x, target), loss.reduction, said

    agree(program)


def test_mean_of_kl_div_warns():
    with pytest.warns(UserWarning, match="batchmean"):
        F.kl_div(mini.zeros(2), mini.ones(2))


@pytest.mark.parametrize("kind", ["int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize(
    "name", ["binary_cross_entropy_with_logits", "binary_cross_entropy", "kl_div"]
)
@pytest.mark.parametrize("of_input", ["float32", "float64"])
def test_classes_are_no_probabilities(name, kind, of_input):
    def program(lib):
        labels = lib.tensor([1, 0, 1]).to(getattr(lib, kind))
        inputs = lib.tensor([0.2, 0.3, 0.4], dtype=getattr(lib, of_input))
        return getattr(lib.nn.functional, name)(inputs, labels, reduction="sum")

    same_error(program)


def test_probabilities_of_another_precision():
    def program(name, lib):
        inputs, target = lib.tensor([0.2, 0.3]), lib.tensor([1.0, 0.0], dtype=lib.float64)
        return getattr(lib.nn.functional, name)(inputs, target, reduction="sum")

    same_error(lambda lib: program("binary_cross_entropy", lib))
    agree(lambda lib: program("binary_cross_entropy_with_logits", lib))
    agree(lambda lib: program("kl_div", lib))
