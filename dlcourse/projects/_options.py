"""What the programs of the worked projects share: options, and care for what they write."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlcourse.datasets import DataError
from dlcourse.training import CheckpointError

import torch


def add_run_options(add: Callable[..., Any]) -> None:
    """`--seed --device --precision --resume --restart --out`; `add` is `parser.add_argument`."""
    add(
        "--seed",
        help="of weights, order and augmentation (default: 0)",
        type=seed_number,
        default=0,
    )
    add("--device", help="auto (default), cpu, cuda, cuda:1, mps", default="auto")
    add(
        "--precision",
        help="of the network; auto (default): bfloat16 where the hardware has it",
        choices=["auto", "float32", "bfloat16"],
        default="auto",
    )
    add("--resume", help="go on where an interrupted run stopped", action="store_true")
    add("--restart", help="throw an interrupted run away and start anew", action="store_true")
    add("--out", help="the result (default: in the folder runs)", type=Path, metavar="FILE")


def told(program: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """`program(args)`, its exit code; what a user can mend is told in one line, and gives 1."""
    try:
        return program(args)
    except (DataError, CheckpointError, FloatingPointError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def interrupted(file: Path) -> int:
    kept = f"go on with --resume; what is done is in {file}" if file.exists() else "nothing to keep"
    print(f"\ninterrupted; {kept}", file=sys.stderr)
    return 130


def decide_about(file: Path, args: argparse.Namespace) -> None:
    """Hours of work are not thrown away because somebody forgot an option."""
    if file.exists() and args.restart and not args.resume:
        file.unlink()
    elif file.exists() and not args.resume:
        raise FileExistsError(f"{file} is there: choose --resume to go on, --restart to start anew")


def writable(out: Path) -> Path:
    """The same path; raises now, and not after the training, if it cannot be written."""
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.is_dir() or not os.access(out.parent, os.W_OK):
        raise PermissionError(f"{out} cannot be written")
    return out


def positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def seed_number(text: str) -> int:
    if not 0 <= (value := int(text)) < 2**32:
        raise argparse.ArgumentTypeError(f"must be from 0 to 2**32 - 1, got {value}")
    return value


def find_device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"--device {name}: {str(error).splitlines()[0]}") from error
    return name


def find_precision(name: str, device: str) -> torch.dtype | None:
    """None for float32.  Where the hardware has no bfloat16, bfloat16 is the slower of the two."""
    if name == "auto":
        on_gpu = device.startswith("cuda")
        fast = torch.cuda.is_bf16_supported() if on_gpu else _processor_has_bfloat16()
        return torch.bfloat16 if fast else None
    return torch.bfloat16 if name == "bfloat16" else None


def _processor_has_bfloat16() -> bool:
    flags = Path("/proc/cpuinfo")
    text = flags.read_text() if flags.exists() else ""
    return "avx512_bf16" in text or "amx_bf16" in text
