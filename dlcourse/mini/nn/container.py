"""Modules that hold modules in order."""

from itertools import groupby

from dlcourse.mini.nn.module import Module


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

    def __getitem__(self, index):
        return getattr(self, self._name_at(index))

    def __setitem__(self, index, module):
        setattr(self, self._name_at(index), module)


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
