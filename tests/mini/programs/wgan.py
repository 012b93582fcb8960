"""A Wasserstein GAN with gradient penalty: the gradient of a gradient, every step."""

import numpy as np
import torch
import torch.autograd as autograd
import torch.nn as nn

rng = np.random.default_rng(0)


def normal(*shape):
    return torch.from_numpy(rng.standard_normal(shape))


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1),
            nn.LayerNorm([4, 4, 4]),
            nn.GELU(),
            nn.Conv2d(4, 8, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Flatten(),
        )
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.score = nn.Linear(32, 1)

    def forward(self, img):
        x = self.features(img).view(img.size(0), 8, 4).transpose(1, 2)  # (B, T, C)
        x = x + self.attention(x, x, x)[0]
        return self.score(x.flatten(1))


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(5, 32),
            nn.BatchNorm1d(32, 0.8),
            nn.LeakyReLU(0.2),
            nn.Linear(32, 64),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.model(z).view(z.shape[0], 1, 8, 8)


def gradient_penalty(D, real, fake):
    alpha = torch.from_numpy(rng.random((real.size(0), 1, 1, 1)))
    interpolates = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
    d_interpolates = D(interpolates)
    gradients = autograd.grad(
        outputs=d_interpolates,
        inputs=interpolates,
        grad_outputs=torch.ones_like(d_interpolates),
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    gradients = gradients.view(gradients.size(0), -1)
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()


def make_model():
    return nn.ModuleList([Generator(), Critic()])


def main(model):
    G, D = model
    opt_G = torch.optim.Adam(G.parameters(), lr=0.01, betas=(0.5, 0.9))
    opt_D = torch.optim.Adam(D.parameters(), lr=0.01, betas=(0.5, 0.9))
    losses = []
    for i in range(4):
        opt_D.zero_grad()
        real, z = normal(6, 1, 8, 8).tanh(), normal(6, 5)
        fake = G(z)
        penalty = gradient_penalty(D, real.data, fake.data)
        d_loss = -torch.mean(D(real)) + torch.mean(D(fake.detach())) + 10 * penalty
        d_loss.backward()
        opt_D.step()
        opt_G.zero_grad()
        g_loss = -torch.mean(D(G(z)))
        g_loss.backward()
        opt_G.step()
        losses += [d_loss.item(), g_loss.item(), penalty.item()]
    return losses
