"""A GPT with each kind of positions, trained on short texts and measured on longer ones.

The text is the King James Bible, letter by letter; held-out books measure the loss at each
position, up to eight times the length that training has seen.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from pathlib import Path
from typing import Any

from dlcourse import datasets
from dlcourse.models import gpt
from dlcourse.projects._record import circumstances, write_record

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

KINDS = ("learned", "sinusoidal", "none", "rotary", "alibi")
LONGER = 8  # texts to measure on are so many times longer than those of training


class Sinusoids(nn.Module):
    """Positions (T) to sines and cosines (T, D) (Vaswani et al. 2017), small as embeddings are."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("speed", 10_000.0 ** (-torch.arange(0, width, 2) / width))

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        angle = t[:, None] * self.speed  # (T, D / 2)
        return 0.02 * torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)  # (T, D)


class AlibiAttention(gpt.CausalSelfAttention):
    """Scores lose, for each step of distance, what is fixed for each head (Press et al. 2022)."""

    def forward(self, x: torch.Tensor, cache: None = None) -> torch.Tensor:
        B, T, D = x.shape
        split = B, T, 3, self.heads, D // self.heads
        q, k, v = self.qkv(x).reshape(split).permute(2, 0, 3, 1, 4)  # (B, nh, T, hs) each
        slopes = 2.0 ** (-8 * torch.arange(1, self.heads + 1) / self.heads)  # (nh)
        distance = torch.arange(T)[:, None] - torch.arange(T)  # (T, T)
        bias = (-slopes[:, None, None] * distance).masked_fill(distance < 0, -math.inf)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)  # (B, nh, T, hs)
        return self.proj(out.transpose(1, 2).reshape(B, T, D))  # (B, T, D)


def build(kind: str, vocab_size: int, context: int, width: int = 64, layers: int = 2) -> gpt.GPT:
    """A GPT for texts of up to `LONGER * context` tokens, with positions of one of `KINDS`."""
    same = kind if kind in ("learned", "rotary") else "none"
    model = gpt.GPT(gpt.GPTConfig(vocab_size, LONGER * context, width, layers, positions=same))
    if kind == "alibi":
        for block in model.blocks:
            block.attention = AlibiAttention(model.config)
        model.reset_parameters()
    if kind == "sinusoidal":
        model.tokens.register_forward_hook(_add_to(Sinusoids(width)))
    return model


def _add_to(positions: nn.Module):
    def add(module, args, x):  # after the table of tokens: (B, T, D)
        return x + positions(torch.arange(x.shape[1]))

    return add


def windows(text: torch.Tensor, starts: torch.Tensor, length: int) -> tuple[Any, Any]:
    """Pieces of a text and what follows each of their tokens: (B, T) twice."""
    rows = text[starts[:, None] + torch.arange(length + 1)]  # (B, T + 1)
    return rows[:, :-1], rows[:, 1:]


def train(model: gpt.GPT, text: torch.Tensor, context: int, steps: int, seed: int) -> None:
    """AdamW with a short warm-up and a linear decay, on random pieces of the text."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98))
    chance = torch.Generator().manual_seed(seed)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1, (step + 1) / 50, 2 * (1 - step / steps))
        starts = torch.randint(len(text) - context, (16,), generator=chance)
        tokens, following = windows(text, starts, context)
        loss = F.cross_entropy(model(tokens).flatten(0, 1), following.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


@torch.no_grad()
def loss_by_position(model: gpt.GPT, text: torch.Tensor, context: int) -> list[float]:
    """The mean loss of each quarter of the trained length, up to `LONGER` times that length."""
    length = LONGER * context
    starts = torch.arange(0, len(text) - length - 1, length)[:100]
    total = torch.zeros(length)
    for some in starts.split(10):
        tokens, following = windows(text, some, length)
        losses = F.cross_entropy(model(tokens).transpose(1, 2), following, reduction="none")
        total += losses.sum(0)
    return [round(x, 4) for x in (total / len(starts)).reshape(4 * LONGER, -1).mean(1).tolist()]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, default=800, help="of training each (%(default)s)")
    parser.add_argument("--context", type=int, default=32, help="length trained on (%(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="of weights and pieces (%(default)s)")
    parser.add_argument("--out", type=Path, help="write the record here, as JSON")


def main(args: argparse.Namespace) -> int:
    if args.seeds < 1:
        raise SystemExit(f"--seeds must be 1 or more, got {args.seeds}")
    if args.context < 4 or args.context % 4:
        raise SystemExit(f"--context must be a multiple of 4, got {args.context}")
    everything = np.frombuffer(datasets.kjv("all").encode(), np.uint8)
    letters = np.unique(everything)
    parts = {}
    for part in ("train", "valid"):
        text = np.frombuffer(datasets.kjv(part).encode(), np.uint8)
        parts[part] = torch.from_numpy(np.searchsorted(letters, text))  # (length), 0 to V - 1
    losses: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}  # one list a seed
    for kind, seed in itertools.product(KINDS, range(args.seeds)):
        torch.manual_seed(seed)
        start = time.perf_counter()
        model = build(kind, len(letters), args.context)
        train(model, parts["train"], args.context, args.steps, seed)
        losses[kind].append(loss_by_position(model, parts["valid"], args.context))
        seconds = time.perf_counter() - start
        inside, end = (losses[kind][-1][quarter] for quarter in (3, -1))
        print(f"{kind:10} seed {seed}: {seconds:4.0f} s, loss {inside:.3f} at the trained length, "
              f"{end:.3f} at {LONGER} times it", flush=True)  # fmt: skip
    if args.out is not None:
        record = circumstances("cpu") | {"seeds": args.seeds, "steps": args.steps}
        write_record(args.out, record | {"context": args.context, "loss": losses})
    return 0
