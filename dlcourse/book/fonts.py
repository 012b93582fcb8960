"""The text face of the site: Latin subsets of Source Serif, written as small web fonts.

Source Serif Pro (Frank Grießhammer, Adobe) comes under the SIL Open Font License from the package
``font-source-serif-pro``. A subset is a modified version, which that licence allows under another
name: hence "Course Serif". Its licence text is written beside the fonts.
"""

import shutil
from pathlib import Path

NAME = "Course Serif"
FACES = {
    "regular": "SourceSerifPro-Regular.otf",
    "italic": "SourceSerifPro-It.otf",
    "semibold": "SourceSerifPro-Semibold.otf",
    "semibold-italic": "SourceSerifPro-SemiboldIt.otf",
}
# Latin and its accents, spaces and dashes, quotes, a few arrows and signs.
CHARACTERS = [
    *range(0x20, 0x7F),
    *range(0xA0, 0x180),
    *range(0x2009, 0x200B),
    *range(0x2010, 0x2027),
    *(0x202F, 0x2030, 0x2032, 0x2033, 0x2039, 0x203A, 0x20AC),
    *(0x2190, 0x2191, 0x2192, 0x2193, 0x2212, 0x2248, 0x2260, 0x2264, 0x2265),
]
FEATURES = ["kern", "liga", "ccmp", "locl", "mark", "mkmk", "calt", "lnum", "onum", "tnum", "pnum"]


def write(folder: Path) -> None:
    """Write the four faces as WOFF files, with the licence, unless they are there already."""
    import font_source_serif_pro
    from fontTools import subset

    source = Path(font_source_serif_pro.__file__).parent / "files"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / "LICENSE.txt", folder / "LICENSE.txt")
    for face, file in FACES.items():
        target = folder / f"course-serif-{face}.woff"
        if target.exists():
            continue
        options = subset.Options(
            flavor="woff", hinting=False, desubroutinize=True, layout_features=FEATURES
        )
        font = subset.load_font(source / file, options)
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=CHARACTERS)
        subsetter.subset(font)
        _rename(font)
        subset.save_font(font, target, options)


def _rename(font) -> None:
    names = font["name"]
    for record in list(names.names):
        if record.nameID in (1, 3, 4, 6, 16):
            text = NAME.replace(" ", "") if record.nameID in (3, 6) else NAME
            names.setName(text, record.nameID, record.platformID, record.platEncID, record.langID)
    if "CFF " in font:
        font["CFF "].cff.fontNames = [NAME.replace(" ", "")]
        top = font["CFF "].cff.topDictIndex[0]
        top.FullName = top.FamilyName = NAME
