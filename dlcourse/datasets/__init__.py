"""Real data: images as NumPy arrays, tables as pandas DataFrames, names and a text as strings.

drawings.py     pictograms: drawings on photographs, in colour, composed when asked for
embedded.py     sets that come with the course and are always there
full.py         the full sets, through torchvision, when they can be had
handwriting.py  new digits, photographed or drawn, in MNIST's form
pad.py          a sheet in the notebook to draw them on
"""

from dlcourse.datasets.drawings import CIFAR10_CLASSES, pictograms
from dlcourse.datasets.embedded import (
    KJV_SPLITS,
    DataError,
    diamonds,
    digits,
    embedded_path,
    kjv,
    kjv_books,
    name_shares,
    names,
    penguins,
    weather,
)
from dlcourse.datasets.full import FallbackWarning, cache_folder, cifar10, mnist
from dlcourse.datasets.handwriting import load_digit_image, strokes_to_image
from dlcourse.datasets.pad import DrawingPad

__all__ = [
    "CIFAR10_CLASSES",
    "KJV_SPLITS",
    "DataError",
    "DrawingPad",
    "FallbackWarning",
    "cache_folder",
    "cifar10",
    "diamonds",
    "digits",
    "embedded_path",
    "kjv",
    "kjv_books",
    "load_digit_image",
    "mnist",
    "name_shares",
    "names",
    "penguins",
    "pictograms",
    "strokes_to_image",
    "weather",
]
