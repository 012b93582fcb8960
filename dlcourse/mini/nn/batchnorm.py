"""Batch normalisation (Ioffe and Szegedy 2015)."""

from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn import init
from dlcourse.mini.nn.module import Module
from dlcourse.mini.nn.parameter import Parameter
from dlcourse.mini.ops.creation import empty, tensor


class Norm(Module):
    """The common part of batch and instance normalisation: parameters and running statistics."""

    def __init__(
        self, num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True,
        device=None, dtype=None, *, bias=True,
    ):  # fmt: skip
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats

        def vector():
            return empty(num_features, dtype=dtype, device=device)

        self.register_parameter("weight", Parameter(vector()) if affine else None)
        self.register_parameter("bias", Parameter(vector()) if affine and bias else None)
        self.register_buffer("running_mean", vector() if track_running_stats else None)
        self.register_buffer("running_var", vector() if track_running_stats else None)
        self.register_buffer("num_batches_tracked", tensor(0) if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self):
        """Forget the batches seen so far: mean 0, variance 1."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self):
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def extra_repr(self):
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm(Norm):
    """The common part of BatchNorm1d, 2d and 3d; see `functional.batch_norm`."""

    dims, expected = (), ""

    def forward(self, input):
        if input.ndim not in self.dims:
            raise ValueError(f"expected {self.expected} input (got {input.ndim}D input)")
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # the plain average over all batches
                momentum = 1 / self.num_batches_tracked.item()
        of_batch = self.training or self.running_mean is None
        mean, var = self.running_mean, self.running_var
        return F.batch_norm(input, mean, var, self.weight, self.bias, of_batch, momentum, self.eps)


class BatchNorm1d(BatchNorm):
    """For (B, C) or (B, C, T)."""

    dims, expected = (2, 3), "2D or 3D"


class BatchNorm2d(BatchNorm):
    """For (B, C, H, W)."""

    dims, expected = (4,), "4D"


class BatchNorm3d(BatchNorm):
    """For (B, C, D, H, W)."""

    dims, expected = (5,), "5D"
