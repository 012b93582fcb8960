"""Worker processes of the DataLoader: one executor of one process each, asked in turn.

Batch number i is made by worker i % num_workers, whatever the speed of each: with the same seed
the same numbers come.
"""

import os
import pickle
import random
import signal
import traceback
import warnings
from collections import deque
from dataclasses import dataclass
from itertools import cycle

from dlcourse.mini.ops.creation import manual_seed

import numpy as np


@dataclass(frozen=True)
class WorkerInfo:
    """The number of this worker, how many there are, its seed, and its copy of the data set."""

    id: int
    num_workers: int
    seed: int
    dataset: object


class EndOfStream(Exception):
    """A stream has no more samples."""


# What this process, if it is a worker, was given at its start.
_here = {"info": None}


def get_worker_info():
    """The WorkerInfo of this worker process; None in the main process."""
    return _here["info"]


# -- in the worker ---------------------------------------------------------------------------------


def _receive(info, fetcher, worker_init_fn):
    _here.update(info=info, fetcher=fetcher, worker_init_fn=worker_init_fn)


def _reported(function, *args):
    """("data", result) or ("error", type, traceback), which another process can raise."""
    try:
        return "data", function(*args)
    except EndOfStream:
        return ("end",)
    except Exception as error:
        kind = type(error)
        try:
            pickle.dumps(kind)
        except Exception:
            kind = RuntimeError
        return "error", kind, traceback.format_exc()


def _begin():
    info, start = _here["info"], _here["worker_init_fn"]
    random.seed(info.seed)
    manual_seed(info.seed)
    np.random.seed(info.seed % 2**32)

    def begin():
        if start is not None:
            start(info.id)

    return os.getpid(), _reported(begin)


def _rewind():
    _here["fetcher"].rewind()


def _fetch(indices):
    return _reported(_here["fetcher"].fetch, indices)


# -- in the main process ---------------------------------------------------------------------------


class Workers:
    """The processes, and the batches that were asked of them and not yet delivered."""

    def __init__(self, loader, fetcher, seed):
        self.timeout, self.ahead = loader.timeout or None, loader.prefetch_factor
        self.pids, self.executors = [], []
        context = _context(loader.multiprocessing_context)
        from concurrent.futures import ProcessPoolExecutor  # not there in a browser

        for i in range(loader.num_workers):
            info = WorkerInfo(i, loader.num_workers, seed + i, loader.dataset)
            given = info, fetcher, loader.worker_init_fn
            self.executors.append(
                ProcessPoolExecutor(1, context, initializer=_receive, initargs=given)
            )
        starts = [self._submit(executor, _begin) for executor in self.executors]
        for number, start in enumerate(starts):
            pid, report = self._result(start)
            self.pids.append(pid)
            self._open(report, number)

    @staticmethod
    def _submit(executor, function, *args):
        with warnings.catch_warnings():
            # Each executor has a thread; the processes that are forked after it do not use it.
            warnings.filterwarnings("ignore", "This process .* is multi-threaded")
            return executor.submit(function, *args)

    def rewind(self):
        """Begin again from the start of the data."""
        for rewound in [self._submit(executor, _rewind) for executor in self.executors]:
            self._result(rewound)

    def batches(self, tasks):
        """What the workers make of the tasks, in their order, some of it made ahead."""
        tasks, turns = iter(tasks), cycle(range(len(self.executors)))
        pending, over = deque(), set()

        def ask():
            """Give the next task to the next worker that has not come to the end of its data."""
            while len(over) < len(self.executors):
                number = next(turns)
                if number in over:
                    continue
                for task in tasks:
                    pending.append((number, self._submit(self.executors[number], _fetch, task)))
                    return
                return

        for _ in range(max(1, self.ahead) * len(self.executors)):
            ask()
        while pending:
            number, future = pending.popleft()
            report = self._result(future)
            if report[0] == "end":
                over.add(number)
            ask()
            if report[0] != "end":
                yield self._open(report, number)

    def _result(self, future):
        from concurrent.futures import BrokenExecutor
        from concurrent.futures import TimeoutError as TimedOut

        try:
            return future.result(self.timeout)
        except TimedOut:
            self.stop(kill=True)
            raise RuntimeError(f"DataLoader timed out after {self.timeout} seconds") from None
        except BrokenExecutor as error:
            pids = ", ".join(str(pid) for pid in self.pids)
            self.stop(kill=True)
            raise RuntimeError(
                f"DataLoader worker (one of the pids {pids}) exited unexpectedly"
            ) from error

    @staticmethod
    def _open(report, number):
        """The data, or the worker's error raised here."""
        if report[0] == "data":
            return report[1]
        _, kind, text = report
        message = f"Caught {kind.__name__} in DataLoader worker process {number}.\nOriginal {text}"
        if kind is KeyError:
            message = _Message(message)  # KeyError shows the repr of its argument
        try:
            error = kind(message)
        except Exception:
            error = RuntimeError(message)
        raise error from None

    def stop(self, kill=False):
        """End the processes: when they have finished what they do, or at once."""
        for pid in self.pids if kill else ():
            try:
                os.kill(pid, signal.SIGTERM)
            except OSError:  # it is gone already
                pass
        for executor in self.executors:
            executor.shutdown(wait=not kill, cancel_futures=True)


class _Message(str):
    __slots__ = ()

    def __repr__(self):
        return str(self)


def _context(given):
    """The way processes are started: the platform's own, or the one that was named."""
    try:
        import multiprocessing
        import multiprocessing.synchronize  # fails where there are no processes
    except ImportError as error:
        raise RuntimeError(
            "this platform has no worker processes: use num_workers=0, which loads in this one"
        ) from error
    if given is None or not isinstance(given, str):
        return given
    methods = multiprocessing.get_all_start_methods()
    if given not in methods:
        raise ValueError(
            "multiprocessing_context option should specify a valid start method in "
            f"{methods!r}, but got multiprocessing_context={given!r}"
        )
    return multiprocessing.get_context(given)
