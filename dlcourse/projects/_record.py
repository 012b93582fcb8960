"""What every recorded run states: how to repeat it, and where its figures come from."""

from __future__ import annotations

import datetime
import json
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

from dlcourse.training import atomic_write


def circumstances(device: str) -> dict[str, Any]:
    """Command, date, versions and hardware of this run; no name of the machine or of its folders."""
    import numpy
    import torch

    import dlcourse

    return {
        "command": shlex.join(["python", "-m", "dlcourse", *sys.argv[1:]]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "versions": {
            "dlcourse": dlcourse.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__.split("+")[0],
            "numpy": numpy.__version__,
        },
        "hardware": {
            "processor": _processor(),
            "threads": torch.get_num_threads(),
            "gpu": torch.cuda.get_device_name(device) if device.startswith("cuda") else None,
        },
    }


def _processor() -> str:
    """The processor's model where the system tells it, and how many of its cores we may use."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        name = next(
            (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name
        )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def write_record(path: str | os.PathLike, record: dict[str, Any]) -> None:
    """Write a record as JSON, atomically, one line a key, so that a changed run is a readable diff."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in record.items()]
    with atomic_write(path, "w") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
