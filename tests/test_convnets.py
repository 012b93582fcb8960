"""The counter of costs, and the networks of the chapter on modern convolutional networks."""

from dlcourse.models import cost
from dlcourse.projects import convnets

import pytest
import torch
from torch import nn


def test_a_count_by_hand():
    """What convolution, ReLU and linear layer save: two arrays of 16 and 32 numbers."""
    layers = nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)
    found = cost(nn.Sequential(*layers), (1, 1, 4, 4))
    assert found.parameters == 20 + 99
    assert found.multiply_adds == 16 * 2 * 9 + 32 * 3
    assert found.kept == 4 * (16 + 32)


def test_counting_leaves_the_model_alone():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    cost(model, (2, 3, 8, 8))
    assert not model.training
    assert not model[0]._forward_hooks
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("name", convnets.NETWORKS)
def test_networks_have_like_costs_and_learn(name):
    torch.manual_seed(0)
    model = convnets.NETWORKS[name]()
    assert 5e6 < cost(model, convnets.IMAGE).multiply_adds < 7e6
    logits = model(torch.randn(2, 3, 32, 32))
    assert logits.shape == (2, 10)
    logits.sum().backward()
    assert all(p.grad is not None for p in model.parameters())
