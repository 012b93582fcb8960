"""New digits in MNIST's form: from a photograph, a scan or an array, or from strokes.

MNIST was made (LeCun, Bottou, Bengio and Haffner, 1998, section III.A) from black-and-white scans:
each digit was scaled to fit a box of 20x20 pixels with its aspect ratio kept, which left grey
levels along the edges, and put into 28x28 so that its centre of mass lies in the middle.  In its
60000 training images that is the pixel with index 14, and the brightest ink is 254 or 255.  A
network that has seen nothing else needs its input made the same way.
"""

import json
import os
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

BOX, SIZE, CENTRE = 20, 28, 14


def load_digit_image(image: str | os.PathLike | np.ndarray) -> np.ndarray:
    """Bring a picture of one digit to MNIST's form.

    The ink may be dark on light or light on dark, in any size; lighting may change evenly across
    the picture.  Nothing but the digit should be in it: crop the edge of the paper, use no ruled
    paper, and write with a pen about a tenth as broad as the digit is high.

    Args:
        image: a file (PNG, JPEG, ...), a PIL image, or an array of shape (H, W), (H, W, 1),
            (H, W, 3) or (H, W, 4): uint8, bool, or floats from 0 to 1.

    Returns:
        uint8 of shape (28, 28), ink 255 on 0.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no image, the array no picture, or no digit stands out in it.
    """
    ink = _ink(_grey(image))  # (H, W) in 0..1
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    shape = [max(1, round(side * BOX / max(cut.shape))) for side in cut.shape]
    return _centred(_resize(cut, *shape))


def strokes_to_image(strokes: Sequence | str, width: float = 2.5) -> np.ndarray:
    """Draw a digit from the strokes of a pen, in MNIST's form.

    >>> seven = [[(0, 0), (6, 0), (2, 10)], [(1, 5), (5, 5)]]
    >>> strokes_to_image(seven).shape
    (28, 28)

    Args:
        strokes: one list of points (x, y) for each time the pen touches the paper; x grows to the
            right, y downwards, in any unit.  A string is read as JSON.
        width: breadth of the pen, in pixels of the result.

    Returns:
        uint8 of shape (28, 28), ink 255 on 0.

    Raises:
        ValueError: there are no strokes, or they have no extent, or not two numbers a point.
    """
    if not 0 < width <= BOX / 2:
        raise ValueError(f"width must be above 0 and at most {BOX // 2} pixels, got {width}")
    pens = _points(strokes)
    low, high = np.min(np.concatenate(pens), 0), np.max(np.concatenate(pens), 0)
    if not (high - low).max() > 0:
        raise ValueError("the strokes are a single dot; draw a digit that has some extent")
    scale = (BOX - width) / (high - low).max()
    # Where the middle of each pixel is, in a box just large enough for the pen.
    columns, rows = np.ceil((high - low) * scale + width).astype(int)
    y, x = np.mgrid[:rows, :columns] + 0.5
    distance = np.full((rows, columns), np.inf)
    for pen in pens:
        pen = (pen - low) * scale + width / 2
        for a, b in pairwise(pen) if len(pen) > 1 else [(pen[0], pen[0])]:
            distance = np.minimum(distance, _distance_to_segment(x, y, a, b))
    # A pixel is inked as far as the edge of the pen reaches into it.
    return _centred(np.clip(width / 2 + 0.5 - distance, 0, 1))


def _centred(box: np.ndarray) -> np.ndarray:
    """Ink of at most 20x20 on 28x28, its centre of mass on the pixel (14, 14), its peak at 255."""
    image = np.zeros((SIZE, SIZE))
    start = []
    for axis, side in enumerate(box.shape):
        mass = box.sum(1 - axis)
        middle = (mass * np.arange(side)).sum() / mass.sum()
        # The centre of mass may lie far off the middle of the box: cut nothing off for it.
        start.append(min(max(CENTRE - round(middle), 0), SIZE - side))
    image[start[0] : start[0] + box.shape[0], start[1] : start[1] + box.shape[1]] = box
    return np.round(image * (255 / box.max())).astype(np.uint8)


# ------------------------------------------------------------------------------ pictures


def _grey(image) -> np.ndarray:
    """Any picture as brightness in 0..1, shape (H, W)."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("load_digit_image needs Pillow: pip install pillow") from error

    if isinstance(image, str | os.PathLike):
        image = _open(image)
    if isinstance(image, Image.Image):
        if image.mode.startswith("I"):  # 16 bits a pixel: Pillow's own conversion would clip them
            return np.asarray(image, np.float64) / 65535
        paper = Image.new("RGBA", image.size, "white")  # behind what is transparent
        return np.asarray(Image.alpha_composite(paper, image.convert("RGBA")).convert("L")) / 255
    return _grey_array(np.asarray(image))


def _open(path):
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image)  # which reads it, upright as the camera was held
    except FileNotFoundError:
        raise
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from error


def _grey_array(array: np.ndarray) -> np.ndarray:
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or 0 in array.shape:
        wanted = "(H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
        raise ValueError(f"an image has the shape {wanted}, got {array.shape}")
    if array.dtype == np.uint8:
        array = array / 255
    elif array.dtype.kind not in "bf" or not (array.min() >= 0 and array.max() <= 1):
        raise ValueError(
            "an image array is uint8, bool, or floats from 0 to 1, got "
            f"{array.dtype} from {array.min()} to {array.max()}"
        )
    array = array.reshape(*array.shape[:2], channels).astype(np.float64)
    if channels == 4:  # on white paper
        array = array[..., :3] * array[..., 3:] + 1 - array[..., 3:]
    # The weights of ITU-R BT.601, which Pillow uses too.
    return array[..., 0] if channels == 1 else array[..., :3] @ [0.299, 0.587, 0.114]


def _ink(grey: np.ndarray) -> np.ndarray:
    """How much ink is where, 0..1: the paper taken away, dark or light, and specks with it."""
    if max(grey.shape) > 512:  # fine detail is noise here
        scale = 512 / max(grey.shape)
        grey = _resize(grey, *(max(1, round(side * scale)) for side in grey.shape))
    ink = grey - _paper(grey)
    if -ink.min() > ink.max():
        ink = -ink  # dark on light
    if ink.max() < 0.1:
        raise ValueError("no digit stands out in the image: it has hardly any contrast")
    edge = ink.max() / 2
    ink = np.clip(ink / edge - 0.5, 0, 1)  # a soft threshold: 0.5 at the edge of a stroke
    return ink * _without_specks(ink > 0)


def _paper(grey: np.ndarray) -> np.ndarray:
    """The brightness of the paper: a plane laid through the border, so light may fall unevenly."""
    y, x = np.mgrid[: grey.shape[0], : grey.shape[1]]
    rim = max(1, min(grey.shape) // 20)
    border = np.ones(grey.shape, bool)
    border[rim:-rim, rim:-rim] = False
    terms = np.stack([np.ones(grey.shape), y / grey.shape[0], x / grey.shape[1]], -1)
    plane = np.full(grey.shape, np.median(grey[border]))
    for _ in range(3):  # strokes that reach the border are not paper: leave the worse half out
        misfit = np.abs(grey - plane)
        paper = border & (misfit <= np.median(misfit[border]))
        plane = terms @ np.linalg.lstsq(terms[paper], grey[paper], rcond=None)[0]
    return plane


def _without_specks(mask: np.ndarray) -> np.ndarray:
    """The mask without the parts that have less than 3 % of the area of the largest part."""
    step = max(1, max(mask.shape) // 128)  # which pixels touch is seen on a coarser grid as well
    coarse = np.maximum.reduceat(mask, np.arange(0, mask.shape[0], step), 0)
    coarse = np.maximum.reduceat(coarse, np.arange(0, mask.shape[1], step), 1)
    labels = _components(coarse).repeat(step, 0).repeat(step, 1)
    labels = labels[: mask.shape[0], : mask.shape[1]]
    area = np.bincount(labels[mask], minlength=labels.max() + 1)
    return mask & (area[labels] >= 0.03 * area.max())


def _components(mask: np.ndarray) -> np.ndarray:
    """A number above 0 for each pixel of the mask; pixels that touch, diagonally too, share it."""
    height, width = mask.shape
    labels = np.arange(1, mask.size + 1).reshape(mask.shape) * mask
    while True:
        around = np.pad(labels, 1)
        shifts = [around[i : i + height, j : j + width] for i in range(3) for j in range(3)]
        grown = np.max(shifts, 0) * mask
        grown = np.append(0, grown)[grown]  # jump to the label of the pixel one is labelled by
        if np.array_equal(grown, labels):
            return labels
        labels = grown


def _resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Each new pixel is the mean of the old ones below it (of parts of them, at the edges)."""
    return _overlap(height, image.shape[0]) @ image @ _overlap(width, image.shape[1]).T


def _overlap(new: int, old: int) -> np.ndarray:
    """(new, old): which share of each new pixel is covered by each old one, along one axis."""
    edges = np.arange(new + 1)[:, None] * old / new  # (new + 1, 1), in old pixels
    reach = np.clip(edges - np.arange(old), 0, 1)  # how much of each old pixel lies before an edge
    return np.diff(reach, axis=0) * new / old


# ------------------------------------------------------------------------------- strokes


def _points(strokes) -> list[np.ndarray]:
    if isinstance(strokes, str):
        try:
            strokes = json.loads(strokes)
        except json.JSONDecodeError as error:
            raise ValueError(f"the strokes are not a list in JSON: {error}") from error
    try:
        pens = [np.array(stroke, np.float64) for stroke in strokes]
    except (TypeError, ValueError) as error:
        raise ValueError(f"a stroke is a list of points (x, y): {error}") from error
    pens = [pen for pen in pens if pen.size]
    if not pens:
        raise ValueError("there are no strokes to draw")
    for pen in pens:
        if pen.ndim != 2 or pen.shape[1] != 2 or not np.isfinite(pen).all():
            raise ValueError(f"a stroke is a list of points (x, y), got {pen.tolist()}")
    return pens


def _distance_to_segment(x, y, a, b) -> np.ndarray:
    """From each pixel (x, y) to the nearest point of the line from a to b."""
    dx, dy = b - a
    length2 = dx * dx + dy * dy
    t = ((x - a[0]) * dx + (y - a[1]) * dy) / length2 if length2 > 0 else 0.0
    t = np.clip(t, 0, 1)
    return np.hypot(x - a[0] - t * dx, y - a[1] - t * dy)
