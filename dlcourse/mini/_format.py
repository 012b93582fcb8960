"""How a tensor prints: as torch's does, to the letter (`dtype=mini.float64` apart).

All numbers of a tensor have one form: as integers when all are whole, else with four digits, and in
scientific notation where the range is wide.  More than a thousand are summarised by the corners.
"""

from dataclasses import dataclass
from math import inf

from dlcourse.mini._dtype import get_default_dtype

import numpy as np


@dataclass
class Options:
    """Digits; elements above which there is a summary, shown at each edge, and in a line."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


OPTIONS = Options()
PROFILES = {"default": {}, "short": {"precision": 2, "edgeitems": 2}, "full": {"threshold": inf}}


def set_printoptions(
    precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None
):
    """How tensors print from now on; `profile` is "default", "short" or "full".

    `sci_mode`: True always in scientific notation, False never, None where the range is wide.
    """
    if profile is not None:
        if profile not in PROFILES:
            raise ValueError(f"profile must be one of {', '.join(PROFILES)}, got {profile!r}")
        vars(OPTIONS).update(vars(Options(**PROFILES[profile])))
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems,
             "linewidth": linewidth}  # fmt: skip
    vars(OPTIONS).update({name: value for name, value in given.items() if value is not None})
    OPTIONS.sci_mode = sci_mode


class Form:
    """The form that the numbers of an array share: `text(number)`, padded to `width`."""

    def __init__(self, array):
        self.floats = array.dtype.kind == "f"
        self.spec, self.width = ".0f", 1
        if not self.floats:
            self.width = max((len(str(v)) for v in array.ravel().tolist()), default=1)
            return
        values = array.ravel().astype(np.float64)
        values = values[np.isfinite(values) & (values != 0)]
        if values.size:
            size = np.abs(values)
            whole = np.array_equal(values, np.ceil(values))
            wide = size.max() / size.min() > 1000 or size.max() > 1e8
            scientific = wide or bool(not whole and size.min() < 1e-4)
            if OPTIONS.sci_mode is not None:
                scientific = OPTIONS.sci_mode
            if scientific:
                self.spec = f".{OPTIONS.precision}e"
            elif not whole:
                self.spec = f".{OPTIONS.precision}f"
            self.width = max(len(self._bare(v)) for v in values.tolist())

    def _bare(self, value):
        if not self.floats:
            return str(value)
        point = "." if self.spec == ".0f" and np.isfinite(value) else ""
        return format(value, self.spec) + point

    def text(self, value):
        """One number in this form."""
        return self._bare(value).rjust(self.width)


def corners(array):
    """The elements that a summary shows."""
    for axis in range(array.ndim):
        if array.shape[axis] > 2 * OPTIONS.edgeitems:
            array = np.take(array, [*range(OPTIONS.edgeitems), *range(-OPTIONS.edgeitems, 0)], axis)
    return array


def nested(array, form, indent, summarize):
    """The nested brackets of an array, its first line `indent` characters to the right."""
    if array.ndim == 0:
        return form.text(array.item())
    length = len(array)
    cut = summarize and length > 2 * OPTIONS.edgeitems
    shown = (
        [*range(OPTIONS.edgeitems), *range(length - OPTIONS.edgeitems, length)]
        if cut
        else range(length)
    )
    parts = [nested(array[i], form, indent + 1, summarize) for i in shown]
    if array.ndim > 1:
        if cut:
            parts.insert(OPTIONS.edgeitems, "...")
        return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(parts) + "]"
    if cut:
        parts.insert(OPTIONS.edgeitems, " ...")
    per_line = max(1, (OPTIONS.linewidth - indent) // (form.width + 2))
    lines = [", ".join(parts[i : i + per_line]) for i in range(0, len(parts), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def tensor_repr(tensor):
    """tensor(numbers, what is unusual about it)."""
    array, prefix, suffixes = tensor._data, "tensor(", []
    usual = [get_default_dtype().numpy]
    if array.size == 0:
        body = "[]"
        if array.ndim != 1:
            suffixes.append(f"size={tuple(array.shape)}")
    else:
        summarize = array.size > OPTIONS.threshold
        form = Form(corners(array) if summarize else array)
        body = nested(array, form, len(prefix), summarize)
        usual += [np.int64, np.bool_]
    if array.dtype not in usual:
        suffixes.append(f"dtype={tensor.dtype}")
    if tensor.grad_fn is not None:
        suffixes.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    out = prefix + body
    last_line = len(out) - out.rfind("\n") + 1
    for suffix in suffixes:
        if last_line + len(suffix) + 2 > OPTIONS.linewidth:
            out += ",\n" + " " * len(prefix) + suffix
            last_line = len(prefix) + len(suffix)
        else:
            out += ", " + suffix
            last_line += len(suffix) + 2
    return out + ")"
