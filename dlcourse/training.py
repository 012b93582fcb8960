"""Train, evaluate and save PyTorch models: the loop of every chapter, written once.

There are no callbacks and no hidden state: `fit` is one loop that can be read in a minute, and what
a chapter needs beyond it, it writes itself.
"""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import random
import signal
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

Metric = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""A loss or a measure: of outputs and targets, its mean over the batch, 0-d."""


class CheckpointError(RuntimeError):
    """A checkpoint is damaged, is none, or does not belong to this model."""


# ------------------------------------------------------------------------------------------- chance


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, NumPy and torch (every device): 0 to 2**32 - 1.

    Give shuffling its own generator, `DataLoader(..., generator=torch.Generator().manual_seed(0))`:
    then the order of the batches does not depend on what else has drawn random numbers.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be in [0, 2**32 - 1], got {seed}")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


# ---------------------------------------------------------------------------------------- measuring


def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The fraction of rows whose largest logit is the label's; logits (B, K), labels (B,)."""
    return (logits.argmax(dim=1) == labels).float().mean()


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """In here the model is in `eval()` mode and records no graph; after it, all is as it was.

    So is torch's global generator: a DataLoader draws from it each time it is started, and without
    this a run that is measured more often would train differently.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            yield
    finally:
        for module, training in modes:
            module.training = training


def predict(
    model: nn.Module,
    loader: Any,
    *,
    device: torch.device | str | None = None,
    autocast: torch.dtype | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """All outputs of the model on a loader and all targets, in the loader's order, on the CPU."""
    device = _place(model, device)
    outputs, targets = [], []
    with evaluating(model), _autocast(device, autocast):
        for batch_inputs, batch_targets in loader:
            output = model(batch_inputs.to(device)).cpu()
            outputs.append(output.float() if autocast else output)
            targets.append(batch_targets)
    if not outputs:
        raise ValueError("the loader has no batch: there is nothing to predict")
    return torch.cat(outputs), torch.cat(targets)


def evaluate(
    model: nn.Module,
    loader: Any,
    loss_fn: Metric,
    metrics: Mapping[str, Metric] | None = None,
    *,
    device: torch.device | str | None = None,
    autocast: torch.dtype | None = None,
) -> dict[str, float]:
    """`{"loss": ..., name: ...}`: loss and metrics over a loader, each batch weighted by its size.

    `loss_fn(outputs, targets)` and each `metrics[name](outputs, targets)` return the mean over a
    batch as a 0-dimensional tensor.  The model is left in the mode it came in.
    """
    measures = {"loss": loss_fn, **(metrics or {})}
    device = _place(model, device)
    sums, count = dict.fromkeys(measures, 0.0), 0
    with evaluating(model):
        for inputs, targets in loader:
            inputs, targets = inputs.to(device), targets.to(device)
            with _autocast(device, autocast):
                outputs = model(inputs)
            outputs = outputs.float() if autocast else outputs
            for name, measure in measures.items():
                sums[name] += measure(outputs, targets).item() * len(inputs)
            count += len(inputs)
    if count == 0:
        raise ValueError("the loader has no batch: there is nothing to evaluate")
    return {name: total / count for name, total in sums.items()}


# ----------------------------------------------------------------------------------------- training


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer: weights decay, biases and normalisations do not.

    Weights have two dimensions or more, the others one or none.
    """
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


@dataclass
class History:
    """What a training run measured.

    `step_loss` and `lr` have one entry a step (batch); `train_loss`, `seconds` and the lists in
    `valid` one an epoch.  `train_loss` is the mean over the epoch's examples *while* the model was
    changing, so it may lie above the validation loss.  `valid` holds `"loss"` and the metrics,
    measured at the end of each epoch.
    """

    step_loss: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    valid: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list, compare=False)

    @property
    def epochs(self) -> int:
        """The number of whole epochs run."""
        return len(self.train_loss)


def fit(
    model: nn.Module,
    train_loader: Any,
    loss_fn: Metric,
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int,
    scheduler: LRScheduler | None = None,
    valid_loader: Any = None,
    metrics: Mapping[str, Metric] | None = None,
    augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
    clip_norm: float | None = None,
    autocast: torch.dtype | None = None,
    device: torch.device | str | None = None,
    checkpoint: str | os.PathLike | None = None,
    checkpoint_every: int | None = None,
    resume: bool = False,
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> History:
    """Train `model` for `epochs` passes over `train_loader`, which gives `(inputs, targets)`.

    Args:
        loss_fn: `loss_fn(outputs, targets)`, the mean over the batch.
        scheduler: stepped after **every step**, so its length is `epochs * len(train_loader)`.
        valid_loader, metrics: measured after every epoch, see `evaluate`.
        augment: applied to the inputs of each training batch, on the device.
        clip_norm: scale the gradient down to this length where it is longer.
        autocast: run the model in this dtype where that is safe, e.g. `torch.bfloat16`.
        device: where to train; by default where the model's parameters are.
        checkpoint: a file written after every epoch, and when Ctrl-C is pressed: the step
            under way is finished and saved before KeyboardInterrupt is raised (a second stops
            at once).  With `resume=True` and the file there, training goes on behind the last
            saved step exactly as if it had never stopped.  For that, chance must come from
            the global generators of torch, NumPy and Python or from `train_loader.generator`:
            their states are in the file.
        checkpoint_every: write it after so many steps of an epoch, too.
        settings: plain data kept in the checkpoint; resuming with other ones is refused.
        progress: show a progress bar (tqdm; `TQDM_DISABLE=1` in the environment hides it).

    Raises:
        FloatingPointError: the loss became infinite or not a number; the weights are those
            before (not the running averages of a normalisation: they have seen the batch).
        CheckpointError: the checkpoint cannot be resumed from.
    """
    if len(train_loader) == 0:
        raise ValueError("train_loader has no batch: there is nothing to train on")
    if resume and checkpoint is None:
        raise ValueError("resume=True needs a checkpoint file to resume from")
    if checkpoint_every is not None and (checkpoint is None or checkpoint_every < 1):
        raise ValueError("checkpoint_every needs a checkpoint file, and a number of steps >= 1")
    device = _place(model, device)
    history = History()
    run = _Run(model, optimizer, scheduler, train_loader, dict(settings or {}))
    if resume and Path(checkpoint).exists():
        history = run.load(checkpoint)
    spent = history.seconds[-1] if history.seconds else 0.0
    start = time.perf_counter()

    steps = len(train_loader)
    done = history.epochs * steps + run.done
    with _progress_bar(done, epochs * steps, progress) as bar, _ctrl_c(checkpoint) as pressed:
        for epoch in range(history.epochs, epochs):
            bar.set_description(f"epoch {epoch + 1}/{epochs}")  # drawn at once
            model.train()
            for inputs, targets in run.batches():
                inputs, targets = inputs.to(device), targets.to(device)
                if augment is not None:
                    inputs = augment(inputs)
                with _autocast(device, autocast):
                    outputs = model(inputs)
                loss = loss_fn(outputs.float() if autocast else outputs, targets)
                history.step_loss.append(_finite(loss.item(), epoch))
                history.lr.append(float(optimizer.param_groups[0]["lr"]))
                optimizer.zero_grad()
                loss.backward()
                if clip_norm is not None:
                    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
                optimizer.step()
                if scheduler is not None:
                    scheduler.step()
                run.count_step(loss.item(), len(inputs))
                if pressed or (checkpoint_every and run.done % checkpoint_every == 0):
                    run.save(checkpoint, history)
                if pressed:
                    raise KeyboardInterrupt(f"stopped after {run.done} steps of epoch {epoch + 1}")
                bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
                bar.update()

            history.train_loss.append(run.end_epoch())
            if valid_loader is not None:
                found = evaluate(model, valid_loader, loss_fn, metrics, autocast=autocast)
                for name, value in found.items():
                    history.valid.setdefault(name, []).append(value)
            history.seconds.append(spent + time.perf_counter() - start)
            if checkpoint is not None:
                run.save(checkpoint, history)
            if pressed:
                raise KeyboardInterrupt(f"stopped after epoch {epoch + 1}")
    return history


@dataclass
class _Run:
    """Everything whose state decides how a run goes on: what a checkpoint of `fit` holds."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: LRScheduler | None
    loader: Any
    settings: dict
    done: int = 0  # steps of the epoch under way, and the sums of their losses and examples
    total: float = 0.0
    count: int = 0
    begin: dict | None = None  # the generators as the epoch began: they fixed its order

    def batches(self) -> Iterator[Any]:
        """The batches of the epoch that are still to come: all but the `done` first ones."""
        if self.done:  # resumed: draw the same order again, pass over what it began with
            now = _chance(self.loader)
            _set_chance(self.begin, self.loader)
            batches = iter(self.loader)
            for _ in range(self.done):
                next(batches)
            _set_chance(now, self.loader)
        else:
            self.begin = _chance(self.loader)
            batches = iter(self.loader)
        yield from batches

    def count_step(self, loss: float, examples: int) -> None:
        self.done += 1
        self.total, self.count = self.total + loss * examples, self.count + examples

    def end_epoch(self) -> float:
        """The epoch's mean loss; the next epoch starts from nothing."""
        mean = self.total / self.count
        self.done, self.total, self.count, self.begin = 0, 0.0, 0, None
        return mean

    def save(self, path: str | os.PathLike, history: History) -> None:
        names = "done", "total", "count", "begin"
        save_checkpoint(
            path,
            model=self.model,
            optimizer=self.optimizer,
            scheduler=self.scheduler,
            history=asdict(history),
            chance=_chance(self.loader),
            epoch={name: getattr(self, name) for name in names},
            settings=self.settings,
            steps=len(self.loader),
        )

    def load(self, path: str | os.PathLike) -> History:
        found = load_checkpoint(path)
        if not {"model", "optimizer", "history", "chance", "epoch", "settings"} <= found.keys():
            raise CheckpointError(f"{path} holds a model but no training run: it cannot be resumed")
        for name in sorted(self.settings.keys() | found["settings"].keys()):
            old, new = found["settings"].get(name), self.settings.get(name)
            if old != new:
                raise CheckpointError(
                    f"{path} was made with {name}={old!r}, this run has {name}={new!r}: "
                    "resume with the same settings, or start anew without resuming"
                )
        self.expect_same_parts(path, found)
        load_checkpoint(path, model=self.model, optimizer=self.optimizer, scheduler=self.scheduler)
        _set_chance(found["chance"], self.loader)
        for name, value in found["epoch"].items():
            setattr(self, name, value)
        return History(**found["history"])

    def expect_same_parts(self, path: str | os.PathLike, found: Mapping[str, Any]) -> None:
        """Raise where the run would go on in silence as another: no scheduler, other batches."""
        steps = found.get("steps", len(self.loader))
        if steps != len(self.loader):
            raise CheckpointError(
                f"{path} was made with {steps} batches an epoch, this train_loader has "
                f"{len(self.loader)}: resume with the same data and batch size"
            )
        if "scheduler" in found and self.scheduler is None:
            raise CheckpointError(f"{path} holds a scheduler's state: resume with that scheduler")
        if (found["chance"]["loader"] is None) != (_generator(self.loader) is None):
            raise CheckpointError(
                f"of {path} and this train_loader, one has a generator of its own and the other "
                "has none: the order of the batches would be another"
            )


def _generator(loader: Any) -> torch.Generator | None:
    return getattr(loader, "generator", None)


def _chance(loader: Any) -> dict[str, Any]:
    """The states of all generators a run may draw from, as plain data."""
    generator = _generator(loader)
    kind, key, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (kind, key.tolist(), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "loader": None if generator is None else generator.get_state(),
    }


def _set_chance(chance: Mapping[str, Any], loader: Any) -> None:
    random.setstate(chance["python"])
    np.random.set_state(chance["numpy"])
    torch.set_rng_state(chance["torch"])
    if torch.cuda.is_available() and chance["cuda"]:
        torch.cuda.set_rng_state_all(chance["cuda"])
    if chance["loader"] is not None:
        loader.generator.set_state(chance["loader"])


@contextlib.contextmanager
def _ctrl_c(checkpoint: str | os.PathLike | None) -> Iterator[list]:
    """In here Ctrl-C, and SIGTERM as well, are noted in a list: the loop stops at a step's end.

    An interruption in the middle of `optimizer.step` would leave some weights updated and others
    not. A second signal stops at once. Without a checkpoint, and in other threads (which get no
    signals), nothing is changed; nor is it for a signal that is ignored, as Ctrl-C is by a job in
    the background, or for a SIGTERM that the program handles itself.
    """
    pressed, before = [], {}

    def note(number, frame):
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    if checkpoint is not None and threading.current_thread() is threading.main_thread():
        if callable(signal.getsignal(signal.SIGINT)):
            before[signal.SIGINT] = signal.signal(signal.SIGINT, note)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            before[signal.SIGTERM] = signal.signal(signal.SIGTERM, note)
    try:
        yield pressed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# ------------------------------------------------------------------------------------------ keeping


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike, mode: str = "wb") -> Iterator[Any]:
    """Open a temporary file that takes the place of `path` when all is written, not before.

    If anything fails (an interruption, a full disk), the file at `path` stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = f".{path.name}."
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=hidden, suffix=".part")
    try:
        os.fchmod(handle, 0o644)  # mkstemp gives 0o600: others are to read a result, too
        with open(handle, mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # on the disk before the name points to it
        os.replace(temporary, path)
    except BaseException:  # KeyboardInterrupt too
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def save_checkpoint(
    path: str | os.PathLike,
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    scheduler: LRScheduler | None = None,
    **extra: Any,
) -> None:
    """Write the states of model, optimizer and scheduler to `path`, atomically.

    `extra` is plain data: numbers, strings, lists, dicts, tensors.  `load_checkpoint` reads it.
    """
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    states = {name: part.state_dict() for name, part in parts.items() if part is not None}
    with atomic_write(path) as file:
        torch.save({**states, **extra}, file)


def load_checkpoint(
    path: str | os.PathLike,
    *,
    model: nn.Module | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    scheduler: LRScheduler | None = None,
    map_location: torch.device | str = "cpu",
) -> dict[str, Any]:
    """Read a checkpoint, load what is in it into the given parts, and return all of it.

    `torch.load(weights_only=True)` reads it: tensors and plain data, no code, so a checkpoint from
    a stranger can be wrong but cannot run anything.  The parts are changed only if all of it fits.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: the file is damaged, is no checkpoint, or does not fit the model.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint at {path}")
    try:
        with zipfile.ZipFile(path) as archive:  # torch itself does not look at the checksums
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")
        found = torch.load(path, map_location=map_location, weights_only=True)
    except (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"{path} is damaged or is no checkpoint ({reason})") from error
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    parts = {name: part for name, part in parts.items() if part is not None}
    if not isinstance(found, dict) or (missing := parts.keys() - found.keys()):
        what = ", ".join(sorted(missing)) if isinstance(found, dict) else "a dictionary of states"
        raise CheckpointError(f"{path} does not hold {what}")
    if model is not None:
        _check_fits(model, found["model"], path)
    before = optimizer.state_dict() if optimizer is not None else None
    try:
        for name in ("optimizer", "scheduler", "model"):
            if name in parts:
                parts[name].load_state_dict(found[name])
    except (ValueError, KeyError, TypeError) as error:
        if before is not None:
            optimizer.load_state_dict(before)
        raise CheckpointError(f"{path} does not fit this {name}: {error}") from error
    return found


def _check_fits(model: nn.Module, state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Raise if names or shapes differ *before* anything is copied: torch copies what fits first."""
    mine = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    theirs = {name: tuple(value.shape) for name, value in state.items()}
    for name in mine | theirs:  # in the model's order
        if mine.get(name) != theirs.get(name):
            there = f"shape {theirs[name]}" if name in theirs else "nothing"
            here = f"shape {mine[name]}" if name in mine else "nothing"
            raise CheckpointError(
                f"{path} does not fit this {type(model).__name__}: {name} is {there} in the file "
                f"and {here} in the model"
            )


# -------------------------------------------------------------------------------------- small print


def _place(model: nn.Module, device: torch.device | str | None) -> torch.device:
    """Move the model to the device, or say where it already is."""
    if device is not None:
        model.to(device)
        return torch.device(device)
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def _autocast(device: torch.device, dtype: torch.dtype | None) -> torch.autocast:
    return torch.autocast(device.type, dtype, enabled=dtype is not None)


def _finite(loss: float, epoch: int) -> float:
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the loss became {loss} in epoch {epoch + 1}: try a smaller learning rate, and look "
            "for infinities in the inputs"
        )
    return loss


def _progress_bar(done: int, total: int, show: bool) -> Any:
    from tqdm.auto import tqdm

    # Only a "no" is passed on: with disable=False tqdm would not look at TQDM_DISABLE.
    hidden = {} if show else {"disable": True}
    return tqdm(initial=done, total=total, unit="batch", leave=False, **hidden)
