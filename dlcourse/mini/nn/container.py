"""Modules that hold modules or parameters, in order or under names."""

from itertools import groupby

from dlcourse.mini._core import Tensor
from dlcourse.mini.nn.module import Module
from dlcourse.mini.nn.parameter import Parameter

# -- in order --------------------------------------------------------------------------------------


class Members(Module):
    """The submodules as a sequence: length, iteration, indices, slices."""

    def append(self, module):
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        """Add several modules at the end."""
        for module in modules:
            self.append(module)
        return self

    def insert(self, index, module):
        """Put a module before the one at `index`; those behind it move on."""
        if not isinstance(module, Module):
            raise TypeError(f"module should be of type: {Module}")
        members = self._members()
        if not -len(members) <= index <= len(members):
            raise IndexError(f"Index out of range: {index}")
        members.insert(index, module)
        self._renumber(members)
        return self

    def pop(self, key):
        """Take out the module at this index, and return it."""
        module = self[key]
        del self[key]
        return module

    def _renumber(self, members):
        for name, _ in self._own("module"):
            delattr(self, name)
        for number, module in enumerate(members):
            self.add_module(str(number), module)

    def _members(self):
        return [module for _, module in self._own("module")]

    def _name_at(self, index):
        names = [name for name, _ in self._own("module")]
        if not -len(names) <= index < len(names):
            raise IndexError(f"index {index} is out of range")
        return names[index]

    def __len__(self):
        return len(self._members())

    def __iter__(self):
        return iter(self._members())

    def __contains__(self, module):
        return any(module is member for member in self)

    def __getitem__(self, index):
        return getattr(self, self._name_at(index))

    def __setitem__(self, index, module):
        setattr(self, self._name_at(index), module)

    def __delitem__(self, index):
        members = self._members()
        if not isinstance(index, slice):
            self._name_at(index)  # refuses what is out of range
        del members[index]
        self._renumber(members)

    def __add__(self, other):
        return type(self)().extend(self).extend(other)

    def __iadd__(self, other):
        return self.extend(other)


class Sequential(Members):
    """Modules one after another: each gets the output of the one before.

    Takes modules, or one dict of names and modules.
    """

    def __init__(self, *args):
        super().__init__()
        named = args[0] if len(args) == 1 and isinstance(args[0], dict) else None
        for name, module in enumerate(args) if named is None else named.items():
            self.add_module(str(name), module)

    def forward(self, input):
        for module in self:
            input = module(input)
        return input

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(dict(self._own("module")[index]))
        return super().__getitem__(index)

    def __add__(self, other):
        if not isinstance(other, Sequential):
            raise ValueError(
                "add operator supports only objects of Sequential class, but "
                f"{type(other)} is given."
            )
        return super().__add__(other)

    def __mul__(self, times):
        if not isinstance(times, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(times)}")
        if times <= 0:
            raise ValueError(f"Non-positive multiplication factor {times} for {type(self)}")
        return type(self)(*self._members() * times)

    __rmul__ = __mul__

    def __imul__(self, times):
        self._renumber((self * times)._members())
        return self


class ModuleList(Members):
    """A list whose modules are registered."""

    def __init__(self, modules=None):
        super().__init__()
        self.extend(modules or ())

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(self._members()[index])
        return super().__getitem__(index)

    def __repr__(self):
        """Neighbours that read alike come as one line with their number."""
        lines, first = [], 0
        for text, group in groupby(repr(module) for module in self):
            count = len(list(group))
            name = f"({first})" if count == 1 else f"({first}-{first + count - 1})"
            lines.append(f"{name}: " + (f"{count} x " if count > 1 else "") + text)
            first += count
        inside = "".join("\n  " + line.replace("\n", "\n  ") for line in lines)
        return f"{type(self).__name__}({inside}\n)" if lines else f"{type(self).__name__}()"


# -- under names -----------------------------------------------------------------------------------


class Mapping(Module):
    """A dictionary whose values are attributes, so that they are registered."""

    def __init__(self, values=None):
        super().__init__()
        if values is not None:
            self.update(values)

    def __setitem__(self, key, value):
        self._put(key, value)

    def __getitem__(self, key):
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __delitem__(self, key):
        if key not in self._keys:
            raise KeyError(key)
        delattr(self, key)

    def __len__(self):
        return len(self._keys)

    def __iter__(self):
        return iter(self._keys)

    def __contains__(self, key):
        return key in self._keys

    def keys(self):
        """The names."""
        return self._keys.keys()

    def values(self):
        """The values, in the order of the names."""
        return [self[key] for key in self]

    def items(self):
        """(name, value)."""
        return [(key, self[key]) for key in self]

    def update(self, values):
        """Add or replace several, from a dictionary or pairs."""
        if isinstance(values, dict | Mapping):
            values = values.items()
        for key, value in values:
            self[key] = value

    def pop(self, key):
        """Take out the value of this name, and return it."""
        value = self[key]
        del self[key]
        return value

    def clear(self):
        """Take out all."""
        for key in list(self):
            del self[key]


class ModuleDict(Mapping):
    """A dictionary whose modules are registered; modules that are attributes are in it, too."""

    @property
    def _keys(self):
        return {name: None for name, _ in self._own("module")}

    def _put(self, key, module):
        if key in self._kinds and module is not None:
            setattr(self, key, module)
        else:
            self.add_module(key, module)


# -- parameters ------------------------------------------------------------------------------------


def _as_parameter(value):
    """A tensor becomes a Parameter; anything else stays what it is."""
    plain = isinstance(value, Tensor) and not isinstance(value, Parameter)
    return Parameter(value) if plain else value


def _described(value, type_name):
    if not isinstance(value, Tensor):
        return f"Object of type: {type(value).__name__}"
    size = "x".join(map(str, value.shape))
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    return f"{kind} containing: [{type_name(value)} of size {size}]"


def _dtype(tensor):
    return str(tensor.dtype)


def _tensor_type(tensor):
    """As torch's `tensor.type()`, which its ParameterDict prints."""
    return f"mini.{tensor.dtype.scalar_type}Tensor"


class ParameterList(Module):
    """A list whose Parameters are registered; tensors become Parameters."""

    def __init__(self, values=None):
        super().__init__()
        self._size = 0
        self.extend(values if values is not None else ())

    def append(self, value):
        """Add a value at the end."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values):
        """Add several values at the end."""
        for value in values:
            self.append(value)
        return self

    def _name_at(self, index):
        if not -self._size <= index < self._size:
            raise IndexError(f"index {index} is out of range")
        return str(index % self._size)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, self._name_at(index))

    def __setitem__(self, index, value):
        setattr(self, self._name_at(index), _as_parameter(value))

    def __len__(self):
        return self._size

    def __iter__(self):
        return iter([getattr(self, str(i)) for i in range(self._size)])

    def __iadd__(self, values):
        return self.extend(values)

    def extra_repr(self):
        return "\n".join(f"  ({i}): {_described(value, _dtype)}" for i, value in enumerate(self))

    def __call__(self, *args, **kwargs):
        raise RuntimeError("ParameterList should not be called.")


class ParameterDict(Mapping):
    """A dictionary whose Parameters are registered; tensors become Parameters."""

    def __init__(self, parameters=None):
        vars(self)["_keys"] = {}  # in order; the values are the attributes
        super().__init__(parameters)

    def __delitem__(self, key):
        super().__delitem__(key)
        del self._keys[key]

    def _put(self, key, value):
        self._keys[key] = None
        setattr(self, key, _as_parameter(value))

    def get(self, key, default=None):
        """The value of this name, or `default`."""
        return self[key] if key in self else default  # noqa: SIM401

    def setdefault(self, key, default=None):
        """The value of this name, which is `default` from now on if there was none."""
        if key not in self:
            self[key] = default
        return self[key]

    def popitem(self):
        """Take out the last value, and return (name, value)."""
        key = list(self)[-1]
        return key, self.pop(key)

    def copy(self):
        """Another dictionary of the same Parameters."""
        return type(self)(self.items())

    def fromkeys(self, keys, default=None):
        """A dictionary with `default` under each of these names."""
        return type(self)((key, default) for key in keys)

    def __or__(self, other):
        out = self.copy()
        out.update(other)
        return out

    def __ior__(self, other):
        self.update(other)
        return self

    def extra_repr(self):
        lines = [f"  ({k}): {_described(v, _tensor_type)}" for k, v in self.items()]
        return "\n".join(lines)
