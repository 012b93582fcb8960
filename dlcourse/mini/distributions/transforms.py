"""Functions that turn one distribution into another: invertible, with the logarithm of the slope.

y = transform(x), x = transform.inv(y), and transform.log_abs_det_jacobian(x, y) is log |dy/dx|, of
vectors log |det dy/dx|.  One of one's own defines `_call`, `_inverse`, `log_abs_det_jacobian`,
`domain` and `codomain`.
"""

import copy
import math

from dlcourse.mini._core import Tensor
from dlcourse.mini._dtype import Size, finfo
from dlcourse.mini.distributions import constraints
from dlcourse.mini.distributions.utils import sum_rightmost
from dlcourse.mini.nn.functional import softplus
from dlcourse.mini.ops.creation import full_like
from dlcourse.mini.ops.pieces import broadcast_shapes

__all__ = [
    "AffineTransform", "ComposeTransform", "ExpTransform", "SigmoidTransform", "SoftplusTransform",
    "TanhTransform", "Transform", "identity_transform",
]  # fmt: skip


class Transform:
    """The base of all: with `cache_size` 1 the last x and y are kept, so that inv(y) is x itself.

    That is exact where `_inverse` would not be: the tanh of 20 is 1.
    """

    bijective = False
    domain = codomain = constraints.dependent

    def __init__(self, cache_size=0):
        if cache_size not in (0, 1):
            raise ValueError("cache_size must be 0 or 1")
        self._cache_size, self._cached = cache_size, (None, None)

    def __repr__(self):
        return f"{type(self).__name__}()"

    def __eq__(self, other):
        return self is other

    __hash__ = object.__hash__

    @property
    def event_dim(self):
        """How many of the last dimensions count as one."""
        if self.domain.event_dim != self.codomain.event_dim:
            raise ValueError("Please use either .domain.event_dim or .codomain.event_dim")
        return self.domain.event_dim

    @property
    def sign(self):
        """1 where it rises, -1 where it falls."""
        raise NotImplementedError

    @property
    def inv(self):
        """The way back, as a transform."""
        return _InverseTransform(self)

    def with_cache(self, cache_size=1):
        """The same with a cache, or without one for 0."""
        if cache_size == self._cache_size:
            return self
        new = copy.copy(self)
        Transform.__init__(new, cache_size)
        return new

    def __call__(self, x):
        if not self._cache_size:
            return self._call(x)
        if x is not self._cached[0]:
            self._cached = x, self._call(x)
        return self._cached[1]

    def _inv_call(self, y):
        if not self._cache_size:
            return self._inverse(y)
        if y is not self._cached[1]:
            self._cached = self._inverse(y), y
        return self._cached[0]

    def _call(self, x):
        raise NotImplementedError

    def _inverse(self, y):
        raise NotImplementedError

    def log_abs_det_jacobian(self, x, y):
        """log |dy/dx|, without the dimensions of the event."""
        raise NotImplementedError

    def forward_shape(self, shape):
        """The shape of y for that of x."""
        return Size(shape)

    def inverse_shape(self, shape):
        """The shape of x for that of y."""
        return Size(shape)


class _InverseTransform(Transform):
    """A transform backwards."""

    def __init__(self, forwards):
        super().__init__()
        self.inv_of = forwards

    bijective = property(lambda self: self.inv_of.bijective)
    domain = property(lambda self: self.inv_of.codomain)
    codomain = property(lambda self: self.inv_of.domain)
    sign = property(lambda self: self.inv_of.sign)
    inv = property(lambda self: self.inv_of)

    def __eq__(self, other):
        return isinstance(other, _InverseTransform) and self.inv_of == other.inv_of

    __hash__ = None

    def __repr__(self):
        return f"{type(self).__name__}({self.inv_of!r})"

    def with_cache(self, cache_size=1):
        return self.inv_of.with_cache(cache_size).inv

    def __call__(self, x):
        return self.inv_of._inv_call(x)

    def _inv_call(self, y):
        return self.inv_of(y)

    def log_abs_det_jacobian(self, x, y):
        return -self.inv_of.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape):
        return self.inv_of.inverse_shape(shape)

    def inverse_shape(self, shape):
        return self.inv_of.forward_shape(shape)


class ComposeTransform(Transform):
    """Several transforms, one after another."""

    def __init__(self, parts, cache_size=0):
        super().__init__(cache_size)
        self.parts = [p.with_cache(cache_size) for p in parts] if cache_size else list(parts)

    bijective = property(lambda self: all(p.bijective for p in self.parts))

    def __eq__(self, other):
        return isinstance(other, ComposeTransform) and self.parts == other.parts

    __hash__ = None

    def __repr__(self):
        parts = ",\n    ".join(map(repr, self.parts))
        return f"{type(self).__name__}(\n    {parts}\n)"

    @property
    def domain(self):
        """That of the first part, for events as large as any part has them."""
        if not self.parts:
            return constraints.real
        dim = self.parts[-1].codomain.event_dim
        for part in reversed(self.parts):
            dim = max(part.domain.event_dim, dim + part.domain.event_dim - part.codomain.event_dim)
        return _of_events(self.parts[0].domain, dim)

    @property
    def codomain(self):
        """That of the last part, for events as large as any part has them."""
        if not self.parts:
            return constraints.real
        dim = self.parts[0].domain.event_dim
        for part in self.parts:
            dim = max(
                part.codomain.event_dim, dim + part.codomain.event_dim - part.domain.event_dim
            )
        return _of_events(self.parts[-1].codomain, dim)

    @property
    def sign(self):
        return math.prod((part.sign for part in self.parts), start=1)

    @property
    def inv(self):
        return ComposeTransform([part.inv for part in reversed(self.parts)])

    def with_cache(self, cache_size=1):
        same = cache_size == self._cache_size
        return self if same else ComposeTransform(self.parts, cache_size)

    def _call(self, x):
        for part in self.parts:
            x = part(x)
        return x

    def _inverse(self, y):
        for part in reversed(self.parts):
            y = part.inv(y)
        return y

    def log_abs_det_jacobian(self, x, y):
        if not self.parts:
            return full_like(x, 0.0)
        terms, event_dim = [], self.domain.event_dim
        for i, part in enumerate(self.parts):
            after = part(x) if i + 1 < len(self.parts) else y
            slope = part.log_abs_det_jacobian(x, after)
            terms.append(sum_rightmost(slope, event_dim - part.domain.event_dim))
            event_dim += part.codomain.event_dim - part.domain.event_dim
            x = after
        return sum(terms[1:], start=terms[0])

    def forward_shape(self, shape):
        for part in self.parts:
            shape = part.forward_shape(shape)
        return Size(shape)

    def inverse_shape(self, shape):
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return Size(shape)


def _of_events(constraint, event_dim):
    more = event_dim - constraint.event_dim
    return constraints.independent(constraint, more) if more else constraint


identity_transform = ComposeTransform([])

# -- of numbers ------------------------------------------------------------------------------------


class _Elementwise(Transform):
    """Of each number by itself, rising."""

    domain = constraints.real
    bijective = True
    sign = 1

    def __eq__(self, other):
        return type(other) is type(self)

    __hash__ = None


class ExpTransform(_Elementwise):
    """`y = exp(x)`."""

    codomain = constraints.positive

    def _call(self, x):
        return x.exp()

    def _inverse(self, y):
        return y.log()

    def log_abs_det_jacobian(self, x, y):
        return x


def _inside(y):
    """Above 0 and below 1 by as little as the type can tell."""
    kind = finfo(y.dtype)
    return y.clamp(min=kind.tiny, max=1 - kind.eps)


class SigmoidTransform(_Elementwise):
    """`y = 1 / (1 + exp(-x))`."""

    codomain = constraints.unit_interval

    def _call(self, x):
        return _inside(x.sigmoid())

    def _inverse(self, y):
        y = _inside(y)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x, y):
        return -softplus(-x) - softplus(x)


class SoftplusTransform(_Elementwise):
    """`y = log(1 + exp(x))`."""

    codomain = constraints.positive

    def _call(self, x):
        return softplus(x)

    def _inverse(self, y):
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x, y):
        return -softplus(-x)


class TanhTransform(_Elementwise):
    """`y = tanh(x)`.  With `cache_size=1` the way back is exact for large x, too."""

    codomain = constraints.interval(-1.0, 1.0)

    def _call(self, x):
        return x.tanh()

    def _inverse(self, y):
        return y.atanh()

    def log_abs_det_jacobian(self, x, y):
        return 2.0 * (math.log(2.0) - x - softplus(-2.0 * x))  # log(1 - y^2), stable


class AffineTransform(_Elementwise):
    """`y = loc + scale * x`, of events of `event_dim` dimensions."""

    def __init__(self, loc, scale, event_dim=0, cache_size=0):
        super().__init__(cache_size)
        self.loc, self.scale, self._event_dim = loc, scale, event_dim

    def __eq__(self, other):
        if not isinstance(other, AffineTransform):
            return False
        return _equal(self.loc, other.loc) and _equal(self.scale, other.scale)

    __hash__ = None

    @property
    def domain(self):
        """All numbers."""
        return _of_events(constraints.real, self._event_dim)

    codomain = domain

    @property
    def sign(self):
        return self.scale.sign() if isinstance(self.scale, Tensor) else _sign(self.scale)

    def _call(self, x):
        return self.loc + self.scale * x

    def _inverse(self, y):
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x, y):
        # NB: in torch a scale that all numbers of an event share counts once, and not for each.
        if isinstance(self.scale, Tensor):
            slope = self.scale.abs().log().expand(x.shape)
        else:
            slope = full_like(x, math.log(abs(self.scale)))
        return sum_rightmost(slope, self._event_dim)

    def forward_shape(self, shape):
        shapes = [v.shape for v in (self.loc, self.scale) if isinstance(v, Tensor)]
        return broadcast_shapes(shape, *shapes)

    inverse_shape = forward_shape


def _equal(a, b):
    same = a == b
    return bool(same.all()) if isinstance(same, Tensor) else same


def _sign(number):
    return (number > 0) - (number < 0)
