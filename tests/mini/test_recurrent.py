"""Recurrent layers: every derivative, packed sequences, the node against its steps, refusals."""

import warnings

from dlcourse import mini
from dlcourse.mini.ops.recurrent import GruLayer, LstmLayer
from dlcourse.testing import assert_matches

import numpy as np
import pytest
import torch
from both import agree, same_error

RNG = np.random.default_rng(0)
BATCH = RNG.standard_normal((4, 3, 4))  # (T, B, I)
LENGTHS = {"falling": [4, 2, 1], "equal": [3, 3, 3], "any": [1, 4, 2]}
OPTIONS = [
    {},
    {"bias": False},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
]
LAYERS = [(name, o) for name in ("RNN", "LSTM", "GRU") for o in OPTIONS] + [
    ("LSTM", {"proj_size": 3, "bidirectional": True, "num_layers": 2})
]
NAMES = [f"{name}-{'-'.join(o)}" for name, o in LAYERS]


def pair(name, options, hidden=5):
    """{framework: the layer}, of the same weights."""
    ours = getattr(mini.nn, name)(4, hidden, **options).double()
    theirs = getattr(torch.nn, name)(4, hidden, **options).double()
    ours.load_state_dict(theirs.state_dict())
    return {mini: ours, torch: theirs}


def listed(out):
    """All tensors of (output, h) or (output, (h, c)) whose output may be packed."""
    output, state = out
    states = list(state) if isinstance(state, tuple) else [state]
    return [output if hasattr(output, "shape") else output.data, *states]


def states(f, layer, batch):
    """States to start from, (h, c) for an LSTM; leaves."""
    rng = np.random.default_rng(1)
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    h = f.tensor(rng.standard_normal((rows, batch, layer.proj_size or layer.hidden_size)))
    c = f.tensor(rng.standard_normal((rows, batch, layer.hidden_size)))
    return [h.requires_grad_(), c.requires_grad_()][: 2 if layer.mode == "LSTM" else 1]


def derivatives(f, outs, leaves):
    """First derivatives, without and with a graph, and second derivatives."""
    loss = sum(((k + 1) * o**3).sum() for k, o in enumerate(outs))
    options = {"allow_unused": True, "materialize_grads": True}
    fast = f.autograd.grad(loss, leaves, retain_graph=True, **options)
    first = f.autograd.grad(loss, leaves, create_graph=True, **options)
    second = f.autograd.grad(sum((g**2).sum() for g in first), leaves, **options)
    return list(fast), list(first), list(second)


@pytest.mark.parametrize(("name", "options"), LAYERS, ids=NAMES)
@pytest.mark.parametrize("lengths", [None, *LENGTHS])
def test_every_derivative_is_torchs(name, options, lengths):
    layers = pair(name, options)

    def program(f):
        layer, x = layers[f], f.tensor(BATCH, requires_grad=True)
        batch_first = layer.batch_first
        rows = x.transpose(0, 1) if batch_first else x
        if lengths is not None:
            rows = f.nn.utils.rnn.pack_padded_sequence(
                rows, f.tensor(LENGTHS[lengths]), batch_first, enforce_sorted=False
            )
        hx = states(f, layer, 3)
        outs = listed(layer(rows, tuple(hx) if len(hx) == 2 else hx[0]))
        return outs, derivatives(f, outs, [x, *hx, *layer.parameters()])

    agree(program)


@pytest.mark.parametrize(("name", "options"), LAYERS, ids=NAMES)
def test_packed_without_state(name, options):
    layers = pair(name, options)

    def program(f):
        sequences = [f.tensor(BATCH[:n, k]) for k, n in enumerate(LENGTHS["any"])]
        packed = f.nn.utils.rnn.pack_sequence(sequences, enforce_sorted=False)
        output, state = layers[f](packed)
        return list(output), state, list(f.nn.utils.rnn.pad_packed_sequence(output))

    agree(program)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sizes", [[3, 3, 3], [3, 2, 2, 1], [2]])
@pytest.mark.parametrize("kind", ["lstm", "projected", "gru", "no bias"])
def test_the_node_is_its_steps(kind, sizes, reverse):
    """Forward and backward by hand against the composition that defines the layer."""
    gates, state = (3 if kind == "gru" else 4), (2 if kind == "projected" else 5)
    bias = [] if kind == "no bias" else [(gates * 5,), (gates * 5,)]
    shapes = [(sum(sizes), 4), (sizes[0], state), (sizes[0], 5)][: 2 if kind == "gru" else 3]
    shapes += [(gates * 5, 4), (gates * 5, state), *bias]
    shapes += [(2, 5)] if kind == "projected" else []
    leaves = [mini.tensor(RNG.standard_normal(s), requires_grad=True) for s in shapes]
    args = leaves + ([None, None] if kind == "no bias" else [])
    args += [None] if kind in ("lstm", "no bias") else []
    layer = GruLayer if kind == "gru" else LstmLayer
    found = []
    for function in (layer.apply, layer.plain):
        outs = function(*args, sizes, reverse)
        loss = sum(((k + 1) * o**2).sum() for k, o in enumerate(outs))
        found.append([*outs, *mini.autograd.grad(loss, leaves)])
    for ours, plain in zip(*found, strict=True):
        np.testing.assert_allclose(ours.detach(), plain.detach(), rtol=1e-9, atol=1e-12)


def test_one_gradient_alone():
    """Nobody needs that of the weights: none is made."""
    layers = pair("LSTM", {})

    def program(f):
        layer = layers[f].requires_grad_(False)
        x = f.tensor(BATCH, requires_grad=True)
        layer(x)[1][1].sum().backward()
        return x.grad, [p.grad for p in layer.parameters()]

    agree(program)


def test_backward_twice():
    layers = pair("GRU", {})

    def program(f):
        x = f.tensor(BATCH, requires_grad=True)
        out, _ = layers[f](x)
        out.sum().backward(retain_graph=True)
        out.sum().backward()
        return x.grad

    agree(program)
    out, _ = layers[mini](mini.tensor(BATCH))
    out.sum().backward()
    with pytest.raises(RuntimeError, match="a second time"):
        out.sum().backward()


def test_float32():
    layers = {f: layer.float() for f, layer in pair("LSTM", {"num_layers": 2}).items()}
    agree(lambda f: layers[f](f.tensor(BATCH.astype(np.float32))), rtol=1e-5, atol=1e-6)


def test_dropout_acts_between_layers_alone():
    mini.manual_seed(0)
    layer = mini.nn.LSTM(4, 50, 2, dropout=1.0).double()
    first, _ = layer(mini.tensor(BATCH))
    second, _ = layer(mini.tensor(-BATCH))  # the second layer sees zeros, whatever came in
    assert mini.equal(first, second)
    assert (first != 0).any().item()
    layer.eval()
    assert not mini.equal(layer(mini.tensor(BATCH))[0], layer(mini.tensor(-BATCH))[0])
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last"):
        mini.nn.GRU(4, 5, dropout=0.5)


def test_start_is_uniform_within_one_over_the_root_of_hidden():
    for name in ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"):
        for p in getattr(mini.nn, name)(30, 100).parameters():
            assert 0.08 < abs(p.detach().numpy()).max() <= 0.1
    layer = mini.nn.LSTM(4, 5, 2, proj_size=2, dtype=mini.float64)
    assert [len(weights) for weights in layer.all_weights] == [5, 5]
    assert layer.weight_hr_l1.dtype is mini.float64
    assert layer.flatten_parameters() is None


# -- sequences of unequal lengths ------------------------------------------------------------------


def sequences(f, *shape):
    rng = np.random.default_rng(2)
    return [f.tensor(rng.standard_normal((n, *shape)), requires_grad=True) for n in (2, 5, 3)]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("side", ["right", "left"])
def test_pad_sequence(shape, batch_first, side):
    def program(f):
        given = sequences(f, *shape)
        padded = f.nn.utils.rnn.pad_sequence(given, batch_first, -1.5, padding_side=side)
        grads = f.autograd.grad((padded**2).sum(), given)
        parts = [padded]
        if side == "right":
            lengths = f.tensor([2, 5, 3])
            parts += f.nn.utils.rnn.unpad_sequence(padded.detach(), lengths, batch_first)
        return parts, list(grads)

    agree(program)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("total_length", [None, 7])
def test_pack_and_pad(batch_first, total_length):
    def program(f):
        rnn = f.nn.utils.rnn
        given = sequences(f, 3)
        padded = rnn.pad_sequence(given, batch_first=batch_first)
        packed = rnn.pack_padded_sequence(
            padded, f.tensor([2, 5, 3]), batch_first=batch_first, enforce_sorted=False
        )
        again, lengths = rnn.pad_packed_sequence(packed, batch_first, 9.0, total_length)
        grads = f.autograd.grad((again**2).sum(), given)
        return list(packed), again, lengths, list(grads), rnn.unpack_sequence(packed)

    agree(program)


def test_a_packed_sequence():
    def program(f):
        rnn = f.nn.utils.rnn
        packed = rnn.pack_sequence([f.tensor([1, 2, 3]), f.tensor([4, 5]), f.tensor([6])])
        order = f.tensor([2, 0, 1])
        by_hand = rnn.PackedSequence((packed.data, packed.batch_sizes), None, order)
        assert packed.to(f.int64) is packed
        assert packed.cpu() is packed
        assert not packed.is_cuda
        return [
            repr(packed),
            packed.batch_sizes,
            packed.sorted_indices,
            list(by_hand),
            rnn.invert_permutation(order),
            rnn.invert_permutation(None),
            packed.float().data,
            packed.double().data,
            packed.int().data,
            packed.float().long().data,
            [isinstance(packed, tuple)],
        ]

    agree(program)


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "program",
    [
        lambda f: f.nn.LSTM(4, 0),
        lambda f: f.nn.LSTM(0, 4),
        lambda f: f.nn.LSTM(4, 5, 0),
        lambda f: f.nn.LSTM(4, 5.0),
        lambda f: f.nn.LSTM(4, 5, bias=1),
        lambda f: f.nn.LSTM(4, 5, dropout=2),
        lambda f: f.nn.LSTM(4, 5, dropout=True),
        lambda f: f.nn.LSTM(4, 5, proj_size=5),
        lambda f: f.nn.LSTM(4, 5, proj_size=-1),
        lambda f: f.nn.RNN(4, 5, nonlinearity="sigmoid"),
        lambda f: f.nn.RNNBase("ESN", 4, 5),
        lambda f: f.nn.LSTM(4, 5)(f.ones(3, 2, 3)),
        lambda f: f.nn.LSTM(4, 5)(f.ones(4)),
        lambda f: f.nn.GRU(4, 5)(f.ones(3, 2, 4).double()),
        lambda f: f.nn.GRU(4, 5)(f.ones(3, 2, 4), f.ones(1, 3, 5)),
        lambda f: f.nn.GRU(4, 5)(f.ones(3, 2, 4), f.ones(2, 5)),
        lambda f: f.nn.GRU(4, 5)(f.ones(3, 4), f.ones(1, 1, 5)),
        lambda f: f.nn.LSTM(4, 5)(f.ones(3, 2, 4), (f.ones(1, 2, 5), f.ones(2, 2, 5))),
        lambda f: f.nn.LSTM(4, 5)(f.ones(3, 2, 4), (f.ones(1, 1, 5), f.ones(1, 2, 5))),
        lambda f: f.nn.LSTM(4, 5)(f.ones(3, 2, 4), (f.ones(2, 5), f.ones(2, 5))),
        lambda f: f.nn.LSTM(4, 5)(f.ones(3, 4), (f.ones(1, 1, 5), f.ones(1, 1, 5))),
        lambda f: f.nn.LSTM(4, 5)(f.ones(0, 2, 4)),
        lambda f: f.nn.LSTMCell(4, 5)(f.ones(2, 3, 4)),
        lambda f: f.nn.LSTMCell(4, 5)(f.ones(2, 3)),
        lambda f: f.nn.LSTMCell(4, 5)(f.ones(2, 4), (f.ones(3, 5), f.ones(3, 5))),
        lambda f: f.nn.LSTMCell(4, 5)(f.ones(2, 4), (f.ones(2, 1, 5), f.ones(2, 5))),
        lambda f: f.nn.GRUCell(4, 5)(f.ones(2, 4), f.ones(2, 6)),
        lambda f: f.nn.GRUCell(4, 5)(f.ones(2, 4), f.ones(2, 1, 6)),
        lambda f: f.nn.RNNCell(4, 5, nonlinearity="cos")(f.ones(2, 4)),
        lambda f: f.nn.utils.rnn.pack_padded_sequence(f.ones(3, 2, 4), [2, 3]),
        lambda f: f.nn.utils.rnn.pack_padded_sequence(f.ones(3, 2, 4), [2, 0]),
        lambda f: f.nn.utils.rnn.pack_padded_sequence(f.ones(3, 2, 4), [2]),
        lambda f: f.nn.utils.rnn.pack_padded_sequence(f.ones(0, 2, 4), [2, 2]),
        lambda f: f.nn.utils.rnn.pad_sequence(3),
        lambda f: f.nn.utils.rnn.pad_sequence([]),
        lambda f: f.nn.utils.rnn.pad_sequence([f.ones(2)], padding_side="top"),
        lambda f: f.nn.utils.rnn.pad_packed_sequence(
            f.nn.utils.rnn.pack_sequence([f.ones(3)]), total_length=2
        ),
    ],
)
def test_error_is_torchs(program):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same_error(program)


def test_a_length_beyond_the_batch():
    # NB: in torch it is an error of an index.
    with pytest.raises(RuntimeError, match="at most 3"):
        mini.nn.utils.rnn.pack_padded_sequence(mini.ones(3, 2, 4), [4, 3])


def test_state_goes_both_ways():
    ours, theirs = mini.nn.LSTM(4, 5, 2), torch.nn.LSTM(4, 5, 2)
    values = {k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()}
    theirs.load_state_dict(values)
    assert_matches(ours, theirs)
