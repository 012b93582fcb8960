"""What the rows of rows_lookup cannot say: tables given, rows shortened in place, refusals."""

from dlcourse import mini
from dlcourse.mini import nn

import pytest
from both import agree


def pretrained(f):
    table = f.arange(12.0).reshape(4, 3)
    fixed = f.nn.Embedding.from_pretrained(table, padding_idx=1)
    free = f.nn.Embedding.from_pretrained(table, freeze=False, max_norm=5.0)
    bag = f.nn.EmbeddingBag.from_pretrained(table, mode="sum")
    index = f.tensor([[0, 1], [3, 3]])
    out = free(index)
    out.sum().backward()
    return [
        [fixed.weight.requires_grad, free.weight.requires_grad, bag.weight.requires_grad],
        [repr(fixed), repr(free), repr(bag), list(fixed.state_dict())],
        fixed(index), out, free.weight, free.weight.grad, bag(index),
        f.nn.Embedding(4, 3, padding_idx=-1).weight[3],
    ]  # fmt: skip


def test_pretrained():
    agree(pretrained)


def test_shortening_is_a_write():
    layer = nn.Embedding(4, 3, max_norm=0.1)
    before = layer.weight._version
    layer(mini.tensor([1, 2]))
    assert layer.weight._version > before
    norms = (layer.weight**2).sum(1).sqrt().tolist()
    assert max(norms[1:3]) == pytest.approx(0.1, rel=1e-5)
    assert layer.weight.requires_grad
    assert layer.weight.is_leaf


def test_a_table_starts_normal():
    mini.manual_seed(0)
    weight = nn.Embedding(500, 40, padding_idx=3).weight.detach()
    assert weight[3].tolist() == [0.0] * 40
    assert weight.mean().item() == pytest.approx(0, abs=0.03)
    assert weight.std().item() == pytest.approx(1, rel=0.03)


def test_what_is_not_supported_is_said():
    index = mini.tensor([[0, 1]])
    for layer in (nn.Embedding(2, 3, sparse=True), nn.EmbeddingBag(2, 3, sparse=True)):
        with pytest.raises(NotImplementedError, match="sparse"):
            layer(index)
    with pytest.raises(NotImplementedError, match="scale_grad_by_freq"):
        nn.EmbeddingBag(2, 3, scale_grad_by_freq=True)(index)
    for wrong in (
        lambda: nn.Embedding(2, 3, padding_idx=2),
        lambda: nn.Embedding.from_pretrained(mini.ones(3)),
        lambda: nn.Embedding(2, 3, _weight=mini.ones(3, 2)),
    ):
        with pytest.raises(AssertionError):
            wrong()
