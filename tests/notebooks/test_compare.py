"""The plugin on top of nbval: tiny notebooks run by pytest in a process of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ("-p", "dlcourse.book.compare", "--nbval")


def printed(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def result(text):
    data = {"text/plain": text}
    return {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1}


def raised(ename, evalue):
    return {"output_type": "error", "ename": ename, "evalue": evalue, "traceback": []}


def code(source, *outputs, tags=(), count=1, **asked):
    metadata = {"tags": list(tags)} | ({"dlcourse": asked} if asked else {})
    cell = {"cell_type": "code", "source": source, "outputs": list(outputs), "metadata": metadata}
    return cell | {"execution_count": count}


def write(path, *cells):
    named = [cell | {"id": f"cell-{i}"} for i, cell in enumerate(cells)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": named, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def pytest_on(folder, *arguments):
    """pytest as `make nb` calls it, with the project's configuration: warnings are errors."""
    command = [sys.executable, "-m", "pytest", "-q", "-c", ROOT / "pyproject.toml"]
    command += ["--rootdir", folder, "-p", "no:cacheprovider", *arguments, folder]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=300, env=env
    )


IGNORE = "nbval-ignore-output"
REASON = "the time of day goes on"
PASS = ""
# What each cell is to get: PASS, or a phrase of the report.
CASES = {
    "the same": (code("x = 0.5\nprint('x', x)", printed("x 0.5\n")), PASS),
    "noise": (code("print(1 / 3)", printed("0.33333\n")), PASS),
    "order of cells": (code("x += 1\nx", result("1.5")), PASS),
    "silent": (code("y = x"), PASS),
    "semicolon": (code("x;"), PASS),
    "off by 1 %": (code("1 / 3", result("0.3367")), "0.3367 became 0.3333"),
    "integer off by one": (code("len('four')", result("5")), "5 became 4"),
    "text": (code("'new'", result("'old'")), "stored: 'old'\n  fresh:  'new'"),
    "missing output": (code("z = 1", printed("z\n")), "stored: stdout 'z"),
    "new output": (code("print('surprise')"), "fresh:  stdout 'surprise"),
    "own tolerance": (code("1 / 3", result("0.3367"), rtol=0.02), PASS),
    "unknown wish": (code("1", result("1"), tolerance=0.1), "dlcourse.tolerance; known are"),
    "wild tolerance": (code("1", result("1"), rtol=9), "rtol = 9; a number from 0"),
    "an error": (code("w = 1\nw / 0"), "ZeroDivisionError"),
    "a lesson": (
        code("int('a')", raised("ValueError", "invalid literal for int() with base 10: 'a'"),
             tags=["raises-exception"]),
        PASS,
    ),
    "another error": (
        code("[][1]", raised("KeyError", "1"), tags=["raises-exception"]),
        "stored: error KeyError '1'\n  fresh:  error IndexError",
    ),
    "lesson that teaches no more": (
        code("7", raised("ValueError", "no"), tags=["raises-exception"]),
        "stored: error ValueError 'no'\n  fresh:  execute_result",
    ),
    "a warning": (code("import warnings\nwarnings.warn('old news')"), "old news"),
    "progress": (
        code("from tqdm.auto import tqdm\nfor _ in tqdm(range(3)):\n    pass\n'done'",
             result("'done'")),
        PASS,
    ),
    "progress on stderr": (
        code("import sys\nprint('\\r50%|##  | 1/2 [00:00<00:01, 9it/s]', file=sys.stderr)"), PASS
    ),
    "exempt": (
        code("import time\ntime.time()", result("1.5"), tags=[IGNORE], exempt=REASON), PASS
    ),
    "exempt without a reason": (
        code("time.time()", result("1.5"), tags=[IGNORE]), "wants its reason in a sentence"
    ),
    "exempt with a word": (
        code("time.time()", result("1.5"), tags=[IGNORE], exempt="time"), "wants its reason"
    ),
    "a reason without the tag": (code("1", result("1"), exempt=REASON), "is missing"),
    "exempt by a comment": (
        code("# NBVAL_IGNORE_OUTPUT\ntime.time()", result("1.5")), "A comment exempts its output"
    ),
    "exempt and failing": (code("1 / 0", tags=[IGNORE], exempt=REASON), "ZeroDivisionError"),
    "skipped": (code("1", result("1"), tags=["nbval-skip"]), "asks to be skipped"),
    "skipped by a comment": (code("# NBVAL_SKIP\n1", result("1")), "asks to be skipped"),
    "not run": (code("v = 1", count=None), "without having been run"),
    "empty": (code("", count=None), PASS),
}  # fmt: skip


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Every case is a cell of one notebook: (exit code, text, the report of each cell)."""
    folder = tmp_path_factory.mktemp("cases")
    write(folder / "chapters" / "cases.ipynb", *(cell for cell, _ in CASES.values()))
    done = pytest_on(folder, *PLUGIN, f"--junitxml={folder / 'report.xml'}")
    tests = ElementTree.parse(folder / "report.xml").getroot().iter("testcase")
    said = {test.get("name"): "".join(part.text or "" for part in test) for test in tests}
    assert len(said) == len(CASES), done.stdout + done.stderr
    return done, [said[f"Cell {i}"] for i in range(len(CASES))]


@pytest.mark.parametrize("case", CASES)
def test_each_difference_is_seen_and_each_likeness_passes(reports, case):
    _, wanted = CASES[case]
    got = reports[1][list(CASES).index(case)]
    assert wanted in got if wanted else got == "", got


def test_a_report_names_the_cell_and_shows_its_code(reports):
    got = reports[1][list(CASES).index("off by 1 %")]
    assert got.startswith("cases.ipynb, code cell 6 (id cell-5):\n    1 / 3\n\n")


def test_a_failing_cell_is_reported_alike(reports):
    got = reports[1][list(CASES).index("an error")]
    assert got.startswith("cases.ipynb, code cell 14 (id cell-13):\n    w = 1\n    w / 0\n\n")
    assert "ZeroDivisionError: division by zero" in got
    assert "\x1b" not in got


def test_the_run_fails_and_counts(reports):
    done, _ = reports
    assert done.returncode == 1
    bearing = [cell for cell, _ in CASES.values() if cell["outputs"]]
    refused = ("known are", "from 0", "its reason", "is missing", "A comment", "to be skipped")
    compared = [
        cell
        for cell, wanted in CASES.values()
        if cell["outputs"] and IGNORE not in cell["metadata"]["tags"]
        and not any(phrase in wanted for phrase in refused)
    ]  # fmt: skip
    last = done.stdout.rstrip().splitlines()[-1]
    assert last == f"{len(bearing)} cells, {len(compared)} compared, 1 exempt"


def notebook_that_passes(path, cells=20):
    """Twenty cells with outputs, of which the last is exempt: 95 %. In order or not at all."""
    steps = [code(f"x = {i}\nprint(x)" if i == 0 else "x += 1\nprint(x)", printed(f"{i}\n"))
             for i in range(cells - 1)]  # fmt: skip
    clock = code("import time\ntime.time()", result("1.5"), tags=[IGNORE], exempt=REASON)
    write(path, *steps, clock)


def test_workers_share_the_notebooks_and_one_line_closes_the_run(tmp_path):
    for name in ("a", "b"):
        notebook_that_passes(tmp_path / f"{name}.ipynb")
    done = pytest_on(tmp_path, *PLUGIN, "-n", "2", "--dist", "loadfile", "-p", "randomly")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("\n40 cells, 38 compared, 2 exempt")


def test_too_few_compared_cells_fail_the_run(tmp_path):
    notebook_that_passes(tmp_path / "a.ipynb", cells=19)
    done = pytest_on(tmp_path, *PLUGIN)
    assert "19 passed" in done.stdout
    assert done.returncode == 1
    assert "95% of the cells" in done.stdout
    assert done.stdout.rstrip().endswith("\n19 cells, 18 compared, 1 exempt")


def test_cells_that_could_not_run_are_not_counted_as_compared(tmp_path):
    write(tmp_path / "a.ipynb", code("print(1)", printed("1\n")))
    done = pytest_on(tmp_path, *PLUGIN, "--nbval-kernel-name", "no-such-kernel")
    assert done.returncode == 1
    assert done.stdout.rstrip().endswith("\n1 cells, 0 compared, 0 exempt")


def test_plain_nbval_runs_the_cells_in_order_too(tmp_path):
    notebook_that_passes(tmp_path / "chapters" / "a.ipynb")
    conftest = (ROOT / "chapters" / "conftest.py").read_text(encoding="utf-8")
    (tmp_path / "chapters" / "conftest.py").write_text(conftest, encoding="utf-8")
    done = pytest_on(tmp_path, "--nbval-lax")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^20 passed", done.stdout, re.MULTILINE)
    assert "compared" not in done.stdout


def test_cells_of_one_notebook_are_never_spread_over_workers(tmp_path):
    done = pytest_on(tmp_path, *PLUGIN, "-n", "2")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--dist loadfile" in done.stderr
