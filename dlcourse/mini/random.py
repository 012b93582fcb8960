"""The default generator's state, under the names of torch.random."""

from contextlib import contextmanager

from dlcourse.mini.ops.creation import default_generator, manual_seed
from dlcourse.mini.ops.random import get_rng_state, initial_seed, seed, set_rng_state

__all__ = [
    "default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed",
    "set_rng_state",
]  # fmt: skip


@contextmanager
def fork_rng(devices=None, enabled=True, device_type="cpu"):
    """What is drawn within it does not change what is drawn after it; `devices` may be empty."""
    if devices:
        raise RuntimeError(f"mini computes on the CPU alone; got devices={devices!r}")
    state = get_rng_state() if enabled else None
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)
