"""assert_matches sees what differs and says where; copy_weights carries over or changes nothing."""

from dlcourse import mini
from dlcourse.testing import TOLERANCES, assert_matches, copy_weights

import numpy as np
import pytest
import torch


def both(values, dtype="float32"):
    array = np.array(values, dtype)
    return mini.tensor(array), torch.tensor(array)


def net(f, hidden=3):
    nn = f.nn
    # In float64: before a norm the gradient of a bias is zero, and rounding all that is left.
    return nn.Sequential(nn.Linear(2, hidden), nn.BatchNorm1d(hidden), nn.ReLU()).double()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        both([1.0, 2.0]),
        both([]),
        both(1.5),
        both([1, 2], "int64"),
        both([True], "bool"),
        both([float("nan"), float("inf"), -float("inf")]),
        (mini.ones(1), np.ones(1, "f4")),
        (1.5, 1.5),
        (3, 3),
        (True, True),
        (None, None),
        ("a", "a"),
        (mini.Size([2]), torch.Size([2])),
        ([mini.ones(1), (2, None)], [torch.ones(1), (2, None)]),
        ((1, 2), [1, 2]),
        ([], ()),
        ({"a": mini.ones(1)}, {"a": torch.ones(1)}),
        ({}, {}),
    ],
)
def test_equal_things_match(ours, theirs):
    assert_matches(ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs", "sentence"),
    [
        (mini.ones(2), torch.ones(3), r"mini has shape \(2,\), torch \(3,\)"),
        (mini.ones(2), torch.ones(2, 1), "shape"),
        (mini.ones(2), torch.ones(2).double(), "mini has dtype float32, torch float64"),
        (
            mini.tensor([[1.0, 2.0], [3.0, 4.0]]),
            torch.tensor([[1.0, 2.5], [9.0, 4.0]]),
            r"2 of 4 elements differ; the worst, at \(1, 0\): mini 3.0, torch 9.0, difference 6",
        ),
        (
            mini.tensor([1.0, float("nan")]),
            torch.tensor([1.0, 2.0]),
            r"1 of 2 .* at \(1,\): mini nan",
        ),
        (mini.tensor(float("inf")), torch.tensor(-float("inf")), "mini inf, torch -inf"),
        (mini.tensor(float("inf")), torch.tensor(1e30), "mini inf"),
        (mini.tensor(1.0), torch.tensor(float("nan")), "torch nan"),
        (mini.tensor([1, 2]), torch.tensor([1, 3]), r"at \(1,\): mini 2, torch 3"),
        (mini.tensor(True), torch.tensor(False), "mini True, torch False"),
        ([1, 2], [1], "2 items in mini, 1 in torch"),
        ([1, [2, mini.ones(1)]], [1, [2, torch.zeros(1)]], r"^\[1\]\[1\]: 1 of 1 elements differ"),
        ({"a": 1}, {"b": 1}, r"only one side has the keys \['a', 'b'\]"),
        ({"a": {"b": mini.ones(1)}}, {"a": {"b": torch.zeros(1)}}, r"^\['a'\]\['b'\]: 1 of 1"),
        ([1], 1, "mini has a list, torch a int"),
        ({"a": 1}, [1], "mini has a dict, torch a list"),
        (None, torch.ones(1), "mini has None"),
        (mini.ones(1), None, "torch has None"),
        ("a", "b", "mini has 'a', torch has 'b'"),
        (1, 2, "mini 1, torch 2"),
        (1.0, 1.1, "differ"),
        (mini.Size([2]), torch.Size([3]), "mini.Size"),
    ],
)
def test_different_things_do_not(ours, theirs, sentence):
    with pytest.raises(AssertionError, match=sentence):
        assert_matches(ours, theirs)


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_tolerances_follow_the_type(dtype):
    rtol, atol = TOLERANCES[dtype]
    for size in (0.0, 1.0, 100.0):
        ours = np.array([size], dtype)
        near, far = (
            ours + 0.5 * (atol + rtol * size),
            ours + 3 * (atol + rtol * size) + np.finfo(dtype).eps * size,
        )
        assert_matches(mini.tensor(ours), torch.tensor(near.astype(dtype)))
        with pytest.raises(AssertionError):
            assert_matches(mini.tensor(ours), torch.tensor(far.astype(dtype)))


def test_tolerances_may_be_given():
    assert_matches(mini.ones(1), torch.tensor([1.05]), rtol=0.1, atol=0.0)
    assert_matches(mini.zeros(1), torch.tensor([0.05]), rtol=0.0, atol=0.1)
    with pytest.raises(AssertionError, match=r"rtol=0.01, atol=0.0"):
        assert_matches(mini.ones(1), torch.tensor([1.05]), rtol=0.01, atol=0.0)
    with pytest.raises(ValueError, match="both rtol and atol"):
        assert_matches(mini.ones(1), torch.ones(1), rtol=0.1)


def test_modules_are_compared_whole():
    theirs, ours = net(torch), net(mini)
    with pytest.raises(AssertionError, match=r"state_dict\(\)\['0.weight'\]"):
        assert_matches(ours, theirs)
    copy_weights(theirs, ours)
    assert_matches(ours, theirs)
    x = np.ones((4, 2)) * np.arange(4)[:, None]
    (theirs(torch.tensor(x)) ** 2).sum().backward()
    with pytest.raises(AssertionError, match=r"state_dict\(\)\['1.running_mean'\]"):
        assert_matches(ours, theirs)
    (ours(mini.tensor(x)) ** 2).sum().backward()
    assert_matches(ours, theirs, rtol=1e-4, atol=1e-4)
    ours[1].bias.grad.add_(1)
    with pytest.raises(AssertionError, match=r"1\.bias\.grad"):
        assert_matches(ours, theirs, rtol=1e-4, atol=1e-4)
    ours[1].bias.grad = None
    with pytest.raises(AssertionError, match="mini has None"):
        assert_matches(ours, theirs, rtol=1e-4, atol=1e-4)
    with pytest.raises(AssertionError, match="mini has a Sequential, torch a dict"):
        assert_matches(ours, {})


def test_weights_go_both_ways():
    theirs, ours = net(torch), net(mini)
    assert copy_weights(theirs, ours) is ours
    assert_matches(ours, theirs)
    ours[0].weight.data.fill_(3)
    assert copy_weights(ours, theirs) is theirs
    assert theirs[0].weight.eq(3).all()
    theirs[0].weight.data.fill_(5)  # the memory is not shared
    assert ours[0].weight.tolist() == [[3, 3]] * 3


@pytest.mark.parametrize(("source", "target"), [(mini, torch), (torch, mini)])
def test_what_does_not_fit_changes_nothing(source, target):
    weights, module = net(source, hidden=4), net(target)
    before = [t.clone() for t in module.state_dict().values()]
    with pytest.raises(RuntimeError, match=r"size mismatch for 0\.weight"):
        copy_weights(weights, module)
    with pytest.raises(RuntimeError, match="Missing key"):
        copy_weights(source.nn.Linear(2, 3), module)
    after = list(module.state_dict().values())
    assert all(a.tolist() == b.tolist() for a, b in zip(before, after, strict=True))


def test_what_is_no_module_is_refused():
    with pytest.raises(TypeError, match="takes modules of mini or torch, got dict"):
        copy_weights({}, net(mini))
    with pytest.raises(TypeError, match="got Tensor"):
        copy_weights(net(mini), mini.ones(1))
