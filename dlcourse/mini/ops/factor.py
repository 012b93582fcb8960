"""Inverses, determinants and factors of matrices; leading dimensions are batches.

NumPy computes the values; the backward passes are made of products and solutions, so they can be
differentiated again.  Source of the formulas: Giles 2008, "Collected matrix derivative results".
"""

from typing import NamedTuple

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.matrices import diag_embed, diagonal
from dlcourse.mini.ops.operation import Op
from dlcourse.mini.ops.shape import cat

import numpy as np


class LinAlgError(RuntimeError):
    """A matrix that cannot be inverted or factored."""


class Inverse(Op):
    """d(A^-1) = -A^-1 dA A^-1."""

    def name(self):
        return "LinalgInvExBackward0"

    @staticmethod
    def forward(ctx, x):
        try:
            out = wrap(np.linalg.inv(x._data))
        except np.linalg.LinAlgError:
            raise LinAlgError(_singular("linalg.inv", x._data)) from None
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors
        return -(out.mT @ grad_output @ out.mT)


class Solve(Op):
    """X with A X = B, for matrices B."""

    def name(self):
        return "LinalgSolveExBackward0"

    @staticmethod
    def forward(ctx, a, b):
        try:
            out = wrap(np.linalg.solve(a._data, b._data))
        except np.linalg.LinAlgError:
            batch = "(Batch element 0): " if a._data.ndim > 2 else ""
            raise LinAlgError(
                f"torch.linalg.solve: {batch}The solver failed because the input matrix is "
                "singular."
            ) from None
        ctx.save_for_backward(a, out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        a, out = ctx.saved_tensors
        grad_b = Solve.apply(a.mT, grad_output)
        return -(grad_b @ out.mT), grad_b  # dL/dA = -dL/dB X^T


class Det(Op):
    """d(det A) = sum of cofactors times dA."""

    def name(self):
        return "LinalgDetBackward0"

    @staticmethod
    def forward(ctx, x):
        out = wrap(np.asarray(np.linalg.det(x._data)))
        ctx.save_for_backward(x, out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        x, out = ctx.saved_tensors
        if out._data.all():
            cofactors = out[..., None, None] * Inverse.apply(x).mT
        else:
            # NB: in torch the gradient of a determinant that is exactly 0 comes out as 0.
            cofactors = _cofactors(x)
        return grad_output[..., None, None] * cofactors


def _cofactors(x):
    """The determinants of what is left without row i and column j, with alternating signs."""
    n = x._data.shape[-1]
    others = np.array([[k for k in range(n) if k != i] for i in range(n)], int).reshape(n, n - 1)
    rows, columns = others[:, None, :, None], others[None, :, None, :]
    signs = (-1.0) ** np.add.outer(np.arange(n), np.arange(n))
    minors = x[..., wrap(rows), wrap(columns)]  # (..., n, n, n - 1, n - 1)
    return Det.apply(minors) * wrap(signs.astype(x._data.dtype))


class Slogdet(Op):
    """d(log |det A|) = sum of A^-T times dA."""

    def name(self):
        return "LinalgSlogdetBackward0"

    @staticmethod
    def forward(ctx, x):
        sign, logabsdet = (wrap(np.asarray(part)) for part in np.linalg.slogdet(x._data))
        ctx.save_for_backward(x)
        ctx.mark_non_differentiable(sign)
        return sign, logabsdet

    @staticmethod
    def backward(ctx, _, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output[..., None, None] * Inverse.apply(x).mT


class Cholesky(Op):
    """The lower triangle L with A = L L^T."""

    def name(self):
        return "LinalgCholeskyExBackward0"

    @staticmethod
    def forward(ctx, x):
        try:
            out = wrap(np.linalg.cholesky(x._data))
        except np.linalg.LinAlgError:
            raise LinAlgError(_not_positive(x._data)) from None
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors
        inner = (out.mT @ grad_output).tril()
        inner = inner - diag_embed(diagonal(inner, 0, -2, -1)) / 2
        half = Solve.apply(out.mT, Solve.apply(out.mT, inner).mT)  # L^-T inner L^-1, transposed
        return (half + half.mT) / 2


class Qr(Op):
    """Q with orthonormal columns and the upper triangle R, A = Q R."""

    def name(self):
        return "LinalgQrBackward0"

    @staticmethod
    def forward(ctx, x, mode):
        ctx.mode = mode
        if mode == "r":
            r = np.linalg.qr(x._data, "r")
            q, r = wrap(np.zeros(0, x._data.dtype)), wrap(r)
        else:
            q, r = (wrap(part) for part in np.linalg.qr(x._data, mode))
        ctx.save_for_backward(x, q, r)
        return q, r

    @staticmethod
    def backward(ctx, grad_q, grad_r):
        x, q, r = ctx.saved_tensors
        m, n = x._data.shape[-2:]
        if ctx.mode == "r":
            raise RuntimeError(
                "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. "
                "Please use linalg.qr(A, mode='reduced') if you are going to require gradients."
            )
        if ctx.mode == "complete" and m > n:
            raise RuntimeError(
                "The QR decomposition is not differentiable when mode='complete' and nrows > ncols"
            )
        if m >= n:
            return _qr_backward(q, r, grad_q, grad_r), None
        rest = grad_r[..., m:]  # of the columns to the right of the square
        square = _qr_backward(q, r[..., :m], grad_q + x[..., m:] @ rest.mT, grad_r[..., :m])
        return cat([square, q @ rest], -1), None


def _qr_backward(q, r, grad_q, grad_r):
    inner = r @ grad_r.mT - grad_q.mT @ q
    low = inner.tril(-1)
    symmetric = low + low.mT + diag_embed(diagonal(inner, 0, -2, -1))
    return Solve.apply(r, (grad_q + q @ symmetric).mT).mT  # (dQ + Q symmetric) R^-T


class Svd(Op):
    """U, S, Vh with A = U diag(S) Vh, S descending."""

    def name(self):
        return "LinalgSvdBackward0"

    @staticmethod
    def forward(ctx, x, full_matrices):
        ctx.set_materialize_grads(False)  # with S alone, equal singular values do no harm
        parts = [wrap(part) for part in np.linalg.svd(x._data, full_matrices)]
        ctx.save_for_backward(*parts)
        return tuple(parts)

    @staticmethod
    def backward(ctx, grad_u, grad_s, grad_vh):
        u, s, vh = ctx.saved_tensors
        k = s._data.shape[-1]
        u, vh = u[..., :k], vh[..., :k, :]
        eye = wrap(np.eye(k, dtype=s._data.dtype))
        gaps = s[..., None, :] ** 2 - s[..., :, None] ** 2 + eye
        inner, out = (0 if grad_s is None else diag_embed(grad_s)), 0
        if grad_u is not None:
            grad_u = grad_u[..., :k]
            turn = u.mT @ grad_u
            inner = inner + (turn - turn.mT) / gaps * s[..., None, :]
            out = out + (grad_u - u @ turn) / s[..., None, :] @ vh
        if grad_vh is not None:
            grad_vh = grad_vh[..., :k, :]
            turn = vh @ grad_vh.mT
            inner = inner + s[..., :, None] * ((turn - turn.mT) / gaps)
            out = out + (u / s[..., None, :]) @ (grad_vh - turn.mT @ vh)
        return u @ inner @ vh + out, None


class Eigh(Op):
    """Eigenvalues, ascending, and eigenvectors of a symmetric matrix."""

    def name(self):
        return "LinalgEighBackward0"

    @staticmethod
    def forward(ctx, x, uplo):
        ctx.set_materialize_grads(False)
        values, vectors = (wrap(part) for part in np.linalg.eigh(x._data, uplo))
        ctx.save_for_backward(values, vectors)
        return values, vectors

    @staticmethod
    def backward(ctx, grad_values, grad_vectors):
        values, vectors = ctx.saved_tensors
        inner = 0 if grad_values is None else diag_embed(grad_values)
        if grad_vectors is not None:
            n = values._data.shape[-1]
            far = wrap(np.diag(np.full(n, np.inf)).astype(values._data.dtype))
            gaps = values[..., None, :] - values[..., :, None] + far
            inner = inner + (vectors.mT @ grad_vectors) / gaps
        return vectors @ inner @ vectors.mT, None


class Pinv(Op):
    """The Moore-Penrose inverse P: dP = -P dA P + P P^T dA^T (1 - A P) + (1 - P A) dA^T P^T P."""

    def name(self):
        return "LinalgPinvBackward0"

    @staticmethod
    def forward(ctx, x, rtol, hermitian):
        out = wrap(np.linalg.pinv(x._data, rtol, hermitian=hermitian))
        ctx.save_for_backward(x, out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        x, p = ctx.saved_tensors
        back = grad_output.mT
        right = back @ p @ p.mT
        left = p.mT @ p @ back
        grad = -(p.mT @ grad_output @ p.mT)
        return grad + right - x @ (p @ right) + left - (left @ p) @ x, None, None


# -- why it failed ---------------------------------------------------------------------------------


def _singular(name, array):
    """torch's sentence: which pivot of Gauss's elimination is zero."""
    batch = ""
    if array.ndim > 2:
        flat = array.reshape(-1, *array.shape[-2:])
        number = next(i for i, a in enumerate(flat) if _zero_pivot(a))
        array, batch = flat[number], f"(Batch element {number}): "
    return (
        f"{name}: {batch}The diagonal element {_zero_pivot(array)} is zero, the inversion could "
        "not be completed because the input matrix is singular."
    )


def _zero_pivot(array):
    """The number, from 1, of the first zero pivot; 0 when there is none."""
    a = array.astype(float)
    for k in range(len(a)):
        top = k + int(np.argmax(np.abs(a[k:, k])))
        if a[top, k] == 0:
            return k + 1
        a[[k, top]] = a[[top, k]]
        a[k + 1 :] -= np.outer(a[k + 1 :, k] / a[k, k], a[k])
    return 0


def _not_positive(array):
    """torch's sentence: which leading minor is not positive."""
    batch = ""
    for number, a in enumerate(array.reshape(-1, *array.shape[-2:])):
        for order in range(1, len(a) + 1):
            try:
                np.linalg.cholesky(a[:order, :order])
            except np.linalg.LinAlgError:
                batch = f"(Batch element {number}): " if array.ndim > 2 else ""
                return (
                    f"linalg.cholesky: {batch}The factorization could not be completed because the "
                    f"input is not positive-definite (the leading minor of order {order} is not "
                    "positive-definite)."
                )
    raise AssertionError("every leading minor is positive")


class SlogdetResult(NamedTuple):
    """The sign of a determinant and the logarithm of its absolute value."""

    sign: Tensor
    logabsdet: Tensor


class QrResult(NamedTuple):
    """Orthonormal columns and an upper triangle."""

    Q: Tensor
    R: Tensor


class SvdResult(NamedTuple):
    """Left singular vectors, singular values, right singular vectors as rows."""

    U: Tensor
    S: Tensor
    Vh: Tensor


class OldSvdResult(NamedTuple):
    """What torch.svd returns: V itself, not its transpose."""

    U: Tensor
    S: Tensor
    V: Tensor


class EighResult(NamedTuple):
    """Eigenvalues, ascending, and eigenvectors as columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class LstsqResult(NamedTuple):
    """The solution of least squares and what is known about it."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor
