"""Python's own processes under torch's name; a tensor that goes from one to another is copied."""

# NB: in torch processes may share the memory of a tensor; mini sends a copy.

from multiprocessing import (
    Event,
    Lock,
    Manager,
    Pipe,
    Pool,
    Process,
    Queue,
    SimpleQueue,
    cpu_count,
    get_context,
    get_start_method,
    set_start_method,
)

__all__ = [
    "Event", "Lock", "Manager", "Pipe", "Pool", "Process", "Queue", "SimpleQueue", "cpu_count",
    "get_context", "get_start_method", "set_start_method", "spawn",
]  # fmt: skip


def spawn(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn"):
    """Call `fn(i, *args)` in `nprocs` processes, and wait for them; without `join` return them."""
    context = get_context(start_method)
    processes = [context.Process(target=fn, args=(i, *args), daemon=daemon) for i in range(nprocs)]
    for process in processes:
        process.start()
    if not join:
        return processes
    for process in processes:
        process.join()
    for i, process in enumerate(processes):
        if process.exitcode:
            raise RuntimeError(f"process {i} terminated with exit code {process.exitcode}")
    return None
