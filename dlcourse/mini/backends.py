"""The switches of other computers' libraries, so that programs may set them: they do nothing."""

__all__ = ["cudnn", "mps"]


class Backend:
    """A library that is not there."""

    def __init__(self, **switches):
        vars(self).update(switches)

    def is_available(self):
        """False: mini computes with NumPy alone."""
        return False


cudnn = Backend(enabled=True, benchmark=False, deterministic=False)
mps = Backend()
