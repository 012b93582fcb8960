"""Transformers, layers and whole, from torch's weights: outputs, all gradients, refusals."""

import warnings

from dlcourse import mini
from dlcourse.testing import assert_matches

import numpy as np
import pytest
import torch
from both import agree, same_error

RNG = np.random.default_rng(0)
SOURCE, TARGET = RNG.standard_normal((3, 3, 4)), RNG.standard_normal((3, 3, 4))
CAUSAL = np.triu(np.full((3, 3), -np.inf), 1)
AHEAD = CAUSAL < 0
PADDING = np.array([[False, False, True], [False, True, True], [False, False, False]])
WIDTHS = {"d_model": 4, "nhead": 2, "dim_feedforward": 6, "dropout": 0.0}
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor", "ignore:Support for mism")


def encoder_layer(f, **options):
    return f.nn.TransformerEncoderLayer(**WIDTHS, **options)


def decoder_layer(f, **options):
    return f.nn.TransformerDecoderLayer(**WIDTHS, **options)


def encoder(f, **options):
    return f.nn.TransformerEncoder(encoder_layer(f, **options), 2, f.nn.LayerNorm(4))


def decoder(f, **options):
    return f.nn.TransformerDecoder(decoder_layer(f, **options), 2)


def transformer(f, **options):
    return f.nn.Transformer(num_encoder_layers=1, num_decoder_layers=2, **WIDTHS, **options)


def mish(x):
    return x * x.exp().sigmoid()


OPTIONS = {
    "plain": lambda f: {},
    "norm first": lambda f: {"norm_first": True, "batch_first": True},
    "gelu": lambda f: {"activation": "gelu", "bias": False, "layer_norm_eps": 1e-3},
    "module": lambda f: {"activation": f.nn.GELU(approximate="tanh")},
    "function": lambda f: {"activation": mish, "batch_first": True},
}
ONE = {  # calls with one input
    "no mask": {},
    "mask": {"mask": CAUSAL},
    "boolean": {"mask": AHEAD},
    "hint": {"mask": CAUSAL, "is_causal": True},
    "padding": {"src_key_padding_mask": PADDING},
    "both": {"mask": AHEAD, "src_key_padding_mask": PADDING},
}
TWO = {  # calls with two inputs
    "no mask": {},
    "masks": {"tgt_mask": CAUSAL, "memory_mask": AHEAD},
    "hint": {"tgt_mask": AHEAD, "tgt_is_causal": True},
    "padding": {"tgt_key_padding_mask": PADDING, "memory_key_padding_mask": PADDING},
}
WHOLE = {
    **TWO,
    "source": {"src_mask": CAUSAL, "src_key_padding_mask": PADDING * 1.5, "tgt_mask": CAUSAL},
}
CASES = [
    (make, option, call, inputs, calls[call])
    for make, inputs, calls in (
        (encoder_layer, [SOURCE], ONE),
        (encoder, [SOURCE], ONE),
        (decoder_layer, [TARGET, SOURCE], TWO),
        (decoder, [TARGET, SOURCE], TWO),
        (transformer, [SOURCE, TARGET], WHOLE),
    )
    for option, call in [*[(o, "no mask") for o in OPTIONS], *[("plain", c) for c in calls]]
    if option != "module" or make not in (decoder, transformer)  # torch's copies take relu instead
]


def both(make, option):
    """The module in both frameworks, of the same weights, whose norms are not trivial."""
    ours, theirs = (make(f, **OPTIONS[option](f)).double() for f in (mini, torch))
    with torch.no_grad():
        for i, p in enumerate(theirs.parameters()):
            p += 0.1 * torch.sin(torch.arange(p.numel()) + i).reshape(p.shape)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize(
    ("make", "option", "call", "inputs", "masks"),
    CASES,
    ids=[f"{m.__name__}-{o}-{c}" for m, o, c, *_ in CASES],
)
def test_transformer_matches_torch(make, option, call, inputs, masks):
    ours, theirs = both(make, option)
    if make is encoder_layer:
        masks = {{"mask": "src_mask"}.get(k, k): v for k, v in masks.items()}
    for batched in (True, False):  # in training; in evaluation
        for module in (ours, theirs):
            module.zero_grad()
            module.train(batched)

        def program(f, batched=batched):
            given = [x if batched else x[:, 0] for x in inputs]
            given = [f.tensor(x, requires_grad=True) for x in given]
            options = {
                name: f.tensor(mask[0] if "padding" in name and not batched else mask)
                if isinstance(mask, np.ndarray)
                else mask
                for name, mask in masks.items()
            }
            out = (ours if f is mini else theirs)(*given, **options)
            (out**3).sum().backward()
            return out, [x.grad for x in given]

        agree(program)
        assert_matches(ours, theirs)


def test_what_they_are_made_of():
    for make in (encoder_layer, encoder, decoder_layer, decoder, transformer):
        ours, theirs = make(mini), make(torch)
        assert repr(ours) == repr(theirs)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        values = {k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()}
        theirs.load_state_dict(values)
        assert_matches(ours, theirs)


def test_usual_sizes():
    for name in ("TransformerEncoderLayer", "TransformerDecoderLayer"):
        assert repr(getattr(mini.nn, name)(8, 2)) == repr(getattr(torch.nn, name)(8, 2))
    layers = encoder(mini).layers
    assert layers[0].linear1.weight is not layers[1].linear1.weight  # copies
    assert mini.equal(layers[0].linear1.weight, layers[1].linear1.weight)


def test_custom_parts():
    def program(f):
        whole = f.nn.Transformer(4, 2, custom_encoder=Passes(f), custom_decoder=Passes(f))
        return whole(f.tensor(SOURCE), f.tensor(TARGET))

    agree(program)


def Passes(f):
    class First(f.nn.Module):
        def forward(self, x, *args, **kwargs):
            return 2 * x

    return First()


def test_masks():
    agree(lambda f: f.nn.Transformer.generate_square_subsequent_mask(4))
    agree(lambda f: f.nn.Transformer.generate_square_subsequent_mask(2, dtype=f.float64))


def test_dropout_is_off_in_evaluation():
    layer = mini.nn.TransformerEncoderLayer(4, 2, 6, dropout=0.5).double()
    x = mini.tensor(SOURCE)
    assert not mini.equal(layer(x), layer(x))
    layer.eval()
    assert mini.equal(layer(x), layer(x))


@pytest.mark.parametrize(
    "program",
    [
        lambda f: f.nn.TransformerEncoderLayer(4, 2, activation="tanh"),
        lambda f: f.nn.TransformerDecoderLayer(4, 3),
        lambda f: transformer(f)(f.ones(3, 2, 4), f.ones(3, 1, 4)),
        lambda f: transformer(f, batch_first=True)(f.ones(3, 2, 4), f.ones(2, 2, 4)),
        lambda f: transformer(f)(f.ones(3, 2, 5), f.ones(3, 2, 5)),
        lambda f: encoder_layer(f)(f.ones(3, 2, 4), is_causal=True),
    ],
)
def test_error_is_torchs(program):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same_error(program)
