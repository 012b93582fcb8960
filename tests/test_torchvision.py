"""`import torchvision` beside any torch, in fresh interpreters: an import happens once in each.

Whether the torchvision that is installed matches torch is luck, so every case is also played with
a small stand-in for torchvision that does what the real one does, for better or worse.
"""

import importlib.util
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TRAP = "operator torchvision::nms does not exist"

# What torchvision does at import, in the order in which it does it.
STAND_IN = {
    "__init__.py": "from . import extension\nfrom . import _meta_registrations\n",
    "_meta_registrations.py": """
        import torch

        for name in ("nms", "qnms"):
            torch.library.register_fake(f"torchvision::{name}")(lambda dets, *_: dets.new_empty(0))
    """,
    "transforms.py": "",
    "extension.py": "",  # `_C` cannot be loaded: no operator comes into being
}
MATCHING = """
    import torch

    compiled = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        compiled.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        compiled.impl(name, lambda dets, scores, iou_threshold: dets + 42, "CPU")
"""


def python(code: str, *paths: Path, isolated: bool = False) -> str:
    """Run code in a fresh interpreter, warnings being errors; return what it prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *paths)))}
    options = ["-S"] if isolated else []
    done = subprocess.run(
        [sys.executable, "-W", "error", *options, "-c", textwrap.dedent(code)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def need(name: str) -> None:
    """Skip unless the package is installed; importing it here might be the trap itself."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")


@pytest.fixture
def stand_in(tmp_path):
    """Makes a folder that holds a torchvision whose `_C` loads, or does not."""
    need("torch")

    def make(matching: bool) -> Path:
        package = tmp_path / "torchvision"
        package.mkdir()
        files = {**STAND_IN, "extension.py": MATCHING} if matching else STAND_IN
        for name, content in files.items():
            (package / name).write_text(textwrap.dedent(content))
        return tmp_path

    return make


@pytest.fixture(scope="module")
def the_pair_matches():
    """Does the installed torchvision match torch?  If not, its import dies of the trap."""
    need("torchvision")
    code = f"""
        try:
            import torchvision
            print("yes")
        except RuntimeError as error:
            assert str(error) == {TRAP!r}, error
            print("no")
    """
    return python(code) == "yes"


# ------------------------------------------------------------------ the real torchvision


ORDERS = {
    "torchvision alone": "import torchvision",
    "torch first": "import torch, torchvision",
    "transforms first": "from torchvision.transforms import v2",
}


@pytest.mark.parametrize("order", ORDERS)
def test_torchvision_works_after_dlcourse(order, the_pair_matches):
    kept = python(f"""
        import dlcourse
        {ORDERS[order]}
        import torch, torchvision
        from torchvision.transforms import v2
        assert v2.functional.horizontal_flip(torch.arange(3)[None]).tolist() == [[2, 1, 0]]
        assert torchvision.models.resnet18(num_classes=3)(torch.zeros(2, 3, 32, 32)).shape == (2, 3)
        from dlcourse import _torchvision
        print(_torchvision._library is None)
    """)
    assert kept == str(the_pair_matches)


def test_what_needs_the_compiled_operators_says_so(the_pair_matches):
    """Non-maximum suppression: right, or an error that names the cause; never silence."""
    said = python("""
        import dlcourse, torch, torchvision
        boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 8], [20, 20, 29, 29]])
        scores = torch.tensor([0.5, 0.9, 0.7])
        for nms in torchvision.ops.nms, torch.ops.torchvision.nms:
            try:
                print(nms(boxes, scores, 0.5).tolist())
            except RuntimeError as error:
                print(error)
    """).splitlines()
    if the_pair_matches:
        assert said == ["[1, 2]"] * 2
    else:
        assert said[0].startswith("Couldn't load custom C++ ops.")  # torchvision's own sentence
        assert said[1].startswith("torchvision::nms cannot run: the compiled library of this")


# --------------------------------------------------------------------- a stand-in for it


def test_the_stand_in_has_the_trap(stand_in):
    said = python(
        """
        try:
            import torchvision
        except RuntimeError as error:
            print(error)
        """,
        stand_in(matching=False),
    )
    assert said == TRAP


@pytest.mark.parametrize("first", ["torch", "torchvision.transforms"])
def test_a_pair_that_does_not_match_is_mended(first, stand_in):
    said = python(
        f"""
        import dlcourse
        import {first}
        import torch, torchvision
        for name in ("nms", "qnms"):
            try:
                getattr(torch.ops.torchvision, name)(torch.zeros(1, 4), torch.zeros(1), 0.5)
            except RuntimeError as error:
                print(error)
        """,
        stand_in(matching=False),
    )
    for line, name in zip(said.splitlines(), ("nms", "qnms"), strict=True):
        assert line.startswith(f"torchvision::{name} cannot run: the compiled library")
        assert "built for different versions or devices" in line


def test_a_pair_that_matches_is_left_alone(stand_in):
    said = python(
        """
        import dlcourse
        import torch, torchvision
        from dlcourse import _torchvision
        assert _torchvision._library is None
        print(torch.ops.torchvision.nms(torch.zeros(2), torch.zeros(1), 0.5).tolist())
        """,
        stand_in(matching=True),
    )
    assert said == "[42.0, 42.0]"


def test_the_declarations_outlive_the_garbage_collector(stand_in):
    python(
        """
        import dlcourse, torchvision, gc, torch
        gc.collect()
        assert str(torch.ops.torchvision.nms.default._schema).startswith("torchvision::nms(")
        assert torch._C._dispatch_has_kernel_for_dispatch_key("torchvision::nms", "CPU")
        """,
        stand_in(matching=False),
    )


def test_importing_dlcourse_after_the_failure_still_helps(stand_in):
    """As in a notebook: the error first, then the search for a cure."""
    python(
        """
        try:
            import torchvision
        except RuntimeError:
            pass
        else:
            raise AssertionError("no trap")
        import dlcourse
        import torchvision.transforms
        """,
        stand_in(matching=False),
    )


def test_reload_and_threads(stand_in):
    python(
        """
        import dlcourse, importlib, threading
        failures = []

        def load(module):
            try:
                importlib.import_module(module)
            except BaseException as error:
                failures.append(error)

        names = ["torchvision", "torchvision.transforms", "torchvision.extension"] * 4
        threads = [threading.Thread(target=load, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures
        import torchvision
        from dlcourse import _torchvision
        before = _torchvision._library
        assert before is not None
        importlib.reload(torchvision)
        assert _torchvision._library is before
        """,
        stand_in(matching=False),
    )


def test_the_module_looks_as_if_nothing_had_been_there(stand_in):
    python(
        """
        import dlcourse, torchvision, inspect
        kind = "SourceFileLoader"
        assert type(torchvision.__loader__).__name__ == kind
        assert type(torchvision.__spec__.loader).__name__ == kind
        assert "extension" in inspect.getsource(torchvision)
        """,
        stand_in(matching=False),
    )


def test_looking_for_torchvision_imports_nothing(stand_in):
    python(
        """
        import dlcourse, importlib.util, sys
        from dlcourse import _torchvision
        _torchvision.install()
        assert sys.meta_path.count(_torchvision._FINDER) == 1
        spec = importlib.util.find_spec("torchvision")
        assert spec.origin.endswith("__init__.py")
        assert "extension" in spec.loader.get_source("torchvision")
        assert importlib.util.find_spec("json.decoder") is not None
        assert not {"torch", "torchvision", "numpy"} & set(sys.modules)
        """,
        stand_in(matching=False),
    )


def test_without_torch_or_torchvision_python_says_what_is_missing(tmp_path):
    said = python(
        """
        import dlcourse
        try:
            import torchvision
        except ModuleNotFoundError as error:
            print(error)
        """,
        isolated=True,
    )
    assert said == "No module named 'torchvision'"
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("import torch")
    said = python(
        """
        import dlcourse
        try:
            import torchvision
        except ModuleNotFoundError as error:
            print(error)
        """,
        tmp_path,
        isolated=True,
    )
    assert said == "No module named 'torch'"


def test_other_errors_of_torchvision_are_not_swallowed(stand_in):
    folder = stand_in(matching=False)
    with (folder / "torchvision" / "extension.py").open("a") as extension:
        extension.write("raise RuntimeError('compiled with different CUDA major versions')\n")
    said = python(
        """
        import dlcourse
        try:
            import torchvision
        except RuntimeError as error:
            print(error)
        """,
        folder,
    )
    assert said == "compiled with different CUDA major versions"
