"""What a parameter or a value has to satisfy: `positive.check(x)` is True where x > 0."""

from dlcourse.mini.linalg import eigvalsh
from dlcourse.mini.ops import FUNCTIONS

__all__ = [
    "Constraint",
    "boolean",
    "dependent",
    "greater_than",
    "greater_than_eq",
    "half_open_interval",
    "independent",
    "integer_interval",
    "interval",
    "is_dependent",
    "less_than",
    "lower_cholesky",
    "nonnegative",
    "nonnegative_integer",
    "one_hot",
    "positive",
    "positive_definite",
    "real",
    "real_vector",
    "simplex",
    "unit_interval",
]  # fmt: skip

isclose = FUNCTIONS["isclose"]


class Constraint:
    """A set of numbers, or of events whose last `event_dim` dimensions count as one."""

    is_discrete = False
    event_dim = 0

    def check(self, value):
        """Whether each event of `value` is in the set: a tensor of booleans."""
        raise NotImplementedError

    def __repr__(self):
        bounds = ", ".join(f"{name}={bound}" for name, bound in vars(self).items())
        return f"{type(self).__name__.removeprefix('_')}({bounds})"


class _Dependent(Constraint):
    def check(self, value):
        raise ValueError("Cannot determine validity of dependent constraint")


def is_dependent(constraint: Constraint) -> bool:
    """Whether the constraint depends on other parameters, so that it cannot be checked alone."""
    return isinstance(constraint, _Dependent)


# -- numbers ---------------------------------------------------------------------------------------


class _Real(Constraint):
    def check(self, value):
        return value == value  # nan alone is not


class _Boolean(Constraint):
    is_discrete = True

    def check(self, value):
        return (value == 0) | (value == 1)


class _GreaterThan(Constraint):
    """Numbers above `lower_bound`."""

    def __init__(self, lower_bound):
        self.lower_bound = lower_bound

    def check(self, value):
        return value > self.lower_bound


class _GreaterThanEq(_GreaterThan):
    """Numbers from `lower_bound` on."""

    def check(self, value):
        return value >= self.lower_bound


class _LessThan(Constraint):
    """Numbers below `upper_bound`."""

    def __init__(self, upper_bound):
        self.upper_bound = upper_bound

    def check(self, value):
        return value < self.upper_bound


class _Interval(Constraint):
    """Numbers from `lower_bound` to `upper_bound`."""

    def __init__(self, lower_bound, upper_bound):
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    def check(self, value):
        return (value >= self.lower_bound) & (value <= self.upper_bound)


class _HalfOpenInterval(_Interval):
    """Numbers from `lower_bound` on, below `upper_bound`."""

    def check(self, value):
        return (value >= self.lower_bound) & (value < self.upper_bound)


class _IntegerInterval(_Interval):
    """Whole numbers from `lower_bound` to `upper_bound`."""

    is_discrete = True

    def check(self, value):
        return super().check(value) & (value % 1 == 0)


class _IntegerGreaterThan(_GreaterThan):
    is_discrete = True

    def check(self, value):
        return (value >= self.lower_bound) & (value % 1 == 0)


# -- vectors and matrices --------------------------------------------------------------------------


class _IndependentConstraint(Constraint):
    """`base_constraint`, satisfied by all numbers of the last dimensions."""

    def __init__(self, base_constraint, reinterpreted_batch_ndims):
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.is_discrete = base_constraint.is_discrete
        self.event_dim = base_constraint.event_dim + reinterpreted_batch_ndims

    def check(self, value):
        result = self.base_constraint.check(value)
        if result.dim() < self.reinterpreted_batch_ndims:
            raise ValueError(f"Expected value.dim() >= {self.event_dim} but got {value.dim()}")
        kept = result.shape[: result.dim() - self.reinterpreted_batch_ndims]
        return result.reshape(*kept, -1).all(-1)

    def __repr__(self):
        return f"IndependentConstraint({self.base_constraint}, {self.reinterpreted_batch_ndims})"


class _Simplex(Constraint):
    event_dim = 1

    def check(self, value):
        return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)


class _OneHot(Constraint):
    is_discrete = True
    event_dim = 1

    def check(self, value):
        return boolean.check(value).all(-1) & (value.sum(-1) == 1)


class _LowerCholesky(Constraint):
    """Lower triangular, with a positive diagonal."""

    event_dim = 2

    def check(self, value):
        triangular = (value.tril() == value).flatten(-2).all(-1)
        return triangular & (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


class _PositiveDefinite(Constraint):
    """Symmetric, with positive eigenvalues."""

    event_dim = 2

    def check(self, value):
        value = value.detach()
        symmetric = isclose(value, value.mT, atol=1e-6).flatten(-2).all(-1)
        return symmetric & (eigvalsh(value) > 0).all(-1) if symmetric.all() else symmetric


# -- under torch's names ---------------------------------------------------------------------------

dependent = _Dependent()
real, boolean = _Real(), _Boolean()
greater_than, greater_than_eq, less_than = _GreaterThan, _GreaterThanEq, _LessThan
interval, half_open_interval, integer_interval = _Interval, _HalfOpenInterval, _IntegerInterval
independent = _IndependentConstraint
positive, nonnegative, unit_interval = greater_than(0.0), greater_than_eq(0.0), interval(0.0, 1.0)
nonnegative_integer = _IntegerGreaterThan(0)
real_vector, simplex, one_hot = independent(real, 1), _Simplex(), _OneHot()
lower_cholesky, positive_definite = _LowerCholesky(), _PositiveDefinite()
