"""Measure what each form of a graph costs: the first call, every further call, the kernels made.

The chapter `chapters/foundations/computation_graphs.ipynb` reads the record. The same function runs
eagerly, as a `torch.fx` trace, as an exported program, and compiled: by a backend that changes
nothing, and by Inductor, which writes and compiles C++ (and so needs a C++ compiler). All times are
processor times of one thread: waiting for other programs does not count, and since these can only
slow a call down, through the caches, the least of many measurements is kept.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from typing import Any

from dlcourse.projects._record import circumstances, write_record

import torch
from torch import nn


class Chain(nn.Module):
    """Twenty pointwise operations in a row: no matrix product, so memory traffic is all."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(5):
            x = (x * 1.1 + 0.1).abs() - 0.2
        return x


class Released(nn.Module):
    """The same twenty operations; each value is let go as soon as it has been used."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(5):
            scaled = x * 1.1
            x = None
            shifted = scaled + 0.1
            scaled = None
            positive = shifted.abs()
            shifted = None
            x = positive - 0.2
            positive = None
        return x


class InPlace(nn.Module):
    """The same twenty operations in one buffer: the same traffic, but no memory to be found."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        for _ in range(5):
            x.mul_(1.1).add_(0.1).abs_().sub_(0.2)
        return x


class MLP(nn.Module):
    """784-256-10 with ReLU: almost all of its work is in two matrix products."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.Linear(784, 256), nn.Linear(256, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.hidden(x).relu())  # (B, 784) -> (B, K)


WORK = {  # name: (module, shape of its input)
    "large": (Chain, (1 << 20,)),
    "released": (Released, (1 << 20,)),
    "in_place": (InPlace, (1 << 20,)),
    "mlp": (MLP, (128, 784)),
    "small": (Chain, (8,)),
}

FORMS: dict[str, Callable[[nn.Module, torch.Tensor], Callable]] = {
    "eager": lambda module, x: module,
    "fx": lambda module, x: torch.fx.symbolic_trace(module),
    "export": lambda module, x: torch.export.export(module, (x,)).module(),
    "compile_eager": lambda module, x: torch.compile(module, backend="eager"),
    "compile_inductor": lambda module, x: torch.compile(module),
}


def with_children() -> float:
    """Processor seconds of this process and of those it waited for, such as the C++ compiler."""
    return sum(os.times()[:4])


def seconds(function: Callable, x: torch.Tensor, budget: float = 0.05) -> float:
    """Processor seconds a call, over as many calls as fit into about `budget` seconds."""
    start = time.process_time()
    function(x)
    calls = max(1, int(budget / (time.process_time() - start)))
    start = time.process_time()
    for _ in range(calls):
        function(x)
    return (time.process_time() - start) / calls


def measure(name: str, rounds: int) -> dict[str, Any]:
    """{form: first call in seconds, further calls in microseconds and against eager}."""
    make, shape = WORK[name]
    torch.manual_seed(0)
    module, x = make(), torch.randn(shape)
    wanted, made, figures = module(x), {}, {}
    for form, build in FORMS.items():
        torch.compiler.reset()
        torch._inductor.metrics.reset()
        start = with_children()
        made[form] = build(module, x)
        got = made[form](x)
        figures[form] = {"first_s": with_children() - start}
        figures[form]["kernels"] = torch._inductor.metrics.generated_kernel_count
        torch.testing.assert_close(got, wanted)
    times = {form: [] for form in FORMS}
    order = list(FORMS)
    for _ in range(rounds):  # interleaved and in turn, so that a busy moment meets all forms
        for form in order:
            times[form].append(seconds(made[form], x))
        order = order[1:] + order[:1]
    for form, found in times.items():
        figures[form]["call_us"] = 1e6 * min(found)
    for row in figures.values():
        row["ratio"] = row["call_us"] / figures["eager"]["call_us"]
        row["speedup"] = figures["eager"]["call_us"] / row["call_us"]
        row["speedup_fx"] = figures["fx"]["call_us"] / row["call_us"]
    return figures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=60, help="interleaved rounds (%(default)s)")
    parser.add_argument("--out", help="where to write the record, such as data/results/NAME.json")


def main(args: argparse.Namespace) -> int:
    import torch._inductor.config
    import torch._inductor.metrics

    torch._inductor.config.force_disable_caches = True  # a first call is a first call
    torch._inductor.config.compile_threads = 1  # so that the compiler is waited for, and counted
    warnings.filterwarnings("ignore", message="dynamo_pgo force disabled")
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    torch.compile(lambda x: x + 1)(torch.zeros(3))  # loads the compiler itself
    record = circumstances("cpu") | {"seed": 0, "rounds": args.rounds}
    for name in WORK:
        record[name] = measure(name, args.rounds)
        for form, row in record[name].items():
            print(f"{name:8} {form:17}", {key: round(value, 4) for key, value in row.items()})
    large = record["large"]["eager"]
    for name in ("released", "in_place"):
        eager = record[name]["eager"]
        eager["over_large"] = eager["call_us"] / large["call_us"]
    if args.out:
        write_record(args.out, record)
    return 0
