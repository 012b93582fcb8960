"""LeNet, the small convolutional network that most tutorials start with.

After LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition"
(1998), with what has become usual since: ReLU for tanh, max pooling for averages, plain linear
layers at the end.  Images come as they are, 28x28; the paper pads them to 32x32, hence its 400
features after the second pooling, where 28x28 leave 256.  `LeNet(in_channels=3, size=32)` is what
circulates as the first classifier for colour images (CIFAR-10).
"""

import torch
from torch import nn


class LeNet(nn.Module):
    """Images (B, C, H, H) with H = `size` to logits (B, K)."""

    def __init__(self, num_classes: int = 10, in_channels: int = 1, size: int = 28) -> None:
        super().__init__()
        side = ((size - 4) // 2 - 4) // 2  # two 5x5 convolutions without padding, each pooled
        self.conv1 = nn.Conv2d(in_channels, 6, kernel_size=5)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.fc1 = nn.Linear(16 * side * side, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        # The shapes are those for C = 1, H = 28.
        x = torch.relu(self.conv1(images))  # (B, 6, 24, 24)
        x = nn.functional.max_pool2d(x, 2)  # (B, 6, 12, 12)
        x = torch.relu(self.conv2(x))  # (B, 16, 8, 8)
        x = nn.functional.max_pool2d(x, 2)  # (B, 16, 4, 4)
        x = x.flatten(start_dim=1)  # (B, 256)
        x = torch.relu(self.fc1(x))  # (B, 120)
        x = torch.relu(self.fc2(x))  # (B, 84)
        return self.fc3(x)  # (B, K)
