"""Every schedule beside torch's: rates, momentum, state, warnings, refusals."""

import copy
import inspect
import re
import warnings

from dlcourse import mini
from dlcourse.mini.optim import lr_scheduler, swa_utils

import pytest
import torch
from both import agree, same_error

pytestmark = pytest.mark.filterwarnings(
    "ignore:The epoch parameter",
    "ignore:Detected call",  # test_warns_as_torch is about both
)


def described(value):
    """The name of a case: without addresses, for the tests run in several processes."""
    return re.sub(r" at 0x\w+", "", str(value))


def halves(epoch):
    return 0.5**epoch


class Decay:
    """A function with a state of its own."""

    def __init__(self):
        self.base = 0.9

    def __call__(self, epoch):
        return self.base**epoch


ROWS = {
    "LambdaLR": [{"lr_lambda": halves}, {"lr_lambda": [halves, lambda e: 1 / (1 + e)]},
                 {"lr_lambda": Decay()}],
    "MultiplicativeLR": [{"lr_lambda": lambda e: 0.9}, {"lr_lambda": [halves, lambda e: 1.1]}],
    "StepLR": [{"step_size": 3}, {"step_size": 1, "gamma": 0.5}],
    "MultiStepLR": [{"milestones": [2, 5]}, {"milestones": [3, 3, 4], "gamma": 0.5}],
    "ConstantLR": [{}, {"factor": 0.5, "total_iters": 3}],
    "LinearLR": [{}, {"start_factor": 0.1, "end_factor": 0.5, "total_iters": 4}],
    "ExponentialLR": [{"gamma": 0.9}],
    "PolynomialLR": [{}, {"total_iters": 7, "power": 2.0}],
    "CosineAnnealingLR": [{"T_max": 4}, {"T_max": 3, "eta_min": 0.01}, {"T_max": 20}],
    "CosineAnnealingWarmRestarts": [{"T_0": 3}, {"T_0": 2, "T_mult": 2, "eta_min": 0.01}],
    "CyclicLR": [
        {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 3, "step_size_down": 2, **more}
        for more in ({}, {"mode": "triangular2"}, {"mode": "exp_range", "gamma": 0.9},
                     {"scale_fn": halves, "scale_mode": "iterations"}, {"cycle_momentum": False},
                     {"base_momentum": [0.1, 0.2], "max_momentum": 0.95, "max_lr": [1.0, 2.0]})
    ],
    "OneCycleLR": [
        {"max_lr": 1.0, "total_steps": 13}, {"max_lr": [1.0, 2.0], "epochs": 3,
                                             "steps_per_epoch": 5, "three_phase": True},
        {"max_lr": 1.0, "total_steps": 12, "anneal_strategy": "linear", "pct_start": 0.5},
        {"max_lr": 1.0, "total_steps": 12, "cycle_momentum": False, "div_factor": 5.0,
         "final_div_factor": 10.0, "base_momentum": 0.5, "max_momentum": 0.9},
    ],
}  # fmt: skip
CASES = [(name, options) for name, rows in ROWS.items() for options in rows]
# Those that any optimiser has; SWALR lives in swa_utils.
EPOCHS_GIVEN = [c for c in CASES if c[0] not in ("CyclicLR", "OneCycleLR")]


def optimizer_of(f, name="SGD", **options):
    ps = [f.ones(1, requires_grad=True) for _ in range(2)]
    groups = [{"params": ps[0]}, {"params": ps[1], "lr": 0.5}]
    if name == "SGD":
        options = {"momentum": 0.9, **options}
    return getattr(f.optim, name)(groups, lr=0.2, **options)


def make(f, name, optimizer, options):
    module = f.optim.swa_utils if name == "SWALR" else f.optim.lr_scheduler
    return getattr(module, name)(optimizer, **copy.deepcopy(options))


def options_of(optimizer):
    return [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]


def state_of(scheduler):
    kept = {k: v for k, v in scheduler.state_dict().items() if "scale_fn" not in k}
    return kept


def schedule(f, name, options, optimizer="SGD", steps=12, resume=None, epochs=()):
    optimizer = optimizer_of(f, optimizer)
    scheduler = make(f, name, optimizer, options)
    seen = [scheduler.get_last_lr(), options_of(optimizer)]
    for step in range(steps):
        if step == resume:
            state, groups = scheduler.state_dict(), optimizer.state_dict()
            optimizer = optimizer_of(f)
            scheduler = make(f, name, optimizer, options)
            optimizer.load_state_dict(groups)
            scheduler.load_state_dict(state)
        optimizer.step()
        scheduler.step()
        seen += [scheduler.get_last_lr(), options_of(optimizer), scheduler.last_epoch]
    for epoch in epochs:
        scheduler.step(epoch)
        seen += [scheduler.get_last_lr()]
    return seen, state_of(scheduler)


SWALR = [("SWALR", {"swa_lr": 0.05}), ("SWALR", {"swa_lr": [0.1, 1.0], "anneal_epochs": 3}),
         ("SWALR", {"swa_lr": 0.1, "anneal_epochs": 4, "anneal_strategy": "linear"}),
         ("SWALR", {"swa_lr": 0.1, "anneal_epochs": 0})]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), [*CASES, *SWALR], ids=described)
def test_rates_as_torchs(name, options):
    agree(lambda f: schedule(f, name, options), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("name", "options"), CASES, ids=described)
def test_goes_on_from_a_state(name, options):
    agree(lambda f: schedule(f, name, options, resume=5), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("name", "options"), EPOCHS_GIVEN, ids=described)
def test_an_epoch_may_be_given(name, options):
    agree(lambda f: schedule(f, name, options, steps=2, epochs=(7, 3, 11)), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["CyclicLR", "OneCycleLR"])
def test_the_first_beta_goes_as_the_momentum(name):
    agree(lambda f: schedule(f, name, ROWS[name][0], "AdamW"), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("name", "options"), CASES[:14], ids=described)
def test_starting_in_the_middle(name, options):
    def program(f):
        optimizer = optimizer_of(f)
        for group in optimizer.param_groups:
            group["initial_lr"] = 0.3
        scheduler = make(f, name, optimizer, {**options, "last_epoch": 3})
        seen = [scheduler.get_last_lr()]
        for _ in range(5):
            optimizer.step()
            scheduler.step()
            seen.append(scheduler.get_last_lr())
        return seen

    agree(program, rtol=1e-12, atol=1e-15)


def test_a_state_of_torchs_is_taken_over():
    for name, options in CASES:
        ours, theirs = optimizer_of(mini), optimizer_of(torch)
        target, source = make(mini, name, ours, options), make(torch, name, theirs, options)
        for _ in range(4):
            theirs.step()
            source.step()
        target.load_state_dict(source.state_dict())
        ours.load_state_dict(theirs.state_dict())
        for optimizer, scheduler in ((ours, target), (theirs, source)):
            optimizer.step()
            scheduler.step()
        assert target.get_last_lr() == pytest.approx(source.get_last_lr(), rel=1e-12)


# -- schedules of schedules ------------------------------------------------------------------------


def sequential(f, resume=None):
    s = f.optim.lr_scheduler

    def fresh():
        optimizer = optimizer_of(f)
        parts = [s.LinearLR(optimizer, 0.1, total_iters=3), s.CosineAnnealingLR(optimizer, 5),
                 s.ExponentialLR(optimizer, 0.5)]  # fmt: skip
        return optimizer, s.SequentialLR(optimizer, parts, [3, 8])

    return followed(*fresh(), fresh, resume)


def chained(f, resume=None):
    s = f.optim.lr_scheduler

    def fresh():
        optimizer = optimizer_of(f)
        parts = [s.ConstantLR(optimizer, 0.1, total_iters=2), s.ExponentialLR(optimizer, 0.9)]
        return optimizer, s.ChainedScheduler(parts, optimizer)

    return followed(*fresh(), fresh, resume)


def nested(f):
    s = f.optim.lr_scheduler
    optimizer = optimizer_of(f)
    inner = s.SequentialLR(
        optimizer, [s.ConstantLR(optimizer, 0.5, 2), s.StepLR(optimizer, 2)], [2]
    )
    outer = s.SequentialLR(optimizer, [inner, s.ExponentialLR(optimizer, 0.9)], [6])
    return followed(optimizer, outer, None, None)


def followed(optimizer, scheduler, fresh, resume):
    seen = [scheduler.get_last_lr()]
    for step in range(11):
        if step == resume:
            states = optimizer.state_dict(), scheduler.state_dict()
            optimizer, scheduler = fresh()
            optimizer.load_state_dict(states[0])
            scheduler.load_state_dict(states[1])
        optimizer.step()
        scheduler.step()
        seen += [scheduler.get_last_lr(), options_of(optimizer)]
    return seen, scheduler.state_dict()


def plateaus(f):
    out = []
    losses = [3.0, 2.0, 2.0, 2.0, 1.99, 1.99, 1.99, 1.99, 5.0, 6.0, 7.0, 0.1, 0.1, 0.1, 0.1]
    for options in (
        {"patience": 1}, {"patience": 0, "cooldown": 2, "factor": 0.5}, {"mode": "max"},
        {"patience": 1, "threshold": 0.05}, {"patience": 1, "threshold_mode": "abs"},
        {"patience": 1, "min_lr": [0.01, 0.1]}, {"patience": 0, "eps": 0.1},
        {"mode": "max", "threshold_mode": "abs", "patience": 1, "min_lr": 0.05},
    ):  # fmt: skip
        optimizer = optimizer_of(f)
        scheduler = f.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        for i, loss in enumerate(losses):
            if i == 6:
                state = scheduler.state_dict()
                scheduler = f.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=99)
                scheduler.load_state_dict(state)
            scheduler.step(f.tensor(loss))
            out += [scheduler.get_last_lr(), scheduler.num_bad_epochs, scheduler.in_cooldown]
        out.append(scheduler.state_dict())
    return out


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_a_threshold_is_relative_or_absolute(mode, threshold_mode):
    def rates(f):
        optimizer = f.optim.SGD([f.nn.Parameter(f.ones(1))], lr=1.0)
        scheduler = f.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, mode, patience=0, threshold=0.1, threshold_mode=threshold_mode
        )
        out = []
        for metric in (10.0, 9.5, 10.5, 8.0, 12.0, 11.95, 7.95):
            scheduler.step(metric)
            out.append(optimizer.param_groups[0]["lr"])
        return out

    agree(rates)


def a_group_that_comes_later(f):
    optimizer = optimizer_of(f)
    scheduler = f.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=0.1)
    optimizer.add_param_group({"params": f.ones(1, requires_grad=True)})
    for loss in (1.0, 2.0, 3.0):
        scheduler.step(loss)
    return options_of(optimizer)


def a_rate_that_is_a_tensor(f):
    optimizer = f.optim.SGD([f.ones(1, requires_grad=True)], lr=f.tensor(0.5))
    lr = optimizer.param_groups[0]["lr"]
    scheduler = f.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    scheduler.step()
    return optimizer.param_groups[0]["lr"] is lr, lr, scheduler.get_last_lr()


def a_schedule_of_ones_own(f):
    class Inverse(f.optim.lr_scheduler._LRScheduler):
        def get_lr(self):
            return [base / (1 + self.last_epoch) for base in self.base_lrs]

    optimizer = optimizer_of(f)
    return followed(optimizer, Inverse(optimizer), None, None)


PROGRAMS = [
    sequential, lambda f: sequential(f, 5), chained, lambda f: chained(f, 5), nested, plateaus,
    a_group_that_comes_later, a_rate_that_is_a_tensor, a_schedule_of_ones_own,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_program(program):
    agree(program, rtol=1e-12, atol=1e-15)


# -- warnings and errors ---------------------------------------------------------------------------


def warned(f, program):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        program(f)
    assert all(w.filename == __file__ for w in caught if f is mini and program is not nested)
    return [(w.category.__name__, str(w.message)) for w in caught]


def the_wrong_order(f):
    optimizer = optimizer_of(f)
    optimizer.step()  # before there is a schedule: does not count
    scheduler = f.optim.lr_scheduler.StepLR(optimizer, 2)
    scheduler.step()
    optimizer.step()
    scheduler.step()


def the_right_order(f):
    optimizer = optimizer_of(f)
    scheduler = f.optim.lr_scheduler.StepLR(optimizer, 2)
    optimizer.step()
    scheduler.step()


def an_epoch(f):
    optimizer = optimizer_of(f)
    scheduler = f.optim.lr_scheduler.StepLR(optimizer, 2)
    optimizer.step()
    scheduler.step(3)
    f.optim.lr_scheduler.ReduceLROnPlateau(optimizer).step(1.0, epoch=3)


def asking_for_lr(f):
    f.optim.lr_scheduler.StepLR(optimizer_of(f), 2).get_lr()


@pytest.mark.parametrize(
    "program", [the_wrong_order, the_right_order, an_epoch, asking_for_lr, nested]
)
def test_warns_as_torch(program):
    assert warned(mini, program) == warned(torch, program)


def scheduled(name, *args, **options):
    return lambda f: getattr(f.optim.lr_scheduler, name)(optimizer_of(f), *args, **options)


def many(name, change, *more):
    def program(f):
        s, optimizer = f.optim.lr_scheduler, optimizer_of(f)
        first = (optimizer,) if name == "SequentialLR" else ()
        getattr(s, name)(*first, change(f, s, optimizer), *more)

    return program


def step_too_often(f):
    optimizer = optimizer_of(f)
    scheduler = f.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, 3)
    for _ in range(4):
        optimizer.step()
        scheduler.step()


def groups_that_changed(f):
    optimizer = optimizer_of(f)
    scheduler = f.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.1, 0.1])
    optimizer.add_param_group({"params": f.ones(1, requires_grad=True)})
    for loss in (1.0, 2.0):
        scheduler.step(loss)


ERRORS = {
    "no optimizer": lambda f: f.optim.lr_scheduler.StepLR(3, 1),
    "no initial_lr": scheduled("StepLR", 2, last_epoch=3),
    "lambdas": scheduled("LambdaLR", [halves]),
    "no function": scheduled("MultiplicativeLR", 3),
    "constant factor": scheduled("ConstantLR", 1.5),
    "start factor": scheduled("LinearLR", 0.0),
    "end factor": scheduled("LinearLR", 0.5, 1.5),
    "T_0": scheduled("CosineAnnealingWarmRestarts", 0),
    "T_mult": scheduled("CosineAnnealingWarmRestarts", 1, 0),
    "eta_min": scheduled("CosineAnnealingWarmRestarts", 1, 1, "a"),
    "negative epoch": lambda f: scheduled("CosineAnnealingWarmRestarts", 2)(f).step(-1),
    "cyclic mode": scheduled("CyclicLR", 0.1, 1.0, mode="square"),
    "cyclic lrs": scheduled("CyclicLR", [0.1], 1.0),
    "no momentum": lambda f: f.optim.lr_scheduler.CyclicLR(optimizer_of(f, "Adagrad"), 0.1, 1.0),
    "no total": scheduled("OneCycleLR", 1.0, epochs=3),
    "total": scheduled("OneCycleLR", 1.0, 0),
    "epochs": scheduled("OneCycleLR", 1.0, epochs=-1, steps_per_epoch=2),
    "steps": scheduled("OneCycleLR", 1.0, epochs=2, steps_per_epoch=1.5),
    "pct_start": scheduled("OneCycleLR", 1.0, 5, pct_start=1.5),
    "strategy": scheduled("OneCycleLR", 1.0, 5, anneal_strategy="sin"),
    "too often": step_too_often,
    "plateau factor": scheduled("ReduceLROnPlateau", factor=1.0),
    "plateau mode": scheduled("ReduceLROnPlateau", "best"),
    "plateau threshold": scheduled("ReduceLROnPlateau", threshold_mode="x"),
    "plateau min_lr": scheduled("ReduceLROnPlateau", min_lr=[0.1]),
    "plateau groups": groups_that_changed,
    "nothing to follow": many("SequentialLR", lambda f, s, o: [], []),
    "milestones": many("SequentialLR", lambda f, s, o: [s.StepLR(o, 1)], [2]),
    "a number in a sequence": many("SequentialLR", lambda f, s, o: [3], []),
    "a plateau in a sequence": many("SequentialLR", lambda f, s, o: [s.ReduceLROnPlateau(o)], []),
    "nothing to chain": many("ChainedScheduler", lambda f, s, o: []),
    "another optimizer": many(
        "ChainedScheduler", lambda f, s, o: [s.StepLR(o, 1), s.StepLR(optimizer_of(f), 1)]
    ),
    "no get_lr": scheduled("LRScheduler"),
    "swa strategy": lambda f: f.optim.swa_utils.SWALR(optimizer_of(f), 0.1, 3, "sin"),
    "swa epochs": lambda f: f.optim.swa_utils.SWALR(optimizer_of(f), 0.1, -1),
    "decay": lambda f: f.optim.swa_utils.get_ema_avg_fn(1.5),
    "both averages": lambda f: f.optim.swa_utils.AveragedModel(f.nn.Linear(1, 1), "cpu", max, max),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(ERRORS[name])


def test_every_schedule_is_tried():
    source = inspect.getsource(inspect.getmodule(optimizer_of))
    assert set(torch.optim.lr_scheduler.__all__) == set(lr_scheduler.__all__)
    for name in lr_scheduler.__all__:
        assert name in ROWS or f'"{name}"' in source or f".{name}" in source
        ours, theirs = (
            inspect.signature(getattr(f.optim.lr_scheduler, name)) for f in (mini, torch)
        )
        assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
            (p.name, p.kind, p.default) for p in theirs.parameters.values()
        ]
    for name in swa_utils.__all__:
        assert name in source


# -- averages of weights ---------------------------------------------------------------------------


def averaged(f, utils, **options):
    model = f.nn.Sequential(f.nn.Linear(2, 3), f.nn.BatchNorm1d(3), f.nn.Linear(3, 1))
    with f.no_grad():
        for i, p in enumerate(model.parameters()):
            p.copy_(f.arange(float(p.numel())).reshape(p.shape) * 0.1 + i)
    average = utils.AveragedModel(model, **options)
    x = f.arange(8.0).reshape(4, 2).sin()
    for step in range(4):
        model(x * step)
        with f.no_grad():
            for p in model.parameters():
                p.mul_(0.9).add_(0.1)
        average.update_parameters(model)
    seen = average(x), average.state_dict()
    utils.update_bn([x, x * 2, (x * 3, None)], average)
    return seen, average.state_dict(), average.training


@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize(
    "average",
    [
        lambda u: {},
        lambda u: {"avg_fn": u.get_swa_avg_fn()},
        lambda u: {"avg_fn": u.get_ema_avg_fn(0.9)},
        lambda u: {"multi_avg_fn": u.get_ema_multi_avg_fn(0.9)},
        lambda u: {"avg_fn": lambda a, new, n: a * 0.5 + new * 0.5},
    ],
)
def test_averaged_models(average, use_buffers):
    def program(f):
        utils = f.optim.swa_utils
        return averaged(f, utils, use_buffers=use_buffers, **average(utils))

    agree(program, rtol=1e-5, atol=1e-5)


def test_averaged_models_by_the_mean_of_lists():
    """Without buffers: torch's own divides integers there, and fails."""

    def program(f):
        utils = f.optim.swa_utils
        return averaged(f, utils, multi_avg_fn=utils.get_swa_multi_avg_fn())

    agree(program, rtol=1e-5, atol=1e-5)
