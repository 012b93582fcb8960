"""Weights by length and direction, divided by their largest singular value, or orthogonal."""

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._grad_mode import no_grad
from dlcourse.mini.linalg import matrix_exp, qr, solve
from dlcourse.mini.nn.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from dlcourse.mini.nn.functional.distance import normalize
from dlcourse.mini.nn.module import Module
from dlcourse.mini.nn.utils.parametrize import register_parametrization
from dlcourse.mini.ops.compare import allclose
from dlcourse.mini.ops.creation import eye, randn, zeros_like
from dlcourse.mini.ops.shape import cat, wrap_dim

import numpy as np

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


def norm_except_dim(v, dim):
    """The norm over all dimensions but `dim`, which are kept; over all for -1 or None."""
    if dim in (-1, None):
        return v.norm()
    return v.norm(2, [d for d in range(v.ndim) if d != dim % v.ndim], keepdim=True)


class WeightNorm(Module):
    """g v / |v|.  Source: Salimans and Kingma, 2016."""

    def __init__(self, dim=0):
        super().__init__()
        self.dim = dim

    def forward(self, weight_g, weight_v):
        return weight_v * (weight_g / norm_except_dim(weight_v, self.dim))

    def right_inverse(self, weight):
        return norm_except_dim(weight, self.dim), weight


class SpectralNorm(Module):
    """`W / sigma(W)`, the largest singular value, by a step of power iteration each time.

    Source: Miyato et al., 2018.
    """

    def __init__(self, weight, n_power_iterations=1, dim=0, eps=1e-12):
        super().__init__()
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.dim, self.eps = wrap_dim(dim, weight.ndim), eps
        self.n_power_iterations = n_power_iterations
        if weight.ndim > 1:
            matrix = self.matrix(weight.detach())
            for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                start = normalize(randn(size, dtype=weight.dtype), dim=0, eps=eps)
                self.register_buffer(name, start)
            self.iterate(matrix, 15)

    def matrix(self, weight):
        """The weight as a matrix, one row for each output."""
        return weight.movedim(self.dim, 0).flatten(1)

    def iterate(self, matrix, times):
        """Turn u and v towards the first singular vectors."""
        with no_grad():
            for _ in range(times):
                self._u.copy_(normalize(matrix.mv(self._v), dim=0, eps=self.eps))
                self._v.copy_(normalize(matrix.t().mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight):
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = self.matrix(weight)
        if self.training:
            self.iterate(matrix.detach(), self.n_power_iterations)
        sigma = self._u.clone().dot(matrix.mv(self._v.clone()))
        return weight / sigma

    def right_inverse(self, value):
        return value


MAPS = ("matrix_exp", "cayley", "householder")


class Orthogonal(Module):
    """A matrix with orthonormal columns (rows, if it is wide) out of any matrix.

    With a `base` B, the matrix Q is B times what the map makes, which is I at the start.
    Source: Lezcano-Casado, 2019.
    """

    def __init__(self, weight, orthogonal_map, use_trivialization=True):
        super().__init__()
        self.shape, self.map = weight.shape, orthogonal_map
        self.with_base = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x):
        wide = x.shape[-2] < x.shape[-1]
        q = self.mapped(x.mT if wide else x)
        if self.with_base:
            q = self.base @ q
        return q.mT if wide else q

    def mapped(self, x):
        """The orthogonal matrix of a tall one."""
        n, k = x.shape[-2:]
        if self.map == "householder":
            a = x.tril(-1)
            q = householder_product(a, 2 / (1 + (a * a).sum(-2)))
            return q * x.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)  # a sign, not trained
        x = x.tril()
        if n != k:
            x = cat([x, x.new_zeros(*x.shape[:-1], n - k)], -1)
        a = x - x.mT  # a^T = -a
        if self.map == "matrix_exp":
            return matrix_exp(a)[..., :k]
        one = eye(n, dtype=a.dtype)
        return solve(one - a / 2, one + a / 2)[..., :k]

    @no_grad()
    def right_inverse(self, q):
        if q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of "
                f"shape {q.shape}."
            )
        wide = q.shape[-2] < q.shape[-1]
        tall = q.mT if wide else q
        if self.with_base:
            self.base = completed(tall)
            start = zeros_like(q)
            start.diagonal(dim1=-2, dim2=-1).fill_(-1)
            return start
        if self.map != "householder":
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley "
                "parametrizations when use_trivialization=False."
            )
        a, tau = np.linalg.qr(tall._data, mode="raw")  # of the transposed
        a = wrap(a).mT.contiguous()
        signs = a.diagonal(dim1=-2, dim2=-1)
        # A reflection that is not used has tau 0, but that of the map would turn the sign.
        signs.copy_(signs.sign() * (1 - 2 * (wrap(tau) == 0).to(a.dtype)))
        return a.mT if wide else a


def householder_product(a, tau):
    """The first columns of the product of I - tau v v^T, v the columns of I + `a`, below 1."""
    n, k = a.shape[-2:]
    vs = a + eye(n, k, dtype=a.dtype)
    q = eye(n, k, dtype=a.dtype)
    for i in reversed(range(k)):
        v = vs[..., i : i + 1]
        q = q - tau[..., i, None, None] * v @ (v.mT @ q)
    return q


def completed(q):
    """A square orthogonal matrix that begins with `q`, or with what is nearest to its columns."""
    n, k = q.shape[-2:]
    eps = 10 * n * np.finfo(q.dtype.numpy).eps
    if n == k and allclose(q.mT @ q, eye(n, dtype=q.dtype), atol=eps):
        return q.clone()
    if n != k:
        q = cat([q, randn(*q.shape[:-1], n - k, dtype=q.dtype)], -1)
    q, r = qr(q)
    return q * r.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def weight_norm(module, name="weight", dim=0):
    """Train a weight's length (parametrizations.weight.original0) apart from its direction."""
    return register_parametrization(module, name, WeightNorm(dim), unsafe=True)


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide a weight by its largest singular value whenever it is read."""
    weight = getattr(module, name)
    if dim is None:
        dim = int(isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d))
    return register_parametrization(
        module, name, SpectralNorm(weight, n_power_iterations, dim, eps)
    )


def orthogonal(module, name="weight", orthogonal_map=None, *, use_trivialization=True):
    """Keep a weight orthogonal: the exponential or the Cayley map of a skew-symmetric matrix.

    `orthogonal_map` is "matrix_exp" (for square weights, if it is None), "cayley" or "householder"
    (for others), a product of reflections.  The weight starts as it is if it is orthogonal.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.ndim < 2:
        raise ValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions."
        )
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in MAPS:
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: '
            f"{orthogonal_map}"
        )
    made = Orthogonal(weight, orthogonal_map, use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)
