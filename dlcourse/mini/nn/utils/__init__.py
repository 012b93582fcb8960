"""What one does to parameters and their gradients, and to sequences of unequal lengths (`rnn`)."""

from dlcourse.mini.nn.utils import parametrizations, parametrize, prune, rnn
from dlcourse.mini.nn.utils.clip_grad import clip_grad_norm as clip_grad_norm  # an older name
from dlcourse.mini.nn.utils.clip_grad import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from dlcourse.mini.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters
from dlcourse.mini.nn.utils.reparametrize import (
    remove_spectral_norm,
    remove_weight_norm,
    spectral_norm,
    weight_norm,
)

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "prune",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "spectral_norm",
    "vector_to_parameters",
    "weight_norm",
]
