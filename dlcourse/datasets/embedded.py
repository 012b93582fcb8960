"""The data sets that come with the course: small, real, there without a network.

The files lie in the folder `data/`: at the top of a checkout, inside the package when installed.
Each is checked against its sha256 before a byte of it is believed.  Where they come from and under
which licence stands in `data/README.md`.
"""

import bz2
import csv
import hashlib
import io
from pathlib import Path

import numpy as np

# What `data/build.py` wrote; the same sums stand in data/README.md.
FILES = {
    "diamonds.csv.bz2": "1f3f756f641d95aa8b575f9e60116e0d80adc7e36ca37411d0a189d757f94097",
    "kjv.txt.bz2": "7c64d0627318bc8eecfe1077efe44b971290bda10ad8db4028b1a28f337f4856",
    "mnist_5k.npz": "318529116436d286a13fb1f5ec89f00ae35cd21faee91088e5fa8ca9882bc636",
    "names.csv": "0c0a07764067a52c9537c55dade727a9b79d65436c4f741cd616fedea9351350",
    "penguins.csv": "144f623143c9360fd77322a4f86acb06dc198814dbd2669724c63e6457b907bd",
    "pictograms.npz": "6ed1237d105d72f1db31834dd9c8a7e190e2cf0ebc9d756ba2c6a7aa685911a7",
    "weather.csv": "62f0609f787158128aa2bd102967173a4953122dd4f872bf1d502cae1037df0b",
}

SPLITS = ("train", "valid", "test")

_PACKAGE = Path(__file__).resolve().parent.parent
_FOLDERS = (_PACKAGE / "data", _PACKAGE.parent / "data")  # installed, then checkout


class DataError(RuntimeError):
    """A data set is missing, damaged or out of reach; the message says how to mend it."""


def embedded_path(name: str) -> Path:
    """The path of an embedded file, e.g. `embedded_path("mnist_5k.npz")`, unopened and unchecked.

    Raises:
        DataError: no such file came with this installation.
    """
    for folder in _FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"The embedded data file {name} is missing from {_FOLDERS[-1]}. {_mend(name)}")


def digits(split: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """Real handwritten digits: 5000 images of MNIST, the same number of each class.

    Images come in turn 0, 1, ..., 9, 0, 1, ..., so every ten in a row hold each digit once.  The
    last 100 of each class are the test set; why the last, see `data/README.md`.  All are from
    MNIST's training set: a model trained on `mnist(train=True)` has seen `digits("test")`.

    Args:
        split: `"train"` (4000 images) or `"test"` (1000).

    Returns:
        images: uint8 of shape (N, 28, 28), ink 255 on 0; labels: int64 of shape (N,).

    Raises:
        DataError: the file is missing or damaged.
    """
    if split not in ("train", "test"):
        raise ValueError(f'split must be "train" or "test", got {split!r}')
    with np.load(io.BytesIO(_verified("mnist_5k.npz")), allow_pickle=False) as archive:
        images, labels = archive["images"], archive["labels"].astype(np.int64)
    part = slice(None, 4000) if split == "train" else slice(4000, None)
    return images[part].copy(), labels[part].copy()


def names(group: str = "given", split: str | None = None) -> list[str]:
    """Names of people in the United States (census of 1990), lower case, the most frequent first.

    Args:
        group: `"female"` (4275 names), `"male"` (1219), `"given"` (both lists, each name once) or
            `"surnames"` (the 10 000 most frequent).
        split: `"train"`, `"valid"`, `"test"` (about 80, 10 and 10 %), or None for all.  A name's
            spelling alone decides, so no name is in two parts, whatever groups they are from.

    Raises:
        DataError: the file is missing or damaged.
    """
    if split not in (None, *SPLITS):
        raise ValueError(f"split must be one of {', '.join(SPLITS)} or None, got {split!r}")
    return [name for name in name_shares(group) if split in (None, _split_of(name))]


def name_shares(group: str = "given") -> dict[str, float]:
    """How many people of a hundred bear each name of a group, in the order of `names`.

    Of `"female"` of a hundred women, of `"male"` of a hundred men, of `"given"` the mean of both.
    """
    if group not in ("given", "female", "male", "surnames"):
        wanted = '"given", "female", "male" or "surnames"'
        raise ValueError(f"group must be {wanted}, got {group!r}")
    rows = list(csv.DictReader(io.StringIO(_verified("names.csv").decode("ascii"))))
    if group != "given":
        return {row["name"]: float(row["percent"]) for row in rows if row["group"] == group}
    half: dict[str, float] = {}
    for row in rows:
        if row["group"] != "surnames":
            half[row["name"]] = half.get(row["name"], 0.0) + float(row["percent"]) / 2
    shares = {name: round(share, 4) for name, share in half.items()}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))  # stable: ties stay in order


def _split_of(name: str) -> str:
    """Which part a name belongs to: a number in [0, 1) made from its spelling tells."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32
    return SPLITS[(number >= 0.8) + (number >= 0.9)]


def diamonds():
    """53 940 round diamonds and what they were offered for, as a pandas DataFrame.

    Columns: carat, cut, color, clarity (grades, text), depth, table (percent), price (US dollars),
    x, y, z (mm).  Nothing is cleaned: some lengths are 0, and some stones are listed twice.  See
    `data/README.md`.

    Raises: as `penguins`.
    """
    return _table("diamonds.csv.bz2")


def penguins():
    """344 penguins of the Palmer Archipelago as they were written down, as a pandas DataFrame.

    17 columns: who, where and when, four measurements, two isotope ratios, sex, remarks.  Nothing
    is cleaned: values are missing, texts stand for dates and codes, and the birds come in pairs,
    rows 2i and 2i + 1 being the two of one nest.  See `data/README.md`.

    Raises:
        DataError: the file is missing or damaged.
        ImportError: pandas is not installed.
    """
    return _table("penguins.csv")


def weather():
    """Seattle's weather on the 1461 days from 2012 to 2015, in order, as a pandas DataFrame.

    Columns: date (text), precipitation (mm), temp_max and temp_min (degrees Celsius), wind (m/s),
    weather (drizzle, fog, rain, snow or sun).

    Raises: as `penguins`.
    """
    return _table("weather.csv")


# Whole books, of several kinds of writing, that share little with the rest: see data/README.md.
KJV_SPLITS = {
    "valid": ("Ruth", "Ecclesiastes", "Daniel", "Galatians", "Philippians"),
    "test": ("Esther", "Lamentations", "Zechariah", "James", "1 John", "Revelation"),
}
"""The books that are held out, {split: names}: those of "valid" and those of "test"."""


def kjv(split: str = "train") -> str:
    """The King James Bible (1611, in the spelling of 1769) as one string of ASCII.

    Each line is a verse, without its number; an empty line ends a chapter.  The split is by whole
    books, those of `KJV_SPLITS` being held out.

    Args:
        split: `"train"`, `"valid"`, `"test"`, or `"all"` for the 66 books in their order.

    Raises:
        DataError: the file is missing or damaged.
    """
    if split not in ("train", *KJV_SPLITS, "all"):
        raise ValueError(f'split must be "train", "valid", "test" or "all", got {split!r}')
    books = kjv_books()
    held_out = {title for titles in KJV_SPLITS.values() for title in titles}
    titles = {"all": books, "train": [t for t in books if t not in held_out]} | KJV_SPLITS
    return "".join(books[title] for title in titles[split])


def kjv_books() -> dict[str, str]:
    """The 66 books in their order, `{"Genesis": text, ..., "Revelation": text}`; see `kjv`."""
    _, *books = bz2.decompress(_verified("kjv.txt.bz2")).decode("ascii").split("# ")
    return dict(book.split("\n", 1) for book in books)


def _table(name: str):
    content = _verified(name)
    try:
        import pandas
    except ImportError as error:
        raise ImportError("tables are read by pandas: pip install pandas") from error
    if name.endswith(".bz2"):
        content = bz2.decompress(content)
    return pandas.read_csv(io.BytesIO(content))


def _verified(name: str) -> bytes:
    path = embedded_path(name)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"The embedded data file {path} cannot be read ({error}).") from error
    if hashlib.sha256(content).hexdigest() != FILES[name]:
        raise DataError(
            f"The embedded data file {path} is damaged: its {len(content)} bytes do not have the "
            f"sha256 that data/README.md states. {_mend(name)}"
        )
    return content


def _mend(name: str) -> str:
    return (
        f"To mend it: `git checkout -- data/{name}` in a clone, "
        "or `pip install --force-reinstall --no-deps dlcourse` for an installed package."
    )
