"""The gradient of each example by itself: clipped, as private SGD does."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, grad_and_value, vmap


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, stride=2)
        self.norm = nn.GroupNorm(1, 3)
        self.fc = nn.Linear(3 * 3 * 3, 4)

    def forward(self, x):
        return self.fc(torch.relu(self.norm(self.conv(x))).flatten(1))


def make_model():
    return Net()


def main(model):
    x = torch.arange(6 * 49.0).mul(0.37).sin().reshape(6, 1, 7, 7)
    y = torch.arange(6) % 4
    params = {k: v.detach() for k, v in model.named_parameters()}
    buffers = {k: v.detach() for k, v in model.named_buffers()}

    def loss_of_one(params, buffers, sample, target):
        out = functional_call(model, (params, buffers), (sample.unsqueeze(0),))
        return F.cross_entropy(out, target.unsqueeze(0))

    of_each = vmap(grad(loss_of_one), in_dims=(None, None, 0, 0))
    values = []
    for _ in range(3):
        grads = of_each(params, buffers, x, y)
        norms = torch.stack([g.flatten(1).norm(dim=1) for g in grads.values()]).norm(dim=0)
        scale = (1.0 / (norms + 1e-6)).clamp(max=1.0)
        for name, g in grads.items():
            clipped = torch.einsum("i,i...->...", scale, g) / len(x)
            params[name] = params[name] - 0.5 * clipped
        values += norms.tolist()
    both = vmap(grad_and_value(loss_of_one), (None, None, 0, 0), chunk_size=4)
    grads, losses = both(params, buffers, x, y)
    mean = F.cross_entropy(functional_call(model, params, x), y)
    wanted = torch.autograd.grad(F.cross_entropy(model(x), y), list(model.parameters()))
    start = of_each({k: v.detach() for k, v in model.named_parameters()}, buffers, x, y)
    agree = [torch.allclose(g.mean(0), w) for g, w in zip(start.values(), wanted, strict=True)]
    assert all(agree)
    assert all(p.grad is None for p in model.parameters())
    return values + losses.tolist() + [mean.item()] + [g.sum().item() for g in grads.values()]
