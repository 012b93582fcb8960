"""GoogLeNet: blocks that look at four scales at once, made cheap by 1x1 convolutions.

Szegedy et al., "Going deeper with convolutions" (2015), with batch normalisation (Ioffe and Szegedy
2015) and without the two auxiliary classifiers.  Names are torchvision's.
"""

from dlcourse.models._start import he_start

import torch
from torch import nn


class ConvNormReLU(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, **options) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, bias=False, **options)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu_(self.bn(self.conv(x)))


class Inception(nn.Module):
    """Four branches on the same input, their channels side by side: (B, C, H, W) to (B, C', H, W).

    C' = c1 + c3 + c5 + pooled; `reduce3` and `reduce5` are the channels that the 3x3 and the 5x5
    convolution see.  `large` is the kernel of the latter, 5 in the paper.
    """

    def __init__(
        self,
        in_channels: int,
        c1: int,
        reduce3: int,
        c3: int,
        reduce5: int,
        c5: int,
        pooled: int,
        large: int = 5,
    ) -> None:
        super().__init__()
        self.branch1 = ConvNormReLU(in_channels, c1, 1)
        self.branch2 = nn.Sequential(
            ConvNormReLU(in_channels, reduce3, 1), ConvNormReLU(reduce3, c3, 3, padding=1)
        )
        self.branch3 = nn.Sequential(
            ConvNormReLU(in_channels, reduce5, 1),
            ConvNormReLU(reduce5, c5, large, padding=large // 2),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1), ConvNormReLU(in_channels, pooled, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branches = self.branch1, self.branch2, self.branch3, self.branch4
        return torch.cat([branch(x) for branch in branches], dim=1)


# Table 1 of the paper: the branches of each block, in its rows and stages.
BLOCKS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class GoogLeNet(nn.Module):
    """Images (B, 3, 224, 224) to logits (B, K)."""

    def __init__(self, num_classes: int = 1000, large: int = 5, dropout: float = 0.2) -> None:
        super().__init__()
        self.conv1 = ConvNormReLU(3, 64, 7, stride=2, padding=3)
        self.conv2 = ConvNormReLU(64, 64, 1)
        self.conv3 = ConvNormReLU(64, 192, 3, padding=1)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        channels = 192
        for name, sizes in BLOCKS.items():
            self.add_module(f"inception{name}", Inception(channels, *sizes, large=large))
            channels = sizes[0] + sizes[2] + sizes[4] + sizes[5]
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)
        he_start(self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.conv1(images))  # (B, 64, 56, 56)
        x = self.pool(self.conv3(self.conv2(x)))  # (B, 192, 28, 28)
        for name in BLOCKS:
            if name == "4a":
                x = self.pool(x)  # (B, 480, 14, 14)
            elif name == "5a":
                x = nn.functional.max_pool2d(x, 2, ceil_mode=True)  # (B, 832, 7, 7)
            x = self.get_submodule(f"inception{name}")(x)
        return self.fc(self.dropout(x.mean(dim=(2, 3))))  # (B, 1024) -> (B, K)


def small_googlenet(width: int, num_classes: int = 10) -> nn.Sequential:
    """Images (B, 3, 32, 32) to logits (B, K): five blocks in the proportions of block 3a.

    The stem has w = `width` channels, the blocks 2w, 2w, 4w, 4w, 4w; w is a multiple of 8.
    """
    if width % 8:
        raise ValueError(f"width must be a multiple of 8, got {width}")

    def block(in_channels: int, c: int) -> Inception:
        sizes = c // 4, 3 * c // 8, c // 2, c // 16, c // 8, c // 8
        return Inception(in_channels, *sizes)

    w = width
    model = nn.Sequential(
        ConvNormReLU(3, w, 3, stride=2, padding=1),  # (B, w, 16, 16)
        block(w, 2 * w),
        block(2 * w, 2 * w),
        nn.MaxPool2d(2),  # (B, 2w, 8, 8)
        block(2 * w, 4 * w),
        block(4 * w, 4 * w),
        nn.MaxPool2d(2),  # (B, 4w, 4, 4)
        block(4 * w, 4 * w),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * w, num_classes),
    )
    he_start(model)
    return model
