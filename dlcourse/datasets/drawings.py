"""Pictograms on photographs: a small colour image set with the ten classes of CIFAR-10.

These are no photographs of cats and ships but drawings of them, from openly licensed sets of emoji,
laid at random over pieces of photographs.  What is shipped is the drawings and the photographs; the
images are composed here when asked for, in whole numbers only, so that every machine gets the same
bytes.  Licences and authors stand in `data/README.md`.
"""

from __future__ import annotations

import io
from functools import cache
from typing import Any, NamedTuple

from dlcourse.datasets.embedded import _verified

import numpy as np

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
"""The ten names of the classes of CIFAR-10, in the order of the labels."""

# Who is held back for the test set; the sets of one family are by one hand.
TEST_ARTISTS = ("fxemoji", "openmoji")
TEST_PHOTOS = ("brick", "flower", "gravel", "rocket")


class Split(NamedTuple):
    """How many images, from which draws of chance, and whether artists and photographs are new."""

    count: int
    seed: int
    new_artists: bool
    new_photos: bool


SPLITS = {
    "train": Split(4000, seed=0, new_artists=False, new_photos=False),
    "valid": Split(1000, seed=1, new_artists=False, new_photos=False),
    "new photographs": Split(1000, seed=2, new_artists=False, new_photos=True),
    "test": Split(2000, seed=3, new_artists=True, new_photos=True),
}

SIDE = 32  # of an image
SUB = 2  # samples a pixel, along each axis
COS = [1024, 1020, 1008, 989, 962, 928, 887]  # of 0, 5, ..., 30 degrees, times 1024
SIN = [0, 89, 178, 265, 350, 433, 512]


def pictograms(split: str = "train", return_artists: bool = False) -> tuple[Any, ...]:
    """Drawings of the ten things of CIFAR-10 on photographs: colour images of 32x32 pixels.

    Classes come in turn 0, 1, ..., 9, 0, 1, ...; their names are `CIFAR10_CLASSES`.  In `"train"`
    and `"valid"` the same drawings lie on the same photographs, in other places, sizes and colours:
    `"valid"` is what a split at random of one set of images would give.  In `"new photographs"` the
    drawings are known and the backgrounds are not; in `"test"` the drawings are by artists, and on
    photographs, that no other split has.

    Args:
        split: `"train"` (4000 images), `"valid"` (1000), `"new photographs"` (1000), `"test"`
            (2000).
        return_artists: give a third array, who drew each image.

    Returns:
        images: uint8 of shape (N, 32, 32, 3); labels: int64 of shape (N,); and the artists, str of
            shape (N,), if asked for.

    Raises:
        DataError: the file is missing or damaged.
    """
    if split not in SPLITS:
        known = ", ".join(f'"{name}"' for name in SPLITS)
        raise ValueError(f"split must be one of {known}, got {split!r}")
    images, labels, artists = _drawn(split)
    parts = (images.copy(), labels.copy())
    return (*parts, artists.copy()) if return_artists else parts


@cache
def _archive() -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(_verified("pictograms.npz")), allow_pickle=False) as archive:
        return dict(archive)


class Chance:
    """Whole numbers from the raw bits of PCG64, a stream that no version of NumPy may change."""

    def __init__(self, seed: int) -> None:
        self.bits = np.random.PCG64(seed)

    def draw(self, count: int, low: int, high: int) -> np.ndarray:
        """`count` numbers from low to high, both included."""
        span = np.uint64(high - low + 1)
        return low + (self.bits.random_raw(count) % span).astype(np.int64)

    def pick(self, choices: np.ndarray) -> np.ndarray:
        """One of each row's choices (N, M); a row may end in -1, which are none."""
        raw = self.bits.random_raw(len(choices))
        place = (raw % (choices >= 0).sum(1).astype(np.uint64)).astype(np.int64)
        return choices[np.arange(len(choices)), place]


def _drawn(split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(images, labels, artists): for each image an artist, then a drawing, then a photograph."""
    count, seed, new_artists, new_photos = SPLITS[split]
    bank, chance = _archive(), Chance(seed)
    allowed = np.isin(bank["artists"], TEST_ARTISTS) == new_artists  # (A,)
    of_class = [
        [np.flatnonzero((bank["label"] == k) & (bank["artist"] == a)) for a in range(len(allowed))]
        for k in range(10)
    ]
    labels = np.arange(count) % 10
    able = [[a for a, found in enumerate(row) if allowed[a] and len(found)] for row in of_class]
    artist = chance.pick(_padded(able)[labels])
    choices = _padded([of_class[k][a] for k, a in zip(labels, artist, strict=True)])
    glyph = chance.pick(choices)
    photos = np.flatnonzero(np.isin(bank["photo_names"], TEST_PHOTOS) == new_photos)
    photo = photos[chance.draw(count, 0, len(photos) - 1)]
    images = [
        _compose(bank["glyphs"][glyph[i : i + 250]], bank["photos"], photo[i : i + 250], chance)
        for i in range(0, count, 250)
    ]
    return np.concatenate(images), labels, bank["artists"][artist]


def _padded(rows: list) -> np.ndarray:
    """Lists of numbers as the rows of one array, filled up with -1."""
    table = np.full((len(rows), max(map(len, rows))), -1)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table


def _compose(
    glyphs: np.ndarray, photos: np.ndarray, photo: np.ndarray, chance: Chance
) -> np.ndarray:
    """Drawings (N, S, S, 4) over pieces of photographs: (N, 32, 32, 3), all in whole numbers."""
    N = len(glyphs)
    ground = _cut(photos, photo, chance)  # (N, 32, 32, 3)
    light = chance.draw(N, 154, 282)[:, None, None, None]  # of 256
    ground = np.minimum(ground * light >> 8, 255)
    drawing = _place(glyphs, chance)  # (N, 32, 32, 4), colours already times opacity
    colour, opacity = drawing[..., :3], drawing[..., 3:]
    gain = np.stack([chance.draw(N, 176, 336) for _ in range(3)], axis=1)[:, None, None]
    colour = np.minimum(colour * gain >> 8, opacity)
    images = colour + (ground * (255 - opacity) + 127) // 255
    blurred = chance.draw(N, 0, 1)[:, None, None, None]
    images = np.where(blurred == 1, _blur(images), images)
    grain = chance.draw(images.size, -8, 8).reshape(images.shape)
    return np.clip(images + grain, 0, 255).astype(np.uint8)


def _cut(photos: np.ndarray, photo: np.ndarray, chance: Chance) -> np.ndarray:
    """A square piece of each photograph (P, H, W, 3), at its size or half of it, maybe mirrored."""
    N, (H, W) = len(photo), photos.shape[1:3]
    step = chance.draw(N, 1, 2)
    top = chance.draw(N, 0, 10**6) % (H - step * SIDE + 1)
    left = chance.draw(N, 0, 10**6) % (W - step * SIDE + 1)
    along = np.arange(SIDE)
    rows = top[:, None] + step[:, None] * along  # (N, 32)
    columns = left[:, None] + step[:, None] * along
    mirrored = chance.draw(N, 0, 1)[:, None] == 1
    columns = np.where(mirrored, columns[:, ::-1], columns)
    pieces = photos[photo[:, None, None], rows[:, :, None], columns[:, None, :]]
    return pieces.astype(np.int64)  # (N, 32, 32, 3)


def _place(glyphs: np.ndarray, chance: Chance) -> np.ndarray:
    """Each drawing turned, mirrored, resized and moved: (N, 32, 32, 4).

    For each of SUB x SUB points in a pixel: which pixel of the drawing lies there?  Positions are
    counted from the middle of the image, in units of 1 / (2 SUB) pixel.
    """
    N, S = glyphs.shape[:2]
    unit = 2 * SUB
    size = chance.draw(N, 17, 30)  # in pixels
    reach = np.maximum((SIDE - size) * unit // 2, 0) + unit  # may stick out by a pixel
    shift_y = chance.draw(N, 0, 10**6) % (2 * reach + 1) - reach
    shift_x = chance.draw(N, 0, 10**6) % (2 * reach + 1) - reach
    turn = chance.draw(N, -5, 5)  # in steps of 5 degrees
    cos = np.array(COS)[np.abs(turn)][:, None, None]
    sin = (np.array(SIN)[np.abs(turn)] * np.sign(turn))[:, None, None]
    mirror = 1 - 2 * chance.draw(N, 0, 1)[:, None, None]

    at = 2 * np.arange(SIDE * SUB) + 1 - unit * SIDE // 2  # (64,)
    y = (at[None, :] - shift_y[:, None])[:, :, None]  # (N, 64, 1)
    x = (at[None, :] - shift_x[:, None])[:, None, :]  # (N, 1, 64)
    scale = (1024 * unit * size)[:, None, None]
    row = (cos * y - sin * x) * S // scale + S // 2  # (N, 64, 64)
    column = mirror * (sin * y + cos * x) * S // scale + S // 2
    inside = (row >= 0) & (row < S) & (column >= 0) & (column < S)
    place = np.where(inside, row * S + column, 0) + np.arange(N)[:, None, None] * S * S
    whole = np.ascontiguousarray(glyphs).view(np.uint32).ravel()  # four bytes at once
    samples = np.where(inside, whole[place], np.uint32(0)).view(np.uint8)
    samples = samples.reshape(N, SIDE, SUB, SIDE, SUB, 4).astype(np.int32)
    return samples.sum(axis=(2, 4)) // SUB**2


def _blur(images: np.ndarray) -> np.ndarray:
    """Weights 1 2 1 along each axis; the border is repeated."""
    for axis in (1, 2):
        before = np.concatenate([images.take([0], axis), images.take(range(SIDE - 1), axis)], axis)
        after = np.concatenate([images.take(range(1, SIDE), axis), images.take([-1], axis)], axis)
        images = (before + 2 * images + after + 2) // 4
    return images
