"""Proof that the notebooks' run can fail: a changed constant in the package is reported.

The package and the parts of two notebooks that matter are copied, one line of the copy is changed,
and the copy's notebooks are run and compared as `make nb` does it. Unchanged, the same copy passes.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
AUTOGRAD = "chapters/foundations/autograd.ipynb"
DIGITS = "chapters/projects/handwritten_digits.ipynb"

# What is changed: the file, its line, the line instead, and the notebook that is to notice.
CHANGES = {
    "the sign of one gradient": (
        "dlcourse/mini/ops/pointwise.py",
        "return grad_output * out  # dL/dx = dL/dy * exp(x)",
        "return -grad_output * out",
        AUTOGRAD,
    ),
    "the learning rate of SGD, by 1 %": (
        "dlcourse/mini/optim/sgd.py",
        'part -= group["lr"] * slope',
        'part -= 1.01 * group["lr"] * slope',
        DIGITS,
    ),
}
# The notebooks, and their cells that are run here: the first, and those which hold one of these.
CELLS = {
    AUTOGRAD: ("def everything", "def naive"),
    DIGITS: (
        'images, labels = datasets.digits("train")',
        "def lenet",
        "def loss_on",
        "def losses_of",
        "plots.curves(double)",
    ),
}


def copy_notebook(name, folder):
    """The cells to run of a notebook, after one that proves whose package is imported."""
    notebook = json.loads((ROOT / name).read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for phrase in CELLS[name]:
        holding = [cell for cell in code if phrase in "".join(cell["source"])]
        assert len(holding) == 1, f"{len(holding)} cells of {name} hold {phrase!r}: name another"
    source = f"import dlcourse\nassert dlcourse.__file__.startswith({str(folder)!r})"
    guard = {"cell_type": "code", "id": "guard", "source": source, "outputs": [], "metadata": {}}
    kept = [cell for cell in code if any(one in "".join(cell["source"]) for one in CELLS[name])]
    notebook["cells"] = [guard | {"execution_count": 0}, code[0], *kept]
    path = folder / name
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def copy_of_the_package(folder, *names):
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("dlcourse", "data"):
        shutil.copytree(ROOT / part, folder / part, ignore=ignored)
    for name in names:
        copy_notebook(name, folder)


def run(folder):
    """Compare the copy's notebooks: the exit code, and each cell's report ("" if it passed)."""
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml")]
    command += ["--rootdir", str(folder), "-p", "no:cacheprovider", "-p", "dlcourse.book.compare"]
    command += ["--nbval", f"--junitxml={folder / 'report.xml'}", str(folder / "chapters")]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    env |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    env |= {"OMP_NUM_THREADS": "1"}  # beside other tests, more threads only wait for each other
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600)
    tests = ElementTree.parse(folder / "report.xml").getroot().iter("testcase")
    return done, ["".join(part.text or "" for part in test) for test in tests]


def test_an_unchanged_copy_passes(tmp_path):
    copy_of_the_package(tmp_path, *CELLS)
    done, reports = run(tmp_path)
    assert done.returncode == 0, done.stdout
    assert len(reports) == sum(2 + len(phrases) for phrases in CELLS.values())


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_constant_is_reported(tmp_path, change):
    file, line, instead, notebook = CHANGES[change]
    copy_of_the_package(tmp_path, notebook)
    source = (tmp_path / file).read_text(encoding="utf-8")
    assert source.count(line) == 1, f"{file} has not, or not once: {line}"
    (tmp_path / file).write_text(source.replace(line, instead), encoding="utf-8")

    done, reports = run(tmp_path)
    assert done.returncode == 1
    assert reports[0] == "", "the kernel did not import the copy"
    assert any("A fresh run gives something else" in report for report in reports), done.stdout
