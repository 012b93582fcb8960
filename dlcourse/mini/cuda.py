"""What programs ask about graphics cards: there are none here, and what needs one refuses.

The answers and the error are those of a torch that was built without CUDA.
"""

from dlcourse.mini import amp
from dlcourse.mini._errors import refusing
from dlcourse.mini.ops.typed import AbsentTensorType


def is_available():
    """False: mini computes on the CPU alone."""
    return False


def is_initialized():
    """False: there is nothing to initialise."""
    return False


def is_bf16_supported(including_emulation=True):
    """False: there is no card, and mini has no bfloat16."""
    return False


def device_count():
    """0."""
    return 0


def memory_allocated(device=None):
    """0: no tensor lives on a card."""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated


def manual_seed(seed):
    """Nothing: there is no device to seed."""


def manual_seed_all(seed):
    """Nothing: there is no device to seed."""


def get_rng_state_all():
    """[]: the states of the generators of no card."""
    return []


def set_rng_state_all(new_states):
    """Nothing: there is no generator to set back."""


def empty_cache():
    """Nothing: there is no memory to give back."""


# NB: in torch without CUDA some of these raise an error of another type.
NEEDS_A_CARD = """
    Event Stream current_device current_stream get_device_capability get_device_name
    get_device_properties get_rng_state init mem_get_info reset_peak_memory_stats set_device
    set_rng_state synchronize
"""
globals().update(refusing(NEEDS_A_CARD, AssertionError, "Torch not compiled with CUDA enabled"))

TYPES = "FloatTensor DoubleTensor HalfTensor LongTensor IntTensor ByteTensor BoolTensor"
globals().update({name: AbsentTensorType(f"cuda.{name}") for name in TYPES.split()})

__all__ = [
    "amp", "device_count", "empty_cache", "get_rng_state_all", "is_available", "is_bf16_supported",
    "is_initialized", "manual_seed", "manual_seed_all", "max_memory_allocated",
    "max_memory_reserved", "memory_allocated", "memory_reserved", "set_rng_state_all",
    *NEEDS_A_CARD.split(), *TYPES.split(),
]  # fmt: skip
