"""mini against torch on the workloads W1 to W7, with one thread and with two: time and memory.

    python -m benchmarks.bench

Each framework has a process of its own. In turn each does one repetition, so that whatever else the
machine does befalls both; what counts is the ratio of the medians. The table is written to
``data/results/bench.json``, and the page ``reference/speed`` shows it.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from benchmarks.workloads import WORKLOADS
from dlcourse.projects._record import circumstances, write_record

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "data" / "results" / "bench.json"
COMMAND = "python -m benchmarks.bench"
FRAMEWORKS = ("mini", "torch")
THREADS = {"one": 1, "two": 2}
# How many times torch's time mini may take, with one thread.
TARGETS = {"W1": 1.0, "W2": 1.4, "W3": 1.1, "W4": 1.2, "W5": 1.0, "W6": 0.8, "W7": 1.0}
LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Worker:
    """A process that does a workload when it is asked to."""

    def __init__(self, framework: str, name: str, threads: int):
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        settings = dict.fromkeys(LIBRARIES, str(threads)) | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "CUDA_VISIBLE_DEVICES": "",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", framework, name],
            env=os.environ | settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def answer(self) -> float | None:
        """The next figure that it writes."""
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended with code {self.process.wait()}")
        return None if line == "None\n" else float(line)

    def repeat(self) -> float:
        """The seconds of one run."""
        print(file=self.process.stdin, flush=True)
        return self.answer()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def compare(name: str, repetitions: int) -> dict:
    """One line of the table: milliseconds, their ratio, and the growth of memory in MB."""
    entry = {"what": WORKLOADS[name][0], "target": TARGETS[name]}
    for words, threads in THREADS.items():
        times, memory = side_by_side(name, threads, repetitions)
        median = {f: statistics.median(times[f]) for f in FRAMEWORKS}
        entry[words] = {f: figures(1000 * median[f]) for f in FRAMEWORKS}
        entry[words]["ratio"] = round(median["mini"] / median["torch"], 2)
        entry[words]["memory"] = {f: memory[f] and round(memory[f], 1) for f in FRAMEWORKS}
    entry["reached"] = "yes" if entry["one"]["ratio"] <= entry["target"] else "no"
    return entry


def side_by_side(name: str, threads: int, repetitions: int) -> tuple[dict, dict]:
    """The seconds of each repetition by framework, in turn; the growth of memory before."""
    times = defaultdict(list)
    with Worker("mini", name, threads) as mini, Worker("torch", name, threads) as torch:
        workers = {"mini": mini, "torch": torch}
        memory = {f: worker.answer() for f, worker in workers.items()}
        for _ in range(repetitions):
            for f, worker in workers.items():
                times[f].append(worker.repeat())
    return times, memory


def figures(number: float) -> float:
    """Three significant digits."""
    return float(f"{number:.3g}")


def table(record: dict) -> str:
    lines = [f"{'':28} {'target':>6} {'one':>6} {'two':>6}   memory (MB), mini and torch"]
    for name in WORKLOADS:
        e = record[name]
        memory = " ".join(str(e["one"]["memory"][f]) for f in FRAMEWORKS)
        ratios = f"{e['target']:6} {e['one']['ratio']:6} {e['two']['ratio']:6}"
        lines.append(f"{name} {e['what']:25} {ratios}   {memory}")
    return "\n".join(lines)


def run(repetitions: int, names=tuple(WORKLOADS)) -> dict:
    """The record; `load` is how many programs wanted a core before it began."""
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    record = circumstances("cpu", COMMAND) | {"load": load, "repetitions": repetitions}
    return record | {name: compare(name, repetitions) for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--out", type=Path, default=RECORD)
    args = parser.parse_args()
    record = run(args.repetitions)
    write_record(args.out, record)
    print(table(record))


if __name__ == "__main__":
    main()
