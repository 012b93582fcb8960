"""Products of vectors and matrices."""

import math

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.operation import (
    NotAnOperand,
    Op,
    check_broadcast,
    check_kernel,
    each_for_the_other,
)
from dlcourse.mini.ops.shape import expand

import numpy as np


class MatMul(Op):
    """Matrices (..., n, k) @ (..., k, m); leading dimensions broadcast, which the engine undoes.

    dL/dx = dL/dy @ w^T and dL/dw = x^T @ dL/dy.
    """

    _asks_for = staticmethod(each_for_the_other)

    def name(self):
        return "MmBackward0" if self.flat else "BmmBackward0"

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        ctx.flat = x._data.ndim == w._data.ndim == 2
        ctx.by_columns = in_columns(w)
        return wrap(x._data @ w._data)

    @staticmethod
    def backward(ctx, grad_output):
        x, w = ctx.saved_tensors
        needs_x, needs_w = ctx.needs_input_grad
        return _mm_backward(grad_output, x, w, needs_x, needs_w, ctx.by_columns)


def in_columns(w):
    """Whether a matrix lies in memory column by column, as the transpose of a weight does."""
    return w._data.ndim == 2 and w._data.flags.f_contiguous


def _mm_backward(grad, x, w, needs_x, needs_w, by_columns):
    """dL/dx and dL/dw of y = x @ w; the latter in the memory order of w."""
    grad_x = grad @ w.mT if needs_x else None
    if needs_w and by_columns:
        return grad_x, (grad.mT @ x).mT
    return grad_x, x.mT @ grad if needs_w else None


class Mv(Op):
    """Matrix (n, k) times vector (k,)."""

    _asks_for = staticmethod(each_for_the_other)

    @staticmethod
    def forward(ctx, x, v):
        ctx.save_for_backward(x, v)
        return wrap(x._data @ v._data)

    @staticmethod
    def backward(ctx, grad_output):
        x, v = ctx.saved_tensors
        needs_x, needs_v = ctx.needs_input_grad
        grad_x = grad_output.unsqueeze(-1) * v if needs_x else None
        return grad_x, x.mT @ grad_output if needs_v else None


class Dot(Op):
    """The inner product of two vectors."""

    _asks_for = staticmethod(each_for_the_other)

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return wrap(np.asarray(x._data @ y._data))

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        needs_x, needs_y = ctx.needs_input_grad
        return grad_output * y if needs_x else None, grad_output * x if needs_y else None


class Addmm(Op):
    """`bias + x @ w`: a linear layer as one node, as in torch."""

    @staticmethod
    def _asks_for(needs_bias, needs_x, needs_w):
        return needs_w, needs_x

    @staticmethod
    def forward(ctx, bias, x, w):
        ctx.save_for_backward(x, w)
        ctx.by_columns = in_columns(w)
        out = x._data @ w._data
        out += bias._data
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        x, w = ctx.saved_tensors
        _, needs_x, needs_w = ctx.needs_input_grad
        return grad_output, *_mm_backward(grad_output, x, w, needs_x, needs_w, ctx.by_columns)


# -- the functions that users call -----------------------------------------------------------------


def _same_dtype(x, y):
    if x._data.dtype != y._data.dtype:
        raise RuntimeError(
            "expected m1 and m2 to have the same dtype, but got: "
            f"{x.dtype.c_type} != {y.dtype.c_type}"
        )


def matmul(input, other):
    """The product of vectors, matrices or batches of matrices, as `@`."""
    if not isinstance(other, Tensor):
        raise NotAnOperand(
            f"matmul(): argument 'other' (position 2) must be Tensor, not {type(other).__name__}"
        )
    _same_dtype(input, other)
    a, b = input._data, other._data
    if a.ndim == 0 or b.ndim == 0:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {a.ndim}D and {b.ndim}D"
        )
    if a.shape[-1] != b.shape[max(b.ndim - 2, 0)]:
        raise RuntimeError(_mismatch(a.shape, b.shape))
    if a.dtype.kind == "b":
        _refuse_booleans(a, b)
    if b.ndim == 1:
        if a.ndim == 1:
            return Dot.apply(input, other)
        if a.ndim == 2:
            return Mv.apply(input, other)
        return MatMul.apply(input, other.unsqueeze(-1)).squeeze(-1)
    if a.ndim == 1:
        return MatMul.apply(input.unsqueeze(0), other).squeeze(-2)
    # NB: in torch products of more than two dimensions go through bmm or mm and
    # UnsafeViewBackward0.
    if b.ndim == 2 and a.ndim > 2:  # one large product instead of many small ones
        rows = input.reshape(math.prod(a.shape[:-1]), a.shape[-1])
        return MatMul.apply(rows, other).reshape(*a.shape[:-1], b.shape[-1])
    check_broadcast(a.shape[:-2], b.shape[:-2])
    return MatMul.apply(input, other)


def _refuse_booleans(a, b):
    """They have no sum; torch names the kernel that it would have called."""
    kernel = "addmm_impl_cpu_" if a.ndim <= 2 or b.ndim == 2 else "bmm"
    if b.ndim == 1:
        kernel = "dot" if a.ndim == 1 else "addmv_impl_cpu"
    check_kernel(kernel, a.dtype, "iuf")


def _mismatch(a, b):
    if len(a) == len(b) == 1:
        return (
            f"inconsistent tensor size, expected tensor [{a[0]}] and src [{b[0]}] to have the same "
            f"number of elements, but got {a[0]} and {b[0]} elements respectively"
        )
    if len(b) == 1:
        return f"size mismatch, got input ({a[-2]}), mat ({a[-2]}x{a[-1]}), vec ({b[0]})"
    if len(a) > 2 and len(b) > 2:
        first, second = [a[0], a[-1]], [b[0], b[-2]]
        return (
            f"Expected size for first two dimensions of batch2 tensor to be: {first} but got: "
            f"{second}."
        )
    rows = 1 if len(a) == 1 else math.prod(a[:-1])
    return f"mat1 and mat2 shapes cannot be multiplied ({rows}x{a[-1]} and {b[-2]}x{b[-1]})"


def mm(input, mat2):
    """The product of two matrices."""
    if input._data.ndim != 2 or mat2._data.ndim != 2:
        raise RuntimeError(
            "self must be a matrix" if input._data.ndim != 2 else "mat2 must be a matrix"
        )
    return matmul(input, mat2)


def bmm(input, mat2):
    """The products of two batches of matrices, (B, n, k) and (B, k, m)."""
    for tensor, name in ((input, "batch1"), (mat2, "batch2")):
        if tensor._data.ndim != 3:
            raise RuntimeError(f"{name} must be a 3D tensor")
    if input._data.shape[0] != mat2._data.shape[0]:
        raise RuntimeError(
            "batch1 and batch2 must have same number of batches, got "
            f"{input.shape[0]} and {mat2.shape[0]}"
        )
    return matmul(input, mat2)


def dot(input, tensor):
    """The inner product of two vectors."""
    if input._data.ndim != 1 or tensor._data.ndim != 1:
        raise RuntimeError(
            f"1D tensors expected, but got {input._data.ndim}D and {tensor._data.ndim}D tensors"
        )
    return matmul(input, tensor)


def outer(input, vec2):
    """All products input_i * vec2_j."""
    for tensor, which in ((input, "self"), (vec2, "vec2")):
        if tensor._data.ndim != 1:
            raise RuntimeError(
                f"outer: Expected 1-D argument {which}, but got {tensor._data.ndim}-D"
            )
    return input.unsqueeze(1) * vec2


def check_addmm(input, mat1, mat2):
    """Refuse what addmm cannot multiply, or cannot add to."""
    for tensor, name in ((mat1, "mat1"), (mat2, "mat2")):
        if tensor._data.ndim != 2:
            raise RuntimeError(f"{name} must be a matrix, got {tensor._data.ndim}-D tensor")
    for tensor, name in ((input, "self"), (mat1, "mat1")):
        if tensor._data.dtype != mat2._data.dtype:
            raise RuntimeError(
                f"{name} and mat2 must have the same dtype, but got "
                f"{tensor.dtype.scalar_type} and {mat2.dtype.scalar_type}"
            )
    if mat1._data.shape[1] != mat2._data.shape[0]:
        raise RuntimeError(_mismatch(mat1._data.shape, mat2._data.shape))
    shape = mat1._data.shape[0], mat2._data.shape[1]
    if input._data.shape != shape[1:]:
        expand(input, shape)  # refuses what does not broadcast
