"""A convolutional network for small colour images that learns much in few passes.

Its plan is that of Keller Jordan's fast networks for CIFAR-10 ("94% on CIFAR-10 in 3.29 seconds on
a single GPU", 2024), which goes back to David Page's (2018): a first layer whose fixed filters take
the correlations out of the pixels ("whitening"), three stages that pool early, one maximum over all
places, and a linear layer on a small scale.  Here the second convolution of a stage lies on a
residual branch (He et al. 2016), where Jordan's starts as the identity.
"""

from collections.abc import Sequence

import torch
from torch import nn


def whitening_filters(images: torch.Tensor, size: int = 2, eps: float = 5e-4) -> torch.Tensor:
    """Filters (C * size**2, C, size, size) whose outputs over `images` are uncorrelated.

    The eigenvectors of the covariance of all patches, each divided by the root of its eigenvalue:
    the outputs have variance 1 (less where the eigenvalue is near `eps`).  Images (N, C, H, W).
    """
    mean, second, count = 0.0, 0.0, 0
    for part in images.split(250):  # there are millions of patches: a few at a time
        rows = nn.functional.unfold(part.double(), size).transpose(0, 1).flatten(1)  # (D, N H' W')
        mean, second = mean + rows.sum(dim=1), second + rows @ rows.T
        count += rows.shape[1]
    mean = mean / count
    values, vectors = torch.linalg.eigh(second / count - mean.outer(mean))  # rising, in columns
    filters = vectors.T / (values + eps).sqrt().unsqueeze(1)
    return filters.flip(0).view(-1, images.shape[1], size, size).float()


class Whiten(nn.Module):
    """Images (B, C, H, W) to (B, 2 C s^2, H - s + 1, W - s + 1): fixed filters and their opposites.

    Both signs, because the ReLU that follows would throw one half of a filter's answer away.
    """

    def __init__(self, in_channels: int = 3, size: int = 2) -> None:
        super().__init__()
        self.out_channels = 2 * in_channels * size**2
        shape = (self.out_channels, in_channels, size, size)
        self.register_buffer("weight", torch.randn(shape) / (in_channels * size**2) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(self.out_channels))

    def learn(self, images: torch.Tensor) -> None:
        """Take the filters from some training images (N, C, H, W), once, before training."""
        filters = whitening_filters(images, self.weight.shape[-1])
        self.weight.copy_(torch.cat([filters, -filters]))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(images, self.weight, self.bias)


class Stage(nn.Module):
    """Two 3x3 convolutions: (B, C, H, W) to (B, C', H // 2, W // 2)."""

    def __init__(self, in_channels: int, out_channels: int, batch_norm: bool, residual: bool):
        super().__init__()
        self.residual = residual
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=not batch_norm)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=not batch_norm)
        self.norm1 = nn.BatchNorm2d(out_channels) if batch_norm else nn.Identity()
        self.norm2 = nn.BatchNorm2d(out_channels) if batch_norm else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(self.conv1(x), 2)  # (B, C', H // 2, W // 2)
        x = torch.relu(self.norm1(x))
        branch = torch.relu(self.norm2(self.conv2(x)))
        return x + branch if self.residual else branch


class ColorCNN(nn.Module):
    """Images (B, 3, 32, 32) to logits (B, K); the three stages have `widths` channels."""

    def __init__(
        self,
        widths: Sequence[int] = (64, 256, 256),
        *,
        whiten: bool = True,
        batch_norm: bool = True,
        residual: bool = True,
        num_classes: int = 10,
    ) -> None:
        super().__init__()
        if whiten:
            self.first = Whiten()
        else:
            self.first = nn.Conv2d(3, 24, kernel_size=2)
        channels = [24, *widths]
        self.stages = nn.Sequential(
            *(Stage(channels[i], channels[i + 1], batch_norm, residual) for i in range(3))
        )
        self.classifier = nn.Linear(widths[-1], num_classes, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(images))  # (B, 24, 31, 31)
        x = self.stages(x)  # (B, C, 3, 3)
        x = x.amax(dim=(2, 3))  # (B, C)
        return self.classifier(x) / 9  # (B, K)
