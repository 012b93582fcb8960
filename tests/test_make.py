"""What the Makefile says to all that it calls."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
def test_compiled_modules_are_kept_whatever_the_environment_says():
    """Without them every notebook compiled torch and matplotlib anew: a third of the time."""
    rule = "shown: ; @echo [$$PYTHONDONTWRITEBYTECODE]\n"
    make = ["make", "--no-print-directory", "-f", "Makefile", "-f", "-", "shown"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    env |= {"PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(make, input=rule, capture_output=True, text=True, cwd=ROOT, env=env)
    assert (run.stdout, run.returncode) == ("[]\n", 0), run.stderr
