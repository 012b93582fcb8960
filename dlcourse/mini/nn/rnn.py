"""Recurrent layers: RNN, LSTM, GRU, and one step of each.

RNN: Elman 1990; LSTM: Hochreiter and Schmidhuber 1997; GRU: Cho et al. 2014.  Shapes: T time, B
batch, I inputs, H hidden.  `dlcourse.mini.ops.recurrent` has the steps.
"""

import math
import warnings
from itertools import product

from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn import init
from dlcourse.mini.nn.module import Module
from dlcourse.mini.nn.parameter import Parameter
from dlcourse.mini.nn.utils.rnn import PackedSequence
from dlcourse.mini.ops.creation import empty, zeros
from dlcourse.mini.ops.recurrent import GruLayer, LstmLayer, rnn_step, sweep
from dlcourse.mini.ops.shape import cat, stack

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
USUAL = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0,
         "bidirectional": False}  # fmt: skip


def _nonlinearity(name):
    if name not in ("tanh", "relu"):
        raise ValueError(f"Unknown nonlinearity '{name}'. Select from 'tanh' or 'relu'.")
    return getattr(F, name)


class RNNBase(Module):
    """What RNN, LSTM and GRU share: parameters, layers, directions, packed sequences.

    Input (T, B, I), or (B, T, I) with `batch_first`, or (T, I), or a PackedSequence; output the
    same with the hidden states of the last layer, both directions side by side, and the last state
    (layers * directions, B, H).  Dropout acts between layers.
    """

    def __init__(
        self, mode, input_size, hidden_size, num_layers=1, bias=True, batch_first=False,
        dropout=0.0, bidirectional=False, proj_size=0, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        if mode not in GATES:
            raise ValueError("Unrecognized RNN mode: " + mode)
        self.mode, self.input_size, self.hidden_size = mode, input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional, self.proj_size = dropout, bidirectional, proj_size
        self._check_options()
        self.dropout = float(dropout)
        self._all_weights = []  # names, for each layer and direction
        for layer, direction in product(range(num_layers), range(self._directions)):
            shapes = self._shapes(layer)
            suffix = f"l{layer}" + "_reverse" * direction
            self._all_weights.append([f"{name}_{suffix}" for name in shapes])
            for name, shape in shapes.items():
                weight = Parameter(empty(*shape, dtype=dtype, device=device))
                setattr(self, f"{name}_{suffix}", weight)
        self.reset_parameters()

    @property
    def _directions(self):
        return 2 if self.bidirectional else 1

    @property
    def _state_size(self):
        return self.proj_size or self.hidden_size

    def _shapes(self, layer):
        gates, state = GATES[self.mode] * self.hidden_size, self._state_size
        size = self.input_size if layer == 0 else state * self._directions
        shapes = {"weight_ih": (gates, size), "weight_hh": (gates, state)}
        if self.bias:
            shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
        if self.proj_size:
            shapes |= {"weight_hr": (self.proj_size, self.hidden_size)}
        return shapes

    def _check_options(self):
        dropout, layers = self.dropout, self.num_layers
        number = isinstance(dropout, int | float) and not isinstance(dropout, bool)
        if not number or not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an "
                "element being zeroed"
            )
        if dropout > 0 and layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={dropout} and "
                f"num_layers={layers}",
                stacklevel=4,
            )
        for name, type_ in (("bias", bool), ("batch_first", bool), ("input_size", int),
                            ("hidden_size", int)):  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, type_):
                got = type(value).__name__
                raise TypeError(f"{name} should be of type {type_.__name__}, got: {got}")
        for name in ("input_size", "hidden_size", "num_layers"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if self.proj_size < 0:
            raise ValueError(
                "proj_size should be a positive integer or zero to disable projections"
            )
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")

    def reset_parameters(self):
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    @property
    def all_weights(self):
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self):
        """Nothing: it arranges the memory of a GPU."""

    # -- forward -----------------------------------------------------------------------------------

    def forward(self, input, hx=None):
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        if input.ndim not in (2, 3):
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.ndim}D instead"
            )
        batched = input.ndim == 3
        states = None if hx is None else self._given_states(hx, batched)
        batch_dim = 0 if self.batch_first else 1
        input = input if batched else input.unsqueeze(batch_dim)
        self._check_input(input, 3)
        x = input.transpose(0, 1) if self.batch_first else input  # (T, B, I)
        time, batch, size = x.shape
        if time == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        states = self._checked_states(states, batch, x.dtype)
        out, states = self._layers(x.reshape(time * batch, size), states, [batch] * time)
        out = out.reshape(time, batch, out.shape[1])
        out = out.transpose(0, 1) if self.batch_first else out
        if not batched:
            out, states = out.squeeze(batch_dim), [s.squeeze(1) for s in states]
        return out, self._as_hx(states)

    def _forward_packed(self, input, hx):
        data, sizes, order, back = input
        self._check_input(data, 2)
        states = None if hx is None else self._split_state(hx)
        if states is not None and order is not None:
            states = [s.index_select(1, order) for s in states]
        sizes_list = sizes.tolist()
        states = self._checked_states(states, sizes_list[0], data.dtype)
        out, states = self._layers(data, states, sizes_list)
        if back is not None:
            states = [s.index_select(1, back) for s in states]
        return PackedSequence(out, sizes, order, back), self._as_hx(states)

    def _layers(self, x, states, batch_sizes):
        """Packed rows through all layers: (rows, last states of every layer and direction)."""
        finals = []
        for layer in range(self.num_layers):
            if layer > 0 and self.dropout > 0:
                x = F.dropout(x, self.dropout, self.training)
            outs = []
            for direction in range(self._directions):
                k = layer * self._directions + direction
                out, *final = self._layer(x, [s[k] for s in states], k, batch_sizes, direction == 1)
                outs.append(out)
                finals.append(final)
            x = outs[0] if len(outs) == 1 else cat(outs, 1)
        return x, [stack(each) for each in zip(*finals, strict=True)]

    def _weights(self, k):
        """w_ih, w_hh, b_ih, b_hh of a layer and direction, and w_hr; None where there is none."""
        found = dict(zip([n.split("_l")[0] for n in self._all_weights[k]],
                         self.all_weights[k], strict=True))  # fmt: skip
        names = "weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"
        return [found.get(name) for name in names]

    def _layer(self, x, states, k, batch_sizes, reverse):
        raise NotImplementedError

    # -- the state: one tensor, but for the LSTM ---------------------------------------------------

    def _split_state(self, hx):
        return [hx]

    def _as_hx(self, states):
        return states[0]

    def _given_states(self, hx, batched):
        states = self._split_state(hx)
        if any(s.ndim != 2 + batched for s in states):
            kind = "batched 3-D" if batched else "unbatched 2-D"
            name = "hx" if len(states) == 1 else "hx and cx"
            dims = ", ".join(f"{s.ndim}-D" for s in states)
            dims = f"{dims} tensor" if len(states) == 1 else f"({dims}) tensors"
            raise RuntimeError(
                f"For {kind} input, {name} should also be {2 + batched}-D but got {dims}"
            )
        return states if batched else [s.unsqueeze(1) for s in states]

    def _check_input(self, input, ndim):
        dtype = self.all_weights[0][0].dtype
        if input.dtype is not dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). Convert "
                f"input: input.to({dtype}), or convert model: model.to({input.dtype})"
            )
        if input.ndim != ndim:
            raise RuntimeError(f"input must have {ndim} dimensions, got {input.ndim}")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. Expected "
                f"{self.input_size}, got {input.shape[-1]}"
            )

    def _state_sizes(self):
        return [("hidden", self.hidden_size)]

    def _checked_states(self, states, batch, dtype):
        """The states (layers * directions, B, size), zeros if none are given."""
        shapes = [(self.num_layers * self._directions, batch, n) for _, n in self._state_sizes()]
        if states is None:
            return [zeros(*shape, dtype=dtype) for shape in shapes]
        for (what, _), state, shape in zip(self._state_sizes(), states, shapes, strict=True):
            if state.shape != shape:
                raise RuntimeError(f"Expected {what} size {shape}, got {list(state.shape)}")
        return states

    def extra_repr(self):
        text = f"{self.input_size}, {self.hidden_size}"
        for name, usual in USUAL.items():
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(RNNBase):
    """`h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`, or relu of it; `RNNBase` has the shapes."""

    def __init__(
        self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True,
        batch_first=False, dropout=0.0, bidirectional=False, device=None, dtype=None,
    ):  # fmt: skip
        _nonlinearity(nonlinearity)
        super().__init__(
            f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, bias, batch_first,
            dropout, bidirectional, 0, device, dtype,
        )  # fmt: skip
        self.nonlinearity = nonlinearity

    def _layer(self, x, states, k, batch_sizes, reverse):
        weights, function = self._weights(k)[:4], getattr(F, self.nonlinearity)

        def cell(x, states):
            return (rnn_step(x, *states, *weights, function),)

        return sweep(cell, x, states, batch_sizes, reverse)


class LSTM(RNNBase):
    """A state h and a cell c with gates; `proj_size` makes h smaller (Sak et al. 2014).

    Returns (output, (h, c)); `RNNBase` has the shapes.
    """

    def __init__(
        self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
        bidirectional=False, proj_size=0, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            proj_size, device, dtype,
        )  # fmt: skip

    def _layer(self, x, states, k, batch_sizes, reverse):
        return LstmLayer.apply(x, *states, *self._weights(k), batch_sizes, reverse)

    def _state_sizes(self):
        return [("hidden[0]", self._state_size), ("hidden[1]", self.hidden_size)]

    def _split_state(self, hx):
        h, c = hx
        return [h, c]

    def _as_hx(self, states):
        return tuple(states)


class GRU(RNNBase):
    """A state with a reset and an update gate; `RNNBase` has the shapes."""

    def __init__(
        self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
        bidirectional=False, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            0, device, dtype,
        )  # fmt: skip

    def _layer(self, x, states, k, batch_sizes, reverse):
        return GruLayer.apply(x, *states, *self._weights(k)[:4], batch_sizes, reverse)


# -- one step at a time ----------------------------------------------------------------------------


class RNNCellBase(Module):
    """Parameters of one step; input (B, I) or (I,), state (B, H) or (H,), zeros if not given."""

    def __init__(self, input_size, hidden_size, bias, num_chunks, device=None, dtype=None):
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        for name, shape in (("weight_ih", (rows, input_size)), ("weight_hh", (rows, hidden_size)),
                            ("bias_ih", (rows,)), ("bias_hh", (rows,))):  # fmt: skip
            wanted = bias or len(shape) == 2
            self.register_parameter(
                name, Parameter(empty(*shape, dtype=dtype, device=device)) if wanted else None
            )
        self.reset_parameters()

    def reset_parameters(self):
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _rows(self, input, states, names):
        """Input and states with a batch dimension."""
        kind = type(self).__name__
        for name, x in [("input", input), *zip(names, states or (), strict=False)]:
            if x.ndim not in (1, 2):
                raise ValueError(f"{kind}: Expected {name} to be 1D or 2D, got {x.ndim}D instead")
        x = input if input.ndim == 2 else input.unsqueeze(0)
        if states is None:
            states = [zeros(x.shape[0], self.hidden_size, dtype=x.dtype) for _ in names]
        elif input.ndim == 1:
            states = [s.unsqueeze(0) for s in states]
        self._check_sizes(x, states)
        return x, states

    def _check_sizes(self, x, states):
        if x.shape[1] != self.input_size:
            raise RuntimeError(
                f"input has inconsistent input_size: got {x.shape[1]} expected {self.input_size}"
            )
        for k, state in enumerate(states):
            if state.shape[0] != x.shape[0]:
                raise RuntimeError(
                    f"Input batch size {x.shape[0]} doesn't match hidden{k} batch size "
                    f"{state.shape[0]}"
                )
            if state.shape[1] != self.hidden_size:
                raise RuntimeError(
                    f"hidden{k} has inconsistent hidden_size: got {state.shape[1]}, expected "
                    f"{self.hidden_size}"
                )

    @property
    def _weights(self):
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def extra_repr(self):
        text = f"{self.input_size}, {self.hidden_size}"
        text += "" if self.bias is True else f", bias={self.bias}"
        other = getattr(self, "nonlinearity", "tanh") != "tanh"
        return text + (f", nonlinearity={self.nonlinearity}" if other else "")


class RNNCell(RNNCellBase):
    """`h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`, or relu of it."""

    def __init__(
        self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None
    ):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input, hx=None):
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        x, (h,) = self._rows(input, None if hx is None else [hx], ["hidden"])
        h = rnn_step(x, h, *self._weights, getattr(F, self.nonlinearity))
        return h if input.ndim == 2 else h.squeeze(0)


class LSTMCell(RNNCellBase):
    """One step of an LSTM: input and (h, c) to (h, c)."""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input, hx=None):
        x, states = self._rows(input, hx, ["hx[0]", "hx[1]"])
        # The output of a sequence of one step is its state.
        h, _, c = LstmLayer.apply(x, *states, *self._weights, None, [x.shape[0]], False)
        return (h, c) if input.ndim == 2 else (h.squeeze(0), c.squeeze(0))


class GRUCell(RNNCellBase):
    """One step of a GRU."""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input, hx=None):
        x, states = self._rows(input, None if hx is None else [hx], ["hidden"])
        h, _ = GruLayer.apply(x, *states, *self._weights, [x.shape[0]], False)
        return h if input.ndim == 2 else h.squeeze(0)
