"""What a test draws from an engine's own generator is the same in every run and every order."""

import sys

import pytest


@pytest.fixture(autouse=True)
def _seeded():
    for name in ("torch", "dlcourse.mini"):  # those that are imported
        if name in sys.modules:
            sys.modules[name].manual_seed(0)
