"""The distribution of f(x) for x of another."""

from dlcourse.mini._core import Tensor
from dlcourse.mini._grad_mode import no_grad
from dlcourse.mini.distributions import constraints
from dlcourse.mini.distributions.distribution import Distribution
from dlcourse.mini.distributions.independent import Independent
from dlcourse.mini.distributions.transforms import ComposeTransform, Transform
from dlcourse.mini.distributions.utils import sum_rightmost


class TransformedDistribution(Distribution):
    """Draws of `base_distribution`, sent through the transforms, one after another.

    log p(y) = log p(x) - log |dy/dx|: TransformedDistribution(Normal(mean, std), [TanhTransform()])
    is a normal distribution squashed to (-1, 1).
    """

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | list[Transform],
        validate_args: bool | None = None,
    ):
        self.transforms = [transforms] if isinstance(transforms, Transform) else transforms
        if not isinstance(self.transforms, list):
            raise ValueError(f"transforms must be a Transform or list, but was {transforms}")
        if not all(isinstance(t, Transform) for t in self.transforms):
            raise ValueError("transforms must be a Transform or a list of Transforms")
        transform, base = ComposeTransform(self.transforms), base_distribution
        wanted, own = transform.domain.event_dim, len(base.event_shape)
        shape = base.batch_shape + base.event_shape
        if len(shape) < wanted:
            raise ValueError(
                f"base_distribution needs to have shape with size at least {wanted}, but got "
                f"{shape}."
            )
        after = transform.forward_shape(shape)
        before = transform.inverse_shape(after)
        if before != shape:
            base = base.expand(before[: len(before) - own])
        self.base_dist = Independent(base, wanted - own) if wanted > own else base
        event_dim = transform.codomain.event_dim + max(own - wanted, 0)
        cut = len(after) - event_dim
        super().__init__(after[:cut], after[cut:], validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        shape = ComposeTransform(self.transforms).inverse_shape((*batch_shape, *self.event_shape))
        new.base_dist = self.base_dist.expand(shape[: len(shape) - len(self.base_dist.event_shape)])
        return new

    @property
    def has_rsample(self):
        """That of the base."""
        return self.base_dist.has_rsample

    @property
    def support(self):
        """What the last transform gives."""
        if not self.transforms:
            return self.base_dist.support
        last = self.transforms[-1].codomain
        more = len(self.event_shape) - last.event_dim
        return constraints.independent(last, more) if more else last

    def sample(self, sample_shape=()):
        with no_grad():
            return self._forward(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape=()):
        return self._forward(self.base_dist.rsample(sample_shape))

    def _forward(self, x):
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value):
        self._check(value)
        event_dim, slopes, y = len(self.event_shape), 0, value
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            event_dim += transform.domain.event_dim - transform.codomain.event_dim
            slope = transform.log_abs_det_jacobian(x, y)
            slopes = slopes + sum_rightmost(slope, event_dim - transform.domain.event_dim)
            y = x
        base = self.base_dist.log_prob(y)
        return sum_rightmost(base, event_dim - len(self.base_dist.event_shape)) - slopes

    def _rising(self, probability):
        """Of a falling transform the probability of the other side."""
        sign = ComposeTransform(self.transforms).sign
        if not isinstance(sign, Tensor) and sign == 1:
            return probability
        return sign * (probability - 0.5) + 0.5

    def cdf(self, value):
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        return self._rising(self.base_dist.cdf(value))

    def icdf(self, value):
        return self._forward(self.base_dist.icdf(self._rising(value)))
