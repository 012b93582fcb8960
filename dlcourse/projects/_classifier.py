"""What the programs of the image classifiers share: their options, one run, the ablation."""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dlcourse.projects._judging import ERRORS_KEPT, hold_out, summary
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
from dlcourse.training import History, save_checkpoint, seed_everything

import torch
from torch import nn
from torch.utils.data import TensorDataset

Recipe = Any  # each project has a dataclass of its own, with `epochs` in it
Looks = Sequence[tuple]


@dataclass(frozen=True)
class Classifier:
    """What a project does in its own way."""

    name: str  # of its module
    load: Callable[..., TensorDataset]  # (data, train)
    build: Callable[[Recipe, TensorDataset], nn.Module]
    train: Callable[..., History]  # (model, recipe, data, *, seed, valid, **options of fit)
    probabilities: Callable[..., torch.Tensor]  # (model, data, *, looks, **options of predict)
    recipes: Mapping[str, Recipe]
    default_recipe: Callable[[str, str], str]  # (data, device) to the name of one
    looks: tuple[str, Looks]  # a run is judged by these, too: how many in a word, and which
    ablation: Mapping[str, Recipe]
    ablation_looks: Mapping[str, Looks]  # the accuracies recorded of a variant, by their looks
    held_out: Mapping[str, int]  # of each data, how many images judge the variants
    errors_kept: int = ERRORS_KEPT
    credit: Mapping[str, str] | None = None  # the end of a record, which shows images of others


def add_arguments(
    parser: argparse.ArgumentParser, project: Classifier, *, data: str, recipe: str
) -> None:
    """The options; `data` and `recipe` are the help of those two."""
    add = parser.add_argument
    add("--data", help=data, choices=["shipped", "full"], default="shipped")
    add("--recipe", help=recipe, choices=list(project.recipes))
    add("--epochs", help="passes over the data (default: the recipe's)", type=positive)
    add(
        "--validate",
        help="judge on the last N training images, held out, and leave the test set alone",
        type=positive,
        metavar="N",
    )
    add(
        "--ablation",
        help="train every variant of the small recipe with SEEDS seeds, judged on held-out images",
        type=positive,
        metavar="SEEDS",
    )
    add_run_options(add)


def main(args: argparse.Namespace, project: Classifier) -> int:
    """Train, judge once, write the result.  Exit code 0; 130: interrupted; 1: an error, told."""
    program = _ablate if args.ablation else _train_once
    return told(functools.partial(program, project=project), args)


def _with_epochs(recipe: Recipe, epochs: int | None) -> Recipe:
    return replace(recipe, epochs=epochs or recipe.epochs)


# ------------------------------------------------------------------------------------------ one run


def _train_once(args: argparse.Namespace, project: Classifier) -> int:
    device = find_device(args.device)
    run = {"device": device, "autocast": find_precision(args.precision, device)}
    recipe_name = args.recipe or project.default_recipe(args.data, device)
    recipe = _with_epochs(project.recipes[recipe_name], args.epochs)
    name = f"{project.name}_{args.data}_{recipe_name}{'_validation' if args.validate else ''}"
    out = writable(args.out or Path("runs") / f"{name}.json")
    checkpoint = out.with_suffix(".checkpoint.pt")
    decide_about(checkpoint, args)

    data, judge = project.load(args.data, train=True), None
    if args.validate:
        data, judge = hold_out(data, args.validate)
    seed_everything(args.seed)
    model = project.build(recipe, data)
    about = {
        "seed": args.seed,
        "precision": "float32" if run["autocast"] is None else "bfloat16",
        "recipe": _plain(recipe),
        "parameters": sum(p.numel() for p in model.parameters()),
        "train_images": len(data),
        "judged_on": f"last {args.validate} training images" if args.validate else "test set",
    }
    print("{train_images} images, {parameters} parameters, ".format(**about), end="")
    print(f"{recipe.epochs} epochs, {about['precision']}")
    settings = {**about["recipe"], "data": args.data, "images": len(data), "seed": args.seed}
    saving = {"checkpoint": checkpoint, "resume": args.resume, "settings": settings}
    started = time.process_time()
    try:
        history = project.train(model, recipe, data, seed=args.seed, valid=judge, **run, **saving)
    except KeyboardInterrupt:
        return interrupted(checkpoint)
    about |= _measured(history, time.process_time() - started, resumed=args.resume)

    # Only now is the test set looked at, and only once.
    judge = project.load(args.data, train=False) if judge is None else judge
    judged = _judged(project, model, judge, run)
    save_checkpoint(out.with_suffix(".model.pt"), model=model, recipe=settings)
    write_record(out, {**circumstances(device), **about, **judged, **(project.credit or {})})
    checkpoint.unlink()
    many, _ = project.looks
    print(
        f"{judged['accuracy']:.2%} right ({judged['wrong']} of {judged['images']} wrong), "
        f"{judged[f'accuracy_with_{many}_looks']:.2%} with {many} looks; "
        f"{about['minutes']} minutes; result in {out}"
    )
    return 0


def _plain(recipe: Recipe) -> dict[str, Any]:
    """The recipe as a record gives it back: JSON has no tuples."""
    return json.loads(json.dumps(asdict(recipe)))


def _measured(history: History, processor_seconds: float, resumed: bool) -> dict[str, Any]:
    return {
        "minutes": round(history.seconds[-1] / 60, 1),
        # Of all threads, since the last start: what a run costs where it shares the machine.
        "processor_minutes": round(processor_seconds / 60, 1),
        "resumed": resumed,
        "train_loss": [round(value, 4) for value in history.train_loss],
        "valid": {key: [round(v, 4) for v in values] for key, values in history.valid.items()},
    }


def _judged(
    project: Classifier, model: nn.Module, judge: TensorDataset, run: Mapping[str, Any]
) -> dict[str, Any]:
    """What many looks at each image give, and the whole summary of one look."""
    many, looks = project.looks
    once = summary(project.probabilities(model, judge, **run), judge, project.errors_kept)
    better = summary(project.probabilities(model, judge, looks=looks, **run), judge, 0)
    return {f"{key}_with_{many}_looks": better[key] for key in ("accuracy", "wrong")} | once


# ------------------------------------------------------------------------------------- the ablation


def _ablate(args: argparse.Namespace, project: Classifier) -> int:
    """Each variant with each seed; the record is written after every run, so it can be resumed."""
    if args.recipe or args.seed or args.precision == "bfloat16":
        raise ValueError(
            "--ablation trains its own recipes, with the seeds from 0 on and in float32: leave "
            "--recipe, --seed and --precision out"
        )
    out = writable(args.out or Path(f"runs/{project.name}_{args.data}_ablation.json"))
    decide_about(out, args)
    device = find_device(args.device)
    held_out = args.validate or project.held_out[args.data]
    data, judge = hold_out(project.load(args.data, train=True), held_out)
    recipes = {name: _with_epochs(r, args.epochs) for name, r in project.ablation.items()}
    about = {
        "precision": "float32",
        "train_images": len(data),
        "images": len(judge),
        "epochs": next(iter(recipes.values())).epochs,  # variants are trained as long
        "recipes": {name: asdict(recipe) for name, recipe in recipes.items()},
    }
    found = {name: {key: [] for key in project.ablation_looks} for name in recipes}
    if args.resume and out.exists():
        earlier = read_record(out)
        for what in ("epochs", "train_images", "images"):
            if what in earlier and earlier[what] != about[what]:
                raise ValueError(f"{out} has {what} {earlier[what]}, this run {about[what]}")
        found |= earlier["found"]
    try:
        for seed, name in itertools.product(range(args.ablation), recipes):
            if len(found[name]["accuracy"]) > seed:
                continue
            accuracies = _accuracies(project, recipes[name], data, judge, seed, device)
            for key, accuracy in accuracies.items():
                found[name][key].append(accuracy)
            more = f"  with {project.looks[0]} looks "
            print(f"seed {seed}  {name:24} {more.join(map(str, accuracies.values()))}")
            write_record(out, {**circumstances(device), **about, "found": found})
    except KeyboardInterrupt:
        return interrupted(out)
    return 0


def _accuracies(
    project: Classifier,
    recipe: Recipe,
    data: TensorDataset,
    judge: TensorDataset,
    seed: int,
    device: str,
) -> dict[str, float | None]:
    """Of one variant, by their names in the record; None where the loss left all bounds."""
    seed_everything(seed)
    model = project.build(recipe, data)
    try:
        project.train(model, recipe, data, seed=seed, device=device)
    except FloatingPointError:
        return dict.fromkeys(project.ablation_looks)
    probabilities = functools.partial(project.probabilities, model, judge, device=device)
    return {
        key: summary(probabilities(looks=looks), judge, 0)["accuracy"]
        for key, looks in project.ablation_looks.items()
    }
