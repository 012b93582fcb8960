"""Let `import torchvision` work beside a torch it was not compiled for.

The usual case: torch is the CPU build, torchvision is linked to CUDA.  Its compiled library `_C`
then cannot be loaded, the operators in it do not exist, and the import dies with `RuntimeError:
operator torchvision::nms does not exist`, although datasets, transforms and models need none of
them.  `install()` puts a finder on `sys.meta_path` that waits for the import of torchvision (and
imports nothing before): if `_C` cannot be loaded, the two operators torchvision's own Python
code describes are declared first.  They can be described, not computed: calling one raises.

With a pair that matches nothing is declared.  No file is changed.  The finder lives in this process
only: a worker process that starts afresh has to import dlcourse as well.
"""

import importlib
import importlib.abc
import sys
from types import ModuleType

# The operators to which torchvision/_meta_registrations.py attaches shapes at import.
SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}

_library = None  # torch withdraws the declarations when this object is freed, so it is kept


def install() -> None:
    """Put the finder first on `sys.meta_path`, once."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds torchvision as the other finders do, with a loader that declares what is missing."""

    def find_spec(self, fullname, path, target=None):
        if fullname != "torchvision":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (f.find_spec(fullname, path, target) for f in others if hasattr(f, "find_spec"))
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # From here on the module looks as if this loader had never been there.
        module.__spec__.loader = module.__loader__ = self._loader
        _declare_missing_operators()
        self._loader.exec_module(module)

    def __getattr__(self, name):
        # A spec that was found but not loaded: answer for the loader behind (get_source, ...).
        return getattr(self._loader, name)


def _declare_missing_operators() -> None:
    global _library
    import torch

    # torchvision's own attempt to load `_C`; it is also the first thing its __init__ does.
    importlib.import_module("torchvision.extension")
    if hasattr(torch.ops.torchvision, "nms"):
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in SCHEMAS.items():
        library.define(schema)
        for device in ("CPU", "CUDA"):
            library.impl(name, _refusal(name), device)
    _library = library


def _refusal(name: str):
    def refuse(*args, **kwargs):
        import torch

        raise RuntimeError(
            f"torchvision::{name} cannot run: the compiled library of this torchvision does not "
            f"load beside torch {torch.__version__}, because the two were built for different "
            "versions or devices. Install torch and torchvision as a matching pair to use it."
        )

    return refuse


_FINDER = _Finder()
