"""ResNet: blocks that add to their input what they have found.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2016).  The stride of a
bottleneck stands in its 3x3 convolution, as in torchvision, and not in the first 1x1, as in the
paper.  Names are torchvision's.
"""

from collections.abc import Sequence

from dlcourse.models._start import he_start

import torch
from torch import nn


def conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the resolution but for its stride; the bias is left to the norm."""
    padding = kernel_size // 2
    return nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)


def shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """The projection for inputs that cannot be added as they are; None where they can."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(conv(in_channels, out_channels, 1, stride), nn.BatchNorm2d(out_channels))


class BasicBlock(nn.Module):
    """relu(x + f(x)) with two 3x3 convolutions in f: (B, C, H, W) to (B, C', H/stride, W/stride).

    With `residual=False` it is relu(f(x)): the plain network of the paper, for comparison.
    """

    expansion = 1

    def __init__(
        self, in_channels: int, channels: int, stride: int = 1, residual: bool = True
    ) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, channels, 3, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv(channels, channels, 3)
        self.bn2 = nn.BatchNorm2d(channels)
        self.residual = residual
        self.downsample = shortcut(in_channels, channels, stride) if residual else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = torch.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.residual:
            out = out + (x if self.downsample is None else self.downsample(x))
        return torch.relu(out)


class Bottleneck(nn.Module):
    """relu(x + f(x)) with 1x1, 3x3, 1x1 in f: the 3x3 sees a quarter of the channels.

    (B, C, H, W) to (B, 4 * channels, H/stride, W/stride).
    """

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        out_channels = self.expansion * channels
        self.conv1 = conv(in_channels, channels, 1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv(channels, channels, 3, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = conv(channels, out_channels, 1)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = shortcut(in_channels, out_channels, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = torch.relu(self.bn1(self.conv1(x)))  # (B, C'/4, H, W)
        out = torch.relu(self.bn2(self.conv2(out)))  # (B, C'/4, H/stride, W/stride)
        out = self.bn3(self.conv3(out))  # (B, C', H/stride, W/stride)
        return torch.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """Images (B, 3, 224, 224) to logits (B, K); with `small`, images (B, 3, 32, 32).

    Args:
        block: BasicBlock or Bottleneck.
        depths: blocks in each stage; a stage has twice the channels of the one before.
        width: channels of the stem; (3, 4, 6, 3) bottlenecks and width 64 are ResNet-50.
        small: a stem of 3x3 with stride 2 and no pooling.
        zero_start: start the last normalisation of each block with weight 0, so that each block
            is the identity at first (Goyal et al. 2017).
        options: more arguments of the block.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: Sequence[int],
        num_classes: int = 1000,
        width: int = 64,
        small: bool = False,
        zero_start: bool = False,
        **options,
    ) -> None:
        super().__init__()
        self.conv1 = conv(3, width, 3 if small else 7, stride=2)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, stride=2, padding=1)
        channels, self.stages = width, len(depths)
        for i, depth in enumerate(depths):
            blocks = []
            for j in range(depth):
                stride = 2 if i > 0 and j == 0 else 1
                blocks.append(block(channels, width * 2**i, stride, **options))
                channels = width * 2**i * block.expansion
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, num_classes)
        he_start(self)
        if zero_start:
            for module in self.modules():
                if isinstance(module, BasicBlock | Bottleneck):
                    last = module.bn3 if isinstance(module, Bottleneck) else module.bn2
                    nn.init.zeros_(last.weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.bn1(self.conv1(images)))  # (B, w, H/2, W/2)
        x = self.maxpool(x)
        for i in range(self.stages):
            x = self.get_submodule(f"layer{i + 1}")(x)  # (B, C, H', W')
        return self.fc(x.mean(dim=(2, 3)))  # (B, C) -> (B, K)
