"""Price diamonds from a table: baselines, boosted trees, a network, and how sure they are.

The notebook `chapters/projects/tabular_regression.ipynb` tells the story; this file holds the code
it shares with `python -m dlcourse train tabular_regression`: cleaning, the split that keeps copies
of a stone together, rows as numbers, models, training, scores, and the comparison of all of them.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dlcourse import datasets
from dlcourse.models.price_mlp import PriceMLP
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
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

# ---------------------------------------------------------------------------------- rows as numbers

NUMBERS = ("carat", "depth", "table", "x", "y", "z")
LENGTHS = ("x", "y", "z")  # mm
LOGS = tuple(NUMBERS.index(name) for name in ("carat", *LENGTHS))  # what acts by its ratio
# In the order of the alphabet, which is not the order of their worth: no model is told that.
GRADES = {
    "cut": ("Fair", "Good", "Ideal", "Premium", "Very Good"),
    "color": tuple("DEFGHIJ"),
    "clarity": ("I1", "IF", "SI1", "SI2", "VS1", "VS2", "VVS1", "VVS2"),
}
WORST_TO_BEST = {
    "cut": ("Fair", "Good", "Very Good", "Premium", "Ideal"),
    "color": tuple("JIHGFED"),
    "clarity": ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"),
}
LONGEST = 12.0  # mm; the largest true stone of the table has 10.74


def clean(table):
    """The stones whose three lengths can be true: above 0, at most 12 mm."""
    lengths = table[list(LENGTHS)]
    return table[((lengths > 0) & (lengths <= LONGEST)).all(axis=1)].reset_index(drop=True)


def stone_keys(table) -> list[str]:
    """A text for each row, the same for rows that show one stone: weight, colour, clarity, lengths.

    The lengths are sorted, for some rows have them exchanged; cut, table, depth and price are left
    out, for copies differ in them.
    """
    lengths = np.sort(table[list(LENGTHS)].to_numpy(), axis=1)
    columns = (table["carat"], table["color"], table["clarity"], lengths)
    return [
        f"{carat:.2f} {color} {clarity} {a:.2f} {b:.2f} {c:.2f}"
        for carat, color, clarity, (a, b, c) in zip(*columns, strict=True)
    ]


PARTS = {"train": 0.7, "valid": 0.8, "calibrate": 0.9, "test": 1.0}  # where each ends


def part_of(key: str) -> str:
    """The part a stone belongs to: a number in [0, 1) made from its key decides."""
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") / 2**32
    return next(part for part, end in PARTS.items() if number < end)


def split(table) -> dict[str, Any]:
    """`{"train": table, "valid": ..., "calibrate": ..., "test": ...}`: 70, 10, 10, 10 of a hundred.

    All rows of one stone are in one part.
    """
    parts = np.array([part_of(key) for key in stone_keys(table)])
    return {part: table[parts == part].reset_index(drop=True) for part in PARTS}


def encode(table) -> torch.Tensor:
    """Rows (N, 9) float64: six numbers as they are, then the codes of cut, colour and clarity.

    Raises ValueError, naming row and column, for what is missing, no number, or an unknown grade.
    """
    columns = []
    for name in (*NUMBERS, *GRADES):
        if name not in table:
            raise ValueError(f"the column {name!r} is missing: a stone has {_wanted()}")
        values = list(table[name])
        columns.append([_number(v, name, i) for i, v in enumerate(values)] if name in NUMBERS
                       else [_code(v, name, i) for i, v in enumerate(values)])  # fmt: skip
    return torch.tensor(columns, dtype=torch.float64).T.contiguous()


def _wanted() -> str:
    return ", ".join((*NUMBERS, *GRADES))


def _number(value: Any, name: str, row: int) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"row {row}: {name} is to be a number, got {value!r}") from error
    if math.isnan(number):
        raise ValueError(f"row {row}: {name} is missing")
    limit = LONGEST if name in LENGTHS else math.inf
    if not 0 < number <= limit or math.isinf(number):
        upto = f" and at most {limit:g} mm" if name in LENGTHS else ""
        raise ValueError(f"row {row}: {name} must be above 0{upto}, got {number:g}")
    return number


def _code(value: Any, name: str, row: int) -> int:
    if value not in GRADES[name]:
        known = ", ".join(WORST_TO_BEST[name])
        raise ValueError(f"row {row}: {name} {value!r} is unknown; known, worst first: {known}")
    return GRADES[name].index(value)


def tensors(table) -> TensorDataset:
    """Rows (N, 9) and natural logarithms of the prices (N, 1), float64."""
    prices = torch.tensor(table["price"].to_numpy(), dtype=torch.float64)
    return TensorDataset(encode(table), prices.log()[:, None])


def one_hot(rows: torch.Tensor) -> torch.Tensor:
    """Rows for models that see numbers only (N, 26): logarithms where they help, 0 or 1 a grade."""
    numbers = rows[:, : len(NUMBERS)].clone()
    numbers[:, LOGS] = numbers[:, LOGS].log()
    codes = rows[:, len(NUMBERS) :].long()
    grades = [F.one_hot(codes[:, i], len(g)) for i, g in enumerate(GRADES.values())]
    return torch.cat([numbers, *grades], dim=1)


# ------------------------------------------------------------------------------------------- scores


def scores(log_price: np.ndarray, guess: np.ndarray) -> dict[str, float]:
    """RMSE of the logarithms, and the median of |guess - price| / price, in percent."""
    error = np.asarray(guess) - np.asarray(log_price)
    percent = 100 * np.abs(np.expm1(error))
    return {"rmse": float(np.sqrt(np.mean(error**2))), "median": float(np.median(percent))}


def gaussian_nll(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean of (s + (y - m)^2 exp(-s)) / 2 over outputs (m, s): s is the log of the variance."""
    m, s = outputs[:, :1], outputs[:, 1:2]
    return ((s + (targets - m) ** 2 * torch.exp(-s)) / 2).mean()


QUANTILES = (0.05, 0.5, 0.95)


def pinball(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The quantile loss: max(q e, (q - 1) e) with e = y - output, summed over `QUANTILES`."""
    q = torch.tensor(QUANTILES, dtype=outputs.dtype, device=outputs.device)
    e = targets - outputs  # (B, Q)
    return torch.maximum(q * e, (q - 1) * e).sum(dim=1).mean()


LOSSES: dict[str, tuple[int, Callable]] = {
    "mse": (1, F.mse_loss),
    "l1": (1, F.l1_loss),
    "gaussian": (2, gaussian_nll),
    "quantiles": (len(QUANTILES), pinball),
}


# ------------------------------------------------------------------------------------ the baselines


class _Ready:
    """A model of scikit-learn behind the columns it wants."""

    def __init__(self, model: Any, columns: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.model, self.columns = model, columns

    def fit(self, rows: torch.Tensor, y: np.ndarray) -> _Ready:
        self.model.fit(self.columns(rows).numpy(), y)
        return self

    def predict(self, rows: torch.Tensor) -> np.ndarray:
        return self.model.predict(self.columns(rows).numpy())


class MeanPrice:
    """The same log price for every stone: the training mean."""

    def fit(self, rows: torch.Tensor, y: np.ndarray) -> MeanPrice:
        self.mean = y.mean()
        return self

    def predict(self, rows: torch.Tensor) -> np.ndarray:
        return np.full(len(rows), self.mean)


class PerCarat(MeanPrice):
    """A price a carat, the same for all: the (geometric) mean of price / carat."""

    def fit(self, rows: torch.Tensor, y: np.ndarray) -> PerCarat:
        super().fit(rows, y - rows[:, 0].log().numpy())
        return self

    def predict(self, rows: torch.Tensor) -> np.ndarray:
        return self.mean + rows[:, 0].log().numpy()


class LineThenTrees:
    """A straight line, and trees fitted to what it leaves over."""

    def __init__(self, line: Any, trees: Any) -> None:
        self.line, self.trees = line, trees

    def fit(self, rows: torch.Tensor, y: np.ndarray) -> LineThenTrees:
        self.line.fit(rows, y)
        self.trees.fit(rows, y - self.line.predict(rows))
        return self

    def predict(self, rows: torch.Tensor) -> np.ndarray:
        return self.line.predict(rows) + self.trees.predict(rows)


def baselines(seed: int = 0) -> dict[str, Any]:
    """Models that need no network, unfitted: `fit(rows, y)`, `predict(rows)`, rows of `encode`."""
    from sklearn.linear_model import LinearRegression
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    neighbours = make_pipeline(StandardScaler(), KNeighborsRegressor(5, weights="distance"))
    return {
        "mean": MeanPrice(),
        "per carat": PerCarat(),
        "linear": _Ready(LinearRegression(), one_hot),
        "neighbours": _Ready(neighbours, one_hot),
        "boosting": _boosting(seed),
        "small trees": _boosting(seed, max_leaf_nodes=7, min_samples_leaf=5),
        "line + trees": LineThenTrees(_Ready(LinearRegression(), one_hot), _boosting(seed)),
    }


def _boosting(seed: int, **settings: Any) -> _Ready:
    """300 trees with scikit-learn's settings but for those named; it is told what is a grade."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    grades = list(range(len(NUMBERS), len(NUMBERS) + len(GRADES)))
    trees = HistGradientBoostingRegressor(
        max_iter=300, categorical_features=grades, random_state=seed, early_stopping=False,
        **settings,
    )  # fmt: skip
    return _Ready(trees, lambda rows: rows)


# -------------------------------------------------------------------------------------- the network


@dataclass(frozen=True)
class Recipe:
    """All that is decided before training starts."""

    loss: str = "mse"  # or l1, gaussian, quantiles
    embedding: int = 2  # length of a grade's vector; 0: its number in the alphabet
    embedding_std: float = 0.1  # of its numbers at the start; torch would take 1
    hidden: int = 64
    layers: int = 3
    logs: bool = True  # of carat and lengths
    epochs: int = 8
    batch_size: int = 256
    lr: float = 0.01  # the largest; it rises for a tenth of the steps, then falls to nothing
    weight_decay: float = 0.0001


def build(recipe: Recipe) -> PriceMLP:
    """The recipe's network, initialised from torch's global generator, float64."""
    counts = [len(grades) for grades in GRADES.values()]
    outputs, _ = LOSSES[recipe.loss]
    logs = LOGS if recipe.logs else ()
    sizes = {"embedding": recipe.embedding, "hidden": recipe.hidden, "layers": recipe.layers}
    start = {"embedding_std": recipe.embedding_std}
    return PriceMLP(len(NUMBERS), counts, **sizes, **start, outputs=outputs, logs=logs).double()


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def batches(data: TensorDataset, size: int, seed: int) -> DataLoader:
    """Batches in a new order each epoch, each taken from the tensors at once and not row by row."""
    generator = torch.Generator().manual_seed(seed)
    order = BatchSampler(RandomSampler(data, generator=generator), size, drop_last=False)
    return DataLoader(data, sampler=order, batch_size=None, generator=generator)


def train(
    model: PriceMLP, recipe: Recipe, data: TensorDataset, *, seed: int,
    valid: TensorDataset | None = None, **options: Any,
) -> History:  # fmt: skip
    """Train a model by a recipe; `options` go to `dlcourse.training.fit`."""
    loader = batches(data, recipe.batch_size, seed)
    model.standardise_by(*data.tensors)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True
    )
    steps = recipe.epochs * len(loader)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.lr, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    if valid is not None:
        options["valid_loader"] = DataLoader(valid, len(valid))
    _, loss_fn = LOSSES[recipe.loss]
    return fit(
        model, loader, loss_fn, optimizer, epochs=recipe.epochs, scheduler=scheduler,
        clip_norm=1.0, **options,
    )  # fmt: skip


def predict(model: nn.Module, rows: torch.Tensor) -> np.ndarray:
    """Outputs (N, K) of a network for rows of `encode`."""
    parameter = next(model.parameters())
    with evaluating(model):
        return model(rows.to(parameter.device, parameter.dtype)).cpu().double().numpy()


def point(outputs: np.ndarray, loss: str) -> np.ndarray:
    """The one guess (N,) among a network's outputs: the mean, or the median."""
    return outputs[:, 1 if loss == "quantiles" else 0]


# ---------------------------------------------------------------------------------------- intervals


def conformal_radius(calibration_scores: np.ndarray, miss: float) -> float:
    """The k-th smallest of n scores, k = ceil((n + 1)(1 - miss)); infinity where k > n.

    A new score, exchangeable with these, is at most that with probability 1 - miss or more.
    """
    n = len(calibration_scores)
    k = math.ceil((n + 1) * (1 - miss) - 1e-9)
    return math.inf if k > n else float(np.sort(calibration_scores)[k - 1])


# ------------------------------------------------------------------------------- a model to be kept


def load_model(path: str | os.PathLike) -> tuple[PriceMLP, dict[str, Any]]:
    """A trained network, with its preparation inside, and what the file says beside it.

    Raises CheckpointError if the file is damaged or holds no model of prices.
    """
    found = load_checkpoint(path)
    if not {"model", "recipe", "grades"} <= found.keys():
        raise CheckpointError(f"{path} holds no model of prices: it has no recipe or no grades")
    if {name: tuple(grades) for name, grades in found["grades"].items()} != GRADES:
        raise CheckpointError(f"{path} was made with other grades than those of this program")
    try:
        model = build(Recipe(**found["recipe"]))
    except (TypeError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} holds a recipe of another program ({error})") from error
    load_checkpoint(path, model=model)
    return model, found


def save_model(path: str | os.PathLike, model: PriceMLP, recipe: Recipe, **extra: Any) -> None:
    """Weights, statistics, recipe and the grades in the order of their codes: all that it takes."""
    grades = {name: list(grades) for name, grades in GRADES.items()}
    save_checkpoint(path, model=model, recipe=asdict(recipe), grades=grades, **extra)


def price(model: PriceMLP, stone: Mapping[str, Any], loss: str = "mse") -> float:
    """The price in dollars of one stone, `{"carat": 0.7, "cut": "Ideal", ...}`: a median.

    Raises ValueError for a stone that lacks something or has an unknown grade.
    """
    rows = encode({name: [value] for name, value in stone.items()})
    return float(np.exp(point(predict(model, rows), loss)[0]))


# -------------------------------------------------------------------------------------- the program

JUDGED = ("train", "valid", "test")  # by those who may be fitted again; `calibrate` is kept
BASELINES = ("mean", "per carat", "linear", "neighbours", "boosting", "small trees", "line + trees")
MODELS = (*BASELINES, "mlp")
SIZES = (100, 1000, 10_000)  # of the learning curve; then all
VARIANTS: dict[str, Recipe] = {
    "codes as numbers": Recipe(embedding=0),
    "no logarithms": Recipe(logs=False),
    "absolute error": Recipe(loss="l1"),
    "vectors start large": Recipe(embedding_std=1.0),
    "twice as wide": Recipe(hidden=128),
    "five times as long": Recipe(epochs=40),
}


def for_size(recipe: Recipe, size: int) -> Recipe:
    """The recipe for few stones: small batches and many passes, or there would be no steps."""
    if size > SIZES[-1]:
        return recipe
    return replace(recipe, batch_size=32, epochs=max(8, min(100, 50_000 // size)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m dlcourse train tabular_regression`."""

    def add(flag: str, text: str, **options: Any) -> None:
        parser.add_argument(flag, help=text, **options)

    add("--data", "the course's diamonds (the only set there is)", choices=["shipped"],
        default="shipped")  # fmt: skip
    add("--model", "what to train (default: mlp)", choices=list(MODELS), default="mlp")
    add("--loss", "of mlp (default: mse)", choices=list(LOSSES), default="mse")
    add("--epochs", "passes over the data (default: the recipe's)", type=positive)
    add("--size", "how many stones to train on (default: all)", type=positive)
    add("--compare", "all models by size, and all variants of the network, with SEEDS seeds each",
        type=positive, metavar="SEEDS")  # fmt: skip
    add_run_options(parser.add_argument)
    parser.set_defaults(precision="float32")  # networks as small as these gain nothing by less


def main(args: argparse.Namespace) -> int:
    """Train, judge once, write the result.  Exit code 0; 130: interrupted; 1: an error, told."""
    return told(_compare if args.compare else _train_once, args)


def load() -> dict[str, TensorDataset]:
    """The shipped diamonds, cleaned, split and encoded."""
    return {part: tensors(table) for part, table in split(clean(datasets.diamonds())).items()}


def some(data: TensorDataset, size: int | None, seed: int) -> TensorDataset:
    """`size` stones, drawn by a seed; None, or more than there are: all."""
    if size is None or size >= len(data):
        return data
    chance = torch.Generator().manual_seed(seed)
    return TensorDataset(*data[torch.randperm(len(data), generator=chance)[:size]])


def _train_once(args: argparse.Namespace) -> int:
    recipe = Recipe(loss=args.loss)
    recipe = replace(recipe, epochs=args.epochs or recipe.epochs)
    if args.model != "mlp" and (args.loss != "mse" or args.epochs):
        raise ValueError(f"--loss and --epochs are of --model mlp: {args.model} has none")
    out = writable(
        args.out or Path("runs") / f"tabular_regression_{args.model.replace(' ', '_')}.json"
    )
    checkpoint = out.with_suffix(".checkpoint.pt")
    decide_about(checkpoint, args)
    device = find_device(args.device)
    parts = load()
    data = some(parts["train"], args.size, args.seed)
    record = {**circumstances(device), "seed": args.seed, "model": args.model, "stones": len(data)}
    if args.model != "mlp":
        record |= _rounded_scores(_fitted(args.model, data, args.seed).predict, parts)
    else:
        seed_everything(args.seed)
        model = build(recipe)
        if not device.startswith(("cpu", "cuda")):
            model = model.float()  # other devices have no float64
        print(f"{len(data)} stones, {parameters(model)} parameters, {recipe.epochs} epochs")
        settings = {**asdict(recipe), "size": len(data), "seed": args.seed}
        saving = {"checkpoint": checkpoint, "resume": args.resume, "settings": settings}
        run = {"device": device, "autocast": find_precision(args.precision, device)}
        try:
            history = train(model, recipe, data, seed=args.seed, valid=parts["valid"], **run,
                            **saving)  # fmt: skip
        except KeyboardInterrupt:
            return interrupted(checkpoint)
        model = model.cpu()
        record |= {"recipe": asdict(recipe), "valid_loss": history.valid["loss"]}
        record |= _rounded_scores(lambda rows: point(predict(model, rows), recipe.loss), parts)
        save_model(out.with_suffix(".model.pt"), model, recipe)
    write_record(out, record)
    checkpoint.unlink(missing_ok=True)
    for part in JUDGED:
        found = record["scores"][part]
        print(f"{part:6} RMSE of logs {found['rmse']:.4f}, median error {found['median']:.2f} %")
    print(f"result in {out}")
    return 0


def _fitted(name: str, data: TensorDataset, seed: int) -> Any:
    rows, y = data.tensors
    return baselines(seed)[name].fit(rows, y[:, 0].numpy())


def _rounded_scores(
    guess: Callable, parts: Mapping[str, TensorDataset], names: Sequence[str] = JUDGED
) -> dict[str, Any]:
    found = {}
    for part in names:
        rows, y = parts[part].tensors
        measured = scores(y[:, 0].numpy(), guess(rows))
        found[part] = {key: round(value, 5) for key, value in measured.items()}
    return {"scores": found}


def _compare(args: argparse.Namespace) -> int:
    """The record is written after every run, so it can be resumed."""
    if args.model != "mlp" or args.loss != "mse" or args.size:
        raise ValueError("--compare has no --model, --loss or --size: it compares all of them")
    out = writable(args.out or Path("runs") / "tabular_regression.json")
    decide_about(out, args)
    device = find_device(args.device)
    parts = load()
    recipes = {"mlp": Recipe(), **VARIANTS}
    recipes = {name: replace(r, epochs=args.epochs or r.epochs) for name, r in recipes.items()}
    record = {**circumstances(device), "seeds": args.compare, "epochs": args.epochs}
    record |= {"stones": {part: len(data) for part, data in parts.items()}}
    record |= {"recipes": {name: asdict(recipe) for name, recipe in recipes.items()}}
    runs = _runs_of(out, record) if args.resume and out.exists() else {}
    try:
        for name, work in _plan(args, parts, device, recipes):
            if name not in runs:
                start = time.process_time()
                runs[name] = work()
                runs[name]["cpu_seconds"] = round(time.process_time() - start, 1)
                write_record(out, record | {"runs": runs})
                print(f"{name:36} {runs[name]['scores']['test']}", flush=True)
        write_record(out, record | {"runs": runs})
    except KeyboardInterrupt:
        return interrupted(out)
    print(f"result in {out}")
    return 0


def _runs_of(out: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """What an interrupted comparison has done, if it was of the same stones and recipes."""
    found = read_record(out)
    for key in ("stones", "recipes", "epochs"):
        if found.get(key) != record[key]:
            raise ValueError(f"{out} was made with other {key}: resume with the same, or --restart")
    return found.get("runs", {})


def _plan(
    args: argparse.Namespace, parts: Mapping[str, TensorDataset], device: str,
    recipes: Mapping[str, Recipe],
) -> list[tuple[str, Callable[[], dict]]]:  # fmt: skip
    """(name, work) of every run: models by size, then variants of the network on all stones.

    On all stones a seed changes nothing but networks: the other models are fitted once.
    """

    def judged(model: str, size: int | None, seed: int) -> dict:
        data = some(parts["train"], size, seed)
        if model in BASELINES:
            return _rounded_scores(_fitted(model, data, seed).predict, parts, JUDGED[1:])
        recipe = for_size(recipes[model], len(data))
        recipe = replace(recipe, epochs=args.epochs or recipe.epochs)
        seed_everything(seed)
        net = build(recipe)
        train(net, recipe, data, seed=seed, device=device, progress=False)
        return _rounded_scores(lambda rows: point(predict(net, rows), recipe.loss), parts,
                               JUDGED[1:])  # fmt: skip

    plan = []
    for seed in range(args.compare):
        for size in (None, *SIZES):
            models = MODELS if size or not seed else MODELS[-1:]
            plan += [(f"{model}, {size or 'all'}, seed {seed}", (model, size, seed))
                     for model in models]  # fmt: skip
        plan += [(f"{name}, all, seed {seed}", (name, None, seed)) for name in VARIANTS]
    return [(name, lambda run=run: judged(*run)) for name, run in plan]
