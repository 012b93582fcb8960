"""Keep freed memory instead of handing it back to the system.

NumPy asks the C library for memory anew for every result.  glibc maps each large block from the
system and unmaps it when it is freed, and the system clears every page of it at first touch: a
tenth to a third of the time of a training step.  Told to keep what is freed, glibc hands the same
warm memory out again.  The process then holds on to its peak, as it does with torch on a GPU.

It concerns the whole process.  `DLCOURSE_KEEP_MEMORY=0` in the environment, before the import,
leaves glibc as it is; where there is no glibc, nothing is done.
Source: mallopt(3).
"""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
# Blocks up to 32 MiB, the most that glibc allows, come from the heap, which grows by 64 MiB and
# is never trimmed.
SETTINGS = {M_MMAP_THRESHOLD: 32 << 20, M_TOP_PAD: 64 << 20, M_TRIM_THRESHOLD: 1 << 30}


def keep_freed_memory() -> bool:
    """Ask glibc to keep freed memory; returns whether it does."""
    if os.environ.get("DLCOURSE_KEEP_MEMORY", "1") == "0" or not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return all(mallopt(name, value) == 1 for name, value in SETTINGS.items())
