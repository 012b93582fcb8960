"""Diffusion: a small U-net told the time, noise removed step by step, averaged weights."""

import copy
import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, t):
        half = self.dim // 2
        emb = torch.exp(torch.arange(half, device=t.device) * -(math.log(10000) / (half - 1)))
        emb = t[:, None].float() * emb[None, :]
        return torch.cat((emb.sin(), emb.cos()), dim=-1)


class Residual(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x, *args, **kwargs):
        return self.fn(x, *args, **kwargs) + x


class ResBlock(nn.Module):
    def __init__(self, cin, cout, tdim, groups=2):
        super().__init__()
        self.block1 = nn.Sequential(
            nn.GroupNorm(groups, cin), nn.SiLU(), nn.Conv2d(cin, cout, 3, padding=1)
        )
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(tdim, 2 * cout))
        self.norm = nn.GroupNorm(groups, cout)
        self.block2 = nn.Conv2d(cout, cout, kernel_size=3, padding="same")
        self.skip = nn.Conv2d(cin, cout, 1) if cin != cout else nn.Identity()

    def forward(self, x, t):
        h = self.block1(x)
        scale, shift = self.mlp(t)[..., None, None].chunk(2, dim=1)
        h = self.norm(h) * (scale + 1) + shift
        return self.block2(F.silu(h)) + self.skip(x)


class Attention(nn.Module):
    def __init__(self, dim, heads=2, dim_head=4):
        super().__init__()
        self.scale, self.heads = dim_head**-0.5, heads
        self.to_qkv = nn.Conv2d(dim, heads * dim_head * 3, 1, bias=False)
        self.to_out = nn.Conv2d(heads * dim_head, dim, 1)

    def forward(self, x):
        b, c, h, w = x.shape
        q, k, v = (t.reshape(b, self.heads, -1, h * w) for t in self.to_qkv(x).chunk(3, dim=1))
        sim = torch.einsum("b h d i, b h d j -> b h i j", q * self.scale, k)
        sim = sim - sim.amax(dim=-1, keepdim=True).detach()
        out = torch.einsum("b h i j, b h d j -> b h i d", sim.softmax(dim=-1), v)
        return self.to_out(out.permute(0, 1, 3, 2).contiguous().view(b, -1, h, w))


class UNet(nn.Module):
    def __init__(self, ch=4):
        super().__init__()
        self.time_mlp = nn.Sequential(
            SinusoidalPosEmb(ch), nn.Linear(ch, ch * 4), nn.GELU(), nn.Linear(ch * 4, ch * 4)
        )
        self.inc = nn.Conv2d(1, ch, 3, padding=1)
        self.down = nn.ModuleList([ResBlock(ch, ch, ch * 4), nn.Conv2d(ch, 2 * ch, 4, 2, 1)])
        self.mid = nn.ModuleDict(
            {"res": ResBlock(2 * ch, 2 * ch, ch * 4), "attn": Residual(Attention(2 * ch))}
        )
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(2 * ch, ch, 3, padding=1)
        )
        self.final = ResBlock(2 * ch, ch, ch * 4)
        self.out = nn.Conv2d(ch, 1, 1)

    def forward(self, x, t):
        t = self.time_mlp(t)
        h = self.down[0](self.inc(x), t)
        x = self.mid["attn"](self.mid["res"](self.down[1](h), t))
        x = torch.cat([self.up(x), h], dim=1)
        return self.out(self.final(x, t))


def extract(a, t, x_shape):
    b, *_ = t.shape
    return a.gather(-1, t).reshape(b, *((1,) * (len(x_shape) - 1)))


def cosine_beta_schedule(timesteps, s=0.008):
    x = torch.linspace(0, timesteps, timesteps + 1, dtype=torch.float64)
    alphas_cumprod = torch.cos(((x / timesteps) + s) / (1 + s) * math.pi * 0.5) ** 2
    alphas_cumprod = alphas_cumprod / alphas_cumprod[0]
    return torch.clip(1 - (alphas_cumprod[1:] / alphas_cumprod[:-1]), 0, 0.999)


class Diffusion(nn.Module):
    def __init__(self, model, timesteps=10):
        super().__init__()
        self.model, self.num_timesteps = model, int(timesteps)
        betas = cosine_beta_schedule(timesteps)
        alphas = 1.0 - betas
        cumprod = torch.cumprod(alphas, axis=0)
        previous = F.pad(cumprod[:-1], (1, 0), value=1.0)
        variance = betas * (1.0 - previous) / (1.0 - cumprod)
        self.register_buffer("betas", betas)
        self.register_buffer("sqrt_cumprod", torch.sqrt(cumprod))
        self.register_buffer("sqrt_rest", torch.sqrt(1.0 - cumprod))
        self.register_buffer("recip_sqrt_alphas", torch.sqrt(1.0 / alphas))
        self.register_buffer("log_variance", torch.log(variance.clamp(min=1e-20)))

    def q_sample(self, x0, t, noise):
        kept = extract(self.sqrt_cumprod, t, x0.shape) * x0
        return kept + extract(self.sqrt_rest, t, x0.shape) * noise

    def forward(self, x, t, noise):
        *_, h, w, size = *x.shape, 4
        assert h == size and w == size, f"height and width of image must be {size}"
        loss = F.smooth_l1_loss(self.model(self.q_sample(x, t, noise), t), noise, reduction="none")
        loss = loss.flatten(1).mean(dim=1)
        return (loss * extract(self.recip_sqrt_alphas, t, loss.shape)).mean()

    @torch.no_grad()
    def p_sample(self, x, t, noise):
        b = x.shape[0]
        t = torch.full((b,), t, device=x.device, dtype=torch.long)
        found = extract(self.betas, t, x.shape) * self.model(x, t)
        mean = x - found / extract(self.sqrt_rest, t, x.shape)
        mask = (1 - (t == 0).float()).reshape(b, *((1,) * (len(x.shape) - 1)))
        spread = (0.5 * extract(self.log_variance, t, x.shape)).exp()
        return extract(self.recip_sqrt_alphas, t, x.shape) * mean + mask * spread * noise

    @torch.inference_mode()
    def sample(self, noises):
        x = noises[0]
        for i in reversed(range(self.num_timesteps)):
            x = self.p_sample(x, i, noises[i])
        return x.clamp_(-1, 1).add(1).div_(2)


class EMA:
    def __init__(self, model, decay):
        self.decay, self.model = decay, copy.deepcopy(model).eval()
        self.model.requires_grad_(False)

    @torch.no_grad()
    def update(self, model):
        new = model.state_dict()
        for name, value in self.model.state_dict().items():
            if value.dtype.is_floating_point:
                value *= self.decay
                value += (1.0 - self.decay) * new[name].detach()


def make_model():
    return Diffusion(UNet())


def main(model):
    rng = np.random.default_rng(1)
    model = model.to(device)
    ema = EMA(model, 0.9)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, betas=(0.9, 0.99))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / 3, 1.0))
    images = torch.from_numpy((rng.random((6, 1, 4, 4)) * 255).astype(np.uint8))
    x = images.to(device, non_blocking=True).double().div(255) * 2 - 1
    losses = []
    for _ in range(5):
        t = torch.from_numpy(rng.integers(0, 10, len(x))).long().to(device)
        noise = torch.as_tensor(rng.standard_normal(x.shape), device=device)
        loss = model(x, t, noise)
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        ema.update(model)
        losses.extend([loss.item(), norm.item(), scheduler.get_last_lr()[0]])
    noises = [torch.tensor(rng.standard_normal((2, 1, 4, 4))) for _ in range(10)]
    fresh = make_model()
    fresh.load_state_dict(ema.model.state_dict())
    out = fresh.sample(noises)
    grid = (out * 255).round().clamp(0, 255).byte().squeeze(1)
    assert grid.dtype == torch.uint8 and out.is_inference()
    return losses + out.flatten().tolist()
