"""What one does to parameters and their gradients."""

from dlcourse.mini.nn.utils.clip_grad import clip_grad_norm_, clip_grad_value_

__all__ = ["clip_grad_norm_", "clip_grad_value_"]
