"""Where mini's time goes: one run of a workload, timed line by line.

Each line of the package is of a kind, by its place and by what it calls. NumPy's work is measured
on the lines that do it; Python's is the rest of a run without tracing, which slows Python alone.
A line pays for reading the clock, a tenth of a microsecond; a busy machine spoils the shares.
"""

import linecache
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from dlcourse import mini
from dlcourse.mini._core import run_backward

PACKAGE = str(Path(mini.__file__).parent)
# What a line of an operation or optimiser does, the first that fits; what is left is Python.
WORK = {
    "products": r" @ |matmul\(",
    "copies": r"copy|contiguous|np\.(empty|zeros|ones|full)|astype|concatenate|\] = ",
    "arrays": r"np\.| [-+*/&|]=? |\.(sum|max|min|mean|reduce)\(",
}
LONG = 0.1  # seconds; tracing makes Python thirty times as slow, so of such a run one will do
KINDS = (*WORK, "forward", "backward", "update")


class Lines:
    """For sys.settrace: `seconds` of each (file, line, whether backward was running)."""

    def __init__(self, clock: Callable[[], float]):
        self.clock, self.seconds, self.depth = clock, Counter(), 0
        self.at, self.since = ("", 0, False), clock()

    def __call__(self, frame, event, arg):
        now = self.clock()
        self.seconds[self.at] += now - self.since
        ours = frame.f_code.co_filename.startswith(PACKAGE)
        if event == "call" and not ours:  # NumPy's or the workload's: part of the line that called
            self.since = self.clock()
            return None
        if frame.f_code is run_backward.__code__:
            self.depth += (event == "call") - (event == "return")
        if event == "return":
            frame = frame.f_back
        self.at = frame.f_code.co_filename, frame.f_lineno, self.depth > 0
        self.since = self.clock()
        return self


def kind(file: str, number: int, backward: bool) -> str:
    """What a line does: one of KINDS."""
    place = Path(file).relative_to(PACKAGE).parts[0] if file.startswith(PACKAGE) else ""
    if place == "optim":
        return "update"
    line = linecache.getline(file, number)
    if place == "ops" and ".apply(" not in line:
        for name, pattern in WORK.items():
            if re.search(pattern, line):
                return name
    return "backward" if backward else "forward"


def traced(work: Callable[[], None], clock: Callable[[], float] = time.perf_counter) -> Counter:
    """The seconds of each kind in one run under tracing."""
    lines = Lines(clock)
    sys.settrace(lines)
    try:
        work()
    finally:
        sys.settrace(None)
    seconds = Counter()
    for at, time_there in lines.seconds.items():
        seconds[kind(*at)] += time_there
    return seconds


def shares(work: Callable[[], None], repetitions: int = 3) -> dict[str, int]:
    """The percentages of the kinds; of each kind counts the least that it took in a run."""
    runs, whole = [], []
    while len(runs) < repetitions:
        start = time.perf_counter()
        work()
        whole.append(time.perf_counter() - start)
        runs.append(traced(work))
        if whole[-1] > LONG:
            break
    return divided(least(runs), min(whole))


def least(runs: list[Counter]) -> dict[str, float]:
    """The seconds of each kind in the run where it took least: what disturbs comes on top."""
    return {name: min(run[name] for run in runs) for name in KINDS}


def divided(seconds: dict[str, float], whole: float) -> dict[str, int]:
    """Percentages, when Python has what NumPy and the optimiser leave of a whole run."""
    python = seconds["forward"] + seconds["backward"]
    rest = max(0.0, whole - sum(seconds.values()) + python)
    scaled = {name: seconds[name] * rest / python for name in ("forward", "backward")}
    seconds = seconds | scaled
    return {name: round(100 * seconds[name] / sum(seconds.values())) for name in KINDS}
