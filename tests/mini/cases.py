"""Every row of every table of these tests as one kind of thing: a `Case`, to count, judge and time.

The page `reference/torch_map` is made of them, so it says what the tests try and nothing else.
"""

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dlcourse import mini

import optable
import rows_activation
import test_coverage
import test_functional
import test_lazy
import test_linalg
import test_lr_scheduler
import test_modules
import test_ops
import test_optim
import test_state
import test_types
import test_views
import torch
from rows import apply, make
from test_ops import flat, tensors


@dataclass(frozen=True)
class Case:
    """`outcome()` is what mini and torch make of it, each (values, first, second derivatives)."""

    name: str  # without "mini.": such as "nn.functional.relu"
    outcome: Callable[[], tuple | None]  # None: both refuse
    size: int = 0  # how many numbers go in
    work: Callable | None = None  # work(f) is a function to time: forward and backward


def every_case() -> Iterator[Case]:
    for family in (operations, functions, modules, linear_algebra, optimizers, schedules):
        yield from family()


def operations():
    for row in optable.ROWS:
        size = size_of(row)
        for form in test_ops.forms(row):
            method = form == "method" and row.name in mini.ops.METHODS
            name = f"Tensor.{row.name}" if method else row.name
            for dtype, layout in test_ops.VARIANTS:
                yield of_row(row, name, form, dtype, layout, size)


def functions():
    for row in [*test_functional.ROWS, *test_functional.FIRST]:
        name, size = f"nn.functional.{row.name}", size_of(row)
        for dtype, layout in test_functional.VARIANTS:
            yield of_row(row, name, "functional", dtype, layout, size)


def size_of(row):
    _, _, leaves = make(row, mini)
    return sum(leaf.numel() for leaf in leaves)


def of_row(row, name, form, dtype, layout, size):
    def outcome():
        twice = row not in test_functional.FIRST
        return test_ops.results(row, form, dtype, layout, may_do_more=True, twice=twice)

    def work(f):
        args, options, leaves = make(row, f)
        return forward_and_backward(f, leaves, lambda *_: apply(row, f, form, args, options))

    timed = form != "in-place" and (dtype, layout) == ("float64", "plain")
    return Case(name, outcome, size, work if timed else None)


def forward_and_backward(f, leaves, function):
    """A function that does both, once."""
    outs = [o for o in flat(function(*leaves)) if o.requires_grad]
    seeds = [f.ones_like(o) for o in outs]

    def step():
        out = [o for o in flat(function(*leaves)) if o.requires_grad]
        if out:
            f.autograd.grad(out, leaves, seeds, allow_unused=True)

    return step


def modules():
    for name, args, options, inputs in test_modules.MODULES:
        if inputs is not None:
            for dtype in ("float64", "float32"):
                yield of_module(name, args, options, inputs, dtype)


def of_module(name, args, options, inputs, dtype):
    def outcome():
        return test_modules.differentiated(name, args, options, inputs, dtype)

    def work(f):
        function, leaves = test_modules.prepared(
            f, test_modules.build(f, name, args, options), inputs
        )
        return forward_and_backward(f, leaves, lambda *_: function())

    return Case(f"nn.{name}", outcome, len(options), work)


def linear_algebra():
    for shapes, function in test_linalg.CASES.values():
        for name in sorted(names_called(function.__code__)):
            for dtype in ("float64", "float32"):
                yield of_linalg(name, shapes, function, dtype)


def names_called(code):
    """The public names of mini that a function of the framework `f` looks up."""
    found = attributes(code)
    if "linalg" not in found:
        return found & set(mini.__all__)
    return {f"linalg.{name}" for name in found & set(mini.linalg.__all__)}


def attributes(code):
    """All attributes that a piece of code, or one inside it, looks up."""
    inside = [attributes(c) for c in code.co_consts if hasattr(c, "co_names")]
    return set(code.co_names).union(*inside)


def of_linalg(name, shapes, function, dtype):
    def outcome():
        return tuple(test_linalg.run(f, shapes, function, dtype) for f in optable.FRAMEWORKS)

    def work(f):
        leaves = tensors(f, [(shape, "float64") for shape in shapes], 0, True)
        return forward_and_backward(f, leaves, lambda *args: function(f, *args))

    return Case(name, outcome, 1, work)


def optimizers():
    for name, options in test_optim.OPTIONS:
        yield of_optimizer(name, options)


def of_optimizer(name, options):
    def outcome():
        return tuple((test_optim.run(f, name, options)[0], [], []) for f in optable.FRAMEWORKS)

    def work(f):
        parameters = test_optim.parameters(f)
        optimizer = getattr(f.optim, name)(parameters, **options)
        test_optim.gradients(f, parameters, 0)
        return optimizer.step

    return Case(f"optim.{name}", outcome, len(options), work)


def schedules():
    for name, options in [*test_lr_scheduler.CASES, *test_lr_scheduler.SWALR]:
        module = "swa_utils" if name == "SWALR" else "lr_scheduler"
        yield Case(f"optim.{module}.{name}", lambda n=name, o=options: scheduled(n, o))


def scheduled(name, options):
    """The learning rates of a schedule, step by step."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seen = [test_lr_scheduler.schedule(f, name, options)[0] for f in optable.FRAMEWORKS]
    rates = [[steps[0], *steps[2::3]] for steps in seen]
    return tuple(([torch.tensor(r, dtype=torch.float64) for r in each], [], []) for each in rates)


# -- names without rows ----------------------------------------------------------------------------

LOOPED = {  # names that a test goes through without writing them out
    *mini.FUNCTIONAL.split(), *mini.IN_PLACE.split(), *mini._dtype.DTYPES,
    *(f"nn.{name}" for name in test_lazy.NAMES),
    *(f"nn.{name}" for name, _, _, _ in test_modules.MODULES),
    *(f"nn.functional.{name}" for name in rows_activation.ELSEWHERE),
    *(f"accelerator.{name}" for name in mini.accelerator.NEEDS_ONE.split()),
    *(f"cuda.{name}" for name in mini.cuda.NEEDS_A_CARD.split() + mini.cuda.TYPES.split()),
    *(f"distributed.{name}" for name in mini.distributed.NEEDS_A_GROUP.split()),
}  # fmt: skip
TABLES = {
    "test_state": test_state.QUESTIONS,
    "test_types": {**test_types.QUESTIONS, **test_types.DRAWS},
    "test_views": test_views.PROGRAMS,
}
NAMED = {
    **{f"Tensor.{name}": file for file, table in TABLES.items() for name in table},
    **{f"nn.{name}": "test_modules" for name, _, _, _ in test_modules.MODULES},
    **{f"nn.{name}": "test_lazy" for name in test_lazy.NAMES},
    **{f"nn.init.{name}": "test_modules" for name in test_modules.INITS},
    **{f"nn.functional.{name}": "test_activation" for name in rows_activation.ELSEWHERE},
    **dict.fromkeys(mini._dtype.DTYPES, "test_types"),
    **test_coverage.ELSEWHERE,
}
DEVICES = """
    accelerator backends backends.cuda backends.cudnn backends.mps compiler cuda distributed mps
    nn.parallel version xpu
"""
SPACES = {  # where the programs of a whole namespace are
    "amp": "test_older_names",
    "autograd.function": "test_older_names",
    "autograd.functional": "test_autograd_tools",
    **dict.fromkeys(DEVICES.split(), "test_devices"),
    "distributions": "test_distributions",
    "distributions.constraints": "test_distributions",
    "distributions.transforms": "test_distributions",
    "func": "test_func",
    "jit": "test_older_names",
    "nn.utils.prune": "test_prune",
    "nn.utils.parametrizations": "test_parametrize",
    "nn.utils.parametrize": "test_parametrize",
    "utils.checkpoint": "test_checkpoint",
}


def test_of(name):
    """The file of the tests that is about a name without rows: the one that is named above, or the
    one that speaks most of it; None if no file does."""
    space = name.rpartition(".")[0]
    if name in NAMED or space in SPACES:
        return NAMED.get(name) or SPACES[space]
    word = re.compile(rf"\b{re.escape(name.rpartition('.')[2])}\b")
    files = [
        p for p in sorted(Path(__file__).parent.glob("test_*.py")) if p.stem != "test_coverage"
    ]
    count = {p.stem: len(word.findall(p.read_text("utf-8"))) for p in files}
    best = max(count, key=count.get)
    return best if count[best] else None


test_of.__test__ = False  # it is none
