"""Samples from distributions, and the seeds of the default generator."""

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.creation import (
    default_generator,
    normal_array,
    numpy_dtype,
    randint,
    random_source,
    require_cpu,
    uniform_array,
)
from dlcourse.mini.ops.inplace import Fill, write

import numpy as np

# -- new tensors -----------------------------------------------------------------------------------


def rand_like(input, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Uniform on [0, 1) in the shape and dtype of `input`."""
    require_cpu(device)
    dtype = numpy_dtype(dtype, input._data.dtype)
    return wrap(uniform_array(generator, input._data.shape, dtype), requires_grad)


def randn_like(input, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Normal with mean 0 and variance 1 in the shape and dtype of `input`."""
    require_cpu(device)
    dtype = numpy_dtype(dtype, input._data.dtype)
    return wrap(normal_array(generator, input._data.shape, dtype), requires_grad)


def randint_like(input, low, high=None, *, generator=None, dtype=None, device=None):
    """Integers from low to high - 1 in the shape and dtype of `input`; of one number, from 0 on."""
    low, high = (0, low) if high is None else (low, high)
    dtype = input.dtype if dtype is None else dtype
    return randint(low, high, input.shape, generator=generator, dtype=dtype, device=device)


def normal(mean=0.0, std=1.0, size=None, *, generator=None, dtype=None, device=None):
    """Normal with this mean and standard deviation: numbers with a `size`, or tensors."""
    require_cpu(device)
    if size is None and not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        raise TypeError("normal() of two numbers wants a size, such as normal(0.0, 1.0, (2, 3))")
    parts = [v._data if isinstance(v, Tensor) else v for v in (mean, std)]
    if np.any(np.asarray(parts[1]) < 0):
        raise RuntimeError(f"normal expects all elements of std >= 0.0, but found {std}")
    if size is None:
        size = np.broadcast_shapes(*[np.shape(p) for p in parts])
        kept = next(v._data.dtype for v in (mean, std) if isinstance(v, Tensor))
    else:
        kept = None
    dtype = numpy_dtype(dtype, kept)
    out = normal_array(generator, tuple(size), dtype) * parts[1] + parts[0]
    return wrap(np.asarray(out, dtype))


def bernoulli(input, p=None, *, generator=None):
    """1 with the probability that each element of `input` says (or `p`), else 0."""
    chance = input._data if p is None else p
    if p is None and input._data.dtype.kind != "f":
        raise RuntimeError("bernoulli expects floating point probabilities")
    return wrap(_bernoulli(generator, input._data, chance))


def _bernoulli(generator, array, chance):
    chance = np.asarray(chance._data if isinstance(chance, Tensor) else chance)
    if not np.all((chance >= 0) & (chance <= 1)):
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    return (random_source(generator).random(array.shape) < chance).astype(array.dtype)


def multinomial(input, num_samples, replacement=False, *, generator=None):
    """Indices drawn with the weights in each row of `input` (K,) or (B, K), int64."""
    weights = input._data.astype(np.float64)
    if weights.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if (weights.sum(-1) <= 0).any():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and num_samples > weights.shape[-1]:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        )
    source = random_source(generator)
    if replacement:
        edges = weights.cumsum(-1)
        draws = source.random((*weights.shape[:-1], num_samples)) * edges[..., -1:]
        index = (draws[..., None] >= edges[..., None, :]).sum(-1)
    else:  # the smallest of exponential waiting times are a sample without replacement
        with np.errstate(divide="ignore"):
            waits = source.exponential(size=weights.shape) / weights
        index = np.argsort(waits, -1, kind="stable")[..., :num_samples]
    return wrap(np.minimum(index, weights.shape[-1] - 1).astype(np.int64))


def poisson(input, generator=None):
    """Counts with the rates that `input` holds."""
    return wrap(random_source(generator).poisson(input._data).astype(input._data.dtype))


# -- in place --------------------------------------------------------------------------------------


def fill_with(self, array):
    """Write random numbers; what was there before gets no gradient."""
    array = np.asarray(array).astype(self._data.dtype)
    return write(self, lambda old: Fill.apply(old, array))


def bernoulli_(self, p=0.5, *, generator=None):
    """Every element becomes 1 with probability `p`, a number or a tensor, else 0."""
    return fill_with(self, _bernoulli(generator, self._data, p))


def exponential_(self, lambd=1.0, *, generator=None):
    """Every element becomes a waiting time at the rate `lambd`."""
    if lambd <= 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    return fill_with(self, random_source(generator).exponential(1 / lambd, self._data.shape))


def random_(self, from_=0, to=None, *, generator=None):
    """Every element becomes an integer from `from_` to `to` - 1; random_(to) starts at 0.

    Without `to` all integers of the type may come, of floats those that are exact.
    """
    if to is None and from_ != 0:
        from_, to = 0, from_
    if to is None:
        dtype = self._data.dtype
        exact = 2 ** (np.finfo(dtype).nmant + 1) if dtype.kind == "f" else None
        to = exact or (2 if dtype.kind == "b" else np.iinfo(dtype).max)
    if from_ >= to:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={from_} >= to={to}"
        )
    return fill_with(self, random_source(generator).integers(from_, to, self._data.shape))


def log_normal_(self, mean=1.0, std=2.0, *, generator=None):
    """Every element becomes exp of a normal number with this mean and standard deviation."""
    return fill_with(self, random_source(generator).lognormal(mean, std, self._data.shape))


def geometric_(self, p, *, generator=None):
    """Every element becomes the number of trials until the first success of probability `p`."""
    return fill_with(self, random_source(generator).geometric(p, self._data.shape))


# -- the default generator -------------------------------------------------------------------------


def seed():
    """Start the default generator at a seed that nobody chose, and return it."""
    return default_generator.seed()


def initial_seed():
    """The seed at which the default generator began."""
    return default_generator.initial_seed()


def get_rng_state():
    """The state of the default generator; `set_rng_state` takes it back."""
    return default_generator.get_state()


def set_rng_state(new_state):
    """Let the default generator go on from that state."""
    default_generator.set_state(new_state)
