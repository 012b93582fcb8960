"""Rows of creation, triangles, diagonals and grids."""

import numpy as np
from rows import FREE, METHOD, B, Dtype, I, T, X, row

F64 = Dtype("float64")

ROWS = [
    *[row(n, size=(2, 3), _forms=FREE) for n in ("zeros", "ones")],
    row("full", (2,), True, _forms=FREE),
    row("full", size=(2,), fill_value=3, _forms=FREE),
    row("arange", end=4, _forms=FREE),
    row("arange", start=1, end=4, step=2, _forms=FREE),
    row("linspace", start=0, end=3, steps=4, _forms=FREE),
    *[row("logspace", *a, **o, _forms=FREE) for a, o in (
        ((0, 2, 3), {}), ((-1, 1, 5), {"base": 2}), ((0, 1, 2), {"dtype": F64}))],
    row("scalar_tensor", 3, _forms=FREE),
    row("scalar_tensor", 3, dtype=Dtype("int64"), _forms=FREE),
    row("asarray", [1, 2], _forms=FREE),
    row("asarray", np.arange(3.0), copy=True, _forms=FREE),
    row("asarray", [1.0], requires_grad=True, _forms=FREE),
    *[row("new_tensor", X, d, _forms=METHOD) for d in ([1, 2], 3, [True])],
    row("new_tensor", I((3,)), [1.7], dtype=F64, _forms=METHOD),
    *[row(n, x, *s, _forms=METHOD) for n in ("new_zeros", "new_ones") for x, s in (
        (X, (2, 3)), (I((3,)), ((2, 3),)), (B((1,)), (2,)))],
    row("new_zeros", I((3,)), 2, dtype=F64, requires_grad=True, _forms=METHOD),
    row("new_full", X, (2,), 3, _forms=METHOD),
    row("new_full", I((3,)), (2, 1), 3, _forms=METHOD),
    *[row(f"{n}Tensor", [[1, 0], [2, 3]], _forms=FREE) for n in
      ("Float", "Double", "Half", "Long", "Int", "Short", "Char", "Byte", "Bool")],
    row("FloatTensor", _forms=FREE),
    row("detach", X, _forms=FREE),
    # triangles
    *[row(n, x, *a) for n in ("tril", "triu") for x, a in (
        (T((3, 4)), ()), (X, (1,)), (X, (-1,)), (T((4, 2)), (-2,)), (T((0, 3)), ()),
        (I((3, 3)), ()), (B((3, 3)), ()))],
    row("tril", X, diagonal=2),
    *[row(n, *a, _forms=FREE) for n in ("tril_indices", "triu_indices")
      for a in ((3, 3), (2, 4), (4, 2, 1), (3, 3, -1))],
    # diagonals
    *[row("diagonal", X, *a) for a in ((), (1,), (-1, 1, 2), (0, 2, 0), (2, -1, 0))],
    row("diagonal", T((3, 3)), offset=1),
    *[row("diag", x, *a, _node=False) for x in (T((3,)), T((3, 4)), T((0,)))
      for a in ((), (1,), (-2,))],
    *[row("diag_embed", X, *a, _node=False) for a in ((), (1,), (-1, 0, 2), (0, -1, 0))],
    row("diag_embed", T((3,)), offset=-1, dim1=1, dim2=0, _node=False),
    row("diagflat", T((2, 2)), _node=False),
    row("diagflat", T(()), 1, _node=False),
    row("trace", T((3, 4))),
    row("trace", T((4, 2))),
    row("trace", I((3, 3), 9)),
    # grids
    *[row("meshgrid", T((2,)), T((3,)), T((4,)), indexing=k, _forms=FREE, _node=False)
      for k in ("ij", "xy")],
    row("meshgrid", [I((2,)), I((3,))], indexing="xy", _forms=FREE),
    row("meshgrid", T((2,)), T(()), indexing="ij", _forms=FREE, _node=False),
    row("cartesian_prod", T((2,)), T((3,)), _forms=FREE, _node=False),
    row("cartesian_prod", I((3,)), _forms=FREE),
    *[row("combinations", T((4,)), **o, _forms=FREE, _node=False)
      for o in ({}, {"r": 3}, {"with_replacement": True}, {"r": 1})],
    row("combinations", I((2,)), 3, _forms=FREE),
]  # fmt: skip

ERRORS = [
    row("tril", T((3,))),
    row("triu", T(())),
    row("diagonal", X, 0, 1, 1),
    row("diagonal", X, 0, 3, 1),
    row("diag", X),
    row("trace", X, _sentence=False),
    row("trace", T((3,)), _sentence=False),
    row("logspace", 0, 1, -1, _forms=FREE),
    row("combinations", X, _forms=FREE),
]  # fmt: skip
