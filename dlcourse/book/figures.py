"""SVG for a page of the site: inline, in the page's colours, without ids that clash.

A stored figure is drawn in the fixed colours of ``dlcourse/plots/colors.py`` on white, so that it
can be read in JupyterLab, on GitHub, anywhere. On the site each of those colours becomes the CSS
variable of the same name (``#0072b2`` becomes ``var(--dl-mini)``), and so a figure follows a dark
page. So does an image in shades of one of them (``plots.shades``). Any other colour stays.
"""

import base64
import io
import re
import runpy
import xml.etree.ElementTree as ET
from pathlib import Path

# By its path: the site is built where there is no Matplotlib, which the package of plots may want.
COLORS = runpy.run_path(str(Path(__file__).parents[1] / "plots" / "colors.py"))["COLORS"]

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}"
PIXELS = {"px": 1.0, "": 1.0, "pt": 4 / 3, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4}

# The first name of a colour wins: "muted" and "hand" are the same grey.
NAMES = {}
for _name, _color in COLORS.items():
    NAMES.setdefault(_color.lower(), _name)

# What is already a variable, with its fallback, stays as it is.
_COLOR = re.compile(rf"var\([^()]*\)|(?:{'|'.join(NAMES)})(?![0-9a-z_-])", re.IGNORECASE)
_REFERENCE = re.compile(r"url\(\s*['\"]?#([^)'\"]+)['\"]?\s*\)")
_INLINE = re.compile(r"<svg\b.*?</svg\s*>", re.DOTALL)
_SIZE = re.compile(r"font-size:\s*([\d.]+)px")

PHONE = 380  # pixels for a figure on a screen of 390
LEAST = 9.1  # pixels: no letter is smaller there

ET.register_namespace("", SVG[1:-1])
ET.register_namespace("xlink", XLINK[1:-1])


def follow_theme(css: str) -> str:
    """Replace each colour of the palette in a piece of CSS by its variable."""

    def variable(match: re.Match) -> str:
        name = NAMES.get(match[0].lower())
        return f"var(--dl-{name})" if name else match[0]

    return _COLOR.sub(variable, css)


def inline_svg(source: str, prefix: str, alt: str | None = None) -> str:
    """Turn an SVG document into an element for an HTML page.

    ``prefix`` makes its ids unique on the page; ids that nothing refers to are dropped. ``alt``
    becomes the accessible name (a drawing that carries its own keeps it when ``alt`` is None).
    Raises ``ValueError`` for what is not well-formed XML.
    """
    try:
        svg = ET.fromstring(source)
    except ET.ParseError as error:
        raise ValueError(f"not a well-formed SVG: {error}") from None
    _remove(svg, SVG + "metadata")
    _remove_background(svg)
    _rename_ids(svg, prefix)
    _mask_shades(svg, prefix)
    _compact(svg)
    for node in svg.iter():
        if node.tag == SVG + "style" and node.text:
            node.text = _scoped(follow_theme(node.text), prefix)
        for name, value in node.attrib.items():
            if name in ("style", "fill", "stroke", "stop-color", "color"):
                node.set(name, follow_theme(value))
    _mark_small_letters(svg)
    _fit_width(svg)
    svg.set("id", prefix)
    svg.set("class", f"{svg.get('class', '')} dl-figure".strip())
    svg.set("role", "img")
    if alt is not None:
        _remove(svg, SVG + "title")
        svg.attrib.pop("aria-labelledby", None)
        svg.set("aria-label", alt)
    return ET.tostring(svg, encoding="unicode", short_empty_elements=True)


def inline_svgs_of_html(html: str, prefix: str) -> str:
    """Do the same to every drawing inside the HTML that a cell displayed."""
    found = 0

    def convert(match: re.Match) -> str:
        nonlocal found
        found += 1
        source = match[0]
        if "xmlns=" not in source.split(">", 1)[0]:
            source = source.replace("<svg", f'<svg xmlns="{SVG[1:-1]}"', 1)
        return inline_svg(source, f"{prefix}-{found}")

    return _INLINE.sub(convert, html)


def _scoped(css: str, prefix: str) -> str:
    """A style sheet inside a page rules the whole page: keep this one in its figure."""

    def scope(match: re.Match) -> str:
        return ",".join(f"#{prefix} {one.strip()}" for one in match[1].split(",")) + "{"

    return re.sub(r"([^{}]+)\{", scope, css)


def _remove(svg: ET.Element, tag: str) -> None:
    for parent in list(svg.iter()):
        for child in list(parent):
            if child.tag == tag:
                parent.remove(child)


def _remove_background(svg: ET.Element) -> None:
    """Matplotlib's first patch is the sheet of paper; on the page the page is the paper."""
    for parent in svg.iter():
        for child in list(parent):
            if child.get("id") == "patch_1" and parent.get("id", "").startswith("figure"):
                parent.remove(child)
                return


def _rename_ids(svg: ET.Element, prefix: str) -> None:
    used = set()
    for node in svg.iter():
        for name, value in node.attrib.items():
            used.update(_REFERENCE.findall(value))
            if name in ("href", XLINK + "href") and value.startswith("#"):
                used.add(value[1:])
            if name.startswith("aria-"):
                used.update(value.split())
        if node.tag == SVG + "style":
            used.update(re.findall(r"#([\w-]+)", node.text or ""))
    for node in svg.iter():
        for name, value in list(node.attrib.items()):
            if name == "id":
                if value in used:
                    node.set(name, f"{prefix}-{value}")
                else:
                    del node.attrib[name]
            elif name in ("href", XLINK + "href") and value.startswith("#"):
                node.set(name, f"#{prefix}-{value[1:]}")
            elif name in ("aria-labelledby", "aria-describedby"):
                node.set(name, " ".join(f"{prefix}-{part}" for part in value.split()))
            elif "url(" in value:
                node.set(name, _REFERENCE.sub(rf"url(#{prefix}-\1)", value))


def _mask_shades(svg: ET.Element, prefix: str) -> None:
    """An image of one colour, more and less transparent, becomes a mask over that colour."""
    masked = 0
    for parent in list(svg.iter()):
        for number, image in enumerate(parent):
            if image.tag != SVG + "image" or not (color := _only_color(image)):
                continue
            masked += 1
            name = f"{prefix}-shades-{masked}"
            place = {key: image.attrib[key] for key in _PLACE if key in image.attrib}
            sheet = ET.Element(SVG + "rect", {**place, "fill": color, "mask": f"url(#{name})"})
            mask = ET.Element(SVG + "mask", {"id": name, "style": "mask-type:alpha"})
            mask.append(image)
            for key in ("transform", "clip-path"):  # they hold for what is masked, mask and all
                image.attrib.pop(key, None)
            parent[number] = ET.Element(SVG + "g")
            parent[number].extend([mask, sheet])


_PLACE = ("x", "y", "width", "height", "transform", "clip-path")


def _only_color(image: ET.Element) -> str | None:
    """The colour of the palette that all that can be seen of an image has."""
    from PIL import Image  # only now: few figures hold an image

    head, _, data = (image.get(XLINK + "href") or image.get("href", "")).partition(";base64,")
    if head != "data:image/png":
        return None
    pixels = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA")
    colors = {color[:3] for _, color in pixels.getcolors(pixels.width * pixels.height) if color[3]}
    only = "#{:02x}{:02x}{:02x}".format(*colors.pop()) if len(colors) == 1 else None
    return only if NAMES.get(only) not in (None, "paper") else None


def _compact(svg: ET.Element) -> None:
    """Without the groups that say nothing and the spaces between elements: half of a drawing."""
    for node in svg.iter():
        if node.tag in (SVG + "text", SVG + "tspan"):
            continue
        children = list(node)
        while any(map(_says_nothing, children)):
            children = [
                part for child in children for part in (child if _says_nothing(child) else [child])
            ]
        node[:] = children
        node.text = node.text if (node.text or "").strip() else None
        for child in children:
            child.tail = child.tail if (child.tail or "").strip() else None


def _says_nothing(node: ET.Element) -> bool:
    return node.tag == SVG + "g" and not node.attrib


def _mark_small_letters(svg: ET.Element) -> None:
    """The class ``dl-small`` for letters that a phone would shrink too far, such as exponents.

    There the style sheet gives them the size ``--dl-small``, in the units of the drawing.
    """
    box = svg.get("viewBox", "").split()
    if len(box) != 4:
        return
    least = round(LEAST * float(box[2]) / PHONE, 2)
    small = [
        node
        for node in svg.iter()
        if (size := _SIZE.search(node.get("style", ""))) and float(size[1]) < least
    ]
    for node in small:
        node.set("class", f"{node.get('class', '')} dl-small".strip())
    if small:
        svg.set("style", f"{svg.get('style', '').rstrip('; ')}; --dl-small: {least}px".lstrip("; "))


def _fit_width(svg: ET.Element) -> None:
    """As wide as it was drawn, or as the column, whichever is less."""
    match = re.fullmatch(r"\s*([\d.]+)\s*([a-z]*)\s*", svg.get("width", ""))
    if match and match[2] in PIXELS and svg.get("viewBox"):
        width = round(float(match[1]) * PIXELS[match[2]])
        style = svg.get("style", "").rstrip("; ")
        svg.set("style", f"{style + '; ' if style else ''}width: {width}px")
        svg.attrib.pop("width")
        svg.attrib.pop("height", None)
