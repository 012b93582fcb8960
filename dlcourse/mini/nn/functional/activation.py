"""Activations."""

from dlcourse.mini.ops import softmax as _softmax
from dlcourse.mini.ops.softmax import logsigmoid

__all__ = ["log_softmax", "logsigmoid", "relu", "sigmoid", "softmax", "tanh"]


def relu(input, inplace=False):
    """max(input, 0)."""
    return input.relu_() if inplace else input.relu()


def sigmoid(input):
    """1 / (1 + exp(-input))."""
    return input.sigmoid()


def tanh(input):
    """The hyperbolic tangent."""
    return input.tanh()


def softmax(input, dim=None, dtype=None):
    """exp(input) / sum(exp(input)) along `dim`."""
    return _softmax.softmax(input, _stated(dim, "softmax"), dtype)


def log_softmax(input, dim=None, dtype=None):
    """log(softmax(input)) along `dim`, precise where softmax would round to 0."""
    return _softmax.log_softmax(input, _stated(dim, "log_softmax"), dtype)


def _stated(dim, name):
    # NB: in torch softmax without dim guesses one and warns that this is deprecated.
    if dim is None:
        raise TypeError(f"{name}() needs dim: the dimension along which probabilities sum to 1")
    return dim
