"""A small GPT: a decoder-only transformer that predicts the next token of a text.

After Radford and others, "Language models are unsupervised multitask learners" (2019): the blocks
of Vaswani and others, "Attention is all you need" (2017), with normalisation at the entry of each
branch, one more at the end, GELU, and first weights that shrink with depth.  Rotary positions after
Su and others, "RoFormer" (2021).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True)
class GPTConfig:
    """What a GPT is built from.

    Args:
        vocab_size: V, the number of different tokens.
        context: the longest T that the model is made for.
        width: D, the features of each token.
        layers: how many blocks.
        heads: nh; each has hs = D / nh features.
        dropout: the probability of dropout.
        positions: "learned", "rotary" or "none".
    """

    vocab_size: int
    context: int = 64
    width: int = 64
    layers: int = 4
    heads: int = 4
    dropout: float = 0.0
    positions: str = "learned"

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible by {self.heads} heads")
        if self.positions not in ("learned", "rotary", "none"):
            raise ValueError(
                f'positions must be "learned", "rotary" or "none", got {self.positions!r}'
            )
        if self.positions == "rotary" and self.width // self.heads % 2:
            raise ValueError(
                "rotary positions turn pairs of features, but a head has "
                f"{self.width // self.heads}: choose width and heads so that it has an even number"
            )


def rotate(x: torch.Tensor, start: int = 0, base: float = 10_000.0) -> torch.Tensor:
    """Turn each pair of features by an angle that grows with the position: (..., T, hs), hs even.

    Feature j of the first half and feature j of the second are a pair; at position t it turns by
    t * base ** (-2 j / hs).  The first of the T positions is `start`.
    """
    T, hs = x.shape[-2:]
    # bfloat16 has no whole numbers between 256 and 258: positions need more digits
    like = {"dtype": torch.promote_types(x.dtype, torch.float32), "device": x.device}
    speed = base ** (-torch.arange(0, hs, 2, **like) / hs)  # (hs / 2)
    angle = torch.arange(start, start + T, **like)[:, None] * speed  # (T, hs / 2)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x.chunk(2, dim=-1)  # (..., T, hs / 2) each
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)  # (..., T, hs)


class KeyValueCache:
    """Keys and values (B, nh, T, hs) of the tokens so far in one layer: what later ones look at."""

    def __init__(self) -> None:
        self.keys: torch.Tensor | None = None
        self.values: torch.Tensor | None = None

    @property
    def length(self) -> int:
        """How many tokens it holds."""
        return 0 if self.keys is None else self.keys.shape[2]

    def extend(self, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Put the keys and values of new tokens behind the old ones, and give all of them."""
        if self.keys is not None:
            k, v = torch.cat([self.keys, k], dim=2), torch.cat([self.values, v], dim=2)
        self.keys, self.values = k, v  # (B, nh, T, hs) each
        return k, v


class CausalSelfAttention(nn.Module):
    """Means of the tokens up to each, in several heads: (B, T, D) to (B, T, D)."""

    is_causal = True  # or the model sees the answers: the chapter shows what comes of it

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.rotary = config.positions == "rotary"
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.proj = nn.Linear(config.width, config.width)

    def forward(self, x: torch.Tensor, cache: KeyValueCache | None = None) -> torch.Tensor:
        """With a cache, `x` are the tokens after those in it, and it is extended by them."""
        B, T, D = x.shape
        start = 0 if cache is None else cache.length
        split = B, T, 3, self.heads, D // self.heads
        q, k, v = self.qkv(x).reshape(split).permute(2, 0, 3, 1, 4)  # (B, nh, T, hs) each
        if self.rotary:
            q, k = rotate(q, start), rotate(k, start)
        if cache is not None:
            k, v = cache.extend(k, v)  # (B, nh, start + T, hs) each
        mask = None  # a new token sees the cache, and the new ones up to itself
        if start and T > 1 and self.is_causal:
            mask = torch.ones(T, start + T, dtype=torch.bool, device=x.device).tril(start)
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(
            q, k, v, mask, dropout, is_causal=self.is_causal and not start
        )  # (B, nh, T, hs)
        return self.proj(out.transpose(1, 2).reshape(B, T, D))  # (B, T, D)


class MLP(nn.Module):
    """Two linear layers for each token by itself, four times wider between them."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.fc = nn.Linear(config.width, 4 * config.width)
        self.proj = nn.Linear(4 * config.width, config.width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.proj(F.gelu(self.fc(x)))  # (B, T, D) -> (B, T, 4D) -> (B, T, D)


class Block(nn.Module):
    """Tokens look at each other, then each thinks by itself; both are added to what was there."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.attention, self.mlp = CausalSelfAttention(config), MLP(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: torch.Tensor, cache: KeyValueCache | None = None) -> torch.Tensor:
        x = x + self.dropout(self.attention(self.norm1(x), cache))
        return x + self.dropout(self.mlp(self.norm2(x)))


class GPT(nn.Module):
    """Tokens (B, T) to the logits (B, T, V) of the token that follows each."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocab_size, config.width)
        if config.positions == "learned":
            self.positions = nn.Embedding(config.context, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.layers)])
        self.norm = nn.LayerNorm(config.width)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights from a normal distribution of standard deviation 0.02, biases 0.

        Each of the 2 * layers branches adds its own part to the same sum.  For the sum to keep its
        size at any depth, the last layer of a branch starts smaller by the root of their number.
        """
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                branches = 2 * self.config.layers if name.endswith("proj") else 1
                nn.init.normal_(module.weight, std=0.02 / math.sqrt(branches))
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def new_cache(self) -> list[KeyValueCache]:
        """An empty cache for each layer, for `forward`."""
        return [KeyValueCache() for _ in self.blocks]

    def forward(
        self, tokens: torch.Tensor, cache: list[KeyValueCache] | None = None
    ) -> torch.Tensor:
        """With a cache, of `new_cache`, `tokens` are those that follow what it has seen so far."""
        start = cache[0].length if cache else 0
        T = start + tokens.shape[1]
        x = self.tokens(tokens)  # (B, T, D)
        if self.config.positions == "learned":
            if self.config.context < T:
                raise ValueError(
                    f"{T} tokens, but positions were learnt for {self.config.context}: "
                    f"give the last {self.config.context}"
                )
            x = x + self.positions(torch.arange(start, T, device=tokens.device))
        x = self.dropout(x)
        for block, past in zip(self.blocks, cache or [None] * len(self.blocks), strict=True):
            x = block(x, past)  # (B, T, D)
        return F.linear(self.norm(x), self.tokens.weight)  # the same table reads and writes
