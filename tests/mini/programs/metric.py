"""Metric learning: contrastive, triplet and angular losses, SimCLR, the hardest of a batch."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class ContrastiveLoss(nn.Module):
    def __init__(self, margin=2.0):
        super().__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        distance = F.pairwise_distance(output1, output2, keepdim=True)
        return torch.mean(
            (1 - label) * torch.pow(distance, 2)
            + label * torch.pow(torch.clamp(self.margin - distance, min=0.0), 2)
        )


class ArcMarginProduct(nn.Module):
    def __init__(self, in_features, out_features, s=30.0, m=0.50):
        super().__init__()
        self.weight = nn.Parameter(torch.Tensor(out_features, in_features))
        nn.init.xavier_uniform_(self.weight)
        self.s, self.cos_m, self.sin_m = s, math.cos(m), math.sin(m)
        self.th, self.mm = math.cos(math.pi - m), math.sin(math.pi - m) * m

    def forward(self, input, label):
        cosine = F.linear(F.normalize(input), F.normalize(self.weight))
        sine = torch.sqrt((1.0 - torch.pow(cosine, 2)).clamp(0, 1))
        phi = cosine * self.cos_m - sine * self.sin_m
        phi = torch.where(cosine > self.th, phi, cosine - self.mm)
        one_hot = torch.zeros(cosine.size(), device=input.device)
        one_hot.scatter_(1, label.view(-1, 1).long(), 1)
        return self.s * ((one_hot * phi) + ((1.0 - one_hot) * cosine))


def nt_xent(z1, z2, temperature=0.5):
    z = torch.cat([z1, z2], dim=0)
    n = z.shape[0]
    sim = F.cosine_similarity(z.unsqueeze(1), z.unsqueeze(0), dim=2) / temperature
    sim = sim.masked_fill(torch.eye(n, dtype=torch.bool, device=z.device), -9e15)
    positive = torch.eye(n).roll(shifts=n // 2, dims=0).bool()
    return (-sim[positive] + torch.logsumexp(sim, dim=-1)).mean()


def batch_hard(inputs, targets, margin=0.3):
    n = inputs.size(0)
    dist = torch.pow(inputs, 2).sum(dim=1, keepdim=True).expand(n, n)
    dist = dist + dist.t()
    dist = dist.addmm(inputs, inputs.t(), beta=1, alpha=-2).clamp(min=1e-12).sqrt()
    mask = targets.expand(n, n).eq(targets.expand(n, n).t())
    dist_ap = torch.cat([dist[i][mask[i]].max().unsqueeze(0) for i in range(n)])
    dist_an = torch.cat([dist[i][mask[i] == 0].min().unsqueeze(0) for i in range(n)])
    return nn.MarginRankingLoss(margin=margin)(dist_an, dist_ap, torch.ones_like(dist_an))


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.PReLU(), nn.Linear(8, 3))
        self.arc = ArcMarginProduct(3, 3)

    def forward_one(self, x):
        return F.normalize(self.net(x), p=2, dim=1)

    def forward(self, *inputs):
        return tuple(map(self.forward_one, inputs))


def make_model():
    return Siamese()


def main(model):
    a, b, c = (torch.cos(torch.arange(36) * f).view(6, 6) for f in (1.3, 0.7, 2.9))
    y = torch.tensor([0, 0, 1, 1, 2, 2])
    pairs = torch.tensor([1, -1, 1, 1, -1, -1])
    losses = [
        lambda: ContrastiveLoss()(*model(a, b), (y % 2)[:, None]),
        lambda: nn.TripletMarginLoss(margin=1.0, p=2, swap=True)(*model(a, b, c)),
        lambda: nn.TripletMarginWithDistanceLoss(
            distance_function=lambda u, v: 1.0 - F.cosine_similarity(u, v)
        )(*model(a, b, c)),
        lambda: nn.CosineEmbeddingLoss(margin=0.1)(*model(a, b), pairs),
        lambda: nt_xent(*model(a, b)),
        lambda: batch_hard(model.forward_one(a), y),
        lambda: F.cross_entropy(model.arc(model.forward_one(a), y), y),
    ]
    optimizer = torch.optim.Adamax(model.parameters(), lr=0.01)
    out = []
    for compute in losses * 2:
        loss = compute()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        out.append(loss.item())
    return out
