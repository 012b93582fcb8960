"""Tables of rows and bilinear maps: rows of test_functional and of test_modules."""

import numpy as np
from optable import I, T, row
from rows_modules import floats

TABLE = T((5, 3))
NUMBERS = I((2, 4), 5)
FLAT = I((7,), values=(0, 4, 2, 2, 1, 0, 3))
STARTS = I((4,), values=(0, 2, 2, 5))  # the second bag is empty
ENDS = I((4,), values=(0, 2, 2, 7))

ROWS = [
    *[
        row("embedding", index, TABLE, *a, **o)
        for index in (NUMBERS, FLAT, I(()), I((2, 3), dtype="int32"))
        for a, o in (((), {}), ((2,), {}), ((-1,), {}))
    ],
    row("embedding", FLAT, T((5, 3), grad=False), max_norm=1.0),
    row("embedding", FLAT, T((5, 3), grad=False), None, 1.0, 1.0),
    row("bilinear", T((4, 2)), T((4, 3)), T((5, 2, 3)), T((5,))),
    row("bilinear", T((2, 4, 2)), T((2, 4, 3)), T((5, 2, 3))),
    row("bilinear", T((2,)), T((3,)), T((5, 2, 3)), T((5,))),
]
# Those of which torch has no second derivative, or a wrong one.
FIRST = [
    row("embedding", NUMBERS, TABLE, scale_grad_by_freq=True),
    row("embedding", FLAT, TABLE, padding_idx=0, scale_grad_by_freq=True),
    *[
        row("embedding_bag", index, TABLE, offsets, mode=mode, padding_idx=p)
        for mode in ("sum", "mean", "max")
        for index, offsets in ((NUMBERS, None), (FLAT, STARTS))
        for p in (None, 2)
    ],
    row("embedding_bag", NUMBERS, TABLE),
    row("embedding_bag", FLAT, TABLE, ENDS, include_last_offset=True, mode="sum"),
    row("embedding_bag", NUMBERS, TABLE, per_sample_weights=T((2, 4)), mode="sum"),
    row("embedding_bag", FLAT, TABLE, STARTS, per_sample_weights=T((7,)), mode="sum"),
    row("embedding_bag", FLAT, T((5, 3), grad=False), STARTS, max_norm=1.0),
]
ERRORS = [
    row("embedding", I((2,), 9, 5), TABLE),
    row("embedding", I((2,), 0, -2), TABLE),
    row("embedding", T((2,)), TABLE),
    row("embedding", FLAT, T((5,))),
    row("embedding", FLAT, TABLE, 5, _sentence=False),
    row("embedding_bag", FLAT, TABLE),
    row("embedding_bag", NUMBERS, TABLE, STARTS, _sentence=False),
    row("embedding_bag", I((2, 2, 2)), TABLE),
    row("embedding_bag", FLAT, TABLE, I((2,), values=(1, 2))),
    row("embedding_bag", FLAT, TABLE, STARTS, mode="min"),
    row("embedding_bag", NUMBERS, TABLE, per_sample_weights=T((2, 4))),
    row("bilinear", T((4, 2)), T((3, 3)), T((5, 2, 3)), _sentence=False),
    row("bilinear", T((4, 3)), T((4, 3)), T((5, 2, 3)), _sentence=False),
]

INDEX = np.array([[0, 2, 1], [4, 4, 0]])
MODULES = [
    ("Bilinear", (4, 3, 2), {}, [floats(5, 4), floats(5, 3)]),
    ("Bilinear", (4, 3, 2), {"bias": False}, [floats(2, 5, 4), floats(2, 5, 3)]),
    ("Embedding", (5, 3), {}, [INDEX]),
    ("Embedding", (5, 3), {"padding_idx": 2}, [INDEX]),
    ("Embedding", (5, 3, -1, 1.0, 1.0, True), {}, None),
    ("Embedding", (5, 3), {"_weight": floats(5, 3), "max_norm": 0.5}, [INDEX]),
    ("EmbeddingBag", (5, 3), {}, [INDEX]),
    ("EmbeddingBag", (5, 3), {"mode": "max", "padding_idx": 1}, [INDEX]),
    ("EmbeddingBag", (5, 3, 2.0, 1.0, True, "sum"), {}, None),
    ("EmbeddingBag", (5, 3), {"mode": "sum"}, [INDEX[0], np.array([0, 1])]),
]
