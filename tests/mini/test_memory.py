"""Freed memory is kept, and the reader can say no."""

import subprocess
import sys

from dlcourse.mini import _memory

import pytest

GROWTH = """
import resource
from dlcourse import mini
import numpy as np

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def step():
    activations = [np.ones(1 << 17) for _ in range(16)]

for _ in range(3):
    step()
before = faults()
for _ in range(10):
    step()
print(faults() - before)
"""


def faults(setting):
    environment = {"DLCOURSE_KEEP_MEMORY": setting, "PATH": ""}
    command = [sys.executable, "-c", GROWTH]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not _memory.keep_freed_memory(), reason="no glibc")
def test_memory_is_not_mapped_anew_for_every_result():
    """Ten steps of 16 MiB are 40 000 pages, touched anew each time, or never."""
    assert faults("1") < 100
    assert faults("0") > 1000


def test_the_reader_can_say_no(monkeypatch):
    monkeypatch.setenv("DLCOURSE_KEEP_MEMORY", "0")
    assert not _memory.keep_freed_memory()


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr(sys, "platform", "emscripten")
    assert not _memory.keep_freed_memory()
