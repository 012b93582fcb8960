"""Train a model of given names, letter by letter, and record how well it predicts unseen ones.

The notebook `chapters/projects/name_generator.ipynb` tells the story; this file holds the code it
shares with `python -m dlcourse train name_generator`: names as numbers, recipes, training, scoring,
sampling, and the comparison of all models.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dlcourse import datasets
from dlcourse.models.name_lm import CELLS, Bigram, Recurrent, Transformer, WindowMLP
from dlcourse.models.ngram import NGram
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
    evaluating,
    fit,
    load_checkpoint,
    save_checkpoint,
    seed_everything,
)

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

# ------------------------------------------------------------------------------- names as numbers

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
SYMBOLS = 1 + len(ALPHABET)  # K: the boundary before and after a name is 0, a is 1, z is 26
STARTS = {"": 0, "female": 27, "male": 28}  # what stands before a name; a condition, if there is
LONGEST = 20  # letters that are sampled at most
IGNORED = -100  # a target that is padding


def encode(name: str) -> list[int]:
    """The numbers of the letters of a name: "abc" is [1, 2, 3]."""
    codes = [ALPHABET.find(letter) + 1 for letter in name.lower()]
    if not codes or 0 in codes:
        raise ValueError(f"a name consists of letters from a to z, got {name!r}")
    return codes


def decode(codes: Sequence[int]) -> str:
    """The letters up to the boundary symbol."""
    codes = list(codes)
    end = codes.index(0) if 0 in codes else len(codes)
    return "".join(ALPHABET[code - 1] for code in codes[:end])


def as_tensors(names: Sequence[str], starts: Sequence[str] | str = "") -> TensorDataset:
    """Inputs and targets (N, T) int64: the target of a symbol is the one that follows it.

    An input row is the start symbol, then the letters; a target row is the letters, then the
    boundary.  Shorter names are padded, in the targets with what the loss ignores.
    """
    starts = [starts] * len(names) if isinstance(starts, str) else starts
    codes = [encode(name) for name in names]
    T = max(map(len, codes)) + 1
    inputs = torch.zeros(len(codes), T, dtype=torch.int64)
    targets = torch.full((len(codes), T), IGNORED)
    for i, (row, start) in enumerate(zip(codes, starts, strict=True)):
        inputs[i, 0] = STARTS[start]
        inputs[i, 1 : len(row) + 1] = torch.tensor(row)
        targets[i, : len(row) + 1] = torch.tensor([*row, 0])
    return TensorDataset(inputs, targets)


def load(group: str, split: str, condition: bool = False) -> TensorDataset:
    """The names of a group and a split; with `condition`, women's and men's, each told."""
    if not condition:
        return as_tensors(datasets.names(group, split))
    pairs = [(name, sex) for sex in ("female", "male") for name in datasets.names(sex, split)]
    return as_tensors(*zip(*pairs, strict=True))


# ------------------------------------------------------------------------------------------ recipes


@dataclass(frozen=True)
class Recipe:
    """All that is decided before training starts."""

    model: str = "transformer"  # or bigram, mlp, rnn, lstm, gru
    context: int = 5  # of mlp: how many symbols it sees
    embedding: int = 16  # of mlp and the recurrent ones
    hidden: int = 64  # width of the hidden layer, of the state, of the Transformer
    layers: int = 2  # of transformer
    heads: int = 4  # of transformer
    dropout: float = 0.2
    epochs: int = 60
    batch_size: int = 128
    lr: float = 0.005  # the largest; it rises for a tenth of the steps, then falls to nothing
    weight_decay: float = 0.01


RECIPES = {
    "bigram": Recipe("bigram", dropout=0.0, lr=0.05, weight_decay=0.0),
    "mlp": Recipe("mlp", hidden=128, lr=0.01),
    "rnn": Recipe("rnn", dropout=0.1),
    "lstm": Recipe("lstm", lr=0.01),
    "gru": Recipe("gru", lr=0.01),
    "transformer": Recipe("transformer", hidden=48, dropout=0.1),
}


def build(recipe: Recipe) -> nn.Module:
    """The recipe's network, initialised from torch's global generator."""
    symbols = SYMBOLS + 2  # the two sexes as start symbols are read and never written
    if recipe.model == "bigram":
        return Bigram(symbols, SYMBOLS)
    small = {"embedding": recipe.embedding, "hidden": recipe.hidden, "dropout": recipe.dropout}
    if recipe.model == "mlp":
        return WindowMLP(symbols, SYMBOLS, context=recipe.context, **small)
    if recipe.model in CELLS:
        return Recurrent(symbols, SYMBOLS, cell=recipe.model, **small)
    options = {"heads": recipe.heads, "layers": recipe.layers, "dropout": recipe.dropout}
    return Transformer(symbols, SYMBOLS, width=recipe.hidden, **options)


def parameters(model: nn.Module) -> int:
    """How many numbers are learnt; of n-grams, how many counts are kept."""
    if isinstance(model, NGram):
        return model.numbers
    return sum(p.numel() for p in model.parameters())


# ------------------------------------------------------------------------------ scoring, training


def costs(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """-log p of each symbol (B, T), in nats; 0 where there is padding."""
    return F.cross_entropy(
        logits.transpose(1, 2), targets, ignore_index=IGNORED, reduction="none"
    )  # (B, T)


def loss_fn(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The negative log-likelihood of a name, in nats, the mean over the batch."""
    return costs(logits, targets).sum() / len(targets)


def train(
    model: nn.Module,
    recipe: Recipe,
    data: TensorDataset,
    *,
    seed: int,
    valid: TensorDataset | None = None,
    **options: Any,
) -> History:
    """Train a model by a recipe; `options` go to `dlcourse.training.fit`."""
    generator = torch.Generator().manual_seed(seed)
    loader = DataLoader(data, recipe.batch_size, shuffle=True, generator=generator)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay
    )
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=recipe.lr,
        total_steps=recipe.epochs * len(loader),
        pct_start=0.1,
        cycle_momentum=False,
    )
    return fit(
        model,
        loader,
        loss_fn,
        optimizer,
        epochs=recipe.epochs,
        scheduler=scheduler,
        clip_norm=10.0,
        valid_loader=None if valid is None else DataLoader(valid, 1000),
        **options,
    )


def symbol_costs(
    model: nn.Module, names: Sequence[str], starts: Sequence[str] | str = ""
) -> torch.Tensor:
    """-log p of each letter and of the end (N, T), in nats, float64; 0 where there is padding."""
    data = as_tensors(names, starts)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    with evaluating(model):
        logits = [model(inputs.to(device)).cpu().double() for inputs, _ in DataLoader(data, 1000)]
    return costs(torch.cat(logits), data.tensors[1])


def name_costs(
    model: nn.Module, names: Sequence[str], starts: Sequence[str] | str = ""
) -> torch.Tensor:
    """-log p of each whole name (N,), in nats, float64."""
    return symbol_costs(model, names, starts).sum(dim=1)


def measure(model: nn.Module, names: Sequence[str]) -> dict[str, float]:
    """Negative log-likelihood a name and a symbol (nats), bits a symbol, perplexity."""
    return per_symbol(name_costs(model, names).sum().item(), names)


def per_symbol(total: float, names: Sequence[str]) -> dict[str, float]:
    """The same cost, told in four ways; the end of a name is a symbol, too."""
    nats = total / sum(len(name) + 1 for name in names)
    bits, perplexity = nats / math.log(2), math.exp(nats)
    return {"name": total / len(names), "symbol": nats, "bits": bits, "perplexity": perplexity}


# ----------------------------------------------------------------------------------------- writing


def sample(
    model: nn.Module,
    count: int,
    *,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
    start: str = "",
    prefix: str = "",
) -> list[str]:
    """Draw names from a model, letter by letter, with p(c)^(1 / temperature), normalised.

    Temperature 0 takes the most probable letter each time.  `prefix`: how the names begin.
    """
    if temperature < 0:
        raise ValueError(f"temperature must be 0 or more, got {temperature}")
    tokens = torch.tensor([[STARTS[start], *(encode(prefix) if prefix else [])]] * count)
    going = torch.ones(count, dtype=torch.bool)
    with evaluating(model):
        while going.any() and tokens.shape[1] <= LONGEST:
            logits = model(tokens)[:, -1].double()  # (count, K)
            chosen = _draw(logits, temperature, generator) * going  # what has ended stays ended
            tokens = torch.cat([tokens, chosen[:, None]], dim=1)
            going = chosen != 0
    return [decode(row) for row in tokens[:, 1:].tolist()]


def _draw(
    logits: torch.Tensor, temperature: float, generator: torch.Generator | None
) -> torch.Tensor:
    """One symbol a row (B,): a uniform number falls into one of K intervals of lengths p."""
    if temperature == 0:
        return logits.argmax(dim=1)
    until = (logits / temperature).softmax(dim=1).cumsum(dim=1)  # (B, K), where each interval ends
    u = torch.rand(len(logits), 1, dtype=torch.float64, generator=generator)  # (B, 1)
    return (until < u).sum(dim=1).clamp(max=logits.shape[1] - 1)  # rounding: the last may end at 1-


def beam_search(
    model: nn.Module, width: int, *, start: str = "", prefix: str = ""
) -> list[tuple[str, float]]:
    """The most probable names that are found by keeping `width` beginnings, with their log p.

    All beginnings are lengthened by each symbol, and the best `width` of the results are kept;
    those that have ended are set aside.  It stops when no beginning can overtake them.
    """
    tokens = torch.tensor([[STARTS[start], *(encode(prefix) if prefix else [])]])
    scores, ended = torch.zeros(1, dtype=torch.float64), []
    with evaluating(model):
        while len(tokens) and tokens.shape[1] <= LONGEST:
            log_p = model(tokens)[:, -1].double().log_softmax(dim=1) + scores[:, None]  # (B, K)
            best, place = log_p.flatten().topk(min(width, log_p.numel()))
            row, symbol = place // SYMBOLS, place % SYMBOLS
            tokens = torch.cat([tokens[row], symbol[:, None]], dim=1)
            over = symbol == 0
            found = zip(tokens[over].tolist(), best[over].tolist(), strict=True)
            ended += [(decode(codes[1:]), score) for codes, score in found]
            ended = sorted(ended, key=lambda pair: -pair[1])[:width]
            worst = ended[-1][1] if len(ended) == width else -math.inf
            going = ~over & (best > worst)
            tokens, scores = tokens[going], best[going]
    return ended


# --------------------------------------------------------------------------------- what is new


def edit_distances(name: str, others: Sequence[str]) -> np.ndarray:
    """How many letters must be put in, left out or replaced to get from a name to each other (N,).

    Levenshtein's distance (1966) by dynamic programming, for all the others at once.
    """
    packed = np.array([other.encode("ascii") for other in others])  # bytes, padded with zeros
    L = packed.dtype.itemsize
    letters = packed.view(np.uint8).reshape(len(others), L)  # (N, L)
    steps = np.arange(L + 1)
    row = np.broadcast_to(steps, (len(others), L + 1))  # from "" to each beginning of each other
    for i, letter in enumerate(name, 1):
        replaced = row[:, :-1] + (letters != ord(letter))
        left_out = row[:, 1:] + 1
        best = np.insert(np.minimum(replaced, left_out), 0, i, axis=1)  # (N, L + 1)
        row = np.minimum.accumulate(best - steps, axis=1) + steps  # one put in costs 1 a step
    return row[np.arange(len(others)), [len(other) for other in others]]


def novelty(model: nn.Module, train: Sequence[str], held_out: Sequence[str]) -> dict[str, float]:
    """Which share of what a model draws is in the training set, is a real name unseen, or is new.

    Nothing is drawn for it: the share of a list is the sum of the probabilities of its names.
    `ratio`: how much more often a name is drawn for having been in the training set.  1 says that
    the model knows names of the training set no better than others; a copying machine has infinity.
    """
    known, unseen = (name_costs(model, names).neg().exp() for names in (train, held_out))
    hits, finds = known.sum().item(), unseen.sum().item()
    ratio = (known.mean() / unseen.mean()).item()
    return {"train": hits, "held out": finds, "new": 1 - hits - finds, "ratio": ratio}


# ----------------------------------------------------------------------------------- counted models

ORDERS = (1, 2, 3, 4, 5, 6)
DISCOUNTS = (0.7, 0.8, 0.9)


def sequences(names: Sequence[str]) -> list[list[int]]:
    """Each name as numbers between two boundary symbols."""
    return [[0, *encode(name), 0] for name in names]


def count_ngrams(names: Sequence[str], order: int, judges: Sequence[str]) -> NGram:
    """The n-gram model of an order whose discount predicts the judges (validation) best."""
    models = [NGram(sequences(names), SYMBOLS, order, discount) for discount in DISCOUNTS]
    return min(models, key=lambda model: name_costs(model, judges).sum().item())


def uniform(names: Sequence[str]) -> dict[str, float]:
    """The measures of who gives each of the K symbols the same probability, always."""
    return per_symbol(sum(len(name) + 1 for name in names) * math.log(SYMBOLS), names)


# -------------------------------------------------------------------------------------- the program

SPLITS = ("train", "valid", "test")
CONDITION_EPOCHS = 25  # with --condition, unless --epochs says another number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m dlcourse train name_generator`."""

    def add(flag: str, text: str, **options: Any) -> None:
        parser.add_argument(flag, help=text, **options)

    add("--data", "the course's names (the only set there is)", choices=["shipped"],
        default="shipped")  # fmt: skip
    add("--names", "which of them (default: given)", default="given",
        choices=["given", "female", "male", "surnames"])  # fmt: skip
    add("--model", "what to train (default: transformer)", choices=list(RECIPES))
    add("--condition", "tell the model whether a name is from women's or men's list; then "
        "`sample` can ask for either", action="store_true")  # fmt: skip
    add("--epochs", "passes over the data (default: the recipe's)", type=positive)
    add("--compare", "count and train every model, with SEEDS seeds each", type=positive,
        metavar="SEEDS")  # fmt: skip
    add_run_options(parser.add_argument)
    parser.set_defaults(precision="float32")  # networks as small as these gain nothing by less


def main(args: argparse.Namespace) -> int:
    """Train, judge once, write the result.  Exit code 0; 130: interrupted; 1: an error, told."""
    return told(_compare if args.compare else _train_once, args)


def _train_once(args: argparse.Namespace) -> int:
    if args.condition and args.names != "given":
        raise ValueError("--condition tells women's names from men's: it goes with --names given")
    name = args.model or "transformer"
    recipe = RECIPES[name]
    usual = CONDITION_EPOCHS if args.condition else recipe.epochs
    recipe = replace(recipe, epochs=args.epochs or usual)
    kind = "conditional" if args.condition else args.names
    out = writable(args.out or Path("runs") / f"name_generator_{kind}_{name}.json")
    checkpoint = out.with_suffix(".checkpoint.pt")
    decide_about(checkpoint, args)
    device = find_device(args.device)
    run = {"device": device, "autocast": find_precision(args.precision, device)}
    data, valid = (load(args.names, split, args.condition) for split in ("train", "valid"))
    seed_everything(args.seed)
    model = build(recipe)
    print(f"{len(data)} names, {parameters(model)} parameters, {recipe.epochs} epochs, {device}")
    settings = {**asdict(recipe), "names": kind, "seed": args.seed}
    saving = {"checkpoint": checkpoint, "resume": args.resume, "settings": settings}
    try:
        history = train(model, recipe, data, seed=args.seed, valid=valid, **run, **saving)
        judged = _judged(model.cpu(), history, args)
    except KeyboardInterrupt:
        return interrupted(checkpoint)
    seen = {"seed": args.seed, "recipe": asdict(recipe), "names": kind}
    record = circumstances(device) | seen | judged
    save_checkpoint(out.with_suffix(".model.pt"), model=model, recipe=asdict(recipe), names=kind)
    write_record(out, record)
    checkpoint.unlink()
    for split in SPLITS:
        costs_of = record["conditional" if args.condition else "measures"][split]
        print(f"{split:6} {costs_of['name']:.3f} nats a name, {costs_of['bits']:.3f} bits a symbol")
    print(", ".join(record["samples"][:10]), f"\nresult in {out}")
    return 0


def _judged(model: nn.Module, history: History, args: argparse.Namespace) -> dict[str, Any]:
    """Only now is the test set looked at, and only once."""
    start = "female" if args.condition else ""
    chance = torch.Generator().manual_seed(args.seed)
    found = {
        "parameters": parameters(model),
        "minutes": round(history.seconds[-1] / 60, 2),
        "train_loss": _rounded(history.train_loss),
        "valid_loss": _rounded(history.valid["loss"]),
        "samples": sample(model, 50, generator=chance, start=start),
    }
    if args.condition:
        return found | {"conditional": {split: _measure_both(model, split) for split in SPLITS}}
    return found | _measures(model, args.names)


def _measures(model: nn.Module, group: str) -> dict[str, Any]:
    lists = {split: datasets.names(group, split) for split in SPLITS}
    held_out = lists["valid"] + lists["test"]
    return {
        "measures": {split: _few_digits(measure(model, names)) for split, names in lists.items()},
        "novelty": _few_digits(novelty(model, lists["train"], held_out)),
    }


def _measure_both(model: nn.Module, split: str) -> dict[str, float]:
    """The measures of a conditional model over both lists."""
    lists = {sex: datasets.names(sex, split) for sex in ("female", "male")}
    total = sum(name_costs(model, names, sex).sum().item() for sex, names in lists.items())
    return _few_digits(per_symbol(total, lists["female"] + lists["male"]))


def _compare(args: argparse.Namespace) -> int:
    """Each model with each seed.  The record is written after every run, and the run under way has
    a checkpoint: an interrupted comparison goes on where it stopped."""
    if args.condition or args.model or args.seed:
        raise ValueError(
            "--compare trains every model with the seeds 0, 1, ...: it goes without --model, "
            "--condition and --seed"
        )
    out = writable(args.out or Path("runs") / f"name_generator_{args.names}.json")
    decide_about(out, args)
    checkpoint = out.with_suffix(".checkpoint.pt")
    if not args.resume:
        checkpoint.unlink(missing_ok=True)
    device = find_device(args.device)
    recipes = {
        name: replace(recipe, epochs=args.epochs or recipe.epochs)
        for name, recipe in RECIPES.items()
    }
    record = {**circumstances(device), "names": args.names}
    record |= {"recipes": {name: asdict(recipe) for name, recipe in recipes.items()}}
    before = _same_comparison(out, record) if args.resume and out.exists() else {}
    runs = {name: [] for name in recipes} | before.get("runs", {})
    try:
        record["counted"] = before.get("counted") or _count_all(args.names)
        write_record(out, record | {"runs": runs})
        for seed, (name, recipe) in itertools.product(range(args.compare), recipes.items()):
            if len(runs[name]) > seed:
                continue
            model, found = _one_of_many(recipe, seed, checkpoint, device, args)
            if (name, seed) == ("transformer", 0):  # the page draws from it
                file = out.with_suffix(".model.pt")
                save_checkpoint(file, model=model, recipe=asdict(recipe), names=args.names)
            runs[name].append(found)
            write_record(out, record | {"runs": runs})
            checkpoint.unlink()
            costs_of = [f"{found['measures'][split]['name']:7.3f}" for split in SPLITS]
            print(f"seed {seed}  {name:12}", *costs_of)
    except KeyboardInterrupt:
        return interrupted(out)
    return 0


def _one_of_many(
    recipe: Recipe, seed: int, checkpoint: Path, device: str, args: argparse.Namespace
) -> tuple[nn.Module, dict[str, Any]]:
    """Train and judge one model of a comparison, from its checkpoint on if there is one."""
    data, valid = (load(args.names, split) for split in ("train", "valid"))
    seed_everything(seed)
    model = build(recipe)
    settings = {**asdict(recipe), "names": args.names, "seed": seed}
    # A checkpoint of another run is one whose result is in the record: it was not yet deleted.
    own = checkpoint.exists() and load_checkpoint(checkpoint).get("settings") == settings
    saving = {"checkpoint": checkpoint, "resume": own, "settings": settings}
    run = {"device": device, "autocast": find_precision(args.precision, device)}
    history = train(model, recipe, data, seed=seed, valid=valid, **run, **saving)
    return model.cpu(), {
        "parameters": parameters(model),
        "minutes": round(history.seconds[-1] / 60, 2),
        "train_loss": _rounded(history.train_loss),
        "valid_loss": _rounded(history.valid["loss"]),
        **_measures(model, args.names),
    }


def _same_comparison(out: Path, record: dict[str, Any]) -> dict[str, Any]:
    """The record of an interrupted comparison, if it was of the same names and recipes."""
    found = read_record(out)
    for key in ("names", "recipes"):
        if found.get(key) != record[key]:
            raise ValueError(f"{out} was made with other {key}: resume with the same, or --restart")
    return found


def _count_all(group: str) -> dict[str, Any]:
    """The models that need no training: measures, counts kept and discount of each order."""
    lists = {split: datasets.names(group, split) for split in SPLITS}
    found = {"uniform": {"parameters": 0, "measures": {}}}
    found["uniform"]["measures"] = {s: _few_digits(uniform(names)) for s, names in lists.items()}
    for order in ORDERS:
        model = count_ngrams(lists["train"], order, lists["valid"])
        about = {"parameters": parameters(model), "discount": model.discount}
        found[f"{order}-gram"] = about | _measures(model, group)
    return found


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 4) for value in values]


def _few_digits(values: dict[str, float]) -> dict[str, float]:
    return {key: round(value, 4) if math.isfinite(value) else None for key, value in values.items()}


def load_model(path: str | os.PathLike) -> nn.Module:
    """A trained model from the file that the program or `save_checkpoint` has written.

    Raises CheckpointError if the file is damaged or holds no model of names.
    """
    found = load_checkpoint(path)
    if not {"model", "recipe"} <= found.keys():
        raise CheckpointError(f"{path} holds no model of names: it has no recipe")
    try:
        model = build(Recipe(**found["recipe"]))
    except (TypeError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} holds a recipe of another program ({error})") from error
    load_checkpoint(path, model=model)
    return model
