"""A mixture: one of several distributions of a kind is drawn, then a value from it."""

from dlcourse.mini._dtype import Size
from dlcourse.mini._grad_mode import no_grad
from dlcourse.mini.distributions.categorical import Categorical
from dlcourse.mini.distributions.distribution import Distribution


class MixtureSameFamily(Distribution):
    """The last dimension of the batch of `component_distribution` is that of the components.

    MixtureSameFamily(Categorical(weights), Normal(means, stds)) is a mixture of normals.
    """

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ):
        mixture, component = mixture_distribution, component_distribution
        if not isinstance(mixture, Categorical):
            raise ValueError(
                " The Mixture distribution needs to be an instance of mini.distributions."
                "Categorical"
            )
        if not isinstance(component, Distribution):
            raise ValueError(
                "The Component distribution need to be an instance of mini.distributions."
                "Distribution"
            )
        *batch, count = component.batch_shape or (1,)
        for size, other in zip(mixture.batch_shape[::-1], batch[::-1], strict=False):
            if 1 not in (size, other) and size != other:
                raise ValueError(
                    f"`mixture_distribution.batch_shape` ({mixture.batch_shape}) is not compatible "
                    f"with `component_distribution.batch_shape`({Size(batch)})"
                )
        if mixture.param_shape[-1] != count:
            raise ValueError(
                f"`mixture_distribution component` ({mixture.param_shape[-1]}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({count})"
            )
        self.mixture_distribution, self.component_distribution = mixture, component
        super().__init__(batch, component.event_shape, validate_args=validate_args)

    def __repr__(self):
        return f"MixtureSameFamily(\n  {self.mixture_distribution},\n  {self._component})"

    @property
    def _component(self):
        return self.component_distribution

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        count = self._component.batch_shape[-1]
        new.component_distribution = self._component.expand((*batch_shape, count))
        new.mixture_distribution = self.mixture_distribution.expand(batch_shape)
        return new

    @property
    def support(self):
        """That of the components."""
        return self._component.support

    def _weighted(self, values):
        """The mean over the components, which stand before the event."""
        probs = self.mixture_distribution.probs
        probs = probs.reshape(*probs.shape, *(1,) * len(self.event_shape))
        return (probs * values).sum(-1 - len(self.event_shape))

    def _beside(self, value):
        """The value for every component."""
        return value.unsqueeze(-1 - len(self.event_shape))

    @property
    def mean(self):
        return self._weighted(self._component.mean)

    @property
    def variance(self):
        away = self._component.mean - self._beside(self.mean)
        return self._weighted(self._component.variance) + self._weighted(away**2)

    def sample(self, sample_shape=()):
        with no_grad():
            # NB: in torch one mixture of a batch of components cannot be drawn from.
            which = self.mixture_distribution.expand(self.batch_shape).sample(sample_shape)
            drawn = self._component.sample(sample_shape)
            dim = drawn.ndim - len(self.event_shape) - 1
            index = which.reshape(*which.shape, *(1,) * (drawn.ndim - which.ndim))
            index = index.expand(*drawn.shape[:dim], 1, *self.event_shape)
            return drawn.gather(dim, index).squeeze(dim)

    def log_prob(self, value):
        self._check(value)
        weights = self.mixture_distribution.logits.log_softmax(-1)
        return (self._component.log_prob(self._beside(value)) + weights).logsumexp(-1)

    def cdf(self, value):
        return (self._component.cdf(self._beside(value)) * self.mixture_distribution.probs).sum(-1)
