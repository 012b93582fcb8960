"""Reading files of torch.save without executing anything in them.

Such a file is a zip with a pickle, which tells the containers, and one entry for each storage.
The unpickler here knows tensors, parameters, dtypes, sizes and plain containers; any other name
that the pickle asks for is refused before it is looked up.
"""

import pickle
from collections import Counter, OrderedDict

from dlcourse.mini._core import wrap
from dlcourse.mini._dtype import DTYPES, Size
from dlcourse.mini.nn.parameter import Parameter

import numpy as np

STORAGES = {
    "FloatStorage": np.float32, "DoubleStorage": np.float64, "HalfStorage": np.float16,
    "LongStorage": np.int64, "IntStorage": np.int32, "ShortStorage": np.int16,
    "CharStorage": np.int8, "ByteStorage": np.uint8, "BoolStorage": np.bool_,
}  # fmt: skip


def is_torch_file(names):
    """Whether a zip file with these entries is one of torch.save."""
    return any(name.count("/") == 1 and name.endswith("/data.pkl") for name in names)


def rebuild_tensor(storage, offset, size, stride, requires_grad, hooks, metadata=None):
    """torch._utils._rebuild_tensor_v2: a view of a storage, in bounds."""
    reach = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1
    if 0 not in size and (offset < 0 or min(stride, default=0) < 0 or reach > storage.size):
        raise ValueError("a tensor reaches beyond its storage")
    if 0 in size:
        return wrap(np.zeros(size, storage.dtype), requires_grad)
    strides = [step * storage.itemsize for step in stride]
    array = np.lib.stride_tricks.as_strided(storage[offset:], size, strides)
    return wrap(array, requires_grad)


def rebuild_parameter(data, requires_grad, hooks):
    """torch._utils._rebuild_parameter."""
    return Parameter(data, requires_grad)


ALLOWED = {
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
    ("torch", "Size"): Size,
    ("torch", "device"): lambda kind, index=None: kind,
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "Counter"): Counter,
    ("_codecs", "encode"): lambda text, encoding: text.encode("latin1"),  # bytes, in protocol 2
    ("builtins", "set"): set,
    ("__builtin__", "bytes"): bytes,
    ("__builtin__", "set"): set,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive, name):
        super().__init__(archive.open(name))
        self.archive, self.folder, self.storages = archive, name.rpartition("/")[0], {}
        order = f"{self.folder}/byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise RuntimeError("mini.load reads torch's files of little-endian machines alone")

    def find_class(self, module, name):
        if (module, name) in ALLOWED:
            return ALLOWED[module, name]
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        if name == "BFloat16Storage":
            raise RuntimeError("mini has no bfloat16, which this file holds: save it as float32")
        raise RuntimeError(
            f"mini.load reads tensors and plain containers from torch's files; this one holds a "
            f"{module}.{name}: save a state_dict() of it"
        )

    def persistent_load(self, identity):
        kind, dtype, key, _, count = identity
        if kind != "storage":
            raise ValueError(f"unknown kind {kind!r}")
        if key not in self.storages:
            data = self.archive.read(f"{self.folder}/data/{key}")
            self.storages[key] = np.frombuffer(bytearray(data), dtype, count)
        return self.storages[key]


def load_torch_file(archive):
    """The object in an open zip file of torch.save."""
    name = next(n for n in archive.namelist() if n.count("/") == 1 and n.endswith("/data.pkl"))
    try:
        return _Unpickler(archive, name).load()
    except pickle.UnpicklingError as error:
        raise ValueError(str(error)) from error
