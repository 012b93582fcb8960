"""dlcourse.training: the loop, measuring, resuming bit for bit, files that survive accidents."""

import errno
import functools
import os
import random
import signal
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from dlcourse import training  # noqa: E402
from dlcourse.training import (  # noqa: E402
    CheckpointError,
    History,
    accuracy,
    atomic_write,
    decay_groups,
    evaluate,
    load_checkpoint,
    predict,
    save_checkpoint,
    seed_everything,
)

from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

fit = functools.partial(training.fit, progress=False)


def make_data(n=23, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 5, generator=g)
    return TensorDataset(x, (x.sum(dim=1) > 0).long())


def make_run(seed=0, epochs=4):
    """Model (with dropout, batch norm), loader, optimizer, scheduler: all that has a state."""
    seed_everything(seed)
    model = nn.Sequential(
        nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Dropout(0.5), nn.Linear(7, 2)
    )
    loader = DataLoader(make_data(), 4, shuffle=True, generator=torch.Generator().manual_seed(seed))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.2, total_steps=epochs * len(loader)
    )
    return model, loader, optimizer, scheduler


def states_equal(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


# ---- the loop ----------------------------------------------------------------------------------


def test_fit_takes_the_steps_a_reader_would_write():
    model, loader, _, _ = make_run()
    twin, other_loader, _, _ = make_run()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    seed_everything(1)
    history = fit(model, loader, nn.functional.cross_entropy, optimizer, epochs=2)

    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9)
    seed_everything(1)
    twin.train()
    losses = []
    for _ in range(2):
        for x, y in other_loader:
            loss = nn.functional.cross_entropy(twin(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert history.step_loss == losses
    states_equal(model.state_dict(), twin.state_dict())


def test_train_loss_weights_each_batch_by_its_size():
    model, loader, _, _ = make_run()  # 23 = 5 * 4 + 3
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    history = fit(model, loader, nn.functional.cross_entropy, optimizer, epochs=1)
    sizes = np.array([4, 4, 4, 4, 4, 3])
    assert history.train_loss[0] == pytest.approx((sizes * history.step_loss).sum() / 23)


def test_history_holds_rates_and_measures():
    model, loader, optimizer, scheduler = make_run(epochs=2)
    history = fit(
        model,
        loader,
        nn.functional.cross_entropy,
        optimizer,
        epochs=2,
        scheduler=scheduler,
        valid_loader=DataLoader(make_data(11, seed=9), 4),
        metrics={"accuracy": accuracy},
    )
    assert history.epochs == 2
    assert len(history.lr) == len(history.step_loss) == 12
    assert history.lr[0] == pytest.approx(0.2 / 25)  # OneCycleLR's own start
    assert history.lr[-1] == pytest.approx(0.2 / 25 / 1e4)
    assert set(history.valid) == {"loss", "accuracy"}
    assert [len(values) for values in history.valid.values()] == [2, 2]
    assert len(history.seconds) == 2
    assert history.seconds[0] < history.seconds[1]


def test_augment_is_for_training_batches_only():
    model, loader, optimizer, _ = make_run()
    seen = []

    def augment(inputs):
        seen.append(len(inputs))
        return inputs + 1

    fit(
        model,
        loader,
        nn.functional.cross_entropy,
        optimizer,
        epochs=1,
        augment=augment,
        valid_loader=loader,
    )
    assert sum(seen) == 23


def test_autocast_reaches_the_model_and_not_the_loss():
    seen = {}

    class Spy(nn.Linear):
        def forward(self, x):
            y = super().forward(x)
            seen["model"] = y.dtype
            return y

    def loss_fn(outputs, targets):
        seen["loss"] = outputs.dtype
        return nn.functional.cross_entropy(outputs, targets)

    model = Spy(5, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    fit(model, DataLoader(make_data(), 8), loss_fn, optimizer, epochs=1, autocast=torch.bfloat16)
    assert seen == {"model": torch.bfloat16, "loss": torch.float32}
    assert model.weight.dtype == torch.float32


def test_a_loss_that_is_not_finite_stops_with_advice():
    model = nn.Linear(5, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e30)
    with pytest.raises(FloatingPointError, match=r"in epoch 1: try a smaller learning rate"):
        fit(model, DataLoader(make_data(), 4), lambda o, t: (o**2).mean(), optimizer, epochs=1)


def test_a_loss_that_is_not_finite_does_not_reach_the_weights():
    model = nn.Linear(5, 2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(FloatingPointError, match="nan"):
        fit(
            model,
            DataLoader(make_data(), 4),
            lambda o, t: o.mean() * float("nan"),
            optimizer,
            epochs=1,
        )
    states_equal(model.state_dict(), before)


@pytest.mark.parametrize("call", [fit, evaluate, predict])
def test_an_empty_loader_is_refused(call):
    model = nn.Linear(5, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(TensorDataset(torch.zeros(0, 5), torch.zeros(0)), 4)
    arguments = {
        fit: (model, loader, nn.functional.cross_entropy, optimizer),
        evaluate: (model, loader, nn.functional.cross_entropy),
        predict: (model, loader),
    }[call]
    with pytest.raises(ValueError, match="no batch"):
        call(*arguments, **({"epochs": 1} if call is fit else {}))


ONE_EPOCH = """
import torch
from torch.utils.data import DataLoader, TensorDataset
from dlcourse.training import fit

model = torch.nn.Linear(5, 2)
loader = DataLoader(TensorDataset(torch.zeros(4, 5), torch.zeros(4, dtype=torch.long)), 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
fit(model, loader, torch.nn.functional.cross_entropy, optimizer, epochs=1, progress={progress})
"""


@pytest.mark.parametrize(
    ("progress", "environment", "shown"),
    [(True, {}, True), (False, {}, False), (True, {"TQDM_DISABLE": "1"}, False)],
)
def test_the_bar_is_shown_and_can_be_hidden(progress, environment, shown):
    """In a process of its own: tqdm reads its environment once, when it is imported."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TQDM_")}
    done = subprocess.run(
        [sys.executable, "-c", ONE_EPOCH.format(progress=progress)],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("epoch 1/1" in done.stderr) == shown
    assert done.stdout == ""


def test_weights_decay_biases_and_normalisations_do_not():
    layers = nn.Embedding(3, 4), nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Conv1d(5, 6, 1)
    model = nn.Sequential(*layers)
    for p in model.parameters():
        nn.init.ones_(p)
        p.grad = torch.zeros_like(p)
    torch.optim.SGD(decay_groups(model, 0.25), lr=1.0).step()
    decayed = {name for name, p in model.named_parameters() if (p == 0.75).all()}
    assert decayed == {"0.weight", "1.weight", "3.weight"}
    others = [p for name, p in model.named_parameters() if name not in decayed]
    assert len(others) == 4
    assert all((p == 1).all() for p in others)


# ---- measuring ---------------------------------------------------------------------------------


def test_evaluate_is_the_mean_over_examples_not_over_batches():
    data = TensorDataset(
        torch.tensor([[0.0, 1.0]] * 4 + [[1.0, 0.0]]), torch.ones(5, dtype=torch.long)
    )
    model = nn.Identity()
    found = evaluate(
        model, DataLoader(data, 4), nn.functional.cross_entropy, {"accuracy": accuracy}
    )
    assert found["accuracy"] == pytest.approx(4 / 5)
    whole = nn.functional.cross_entropy(*data.tensors).item()
    assert found["loss"] == pytest.approx(whole)


@pytest.mark.parametrize("measure", ["evaluate", "predict"])
def test_measuring_leaves_every_mode_and_no_graph(measure):
    model, loader, _, _ = make_run()
    model.train()
    model[1].eval()  # a frozen part stays frozen
    before = {name: value.clone() for name, value in model.state_dict().items()}
    chance = torch.get_rng_state()
    if measure == "evaluate":
        evaluate(model, loader, nn.functional.cross_entropy)
    else:
        outputs, targets = predict(model, loader)
        assert outputs.shape == (23, 2)
        assert targets.shape == (23,)
        assert not outputs.requires_grad
    assert [module.training for module in model] == [True, False, True, True, True]
    states_equal(model.state_dict(), before)  # batch norm has not learnt from the test set
    assert torch.equal(torch.get_rng_state(), chance)


def test_measuring_more_often_does_not_train_differently():
    def trained(**options):
        model, loader, optimizer, _ = make_run()
        fit(model, loader, nn.functional.cross_entropy, optimizer, epochs=3, **options)
        return model.state_dict()

    states_equal(trained(), trained(valid_loader=DataLoader(make_data(11, seed=9), 4)))


def test_modes_return_after_an_error_too():
    model = nn.Sequential(nn.Linear(4, 2))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        evaluate(model, DataLoader(make_data(), 4), nn.functional.cross_entropy)
    assert model.training


def test_measuring_keeps_double_precision():
    x = torch.randn(6, 2, dtype=torch.float64)
    loader = DataLoader(TensorDataset(x, torch.zeros(6, dtype=torch.long)), 4)
    assert torch.equal(predict(nn.Identity(), loader)[0], x)
    loss = evaluate(nn.Identity(), loader, lambda outputs, _: outputs.mean())["loss"]
    assert loss == pytest.approx(x.mean().item(), rel=1e-12)


def test_predict_keeps_the_loaders_order():
    data = make_data()
    outputs, targets = predict(nn.Identity(), DataLoader(data, 4))
    assert torch.equal(outputs, data.tensors[0])
    assert torch.equal(targets, data.tensors[1])


def test_accuracy():
    logits = torch.tensor([[1.0, 2.0, 0.0], [3.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    assert accuracy(logits, torch.tensor([1, 1, 2])).item() == pytest.approx(2 / 3)


# ---- chance ------------------------------------------------------------------------------------


def test_seed_everything_seeds_all_three():
    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()

    seed_everything(3)
    first = draw()
    seed_everything(3)
    assert draw() == first
    seed_everything(4)
    assert draw() != first


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_everything_names_a_seed_out_of_range(seed):
    with pytest.raises(ValueError, match=str(seed)):
        seed_everything(seed)


# ---- resuming ----------------------------------------------------------------------------------


def fitted(path, epochs_now, epochs=4, **options):
    """A run planned for ``epochs``; the power fails after ``epochs_now``."""
    model, loader, optimizer, scheduler = make_run(epochs=epochs)
    history = fit(
        model,
        loader,
        nn.functional.cross_entropy,
        optimizer,
        epochs=epochs_now,
        scheduler=scheduler,
        valid_loader=DataLoader(make_data(11, seed=9), 4),
        checkpoint=path,
        **options,
    )
    return model, optimizer, history


def test_a_resumed_run_is_the_uninterrupted_run_bit_for_bit(tmp_path):
    straight, straight_optimizer, straight_history = fitted(None, 4)
    fitted(tmp_path / "run.pt", 2)
    torch.rand(17)  # whatever happens in between
    resumed, optimizer, history = fitted(tmp_path / "run.pt", 4, resume=True)
    states_equal(straight.state_dict(), resumed.state_dict())
    assert history == straight_history  # History leaves the seconds out of the comparison
    assert len(history.seconds) == 4
    for a, b in zip(straight_optimizer.state.values(), optimizer.state.values(), strict=True):
        assert torch.equal(a["momentum_buffer"], b["momentum_buffer"])


@pytest.mark.parametrize("forgotten", ["torch", "loader", "scheduler", "optimizer"])
def test_each_state_in_the_checkpoint_is_needed(tmp_path, forgotten):
    """The proof that the test above can fail: without any one of these states the runs differ."""
    straight, _, _ = fitted(None, 4)
    path = tmp_path / "run.pt"
    fitted(path, 2)
    found = load_checkpoint(path)
    _, _, optimizer, scheduler = make_run()
    if forgotten in ("torch", "loader"):
        found["chance"][forgotten] = torch.Generator().manual_seed(99).get_state()
    else:
        part = {"optimizer": optimizer, "scheduler": scheduler}[forgotten]
        found[forgotten] = part.state_dict()
    torch.save(found, path)
    resumed, _, _ = fitted(path, 4, resume=True)
    assert any(
        not torch.equal(value, resumed.state_dict()[name])
        for name, value in straight.state_dict().items()
    )


def test_an_interruption_keeps_the_last_whole_epoch(tmp_path):
    path = tmp_path / "run.pt"
    model, loader, optimizer, scheduler = make_run()
    steps = 0

    def interrupting(outputs, targets):
        nonlocal steps
        steps += 1
        if steps == 15:  # in the third epoch of six steps each
            raise KeyboardInterrupt
        return nn.functional.cross_entropy(outputs, targets)

    with pytest.raises(KeyboardInterrupt):
        fit(model, loader, interrupting, optimizer, epochs=4, scheduler=scheduler, checkpoint=path)
    resumed, _, history = fitted(path, 4, resume=True)
    straight, _, _ = fitted(None, 4)
    assert history.epochs == 4
    states_equal(straight.state_dict(), resumed.state_dict())


@pytest.fixture(autouse=True)
def _signals_are_heard():
    """A job in the background of a script ignores Ctrl-C; these tests press it anyway."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def interrupted(path, step, epochs=4, presses=1, number=signal.SIGINT):
    """A run in which Ctrl-C is pressed, or another signal comes, during the given step."""
    model, loader, optimizer, scheduler = make_run(epochs=epochs)
    steps = 0

    def loss_fn(outputs, targets):
        nonlocal steps
        steps += outputs.requires_grad  # not when it is measured
        for _ in range(presses if steps == step else 0):
            os.kill(os.getpid(), number)
        return nn.functional.cross_entropy(outputs, targets)

    valid = DataLoader(make_data(11, seed=9), 4)
    options = {"epochs": epochs, "scheduler": scheduler, "valid_loader": valid}
    fit(model, loader, loss_fn, optimizer, checkpoint=path, **options)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [1, 6, 15, 24])  # the first, the last of an epoch, amid, the last
def test_a_signal_loses_nothing(tmp_path, step, number):
    path = tmp_path / "run.pt"
    handler = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt, match="stopped after"):
        interrupted(path, step, number=number)
    assert signal.getsignal(number) is handler
    assert len(load_checkpoint(path)["history"]["step_loss"]) == step
    random.random(), np.random.rand(), torch.rand(17)  # whatever happens in between
    resumed, _, history = fitted(path, 4, resume=True)
    straight, _, straight_history = fitted(None, 4)
    states_equal(straight.state_dict(), resumed.state_dict())
    assert history == straight_history


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "run.pt", 3, presses=2)
    assert not (tmp_path / "run.pt").exists()  # the third step was not waited for


def test_a_signal_that_is_not_ours_is_left_alone(tmp_path):
    """A server may end in its own way; a job in the background ignores Ctrl-C."""
    heard = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    interrupted(tmp_path / "a.pt", 3)
    interrupted(tmp_path / "b.pt", 3, number=signal.SIGTERM)
    assert heard == [signal.SIGTERM]


def test_a_checkpoint_within_an_epoch_serves_after_a_crash(tmp_path):
    class Augmented(TensorDataset):
        """Draws from all three global generators, as augmentation does."""

        def __getitem__(self, index):
            x, y = super().__getitem__(index)
            return x + 0.1 * (random.random() + np.random.rand() + torch.rand(())), y

    def run(path, epochs, crash_at=None, **options):
        seed_everything(0)
        model = nn.Sequential(nn.Linear(5, 7), nn.Dropout(0.5), nn.Linear(7, 2))
        optimizer = torch.optim.Adam(model.parameters())
        loader = DataLoader(Augmented(*make_data().tensors), 4, shuffle=True)  # global generator
        calls = 0

        def loss_fn(outputs, targets):
            nonlocal calls
            calls += 1
            if calls == crash_at:
                raise OSError("the power failed")
            return nn.functional.cross_entropy(outputs, targets)

        fit(model, loader, loss_fn, optimizer, epochs=epochs, checkpoint=path, **options)
        return model.state_dict()

    path = tmp_path / "run.pt"
    with pytest.raises(OSError, match="power"):
        run(path, 3, crash_at=12, checkpoint_every=4)
    assert load_checkpoint(path)["epoch"]["done"] == 4  # the fourth of six steps, second epoch
    states_equal(run(None, 3), run(path, 3, resume=True))


@pytest.mark.parametrize("forgotten", ["begin", "done"])
def test_each_state_within_an_epoch_is_needed(tmp_path, forgotten):
    path = tmp_path / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        interrupted(path, 15)
    found = load_checkpoint(path)
    if forgotten == "begin":
        found["epoch"]["begin"] = found["chance"]  # another order of the epoch under way
    else:
        found["epoch"]["done"] += 1  # a batch is left out
    torch.save(found, path)
    resumed, straight = fitted(path, 4, resume=True)[0], fitted(None, 4)[0]
    assert not torch.equal(resumed[0].weight, straight[0].weight)


def test_checkpoint_every_needs_a_file():
    with pytest.raises(ValueError, match="checkpoint_every needs a checkpoint"):
        fitted(None, 1, checkpoint_every=3)


def test_clip_norm_limits_the_length_of_the_gradient():
    model = nn.Linear(5, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    before = nn.utils.parameters_to_vector(model.parameters()).clone()
    loader = DataLoader(make_data(), 23)
    fit(model, loader, nn.functional.cross_entropy, optimizer, epochs=1, clip_norm=0.01)
    step = nn.utils.parameters_to_vector(model.parameters()) - before
    assert step.norm().item() == pytest.approx(0.01, rel=1e-3)


def test_resuming_a_finished_run_does_nothing(tmp_path):
    model, _, history = fitted(tmp_path / "run.pt", 4)
    again, _, same = fitted(tmp_path / "run.pt", 4, resume=True)
    states_equal(model.state_dict(), again.state_dict())
    assert same == history


def test_resuming_where_there_is_nothing_starts_anew(tmp_path):
    _, _, history = fitted(tmp_path / "run.pt", 1, resume=True)
    assert history.epochs == 1


def test_resume_without_a_file_name_is_refused():
    with pytest.raises(ValueError, match="needs a checkpoint"):
        fitted(None, 1, resume=True)


def test_resuming_with_other_settings_is_refused(tmp_path):
    fitted(tmp_path / "run.pt", 1, settings={"lr": 0.1})
    with pytest.raises(CheckpointError, match=r"lr=0\.1, this run has lr=0\.2"):
        fitted(tmp_path / "run.pt", 2, settings={"lr": 0.2}, resume=True)


@pytest.mark.parametrize("changed", ["batches", "generator", "scheduler"])
def test_resuming_with_other_parts_is_refused(tmp_path, changed):
    """Each of these once went on in silence as another run, or died of an AttributeError."""
    path = tmp_path / "run.pt"
    fitted(path, 1)
    model, loader, optimizer, scheduler = make_run()
    if changed == "batches":
        generator = torch.Generator()
        loader = DataLoader(make_data(), 8, shuffle=True, generator=generator)
    elif changed == "generator":
        loader = DataLoader(make_data(), 4, shuffle=True)
    else:
        scheduler = None
    before = nn.utils.parameters_to_vector(model.parameters()).clone()
    options = {"epochs": 2, "scheduler": scheduler, "checkpoint": path, "resume": True}
    with pytest.raises(CheckpointError, match=changed):
        fit(model, loader, nn.functional.cross_entropy, optimizer, **options)
    assert torch.equal(before, nn.utils.parameters_to_vector(model.parameters()))


def test_resuming_from_a_bare_model_is_refused(tmp_path):
    save_checkpoint(tmp_path / "model.pt", model=make_run()[0])
    with pytest.raises(CheckpointError, match="no training run"):
        fitted(tmp_path / "model.pt", 1, resume=True)


# ---- keeping -----------------------------------------------------------------------------------


def test_what_is_saved_comes_back(tmp_path):
    model, _, optimizer, scheduler = make_run()
    save_checkpoint(
        tmp_path / "a" / "x.pt",
        model=model,
        optimizer=optimizer,
        scheduler=scheduler,
        note="b",
        n=[1],
    )
    twin, _, twin_optimizer, twin_scheduler = make_run(seed=5)
    found = load_checkpoint(
        tmp_path / "a" / "x.pt", model=twin, optimizer=twin_optimizer, scheduler=twin_scheduler
    )
    states_equal(model.state_dict(), twin.state_dict())
    assert (found["note"], found["n"]) == ("b", [1])
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["x.pt"]


@pytest.mark.parametrize(
    "accident", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")]
)
def test_an_interrupted_write_keeps_the_old_file(tmp_path, monkeypatch, accident):
    path = tmp_path / "x.pt"
    model, _, _, _ = make_run()
    save_checkpoint(path, model=model)
    old = path.read_bytes()

    def half_written(obj, file):
        file.write(b"half a file")
        raise accident

    monkeypatch.setattr(torch, "save", half_written)
    with pytest.raises(type(accident)):
        save_checkpoint(path, model=model)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]  # no litter


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_disk_that_is_really_full_is_an_error():
    """What the accident above imitates: torch.save to a full disk raises."""
    with pytest.raises((OSError, RuntimeError)):
        save_to("/dev/full")


def save_to(path):
    with open(path, "wb") as file:
        torch.save({"x": torch.zeros(10_000)}, file)


def test_atomic_write_of_text(tmp_path):
    with atomic_write(tmp_path / "a.json", "w") as file:
        file.write("{}")
        assert not (tmp_path / "a.json").exists()
    assert (tmp_path / "a.json").read_text() == "{}"
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o644


def test_loading_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "x.pt")


@pytest.mark.parametrize("harm", ["truncated", "flipped", "empty", "text"])
def test_a_damaged_checkpoint_is_named_and_changes_nothing(tmp_path, harm):
    path = tmp_path / "x.pt"
    model = nn.Linear(50, 50)
    save_checkpoint(path, model=model)
    content = bytearray(path.read_bytes())
    if harm == "truncated":
        content = content[: len(content) // 2]
    elif harm == "flipped":
        at = content.find(model.weight.detach().numpy().tobytes()[:64])
        assert at > 0
        content[at + 5] ^= 0xFF  # one byte of one weight
    elif harm == "empty":
        content = b""
    else:
        content = b"these are not weights"
    path.write_bytes(content)
    twin = nn.Linear(50, 50)
    before = {name: value.clone() for name, value in twin.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"x\.pt is damaged or is no checkpoint"):
        load_checkpoint(path, model=twin)
    states_equal(twin.state_dict(), before)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"model": Bomb()}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="damaged or is no checkpoint"):
        load_checkpoint(tmp_path / "x.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            nn.Sequential(nn.Linear(5, 3), nn.Linear(3, 4)),
            r"1\.weight is shape \(2, 3\) in the file and shape \(4, 3\)",
        ),
        (
            nn.Sequential(nn.Linear(5, 3)),
            r"1\.weight is shape \(2, 3\) in the file and nothing in the model",
        ),
        (
            nn.Sequential(nn.Linear(5, 3), nn.Linear(3, 2), nn.PReLU()),
            r"2\.weight is nothing in the file and shape \(1,\) in the model",
        ),
    ],
)
def test_another_architecture_is_named_and_left_alone(tmp_path, other, message):
    save_checkpoint(tmp_path / "x.pt", model=nn.Sequential(nn.Linear(5, 3), nn.Linear(3, 2)))
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "x.pt", model=other)
    states_equal(
        other.state_dict(), before
    )  # torch alone would have copied 0.weight before it raised


def test_a_missing_part_is_named(tmp_path):
    model, _, optimizer, _ = make_run()
    save_checkpoint(tmp_path / "x.pt", model=model)
    with pytest.raises(CheckpointError, match="does not hold optimizer"):
        load_checkpoint(tmp_path / "x.pt", model=model, optimizer=optimizer)


def test_an_optimizer_that_does_not_fit_changes_nothing(tmp_path):
    model, _, optimizer, _ = make_run()
    save_checkpoint(tmp_path / "x.pt", model=model, optimizer=optimizer)
    twin, _, _, _ = make_run(seed=5)
    before = {name: value.clone() for name, value in twin.state_dict().items()}
    smaller = torch.optim.SGD(list(twin.parameters())[:2], lr=0.5)
    with pytest.raises(CheckpointError, match="does not fit this optimizer"):
        load_checkpoint(tmp_path / "x.pt", model=twin, optimizer=smaller)
    states_equal(twin.state_dict(), before)
    assert smaller.param_groups[0]["lr"] == 0.5


def test_history_survives_the_checkpoint(tmp_path):
    history = History([1.0], [0.1], [1.0], {"loss": [2.0]}, [3.0])
    save_checkpoint(tmp_path / "x.pt", model=nn.Linear(1, 1), history=training.asdict(history))
    assert History(**load_checkpoint(tmp_path / "x.pt")["history"]) == history
