"""Run every test and record how it went, for the page how_this_book_is_tested.

    python -m dlcourse.book.record        about ten minutes; writes data/results/tests.json

It runs what `make test` runs. Then it plants a bug in a copy of the package, runs a notebook
against that copy, and records what the comparison says. It records nothing if a test fails, or if
the bug goes unnoticed.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path

from dlcourse.projects._record import circumstances, write_record

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "data" / "results" / "tests.json"
NOTEBOOK = ["-p", "dlcourse.book.compare", "--nbval"]
SUITES = {
    "unit": ["--ignore=tests/test_book.py", "tests"],
    "notebooks": [*NOTEBOOK, "chapters"],
    "site": ["tests/test_book.py"],
}
PLANTED = {
    "file": "dlcourse/mini/ops/pointwise.py",
    "right": "grad_output * (n * x ** (n - 1))",
    "wrong": "grad_output * (n * x ** n)",
    "notebook": "chapters/foundations/autograd.ipynb",
}


def main() -> int:
    seed = random.SystemRandom().randrange(2**32)  # of the order of the tests
    record = {"what": "all tests, and one planted bug"}
    record |= circumstances("cpu") | {"command": "python -m dlcourse.book.record", "seed": seed}
    for name, arguments in SUITES.items():
        print(f"{name} ...", flush=True)
        record[name] = run(ROOT, [*arguments, f"--randomly-seed={seed}"])
        if record[name]["failed"]:
            print(record[name]["said"], f"{name}: a test failed, so nothing is recorded.", sep="\n")
            return 1
        del record[name]["said"], record[name]["report"]
    print("a planted bug ...", flush=True)
    record["planted"] = planted = PLANTED | plant(**PLANTED)
    if not planted["failed"]:
        print("The planted bug went unnoticed, so nothing is recorded.")
        return 1
    record["minutes"] = round(sum(record[name]["seconds"] for name in SUITES) / 60, 1)
    RECORD.parent.mkdir(exist_ok=True)
    write_record(RECORD, record)
    print(f"{RECORD.relative_to(ROOT)} is written.")
    return 0


def run(folder: Path, arguments: list[str]) -> dict:
    """Run pytest on a copy of the repository, or on itself, and count."""
    with tempfile.TemporaryDirectory() as scratch:
        report, started = Path(scratch, "report.xml"), time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *arguments]
        environment = os.environ | {"PYTHONPATH": str(folder), "CUDA_VISIBLE_DEVICES": ""}
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        seconds = round(time.monotonic() - started)
        suite = ET.parse(report).getroot().find("testsuite")
        counts = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
        messages = [node.text for node in suite.iter("failure")]
    result = {
        "tests": counts["tests"],
        "failed": counts["failures"] + counts["errors"],
        "skipped": counts["skipped"],
        "seconds": seconds,
        "said": ran.stdout[-4000:] + ran.stderr[-1000:],
    }
    if closing := re.search(r"(\d+) cells, (\d+) compared, (\d+) exempt", ran.stdout):
        names = ("cells", "compared", "exempt")
        result |= {name: int(count) for name, count in zip(names, closing.groups(), strict=True)}
    # The shortest report on outputs that differ, without the colours of the terminal.
    messages = [re.sub(r"(?:#x1B|\x1b)\[[\d;]*m", "", message).strip() for message in messages]
    result["report"] = min((m for m in messages if "  stored: " in m), key=len, default="")
    return result


def plant(file: str, right: str, wrong: str, notebook: str) -> dict:
    """What the comparison of a notebook says of a package in which `right` became `wrong`."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "copy")
        copy.mkdir()
        for name in ("dlcourse", "data"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", notebook, "chapters/conftest.py"):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
        source = (copy / file).read_text("utf-8")
        if source.count(right) != 1:
            raise SystemExit(f"{file} has {source.count(right)} times: {right}")
        (copy / file).write_text(source.replace(right, wrong), encoding="utf-8")
        result = run(copy, [*NOTEBOOK, notebook])
    result.pop("said")
    return result


if __name__ == "__main__":
    sys.exit(main())
