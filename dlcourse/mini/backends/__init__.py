"""The switches of libraries that mini does without, so that programs may set them: nothing changes.

mini computes with NumPy alone; which library multiplies NumPy's matrices was settled when NumPy
was built.
"""

from dlcourse.mini.backends import cuda, cudnn, mps

__all__ = ["cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum"]


class Backend:
    """A library that is not there."""

    def __init__(self, **switches):
        vars(self).update(switches)

    def is_available(self):
        """False: mini computes with NumPy alone."""
        return False


# NB: in torch these libraries are there on most computers.
mkl, openmp = Backend(), Backend()
mkldnn, opt_einsum = Backend(enabled=False), Backend(enabled=False, strategy=None)
