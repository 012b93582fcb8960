"""Small versions of known architectures: one source, mini and torch, the same weights and steps."""

from dlcourse import mini
from dlcourse.testing import assert_matches, copy_weights

import numpy as np
import pytest
import torch

RNG = np.random.default_rng(0)


def floats(*shape):
    return RNG.standard_normal(shape)


def unet(f):
    """Ronneberger, Fischer and Brox 2015."""
    nn = f.nn

    def block(a, b):
        return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.GroupNorm(2, b), nn.ReLU())

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down1, self.down2, self.middle = block(1, 4), block(4, 8), block(8, 8)
            self.pool = nn.MaxPool2d(2)
            self.up2 = nn.ConvTranspose2d(8, 8, 2, stride=2)
            self.up1 = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.join2, self.join1 = block(16, 4), block(8, 4)
            self.head = nn.Conv2d(4, 3, kernel_size=1)

        def forward(self, x):
            a = self.down1(x)
            b = self.down2(self.pool(a))
            c = self.middle(self.pool(b))
            b = self.join2(f.cat([self.up2(c), b], dim=1))
            return self.head(self.join1(f.cat([self.up1(b), a], dim=1)))

    return UNet()


def residual(f):
    """He et al. 2016, with a bottleneck of groups (Xie et al. 2017)."""
    nn, F = f.nn, f.nn.functional

    class Block(nn.Module):
        def __init__(self, channels, out, stride=1):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, groups=2, bias=False)
            self.bn1 = nn.BatchNorm2d(out)
            self.conv2 = nn.Conv2d(out, out, 3, padding="same", padding_mode="reflect", bias=False)
            self.bn2 = nn.BatchNorm2d(out)
            self.shortcut = nn.Sequential()
            if stride != 1 or channels != out:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
                )

        def forward(self, x):
            out = F.relu(self.bn1(self.conv1(x)))
            return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))

    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), Block(4, 4), Block(4, 8, 2), nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(), nn.Linear(8, 3),
    )  # fmt: skip


def generator(f):
    """Radford, Metz and Chintala 2016."""
    nn = f.nn
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 8), nn.Unflatten(1, (8, 1, 1)),
        nn.ConvTranspose2d(8, 8, 4, 1, 0, bias=False), nn.BatchNorm2d(8), nn.ReLU(True),
        nn.ConvTranspose2d(8, 4, 4, 2, 1, bias=False), nn.InstanceNorm2d(4, affine=True),
        nn.LeakyReLU(0.2, inplace=True), nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(4, 4, 2),
        nn.PixelShuffle(2), nn.Tanh(),
    )  # fmt: skip


def convnext(f):
    """Liu et al. 2022: LayerNorm over channels, by permuting."""
    nn = f.nn

    class Block(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.depthwise = nn.Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim)
            self.norm = nn.LayerNorm(dim, eps=1e-6)
            self.wide, self.narrow = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
            self.scale = nn.Parameter(f.ones(dim) * 0.1)

        def forward(self, x):
            y = self.depthwise(x).permute(0, 2, 3, 1)  # (B, H, W, C)
            y = self.narrow(nn.functional.gelu(self.wide(self.norm(y))))
            return x + (self.scale * y).permute(0, 3, 1, 2)

    return nn.Sequential(nn.Conv2d(1, 4, 2, 2), Block(4), nn.AvgPool2d(2), nn.Flatten(1))


def waves(f):
    """Convolutions in time, dilated (van den Oord et al. 2016)."""
    nn = f.nn
    return nn.Sequential(
        nn.Flatten(2), nn.ConstantPad1d((2, 0), 0.0), nn.Conv1d(1, 4, 2, dilation=2),
        nn.BatchNorm1d(4), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(4, 6, 3, stride=2),
        nn.ConvTranspose1d(6, 2, 4, 2), nn.AdaptiveMaxPool1d(5),
    )  # fmt: skip


def volumes(f):
    nn = f.nn
    return nn.Sequential(
        nn.Unflatten(1, (1, 1)), nn.ReplicationPad3d(1), nn.Conv3d(1, 4, 2, padding=1),
        nn.BatchNorm3d(4), nn.ReLU(), nn.MaxPool3d((2, 2, 2)), nn.ConvTranspose3d(4, 2, (1, 2, 2)),
        nn.AvgPool3d((1, 2, 2)), nn.Flatten(),
    )  # fmt: skip


@pytest.mark.parametrize("build", [unet, residual, generator, convnext, waves, volumes])
def test_trains_as_in_torch(build):
    images = floats(4, 1, 8, 8)
    models = build(mini).double(), build(torch).double()
    copy_weights(models[1], models[0])
    found = []
    for f, model in zip((mini, torch), models, strict=True):
        optimizer = f.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        x, losses = f.tensor(images), []
        for _ in range(3):
            optimizer.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with f.no_grad():
            found.append((losses, model.eval()(x)))
    assert_matches(*found)
    assert_matches(*models)
    assert repr(models[0]) == repr(models[1])
