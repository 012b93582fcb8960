"""One side of a comparison, in a process of its own: `python -m benchmarks.worker mini`.

It answers each line that it reads, in JSON: the name of a workload, or "product of" and a name, by
the growth of memory in MB when that is begun, an empty line by the seconds that one more run of it
took, and the word `where` by what the time of mini's run goes to.
"""

import ctypes
import gc
import importlib
import json
import os
import sys
import time
from pathlib import Path

from benchmarks.workloads import PRODUCTS, WORKLOADS

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident() -> dict[str, int]:
    """The memory of this process in kB: VmRSS now, VmHWM at most."""
    lines = (line.split() for line in STATUS.read_text().splitlines())
    return {key.rstrip(":"): int(value[0]) for key, *value in lines if value[-1:] == ["kB"]}


def peak_growth(work) -> float | None:
    """By how many MB memory grows at most while `work` is done; None where Linux does not tell."""
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # hand back what is free
        CLEAR.write_text("5")  # from now on VmHWM is the peak since now
    except (OSError, AttributeError):
        return None
    before = resident()["VmRSS"]
    work()
    return (resident()["VmHWM"] - before) * 1024 / 1e6


def prepare(f, name: str):
    """A workload, ready to be timed; how often in a row it is done; the growth of memory."""
    product = name.startswith("product of ")
    _, build, number = PRODUCTS[name.split()[-1]] if product else WORKLOADS[name]
    build(f)()  # libraries load their code and prepare themselves
    growth = peak_growth(lambda: build(f)())
    work = build(f)
    work()
    return work, number, growth


def seconds(work, number: int) -> float:
    start = time.perf_counter()
    for _ in range(number):
        work()
    return (time.perf_counter() - start) / number


def main(framework: str) -> None:
    f = importlib.import_module({"mini": "dlcourse.mini", "torch": "torch"}[framework])
    if framework == "torch":
        f.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    work = number = None
    for line in sys.stdin:
        if line == "where\n":
            from benchmarks.where import shares  # which imports mini

            answer = shares(work)
        elif line.strip():
            work, number, answer = prepare(f, line.strip())
        else:
            answer = seconds(work, number)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
