"""Inverses, determinants and factors: the functions of `mini.linalg` and their older names."""

import math

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.factor import (
    Cholesky,
    Det,
    Eigh,
    EighResult,
    Inverse,
    LstsqResult,
    OldSvdResult,
    Pinv,
    Qr,
    QrResult,
    Slogdet,
    SlogdetResult,
    Solve,
    Svd,
    SvdResult,
)
from dlcourse.mini.ops.operation import Op
from dlcourse.mini.ops.reduce import axes_of, restore
from dlcourse.mini.ops.shape import wrap_dim

import numpy as np

INF = math.inf


class VectorNorm(Op):
    """(sum of |x|^p)^(1/p), whose gradient at the origin is 0."""

    def name(self):
        return "LinalgVectorNormBackward0"

    @staticmethod
    def forward(ctx, x, p, axes, keepdim):
        ctx.p, ctx.axes = p, axes
        size = np.abs(x._data)
        if p == 0:
            total = (size != 0).sum(axes, keepdims=keepdim)
        elif p == 2:
            total = np.sqrt((size * size).sum(axes, keepdims=keepdim))
        else:
            total = (size**p).sum(axes, keepdims=keepdim) ** (1 / p)
        out = wrap(np.asarray(total, x._data.dtype))
        ctx.save_for_backward(x, out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        x, out = ctx.saved_tensors
        shape, p = x._data.shape, ctx.p
        if p == 0:
            return x * 0, None, None, None
        if p == 1:
            return restore(grad_output, ctx.axes, shape) * x.sign(), None, None, None
        origin = wrap(out._data == 0)
        share = grad_output / (out if p == 2 else out ** (p - 1))
        share = restore(share.masked_fill(origin, 0.0), ctx.axes, shape)
        if p == 2:
            return share * x, None, None, None  # dL/dx = dL/dy x / |x|
        power = (x.abs() ** (p - 1)).masked_fill(wrap(x._data == 0), 0.0)
        return share * power * x.sign(), None, None, None


# -- what must be given ----------------------------------------------------------------------------


def _matrix(name, x, what="A"):
    if x._data.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor {what} must have at least 2 dimensions.")
    if x._data.dtype.kind != "f":
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got "
            f"{x.dtype.scalar_type}"
        )
    if x._data.dtype == np.float16:
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got Half")


def _square(name, x):
    _matrix(name, x)
    n, m = x._data.shape[-2:]
    if n != m:
        raise RuntimeError(
            f"{name}: A must be batches of square matrices, but they are {n} by {m} matrices"
        )


# -- inverses and solutions ------------------------------------------------------------------------


def inv(A):
    """The inverse of each square matrix."""
    _square("linalg.inv", A)
    return Inverse.apply(A)


def inverse(input):
    """The inverse of each square matrix."""
    return inv(input)


def pinv(A, *, atol=None, rtol=None, hermitian=False):
    """The Moore-Penrose inverse; singular values up to rtol times the largest count as 0."""
    _matrix("linalg.pinv", A)
    if atol is not None:
        raise NotImplementedError("mini's pinv takes rtol, not atol")
    if rtol is None:
        rtol = max(A._data.shape[-2:]) * np.finfo(A._data.dtype).eps
    return Pinv.apply(A, float(rtol), hermitian)


def pinverse(input, rcond=1e-15):
    """The Moore-Penrose inverse, torch's older name."""
    return pinv(input, rtol=rcond)


def solve(A, B, *, left=True):
    """X with A X = B (left) or X A = B; B is a matrix, or a vector for each A."""
    _square("linalg.solve", A)
    if A._data.dtype != B._data.dtype:
        raise RuntimeError(
            "linalg.solve: Expected A and B to have the same dtype, but found A of type "
            f"{A.dtype.scalar_type} and B of type {B.dtype.scalar_type} instead"
        )
    vector = B._data.ndim == 1 or (
        B._data.ndim == A._data.ndim - 1 and B._data.shape == A._data.shape[:-1]
    )
    if vector and not left:
        raise RuntimeError("linalg.solve: Vector broadcasting of the left hand side is not "
                           "supported for left=False.")  # fmt: skip
    right = B.unsqueeze(-1) if vector else B
    if right._data.shape[-2 if left else -1] != A._data.shape[-1]:
        raise RuntimeError(
            f"linalg.solve: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({_by(A)} and {_by(right)})"
        )
    out = Solve.apply(A, right) if left else Solve.apply(A.mT, right.mT).mT
    return out.squeeze(-1) if vector else out


def _by(x):
    return "x".join(map(str, x._data.shape[-2:]))


def solve_triangular(A, B, *, upper, left=True, unitriangular=False):
    """X with A X = B (left) or X A = B; of A only one triangle is read."""
    _square("linalg.solve_triangular", A)
    if unitriangular:
        eye = wrap(np.eye(A._data.shape[-1], dtype=A._data.dtype))
        A = (A.triu(1) if upper else A.tril(-1)) + eye
    else:
        A = A.triu() if upper else A.tril()
    return Solve.apply(A, B) if left else Solve.apply(A.mT, B.mT).mT


def cholesky_solve(input, L, upper=False):
    """X with A X = input, where L is the Cholesky factor of A."""
    factor = L.triu().mT if upper else L.tril()
    return Solve.apply(factor.mT, Solve.apply(factor, input))


def cholesky_inverse(input, upper=False):
    """The inverse of the matrix whose Cholesky factor is given."""
    factor = input.triu().mT if upper else input.tril()
    return inv(factor @ factor.mT)


def lstsq(A, B, rcond=None, *, driver=None):
    """(solution, residuals, rank, singular_values) of the least of |A X - B|^2."""
    _matrix("linalg.lstsq", A)
    if driver not in (None, "gelsy"):
        raise NotImplementedError("mini's lstsq knows driver=None alone")
    vector = B._data.ndim == A._data.ndim - 1
    right = B.unsqueeze(-1) if vector else B
    solution = pinv(A, rtol=rcond) @ right
    rank = matrix_rank(A, rtol=rcond)
    # torch's default driver reports neither residuals nor singular values.
    nothing = [wrap(np.zeros(0, A._data.dtype)) for _ in range(2)]
    found = solution.squeeze(-1) if vector else solution
    return LstsqResult(found, nothing[0], rank, nothing[1])


# -- determinants ----------------------------------------------------------------------------------


def det(input):
    """The determinant of each square matrix."""
    _square("linalg.det", input)
    return Det.apply(input)


def slogdet(input):
    """(sign, logabsdet) of the determinant, without overflow."""
    _square("linalg.slogdet", input)
    return SlogdetResult(*Slogdet.apply(input))


def logdet(input):
    """The logarithm of the determinant; NaN where that is negative."""
    sign, logabsdet = slogdet(input)
    return logabsdet.masked_fill(wrap(sign._data < 0), math.nan)


# -- factors ---------------------------------------------------------------------------------------


def cholesky(input, upper=False):
    """The lower (or upper) triangle L with input = L L^T."""
    _square("linalg.cholesky", input)
    out = Cholesky.apply(input)
    return out.mT if upper else out


def qr(A, mode="reduced"):
    """(Q, R) with A = Q R; mode "complete" makes Q square, "r" leaves it out."""
    _matrix("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), "
            "'r', or 'complete'"
        )
    return QrResult(*Qr.apply(A, mode))


def old_qr(input, some=True):
    """(Q, R), torch's older form."""
    return qr(input, "reduced" if some else "complete")


def svd(A, full_matrices=True, *, driver=None):
    """(U, S, Vh) with A = U diag(S) Vh, S descending."""
    _matrix("linalg.svd", A)
    if driver is not None:
        raise RuntimeError("linalg.svd: keyword argument `driver=` is only supported on CUDA "
                           "inputs with cuSOLVER backend.")  # fmt: skip
    return SvdResult(*Svd.apply(A, full_matrices))


def old_svd(input, some=True, compute_uv=True):
    """(U, S, V), torch's older form."""
    if not compute_uv:
        raise NotImplementedError("mini's svd computes U and V: linalg.svdvals leaves them out")
    u, s, vh = svd(input, full_matrices=not some)
    return OldSvdResult(u, s, vh.mT)


def svdvals(A, *, driver=None):
    """The singular values, descending."""
    return svd(A, False, driver=driver).S


def eigh(A, UPLO="L"):
    """(eigenvalues, eigenvectors) of symmetric matrices, ascending; one triangle is read."""
    _square("linalg.eigh", A)
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return EighResult(*Eigh.apply(A, UPLO.upper()))


def eigvalsh(A, UPLO="L"):
    """The eigenvalues of symmetric matrices, ascending."""
    return eigh(A, UPLO).eigenvalues


# -- norms -----------------------------------------------------------------------------------------


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """(sum of |x|^ord)^(1/ord) over `dim` (None: all); inf is the largest |x|, 0 counts."""
    x = x if dtype is None else x.to(dtype)
    if x._data.dtype.kind != "f":
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{x.dtype.scalar_type}"
        )
    axes = axes_of(x, dim)
    if ord in (INF, -INF):
        return x.abs().amax(axes, keepdim) if ord > 0 else x.abs().amin(axes, keepdim)
    return VectorNorm.apply(x, ord, axes, keepdim)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """A norm of matrices: "fro", "nuc", 2 (largest singular value), 1, inf, or minus these."""
    A = A if dtype is None else A.to(dtype)
    _matrix("linalg.matrix_norm", A)
    rows, columns = (wrap_dim(d, A._data.ndim) for d in dim)
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim)
    if ord not in ("nuc", 1, -1, 2, -2, INF, -INF):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    last = A.movedim((rows, columns), (-2, -1))
    if ord in ("nuc", 2, -2):
        values = svdvals(last)
        out = values.sum(-1) if ord == "nuc" else _extreme(values, ord)
    else:
        out = _extreme(last.abs().sum(-2 if abs(ord) == 1 else -1), ord)
    if not keepdim:
        return out
    return out.reshape([1 if d in (rows, columns) else n for d, n in enumerate(A._data.shape)])


def _extreme(values, ord):
    return values.amax(-1) if ord > 0 else values.amin(-1)


def norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    """`vector_norm`, or `matrix_norm` when `ord` meets two dimensions."""
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None and A._data.ndim not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
            f"{A._data.ndim}D."
        )
    dims = tuple(range(A._data.ndim)) if dim is None else dim
    if isinstance(dims, tuple | list) and len(dims) == 2:
        return matrix_norm(A, ord, dims, keepdim, dtype=dtype)
    return vector_norm(A, ord, dims, keepdim, dtype=dtype)


def cond(A, p=None):
    """The norm of a matrix times that of its inverse: how much solving enlarges an error."""
    if p in (None, 2, -2):
        values = svdvals(A)
        return values[..., -1] / values[..., 0] if p == -2 else values[..., 0] / values[..., -1]
    return matrix_norm(A, p) * matrix_norm(inv(A), p)


def matrix_rank(A, tol=None, *, atol=None, rtol=None, hermitian=False):
    """How many singular values exceed max(atol, rtol times the largest)."""
    _matrix("linalg.matrix_rank", A)
    atol = tol if tol is not None else atol
    if rtol is None:
        rtol = 0 if atol is not None else max(A._data.shape[-2:]) * np.finfo(A._data.dtype).eps
    values = np.linalg.svd(A._data, compute_uv=False)
    limit = np.maximum(0 if atol is None else atol, rtol * values.max(-1, initial=0))
    return wrap(np.asarray((values > limit[..., None]).sum(-1)))


def vecdot(x, y, *, dim=-1):
    """The inner products along `dim`."""
    return (x * y).sum(dim)
