"""A training script with its switches: devices, precision, accumulation, checkpoint and resume."""

import inspect
import math
import os
import tempfile
from contextlib import nullcontext

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributed import destroy_process_group, init_process_group, is_initialized
from torch.nn.parallel import DistributedDataParallel as DDP

config = dict(
    block_size=8, vocab_size=11, n_embd=12, n_head=3, batch_size=2, accumulation=3, max_iters=8,
    warmup=2, lr=2e-2, min_lr=2e-3, weight_decay=0.1, clip=1.0, dtype="bfloat16", compile=False,
)  # fmt: skip

ddp = int(os.environ.get("RANK", -1)) != -1 and is_initialized()
if ddp:
    init_process_group(backend="nccl")
device = "cpu"  # or "cuda", or torch.accelerator.current_accelerator()
device_type = "cuda" if "cuda" in device else "cpu"
torch.backends.cuda.matmul.allow_tf32 = True  # on matrix products
torch.backends.cudnn.allow_tf32 = True  # on convolutions
ptdtype = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
ptdtype = ptdtype[config["dtype"]]
on_card = device_type == "cuda"
ctx = torch.amp.autocast(device_type=device_type, dtype=ptdtype) if on_card else nullcontext()


class LayerNorm(nn.Module):
    def __init__(self, ndim, bias):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(ndim))
        self.bias = nn.Parameter(torch.zeros(ndim)) if bias else None

    def forward(self, input):
        return F.layer_norm(input, self.weight.shape, self.weight, self.bias, 1e-5)


class Block(nn.Module):
    def __init__(self, n_embd, n_head):
        super().__init__()
        self.n_head = n_head
        self.ln_1, self.ln_2 = LayerNorm(n_embd, bias=False), LayerNorm(n_embd, bias=True)
        self.c_attn = nn.Linear(n_embd, 3 * n_embd, bias=False)
        self.c_proj = nn.Linear(n_embd, n_embd, bias=False)
        self.mlp = nn.Sequential(nn.Linear(n_embd, 2 * n_embd), nn.GELU(),
                                 nn.Linear(2 * n_embd, n_embd))  # fmt: skip

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(self.ln_1(x)).split(C, dim=2)
        q, k, v = (t.view(B, T, self.n_head, C // self.n_head).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=True)
        x = x + self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, block_size, vocab_size, n_embd, n_head):
        super().__init__()
        self.transformer = nn.ModuleDict(dict(
            wte=nn.Embedding(vocab_size, n_embd), wpe=nn.Embedding(block_size, n_embd),
            h=nn.ModuleList([Block(n_embd, n_head) for _ in range(2)]),
            ln_f=LayerNorm(n_embd, bias=True),
        ))  # fmt: skip
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)
        self.transformer.wte.weight = self.lm_head.weight  # tied
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            torch.nn.init.normal_(module.weight, mean=0.0, std=0.1)

    def forward(self, idx, targets=None):
        pos = torch.arange(0, idx.size(1), dtype=torch.long, device=idx.device)
        x = self.transformer.wte(idx) + self.transformer.wpe(pos)
        for block in self.transformer.h:
            x = block(x)
        logits = self.lm_head(self.transformer.ln_f(x))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))

    def configure_optimizers(self):
        params = {name: p for name, p in self.named_parameters() if p.requires_grad}
        groups = [
            {"params": [p for p in params.values() if p.dim() >= 2],
             "weight_decay": config["weight_decay"]},
            {"params": [p for p in params.values() if p.dim() < 2], "weight_decay": 0.0},
        ]  # fmt: skip
        fused = "fused" in inspect.signature(torch.optim.AdamW).parameters and on_card
        extra = dict(fused=True) if fused else dict()
        return torch.optim.AdamW(groups, lr=config["lr"], betas=(0.9, 0.95), **extra)


def fresh_model():
    return GPT(*(config[k] for k in ("block_size", "vocab_size", "n_embd", "n_head")))


def make_model():
    torch.manual_seed(1337)
    if torch.cuda.is_available():
        torch.cuda.manual_seed(1337)
    return fresh_model()


def get_lr(it):
    if it < config["warmup"]:
        return config["lr"] * (it + 1) / (config["warmup"] + 1)
    ratio = (it - config["warmup"]) / (config["max_iters"] - config["warmup"])
    coeff = 0.5 * (1.0 + math.cos(math.pi * ratio))
    return config["min_lr"] + coeff * (config["lr"] - config["min_lr"])


def get_batch(path, step):
    data = np.memmap(path, dtype=np.uint16, mode="r")  # anew each time: else memory leaks
    block = config["block_size"]
    ix = torch.arange(config["batch_size"]) * 29 + 7 * step
    x = torch.stack([torch.from_numpy(data[i : i + block].astype(np.int64)) for i in ix])
    y = torch.stack([torch.from_numpy(data[i + 1 : i + 1 + block].astype(np.int64)) for i in ix])
    if device_type == "cuda":
        return (t.pin_memory().to(device, non_blocking=True) for t in (x, y))
    return x.to(device), y.to(device)


def train(model, optimizer, path, first, last):
    scaler = torch.amp.GradScaler("cuda", enabled=config["dtype"] == "float16")
    raw_model = model.module if isinstance(model, DDP) else model
    numbers = []
    for it in range(first, last):
        for group in optimizer.param_groups:
            group["lr"] = get_lr(it)
        for micro in range(config["accumulation"]):
            x, y = get_batch(path, it * config["accumulation"] + micro)
            with ctx:
                _, loss = model(x, y)
                loss = loss / config["accumulation"]
            scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(raw_model.parameters(), config["clip"])
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        numbers += [loss.item() * config["accumulation"], norm.item()]
    return numbers


def main(model):
    with tempfile.TemporaryDirectory() as out_dir:
        path, ckpt = os.path.join(out_dir, "train.bin"), os.path.join(out_dir, "ckpt.pt")
        (np.arange(400) ** 2 % config["vocab_size"]).astype(np.uint16).tofile(path)
        model.to(device)
        if config["compile"]:
            model = torch.compile(model)
        optimizer = model.configure_optimizers()
        losses = train(model, optimizer, path, 0, 4)
        best = torch.tensor(losses[::2]).min()
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "it": 4,
                    "best": best, "config": config, "dtype": ptdtype}, ckpt)  # fmt: skip

        checkpoint = torch.load(ckpt, map_location=device, weights_only=True)
        assert checkpoint["config"] == config
        assert checkpoint["dtype"] == torch.bfloat16 != torch.float16
        model = fresh_model()
        state_dict = checkpoint["model"]
        for key in list(state_dict):
            if key.startswith("_orig_mod."):
                state_dict[key[len("_orig_mod.") :]] = state_dict.pop(key)
        model.load_state_dict(state_dict)
        model.to(device)
        optimizer = model.configure_optimizers()
        optimizer.load_state_dict(checkpoint["optimizer"])
        losses += train(model, optimizer, path, checkpoint["it"], config["max_iters"])
        if ddp:
            destroy_process_group()
    return [*losses, checkpoint["best"].item()]
