"""What one does to parameters and their gradients, and to sequences of unequal lengths (`rnn`)."""

from dlcourse.mini.nn.utils import rnn
from dlcourse.mini.nn.utils.clip_grad import clip_grad_norm_, clip_grad_value_

__all__ = ["clip_grad_norm_", "clip_grad_value_", "rnn"]
