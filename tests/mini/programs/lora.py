"""Low-rank adapters: layers of a trained model wrapped by name, and merged into it again."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class LoRALinear(nn.Module):
    """A frozen layer and a product of two thin matrices; for the rest it passes for the layer."""

    def __init__(self, base, rank=2, alpha=4):
        super().__init__()
        self.base = base
        for p in self.base.parameters():
            p.requires_grad_(False)
        self.lora_A = nn.Parameter(torch.zeros(rank, base.in_features))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scale = alpha / rank

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("base"), name)

    def forward(self, x):
        return self.base(x) + F.linear(F.linear(x, self.lora_A), self.lora_B) * self.scale

    @torch.no_grad()
    def merge(self):
        self.base.weight += self.scale * self.lora_B @ self.lora_A
        return self.base

    def extra_repr(self) -> str:
        return f"{self.in_features}->{self.out_features}, rank={self.lora_A.size(0)}"


class Block(nn.Module):
    def __init__(self, dim=8, hidden=12):
        super().__init__()
        self.norm = nn.RMSNorm(dim, eps=1e-6)
        self.gate = nn.Linear(dim, hidden, bias=False)
        self.up = nn.Linear(dim, hidden, bias=False)
        self.down = nn.Linear(hidden, dim, bias=False)

    def forward(self, x):
        h = self.norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


def replace(model, names, make):
    for name, module in list(model.named_modules()):
        parent, _, child = name.rpartition(".")
        if child in names:
            setattr(model.get_submodule(parent), child, make(module))


def make_model():
    model = nn.Sequential(nn.Embedding(9, 8), Block(), Block(), nn.Linear(8, 9))
    replace(model, ("gate", "down"), LoRALinear)
    return model


def main(model):
    rng = np.random.default_rng(0)
    tokens = torch.from_numpy(rng.integers(0, 9, (4, 7)))
    for name, p in model.named_parameters():
        p.requires_grad = "lora_" in name or name.startswith("3.")
    frozen = {n: p.clone() for n, p in model.named_parameters() if not p.requires_grad}
    optimizer = torch.optim.AdamW(filter(lambda p: p.requires_grad, model.parameters()), lr=2e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8, eta_min=1e-3)
    norms = {}
    handles = [
        module.register_forward_hook(
            lambda module, args, out, name=name: norms.update({name: out.detach().norm().item()})
        )
        for name, module in model.named_modules()
        if isinstance(module, LoRALinear)
    ]
    losses = []
    for _ in range(8):
        logits = model(tokens[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].reshape(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses += [loss.item(), scheduler.get_last_lr()[0]]
    for handle in handles:
        handle.remove()
    assert all(torch.equal(dict(model.named_parameters())[n], p) for n, p in frozen.items())
    small = {n: p for n, p in model.state_dict().items() if "lora_" in n}
    assert "8->12, rank=2" in str(model) and len(small) == 8
    with torch.no_grad():
        before = model(tokens)
        replace(model, ("gate", "down"), LoRALinear.merge)
        after = model(tokens)
    assert torch.allclose(before, after) and isinstance(model[1].gate, nn.Linear)
    return losses + list(norms.values()) + after[0, -1].tolist()
