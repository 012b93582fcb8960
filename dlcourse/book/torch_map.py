"""The page that puts every public name of mini beside its twin in torch.

    python -m dlcourse.book.torch_map            all names: some minutes
    python -m dlcourse.book.torch_map --missing  those that the record lacks: some seconds

runs the tables of ``tests/mini``, writes ``data/results/torch_map.json``, and from it the page
``chapters/reference/torch_map.md``.
"""

import argparse
import inspect
import sys
import time
import warnings
from collections import defaultdict
from types import ModuleType

from dlcourse import mini
from dlcourse.book.api import heading
from dlcourse.book.differences import ROOT, differences
from dlcourse.mini import ops
from dlcourse.projects._record import circumstances, read_record, write_record

import numpy as np
import torch
import torch.nn.utils.prune  # which torch itself imports for nobody

RECORD = ROOT / "data" / "results" / "torch_map.json"
PAGE = ROOT / "chapters" / "reference" / "torch_map.md"
TESTS = ROOT / "tests" / "mini"
COMMAND = "python -m dlcourse.book.torch_map"

# The modules whose names are public, by what follows "mini." and "torch.", and their headings.
NAMESPACES = {
    "": "Functions",
    "Tensor": "What only tensors have",
    "linalg": "Linear algebra",
    "special": "Special functions",
    "autograd": "Gradients",
    "autograd.functional": "Jacobians and products",
    "autograd.function": "Operations of one's own",
    "func": "Functions of functions",
    "random": "Random numbers",
    "nn": "Modules",
    "nn.functional": "Functions of layers",
    "nn.init": "Values to start from",
    "nn.utils": "Parameters and their gradients",
    "nn.utils.parametrize": "Parameters that are computed",
    "nn.utils.parametrizations": "Ways to compute them",
    "nn.utils.prune": "Parameters left out",
    "nn.parallel": "Modules on several devices",
    "nn.utils.rnn": "Sequences of unequal lengths",
    "optim": "Optimisers",
    "optim.lr_scheduler": "Schedules",
    "optim.swa_utils": "Averages of weights",
    "utils.data": "Data",
    "utils.checkpoint": "Activations computed again",
    "distributions": "Distributions",
    "distributions.transforms": "Functions of random numbers",
    "distributions.constraints": "What parameters have to satisfy",
    "amp": "Mixed precision",
    "jit": "Programs without Python",
    "compiler": "The compiler",
    "accelerator": "Devices beside the CPU",
    "cuda": "NVIDIA's cards",
    "mps": "Apple's",
    "xpu": "Intel's",
    "backends": "Other libraries",
    "backends.cuda": "Products of matrices on a card",
    "backends.cudnn": "NVIDIA's library of layers",
    "backends.mps": "Apple's library",
    "distributed": "Other processes",
    "version": "The version",
}
# What torch has in another place.
ELSEWHERE = {
    "autograd.is_grad_enabled": "torch.is_grad_enabled",
    "autograd.GradcheckError": "torch.autograd.gradcheck.GradcheckError",
}

# -- names -----------------------------------------------------------------------------------------


def lookup(framework: ModuleType, name: str):
    """What has that dotted name under mini or torch; None if nothing has."""
    found = framework
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def public_names() -> dict[str, list[str]]:
    """The public names of each namespace, without what stands before them."""
    return {space: sorted(names_in(space), key=str.lower) for space in NAMESPACES}


def names_in(space: str):
    here = lookup(mini, space) if space else mini
    theirs = lookup(torch, space) if space else torch
    if space == "Tensor":  # what is not a function, too, and not the twin in place of one
        known = {*ops.FUNCTIONS, *(f"{name}_" for name in ops.IN_PLACE)}
        return [n for n in dir(here) if not n.startswith("_") and n not in known]
    names = getattr(here, "__all__", None) or [
        n for n in vars(here) if not n.startswith("_") and n in dir(theirs) and is_own(here, n)
    ]
    return [n for n in names if not isinstance(getattr(here, n), ModuleType)]


def is_own(module: ModuleType, name: str) -> bool:
    """Whether a name is the module's own, or that of an operation, and no import of a helper."""
    value = getattr(module, name)
    origin = getattr(inspect.unwrap(value) if callable(value) else value, "__module__", "")
    return callable(value) and (origin == module.__name__ or ".ops." in origin)


def dotted(space: str, name: str) -> str:
    return f"{space}.{name}" if space else name


def twins(space: str, name: str) -> list[str]:
    """What of torch it is compared with."""
    full = dotted(space, name)
    out = [ELSEWHERE.get(full, f"torch.{full}")]
    if not space and name in ops.FUNCTIONS:
        out.append(f"Tensor.{name}")
        out += [f"Tensor.{name}_"] * (name in ops.IN_PLACE)
    return out


# -- measuring -------------------------------------------------------------------------------------


def measured(wanted: set[str]) -> dict[str, dict]:
    """For each of these names what the tables of the tests say: cases, errors, speed."""
    sys.path.insert(0, str(TESTS))
    import cases

    found, largest = defaultdict(lambda: {"cases": 0}), {}
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        for case in cases.every_case():
            if case.name in wanted and (outcome := case.outcome()):
                add_outcome(found[case.name], *outcome)
                if case.work and case.size > getattr(largest.get(case.name), "size", -1):
                    largest[case.name] = case
    for name, case in largest.items():
        found[name]["speed"] = speed(case)
    for name in wanted - found.keys():
        found[name]["test"] = cases.test_of(name)
    return dict(found)


def add_outcome(entry: dict, ours, theirs) -> None:
    """Count a case, and keep the largest errors."""
    entry["cases"] += 1
    for what, found, expected in zip(("value", "gradient", "second"), ours, theirs, strict=True):
        for a, b in zip(map(array, found), map(array, expected), strict=True):
            key = "float32" if b.dtype == np.float32 else what
            entry[key] = max(entry.get(key, 0.0), error(a, b))


def array(value) -> np.ndarray:
    """A tensor, an array or a number as an array."""
    if isinstance(value, mini.Tensor | torch.Tensor):
        value = value.detach().numpy(force=True)
    return np.asarray(value)


def error(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest |mini - torch| / max(1, |torch|), to two digits."""
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        errors = np.where(same, 0.0, np.abs(a - b) / np.maximum(1.0, np.abs(b)))
    return float(f"{errors.max(initial=0.0):.1e}")


def speed(case, repetitions: int = 7, seconds: float = 0.002) -> float | None:
    """mini's time for a case as a multiple of torch's, to one digit.

    The shortest of several, in turn: what else the machine does only makes them longer.
    """
    try:
        works = [case.work(f) for f in (mini, torch)]
        once = max(duration(work, 1) for work in works for _ in range(2))
    except RuntimeError:
        return None  # it works on a leaf in place
    number = max(1, int(seconds / once))
    times = [[duration(work, number) for work in works] for _ in range(repetitions)]
    ours, theirs = map(min, zip(*times, strict=True))
    return float(f"{ours / theirs:.1g}")


def duration(work, number: int) -> float:
    start = time.perf_counter()
    for _ in range(number):
        work()
    return time.perf_counter() - start


# -- the record ------------------------------------------------------------------------------------


def update(missing_alone: bool) -> dict[str, dict]:
    """Measure and write the record: one line a name, so that two changes of it merge."""
    public = {dotted(space, n) for space, names in public_names().items() for n in names}
    old = recorded() if missing_alone and RECORD.exists() else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        new = measured(public - old.keys())
    names = {n: entry for n, entry in sorted({**old, **new}.items()) if n in public}
    lines = {f"mini.{name}": entry for name, entry in names.items()}
    write_record(RECORD, circumstances("cpu", COMMAND) | lines)
    return names


def recorded() -> dict[str, dict]:
    """The names of the record, without "mini."."""
    lines = read_record(RECORD).items()
    return {key.removeprefix("mini."): v for key, v in lines if key.startswith("mini.")}


# -- the page --------------------------------------------------------------------------------------

HEAD = """\
# mini beside torch

*What of torch does mini have, and how near is it?*

Every public name of mini stands here with what it is compared with. The figures come
from the tables of the tests, which call both frameworks with the same numbers in every form: as a
function, as a method, in place, in `float64` and `float32`, broadcast, as single numbers and empty,
on memory that is contiguous, transposed and sliced.

cases
: How many of these calls were compared. A name without cases stands below the others with the file
  of `tests/mini` whose programs use it under both frameworks: what comes back is random, or is no
  number.

value, gradient, second
: The largest error in `float64` of the result, of its gradient and of its second gradient, as a
  part of torch's number, or of 1 if that is smaller. Both round: a few units of $10^{-16}$ are what
  two right answers differ by. Much more says that one of the two rounds something to `float32` on
  its way (torch in `celu`, `hardsigmoid` and `binary_cross_entropy`; both in the case of `cumsum`
  whose input is of that type and whose sum is not) or ends a series early (torch in `polygamma`,
  and so in the derivatives of `digamma` and `lgamma`).

float32
: The largest of the three in `float32`, where rounding begins at $10^{-7}$.

speed
: The time of one of the cases, forward and backward, as a multiple of torch's, to one digit. The
  cases are small, so this is what a call costs, and not its arithmetic; for that see
  [Speed](speed.md). Below 1, mini is faster. It is the shortest of several times of each, in turn.

torch's names are written as programs write them: `F` is `torch.nn.functional`, `x` is a tensor, and
what ends in `_` writes in place. Differences on purpose are listed on the page
[Differences from torch](differences.md), and marked here where they stand in the function itself.
This page is written by `make map`, and a test fails when a public name is not on it.
"""
# Where the families of a namespace are: each is a module.
FAMILIES = {
    "": "dlcourse.mini.ops.",
    "nn": "dlcourse.mini.nn.",
    "nn.functional": "dlcourse.mini.nn.functional.",
    "optim": "dlcourse.mini.optim.",
    "optim.lr_scheduler": "dlcourse.mini.optim.lr_scheduler.",
}
# How programs write the beginning of a name.
SHORT = {
    "torch.nn.functional": "F",
    "torch.nn.utils.rnn": "rnn",
    "torch.nn.utils": "utils",
    "torch.nn.init": "init",
    "torch.nn": "nn",
    "torch.optim.lr_scheduler": "lr_scheduler",
    "torch.optim.swa_utils": "swa_utils",
    "torch.optim": "optim",
    "torch.utils.data": "data",
    "torch.utils.checkpoint": "checkpoint",
    "torch.distributions": "distributions",
    "torch.Tensor": "x",
    "Tensor": "x",
}
MARK = " [differs](differences.md)"
OTHERS = "Types, numbers, switches and files."
COLUMNS = ("mini", "cases", "value", "gradient", "second", "float32", "speed", "torch")
BY_PROGRAMS = ("mini", "tested in", "torch")


def page(record: dict[str, dict]) -> str:
    """The text of the page, from the names of the record."""
    noted = notes_by_place()
    text = HEAD + f"\nThe record holds {summary(record)}.\n"
    for space, title in NAMESPACES.items():
        names = [n for n in record if space_of(n) == space]
        if names:
            text += f"\n## {title}\n" + "".join(
                above + tables(space, family, record, noted)
                for above, family in families(space, names)
            )
    return text


def summary(names: dict) -> str:
    cases = sum(entry["cases"] for entry in names.values())
    rows = sum(bool(entry["cases"]) for entry in names.values())
    return f"{len(names)} names, {rows} of them with {cases} cases"


def space_of(name: str) -> str:
    return max((s for s in NAMESPACES if not s or name.startswith(f"{s}.")), key=len)


def families(space: str, names: list[str]):
    """Names by the module that they are written in, under its heading in the API pages."""
    groups = defaultdict(list)
    for name in names:
        groups[family_of(space, name)].append(name)
    own = FAMILIES.get(space, "")
    for module in sorted(groups, key=lambda m: (not m, not m.startswith(own), m)):
        words = sys.modules[module].__doc__.split("\n")[0] if module else OTHERS
        title = f"\n### {heading(module) if module else 'Others'}\n\n{words}\n"
        yield (title if len(groups) > 1 else ""), groups[module]


def family_of(space: str, name: str) -> str:
    """The module of the namespace's families that a name is written in; "" for what is in none."""
    start = FAMILIES.get(space)
    value, last = inspect.unwrap(lookup(mini, name)), name.rpartition(".")[2]
    if start is None or not callable(value):
        return ""
    if not space and last in mini.IN_PLACE.split():
        return "dlcourse.mini.ops.inplace"
    if not space and last in mini.FUNCTIONAL.split():
        return "dlcourse.mini.nn.functional"
    if not value.__module__.startswith("dlcourse.mini") or value is mini.Tensor:
        return ""
    if value.__module__.startswith("dlcourse.mini._"):  # families import it, none has written it
        return ""
    if value.__module__.startswith(start) and last in vars(sys.modules[value.__module__]):
        return value.__module__
    homes = [m for m in sorted(sys.modules) if m.startswith(start)]
    return next((m for m in homes if inspect.unwrap(vars(sys.modules[m]).get(last)) is value), "")


def tables(space: str, names: list[str], record: dict, noted: dict) -> str:
    """Those that have cases, then those that programs try; a line for each name."""
    counted = [n for n in names if record[n]["cases"]]
    others = [n for n in names if not record[n]["cases"]]
    rows = [cells(space, n, record[n], noted) for n in counted]
    programs = [both(space, n, noted) for n in others]
    named = [(o, f"`{record[n]['test']}`", t) for n, (o, t) in zip(others, programs, strict=True)]
    return table(COLUMNS, rows) + table(BY_PROGRAMS, named)


def table(columns: tuple[str, ...], rows: list[list[str]]) -> str:
    """No column that would be empty, and nothing where there is no row."""
    if not rows:
        return ""
    used = [k for k in range(len(columns)) if any(row[k] for row in rows)]
    lines = ["| " + " | ".join(row[k] for k in used) + " |" for row in [columns, *rows]]
    rules = ["--:" if columns[k] in COLUMNS[1:-1] else ":--" for k in used]
    return "\n".join(["", lines[0], "|" + "|".join(rules) + "|", *lines[1:], ""])


def cells(space: str, name: str, entry: dict, noted: dict) -> list[str]:
    ours, theirs = both(space, name, noted)
    figures = [f"{entry[k]:.0e}".replace("0e+00", "0") if k in entry else "" for k in COLUMNS[2:6]]
    speed = f"{entry['speed']:g}" if entry.get("speed") else ""
    return [ours, str(entry["cases"]), *figures, speed, theirs]


def both(space: str, name: str, noted: dict) -> tuple[str, str]:
    """The name in mini, marked if it differs on purpose, and its twins as programs write them."""
    short = name.removeprefix(f"{space}.") if space else name
    mark = MARK if is_noted(name, noted) else ""
    return f"`{short}`{mark}", ", ".join(f"`{as_written(t)}`" for t in twins(space, short))


def as_written(twin: str) -> str:
    """A name of torch as programs write it: F.relu for torch.nn.functional.relu, x.add."""
    for long, short in SHORT.items():
        if twin.startswith(f"{long}."):
            return twin.replace(long, short, 1)
    return twin


def notes_by_place() -> set[tuple[str, str]]:
    """(module, name of a function in small letters) of every difference on purpose."""
    return {(d.module, d.place.split(".")[0].strip("_").lower()) for d in differences()}


def is_noted(name: str, noted: set) -> bool:
    value, last = lookup(mini, name), name.rpartition(".")[2]
    module = getattr(inspect.unwrap(value), "__module__", "") if callable(value) else ""
    return (module.removeprefix("dlcourse.mini."), last.lower()) in noted


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__.splitlines()[0])
    parser.add_argument("--missing", action="store_true", help="measure new names alone")
    names = update(parser.parse_args().missing)
    PAGE.write_text(page(names), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {summary(names)}")


if __name__ == "__main__":
    main()
