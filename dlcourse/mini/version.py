"""The version of torch whose names, defaults and errors mini follows."""

__all__ = ["__version__"]

__version__ = "2.13.0+mini"
cuda = hip = None
