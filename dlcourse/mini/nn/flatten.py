"""Flatten."""

from dlcourse.mini.nn.module import Module


class Flatten(Module):
    """Dimensions start_dim to end_dim become one: (B, C, H, W) to (B, C * H * W)."""

    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input):
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self):
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
