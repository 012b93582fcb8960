"""The parts of `pictograms.npz`: drawings from sets of emoji, and photographs.  See build.py.

Needs npm, which fetches the sets of drawings, and resvg-py 0.5.0 and Pillow, which render them.
"""

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

SIZE = 48  # pixels along a side of a stored drawing
FINE = 4  # rendered so many times as large, then averaged
PHOTO = (128, 192)  # pixels of a stored photograph

# Who drew: the package, its version, and the sha256 of the archive that npm packs.
SETS = {
    "noto": (
        "@iconify-json/noto",
        "1.2.9",
        "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
    ),
    "twemoji": (
        "@iconify-json/twemoji",
        "1.2.5",
        "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
    ),
    "fluent": (
        "@iconify-json/fluent-emoji-flat",
        "1.2.6",
        "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
    ),
    "emojione": (
        "@iconify-json/emojione",
        "1.2.3",
        "26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e",
    ),
    "streamline": (
        "@iconify-json/streamline-emojis",
        "1.2.4",
        "5dac87c876b322500989828c5823143e0100d78881627a2e4081a4b897cbfdbc",
    ),
    "openmoji": (
        "@iconify-json/openmoji",
        "1.2.29",
        "03181e2c156cab35cf4a62f1f7886bd971d59212e75ac3f189d5a4cae3930fc5",
    ),
    "fxemoji": (
        "@iconify-json/fxemoji",
        "1.2.2",
        "f3e72b3c59d05e1db03b7e308d55c0d05bd7ba3f625a90da1b79313c12858eef",
    ),
}

# CIFAR-10's classes, in its order, and what they are called in the sets; no set has all of them.
DRAWINGS = {
    "airplane": ["airplane", "small-airplane", "airplane-departure", "airplane-arrival"],
    "automobile": [
        "automobile", "oncoming-automobile", "oncomingautomobile", "taxi", "oncoming-taxi",
        "oncomingtaxi", "police-car", "oncoming-police-car", "sport-utility-vehicle", "racing-car",
    ],
    "bird": [
        "bird", "bird-1", "bird-2", "eagle", "duck", "dove", "doveofpeace", "parrot", "swan",
        "flamingo", "goose", "owl", "turkey", "rooster", "chicken", "baby-chick", "babychick",
        "front-facing-baby-chick", "frontfacingchick", "penguin", "penguin-1", "penguin-2",
    ],
    "cat": ["cat", "cat-face", "black-cat"],
    "deer": ["deer", "moose"],
    "dog": ["dog", "dog-face", "dogside", "guide-dog", "service-dog", "poodle"],
    "frog": ["frog", "frog-face"],
    "horse": ["horse", "horse-face", "horseface"],
    "ship": [
        "ship", "passenger-ship", "ferry", "motor-boat", "speedboat", "sailboat", "rowboat",
    ],
    "truck": [
        "delivery-truck", "deliverytruck", "articulated-lorry", "articulatedlorry", "fire-engine",
    ],
}  # fmt: skip

# The flag of a country is no bird.
LEFT_OUT = {("streamline", "turkey")}

# name: (wheel, file in it), and what to take of it where that is not its middle: left, top, right,
# bottom (the astronaut's suit, without a model of a shuttle that stands beside it).
PHOTOS = {
    "china": ("scikit-learn", "sklearn/datasets/images/china.jpg"),
    "flower": ("scikit-learn", "sklearn/datasets/images/flower.jpg"),
    "astronaut": ("scikit-image", "skimage/data/astronaut.png", (0, 260, 378, 512)),
    "brick": ("scikit-image", "skimage/data/brick.png"),
    "coffee": ("scikit-image", "skimage/data/coffee.png"),
    "grass": ("scikit-image", "skimage/data/grass.png"),
    "gravel": ("scikit-image", "skimage/data/gravel.png"),
    "hubble_deep_field": ("scikit-image", "skimage/data/hubble_deep_field.jpg"),
    "rocket": ("scikit-image", "skimage/data/rocket.jpg"),
}


def icons(package: str, version: str, sha256: str) -> dict:
    """A set's `icons.json`: bodies of SVG by name.  npm fetches it; other archives are refused."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"{package}@{version}"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (path,) = Path(folder).glob("*.tgz")
        content = path.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise ValueError(f"{package}@{version} has the sha256 {found}, not {sha256}")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return json.load(archive.extractfile("package/icons.json"))


def svg(found: dict, name: str) -> str:
    """One icon of a set as a document."""
    icon = found["icons"][name]
    width = icon.get("width", found.get("width", 16))
    height = icon.get("height", found.get("height", 16))
    box = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
    head = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {head} width="{width}" height="{height}" viewBox="{box}">{icon["body"]}</svg>'


def render(document: str) -> np.ndarray:
    """The drawing, cut to what is in it and made as large as fits: (SIZE, SIZE, 4).

    Colours are multiplied by the opacity, so that averages of pixels are right at the edges.
    """
    import resvg_py
    from PIL import Image

    side = 2 * SIZE * FINE
    png = bytes(
        resvg_py.svg_to_bytes(svg_string=document, width=side, height=side, skip_system_fonts=True)
    )
    drawn = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")).astype(np.int64)
    drawn[..., :3] = (drawn[..., :3] * drawn[..., 3:] + 127) // 255
    rows, columns = (np.flatnonzero(drawn[..., 3].max(axis)) for axis in (1, 0))
    drawn = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    square = np.zeros((max(drawn.shape[:2]),) * 2 + (4,), np.uint8)
    top, left = ((len(square) - n) // 2 for n in drawn.shape[:2])
    square[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    bands = [
        Image.fromarray(square[..., c]).resize((SIZE, SIZE), Image.Resampling.BOX) for c in range(4)
    ]
    small = np.stack([np.asarray(band) for band in bands], axis=-1)
    return np.minimum(small, small[..., 3:])  # rounding must not make a colour brighter than white


def photograph(content: bytes, box: tuple | None = None) -> np.ndarray:
    """A photograph's middle, or the box, in PHOTO's proportions and as small: (128, 192, 3)."""
    from PIL import Image

    picture = Image.open(io.BytesIO(content)).convert("RGB")
    (height, width), (W, H) = PHOTO, picture.size
    scale = min(W / width, H / height)
    left, top = (W - scale * width) / 2, (H - scale * height) / 2
    box = box or (left, top, left + scale * width, top + scale * height)
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX, box=box))


def arrays(member: Callable[[str, str], bytes]) -> dict[str, np.ndarray]:
    """All of `pictograms.npz`; `member(wheel, file)` gives a file of a wheel."""
    glyphs, label, artist, names = [], [], [], []
    for a, (who, (package, version, sha256)) in enumerate(SETS.items()):
        found = icons(package, version, sha256)
        for k, wanted in enumerate(DRAWINGS.values()):
            for name in wanted:
                if name in found["icons"] and (who, name) not in LEFT_OUT:
                    glyphs.append(render(svg(found, name)))
                    label.append(k)
                    artist.append(a)
                    names.append(name)
    return {
        "glyphs": np.stack(glyphs),
        "label": np.array(label, np.uint8),
        "artist": np.array(artist, np.uint8),
        "drawing": np.array(names),
        "artists": np.array(list(SETS)),
        "photos": np.stack(
            [photograph(member(*source[:2]), *source[2:]) for source in PHOTOS.values()]
        ),
        "photo_names": np.array(list(PHOTOS)),
    }
