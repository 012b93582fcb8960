"""The graphics processor of a Mac, which mini does not use."""


def is_available():
    """False: mini computes on the CPU alone."""
    return False


def is_built():
    """False: mini has nothing for it."""
    return False
