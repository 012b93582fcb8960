"""Attention: what no row can say."""

from dlcourse import mini
from dlcourse.mini.nn import functional as F
from dlcourse.mini.ops.attention import ScaledDotProductAttention
from dlcourse.testing import assert_matches

import numpy as np
import pytest
import torch
from both import agree

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("layout", ["plain", "heads last"])
def test_the_node_is_its_composition(masked, dropped, layout):
    """Forward and backward by hand against what defines attention."""
    shapes = (2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 5), (3, 4, 6)
    arrays = [RNG.standard_normal(s) for s in shapes]
    arrays[3][0, 1, :] = arrays[3][:, 2, 3] = -np.inf
    if layout == "heads last":
        arrays = [np.asfortranarray(a) for a in arrays]
    leaves = [mini.tensor(a, requires_grad=True) for a in arrays[: 3 + masked]]
    keep = (RNG.random((2, 3, 4, 6)) > 0.3) / 0.7 if dropped else None
    args = [*leaves, *[None] * (not masked), keep, 0.4]
    found = []
    for function in (ScaledDotProductAttention.apply, ScaledDotProductAttention.plain):
        out = function(*args)
        found.append([out, *mini.autograd.grad((out**3).sum(), leaves)])
    for ours, plain in zip(*found, strict=True):
        np.testing.assert_allclose(ours.detach(), plain.detach(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_self_attention(batch_first, need_weights, causal):
    """One tensor as query, key and value: one product makes all three."""
    options = {"batch_first": batch_first}
    ours, theirs = (f.nn.MultiheadAttention(4, 2, **options).double() for f in (mini, torch))
    ours.load_state_dict(theirs.state_dict())
    batch = RNG.standard_normal((3, 3, 4))

    def program(f):
        module = ours if f is mini else theirs
        x = f.tensor(batch, requires_grad=True)
        mask = f.tensor(np.triu(np.full((3, 3), -np.inf), 1)) if causal else None
        out, weights = module(x, x, x, need_weights=need_weights, attn_mask=mask, is_causal=causal)
        (out**3).sum().backward()
        return out, weights, x.grad, [p.grad for p in module.parameters()]

    agree(program)


def test_dropout_drops_and_scales_the_weights():
    q, k = mini.zeros(40, 30, 8), mini.zeros(40, 50, 8)
    mini.manual_seed(0)
    kept = F.scaled_dot_product_attention(q, k, mini.eye(50).expand(40, 50, 50), dropout_p=0.25)
    np.testing.assert_allclose(np.unique(kept.numpy()), [0, 1 / 0.75 / 50], rtol=1e-5)
    assert abs((kept == 0).double().mean().item() - 0.25) < 0.01
    layer = mini.nn.MultiheadAttention(8, 2, dropout=0.5)
    x = mini.randn(5, 3, 8)
    first, second = layer(x, x, x)[0], layer(x, x, x)[0]
    assert not mini.equal(first, second)
    layer.eval()
    assert mini.equal(layer(x, x, x)[0], layer(x, x, x)[0])


def test_start_is_xaviers():
    layer = mini.nn.MultiheadAttention(100, 4, kdim=50, add_bias_kv=True)
    bound = np.sqrt(6 / 150)
    assert 0.95 * bound < abs(layer.k_proj_weight.detach().numpy()).max() <= bound
    assert (layer.in_proj_bias == 0).detach().numpy().all()
    assert (layer.out_proj.bias == 0).detach().numpy().all()
    assert layer.bias_k.detach().numpy().std() == pytest.approx(np.sqrt(2 / 200), rel=0.3)


def test_state_goes_both_ways():
    for options in ({}, {"kdim": 3, "add_bias_kv": True}):
        ours = mini.nn.MultiheadAttention(4, 2, **options)
        theirs = torch.nn.MultiheadAttention(4, 2, **options)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        values = {k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()}
        theirs.load_state_dict(values)
        assert_matches(ours, theirs)


def test_what_is_not_supported_is_said():
    x = mini.ones(2, 3, 4)
    with pytest.raises(RuntimeError, match="should not be set when is_causal"):
        F.scaled_dot_product_attention(x, x, x, mini.ones(3, 3), is_causal=True)
    weights = mini.ones(12, 4), None, None, None, False, 0.0, mini.ones(4, 4), None
    with pytest.raises(NotImplementedError, match="static_k"):
        F.multi_head_attention_forward(x, x, x, 4, 2, *weights, static_k=x)
    layer = mini.nn.MultiheadAttention(4, 2)
    with pytest.warns(UserWarning, match="mismatched key_padding_mask and attn_mask"):
        layer(x, x, x, mini.zeros(3, 2, dtype=mini.bool), attn_mask=mini.zeros(2, 2))
    for args, error in (((0, 1), ValueError), ((4, 3), AssertionError)):
        with pytest.raises(error):
            mini.nn.MultiheadAttention(*args)
