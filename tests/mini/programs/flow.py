"""A normalising flow: ActNorm, an LU-factored map, affine couplings, the change of volume."""

import math

import torch
from torch import nn, optim


class ActNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.s, self.t = nn.Parameter(torch.zeros(1, dim)), nn.Parameter(torch.zeros(1, dim))
        self.register_buffer("initialized", torch.tensor(0, dtype=torch.uint8))

    def forward(self, x):
        if self.initialized.item() == 0:
            self.s.data = (-torch.log(x.std(dim=0, keepdim=True))).detach()
            self.t.data = (-(x * self.s.exp()).mean(dim=0, keepdim=True)).detach()
            self.initialized.fill_(1)
        return x * self.s.exp() + self.t, self.s.sum().expand(x.size(0))


class Invertible(nn.Module):
    def __init__(self, dim):
        super().__init__()
        Q, _ = torch.linalg.qr(torch.cos(torch.arange(dim * dim) * 1.3).view(dim, dim))
        P, L, U = torch.linalg.lu(Q)
        self.register_buffer("P", P)
        self.L, self.U = nn.Parameter(L), nn.Parameter(torch.triu(U, diagonal=1))
        self.S = nn.Parameter(U.diag())

    def assemble(self):
        L = torch.tril(self.L, diagonal=-1) + torch.diag(torch.ones(len(self.S)))
        return self.P @ L @ (torch.triu(self.U, diagonal=1) + torch.diag(self.S))

    def forward(self, x):
        return x @ self.assemble(), torch.sum(torch.log(torch.abs(self.S)))

    def inverse(self, z):
        return z @ torch.inverse(self.assemble())


class Coupling(nn.Module):
    def __init__(self, dim, flip):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(dim // 2, 8), nn.Tanh(), nn.Linear(8, dim))

    def forward(self, x):
        a, b = x.chunk(2, dim=-1)
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, dim=-1)
        s = torch.tanh(s)
        b = b * s.exp() + t
        return torch.cat([b, a] if self.flip else [a, b], dim=-1), s.sum(-1)


class Linear(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(dim) + 0.1)

    def forward(self, x):
        sign, logabsdet = torch.slogdet(self.weight)
        assert sign == torch.linalg.slogdet(self.weight).sign
        return x @ self.weight.T, logabsdet


class Flow(nn.Module):
    def __init__(self, dim=4):
        super().__init__()
        layers = [ActNorm(dim), Invertible(dim), Coupling(dim, False), Coupling(dim, True)]
        self.flows = nn.ModuleList([*layers, Linear(dim)])

    def log_prob(self, x):
        log_det = x.new_zeros(x.shape[0])
        for flow in self.flows:
            x, change = flow(x)
            log_det += change
        return -0.5 * (x**2 + math.log(2 * math.pi)).sum(dim=-1) + log_det


def make_model():
    return Flow()


def main(model):
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8)
    x = torch.cos(torch.arange(80) * 0.7).view(20, 4) * 2 + 1
    losses = []
    for _ in range(8):
        loss = -model.log_prob(x).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=5.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    back = model.flows[1].inverse(model.flows[1](x)[0])
    assert torch.allclose(back, x)
    return [*losses, *model.flows[1].assemble().flatten().tolist()]
