"""save and load: tensors and plain containers in a file that executes nothing.

The file is a zip: `structure.json` tells the containers, `tensors/0.npy` and so on hold the arrays,
which NumPy can read, too.  Tensors that share one memory, such as tied weights, share it again when
loaded; of overlapping views each gets its own.
"""

# NB: in torch save pickles any object, and loading with weights_only=False may execute what is in
# the file; mini knows no other format than the safe one, whatever weights_only says.

import base64
import io
import json
import os
import secrets
from collections import Counter, OrderedDict, defaultdict

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._dtype import DTYPES, Size, dtype
from dlcourse.mini._torch_file import is_torch_file, load_torch_file
from dlcourse.mini.nn.parameter import Parameter
from dlcourse.mini.ops.creation import require_cpu

import numpy as np

STRUCTURE = "structure.json"
FORMAT = "dlcourse.mini 1"
KNOWN = (
    "tensors, parameters, arrays, numbers, strings, bytes, None, dicts, lists, tuples, sets, "
    "dtypes and sizes"
)
# Containers by the name under which the file has them; a subclass is not among them.
SEQUENCES = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "size": Size}
MAPPINGS = {"dict": dict, "ordered": OrderedDict, "counter": Counter}
_NAMES = {type_: name for name, type_ in (SEQUENCES | MAPPINGS).items()} | {defaultdict: "dict"}


# -- saving ----------------------------------------------------------------------------------------


def save(obj, f):
    """Write `obj` to `f`, a path or a binary file: a state_dict, or a checkpoint around some.

    A path gets either the whole new file or keeps the old one: it is written beside, then renamed.
    Raises TypeError, naming the place inside `obj`, for what cannot be saved.
    """
    writer = _Writer()
    structure = writer.encode(obj, "obj")  # everything is checked before anything is written
    if hasattr(f, "write"):
        return _write(f, structure, writer.arrays)
    path = os.path.realpath(os.fspath(f))
    beside = f"{os.fsdecode(path)}.{secrets.token_hex(4)}.tmp"
    try:
        with open(beside, "xb") as file:
            _write(file, structure, writer.arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        if os.path.exists(beside):
            os.remove(beside)
        raise


def _write(file, structure, arrays):
    import zipfile  # slow to import, for who saves nothing

    with zipfile.ZipFile(file, "w") as archive:
        for number, array in enumerate(arrays):
            data = io.BytesIO()
            np.lib.format.write_array(data, np.ascontiguousarray(array).reshape(array.shape),
                                      allow_pickle=False)  # fmt: skip
            archive.writestr(zipfile.ZipInfo(f"tensors/{number}.npy"), data.getbuffer())
        text = json.dumps({"format": FORMAT, "object": structure})
        archive.writestr(zipfile.ZipInfo(STRUCTURE), text)  # no dates: equal bytes for equal things


class _Writer:
    """Turns an object into what JSON can say, and collects the arrays."""

    def __init__(self):
        self.arrays, self._numbers, self._open = [], {}, set()

    def encode(self, x, where):
        if x is None or type(x) in (bool, int, float, str):
            return x
        if isinstance(x, Tensor):
            kind = "parameter" if isinstance(x, Parameter) else "tensor"
            if kind == "tensor" and type(x) is not Tensor:
                self._refuse(x, where)
            return {kind: self._array(x._data), "requires_grad": bool(x.requires_grad)}
        if isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "fiub":
            return {"array" if isinstance(x, np.ndarray) else "scalar": self._array(np.asarray(x))}
        if type(x) is bytes:
            return {"bytes": base64.b64encode(x).decode()}
        if isinstance(x, dtype):
            return {"dtype": x.name}
        if type(x) in _NAMES:
            return self._container(x, where)
        return self._refuse(x, where)

    def _container(self, x, where):
        if id(x) in self._open:
            raise ValueError(f"mini.save cannot save {where}: it contains itself")
        self._open.add(id(x))
        name = _NAMES[type(x)]
        if name in MAPPINGS:
            inside = [
                [self.encode(key, f"a key of {where}"), self.encode(value, f"{where}[{key!r}]")]
                for key, value in x.items()
            ]
        else:
            inside = [self.encode(value, f"{where}[{i}]") for i, value in enumerate(x)]
        self._open.discard(id(x))
        return {name: inside}

    def _array(self, array):
        """The number of the array; the same memory gets the same number."""
        place = array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str
        if array.size == 0 or place not in self._numbers:
            self._numbers[place] = len(self.arrays)
            self.arrays.append(array)
        return self._numbers[place]

    @staticmethod
    def _refuse(x, where):
        hint = "; save its state_dict() instead" if hasattr(x, "state_dict") else ""
        raise TypeError(
            f"mini.save cannot save {where}, of type {type(x).__name__}: it knows {KNOWN}{hint}"
        )


# -- loading ---------------------------------------------------------------------------------------


def load(f, map_location=None, *, weights_only=True, mmap=None):
    """What `save` wrote to `f`, a path or a binary file that can seek.  Nothing in it is executed.

    Files of `torch.save` are read, too, as far as they hold tensors and plain containers.
    """
    _check_location(map_location)
    if mmap:
        raise NotImplementedError("mini.load reads into memory: leave mmap out")
    if not hasattr(f, "read"):
        with open(f, "rb") as file:
            return _read(file, os.fspath(f))
    return _read(f, getattr(f, "name", "the file"))


def _check_location(map_location):
    """Everything is on the CPU: a function, or a dict, that moves it there has nothing to do."""
    if isinstance(map_location, dict):
        map_location = next(iter(map_location.values()), None)
    if not callable(map_location):
        require_cpu(map_location)


def _read(file, name):
    import zipfile

    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if is_torch_file(names):
                return load_torch_file(archive)
            if STRUCTURE not in names:
                raise RuntimeError(f"{name} is a zip file, but not one of mini.save or torch.save")
            if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
                raise RuntimeError(f"{name} is compressed, which mini.save never does")
            structure = json.loads(archive.read(STRUCTURE))
            if structure["format"] != FORMAT:
                raise RuntimeError(f"{name} has the format {structure['format']!r}, not {FORMAT!r}")
            return _Reader(archive).decode(structure["object"])
    except zipfile.BadZipFile as error:
        raise RuntimeError(
            f"{name} is damaged or truncated, or was not written by mini.save: {error}"
        ) from error
    except (KeyError, ValueError, TypeError, AttributeError, EOFError, RecursionError,
            MemoryError) as error:  # fmt: skip
        raise RuntimeError(f"{name} is damaged: {type(error).__name__}: {error}") from error


class _Reader:
    """Turns what JSON said into the object again."""

    def __init__(self, archive):
        self.archive, self.arrays = archive, {}

    def decode(self, x):
        if not isinstance(x, dict):
            return x
        (kind, inside), *more = x.items()
        if kind in SEQUENCES:
            return SEQUENCES[kind]([self.decode(item) for item in inside])
        if kind in MAPPINGS:
            pairs = {self.decode(key): self.decode(value) for key, value in inside}
            return MAPPINGS[kind](pairs)
        if kind == "bytes":
            return base64.b64decode(inside)
        if kind == "dtype":
            return DTYPES[inside]
        array = self._array(int(inside))
        if kind in ("array", "scalar"):
            return array if kind == "array" else array[()]
        if kind == "parameter":
            return Parameter(wrap(array), dict(more)["requires_grad"])
        if kind == "tensor":
            return wrap(array, dict(more)["requires_grad"])
        raise ValueError(f"unknown kind {kind!r}")

    def _array(self, number):
        if number not in self.arrays:
            data = io.BytesIO(self.archive.read(f"tensors/{number}.npy"))
            array = np.lib.format.read_array(data, allow_pickle=False)
            self.arrays[number] = array.astype(array.dtype.newbyteorder("="), copy=False)
        return self.arrays[number]
