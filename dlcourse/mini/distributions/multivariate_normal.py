"""The normal distribution of vectors, with a full covariance."""

import math
from typing import ClassVar

from dlcourse.mini._core import Tensor
from dlcourse.mini.distributions import constraints
from dlcourse.mini.distributions.distribution import Distribution
from dlcourse.mini.distributions.utils import lazy_property
from dlcourse.mini.linalg import cholesky, inv, solve_triangular
from dlcourse.mini.ops import FREE
from dlcourse.mini.ops.creation import randn


class MultivariateNormal(Distribution):
    """Normal vectors of D numbers, with the mean `loc` (..., D) and ONE of three matrices.

    These, of shape (..., D, D), are `covariance_matrix`, its inverse `precision_matrix`, and
    `scale_tril`: a lower triangular L with a positive diagonal, whose L L^T is the covariance.
    All computing is done with L.
    """

    arg_constraints: ClassVar = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ):
        matrices = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        name, matrix = _the_only(loc, matrices)
        batch_shape = FREE["broadcast_shapes"](matrix.shape[:-2], loc.shape[:-1])
        self.loc = loc.expand(*batch_shape, -1)
        setattr(self, name, matrix.expand(*batch_shape, -1, -1))
        super().__init__(batch_shape, self.loc.shape[-1:], validate_args=validate_args)
        self._factor = FACTOR[name](matrix)  # L, as small as it was given

    @lazy_property
    def scale_tril(self):
        """L, lower triangular."""
        return self._of_batch(self._factor)

    @lazy_property
    def covariance_matrix(self):
        """L L^T."""
        return self._of_batch(self._factor @ self._factor.mT)

    @lazy_property
    def precision_matrix(self):
        """The inverse of the covariance."""
        return self._of_batch(inv(self._factor @ self._factor.mT))

    def _of_batch(self, matrix):
        return matrix.expand(*self._batch_shape, *matrix.shape[-2:])

    @property
    def mean(self):
        return self.loc

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        return (self._factor**2).sum(-1).expand(self._extended_shape())

    def rsample(self, sample_shape=()):
        noise = randn(self._extended_shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + (self._factor @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value):
        self._check(value)
        size = self._event_shape[0]
        squared = squared_distance(self._factor, value - self.loc)
        return -(size * math.log(2 * math.pi) + squared) / 2 - log_det(self._factor)

    def entropy(self):
        size = self._event_shape[0]
        entropy = size * (1 + math.log(2 * math.pi)) / 2 + log_det(self._factor)
        return entropy.expand(self._batch_shape)


def _the_only(loc, matrices):
    """(name, matrix) of the one that is given, with the shapes checked."""
    if loc.dim() < 1:
        raise ValueError("loc must be at least one-dimensional.")
    given = [(name, matrix) for name, matrix in matrices.items() if matrix is not None]
    if len(given) != 1:
        raise ValueError(
            "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified."
        )
    ((name, matrix),) = given
    if matrix.dim() < 2:
        name = "scale_tril matrix" if name == "scale_tril" else name
        raise ValueError(
            f"{name} must be at least two-dimensional, with optional leading batch dimensions"
        )
    return name, matrix


# How L comes from each of the three.
FACTOR = {
    "covariance_matrix": cholesky,
    "precision_matrix": lambda matrix: cholesky(inv(matrix)),
    "scale_tril": lambda matrix: matrix,
}


def log_det(factor: Tensor) -> Tensor:
    """log det L, half of that of the covariance."""
    return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def squared_distance(factor: Tensor, difference: Tensor) -> Tensor:
    """`|L^-1 d|^2`, Mahalanobis' distance squared."""
    solved = solve_triangular(factor, difference.unsqueeze(-1), upper=False)
    return (solved**2).sum((-2, -1))
