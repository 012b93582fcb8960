"""What programs ask about other processes that train with them: there are none."""

from dlcourse.mini._errors import NO_GROUP, refusing


def is_available():
    """False: mini computes in one process."""
    return False


def is_initialized():
    """False: there is no process group."""
    return False


def init_process_group(*args, **kwargs):
    """Refused: mini computes in one process."""
    raise RuntimeError("mini computes in one process and has no process groups")


NEEDS_A_GROUP = """
    all_gather all_reduce barrier broadcast destroy_process_group get_backend get_rank
    get_world_size reduce
"""
globals().update(refusing(NEEDS_A_GROUP, ValueError, NO_GROUP))

__all__ = ["init_process_group", "is_available", "is_initialized", *NEEDS_A_GROUP.split()]
