"""Products made of others: sums with products, powers of matrices, cross products."""

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.linalg import Addmm, bmm, check_addmm, dot, matmul, outer
from dlcourse.mini.ops.operation import check_kernel
from dlcourse.mini.ops.pieces import broadcast_tensors
from dlcourse.mini.ops.rearrange import roll
from dlcourse.mini.ops.shape import expand, stack, wrap_dim

import numpy as np


def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """`beta * input + alpha * (mat1 @ mat2)`."""
    check_addmm(input, mat1, mat2)
    if beta == 1 and alpha == 1:
        return Addmm.apply(input, mat1, mat2)
    return _sum(input, matmul(mat1, mat2), beta, alpha)


def _sum(input, product, beta, alpha):
    """`beta * input + alpha * product`; with beta 0 the input, even NaN, does not count."""
    product = product if alpha == 1 else product * alpha
    expand(input, product._data.shape)  # refuses what would make the result larger
    if beta == 0:
        return product
    return (input if beta == 1 else input * beta) + product


def mv(input, vec):
    """The product of a matrix and a vector."""
    if input._data.ndim != 2 or vec._data.ndim != 1:
        raise RuntimeError(
            f"vector + matrix @ vector expected, got 1, {input._data.ndim}, {vec._data.ndim}"
        )
    return matmul(input, vec)


def addmv(input, mat, vec, *, beta=1, alpha=1):
    """`beta * input + alpha * (mat @ vec)`."""
    return _sum(input, mv(mat, vec), beta, alpha)


def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """`beta * input + alpha * outer(vec1, vec2)`."""
    return _sum(input, outer(vec1, vec2), beta, alpha)


def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """`beta * input + alpha * bmm(batch1, batch2)`."""
    return _sum(input, bmm(batch1, batch2), beta, alpha)


def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta * input + alpha times the sum of all products of bmm(batch1, batch2)."""
    return _sum(input, bmm(batch1, batch2).sum(0), beta, alpha)


def ger(input, vec2):
    """Another name for `outer`."""
    return outer(input, vec2)


def vdot(input, other):
    """The inner product of two vectors (of real numbers)."""
    return dot(input, other)


def inner(input, other):
    """Products summed over the last dimension of both."""
    if input._data.ndim == 0 or other._data.ndim == 0:
        return input * other
    if input._data.shape[-1] != other._data.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    shape = (*input._data.shape[:-1], *other._data.shape[:-1])
    n = input._data.shape[-1]
    return matmul(_rows(input, n), _rows(other, n).t()).reshape(shape)


def _rows(x, n):
    return x.reshape(x._data.size // n if n else int(np.prod(x._data.shape[:-1])), n)


def chain_matmul(*matrices):
    """The product of several matrices, in the order that needs the fewest multiplications."""
    return multi_dot(matrices[0] if len(matrices) == 1 else matrices)


def multi_dot(tensors):
    """The product of several matrices (the first and last may be vectors), in the best order."""
    tensors = list(tensors)
    if len(tensors) < 2:
        raise RuntimeError("multi_dot(): expected at least 2 tensors but got " + str(len(tensors)))
    first, last = tensors[0]._data.ndim == 1, tensors[-1]._data.ndim == 1
    if first:
        tensors[0] = tensors[0].unsqueeze(0)
    if last:
        tensors[-1] = tensors[-1].unsqueeze(-1)
    out = _multiply(tensors, _best_splits([*(t._data.shape[0] for t in tensors),
                                           tensors[-1]._data.shape[1]]))  # fmt: skip
    out = out.squeeze(-1) if last else out
    return out.squeeze(0) if first else out


def _best_splits(sizes):
    """{(i, j): where to split the product of matrices i to j}; matrix i is sizes[i:i + 2]."""
    n = len(sizes) - 1
    cost, splits = {(i, i): 0 for i in range(n)}, {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i, j], splits[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            )
    return splits


def _multiply(tensors, splits):
    def part(i, j):
        if i == j:
            return tensors[i]
        k = splits[i, j]
        return matmul(part(i, k), part(k + 1, j))

    return part(0, len(tensors) - 1)


def cross(input, other, dim=None):
    """The cross product along `dim` of size 3 (None: the first such)."""
    if dim is None:
        input, other = _alike(input, other)
        if 3 not in input._data.shape:
            raise RuntimeError("no dimension of size 3 in input")
        dim = input._data.shape.index(3)
    return linalg_cross(input, other, dim=dim)


def _alike(input, other):
    """The operands of a cross product in one shape; they have equally many dimensions."""
    if input._data.ndim != other._data.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    return broadcast_tensors(input, other)


def linalg_cross(input, other, *, dim=-1):
    """The cross product along `dim` of size 3: x1 y2 - x2 y1 and so on."""
    input, other = _alike(input, other)
    check_kernel("cross", input._data.dtype, "iuf")
    if other.dtype is not input.dtype:
        wanted, found = input.dtype.scalar_type, other.dtype.scalar_type
        raise RuntimeError(f"expected scalar type {wanted} but found {found}")
    for x in (input, other):
        axis = wrap_dim(dim, x._data.ndim)
        if x._data.shape[axis] != 3:
            raise RuntimeError(
                f"linalg.cross: inputs dimension {dim} must have length 3. Got "
                f"{input._data.shape[axis]} and {other._data.shape[axis]}"
            )
    return roll(input, -1, dim) * roll(other, -2, dim) - roll(input, -2, dim) * roll(other, -1, dim)


def vander(x, N=None, increasing=False):
    """The powers of a vector's elements as columns."""
    powers = list(range(x._data.shape[0] if N is None else N))
    return stack([x**p for p in (powers if increasing else powers[::-1])], -1)


def matrix_power(input, n):
    """The matrix multiplied n times by itself, by repeated squaring; n < 0 inverts first."""
    if input._data.ndim < 2 or input._data.shape[-1] != input._data.shape[-2]:
        raise RuntimeError(
            "linalg.matrix_power: A must be batches of square matrices, but they are "
            f"{' by '.join(map(str, input._data.shape[-2:]))} matrices"
        )
    if n < 0:
        return matrix_power(input.inverse(), -n)
    if n == 0:
        return wrap(np.broadcast_to(np.eye(input._data.shape[-1], dtype=input._data.dtype),
                                      input._data.shape).copy())  # fmt: skip
    out, square = None, input
    while n:
        if n & 1:
            out = square if out is None else matmul(out, square)
        n >>= 1
        square = matmul(square, square) if n else square
    return out.clone() if out is input else out
