"""All parameters as one vector, and back."""

from dlcourse.mini._core import Tensor
from dlcourse.mini.ops.shape import cat


def parameters_to_vector(parameters):
    """The elements of all parameters, one after another; gradients flow back."""
    return cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec, parameters):
    """The elements of `vec` become those of the parameters, whose memory is its own from now on."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected mini.Tensor, but got: {type(vec).__name__}")
    start = 0
    for parameter in parameters:
        end = start + parameter.numel()
        parameter.data = vec.detach()[start:end].reshape(parameter.shape)
        start = end
