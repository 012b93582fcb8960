"""The doctor in real environments, each a folder of links to installed packages and of fakes."""

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from dlcourse import doctor

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(site, root=ROOT, *options):
    """`python -m dlcourse doctor` where nothing is installed but what lies in the folder `site`."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(site)])}
    command = [sys.executable, "-S", "-m", "dlcourse", "doctor", *options]
    return subprocess.run(command, capture_output=True, text=True, env=env, cwd=site, timeout=120)


def link(package, site):
    """Make an installed package, and nothing that it needs, visible in `site`."""
    files = metadata.distribution(package).files
    for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
        (site / top).symlink_to(metadata.distribution(package).locate_file(top))


def fake(package, version, site, code=""):
    info = site / f"{package}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    (site / f"{package}.py").write_text(code)


def line(report, what):
    (found,) = [text for text in report.splitlines() if text.split()[1:2] == [what]]
    return found


def test_nothing_installed(tmp_path):
    told = run(tmp_path)
    assert told.returncode == 1, told.stderr
    assert (
        line(told.stdout, "numpy")
        == "  MEND numpy                   is not installed, wanted >=2.0"
    )
    assert "MEND shipped" in told.stdout
    assert "-m pip install" in told.stdout


def test_numpy_alone(tmp_path):
    link("numpy", tmp_path)
    told = run(tmp_path)
    assert told.returncode == 1, told.stderr
    assert line(told.stdout, "numpy").startswith("  ok")
    assert "ok   shipped digits" in told.stdout
    assert line(told.stdout, "torch").startswith("  MEND")
    (command,) = [text for text in told.stdout.splitlines() if "torchvision>=" in text]
    assert "-m pip install" in command
    assert "numpy" not in command
    assert line(told.stdout, "pytest").startswith("  note")
    assert line(run(tmp_path, ROOT, "--all").stdout, "pytest").startswith("  MEND")


def test_a_package_that_is_too_old(tmp_path):
    link("numpy", tmp_path)
    fake("tqdm", "4.1.0", tmp_path)
    told = run(tmp_path).stdout
    assert line(told, "tqdm") == "  MEND tqdm                    4.1.0, wanted >=4.66"


def test_torch_that_cannot_be_imported(tmp_path):
    link("numpy", tmp_path)
    fake(
        "torch", "2.13.0", tmp_path, "raise OSError('libtorch.so: cannot open shared object file')"
    )
    told = run(tmp_path)
    assert told.returncode == 1
    assert "cannot be imported: OSError: libtorch.so: cannot open" in told.stdout
    assert "--force-reinstall" in told.stdout


def test_damaged_data(tmp_path):
    site, root = tmp_path / "site", tmp_path / "root"
    site.mkdir()
    link("numpy", site)
    shutil.copytree(ROOT / "dlcourse", root / "dlcourse")
    shutil.copytree(ROOT / "data", root / "data")
    shutil.copy(ROOT / "pyproject.toml", root)
    file = root / "data" / "mnist_5k.npz"
    data = bytearray(file.read_bytes())
    data[1000] ^= 1
    file.write_bytes(data)
    told = run(site, root)
    assert told.returncode == 1
    assert "MEND shipped digits" in told.stdout
    assert "mnist_5k.npz" in told.stdout


def test_this_environment_is_well(capsys):
    pytest.importorskip("torch")
    from dlcourse.__main__ import main

    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "All is well" in told
    assert "starts this Python" in told


def test_a_kernel_of_another_python(monkeypatch):
    pytest.importorskip("jupyter_client")
    monkeypatch.setattr(doctor, "_ask", lambda code: (["/elsewhere/python", "-m", "ipykernel"], ""))
    (finding,) = doctor.check_kernel()
    assert not finding.ok
    assert "/elsewhere/python" in finding.says
    assert "ipykernel install" in finding.mend


@pytest.mark.parametrize(
    ("told", "needs", "ok", "says"),
    [
        ({}, ["torch==2.13.0"], True, "0.28.0 beside torch 2.13.0+cpu"),
        ({"no operators": "nms"}, ["torch==2.13.0"], False, "do not load"),
        ({}, ["numpy", "torch==2.14.0"], False, "it was made for torch==2.14.0"),
    ],
)
def test_torch_and_torchvision_as_a_pair(monkeypatch, told, needs, ok, says):
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: needs)
    told = {"version": "2.13.0+cpu", "torchvision": "0.28.0", **told}
    finding = doctor._torchvision_finding(told)
    assert (finding.ok, finding.counts) == (ok, ok)
    assert says in finding.says


@pytest.mark.parametrize(
    ("version", "specifier", "fits"),
    [
        ("2.13.0+cpu", ">=2.6", True),
        ("2.6", ">=2.6.0", True),
        ("2.5.9", ">=2.6", False),
        ("1.0.4.post1", ">=1.0.4,<2", True),
        ("2.0.0a0", ">=1.0.4,<2", False),
        ("3.9", ">=3.11", False),
        ("5", "", True),
    ],
)
def test_versions(version, specifier, fits):
    assert doctor.satisfies(version, specifier) is fits


def test_every_requirement_is_understood():
    python, needs = doctor.requirements()
    assert set(needs) == set(doctor.PURPOSE)
    for specifier in [python, *(spec for extra in needs.values() for _, spec in extra)]:
        assert doctor.satisfies("0", specifier) is False, specifier


def test_without_a_clone_the_installed_metadata_say_what_is_needed(tmp_path):
    site, root = tmp_path / "site", tmp_path / "root"
    site.mkdir()
    shutil.copytree(ROOT / "dlcourse", root / "dlcourse")
    fake("dlcourse", "0.1.0", site)
    (site / "dlcourse.py").unlink()
    with (site / "dlcourse-0.1.0.dist-info" / "METADATA").open("a") as file:
        file.write("Requires-Python: >=3.99\nRequires-Dist: numpy>=9.1\n")
        file.write("Provides-Extra: torch\nRequires-Dist: torch<8,>=7.5; extra == 'torch'\n")
    told = run(site, root).stdout
    assert "Install Python >=3.99" in told
    assert line(told, "numpy").endswith("is not installed, wanted >=9.1")
    assert line(told, "torch").endswith("is not installed, wanted <8,>=7.5")
