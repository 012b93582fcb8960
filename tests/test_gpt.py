"""The small GPT of dlcourse/models: shapes, no look ahead, positions, initialisation."""

import math

import pytest

torch = pytest.importorskip("torch")

from dlcourse.models import GPT, GPTConfig  # noqa: E402
from dlcourse.models.gpt import rotate  # noqa: E402

SMALL = {"vocab_size": 11, "context": 7, "width": 12, "layers": 2, "heads": 3}


def small_gpt(**changes):
    torch.manual_seed(0)
    return GPT(GPTConfig(**(SMALL | changes))).double()


def some_tokens(T=7):
    return torch.randint(11, (2, T), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("positions", ["learned", "rotary", "none"])
def test_no_logits_hear_of_a_later_token(positions):
    model = small_gpt(positions=positions)
    embedded = []
    model.dropout.register_forward_hook(lambda module, args, out: embedded.append(out))
    logits = model(some_tokens())
    assert logits.shape == (2, 7, 11)
    for t in range(7):
        (heard,) = torch.autograd.grad(logits[:, t].square().sum(), embedded, retain_graph=True)
        assert (heard[:, t + 1 :] == 0).all()
        assert (heard[:, : t + 1].abs().amax(-1) > 0).all()


def test_without_the_mask_they_do_hear():
    model = small_gpt()
    for block in model.blocks:
        block.attention.is_causal = False
    tokens = some_tokens()
    changed = tokens.clone()
    changed[:, -1] = (changed[:, -1] + 1) % 11
    assert not torch.allclose(model(tokens)[:, 0], model(changed)[:, 0])


def test_products_of_rotated_vectors_depend_on_the_distance_alone():
    q, k = torch.randn(2, 1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    products = [
        (rotate(q, start) * rotate(k, start + 3)).sum().item() for start in (0, 1, 10, 1000)
    ]
    assert products == pytest.approx([products[0]] * 4, rel=1e-10)
    assert products[0] != pytest.approx((rotate(q, 0) * rotate(k, 4)).sum().item())
    many = rotate(q.expand(5, 8), start=2)
    for t in range(5):
        assert torch.allclose(many[t], rotate(q, 2 + t)[0])


def test_it_starts_from_ignorance_with_weights_that_shrink_with_depth():
    model = small_gpt(vocab_size=500, width=60, layers=8)
    chance = torch.Generator().manual_seed(1)
    tokens, targets = torch.randint(500, (2, 8, 7), generator=chance)
    with torch.no_grad():
        logits = model(tokens).flatten(0, 1)  # (B, T, V) -> (B * T, V)
    loss = torch.nn.functional.cross_entropy(logits, targets.flatten())
    assert abs(loss.item() - math.log(500)) < 0.3
    block = model.blocks[0]
    assert block.mlp.fc.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert block.mlp.proj.weight.std().item() == pytest.approx(0.02 / 4, rel=0.05)
    assert block.attention.proj.weight.std().item() == pytest.approx(0.02 / 4, rel=0.05)


def test_one_table_reads_and_writes():
    names = [name for name, _ in small_gpt().named_parameters() if "block" not in name]
    assert names == ["tokens.weight", "positions.weight", "norm.weight", "norm.bias"]


def test_a_text_longer_than_the_table_of_positions_is_refused():
    with pytest.raises(ValueError, match="positions were learnt for 7"):
        small_gpt()(some_tokens(8))
    assert small_gpt(positions="rotary")(some_tokens(8)).shape == (2, 8, 11)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 5}, "not divisible by 5 heads"),
        ({"positions": "sinusoidal"}, "must be"),
        ({"positions": "rotary", "heads": 4}, "an even number"),
    ],
)
def test_impossible_configurations_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        GPTConfig(**(SMALL | changes))


@pytest.mark.parametrize("positions", ["learned", "rotary", "none"])
@pytest.mark.parametrize("parts", [(7,), (1,) * 7, (3, 1, 3), (1, 6)])
def test_with_a_cache_the_logits_are_the_same(positions, parts):
    model, tokens = small_gpt(positions=positions), some_tokens()
    cache = model.new_cache()
    pieces = [model(piece, cache) for piece in tokens.split(list(parts), dim=1)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), model(tokens))
    assert [past.length for past in cache] == [7, 7]


def test_a_cache_has_no_more_room_than_there_are_positions():
    model = small_gpt()
    cache = model.new_cache()
    model(some_tokens(), cache)
    with pytest.raises(ValueError, match="8 tokens, but positions were learnt for 7"):
        model(some_tokens(1), cache)
