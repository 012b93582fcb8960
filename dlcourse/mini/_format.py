"""How a tensor prints: torch's rules (four digits, one width, scientific where the range is wide)."""

import numpy as np

PRECISION, THRESHOLD, EDGE, LINE = 4, 1000, 3, 80


def formatter(array):
    """A function number -> text for the elements of `array`, and the common width."""
    if array.dtype.kind != "f":
        texts = [str(v) for v in array.ravel().tolist()]
        width = max((len(t) for t in texts), default=0)
        return lambda v: str(v).rjust(width)
    values = array.ravel().astype(np.float64)
    finite = np.abs(values[np.isfinite(values) & (values != 0)])
    if finite.size == 0:
        fixed = "{:.0f}." if values.size == 0 or np.isfinite(values).all() else "{:.0f}."
    elif np.array_equal(finite, np.ceil(finite)):
        wide = finite.max() / finite.min() > 1000 or finite.max() > 1e8
        fixed = f"{{:.{PRECISION}e}}" if wide else "{:.0f}."
    else:
        wide = finite.max() / finite.min() > 1000 or finite.max() > 1e8 or finite.min() < 1e-4
        fixed = f"{{:.{PRECISION}{'e' if wide else 'f'}}}"

    def text(v):
        return fixed.format(v) if np.isfinite(v) else str(float(v))

    width = max((len(text(v)) for v in values if v != 0 or finite.size == 0), default=0)
    width = max([width, *(len(text(v)) for v in values)]) if values.size else 0
    return lambda v: text(v).rjust(width)


def body(array, indent):
    """The nested brackets."""
    summarize = array.size > THRESHOLD
    shown = edges(array) if summarize else array
    return _nested(array, formatter(shown), indent, summarize)


def edges(array):
    """The corners that a summary shows."""
    for axis in range(array.ndim):
        if array.shape[axis] > 2 * EDGE:
            array = np.take(array, [*range(EDGE), *range(-EDGE, 0)], axis)
    return array


def _nested(array, text, indent, summarize):
    if array.ndim == 0:
        return text(array.item())
    cut = summarize and array.shape[0] > 2 * EDGE
    rows = [*range(EDGE), None, *range(-EDGE, 0)] if cut else range(array.shape[0])
    parts = ["..." if r is None else _nested(array[r], text, indent + 1, summarize) for r in rows]
    if array.ndim > 1:
        return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(parts) + "]"
    if not parts:
        return "[]"
    numbers = [p for p in parts if p != "..."]
    per_line = max(1, (LINE - indent) // (len(numbers[0]) + 2))
    lines = [parts[i : i + per_line] for i in range(0, len(parts), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(", ".join(line) for line in lines) + "]"


def tensor_repr(tensor, prefix="tensor("):
    array, suffixes = tensor._data, []
    if array.size == 0:
        text = "[]"
        if array.shape != (0,):
            suffixes.append(f"size={tuple(array.shape)}")
    else:
        text = body(array, len(prefix))
    default = array.dtype in (np.dtype("float32"), np.dtype("bool"), np.dtype("int64"))
    if not default or (array.size == 0 and array.dtype == np.int64):
        suffixes.append(f"dtype={tensor.dtype}")
    if tensor.grad_fn is not None:
        suffixes.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    out = prefix + text
    for suffix in suffixes:
        last_line = len(out) - out.rfind("\n") - 1
        out += (
            f",\n{' ' * len(prefix)}{suffix}"
            if last_line + len(suffix) + 2 > LINE
            else f", {suffix}"
        )
    return out + ")"
