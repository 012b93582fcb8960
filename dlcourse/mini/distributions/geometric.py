"""The geometric distribution: k failures before the first success, p (1 - p)^k."""

from dlcourse.mini._core import Tensor
from dlcourse.mini._dtype import finfo
from dlcourse.mini._grad_mode import no_grad
from dlcourse.mini.distributions import constraints
from dlcourse.mini.distributions.binary import Binary
from dlcourse.mini.distributions.utils import (
    broadcast_all,
)
from dlcourse.mini.nn.functional import binary_cross_entropy_with_logits
from dlcourse.mini.ops.creation import rand, zeros_like


class Geometric(Binary):
    """With the probability `probs` of success, or sigmoid(`logits`)."""

    support = constraints.nonnegative_integer

    def __init__(
        self,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ):
        super().__init__(probs, logits, validate_args)
        given = getattr(self, self._given)
        if self._validate_args and probs is not None and not (given > 0).all():
            raise ValueError(
                f"Expected parameter probs (Tensor of shape {tuple(given.shape)}) of distribution "
                f"{self!r} to be positive but found invalid values:\n{given}"
            )

    @property
    def mean(self):
        return 1 / self.probs - 1

    @property
    def mode(self):
        return zeros_like(self.probs)

    @property
    def variance(self):
        return (1 / self.probs - 1) / self.probs

    def sample(self, sample_shape=()):
        with no_grad():
            dtype = self.probs.dtype
            uniform = rand(self._extended_shape(sample_shape), dtype=dtype)
            uniform = uniform.clamp(min=finfo(dtype).tiny)
            return (uniform.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value):
        self._check(value)
        value, probs = broadcast_all(value, self.probs)
        sure = (probs == 1) & (value == 0)  # else 0 log 0 is nan
        return value * (-probs.masked_fill(sure, 0)).log1p() + probs.log()

    def entropy(self):
        bits = binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
        return bits / self.probs
