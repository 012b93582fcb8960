"""An import may only go down: the floors of the house, and what each may see of the world."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "dlcourse"

# From the ground up.  A module may import from its own floor and from those below it.
FLOORS = (
    ("mini._errors", "mini._device", "mini._dtype", "mini._grad_mode", "mini._pieces"),
    ("mini._core",),
    ("mini._format",),
    ("mini.ops",),
    ("mini.autograd", "mini.linalg"),
    ("mini.nn",),
    ("mini.optim", "mini.utils", "mini.distributions"),
    ("mini",),
)
STANDARD = set(sys.stdlib_module_names)
# What of the rest of the world each part may import; the longest name that fits counts.
WORLD = {
    "mini": {"numpy"},
    "plots": {"numpy", "matplotlib", "matplotlib_inline", "cycler"},
    "datasets": {"numpy", "pandas", "torchvision", "PIL"},
    "training": {"numpy", "torch", "tqdm"},
    "models": {"torch"},
    "testing": {"numpy", "torch"},
}
# What of the package.
INSIDE = {
    "mini": {"mini"},
    "plots": {"plots"},
    "datasets": {"datasets"},
    "training": {"training"},
    "models": {"models"},
    "testing": {"testing", "mini"},
}


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(source):
    """Dotted names of all that a source imports, wherever in the file; `from a import b` is a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from (f"{start}.{alias.name}" for alias in node.names)


def below(name, prefix):
    return name == prefix or name.startswith(prefix + ".")


def floor(name):
    """The number of the floor of a module of mini: that of the longest entry that fits."""
    fits = [(len(p), n) for n, floor in enumerate(FLOORS) for p in floor if below(name, p)]
    return max(fits)[1] if fits else None


def wrong_imports(name, source):
    """What the module `name` (without "dlcourse.") imports and must not."""
    part = name.split(".")[0]
    for target in imported(source):
        top = target.split(".")[0]
        if top == "dlcourse":
            inside = target.removeprefix("dlcourse").lstrip(".")
            outside = part in INSIDE and inside.split(".")[0] not in INSIDE[part]
            if outside or (part == "mini" and floor(inside) > floor(name)):
                yield target
        elif target.startswith(".") and part in INSIDE:
            yield f"{target}: a relative import hides the floor that it leads to"
        elif part in WORLD and top not in STANDARD and top not in WORLD[part]:
            yield target


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_imports_go_down(path):
    assert list(wrong_imports(dotted(path), path.read_text())) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("mini._core", "import torch"),
        ("mini._core", "from dlcourse.mini import ops"),
        ("mini._core", "from dlcourse.mini.ops.shape import view"),
        ("mini.ops.shape", "def f():\n    from dlcourse.mini import nn"),
        ("mini.ops.shape", "from dlcourse.mini.autograd import grad"),
        ("mini.nn.linear", "from dlcourse.mini.optim import SGD"),
        ("mini.nn.linear", "from dlcourse.mini import Tensor"),
        ("mini.nn.linear", "import matplotlib.pyplot"),
        ("mini.nn.linear", "from dlcourse import plots"),
        ("mini.nn.linear", "import scipy"),
        ("plots.graph", "from dlcourse import mini"),
        ("models.lenet", "import dlcourse.training"),
        ("datasets.mnist", "import torch"),
        ("models.lenet", "from . import resnet"),
    ],
)
def test_a_wrong_import_is_seen(name, source):
    assert list(wrong_imports(name, source))


def test_importing_mini_loads_numpy_and_nothing_else():
    code = (
        "import sys; before = set(sys.modules); import dlcourse.mini; "
        "new = [n for n in set(sys.modules) - before if hasattr(sys.modules[n], '__file__')]; "
        "print({name.split('.')[0] for name in new})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(ast.literal_eval(done.stdout)) - STANDARD == {"dlcourse", "numpy"}
