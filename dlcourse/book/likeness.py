"""What it means that two texts, drawings or images show the same.

Each of `same_text`, `same_html`, `same_svg` and `same_pixels` takes what is stored and what a fresh
run gives, and raises `Differs`, naming the first place where they do not agree. Text is compared
exactly, its numbers within a tolerance (integers exactly), drawings by what they show, images by
their pixels.
"""

import base64
import io
import re
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

LEVELS = 4  # of 255: neighbours in a colour map, which rounding may swap, differ by no more


@dataclass(frozen=True)
class Tolerance:
    """How far numbers may be apart: atol + rtol * |stored|. For drawings, see `same_svg`."""

    rtol: float = 1e-3
    atol: float = 1e-8

    def agree(self, stored: float, fresh: float) -> bool:
        return stored == fresh or abs(fresh - stored) <= self.atol + self.rtol * abs(stored)


class Differs(Exception):
    """Two outputs are not the same: what is different, and how it is in the one and the other."""

    def __init__(self, what: str, stored: str = "", fresh: str = "") -> None:
        super().__init__(what)
        self.what, self.stored, self.fresh = what, stored, fresh

    def __str__(self) -> str:
        if self.stored == self.fresh:
            return self.what
        return f"{self.what}\n  stored: {_cut(self.stored)}\n  fresh:  {_cut(self.fresh)}"


def _cut(text: str, length: int = 600) -> str:
    return text if len(text) <= length else f"{text[:length]} ... ({len(text)} characters)"


# ------------------------------------------------------------------------------- text and numbers

# A number stands alone: not in a word (conv2d, 28x28), not in a version (2.13.0), though a unit may
# follow a decimal fraction (1.5x). A sign belongs to it unless it joins (1-2, a-1).
NUMBER = re.compile(
    r"""(?:(?<![\w.)\]])[-+−])?(?<![\w.])
        (?: (?:\d++\.\d*+|\.\d++)(?:[eE][-+]?\d++)?(?!\.?\d)
          | \d++[eE][-+]?\d++(?!\w)
          | \d++(?!\w)(?!\.\d) )""",
    re.VERBOSE,
)
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ADDRESS = re.compile(r"\b(at|object|id) 0x(?:[0-9a-fA-F]{6,16}\b|\.\.\.)")


def without_addresses(text: str) -> str:
    """`<f at 0x7f32c0de>` becomes `<f at 0x...>`: where an object lies changes from run to run."""
    return _ADDRESS.sub(r"\1 0x...", text)


def same_text(stored: str, fresh: str, tolerance: Tolerance) -> None:
    """Raise Differs unless both texts are the same, numbers within the tolerance."""
    was, now = _lines(stored), _lines(fresh)
    for number, (one, other) in enumerate(zip(was, now, strict=False), start=1):
        why = _unlike(one, other, tolerance)
        if why is not None:
            where = f"line {number} of {len(was)}{why}" if len(was) > 1 else f"the text{why}"
            raise Differs(where, one, other)
    if len(was) != len(now):
        rest = (was if len(was) > len(now) else now)[min(len(was), len(now))]
        which = "is missing" if len(was) > len(now) else "is new"
        raise Differs(f"{len(was)} lines became {len(now)}; this one {which}: {_cut(rest)}")


def _lines(text: str) -> list[str]:
    plain = without_addresses(ANSI.sub("", text)).replace("−", "-")
    return [line.rstrip() for line in plain.rstrip().split("\n")]


def _unlike(stored: str, fresh: str, tolerance: Tolerance) -> str | None:
    """How two lines differ ("" if in their words), or None."""
    if stored == fresh:
        return None
    if _words(stored) != _words(fresh):
        return ""
    for one, other in zip(NUMBER.findall(stored), NUMBER.findall(fresh), strict=True):
        if not _same_number(one, other, tolerance):
            return f": {one} became {other}{_how_far(one, other, tolerance)}"
    return None


def _words(line: str) -> list[str]:
    """What stands around the numbers of a line, but for the blanks that align the numbers."""
    words = NUMBER.split(line)
    for i in range(1, len(words)):  # after a number
        words[i] = re.sub(r"^ +", " ", words[i])
    for i in range(len(words) - 1):  # before a number
        bare = words[i].rstrip(" ")
        opens = bare.endswith(("[", "(")) or (i == 0 and not bare)
        words[i] = bare if opens or bare == words[i] else bare + " "
    return words


def _same_number(stored: str, fresh: str, tolerance: Tolerance) -> bool:
    """Integers exactly, and so whole numbers as NumPy prints them (`3.`); 1 is not 1.0."""
    if _is_whole(stored) and _is_whole(fresh):
        return float(stored) == float(fresh) and _is_integer(stored) == _is_integer(fresh)
    if float(stored) == float(fresh):
        return _is_integer(stored) == _is_integer(fresh)
    return tolerance.agree(float(stored), float(fresh))


def _is_whole(number: str) -> bool:
    return number.strip("+-.").isdigit()


def _is_integer(number: str) -> bool:
    return number.lstrip("+-").isdigit()


def _how_far(stored: str, fresh: str, tolerance: Tolerance) -> str:
    if _is_whole(stored) and _is_whole(fresh):
        return " (integers agree exactly)"
    far = abs(float(fresh) - float(stored))
    share = f", {far / abs(float(stored)):.2g} of it" if float(stored) else ""
    allowed = f"rtol {tolerance.rtol:g}, atol {tolerance.atol:g}"
    return f" (apart by {far:.2g}{share}; allowed: {allowed})"


# ------------------------------------------------------------------------------------------- HTML

_SVG = re.compile(r"<svg\b.*?</svg>", re.DOTALL)


def same_html(stored: str, fresh: str, tolerance: Tolerance) -> None:
    """The drawings in it as drawings, the rest as text; ids may have other names."""
    drawings, others = _SVG.findall(stored), _SVG.findall(fresh)
    if len(drawings) != len(others):
        raise Differs("drawings in it", str(len(drawings)), str(len(others)))
    for one, other in zip(drawings, others, strict=True):
        same_svg(one, other, tolerance)
    texts = [_SVG.sub("<svg/>", text) for text in (stored, fresh)]
    same_text(*[_renamed(text, _ids_of_html(text)) for text in texts], tolerance)


def _ids_of_html(text: str) -> list[str]:
    return re.findall(r"""\bid=["']([^"']+)["']""", text)


def _renamed(text: str, ids: list[str]) -> str:
    """Each id, where it is given and where it is referred to, named by its place: id-1, id-2."""
    names = {name: f"id-{i}" for i, name in enumerate(dict.fromkeys(ids), start=1)}
    if not names:
        return text
    known = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.sub(rf"(?<![\w-])(?:{known})(?![\w-])", lambda match: names[match.group()], text)


# ---------------------------------------------------------------------------------------- figures

_LENGTH = re.compile(r"[xy][12]?|[cdfr][xy]|r|width|height|points|viewBox")
_TRANSFORM = re.compile(r"(\w+)\s*\(([^)]*)\)")
_COLOR = re.compile(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b")


def same_svg(stored: str, fresh: str, tolerance: Tolerance) -> None:
    """Raise Differs unless both show the same: elements, texts, colours, curves, images.

    Curves and places may be off by rtol times the size of the figure. Metadata such as the date of
    drawing, comments and the names of ids do not count.
    """
    try:
        roots = [_read_svg(text) for text in (stored, fresh)]
    except ElementTree.ParseError:  # HTML may leave a tag open
        same_text(*[_renamed(text, _ids_of_html(text)) for text in (stored, fresh)], tolerance)
        return
    length = tolerance.rtol * _size_of_drawing(roots[0])
    _same_element(*roots, _Reach(tolerance, length), "the figure")


@dataclass(frozen=True)
class _Reach:
    """How far a number may be off in a figure, and a place, in the units at hand."""

    tolerance: Tolerance
    length: float


@dataclass(frozen=True)
class _Element:
    """An element of a drawing: style among the attributes, ids in them named by their place."""

    id: str
    tag: str
    attributes: dict[str, str]
    texts: tuple[str, str]  # in it, and after it
    children: list["_Element"]


def _read_svg(text: str) -> _Element:
    root = ElementTree.fromstring(text)
    ids = dict.fromkeys(element.get("id") for element in root.iter() if element.get("id"))
    return _read_element(root, {name: f"id-{i}" for i, name in enumerate(ids, start=1)})


def _read_element(element: ElementTree.Element, names: dict[str, str]) -> _Element:
    found = {_local(name): value for name, value in element.attrib.items()}
    for rule in found.pop("style", "").split(";"):
        name, colon, value = rule.partition(":")
        if colon:
            found[f"style {name.strip()}"] = value.strip()
    for name, value in found.items():
        known = re.sub(r"#([\w.-]+)", lambda match: "#" + names.get(match[1], match[1]), value)
        found[name] = names.get(value, known)
    return _Element(
        id=element.get("id", ""),
        tag=_local(element.tag),
        attributes=found,
        texts=(element.text or "", element.tail or ""),
        children=[_read_element(child, names) for child in element if isinstance(child.tag, str)],
    )


def _local(name: str) -> str:
    """A name without its namespace."""
    return name.rpartition("}")[2]


def _size_of_drawing(root: _Element) -> float:
    box = NUMBER.findall(root.attributes.get("viewBox", ""))[2:]
    sides = [root.attributes.get(side, "") for side in ("width", "height")]
    return max(float(number) for number in box or NUMBER.findall(" ".join(sides)) or ["100"])


def _same_element(stored: _Element, fresh: _Element, reach: _Reach, where: str) -> None:
    where = stored.id or where
    if stored.tag != fresh.tag:
        raise Differs(f"in {where}, an element", stored.tag, fresh.tag)
    if stored.tag == "metadata":
        return
    was, now = stored.attributes, fresh.attributes
    if set(was) != set(now):
        names = [" ".join(sorted(attributes)) for attributes in (was, now)]
        raise Differs(f"in {where}, what <{stored.tag}> has", *names)
    inside = _Reach(reach.tolerance, reach.length / _scale(was.get("transform", "")))
    try:
        for name in was:
            _same_attribute(name, was[name], now[name], reach if name == "transform" else inside)
        for one, other in zip(stored.texts, fresh.texts, strict=True):
            same_text(one, other, reach.tolerance)
    except Differs as differs:
        differs.what = f"in {where}, <{stored.tag}> {differs.what}"
        raise
    for one, other in zip(stored.children, fresh.children, strict=False):
        _same_element(one, other, inside, where)
    counts = [len(element.children) for element in (stored, fresh)]
    if counts[0] != counts[1]:
        tags = [" ".join(child.tag for child in part.children) for part in (stored, fresh)]
        raise Differs(f"in {where}, {counts[0]} elements became {counts[1]}", *tags)


def _same_attribute(name: str, stored: str, fresh: str, reach: _Reach) -> None:
    if stored == fresh:
        return
    data = [re.match(r"data:image/(?!svg)[\w.+-]+;base64,", value) for value in (stored, fresh)]
    try:
        if all(data):
            pixels = [base64.b64decode(value.partition(",")[2]) for value in (stored, fresh)]
            same_pixels(*pixels, reach.tolerance)
        elif name == "d":
            _same_path(stored, fresh, reach.length)
        elif name == "transform":
            _same_transform(stored, fresh, reach)
        elif _LENGTH.fullmatch(name):
            same_text(stored, fresh, Tolerance(0, reach.length))
        elif _COLOR.search(stored):
            _same_colors(stored, fresh)
            same_text(
                _COLOR.sub("(colour)", stored), _COLOR.sub("(colour)", fresh), reach.tolerance
            )
        else:
            same_text(stored, fresh, reach.tolerance)
    except Differs as differs:
        differs.what = f"{name}: {differs.what}"
        raise


def _same_colors(stored: str, fresh: str) -> None:
    was, now = _COLOR.findall(stored), _COLOR.findall(fresh)
    if any(_color_distance(*pair) > LEVELS for pair in zip(was, now, strict=False)):
        raise Differs("colour", " ".join(was), " ".join(now))


def _color_distance(one: str, other: str) -> int:
    def levels(color: str) -> list[int]:
        digits = color[1:] if len(color) == 7 else "".join(digit * 2 for digit in color[1:])
        return [int(digits[i : i + 2], 16) for i in (0, 2, 4)]

    return max(abs(a - b) for a, b in zip(levels(one), levels(other), strict=True))


def _same_transform(stored: str, fresh: str, reach: _Reach) -> None:
    """Shifts by the reach of a place; what scales, turns and skews, as numbers."""
    steps, others = _TRANSFORM.findall(stored), _TRANSFORM.findall(fresh)
    if [name for name, _ in steps] != [name for name, _ in others]:
        raise Differs("transformations", stored, fresh)
    for (name, was), (_, now) in zip(steps, others, strict=True):
        was, now = was.replace(",", " ").split(), now.replace(",", " ").split()
        strict = {"translate": 0, "matrix": 4, "rotate": 1}.get(name, len(was))
        same_text(" ".join(was[:strict]), " ".join(now[:strict]), reach.tolerance)
        same_text(" ".join(was[strict:]), " ".join(now[strict:]), Tolerance(0, reach.length))


def _scale(transform: str) -> float:
    """How many units of the figure one unit below this transformation is."""
    scale = 1.0
    for name, numbers in _TRANSFORM.findall(transform):
        given = [float(number) for number in numbers.replace(",", " ").split()]
        if name == "scale":
            scale *= max(abs(number) for number in given)
        elif name == "matrix":
            scale *= max(np.hypot(*given[:2]), np.hypot(*given[2:4]))
    return scale or 1.0


# ---- curves

_STEP = re.compile(r"([A-Za-z])|([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")


def _same_path(stored: str, fresh: str, length: float) -> None:
    """Raise Differs unless no point of either curve is farther than `length` from the other.

    The points themselves may be others: matplotlib leaves out those that lie on a straight line,
    and rounding may tip that choice.
    """
    (steps, was), (others, now) = _read_path(stored), _read_path(fresh)
    if steps == others and np.all(np.abs(was - now) <= length):
        return
    if not set(steps + others) <= set("MLCQZz"):
        raise Differs("another shape", stored, fresh)
    one, other = _strokes(steps, was), _strokes(others, now)
    far = max(_farthest(one, other), _farthest(other, one))
    if far > length:
        raise Differs(f"a curve lies {far:.3g} away from where it was (allowed: {length:.3g})")


def _read_path(path: str) -> tuple[str, np.ndarray]:
    tokens = _STEP.findall(path)
    letters = "".join(letter for letter, _ in tokens)
    return letters, np.array([float(number) for letter, number in tokens if not letter])


def _strokes(steps: str, numbers: np.ndarray) -> np.ndarray:
    """The straight pieces of a path, (N, 2, 2); of a bent piece, those of its control points."""
    pairs, pieces, start, here, used = numbers.reshape(-1, 2), [], None, None, 0
    for step in steps:
        if step in "Zz":
            pieces.append((here, start))
            here = start
            continue
        for point in pairs[used : used + {"M": 1, "L": 1, "C": 3, "Q": 2}[step]]:
            used += 1
            pieces.append((point if step == "M" else here, point))
            start = point if step == "M" else start
            here = point
    return np.array(pieces).reshape(-1, 2, 2)


def _farthest(one: np.ndarray, other: np.ndarray) -> float:
    """How far the corners of one curve lie from the other curve, at most."""
    if not len(one) or not len(other):
        return 0.0 if len(one) == len(other) else np.inf
    starts, along = other[:, 0], other[:, 1] - other[:, 0]  # (N, 2)
    squares = np.maximum((along**2).sum(axis=1), 1e-300)
    farthest = 0.0
    for point in one.reshape(-1, 2):
        share = np.clip(((point - starts) * along).sum(axis=1) / squares, 0, 1)  # (N,)
        gaps = point - starts - share[:, None] * along  # (N, 2)
        farthest = max(farthest, (gaps**2).sum(axis=1).min())
    return float(np.sqrt(farthest))


# ----------------------------------------------------------------------------------------- images


def same_pixels(stored: bytes, fresh: bytes, tolerance: Tolerance) -> None:
    """Raise Differs unless all but rtol of the pixels are the same, to a few levels of 255."""
    if stored == fresh:
        return
    was, now = _pixels(stored), _pixels(fresh)
    if was.shape != now.shape:
        raise Differs("size of the image", _size(was), _size(now))
    far = np.abs(was - now).max(axis=2)  # (H, W)
    others, allowed = int((far > LEVELS).sum()), int(tolerance.rtol * far.size)
    if others > allowed:
        row, column = (int(i) for i in np.argwhere(far > LEVELS)[0])
        raise Differs(
            f"{others} of {far.size} pixels changed (allowed: {allowed}); "
            f"the first, row {row}, column {column}",
            f"RGBA {was[row, column].tolist()}",
            f"RGBA {now[row, column].tolist()}",
        )


def _pixels(image: bytes) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(image)).convert("RGBA")).astype(np.int16)


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"
