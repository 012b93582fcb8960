"""AdaptiveLogSoftmaxWithLoss scores, predicts and refuses as torch's."""

import re

from dlcourse import mini
from dlcourse.testing import assert_matches, copy_weights

import pytest
import torch

# A cluster far down has no hidden layer; torch says once that it has nothing to initialise.
pytestmark = pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")

CASES = {
    "three clusters": ((16, 20, [4, 9, 15]), {}),
    "one cluster, with bias": ((8, 6, [2]), {"div_value": 2.0, "head_bias": True}),
    "a hidden layer of nothing": ((3, 6, [2, 4]), {}),
}


def both(args, kwargs):
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(*args, **kwargs, dtype=torch.float64)
    ours = mini.nn.AdaptiveLogSoftmaxWithLoss(*args, **kwargs, dtype=mini.float64)
    copy_weights(theirs, ours)
    return ours, theirs


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def test_values_and_gradients_are_torchs(case):
    (features, classes, _), _ = case
    ours, theirs = both(*case)
    assert repr(ours) == repr(theirs)
    generator = torch.Generator().manual_seed(0)
    for shape in ((), (1,), (30,)):
        x = torch.randn(*shape, features, dtype=torch.float64, generator=generator)
        y = torch.randint(classes, shape, generator=generator)
        a, b = mini.tensor(x.numpy(), requires_grad=True), x.requires_grad_()
        scores, expected = ours(a, mini.tensor(y.numpy())), theirs(b, y)
        assert_matches(tuple(scores), tuple(expected))
        assert_matches(
            mini.autograd.grad(scores.loss + scores.output.sum(), [a, *ours.parameters()],
                               allow_unused=True, materialize_grads=True),
            torch.autograd.grad(expected.loss + expected.output.sum(), [b, *theirs.parameters()],
                                allow_unused=True, materialize_grads=True),
        )  # fmt: skip


def test_probabilities_and_predictions_are_torchs(case):
    (features, classes, _), _ = case
    ours, theirs = both(*case)
    x = 5 * torch.randn(
        40, features, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    a = mini.tensor(x.numpy())
    assert_matches(ours.log_prob(a), theirs.log_prob(x))
    assert_matches(ours.log_prob(a).exp().sum(1), torch.ones(40, dtype=torch.float64))
    assert_matches(ours.predict(a), theirs.predict(x))
    assert ours.log_prob(a).shape == (40, classes)


def test_loss_is_that_of_the_probabilities():
    ours, _ = both((16, 20, [4, 9, 15]), {})
    x, y = mini.randn(30, 16, dtype=mini.float64), mini.arange(30) % 20
    assert_matches(ours(x, y).loss, mini.nn.functional.nll_loss(ours.log_prob(x), y))


def call(f, *shapes):
    model = f.nn.AdaptiveLogSoftmaxWithLoss(8, 6, [2])
    return model(f.ones(shapes[0]), f.full(shapes[1], shapes[2]))


@pytest.mark.parametrize(
    "act",
    [
        *[lambda f, c=c: f.nn.AdaptiveLogSoftmaxWithLoss(8, 6, c)
          for c in ([], [2, 2], [4, 2], [0], [6], [1.5])],
        lambda f: call(f, (3, 8), (2,), 0),
        lambda f: call(f, (3, 8), (3, 1), 0),
        lambda f: call(f, (3, 8), (), 0),
        lambda f: call(f, (3, 3, 8), (3,), 0),
        lambda f: call(f, (3, 8), (3,), 6),
        lambda f: call(f, (3, 8), (3,), -1),
    ],
)  # fmt: skip
def test_refused_as_in_torch(act):
    with pytest.raises((ValueError, RuntimeError)) as theirs:
        act(torch)
    sentence = re.escape(str(theirs.value).replace("torch.Size", "mini.Size"))
    with pytest.raises(type(theirs.value), match=f"^{sentence}$"):
        act(mini)
