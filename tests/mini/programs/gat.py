"""A graph attention network, trained by an optimiser that the program brings along."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import Optimizer


class Lamb(Optimizer):
    """Adam whose step is as long as the weights (You et al. 2020)."""

    def __init__(self, params, lr=1e-2, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.01):
        if lr <= 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p.grad.is_sparse:
                    raise RuntimeError("Lamb does not support sparse gradients")
                state = self.state[p]
                if len(state) == 0:
                    state["step"] = 0
                    for name in ("exp_avg", "exp_avg_sq"):
                        state[name] = torch.zeros_like(p, memory_format=torch.preserve_format)
                state["step"] += 1
                exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
                exp_avg.mul_(beta1).add_(p.grad, alpha=1 - beta1)
                exp_avg_sq.mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
                root = exp_avg_sq.sqrt() / math.sqrt(1 - beta2 ** state["step"])
                update = exp_avg / (1 - beta1 ** state["step"]) / root.add_(group["eps"])
                update.add_(p, alpha=group["weight_decay"])
                ratio = p.norm().clamp_(0, 10) / update.norm()
                p.add_(update, alpha=-group["lr"] * ratio.item())
        return loss


class GraphAttention(nn.Module):
    def __init__(self, in_features, out_features, n_heads, concat, slope=0.2):
        super().__init__()
        self.n_heads, self.concat = n_heads, concat
        self.n_hidden = out_features // n_heads if concat else out_features
        self.W = nn.Parameter(torch.empty(size=(in_features, self.n_hidden * n_heads)))
        self.a = nn.Parameter(torch.empty(size=(n_heads, 2 * self.n_hidden, 1)))
        self.leakyrelu = nn.LeakyReLU(slope)
        nn.init.xavier_normal_(self.W)
        nn.init.xavier_normal_(self.a)

    def forward(self, h, adj_mat):
        n_nodes = h.shape[0]
        h = torch.mm(h, self.W).view(n_nodes, self.n_heads, self.n_hidden).permute(1, 0, 2)
        source = torch.matmul(h, self.a[:, : self.n_hidden, :])  # (nh, N, 1)
        target = torch.matmul(h, self.a[:, self.n_hidden :, :])
        e = self.leakyrelu(source + target.mT)  # (nh, N, N)
        attention = F.softmax(torch.where(adj_mat > 0, e, -9e15 * torch.ones_like(e)), dim=-1)
        h = torch.matmul(attention, h)
        if self.concat:
            return h.permute(1, 0, 2).contiguous().view(n_nodes, self.n_heads * self.n_hidden)
        return h.mean(dim=0)


class GAT(nn.Module):
    def __init__(self, in_features, n_hidden, n_heads, n_classes):
        super().__init__()
        self.gat1 = GraphAttention(in_features, n_hidden, n_heads, concat=True)
        self.gat2 = GraphAttention(n_hidden, n_classes, 2, concat=False)

    def forward(self, x, adj_mat):
        return F.log_softmax(self.gat2(F.elu(self.gat1(x, adj_mat)), adj_mat), dim=1)


def graph(n=24, device=None):
    """A ring with some chords, features of two waves, three classes."""
    nodes = torch.arange(n)
    edges = torch.stack([torch.cat([nodes, nodes[::3]]),
                         torch.cat([(nodes + 1) % n, (nodes[::3] * 5) % n])])  # fmt: skip
    adj_mat = torch.eye(n, device=device)
    adj_mat[edges[0], edges[1]] = 1
    features = torch.stack([(nodes * w).cos() for w in (0.3, 0.7, 1.1, 1.9)], dim=1) + 1.1
    scale = 1 / features.sum(dim=1)
    scale[scale == float("inf")] = 0
    return torch.diag(scale) @ features, adj_mat, nodes * 3 // n


def accuracy(output, target):
    return (output.argmax(dim=1) == target).float().sum() / len(target)


def make_model():
    torch.manual_seed(13)
    return GAT(4, 8, 4, 3)


def main(model):
    device = torch.device("cpu")
    with device:
        features, adj_mat, labels = graph()
    assert features.is_cpu != features.is_cuda
    train = torch.zeros(len(labels), dtype=torch.bool).scatter_(0, torch.arange(0, 24, 2), True)
    optimizer, criterion = Lamb(model.parameters(), lr=0.05), nn.NLLLoss()
    numbers = []
    for _ in range(8):
        model.train()

        def closure():
            optimizer.zero_grad()
            loss = criterion(model(features, adj_mat)[train], labels[train])
            loss.backward()
            return loss

        loss = optimizer.step(closure)
        model.eval()
        with torch.inference_mode():
            output = model(features, adj_mat)
            numbers += [loss.item(), criterion(output[~train], labels[~train]).item(),
                        accuracy(output, labels).item()]  # fmt: skip
    return numbers
