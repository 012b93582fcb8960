"""Instance normalisation (Ulyanov, Vedaldi, Lempitsky 2016)."""

import warnings

from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn.batchnorm import Norm


class InstanceNorm(Norm):
    """The common part: each image's channels by themselves; see `functional.instance_norm`."""

    n = 0

    def __init__(
        self, num_features: int, eps: float = 1e-05, momentum: float = 0.1, affine: bool = False,
        track_running_stats: bool = False, device=None, dtype=None, *, bias: bool = True,
    ):  # fmt: skip
        options = eps, momentum, affine, track_running_stats, device, dtype
        super().__init__(num_features, *options, bias=bias)

    def forward(self, input):
        n = self.n
        if input.ndim not in (n + 1, n + 2):
            raise ValueError(f"expected {n + 1}D or {n + 2}D input (got {input.ndim}D input)")
        dim = input.ndim - n - 1
        if input.shape[dim] != self.num_features:
            self._other_channels(dim, input.shape[dim])
        images = input.unsqueeze(0) if dim == 0 else input
        of_input = self.training or not self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum
        stats = self.running_mean, self.running_var, self.weight, self.bias
        out = F.instance_norm(images, *stats, of_input, momentum, self.eps)
        return out.squeeze(0) if dim == 0 else out

    def _other_channels(self, dim, got):
        if self.affine:
            raise ValueError(
                f"expected input's size at dim={dim} to match num_features ({self.num_features}), "
                f"but got: {got}."
            )
        warnings.warn(
            f"input's size at dim={dim} does not match num_features. You can silence this warning "
            "by not passing in num_features, which is not used because affine=False",
            stacklevel=4,
        )


class InstanceNorm1d(InstanceNorm):
    """For (B, C, T) or (C, T)."""

    n = 1


class InstanceNorm2d(InstanceNorm):
    """For (B, C, H, W) or (C, H, W)."""

    n = 2


class InstanceNorm3d(InstanceNorm):
    """For (B, C, D, H, W) or (C, D, H, W)."""

    n = 3
