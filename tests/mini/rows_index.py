"""Rows of indexing, of writing at indices, and of order."""

from rows import FREE, METHOD, B, I, T, X, row
from rows_shape import rows

M = T((3, 4))
V = T((4,))
# Every index once: where several sources fall on one place, the last one to write is anybody's.
ONCE = I((3,), values=(2, 0, 1))
PLACES = I((2, 4), values=((2, 0, 1, 1), (0, 1, 2, 0)))
TIES = T((5,), values=(1.0, 3.0, 1.0, 3.0, 2.0))
STABLE = {"stable": True, "_node": False}

INDEX_ROWS = [
    # integers beside arrays, arrays of every type
    *rows(
        "__getitem__",
        (X, (0, slice(None), [1, 2])),
        (X, (slice(None), 0, I((2,), 5))),
        (X, (I((2,), 2), 1, slice(1, 4))),
        (X, (..., I((3,), 5))),
        (X, (None, I((3,), 2), slice(0, 2))),
        (X, (I((2,), 2), slice(None), I((2,), 5))),
        (X, (I((), 2), slice(None), I((3,), 5))),
        (X, (B((2,)), 1)),
        (X, (slice(None), B((3, 5)))),
        (X, (..., B((5,)), None)),
        (X, (I((3,), 2, dtype="int32"), 0)),
        (X, (-1, [-1, -2], -1)),
        (X, (I((2, 2), 2), [0, 1])),
        (X, []),
        (X, range(2)),
        (X, False),
        (X, (None, ..., 0, None)),
        (T((0, 3)), (slice(None), [0, 1])),
        _forms=METHOD,
    ),
    # written at indices
    row("scatter", M, 0, PLACES, T((2, 4))),
    row("scatter", M, 0, PLACES, 2.5, _node=False),
    row("scatter", M, dim=0, index=PLACES, value=1, _node=False),
    row("scatter", M, dim=0, index=PLACES, src=T((3, 5), grad=False), _node=False),
    row("scatter", T((3, 4), grad=False), 0, I((3, 4), 3), T((3, 4), grad=False), reduce="add"),
    row("scatter", T((3, 4), grad=False), 0, I((3, 4), 3), 2.0, _node=False, reduce="multiply"),
    row("scatter", T((2, 3), grad=False), 1, I((2, 1), 3), 1, _node=False),
    row("scatter", I((2, 3)), 1, I((2, 1), 3), 7, _node=False),
    row("scatter", T(()), 0, I((), 1), 2.0, _node=False),
    *[
        row("scatter_reduce", M, 0, I((5, 4), 3), T((5, 4)), _node=False, reduce=how, **options)
        for how in ("sum", "mean", "amax", "amin")
        for options in ({}, {"include_self": False})
    ],
    *[
        row("scatter_reduce", x, 0, I((6,), values=(0, 1, 1, 2, 0, 2)), src, "prod", **options)
        for x in (T((4,)), T((4,), values=(0.0, 2.0, 3.0, 0.0)))
        for src in (T((6,)), T((6,), values=(2.0, 0.0, 3.0, 0.0, 5.0, 4.0)))
        for options in ({}, {"include_self": False})
    ],
    row("scatter_reduce", T((3, 4)), 1, I((3, 2), 4), T((3, 2)), "prod"),
    row("index_add", X, 1, I((4,), 3), T((2, 4, 5)), _node=False),
    row("index_add", M, 0, I((2,), 3), T((2, 4)), _node=False, alpha=-2),
    row("index_add", dim=0, index=I((2,), 4), source=T((2,)), input=V, _forms=FREE, _node=False),
    row("index_copy", X, 1, ONCE, T((2, 3, 5)), _node=False),
    row("index_copy", M, -1, I((2,), values=(3, 0)), T((3, 2)), _node=False),
    row("index_fill", X, 1, I((2,), 3), 1.5, _node=False),
    row("index_fill", M, 0, I((1,), 3), T((), grad=False), _node=False),
    row("index_put", M, (ONCE, I((3,), 4)), T((3,)), _node=False),
    row("index_put", M, (I((3,), 3), I((3,), 4)), T(()), accumulate=True, _node=False),
    row("index_put", M, (I((5,), 3),), T((5, 4)), True, _node=False),
    row("index_put", M, (B((3, 4)),), T(()), _node=False),
    row("put", M, I((3,), values=(1, 7, -1)), T((3,)), _node=False),
    row("put", M, I((3,), 3), T((3,)), True, _node=False),
    row("take", M, I((2, 3), 12, -12), _node=False),
    row("take", T(()), I((2,), 1), _node=False),
    row("take_along_dim", M, I((3, 2), 4), 1, _node=False),
    row("take_along_dim", M, I((1, 2), 4), dim=1, _node=False),
    row("take_along_dim", T((1, 4)), I((3, 2), 4), 1, _node=False),
    row("masked_select", X, B((2, 3, 5)), _node=False),
    row("masked_select", X, B((3, 1)), _node=False),
    row("masked_select", T((3, 1)), B((4,)), _node=False),
    row("masked_scatter", M, B((3, 4)), T((12,)), _node=False),
    row("masked_scatter", M, B((4,)), T((3, 5)), _node=False),
    # order
    *rows("sort", (X,), (X, 1), (X, 0, True), (T(()),), (T((0, 3)),), (I((6,), 99),)),
    row("sort", TIES, **STABLE),
    row("sort", TIES, descending=True, **STABLE),
    row("sort", X, dim=0, descending=True, **STABLE),
    row("sort", T((4,), values=(1.0, float("nan"), 0.0, 2.0), grad=False), descending=True),
    *rows("argsort", (X,), (X, 1), (X, 0, True), (T(()),), (X, -1)),
    row("argsort", TIES, descending=True, dim=0, **STABLE),
    *rows("msort", (X,), (V,)),
    *rows("topk", (X, 2), (X, 2, 1), (X, 3, -1, False), (V, 0), (T(()), 1), _node=False),
    row("topk", X, k=2, dim=0, largest=False, sorted=True),
    *rows("kthvalue", (X, 2), (X, 1, 1), (T(()), 1)),
    row("kthvalue", X, k=3, dim=1, keepdim=True, _node=False),
    *rows("nonzero", (I((3, 4), 2),), (B((5,)),), (T(()),), (T((0, 3)),)),
    row("nonzero", I((3, 4), 2), as_tuple=True),
    row("argwhere", I((3, 4), 2)),
]

INDEX_ERRORS = [
    row("__getitem__", X, I((2,), 2, dtype="int16"), _forms=METHOD),
    row("__getitem__", X, (0, 0, [9]), _forms=METHOD, _sentence=False),
    row("scatter", M, 0, I((2, 4), 9, 8), T((2, 4)), _sentence=False),
    row("scatter", M, 0, PLACES, T((1, 4)), _sentence=False),
    row("scatter", M, 0, PLACES, I((2, 4))),
    row("scatter", T((3, 4), grad=False), 0, PLACES, 1.0, reduce="mean"),
    row("scatter_reduce", M, 0, PLACES, T((2, 4)), "median", _sentence=False),
    row("index_add", M, 0, I((2,)), I((2, 4)), _sentence=False),
    row("index_add", M, 0, I((2, 2)), T((2, 4)), _sentence=False),
    row("index_copy", M, 0, I((2,)), T((3, 4)), _sentence=False),
    row("take", M, I((2,), 40, 30), _sentence=False),
    row("masked_select", M, I((3, 4)), _sentence=False),
    row("masked_scatter", M, I((3, 4)), M, _sentence=False),
    row("topk", X, 6),
    row("topk", X, 2, 3),
    row("kthvalue", X, 0, _sentence=False),
    row("sort", X, 3),
]
