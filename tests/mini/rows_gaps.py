"""Rows of rarer names: pieces written into a copy, windows, histograms, matrices."""

from rows import FREE, Dtype, I, T, X, row
from rows_shape import rows

S = T((3, 3))
TWICE = I((4,), values=(2, 0, 2, 1))
SOURCE = T((4, 2))
EDGES = T((4,), values=(-2.0, -1.0, 0.5, 2.0), grad=False)
FLOATS = T((20,), grad=False)

GAP_ROWS = [
    row("slice_scatter", X, T((2, 2, 5)), 1, 1, _node=False),
    row("slice_scatter", X, T((1, 3, 5)), end=1, _node=False),
    row("slice_scatter", X, T((2, 3, 3)), dim=-1, start=0, end=5, step=2, _node=False),
    row("slice_scatter", X, T((2, 3, 2)), -1, -2, _node=False),
    row("select_scatter", X, T((2, 5)), 1, 2, _node=False),
    row("select_scatter", X, T((2, 3)), dim=-1, index=-1, _node=False),
    row("diagonal_scatter", S, T((3,)), _node=False),
    row("diagonal_scatter", X, T((2, 3)), 1, -2, -1, _node=False),
    *[
        row("index_reduce", T((3, 2)), 0, TWICE, SOURCE, how, include_self=own, _node=False)
        for how in ("mean", "amax", "amin")
        for own in (True, False)
    ],
    row("index_reduce", T((2, 3), grad=False), 1, TWICE, T((2, 4), grad=False), "prod"),
    *rows("unravel_index", (I((2, 3), 24), (2, 3, 4)), (I((), 5), 5), _forms=FREE),
    *[
        row(f"{name}_window", *args, _forms=FREE)
        for name in ("hann", "hamming", "blackman", "bartlett")
        for args in ((7,), (6, False), (1,), (0,), (2, True))
    ],
    row("hann_window", 5, periodic=False, dtype=Dtype("float64"), _forms=FREE),
    row("hamming_window", 5, True, 0.5, beta=0.3, requires_grad=True, _forms=FREE),
    row("histogram", FLOATS, 5),
    row("histogram", FLOATS, bins=4, range=(-1.0, 1.5)),
    row("histogram", FLOATS, EDGES, weight=T((20,), 0.1, grad=False), density=True),
    *rows("matrix_exp", (S,), (T((2, 3, 3), -6.0, 6.0),), (T((2, 1, 1)),), _node=False),
    row("norm", S, "nuc", _node=False),
    row("norm", T((2, 3, 3)), p="nuc", dim=(1, 2), keepdim=True, _node=False),
]
GAP_ERRORS = [
    row("slice_scatter", X, T((2, 2, 5)), 1, 0, 1, _sentence=False),
    row("select_scatter", X, T((2, 2)), 1, 0, _sentence=False),
    row("select_scatter", X, T((2, 5)), 1, 3),
    row("index_reduce", T((3, 2)), 0, TWICE, SOURCE, "sum", _sentence=False),
    row("unravel_index", T((2,)), (2, 3), _forms=FREE, _sentence=False),
    row("matrix_exp", T((2, 3)), _sentence=False),
    row("histogram", I((3,)), 2, _sentence=False),
    row("hann_window", -1, _forms=FREE, _sentence=False),
]
