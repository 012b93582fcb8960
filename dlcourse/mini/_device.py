"""Where tensors live: `mini.device("cpu")`.  Others have a name, so that a program may ask."""

_TYPES = ("cpu", "cuda", "mps", "xpu", "meta")


class device:
    """A device by its type and number: `device("cpu")`, `device("cuda:1")`, `device("cuda", 1)`."""

    __slots__ = ("index", "type")

    def __init__(self, type, index=None):
        if isinstance(type, device):
            type, index = type.type, type.index
        name, _, number = str(type).partition(":")
        if name not in _TYPES or (number and not number.isdigit()):
            raise RuntimeError(
                f"Expected one of {', '.join(_TYPES)} device type at start of device string: {type}"
            )
        self.type, self.index = name, int(number) if number else index

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self):
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __eq__(self, other):
        return isinstance(other, device) and str(self) == str(other)

    def __hash__(self):
        return hash(str(self))

    def __reduce__(self):
        return device, (self.type, self.index)

    def __enter__(self):
        """`with device("cpu"):` makes new tensors on the CPU, where they are anyhow."""
        require_cpu(self)
        return self

    def __exit__(self, *exc):
        return False


CPU = device("cpu")


def require_cpu(where):
    """Refuse any device but the CPU."""
    if where is not None and str(where) not in ("cpu", "cpu:0"):
        raise RuntimeError(f"mini computes on the CPU alone; got device={str(where)!r}")
