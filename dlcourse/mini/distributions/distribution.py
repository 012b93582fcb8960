"""What all distributions have in common: shapes, checks, sample, expand."""

import warnings
from collections.abc import Sequence
from typing import ClassVar

from dlcourse.mini._core import Tensor
from dlcourse.mini._dtype import Size
from dlcourse.mini._grad_mode import no_grad
from dlcourse.mini.distributions.constraints import is_dependent
from dlcourse.mini.distributions.utils import lazy_property


class Distribution:
    """The base of all distributions.

    A sample has the shape (*sample_shape, *batch_shape, *event_shape): the batch holds independent
    distributions with parameters of their own, an event is one draw of one of them.  `log_prob`
    and `entropy` have a number for each event.  Parameters are checked when a distribution is made,
    values when they are asked about, unless `validate_args` is False.
    """

    has_rsample = has_enumerate_support = False
    _validate_args = __debug__
    # NB: in torch a class without arg_constraints or support is warned of; here it is not checked.
    arg_constraints: ClassVar = {}
    support = None

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions check unless they are told otherwise."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args wants True or False, but got {value!r}")
        Distribution._validate_args = value

    def __init__(
        self,
        batch_shape: Sequence[int] = (),
        event_shape: Sequence[int] = (),
        validate_args: bool | None = None,
    ):
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._validate_parameters()

    def __repr__(self):
        given = {name: vars(self)[name] for name in self.arg_constraints if name in vars(self)}
        shown = [f"{name}: {v if v.numel() == 1 else v.shape}" for name, v in given.items()]
        return f"{type(self).__name__}({', '.join(shown)})"

    # -- shapes ------------------------------------------------------------------------------------

    @property
    def batch_shape(self) -> Size:
        """The shape of the parameters: how many distributions these are."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one draw from one distribution."""
        return self._event_shape

    def _extended_shape(self, sample_shape: Sequence[int] = ()) -> Size:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def expand(self, batch_shape: Sequence[int], _instance=None) -> "Distribution":
        """The same distributions, repeated to a larger batch; no memory is taken for it."""
        if not type(self).__init__.__module__.startswith(__package__):
            raise NotImplementedError(
                f"Subclass {type(self).__name__} that defines a custom __init__ method must also "
                "define a custom .expand() method."
            )
        new = object.__new__(type(self)) if _instance is None else _instance
        vars(new).update({**vars(self), **vars(new)})
        new._batch_shape = Size(batch_shape)
        for name in self.arg_constraints:
            if name in vars(self):
                own = vars(self)[name].shape[len(self._batch_shape) :]  # a vector's, a matrix's
                setattr(new, name, vars(self)[name].expand(*batch_shape, *own))
        return new

    # -- what follows from the parameters ----------------------------------------------------------

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        """The most probable value; nan if there are several."""
        raise NotImplementedError(f"{type(self)} does not implement mode")

    @property
    def variance(self) -> Tensor:
        """The expected square of the distance to the mean."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The root of the variance."""
        return self.variance.sqrt()

    def entropy(self) -> Tensor:
        """The expectation of -log_prob, of the shape of the batch."""
        raise NotImplementedError

    def perplexity(self) -> Tensor:
        """exp of the entropy."""
        return self.entropy().exp()

    # -- samples -----------------------------------------------------------------------------------

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws, without a gradient."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws as a function of the parameters and of noise, so that gradients flow to them."""
        raise NotImplementedError

    def sample_n(self, n: int) -> Tensor:
        """`sample((n,))`, under an older name."""
        warnings.warn(
            "`sample_n(n)` will be deprecated. Use `sample((n,))` instead.",
            FutureWarning,
            stacklevel=2,
        )
        return self.sample((n,))

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values that a draw may have, along a new first dimension."""
        raise NotImplementedError

    def _enumerated(self, values, expand):
        """Values (K, *event_shape) beside the batch: (K, *batch_shape, *event_shape)."""
        ones = (1,) * len(self._batch_shape)
        values = values.reshape(len(values), *ones, *self._event_shape)
        return values.expand(-1, *self._batch_shape, *self._event_shape) if expand else values

    # -- probabilities of values -------------------------------------------------------------------

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability, or of the density, of each event."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a draw below `value`."""
        raise NotImplementedError

    def icdf(self, value: Tensor) -> Tensor:
        """The value below which a draw falls with the probability `value`."""
        raise NotImplementedError

    # -- checks ------------------------------------------------------------------------------------

    def _validate_parameters(self):
        for name, constraint in self.arg_constraints.items():
            lazy = isinstance(getattr(type(self), name, None), lazy_property)
            if is_dependent(constraint) or (lazy and name not in vars(self)):
                continue  # is not known yet, or not by itself
            value = getattr(self, name)
            if not constraint.check(value).all():
                raise ValueError(
                    f"Expected parameter {name} ({_kind(value)}) of distribution {self!r} to "
                    f"satisfy the constraint {constraint!r}, but found invalid values:\n{value}"
                )

    def _check(self, value):
        if self._validate_args:
            self._validate_sample(value)

    def _validate_sample(self, value):
        """Refuse what is no tensor of values of this distribution."""
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        shape, wanted = value.shape, self._extended_shape()
        if shape[max(0, len(shape) - len(self._event_shape)) :] != self._event_shape:
            raise ValueError(
                "The right-most size of value must match event_shape: "
                f"{shape} vs {self._event_shape}."
            )
        pairs = zip(reversed(shape), reversed(wanted), strict=False)
        if any(i != j and 1 not in (i, j) for i, j in pairs):
            raise ValueError(
                f"Value is not broadcastable with batch_shape+event_shape: {shape} vs {wanted}."
            )
        if self.support is not None and not self.support.check(value).all():
            raise ValueError(
                f"Expected value argument ({_kind(value)}) to be within the support "
                f"({self.support!r}) of the distribution {self!r}, but found invalid values:\n"
                f"{value}"
            )


def _kind(value):
    return f"{type(value).__name__} of shape {tuple(value.shape)}"
