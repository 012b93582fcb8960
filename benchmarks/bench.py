"""mini against torch on the workloads W1 to W7, with one thread and with two: time and memory.

    python -m benchmarks.bench

Each framework has a process for each number of threads. In turn they do one repetition, so that
whatever else the machine does befalls both; what counts is the ratio of the medians. The table is
written to ``data/results/bench.json``, and the page ``reference/speed`` shows it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks.workloads import PRODUCTS, WORKLOADS
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
    """A process that does workloads when it is asked to."""

    def __init__(self, framework: str, threads: int):
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        settings = dict.fromkeys(LIBRARIES, str(threads)) | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "CUDA_VISIBLE_DEVICES": "",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", framework],
            env=os.environ | settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, line: str) -> float | dict | None:
        """Its answer to a line: see `worker.py`."""
        try:
            print(line, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # the answer will be missing
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.process.args} ended with code {self.process.wait()}")
        return json.loads(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def compare(name: str, workers: dict, repetitions: int) -> dict:
    """One line of the table: milliseconds, their ratio, the growth of memory in MB; where it goes.

    "where" is that of mini, with one thread, in percent of its time.
    """
    entry = {"what": WORKLOADS[name][0], "target": TARGETS[name]}
    entry |= {words: {"ratio": "busy"} for words in THREADS}
    for words, pair in workers.items():
        times, memory = side_by_side(name, pair, repetitions)
        median = {f: statistics.median(times[f]) for f in FRAMEWORKS}
        entry[words] = {f: figures(1000 * median[f]) for f in FRAMEWORKS}
        entry[words]["ratio"] = round(median["mini"] / median["torch"], 2)
        entry[words]["memory"] = {f: memory[f] and round(memory[f], 1) for f in FRAMEWORKS}
    entry["where"] = workers["one"]["mini"].ask("where")
    if name in PRODUCTS:
        times, _ = side_by_side(f"product of {name}", workers["one"], repetitions)
        ours, theirs = (statistics.median(times[f]) for f in FRAMEWORKS)
        entry["product"] = {"what": PRODUCTS[name][0], "ratio": round(ours / theirs, 2)}
    entry["reached"] = "yes" if entry["one"]["ratio"] <= entry["target"] else "no"
    return entry


def side_by_side(name: str, pair: dict, repetitions: int) -> tuple[dict, dict]:
    """The seconds of each repetition by framework, in turn; the growth of memory before."""
    memory = {f: worker.ask(name) for f, worker in pair.items()}
    times = {f: [] for f in pair}
    for _ in range(repetitions):
        for f, worker in pair.items():
            times[f].append(worker.ask(""))
    return times, memory


def figures(number: float) -> float:
    """Three significant digits."""
    return float(f"{number:.3g}")


HEAD = f"{'':28} target    one    two   memory (MB)  where mini's time goes (%)"


def line(name: str, entry: dict) -> str:
    """An entry as text."""
    memory = " ".join(str(entry["one"]["memory"][f]) for f in FRAMEWORKS)
    ratios = [entry["target"], *(entry[words]["ratio"] for words in THREADS)]
    where = " ".join(f"{kind} {share}" for kind, share in entry["where"].items())
    columns = "".join(f"{r!s:>7}" for r in ratios)
    return f"{name} {entry['what']:25}{columns}   {memory:12} {where}"


def run(repetitions: int, names=tuple(WORKLOADS)) -> dict:
    """The record; `load` is how many programs wanted a core before it began."""
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else 0.0
    record = circumstances("cpu", COMMAND) | {"load": load, "repetitions": repetitions}
    with ExitStack() as stack:
        workers = {
            words: {f: stack.enter_context(Worker(f, threads)) for f in FRAMEWORKS}
            for words, threads in THREADS.items()
            if threads == 1 or load < os.cpu_count()  # else threads would wait for each other
        }
        print(HEAD)
        for name in names:
            record[name] = compare(name, workers, repetitions)
            print(line(name, record[name]), flush=True)
    return record


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--out", type=Path, default=RECORD)
    args = parser.parse_args()
    write_record(args.out, run(args.repetitions))


if __name__ == "__main__":
    main()
