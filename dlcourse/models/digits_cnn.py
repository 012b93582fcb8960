"""A compact convolutional network for 28x28 digits, in the manner of VGG with batch normalisation.

Pairs of 3x3 convolutions, twice as many channels after each pooling (Simonyan and Zisserman 2015),
batch normalisation (Ioffe and Szegedy 2015), one average over all places at the end (Lin, Chen and
Yan 2014).  The first pair takes no padding: a digit's margin is empty, and the layers at full size
are the ones that cost.
"""

import torch
from torch import nn


class ConvBlock(nn.Module):
    """3x3 convolution, batch normalisation (if asked for), ReLU.

    (B, C, H, W) to (B, C', H', W').  With `padding=1` H' is H, with `padding=0` it is
    H - 2; W' likewise.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        padding: int,
        batch_norm: bool,
    ) -> None:
        super().__init__()
        # Batch normalisation subtracts the mean, and with it any bias: one of them is enough.
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size=3, padding=padding, bias=not batch_norm
        )
        self.norm = nn.BatchNorm2d(out_channels) if batch_norm else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(self.conv(x)))


def pair(in_channels: int, out_channels: int, padding: int, batch_norm: bool) -> nn.Sequential:
    """Two blocks in a row, the first of which changes the number of channels."""
    return nn.Sequential(
        ConvBlock(in_channels, out_channels, padding, batch_norm),
        ConvBlock(out_channels, out_channels, padding, batch_norm),
    )


class DigitsCNN(nn.Module):
    """Images (B, 1, 28, 28) to logits (B, K); the first pair has w = `width` channels."""

    def __init__(self, width: int = 32, batch_norm: bool = True, num_classes: int = 10):
        super().__init__()
        w = width
        self.pair1 = pair(1, w, padding=0, batch_norm=batch_norm)
        self.pair2 = pair(w, 2 * w, padding=1, batch_norm=batch_norm)
        self.pair3 = pair(2 * w, 4 * w, padding=1, batch_norm=batch_norm)
        self.classifier = nn.Linear(4 * w, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.pair1(images)  # (B, w, 24, 24)
        x = nn.functional.max_pool2d(x, 2)  # (B, w, 12, 12)
        x = self.pair2(x)  # (B, 2w, 12, 12)
        x = nn.functional.max_pool2d(x, 2)  # (B, 2w, 6, 6)
        x = self.pair3(x)  # (B, 4w, 6, 6)
        x = x.mean(dim=(2, 3))  # (B, 4w)
        return self.classifier(x)  # (B, K)
