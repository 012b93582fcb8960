"""LeNet, the small convolutional network that most tutorials start with.

After LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition"
(1998), with what has become usual since: ReLU for tanh, max pooling for averages, plain linear
layers at the end.  Images come as they are, 28x28; the paper pads them to 32x32, hence its 400
features after the second pooling, where 28x28 leave 256.
"""

import torch
from torch import nn


class LeNet(nn.Module):
    """Images (B, 1, 28, 28) to logits (B, K)."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=5)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.fc1 = nn.Linear(16 * 4 * 4, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv1(images))  # (B, 6, 24, 24)
        x = nn.functional.max_pool2d(x, 2)  # (B, 6, 12, 12)
        x = torch.relu(self.conv2(x))  # (B, 16, 8, 8)
        x = nn.functional.max_pool2d(x, 2)  # (B, 16, 4, 4)
        x = x.flatten(start_dim=1)  # (B, 256)
        x = torch.relu(self.fc1(x))  # (B, 120)
        x = torch.relu(self.fc2(x))  # (B, 84)
        return self.fc3(x)  # (B, K)
