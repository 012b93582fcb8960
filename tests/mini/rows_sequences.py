"""The rows of test_modules for sequences: recurrent layers, attention, Transformers."""

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

MODULES = [*RECURRENT]
