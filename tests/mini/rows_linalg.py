"""Rows of products and of linear algebra."""

from rows import FREE, I, T, X, row
from rows_shape import rows

M, V, C = T((3, 4)), T((4,)), T((4,), grad=False)
S = T((3, 3))
BATCH = T((2, 3, 4))

LINALG_ROWS = [
    row("addmm", V, T((2, 3)), M, beta=0.5, alpha=-2, _node=False),
    row("addmm", T((4,), grad=False), T((2, 3)), M, beta=0, _node=False),
    *rows("mv", (M, V), (T((0, 4)), V)),
    *rows("addmv", (T((3,)), M, V), (T(()), M, V)),
    row("addmv", T((3,)), M, V, beta=2, alpha=3, _node=False),
    *rows("addr", (M, T((3,)), V), (T((1,)), T((3,)), V)),
    row("addr", M, T((3,)), V, beta=0.5, alpha=2, _node=False),
    *rows("baddbmm", (T((2, 3, 5)), BATCH, T((2, 4, 5))), (T((5,)), BATCH, T((2, 4, 5)))),
    row("baddbmm", T((2, 3, 5)), BATCH, T((2, 4, 5)), beta=2, alpha=0.5, _node=False),
    *rows("addbmm", (T((3, 5)), BATCH, T((2, 4, 5)))),
    *rows("ger", (T((3,)), V)),
    *rows("vdot", (V, V)),
    *rows("inner", (V, V), (X, T((4, 5))), (T(()), X), (X, T(())), (V, M)),
    *rows("matrix_power", (S, 3), (S, 1), (T((2, 3, 3)), 4)),
    row("matrix_power", T((3, 3), grad=False), 0, _node=False),
    *rows("cross", (T((3, 4)), T((3, 4))), (T((2, 3)), T((2, 3)), 1)),
    *rows("chain_matmul", (M, T((4, 2)), T((2, 5)), T((5, 3))), (M, T((4, 1))), _forms=FREE),
    *rows("vander", (C,), (C, 3), (C, 3, True), _forms=FREE),
    *rows("tensordot", (X, T((3, 5, 2))), (X, T((5, 4)), 1), (M, V, 0), _forms=FREE),
    row("tensordot", X, T((5, 2, 4)), dims=([0, 2], [1, 0]), _forms=FREE, _node=False),
    *[
        row("einsum", equation, *operands, _forms=FREE, _node=False)
        for equation, *operands in (
            ("ij,jk->ik", M, T((4, 2))),
            ("ij,jk", M, T((4, 2))),
            ("bij,bjk->bik", BATCH, T((2, 4, 5))),
            ("bij , bkj -> bik", BATCH, T((2, 5, 4))),
            ("i,j->ij", T((3,)), V),
            ("i,i->", V, V),
            ("ii->i", S),
            ("ii", S),
            ("ij->ji", M),
            ("ij->", M),
            ("ij->j", M),
            ("ba", M),
            ("bii->b", T((2, 3, 3))),
            ("iij,j->i", T((3, 3, 4)), V),
            ("...ij,...jk->...ik", T((2, 1, 3, 4)), T((5, 4, 2))),
            ("...i,i", BATCH, V),
            ("i...->...", BATCH),
            ("...,...->...", M, V),
            ("bhqd,bhkd->bhqk", T((2, 2, 3, 4)), T((2, 2, 5, 4))),
            ("bn,anm,bm->ba", T((2, 3)), T((5, 3, 4)), T((2, 4))),
            ("ij,kj,l->ik", M, T((2, 4)), T((5,))),
            ("ij,ij->ij", M, M),
            ("ij,jk->ik", T((3, 1)), T((4, 2))),
            ("a,b,c->cab", T((2,)), T((3,)), V),
            ("ij,jk->ik", T((0, 4)), T((4, 2))),
            ("i,i->i", I((3,)), I((3,))),
            (",ij->ij", T(()), M),
        )
    ],
    row("einsum", "ij,jk->ik", [M, T((4, 2))], _forms=FREE, _node=False),
]

LINALG_ERRORS = [
    row("einsum", "ij,jk->ik", M, M, _forms=FREE),
    row("einsum", "ij,jk->ik", M, _forms=FREE, _sentence=False),
    row("einsum", "ij->k", M, _forms=FREE, _sentence=False),
    row("einsum", "ijk->i", M, _forms=FREE),
    row("einsum", "i1->i", M, _forms=FREE, _sentence=False),
    row("einsum", "ij->ii", M, _forms=FREE, _sentence=False),
    row("einsum", "ii->i", M, _forms=FREE, _sentence=False),
    row("tensordot", M, M, 1, _forms=FREE, _sentence=False),
    row("mv", M, T((3,)), _sentence=False),
    row("inner", M, T((3,))),
    row("matrix_power", M, 2),
    row("cross", V, V, _sentence=False),
    row("cross", T((3,)), T((2, 3))),
    row("baddbmm", T((2, 2, 2)), BATCH, T((2, 4, 5)), _sentence=False),
]
