"""Borders around images."""

from dlcourse.mini._core import Tensor
from dlcourse.mini.ops.pad import ConstantPadND, continued, part

__all__ = ["pad"]

MODES = ("constant", "reflect", "replicate", "circular")


def pad(
    input: Tensor, pad: tuple[int, ...], mode: str = "constant", value: float | None = None
) -> Tensor:
    """`input` with borders, or without some of it where a number is negative.

    `pad` names them from the last dimension backwards: (left, right, top, bottom, ...).  The border
    is `value` (0), or in the other modes a continuation: "reflect", "replicate", "circular".
    """
    pad = tuple(pad)
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * input.ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {input.ndim}"
        )
    if mode not in MODES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)][::-1]
    pairs = [(0, 0)] * (input.ndim - len(pairs)) + pairs  # one for each dimension
    for size, pair in zip(input.shape, pairs, strict=True):
        if size + min(pair[0], 0) + min(pair[1], 0) < 0:
            raise RuntimeError("narrow(): length must be non-negative.")
    if mode == "constant":
        return ConstantPadND.apply(input, tuple(pairs), 0 if value is None else value)
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    _check_continued(input, pad)
    for dim, pair in enumerate(pairs):
        if pair != (0, 0):
            input = _continued(input, dim, pair, mode)
    return input


def _continued(x, dim, pair, mode):
    """A border that continues x; a negative one crops: before, or after reflection."""
    longer, n = [max(p, 0) for p in pair], x.shape[dim]
    crop = max(-pair[0], 0), max(-pair[1], 0)
    if mode == "reflect":
        if max(pair) >= n:
            raise RuntimeError(
                "Argument #4: Padding size should be less than the corresponding input dimension, "
                f"but got: padding ({pair[0]}, {pair[1]}) at dimension {dim} of input "
                f"{list(x.shape)}"
            )
        x = continued(x, dim, *longer, "reflect")
        return part(x, dim, crop[0], x.shape[dim] - crop[1])
    x = part(x, dim, crop[0], n - crop[1])
    if mode == "replicate":
        return continued(x, dim, *longer, "edge")
    if max(longer) > x.shape[dim]:
        raise RuntimeError("Padding value causes wrapping around more than once.")
    return continued(x, dim, *longer, "wrap")


def _check_continued(input, pad):
    if input.ndim not in (len(pad) // 2 + 1, len(pad) // 2 + 2) or not 2 <= len(pad) <= 6:
        raise NotImplementedError(
            f"Padding size {len(pad)} is not supported for {input.ndim}D input tensor.\n"
            "Supported combinations for non-constant padding:\n"
            "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
            "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
            "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
        )
