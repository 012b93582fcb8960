"""mini.linalg: linear algebra under the names of torch.linalg."""

from dlcourse.mini.ops.factor import LinAlgError
from dlcourse.mini.ops.linalg import matmul
from dlcourse.mini.ops.lu import lu, matrix_exp
from dlcourse.mini.ops.matrices import diagonal as _diagonal
from dlcourse.mini.ops.matrix import (
    cholesky,
    cond,
    det,
    eigh,
    eigvalsh,
    inv,
    lstsq,
    matrix_norm,
    matrix_rank,
    norm,
    pinv,
    qr,
    slogdet,
    solve,
    solve_triangular,
    svd,
    svdvals,
    vecdot,
    vector_norm,
)
from dlcourse.mini.ops.products import linalg_cross as cross
from dlcourse.mini.ops.products import matrix_power, multi_dot
from dlcourse.mini.ops.products import vander as _vander

__all__ = [
    "LinAlgError", "cholesky", "cond", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv",
    "lstsq", "lu", "matmul", "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank",
    "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "solve_triangular", "svd", "svdvals",
    "vander", "vecdot", "vector_norm",
]  # fmt: skip


def diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """The diagonals of matrices."""
    return _diagonal(A, offset, dim1, dim2)


def vander(x, *, N=None):
    """The powers of a vector's elements as columns, ascending."""
    return _vander(x, N, increasing=True)
