"""A vision Transformer: patches by a strided convolution, a class token, dropout off, AdamW."""

import numpy as np
import torch
from torch import nn


class PatchEmbedding(nn.Module):
    def __init__(self, in_channels=3, patch_size=4, emb_size=16, img_size=12):
        super().__init__()
        self.projection = nn.Conv2d(
            in_channels, emb_size, kernel_size=patch_size, stride=patch_size
        )
        self.cls_token = nn.Parameter(torch.randn(1, 1, emb_size))
        self.positions = nn.Parameter(torch.randn((img_size // patch_size) ** 2 + 1, emb_size))

    def forward(self, x):
        b, _, _, _ = x.shape
        x = self.projection(x).flatten(2).permute(0, 2, 1)
        cls_tokens = self.cls_token.expand(b, -1, -1)
        x = torch.cat([cls_tokens, x], dim=1)
        x += self.positions
        return x


class Attention(nn.Module):
    def __init__(self, emb_size=16, num_heads=4):
        super().__init__()
        self.num_heads = num_heads
        self.scale = (emb_size // num_heads) ** -0.5
        self.qkv = nn.Linear(emb_size, emb_size * 3, bias=False)
        self.proj = nn.Linear(emb_size, emb_size)

    def forward(self, x):
        B, N, C = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.num_heads, C // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        energy = torch.einsum("bhqd, bhkd -> bhqk", q, k) * self.scale
        att = energy.softmax(dim=-1)
        out = torch.einsum("bhal, bhlv -> bhav", att, v)
        return self.proj(out.transpose(1, 2).reshape(B, N, C))


class Residual(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.fn = nn.Sequential(*layers)

    def forward(self, x, **kwargs):
        return x + self.fn(x, **kwargs)


class ViT(nn.Sequential):
    def __init__(self, depth=2, emb_size=16, n_classes=4):
        blocks = [
            nn.Sequential(
                Residual(nn.LayerNorm(emb_size), Attention(emb_size), nn.Dropout(0.0)),
                Residual(
                    nn.LayerNorm(emb_size),
                    nn.Linear(emb_size, 4 * emb_size),
                    nn.GELU(),
                    nn.Linear(4 * emb_size, emb_size),
                ),
            )
            for _ in range(depth)
        ]
        super().__init__(PatchEmbedding(), *blocks, nn.LayerNorm(emb_size))
        self.head = nn.Linear(emb_size, n_classes)

    def forward(self, x):
        for name, module in self.named_children():
            x = module(x) if name != "head" else module(x[:, 0])
        return x


def make_model():
    return ViT()


def main(model):
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((8, 3, 12, 12)))
    y = torch.from_numpy(rng.integers(0, 4, 8))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=8)
    losses = []
    for epoch in range(8):
        model.train(True)
        logits = model(x)
        loss = nn.functional.cross_entropy(logits, y, label_smoothing=0.1)
        for p in model.parameters():
            p.grad = None
        loss.backward()
        optimizer.step()
        scheduler.step()
        acc = (logits.argmax(-1) == y).sum().item() / y.numel()
        losses += [loss.item(), acc, scheduler.get_last_lr()[0]]
    state = {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(state, strict=True)
    probs, labels = model.eval()(x).softmax(-1).max(dim=-1)
    return losses + probs.tolist() + labels.tolist()
