"""VGG: nothing but 3x3 convolutions, and twice the channels after each pooling.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015).
With `batch_norm` the network that is used since (Ioffe and Szegedy 2015).  Names are torchvision's.
"""

from collections.abc import Sequence

from dlcourse.models._start import he_start

import torch
from torch import nn

# The paper's configuration D, VGG-16: how many convolutions in a row, and with how many channels.
VGG16 = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


def stage(in_channels: int, count: int, channels: int, batch_norm: bool) -> list[nn.Module]:
    """The block of VGG: `count` times a 3x3 convolution and ReLU, then half the resolution."""
    layers = []
    for i in range(count):
        layers.append(nn.Conv2d(channels if i else in_channels, channels, 3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(channels))
        layers.append(nn.ReLU(inplace=True))
    return [*layers, nn.MaxPool2d(2)]


class VGG(nn.Module):
    """Images (B, 3, 224, 224) to logits (B, K); other sizes are averaged to `side` pixels."""

    def __init__(
        self,
        stages: Sequence[tuple[int, int]] = VGG16,
        num_classes: int = 1000,
        hidden: int = 4096,
        dropout: float = 0.5,
        batch_norm: bool = False,
        side: int = 7,
    ) -> None:
        super().__init__()
        layers, channels = [], 3
        for count, wider in stages:
            layers += stage(channels, count, wider, batch_norm)
            channels = wider
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(side)
        self.classifier = nn.Sequential(
            nn.Linear(channels * side**2, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )
        he_start(self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.avgpool(self.features(images))  # (B, C, side, side)
        return self.classifier(x.flatten(start_dim=1))  # (B, K)
