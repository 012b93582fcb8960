"""The rows of test_modules for sequences: recurrent layers, attention, Transformers."""

import numpy as np
from rows_modules import floats

BATCH = floats(3, 2, 4)  # (T, B, I)
ROWS = floats(2, 4)
STATE, CELL = floats(2, 5), floats(2, 5)
LAST = floats(4, 2, 5)  # two layers, two directions

RECURRENT = [
    *[
        (name, (4, 5), options, [BATCH])
        for name in ("RNN", "LSTM", "GRU")
        for options in (
            {},
            {"num_layers": 2, "bidirectional": True},
            {"batch_first": True, "bias": False},
        )
    ],
    *[(name, (4, 5, 2), {"batch_first": True}, [ROWS]) for name in ("RNN", "LSTM", "GRU")],
    *[(name, (4, 5, 2), {"bidirectional": True}, [BATCH, LAST]) for name in ("RNN", "GRU")],
    ("LSTM", (4, 5, 2), {"bidirectional": True}, [BATCH, (LAST, -LAST)]),
    ("LSTM", (4, 5), {"proj_size": 3}, [BATCH, (floats(1, 2, 3), floats(1, 2, 5))]),
    ("LSTM", (4, 5, 2), {"proj_size": 3, "bidirectional": True}, [BATCH]),
    ("RNN", (4, 5, 2, "relu"), {}, [BATCH]),
    ("RNN", (4, 5), {"nonlinearity": "relu"}, [BATCH]),
    ("GRU", (4, 5, 2, True, True, 0.5, True), {}, None),
    *[(name, (4, 5), {}, [ROWS]) for name in ("RNNCell", "LSTMCell", "GRUCell")],
    *[(name, (4, 5, False), {}, [ROWS[0]]) for name in ("RNNCell", "LSTMCell", "GRUCell")],
    *[(name, (4, 5), {}, [ROWS, STATE]) for name in ("RNNCell", "GRUCell")],
    ("LSTMCell", (4, 5), {}, [ROWS, (STATE, CELL)]),
    ("LSTMCell", (4, 5), {}, [ROWS[0], (STATE[0], CELL[0])]),
    ("RNNCell", (4, 5), {"nonlinearity": "relu"}, [ROWS, STATE]),
    ("RNNBase", ("GRU", 4, 5), {}, None),
    ("RNNCellBase", (4, 5, True, 3), {}, None),
]

QUERY, KEY = floats(3, 2, 4), floats(5, 2, 4)  # (T, B, E), (S, B, E)
PADDING = np.array([[False, False, True], [False, True, True]])
SQUARE = np.array([[False, True, True], [False, False, True], [True, False, False]])
SELF = [QUERY, QUERY, QUERY]
ATTENTION = [
    ("MultiheadAttention", (4, 2), {}, SELF),
    ("MultiheadAttention", (4, 2), {"bias": False}, SELF),
    ("MultiheadAttention", (4, 4), {"batch_first": True}, SELF),
    ("MultiheadAttention", (4, 1), {}, [QUERY, KEY, KEY]),
    (
        "MultiheadAttention",
        (4, 2),
        {"batch_first": True},
        [QUERY, floats(3, 6, 4), floats(3, 6, 4)],
    ),
    ("MultiheadAttention", (4, 2), {}, [QUERY, KEY, KEY, None, False]),
    ("MultiheadAttention", (4, 2), {}, [*SELF, PADDING, True, SQUARE[[0, 1, 1]]]),
    ("MultiheadAttention", (4, 2), {}, [*SELF, PADDING, False]),
    ("MultiheadAttention", (4, 2), {}, [*SELF, None, True, floats(3, 3), False]),
    ("MultiheadAttention", (4, 2), {}, [*SELF, None, False, floats(4, 3, 3)]),
    ("MultiheadAttention", (4, 2), {}, [*SELF, None, False, SQUARE]),
    ("MultiheadAttention", (4, 2), {}, [*SELF, None, False, SQUARE, True, True]),
    ("MultiheadAttention", (4, 2), {}, [*SELF, PADDING, False, SQUARE, True, True]),
    ("MultiheadAttention", (4, 2), {"add_bias_kv": True, "add_zero_attn": True}, SELF),
    (
        "MultiheadAttention",
        (4, 2),
        {"add_bias_kv": True, "add_zero_attn": True},
        [*SELF, PADDING, False, SQUARE],
    ),
    ("MultiheadAttention", (4, 2), {"kdim": 3}, [QUERY, floats(5, 2, 3), KEY]),
    ("MultiheadAttention", (4, 2), {"vdim": 3, "bias": False}, [QUERY, KEY, floats(5, 2, 3)]),
    ("MultiheadAttention", (4, 2), {}, [QUERY[0], KEY[0], KEY[0]]),
    ("MultiheadAttention", (4, 2), {}, [QUERY[:, 0], QUERY[:, 0], QUERY[:, 0], PADDING[0], False]),
    ("MultiheadAttention", (4, 2, 1.0), {}, SELF),
]

MODULES = [*RECURRENT, *ATTENTION]
# in test_transformer, for they are made of modules
ELSEWHERE = {
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
}
