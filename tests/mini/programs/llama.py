"""A block of LLaMA: rotary positions, RMSNorm, SwiGLU, grouped heads, a cache."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def precompute_freqs(dim, end, theta=10000.0):
    freqs = 1.0 / (theta ** (torch.arange(0, dim, 2)[: (dim // 2)] / dim))
    freqs = torch.outer(torch.arange(end, device=freqs.device), freqs)
    return torch.cos(freqs), torch.sin(freqs)


def apply_rotary_emb(x, cos, sin):
    x1, x2 = x.reshape(*x.shape[:-1], -1, 2).unbind(-1)
    cos, sin = cos.view(1, cos.shape[0], 1, -1), sin[None, :, None, :]
    return torch.stack([x1 * cos - x2 * sin, x1 * sin + x2 * cos], dim=-1).flatten(3).type_as(x)


class Attention(nn.Module):
    def __init__(self, dim, n_heads, n_kv_heads):
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_dim = n_heads, n_kv_heads, dim // n_heads
        self.wq = nn.Linear(dim, n_heads * self.head_dim, bias=False)
        self.wk = nn.Linear(dim, n_kv_heads * self.head_dim, bias=False)
        self.wv = nn.Linear(dim, n_kv_heads * self.head_dim, bias=False)
        self.wo = nn.Linear(n_heads * self.head_dim, dim, bias=False)
        self.cache_k = torch.zeros((2, 16, n_kv_heads, self.head_dim))
        self.register_buffer("cache_v", torch.zeros_like(self.cache_k), persistent=False)

    def forward(self, x, start_pos, cos, sin, mask, use_cache):
        B, T, _ = x.shape
        q = self.wq(x).view(B, T, self.n_heads, self.head_dim)
        k = self.wk(x).view(B, T, self.n_kv_heads, self.head_dim)
        v = self.wv(x).view(B, T, self.n_kv_heads, self.head_dim)
        q, k = apply_rotary_emb(q, cos, sin), apply_rotary_emb(k, cos, sin)
        if use_cache:
            self.cache_k[:B, start_pos : start_pos + T] = k
            self.cache_v[:B, start_pos : start_pos + T] = v
            k, v = self.cache_k[:B, : start_pos + T], self.cache_v[:B, : start_pos + T]
        k = torch.repeat_interleave(k, dim=2, repeats=self.n_heads // self.n_kv_heads)
        v = v[:, :, :, None].expand(-1, -1, -1, self.n_heads // self.n_kv_heads, -1).flatten(2, 3)
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        scores = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(self.head_dim)
        if mask is not None:
            scores = scores + mask
        out = torch.matmul(F.softmax(scores, dim=-1), v)
        return self.wo(out.transpose(1, 2).contiguous().view(B, T, -1))


class FeedForward(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.w1, self.w3 = nn.Linear(dim, hidden, bias=False), nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Llama(nn.Module):
    def __init__(self, vocab=11, dim=8, n_heads=4, n_kv_heads=2):
        super().__init__()
        self.tok_embeddings = nn.Embedding(vocab, dim)
        self.attention_norm, self.ffn_norm, self.norm = RMSNorm(dim), nn.RMSNorm(dim), RMSNorm(dim)
        self.attention = Attention(dim, n_heads, n_kv_heads)
        self.feed_forward = FeedForward(dim, 16)
        self.output = nn.Linear(dim, vocab, bias=False)
        cos, sin = precompute_freqs(dim // n_heads, 32)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, tokens, start_pos=0, use_cache=False):
        T = tokens.shape[1]
        h = self.tok_embeddings(tokens)
        cos, sin = (t[start_pos : start_pos + T] for t in (self.cos, self.sin))
        mask = None
        if T > 1:
            mask = torch.full((T, T), float("-inf"), device=tokens.device)
            mask = torch.triu(mask, diagonal=1)
            mask = torch.hstack([torch.zeros((T, start_pos)), mask]).type_as(h)
        h = h + self.attention(self.attention_norm(h), start_pos, cos, sin, mask, use_cache)
        h = h + self.feed_forward.forward(self.ffn_norm(h))
        return self.output(self.norm(h))


def sample_top_p(probs, p):
    """The distribution cut to its most probable part, and a token of it."""
    probs_sort, probs_idx = torch.sort(probs, dim=-1, descending=True)
    probs_sum = torch.cumsum(probs_sort, dim=-1)
    probs_sort[probs_sum - probs_sort > p] = 0.0
    probs_sort.div_(probs_sort.sum(dim=-1, keepdim=True))
    return probs_sort, torch.gather(probs_idx, -1, torch.multinomial(probs_sort, num_samples=1))


def make_model():
    return Llama()


def main(model):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    x = (torch.arange(12).view(2, 6) * 3) % 11
    losses = []
    for _ in range(5):
        loss = F.cross_entropy(model(x[:, :-1]).reshape(-1, 11), x[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    model.eval()
    with torch.inference_mode():
        tokens = x[:, :3]
        logits = model(tokens, 0, use_cache=True)
        for pos in range(3, 8):
            next_token = torch.argmax(logits[:, -1], dim=-1).reshape(-1)
            tokens = torch.cat([tokens, next_token.unsqueeze(1)], 1)
            logits = model(next_token[:, None], pos, use_cache=True)
        assert torch.allclose(model(tokens)[:, -1], logits[:, -1])
        probs, token = sample_top_p(torch.softmax(logits[:, -1] / 0.7, dim=-1), 0.9)
    assert token.shape == (2, 1)
    return losses + tokens.flatten().tolist() + probs.flatten().tolist()
