"""What distributions share that one probability describes, given as itself or as its logit."""

from typing import ClassVar

from dlcourse.mini._core import Tensor
from dlcourse.mini.distributions import constraints
from dlcourse.mini.distributions.distribution import Distribution
from dlcourse.mini.distributions.utils import (
    broadcast_all,
    lazy_property,
    logits_to_probs,
    one_of,
    probs_to_logits,
)


class Binary(Distribution):
    """With the probability `probs`, or sigmoid(`logits`)."""

    arg_constraints: ClassVar = {
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }

    def __init__(
        self,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ):
        self._given = one_of(probs, logits)
        (given,) = broadcast_all(logits if probs is None else probs)
        setattr(self, self._given, given)
        super().__init__(given.shape, validate_args=validate_args)

    @lazy_property
    def logits(self):
        """`log(p / (1 - p))`."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self):
        """The probability."""
        return logits_to_probs(self.logits, is_binary=True)
