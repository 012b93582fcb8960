"""Run every test and record how it went, for the page how_this_book_is_tested.

    python -m dlcourse.book.record        about ten minutes; writes data/results/tests.json

It plants a bug in a copy of the package, runs a notebook against that copy, and keeps what the
comparison says; then it runs what `make test` runs. It records nothing if a test fails, or if the
bug goes unnoticed.
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
SHARED = ["-n", "2", "--dist", "loadfile"]  # as in the Makefile
SUITES = {
    "unit": [*SHARED, "--ignore=tests/test_book.py", "tests"],
    "notebooks": [*SHARED, *NOTEBOOK, "chapters"],
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
    print("a planted bug ...", flush=True)
    record["planted"] = PLANTED | plant(**PLANTED)
    if not record["planted"]["failed"]:
        print("The planted bug went unnoticed, so nothing is recorded.")
        return 1
    del record["planted"]["said"]
    RECORD.parent.mkdir(exist_ok=True)
    before = RECORD.read_bytes() if RECORD.exists() else None
    try:
        for name, arguments in SUITES.items():
            print(f"{name} ...", flush=True)
            # The page that shows the record is part of the site, which is tested last.
            record |= {"site": {"tests": 0, "failed": 0}, "minutes": minutes(record)}
            write_record(RECORD, record)
            record[name] = run(ROOT, [*arguments, f"--randomly-seed={seed}"])
            said = record[name].pop("said")
            del record[name]["report"]
            if record[name]["failed"] or not record[name]["tests"]:
                print(said, f"{name}: not all went well, so nothing is recorded.", sep="\n")
                return 1
        record["minutes"] = minutes(record)
        write_record(RECORD, record)
        before = RECORD.read_bytes()
    finally:
        if before is None:
            RECORD.unlink(missing_ok=True)
        else:
            RECORD.write_bytes(before)
    print(f"{RECORD.relative_to(ROOT)} is written.")
    return 0


def minutes(record: dict) -> float:
    return round(sum(record.get(name, {}).get("seconds", 0) for name in SUITES) / 60, 1)


def run(folder: Path, arguments: list[str]) -> dict:
    """Run pytest on a copy of the repository, or on itself, and count."""
    with tempfile.TemporaryDirectory() as scratch:
        report, started = Path(scratch, "report.xml"), time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *arguments]
        environment = os.environ | {"PYTHONPATH": str(folder), "CUDA_VISIBLE_DEVICES": ""}
        environment.pop("DLCOURSE_SITE", None)  # the site is built for the test, from what is here
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        seconds = round(time.monotonic() - started)
        if not report.exists():
            raise SystemExit(f"pytest did not run:\n{ran.stdout[-4000:]}{ran.stderr[-4000:]}")
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
        return run(copy, [*NOTEBOOK, notebook])


if __name__ == "__main__":
    sys.exit(main())
