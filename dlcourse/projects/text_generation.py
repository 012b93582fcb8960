"""Train a small GPT that writes like the text it was trained on, and record how well it predicts.

The notebook `chapters/projects/text_generation.ipynb` tells the story; this file holds the code it
shares with `python -m dlcourse train text_generation`: batches, training, scores, sampling.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dlcourse import datasets
from dlcourse.bpe import BPE, train_bpe
from dlcourse.models import GPT, GPTConfig
from dlcourse.models.gpt import rotate
from dlcourse.projects._options import (
    add_run_options,
    decide_about,
    find_device,
    find_precision,
    interrupted,
    positive,
    told,
    writable,
)
from dlcourse.projects._record import circumstances, read_record, write_record
from dlcourse.training import (
    CheckpointError,
    History,
    decay_groups,
    evaluating,
    fit,
    load_checkpoint,
    save_checkpoint,
    seed_everything,
)

import torch
from torch.nn import functional as F

# --------------------------------------------------------------------------------------------- data

BEGIN = "\n"  # what stands before a text: the end of a line


def load(data: str) -> dict[str, str]:
    """`{"train", "valid", "test"}`: of `"kjv"`, or of a text file, cut at lines into 90, 5, 5 %."""
    if data == "kjv":
        return {split: datasets.kjv(split) for split in ("train", "valid", "test")}
    path = Path(data)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error}") from error
    ends = [text.find("\n", len(text) * part // 100) + 1 for part in (90, 95)]
    if not 0 < ends[0] < ends[1] < len(text):
        raise ValueError(f"{path} is too short, or its lines too long, to be cut into three parts")
    return {"train": text[: ends[0]], "valid": text[ends[0] : ends[1]], "test": text[ends[1] :]}


class Windows:
    """A loader of `steps` batches: random windows of the text, and the same one token on.

    Inputs and targets are (B, T).  `generator` decides which; `fit` keeps its state in
    checkpoints.
    """

    def __init__(
        self,
        ids: torch.Tensor,
        T: int,
        batch_size: int,
        steps: int,
        generator: torch.Generator,
    ) -> None:
        _check_length(ids, T)
        self.ids, self.T, self.B = ids, T, batch_size
        self.steps, self.generator = steps, generator

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        places = len(self.ids) - self.T
        for _ in range(self.steps):
            first = torch.randint(places, (self.B, 1), generator=self.generator)
            windows = self.ids[first + torch.arange(self.T + 1)]  # (B, T + 1)
            yield windows[:, :-1], windows[:, 1:]


def in_a_row(ids: torch.Tensor, T: int, batch_size: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The text in windows side by side, each token once (a rest shorter than T is left out)."""
    _check_length(ids, T)
    N = (len(ids) - 1) // T
    x, y = ids[: N * T].view(N, T), ids[1 : N * T + 1].view(N, T)
    return list(zip(x.split(batch_size), y.split(batch_size), strict=True))


def _check_length(ids: torch.Tensor, T: int) -> None:
    if len(ids) <= T:
        raise ValueError(f"a text of {len(ids)} tokens has no window of {T} and the next token")


# ------------------------------------------------------------------------------------------ recipes


@dataclass(frozen=True)
class Recipe:
    """All that is decided before training starts."""

    vocab_size: int = 4096
    context: int = 64  # tokens
    width: int = 64
    layers: int = 3
    heads: int = 4
    dropout: float = 0.0
    positions: str = "rotary"
    steps: int = 2000
    batch_size: int = 8
    lr: float = 6e-3  # the largest
    weight_decay: float = 0.1

    def config(self, vocab_size: int) -> GPTConfig:
        """The network's part of the recipe."""
        names = "context", "width", "layers", "heads", "dropout", "positions"
        return GPTConfig(vocab_size, **{name: getattr(self, name) for name in names})


FULL = Recipe()  # two to three minutes on one core
QUICK = replace(FULL, width=48, layers=2, steps=100)  # what the notebook trains
SMALL = replace(FULL, vocab_size=512, steps=200, lr=4e-3)  # a sprint, to try things
RECIPES = {"full": FULL, "small": SMALL, "quick": QUICK}

# The small recipe with one thing changed; and in other sizes.
ABLATION = {
    "the small recipe": SMALL,
    "learned positions": replace(SMALL, positions="learned"),
    "no positions": replace(SMALL, positions="none"),
    "context 16": replace(SMALL, context=16, batch_size=32),  # as many tokens a step
    "dropout 0.1": replace(SMALL, dropout=0.1),
    "learning rate / 4": replace(SMALL, lr=SMALL.lr / 4),
    "tokens are bytes": replace(SMALL, vocab_size=256),
    "2048 tokens": replace(SMALL, vocab_size=2048),
}
SIZES = {f"width {width}": replace(SMALL, width=width) for width in (16, 32, 128)}
# The full recipe in a quarter of the time: where does it lead?
LENGTHS = {"500 steps": replace(FULL, steps=500)}
VARIANTS = ABLATION | SIZES | LENGTHS

EVERY = 200  # steps between two looks at the validation text
JUDGED = 40_000  # characters of it by which variants are judged


def train(
    model: GPT,
    recipe: Recipe,
    ids: torch.Tensor,
    *,
    seed: int,
    valid_ids: torch.Tensor | None = None,
    every: int = EVERY,
    **options: Any,
) -> History:
    """Train by a recipe; `options` go to `fit`.

    An "epoch" of the history is the largest number of steps that divides both `every` and theirs.
    """
    generator = torch.Generator().manual_seed(seed)
    every = math.gcd(recipe.steps, every)
    loader = Windows(ids, recipe.context, recipe.batch_size, every, generator)
    valid = None if valid_ids is None else in_a_row(valid_ids, recipe.context, batch_size=32)
    optimizer = torch.optim.AdamW(
        decay_groups(model, recipe.weight_decay),
        lr=recipe.lr,
        betas=(0.9, 0.95),
    )
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=recipe.lr,
        total_steps=recipe.steps,
        pct_start=0.1,  # up in a tenth of the steps, then down along a cosine
        cycle_momentum=False,
        final_div_factor=10,
    )
    return fit(
        model,
        loader,
        cross_entropy,
        optimizer,
        epochs=recipe.steps // every,
        scheduler=scheduler,
        valid_loader=valid,
        clip_norm=1.0,
        **options,
    )


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean of -log p(next token): logits (B, T, V), targets (B, T)."""
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


# ------------------------------------------------------------------------------------------ scoring


def token_losses(model: GPT, ids: Sequence[int], begin: int, batch_size: int = 32) -> torch.Tensor:
    """-log p of every token of a text, given at least half a context before it (or all there is).

    Windows of T tokens overlap by half; of each only the second half counts.  `begin` is the token
    that stands before the first.
    """
    T = model.config.context
    half, device = T // 2, next(model.parameters()).device
    text = torch.as_tensor([begin, *ids])
    starts = range(0, max(len(ids) - half, 1), half)
    out = torch.zeros(len(ids))
    with evaluating(model):
        for group in torch.tensor(starts).split(batch_size):
            at = (group[:, None] + torch.arange(T)).clamp(max=len(ids) - 1)  # (B, T)
            logits = model(text[at].to(device)).float().cpu()  # (B, T, V)
            losses = F.cross_entropy(logits.flatten(0, 1), text[at + 1].flatten(), reduction="none")
            losses = losses.view(at.shape)
            for row, start in zip(losses, group.tolist(), strict=True):
                skip = 0 if start == 0 else half
                end = min(start + T, len(ids))
                out[start + skip : end] = row[skip : end - start]
    return out


def bits_per_byte(model: GPT, bpe: BPE, text: str) -> float:
    """The bits that the model needs for each byte of a text: comparable whatever the tokens."""
    losses = token_losses(model, bpe.encode(text), bpe.encode(BEGIN)[0])
    return losses.double().sum().item() / math.log(2) / len(text.encode("utf-8"))


def losses_by_position(model: GPT, ids: torch.Tensor) -> torch.Tensor:
    """The mean -log p of the token that follows 1, 2, ..., T tokens: (T,)."""
    sums, count = torch.zeros(model.config.context), 0
    with evaluating(model):
        for x, y in in_a_row(ids, model.config.context, batch_size=32):
            losses = F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="none")
            sums += losses.view(x.shape).sum(dim=0)
            count += len(x)
    return sums / count


# ----------------------------------------------------------------------------------------- sampling


def distribution(
    logits: torch.Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> torch.Tensor:
    """The probabilities (V,) to draw the next token from, given the logits (V,).

    Args:
        temperature: logits are divided by it; 0 puts all on the most probable token.
        top_k: only the k most probable tokens stay.
        top_p: of these only the most probable ones that together reach p (the nucleus).
    """
    nothing_left = (top_k is not None and top_k < 1) or (top_p is not None and not 0 < top_p <= 1)
    if temperature < 0 or nothing_left:
        raise ValueError(
            "temperature must be >= 0, top_k >= 1 and 0 < top_p <= 1, "
            f"got {temperature}, {top_k} and {top_p}"
        )
    if temperature == 0:
        return F.one_hot(logits.argmax(), len(logits)).to(logits.dtype)
    probs, order = (logits / temperature).softmax(dim=0).sort(descending=True, stable=True)
    keep = torch.ones_like(probs, dtype=torch.bool)
    if top_k is not None:
        keep[top_k:] = False
    if top_p is not None:
        probs = probs * keep / probs[keep].sum()
        keep &= probs.cumsum(dim=0) - probs < top_p  # those before it have not reached p yet
    kept = torch.where(keep, probs, 0)
    return torch.zeros_like(kept).scatter(0, order, kept / kept.sum())


def generate(
    model: GPT,
    ids: Sequence[int],
    count: int,
    *,
    seed: int = 0,
    cached: bool = True,
    **how: Any,
) -> list[int]:
    """`count` tokens that go on behind `ids`; `how` goes to `distribution`.

    When the context is full, its first half is forgotten.  `cached` keeps the keys and values
    of the tokens so far; without it all is computed again for each token, and the text is the
    same.
    """
    if not ids:
        raise ValueError("there is nothing to go on from: give at least one token")
    generator = torch.Generator().manual_seed(seed)
    device, T = next(model.parameters()).device, model.config.context
    window, written, cache = list(ids)[-T:], [], model.new_cache()
    with evaluating(model):
        while len(written) < count:
            if len(window) > T:
                window, cache = window[-(T // 2) :], model.new_cache()
            new = window[cache[0].length :] if cached else window
            tokens = torch.tensor([new], device=device)
            logits = model(tokens, cache if cached else None)[0, -1].double().cpu()  # (V,)
            probs = distribution(logits, **how)
            token = torch.multinomial(probs, 1, generator=generator).item()
            written.append(token)
            window.append(token)
    return written


def write(model: GPT, bpe: BPE, prompt: str, count: int, **how: Any) -> str:
    """The prompt and what the model adds to it, `count` tokens."""
    ids = bpe.encode(prompt or BEGIN)
    return prompt + bpe.decode(generate(model, ids, count, **how))


def longest_copies(written: str, source: str) -> list[int]:
    """For each place of `written`, how many characters from there on stand in `source`."""
    lengths, end = [], 0
    for start in range(len(written)):
        end = max(end, start)
        while end < len(written) and written[start : end + 1] in source:
            end += 1
        lengths.append(end - start)
    return lengths


def attention_weights(model: GPT, ids: Sequence[int]) -> torch.Tensor:
    """Where each token looks, in every layer and head: (layers, nh, T, T)."""
    inputs = []
    hooks = [
        block.attention.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
        for block in model.blocks
    ]
    with evaluating(model):
        model(torch.tensor([list(ids)]))
        weights = []
        for block, x in zip(model.blocks, inputs, strict=True):
            attention = block.attention
            split = 1, len(ids), 3, attention.heads, -1
            q, k, _ = attention.qkv(x).reshape(split).permute(2, 0, 3, 1, 4)  # (1, nh, T, hs)
            if attention.rotary:
                q, k = rotate(q), rotate(k)
            scores = q @ k.mT / math.sqrt(q.shape[-1])  # (1, nh, T, T)
            future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
            weights.append(scores.masked_fill(future, -math.inf).softmax(dim=-1)[0])
    for hook in hooks:
        hook.remove()
    return torch.stack(weights)


# ------------------------------------------------------------------------------------------ keeping


def save_model(path: Path, model: GPT, bpe: BPE) -> None:
    """Weights in float16, and all that is needed to build the model and its tokens again."""
    half = GPT(model.config).half()
    half.load_state_dict(model.state_dict())
    merges = torch.tensor(bpe.merges, dtype=torch.int16)
    save_checkpoint(path, model=half, config=asdict(model.config), merges=merges)


def load_model(path: str | Path) -> tuple[GPT, BPE]:
    """What `save_model` wrote, in float32.  Raises CheckpointError if it is anything else."""
    found = load_checkpoint(path)
    if not {"model", "config", "merges"} <= found.keys():
        raise CheckpointError(f"{path} holds no text model: config or merges are missing")
    model = GPT(GPTConfig(**found["config"]))
    load_checkpoint(path, model=model)
    return model, BPE(map(tuple, found["merges"].tolist()))


# -------------------------------------------------------------------------------------- the program

PROMPTS = {"In the beginning": {"temperature": 0}, "And it came to pass": {}, "My son,": {}}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m dlcourse train text_generation`."""
    add = parser.add_argument
    add("--data", help="kjv (default), or a text file of yours", default="kjv")
    add("--recipe", help="default: full", choices=list(RECIPES), default="full")
    add("--steps", help="as many as the recipe says, unless given", type=positive)
    add("--ablation", help="variants of the recipes, on the CPU in float32", action="store_true")
    add("--only", help="of these variants, those named", nargs="+", choices=list(VARIANTS))
    add_run_options(add)


def main(args: argparse.Namespace) -> int:
    """Train, judge once, write the result.  Exit code 0; 130: interrupted; 1: an error, told."""
    return told(_ablate if args.ablation else _train_once, args)


def _train_once(args: argparse.Namespace) -> int:
    if args.only:
        raise ValueError("--only names variants of --ablation: give both, or neither")
    recipe = RECIPES[args.recipe]
    recipe = replace(recipe, steps=args.steps or recipe.steps)
    name = f"text_generation_{'kjv' if args.data == 'kjv' else Path(args.data).stem}_{args.recipe}"
    out = writable(args.out or Path("runs") / f"{name}.json")
    checkpoint = out.with_suffix(".checkpoint.pt")
    decide_about(checkpoint, args)
    device = find_device(args.device)
    run = {"device": device, "autocast": find_precision(args.precision, device)}

    texts = load(args.data)
    settings = {**asdict(recipe), "data": args.data, "seed": args.seed}
    run |= {"checkpoint": checkpoint, "resume": args.resume, "settings": settings}
    begin = time.process_time()
    try:
        model, bpe, history = _train(texts, recipe, args.seed, **run)
    except KeyboardInterrupt:
        return interrupted(checkpoint)
    cpu_minutes = (time.process_time() - begin) / 60
    # Only now is the test text looked at, and only once.
    scores = {split: bits_per_byte(model, bpe, texts[split]) for split in ("valid", "test")}
    record = {
        **circumstances(device),
        "seed": args.seed,
        "precision": "float32" if run["autocast"] is None else "bfloat16",
        "recipe": asdict(recipe),
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokens": len(bpe),
        "bytes_per_token": {split: _bytes_per_token(bpe, texts[split]) for split in texts},
        "minutes": round(history.seconds[-1] / 60, 1),
        "cpu_minutes": None if args.resume else round(cpu_minutes, 1),  # of one process, the last
        "steps_between": math.gcd(recipe.steps, EVERY),
        "train_loss": [round(value, 4) for value in history.train_loss],
        "valid_loss": [round(value, 4) for value in history.valid["loss"]],
        "bits_per_byte": {split: round(score, 4) for split, score in scores.items()},
        "samples": [
            {"prompt": prompt, **how, "text": write(model, bpe, prompt, 80, **how)}
            for prompt, how in PROMPTS.items()
        ],
    }
    save_model(out.with_suffix(".model.pt"), model, bpe)
    write_record(out, record)
    checkpoint.unlink()
    print(
        f"{scores['valid']:.3f} bits a byte of the validation text, {scores['test']:.3f} of the "
        f"test text; {record['minutes']} minutes; result in {out}"
    )
    return 0


def _train(
    texts: dict[str, str], recipe: Recipe, seed: int, **run: Any
) -> tuple[GPT, BPE, History]:
    """Model, tokenizer and history."""
    bpe = train_bpe(texts["train"], recipe.vocab_size)
    ids = {split: torch.tensor(bpe.encode(texts[split])) for split in ("train", "valid")}
    seed_everything(seed)
    model = GPT(recipe.config(len(bpe)))
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{len(ids['train'])} tokens of {len(bpe)} kinds, {parameters} parameters")
    run |= {"valid_ids": ids["valid"], "every": EVERY}
    history = train(model, recipe, ids["train"], seed=seed, **run)
    return model, bpe, history


def _bytes_per_token(bpe: BPE, text: str) -> float:
    return round(len(text.encode("utf-8")) / len(bpe.encode(text)), 4)


def _ablate(args: argparse.Namespace) -> int:
    """Each variant in turn; the record is written after each, so it can be resumed.

    Several such programs may work on one record, each on its own part (`--only`).
    """
    out = writable(args.out or Path("runs/text_generation_ablation.json"))
    recipes = _variants(args)
    decide_about(out, args)
    _expect_same(out, args, recipes)
    texts = load(args.data)
    texts["valid"] = texts["valid"][:JUDGED]
    try:
        for name in args.only or recipes:
            if name in _runs(out):
                continue
            begin = time.process_time()
            model, bpe, _ = _train(texts, recipes[name], args.seed)
            cpu_minutes = (time.process_time() - begin) / 60
            score = bits_per_byte(model, bpe, texts["valid"])
            found = {
                "recipe": asdict(recipes[name]),
                "cpu_minutes": round(cpu_minutes, 2),
                "parameters": sum(p.numel() for p in model.parameters()),
                "bits_per_byte": round(score, 4),
            }
            print(f"{name:24} {score:.4f}")
            _write_runs(out, args, _runs(out) | {name: found})
    except KeyboardInterrupt:
        return interrupted(out)
    _write_runs(out, args, _runs(out))
    return 0


def _variants(args: argparse.Namespace) -> dict[str, Recipe]:
    """All of them; raises where an option asks for what they have not."""
    for name, fine in {"recipe": ("full",), "device": ("auto", "cpu")}.items():
        if getattr(args, name) not in fine:
            raise ValueError(f"--{name} {getattr(args, name)} does not go with --ablation")
    if args.precision == "bfloat16":
        raise ValueError("--precision bfloat16 does not go with --ablation: it is in float32")
    return {
        name: replace(recipe, steps=args.steps or recipe.steps) for name, recipe in VARIANTS.items()
    }


def _expect_same(out: Path, args: argparse.Namespace, recipes: dict[str, Recipe]) -> None:
    """Raise where a record that is to be completed was made with other settings."""
    if not out.exists():
        return
    record = read_record(out)
    same = record["seed"] == args.seed and record.get("data", "kjv") == args.data
    for name, run in record["runs"].items():
        same = same and name in recipes and run["recipe"] == asdict(recipes[name])
    if not same:
        raise ValueError(
            f"{out} was made with another seed, data or recipe: resume with the same, or --restart"
        )


def _runs(out: Path) -> dict[str, Any]:
    return read_record(out)["runs"] if out.exists() else {}


def _write_runs(out: Path, args: argparse.Namespace, runs: dict[str, Any]) -> None:
    in_order = {name: runs[name] for name in VARIANTS if name in runs}
    judged = f"the first {JUDGED} characters of the validation text"
    about = {**circumstances("cpu"), "data": args.data, "seed": args.seed, "judged_on": judged}
    write_record(out, about | {"runs": in_order})
