"""One side of a comparison, in a process of its own: `python -m benchmarks.worker mini W1`.

It writes a line when it is ready, the growth of its memory in MB; then, for each line that it
reads, the seconds that one more run of the workload took.
"""

import ctypes
import gc
import importlib
import os
import sys
import time
from pathlib import Path

from benchmarks.workloads import WORKLOADS

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


def main(framework: str, name: str) -> None:
    f = importlib.import_module({"mini": "dlcourse.mini", "torch": "torch"}[framework])
    if framework == "torch":
        f.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    _, build, number = WORKLOADS[name]
    build(f)()  # libraries load their code and prepare themselves
    print(peak_growth(lambda: build(f)()), flush=True)
    work = build(f)
    work()
    for _ in sys.stdin:
        start = time.perf_counter()
        for _ in range(number):
            work()
        print((time.perf_counter() - start) / number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
