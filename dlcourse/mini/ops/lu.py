"""The exponential of a matrix.

With it the factors of Gaussian elimination, A = P L U, which `mini.linalg` shows.
"""

from typing import NamedTuple

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.factor import Solve
from dlcourse.mini.ops.operation import Op

import numpy as np


class LuResult(NamedTuple):
    """A permutation, a unit lower triangle, an upper triangle."""

    P: Tensor
    L: Tensor
    U: Tensor


def eliminate(a):
    """(P, L, U) of one matrix, with the largest element of the column as pivot."""
    rows, columns = a.shape
    u, lower, order = a.copy(), np.eye(rows, min(a.shape), dtype=a.dtype), np.arange(rows)
    for k in range(min(a.shape)):
        pivot = k + np.abs(u[k:, k]).argmax()
        if u[pivot, k] == 0:
            continue
        swap = [pivot, k]
        u[[k, pivot]], order[[k, pivot]] = u[swap], order[swap]
        lower[[k, pivot], :k] = lower[swap, :k]
        lower[k + 1 :, k] = u[k + 1 :, k] / u[k, k]
        u[k + 1 :] -= lower[k + 1 :, k, None] * u[k]
    return np.eye(rows, dtype=a.dtype)[:, order], lower, np.triu(u[: min(rows, columns)])


class Lu(Op):
    """P, L, U with A = P L U."""

    def name(self):
        return "LinalgLuBackward0"

    @staticmethod
    def forward(ctx, x):
        a = x._data
        parts = [eliminate(matrix) for matrix in a.reshape(-1, *a.shape[-2:])]
        out = [np.stack(p).reshape(*a.shape[:-2], *p[0].shape) for p in zip(*parts, strict=True)]
        p, lower, u = map(wrap, out)
        ctx.save_for_backward(p, lower, u)
        ctx.mark_non_differentiable(p)
        return p, lower, u

    @staticmethod
    def backward(ctx, _, grad_l, grad_u):
        p, lower, u = ctx.saved_tensors
        if lower._data.shape[-2] != u._data.shape[-1]:
            raise NotImplementedError("mini differentiates linalg.lu of square matrices alone")
        # dL/dA = P L^-T (tril(L^T dL/dL, -1) + triu(dL/dU U^T)) U^-T
        inner = (lower.mT @ grad_l).tril(-1) + (grad_u @ u.mT).triu()
        return p @ Solve.apply(lower.mT, Solve.apply(u, inner.mT).mT)


def lu(A, *, pivot=True):
    """(P, L, U) with A = P L U: a permutation, a unit lower and an upper triangle."""
    if not pivot:
        raise NotImplementedError("mini's linalg.lu knows pivot=True alone")
    if A._data.ndim < 2:
        raise RuntimeError(
            "linalg.lu: Expected tensor with 2 or more dimensions. Got size: "
            f"{list(A.shape)} instead"
        )
    return LuResult(*Lu.apply(A))


# -- the exponential -------------------------------------------------------------------------------

TERMS = 18  # enough for float64 where the norm is below 1


def matrix_exp(input):
    """`I + A + A^2 / 2! + ...` of square matrices."""
    # NB: in torch it is one node, LinalgMatrixExpBackward0.
    if input._data.ndim < 2 or input._data.shape[-1] != input._data.shape[-2]:
        raise RuntimeError(
            "linalg.matrix_exp: A must be batches of square matrices, but they are "
            f"{' by '.join(map(str, input.shape[-2:]))} matrices"
        )
    if not input.dtype.is_floating_point:
        raise RuntimeError(
            "linalg.matrix_exp: Expected a floating point or complex tensor as input. Got "
            f"{input.dtype.scalar_type}"
        )
    size = np.abs(input._data).sum(-1).max() if input._data.size else 0
    # exp(A) = exp(A / 2^n)^(2^n), for the series converges fast where A is small.
    halvings = max(int(np.ceil(np.log2(size))), 0) if size > 1 else 0
    small = input / 2**halvings
    one = wrap(np.eye(input._data.shape[-1], dtype=small._data.dtype))
    out = one + small / TERMS
    for k in range(TERMS - 1, 0, -1):  # Horner: 1 + A/1 (1 + A/2 (1 + ...))
        out = one + small @ out / k
    for _ in range(halvings):
        out = out @ out
    return out.expand(input._data.shape)
