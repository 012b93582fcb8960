"""Weights by length and direction, and weights divided by their largest singular value."""

from dlcourse.mini._grad_mode import no_grad
from dlcourse.mini.nn.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from dlcourse.mini.nn.functional.distance import normalize
from dlcourse.mini.nn.module import Module
from dlcourse.mini.nn.utils.parametrize import register_parametrization
from dlcourse.mini.ops.creation import randn
from dlcourse.mini.ops.shape import wrap_dim

__all__ = ["spectral_norm", "weight_norm"]


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
    """W / sigma(W), the largest singular value, by a step of power iteration each time.

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
