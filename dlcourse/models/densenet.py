"""DenseNet: each layer sees the outputs of all layers before it, side by side.

Huang, Liu, van der Maaten and Weinberger, "Densely connected convolutional networks" (2017), in the
form DenseNet-BC: a 1x1 bottleneck in each layer, half the channels after each block.  Names are
torchvision's.
"""

from collections import OrderedDict
from collections.abc import Sequence

from dlcourse.models._start import he_start

import torch
from torch import nn


class DenseLayer(nn.Module):
    """(B, C, H, W) to `growth` new channels (B, growth, H, W): norm, ReLU, 1x1; norm, ReLU, 3x3."""

    def __init__(self, in_channels: int, growth: int, bottleneck: int = 4) -> None:
        super().__init__()
        inner = bottleneck * growth
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, inner, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, growth, kernel_size=3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(torch.relu_(self.norm1(x)))  # (B, inner, H, W)
        return self.conv2(torch.relu_(self.norm2(x)))  # (B, growth, H, W)


class DenseBlock(nn.Module):
    """`depth` layers: (B, C, H, W) to (B, C + depth * growth, H, W)."""

    def __init__(self, depth: int, in_channels: int, growth: int) -> None:
        super().__init__()
        for i in range(depth):
            layer = DenseLayer(in_channels + i * growth, growth)
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = [x]
        for layer in self.children():
            found.append(layer(torch.cat(found, dim=1)))
        return torch.cat(found, dim=1)  # (B, C + depth * growth, H, W)


def transition(in_channels: int, out_channels: int) -> nn.Sequential:
    """Fewer channels and half the resolution: (B, C, H, W) to (B, C', H/2, W/2)."""
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(in_channels),
            relu=nn.ReLU(inplace=True),
            conv=nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
            pool=nn.AvgPool2d(2),
        )
    )


def stem(channels: int, small: bool) -> OrderedDict:
    """The layers before the first block."""
    if small:
        return OrderedDict(conv0=nn.Conv2d(3, channels, 3, stride=2, padding=1, bias=False))
    return OrderedDict(
        conv0=nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False),
        norm0=nn.BatchNorm2d(channels),
        relu0=nn.ReLU(inplace=True),
        pool0=nn.MaxPool2d(3, stride=2, padding=1),
    )


class DenseNet(nn.Module):
    """Images (B, 3, 224, 224) to logits (B, K); with `small`, images (B, 3, 32, 32).

    `growth` 32 and `depths` (6, 12, 24, 16) are DenseNet-121; the stem has twice `growth` channels.
    """

    def __init__(
        self,
        growth: int = 32,
        depths: Sequence[int] = (6, 12, 24, 16),
        num_classes: int = 1000,
        small: bool = False,
    ) -> None:
        super().__init__()
        channels = 2 * growth
        self.features = nn.Sequential(stem(channels, small))
        for i, depth in enumerate(depths):
            self.features.add_module(f"denseblock{i + 1}", DenseBlock(depth, channels, growth))
            channels += depth * growth
            if i < len(depths) - 1:
                halved = transition(channels, channels // 2)
                self.features.add_module(f"transition{i + 1}", halved)
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, num_classes)
        he_start(self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.features(images))  # (B, C, H', W')
        return self.classifier(x.mean(dim=(2, 3)))  # (B, K)
