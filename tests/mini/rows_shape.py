"""Rows of the operations on shapes: dimensions moved, pieces, tensors side by side."""

from rows import FREE, METHOD, I, T, X, row

M = T((3, 4))


def rows(name, *cases, **options):
    """One row for each tuple of arguments; the nodes of compositions have their own names."""
    return [row(name, *case, **{"_node": False, **options}) for case in cases]


SHAPE_ROWS = [
    # the keywords of what takes sizes one by one
    row("reshape", X, shape=(5, 6)),
    row("view", X, size=(5, 6), _forms=METHOD),
    row("permute", X, dims=(2, 0, 1)),
    row("expand", T((3, 1)), size=(3, 4), _forms=METHOD),
    row("flip", X, dims=(0, 2)),
    row("sum_to_size", X, size=(3, 1), _forms=METHOD, _node=False),
    row("reshape", X, I((), values=3), 10, _forms=METHOD, _node=False),
    # other shapes
    *rows("ravel", (X,), (T(()),), (T((0, 3)),)),
    *rows("unflatten", (X, -1, (1, 5)), (T((6, 2)), 0, (2, -1)), (T((0, 2)), 0, (0, 3))),
    row("unflatten", T((6,)), dim=0, sizes=[3, 2], _node=False),
    *[row(n, X, *d, _node=True) for n in ("swapaxes", "swapdims") for d in ((0, 1), (-1, 0))],
    row("swapaxes", X, axis0=0, axis1=2),
    row("adjoint", X),
    *rows("movedim", (X, 0, -1), (X, (0, 1), (2, 0)), (X, -1, 0), (T((0, 3)), 0, 1)),
    row("moveaxis", X, 0, 1, _node=False),
    row("moveaxis", X, source=(0, 1), destination=(1, 2), _node=False),
    *rows("view_as", (X, T((5, 6), grad=False)), _forms=METHOD),
    *rows("reshape_as", (X, T((5, 6), grad=False)), _forms=METHOD),
    *rows("expand_as", (T((3, 1)), T((2, 3, 4), grad=False)), _forms=METHOD),
    *rows("broadcast_to", (T((3, 1)), (2, 3, 4)), (T(()), (2,)), (T((1,)), (0,))),
    row("unfold", X, 1, 2, 1, _forms=METHOD),
    *[row("unfold", X, -1, size, step, _forms=METHOD) for size, step in ((2, 2), (3, 1), (1, 4))],
    row("unfold", T((7,)), dimension=0, size=4, step=3, _forms=METHOD),
    row("unfold", T((1,)), 0, 1, 1, _forms=METHOD, _node=False),
    # copies
    row("roll", X, 1, _node=False),
    row("roll", X, 2, 1),
    row("roll", X, (1, -2), (0, 2)),
    row("roll", X, shifts=-1, dims=-1),
    row("roll", T((0, 3)), 1, 0, _node=False),
    row("roll", T(()), 1, _node=False),
    *rows("fliplr", (X,), (T((0, 3)),)),
    *rows("flipud", (X,), (T((3,)),)),
    *rows("rot90", *[(X, k, (0, 2)) for k in (1, 2, 3, 4, -1)], (M,), (M, 1, [1, 0])),
    row("repeat", X, 2, 1, 3, _forms=METHOD),
    row("repeat", T((3,)), 2, 4, _forms=METHOD),
    row("repeat", T(()), 3, _forms=METHOD),
    row("repeat", T((2, 3)), (2, 0), _forms=METHOD),
    row("repeat", T((2, 3)), repeats=(1, 2), _forms=METHOD),
    row("repeat", T(()), (), _forms=METHOD),
    *rows("tile", (X, (2,)), (X, (2, 1, 1, 2)), (T(()), (2, 2))),
    row("tile", X, dims=(2, 2)),
    row("tile", X, 2, 3, _forms=METHOD),
    *rows("repeat_interleave", (X, 2), (X, 3, 1), (X, I((3,), 3), 1), (X, I((1,), 3, 1), -1)),
    row("repeat_interleave", I((4,), 4), _forms=FREE),
    row("repeat_interleave", T((3,)), repeats=2, dim=0, _node=False),
    row("repeat_interleave", X, I((), 3, 2), 0, _node=False),
    *rows("kron", (M, T((2, 3))), (T(()), M), (T((0, 2)), M)),
    # pieces
    *rows("narrow", (X, 1, 1, 2), (X, -1, -2, 2), (X, 0, 0, 0), _node=True),
    row("narrow", X, dim=2, start=1, length=3),
    *rows("select", (X, 1, 2), (X, -1, -1), (X, 0, 0), _node=True),
    row("select", X, dim=1, index=0),
    *rows("split", (X, 2, 2), (X, [1, 2], 1), (T((0,)), 0), _forms=METHOD),
    row("split", X, split_size=2, dim=1, _forms=METHOD, _node=False),
    row("split", X, split_size_or_sections=2, dim=1, _forms=FREE, _node=False),
    *rows("split_with_sizes", (X, [1, 2], 1), (X, [0, 2])),
    *rows("chunk", (X, 2, 2), (X, 3), (X, 7, -1), (T((0, 2)), 2)),
    row("chunk", X, chunks=2, dim=-1, _node=False),
    *rows("tensor_split", (X, 2, 2), (X, 4, -1), (X, [1, 3], 2), (X, (0, 1, 7))),
    *rows("tensor_split", (X, I((2,), values=(1, 2)), 2), (X, I((), values=2), 1)),
    row("tensor_split", X, sections=3, dim=1, _node=False),
    *rows("hsplit", (X, 3), (X, [1, 2]), (T((4,)), 2)),
    *rows("vsplit", (X, 2), (X, [1])),
    *rows("dsplit", (X, 5), (X, (1, 4))),
    # side by side
    *rows("cat", ([T((0,)), X],), ([X, T((0,))], 1), ([T((0,)), T((0,))],), _forms=FREE),
    row("cat", tensors=[X, X], dim=1, _forms=FREE, _node=False),
    *rows("concat", ([X, X], 1), _forms=FREE),
    *rows("concatenate", ([X, X], -1), _forms=FREE),
    *[
        row(n, a, _forms=FREE, _node=False)
        for n in ("hstack", "vstack", "row_stack", "dstack", "column_stack")
        for a in ([T((3,)), T((3,))], [M, M], (X, X), [T(()), T(())], [M], [I((3,)), T((3,))])
    ],
    row("column_stack", [T((3,)), M], _forms=FREE, _node=False),
    row("block_diag", M, T((2,)), T(()), _forms=FREE, _node=False),
    row("block_diag", T((0, 2)), M, _forms=FREE, _node=False),
    *[
        row(f"atleast_{n}d", *a, _forms=FREE, _node=False)
        for n in (1, 2, 3)
        for a in ((T(()),), (T((3,)),), (M,), (X,), (T(()), M), ([T((3,)), T(())],), (T((0,)),))
    ],
    row("broadcast_tensors", T((3, 1)), T((4,)), T(()), _forms=FREE, _node=False),
]

SHAPE_ERRORS = [
    row("reshape", X, 2.0, _forms=METHOD, _sentence=False),
    row("cat", X, _forms=FREE),
    row("cat", [X, 1], _forms=FREE, _sentence=False),
    row("stack", X, _forms=FREE),
    row("unflatten", X, 1, (2, 2)),
    row("unflatten", X, 3, (2, 2)),
    row("narrow", X, 1, 2, 2),
    row("narrow", X, 1, 0, -1),
    row("narrow", X, 1, 5, 1),
    row("select", X, 1, 3),
    row("select", T(()), 0, 0),
    row("split", X, 0),
    row("chunk", X, 0),
    row("chunk", X, 2, 4),
    row("tensor_split", X, 0),
    row("tensor_split", X, T((1,))),
    row("tensor_split", T(()), 1),
    row("hsplit", T(()), 2),
    row("hsplit", T((3,)), 2),
    row("vsplit", T((3,)), 3),
    row("vsplit", X, 4),
    row("dsplit", M, 2),
    row("roll", X, (1, 2), 1),
    row("roll", X, 1, 5),
    row("rot90", X, 1, (0, 0)),
    row("rot90", X, 1, (0, 3)),
    row("rot90", X, 1, (0,)),
    row("fliplr", T((2,))),
    row("flipud", T(())),
    row("repeat", X, 2, _forms=METHOD),
    row("repeat", X, 2, 2, -1, _forms=METHOD),
    row("repeat_interleave", X, I((2,)), 1),
    row("repeat_interleave", X, -1),
    row("movedim", X, (0, 1), (0, 0)),
    row("movedim", X, (0, 1), (0,)),
    row("broadcast_to", X, (2, 3, 4)),
    row("broadcast_shapes", (2, 3), (4,), _forms=FREE),
    row("broadcast_tensors", X, T((4,)), _forms=FREE),
    row("column_stack", [T((2,)), T((3, 1))], _forms=FREE),
    row("hstack", [], _forms=FREE),
    row("block_diag", X, _forms=FREE),
    row("unfold", X, 3, 2, 1, _forms=METHOD),
    row("unfold", X, 1, 4, 1, _forms=METHOD),
    row("unfold", X, 1, 2, 0, _forms=METHOD),
    row("as_strided", X, (40,), (1,), _sentence=False),
    row("view_as", X, 3, _forms=METHOD),
    row("expand_as", X, T((2,)), _forms=METHOD, _sentence=False),
]
