"""AlexNet: large kernels first, then small ones, and most of its weights in linear layers.

Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks"
(2012), in the form of Krizhevsky's later paper on one graphics card (2014), which torchvision has,
too: without the split over two cards and without local response normalisation.  Names are
torchvision's, so that weights can be exchanged.
"""

from dlcourse.models._start import he_start

import torch
from torch import nn


def features(width: int, stem: nn.Conv2d) -> nn.Sequential:
    """Five convolutions with w, 3w, 6w, 4w, 4w channels; `stem` is the first."""
    w = width
    return nn.Sequential(
        stem,
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),  # windows overlap: 3 wide, 2 apart
        nn.Conv2d(w, 3 * w, kernel_size=5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(3 * w, 6 * w, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(6 * w, 4 * w, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(4 * w, 4 * w, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
    )


class AlexNet(nn.Module):
    """Images (B, 3, 224, 224) to logits (B, K); with `small`, images (B, 3, 32, 32)."""

    def __init__(
        self,
        num_classes: int = 1000,
        width: int = 64,
        hidden: int = 4096,
        dropout: float = 0.5,
        small: bool = False,
    ) -> None:
        super().__init__()
        if small:  # 32 -> 16 -> 7 -> 3 -> 1 pixels
            stem, side = nn.Conv2d(3, width, kernel_size=5, stride=2, padding=2), 1
        else:  # 224 -> 55 -> 27 -> 13 -> 6 pixels
            stem, side = nn.Conv2d(3, width, kernel_size=11, stride=4, padding=2), 6
        self.features = features(width, stem)
        self.avgpool = nn.AdaptiveAvgPool2d(side)  # does nothing at the sizes above
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(4 * width * side**2, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, num_classes),
        )
        he_start(self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.avgpool(self.features(images))  # (B, 4w, 6, 6)
        return self.classifier(x.flatten(start_dim=1))  # (B, K)
