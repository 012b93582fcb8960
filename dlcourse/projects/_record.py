"""What every recorded run states: how to repeat it, and what its figures come from."""

from __future__ import annotations

import datetime
import json
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

import dlcourse
from dlcourse.training import atomic_write

import numpy as np
import torch


def circumstances(device: str, command: str | None = None) -> dict[str, Any]:
    """Command, date, versions and hardware of this run; no names of machines or folders.

    `command`: what to type for the same figures, where that is no `python -m dlcourse`.
    """
    return {
        "command": command or _command(sys.argv[1:]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "versions": {
            "dlcourse": dlcourse.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__.split("+")[0],
            "numpy": np.__version__,
        },
        "hardware": {
            "processor": _processor(),
            "threads": torch.get_num_threads(),
            "gpu": torch.cuda.get_device_name(device) if device.startswith("cuda") else None,
        },
    }


def _command(arguments: list[str]) -> str:
    """What to type for the same figures: without what says only where they go or how they came."""
    kept, rest = [], iter(arguments)
    for argument in rest:
        if argument == "--out":
            next(rest, None)
        elif argument not in ("--resume", "--restart") and not argument.startswith("--out="):
            kept.append(argument)
    return shlex.join(["python", "-m", "dlcourse", *kept])


def _processor() -> str:
    """The processor's model, where the system tells it, and how many of its cores we may use."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = models[0] if models else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def write_record(path: str | os.PathLike, record: dict[str, Any]) -> None:
    """Write a record as JSON, atomically, one line a key: a changed run is a readable diff."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in record.items()]
    with atomic_write(path, "w") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


def read_record(path: str | os.PathLike) -> dict[str, Any]:
    """Read a record.  Raises ValueError if the file is not one."""
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is damaged or no record ({error})") from error
