"""What the comparator sees, and what it lets pass: each kind of difference, one row."""

import base64
import io

from dlcourse.book.likeness import Tolerance
from dlcourse.book.outputs import difference, visible

import numpy as np
import pytest

DEFAULT = Tolerance()


def printed(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def shown(**data):
    data = {mime.replace("__", "+").replace("_", "/"): value for mime, value in data.items()}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def raised(ename, evalue, traceback=()):
    return {"output_type": "error", "ename": ename, "evalue": evalue, "traceback": list(traceback)}


def why(stored, fresh, tolerance=DEFAULT):
    """The difference in both directions must be found in both or in neither."""
    found, other = difference(stored, fresh, tolerance), difference(fresh, stored, tolerance)
    assert (found is None) == (other is None)
    return found


# ------------------------------------------------------------------------------------------- text

SAME_TEXT = {
    "the same": ("loss 0.5", "loss 0.5"),
    "relative noise": ("loss 0.532100", "loss 0.532105"),
    "noise in exponents": ("grad 1.0000e-05", "grad 1.0001e-05"),
    "exponent and fraction": ("eps 1e-05", "eps 0.00001"),
    "residue of rounding": ("sum 1e-12", "sum -3e-13"),
    "minus zero": ("x = -0.0000", "x = 0.0000"),
    "minus zero in an array": ("array([-0.,  2.])", "array([0., 2.])"),
    "typographic minus": ("\N{MINUS SIGN}0.50000", "-0.50001"),
    "whole by rounding": ("tensor([1., 2.])", "tensor([1.0000, 2.0001])"),
    "shortest form": ("slope 1", "slope 0.99999"),
    "columns aligned otherwise": ("step  9.9999 done\n", "step 10.0001 done\n"),
    "column at the start of a line": ("  9.9999|", " 10.0001|"),
    "not a number": ("nan inf -inf", "nan inf -inf"),
    "a unit": ("took 1.50000x", "took 1.50001x"),
    "end of a sentence": ("It is 0.50000.", "It is 0.50001."),
    "address": ("<function f at 0x7f32c0de1a2b>", "<function f at 0x7f00000000ff>"),
    "trailing blanks": ("a  \nb\n\n", "a\nb"),
    "colours of a terminal": ("\x1b[31mred\x1b[0m", "red"),
}
OTHER_TEXT = {
    "number off by 1 %": ("loss 0.5321", "loss 0.5374"),
    "number off by 0.2 %": ("loss 0.5321", "loss 0.5332"),
    "sign": ("grad 0.5", "grad -0.5"),
    "exponent": ("1e-05", "1e-06"),
    "integer off by one": ("1000 images", "1001 images"),
    "whole array off by one": ("[1000. 2.]", "[1001. 2.]"),
    "big integer off by one": ("100000 parameters", "100001 parameters"),
    "thousands": ("60,000", "60,001"),
    "shape": ("torch.Size([64, 10])", "torch.Size([64, 11])"),
    "28x28": ("28x28", "28x29"),
    "integer became float": ("tensor([1, 2])", "tensor([1., 2.])"),
    "1 became 1.0": ("n = 1", "n = 1.0"),
    "share became percent": ("accuracy 0.9870", "accuracy 98.7 %"),
    "percent": ("98.7 %", "98.7"),
    "version": ("torch 2.13.0", "torch 2.13.1"),
    "a part of a name": ("conv2d", "conv3d"),
    "a range": ("1-2", "1-3"),
    "a date": ("2025-11-21", "2025-11-22"),
    "word": ("Adam wins", "SGD wins"),
    "case": ("True", "true"),
    "nan": ("loss nan", "loss 0.5"),
    "inf": ("inf", "-inf"),
    "line missing": ("a\nb\nc", "a\nc"),
    "last line missing": ("a\nb", "a"),
    "line new": ("a\nb", "a\nx\nb"),
    "number missing": ("1.0 2.0 3.0", "1.0 2.0"),
    "indentation": ("  a", "a"),
    "blanks between words": ("a b", "a  b"),
    "hexadecimal": ("0xdeadbeef", "0xdeadbeee"),
}


@pytest.mark.parametrize(("stored", "fresh"), SAME_TEXT.values(), ids=SAME_TEXT)
def test_same_text(stored, fresh):
    assert why([printed(stored)], [printed(fresh)]) is None


@pytest.mark.parametrize(("stored", "fresh"), OTHER_TEXT.values(), ids=OTHER_TEXT)
def test_other_text(stored, fresh):
    assert why([printed(stored)], [printed(fresh)])
    assert why([shown(text_plain=stored)], [shown(text_plain=fresh)])
    assert why([shown(text_html=f"<p>{stored}</p>")], [shown(text_html=f"<p>{fresh}</p>")])


def test_a_report_names_the_line_and_both_numbers():
    stored = printed("epoch 1 loss 0.5321\nepoch 2 loss 0.4000")
    fresh = printed("epoch 1 loss 0.5321\nepoch 2 loss 0.4100")
    assert why([stored], [fresh]) == (
        "stdout: line 2 of 2: 0.4000 became 0.4100 (apart by 0.01, 0.025 of it; "
        "allowed: rtol 0.001, atol 1e-08)\n"
        "  stored: epoch 2 loss 0.4000\n"
        "  fresh:  epoch 2 loss 0.4100"
    )


def test_a_missing_line_is_shown():
    found = why([printed("a\nb")], [printed("a")])
    assert "2 lines became 1; this one is missing: b" in found


def test_the_tolerance_of_the_cell_holds():
    stored, fresh = [printed("0.5321")], [printed("0.5332")]
    assert why(stored, fresh, Tolerance(rtol=0.01)) is None
    assert why(stored, fresh, Tolerance(rtol=0, atol=0.01)) is None
    assert why([printed("7")], [printed("8")], Tolerance(rtol=0.5, atol=0.5))


# ------------------------------------------------------------------------- which outputs there are

BAR = (
    "\r  0%|          | 0/4 [00:00<?, ?it/s]"
    "\rtrain: 100%|####| 4/4 [00:01<00:00,  2.9it/s, loss=1]\n"
)


def test_streams_are_joined():
    assert why([printed("a\nb\n")], [printed("a\n"), printed("b\n")]) is None


def test_widgets_and_progress_do_not_count():
    widget = shown(text_plain="  0%| | 0/3 [00:00<?, ?it/s]")
    widget["data"]["application/vnd.jupyter.widget-view+json"] = {"model_id": "5f2b"}
    unit = printed("7it [00:00, 99.1it/s]\n", "stderr")
    result = printed("done")
    assert why([result], [widget, printed(BAR, "stderr"), result, unit]) is None


def test_a_progress_bar_cut_in_two_does_not_count():
    cut = [printed(BAR[:60], "stderr"), printed("done"), printed(BAR[60:], "stderr")]
    assert why([printed("done")], cut) is None


def test_a_warning_beside_a_progress_bar_counts():
    warned = printed(BAR + "UserWarning: lr_scheduler before optimizer\n", "stderr")
    assert visible([warned])[0]["text"].strip() == "UserWarning: lr_scheduler before optimizer"
    assert "stderr" in why([], [warned])


def test_what_a_carriage_return_overwrites_does_not_count():
    assert why([printed("half\rdone\n")], [printed("done\n")]) is None


OUTPUTS = {
    "output missing": ([printed("a"), shown(text_plain="b")], [printed("a")]),
    "output that was not stored": ([], [printed("a")]),
    "stored output that does not come": ([printed("a")], []),
    "another stream": ([printed("a")], [printed("a", "stderr")]),
    "another mime": ([shown(text_plain="a")], [shown(text_plain="a", text_html="a")]),
    "order of displays": (
        [shown(text_plain="a"), shown(text_plain="b")],
        [shown(text_plain="b"), shown(text_plain="a")],
    ),
    "result became display": (
        [shown(text_plain="a") | {"output_type": "execute_result"}],
        [shown(text_plain="a")],
    ),
    "error type": ([raised("ValueError", "x")], [raised("TypeError", "x")]),
    "error message": (
        [raised("ValueError", "shape (2, 3)")],
        [raised("ValueError", "shape (2, 4)")],
    ),
    "error gone": ([raised("ValueError", "x")], []),
    "metadata": (
        [shown(text_plain="a") | {"metadata": {"scrapbook": {"name": "loss"}}}],
        [shown(text_plain="a") | {"metadata": {"scrapbook": {"name": "accuracy"}}}],
    ),
    "json": ([shown(application_json={"a": 1})], [shown(application_json={"a": 2})]),
    "latex": ([shown(text_latex="$x^2$")], [shown(text_latex="$x^3$")]),
}


@pytest.mark.parametrize(("stored", "fresh"), OUTPUTS.values(), ids=OUTPUTS)
def test_other_outputs(stored, fresh):
    assert why(stored, fresh)


def test_a_traceback_does_not_count():
    stored, fresh = raised("ValueError", "no", ["File /a.py"]), raised("ValueError", "no")
    assert why([stored], [fresh]) is None


def test_what_comes_unasked_is_shown():
    assert "fresh:  stdout 'surprise'" in difference([], [printed("surprise")], DEFAULT)


# ---------------------------------------------------------------------------------------- figures

SVG = """<?xml version="1.0" encoding="utf-8"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
  width="400pt" height="300pt" viewBox="0 0 400 300" version="1.1">
 <metadata><date>2025-11-21T01:02:03</date></metadata>
 <defs>
  <style>*{{stroke-linejoin: round}}</style>
  <clipPath id="{clip}"><rect x="10" y="10" width="380" height="280"/></clipPath>
  <path id="{marker}" d="M 0 0 L 0 3.5" style="stroke: #1f2328"/>
 </defs>
 <g id="axes_1">
  <g id="line2d_1">
   <path d="{curve}" clip-path="url(#{clip})"
      style="fill: none; stroke: {color}; stroke-width: {width}; stroke-dasharray: 4,1.5"/>
   <use xlink:href="#{marker}" x="{tick}" y="290"/>
  </g>
  <g id="text_1" transform="translate(20 {label_y}) rotate({angle})">
   <text style="font: 10px 'DejaVu Sans'">{label}</text>
  </g>
  <image x="50" y="60" width="100" height="100" xlink:href="data:image/png;base64,{image}"/>
  {more}
 </g>
</svg>"""


def png(pixels):
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode()


DIGIT = np.arange(784, dtype=np.uint8).reshape(28, 28)
SPECKLED = DIGIT.copy()
SPECKLED[3, 7] += 100
DRAWING = {
    "clip": "p1a2b3c4d",
    "marker": "m5e6f",
    "curve": "M 10 20 L 100 50 L 200 80.5 L 390 30",
    "color": "#0072b2",
    "width": "1.5",
    "tick": "55.25",
    "label_y": "150",
    "angle": "-90",
    "label": "loss \N{MINUS SIGN}0.50",
    "image": png(DIGIT),
    "more": "<circle cx='5' cy='5' r='3' fill='#1f2328'/>",
}
SAME_DRAWING = {
    "nothing": {},
    "ids": {"clip": "pffff", "marker": "m0000"},
    "noise in the curve": {"curve": "M 10 20.0001 L 100 50 L 200.001 80.5 L 390 30"},
    "a tenth of a thousandth of the width": {"tick": "55.29"},
    "a corner that is none": {"curve": "M 10 20 L 55 35 L 100 50 L 200 80.5 L 390 30"},
    "colour one level off": {"color": "#0172b2"},
    "a small letter in a colour": {"color": "#0072B2"},
    "noise in a text": {"label": "loss -0.5000"},
    "noise in pixels": {"image": png(DIGIT + (DIGIT < 255))},
}
OTHER_DRAWING = {
    "colour": {"color": "#d55e00"},
    "curve moved by 1 %": {"curve": "M 10 24 L 100 54 L 200 84.5 L 390 34"},
    "one point moved": {"curve": "M 10 20 L 100 50 L 200 85 L 390 30"},
    "curve shorter": {"curve": "M 10 20 L 100 50 L 200 80.5"},
    "curve longer": {"curve": "M 10 20 L 100 50 L 200 80.5 L 390 30 L 395 60"},
    "curve gone": {"curve": ""},
    "curve bent": {"curve": "M 10 20 C 100 50 200 80.5 390 90"},
    "line width": {"width": "2"},
    "tick moved": {"tick": "57"},
    "label moved": {"label_y": "152"},
    "label turned": {"angle": "0"},
    "label": {"label": "accuracy \N{MINUS SIGN}0.50"},
    "number in a label": {"label": "loss \N{MINUS SIGN}0.51"},
    "label turned a little": {"angle": "-89.7"},
    "element missing": {"more": ""},
    "element more": {"more": DRAWING["more"] * 2},
    "element of another kind": {"more": DRAWING["more"].replace("circle", "ellipse")},
    "attribute missing": {"more": DRAWING["more"].replace("cx='5'", "")},
    "colour gone": {"more": DRAWING["more"].replace("#1f2328", "none")},
    "another way to say a colour": {"more": DRAWING["more"].replace("#1f2328", "url(#1f2328)")},
    "pixel": {"image": png(SPECKLED)},
    "size of the image": {"image": png(DIGIT[:27])},
    "reference to another thing": {"more": "<use xlink:href='#p1a2b3c4d'/>"},
}


def drawn(**changes):
    return [shown(image_svg__xml=SVG.format(**DRAWING | changes), text_plain="<Figure>")]


@pytest.mark.parametrize("changes", SAME_DRAWING.values(), ids=SAME_DRAWING)
def test_same_drawing(changes):
    assert why(drawn(), drawn(**changes)) is None


@pytest.mark.parametrize("changes", OTHER_DRAWING.values(), ids=OTHER_DRAWING)
def test_other_drawing(changes):
    assert why(drawn(), drawn(**changes))


@pytest.mark.parametrize("changes", OTHER_DRAWING.values(), ids=OTHER_DRAWING)
def test_other_drawing_in_html(changes):
    page = "<div id='{id}'><p>graph</p>{svg}</div>"
    stored, fresh = (
        page.format(id=name, svg=SVG.format(**DRAWING | change).partition("?>")[2])
        for name, change in [("a", {}), ("b", changes)]
    )
    assert why([shown(text_html=stored)], [shown(text_html=fresh)])
    same = stored.replace("id='a'", "id='b'").replace("m5e6f", "m7777")
    assert why([shown(text_html=stored)], [shown(text_html=same)]) is None


def test_the_date_of_a_drawing_does_not_count():
    today = SVG.format(**DRAWING)
    later = today.replace("2025-11-21T01:02:03", "2026-01-01T00:00:00")
    assert today != later
    assert why([shown(image_svg__xml=today)], [shown(image_svg__xml=later)]) is None


def test_a_drawing_names_where_it_differs():
    found = why(drawn(), drawn(color="#d55e00"))
    assert "in line2d_1, <path> style stroke: colour" in found
    assert "stored: #0072b2" in found
    found = why(drawn(), drawn(curve="M 10 24 L 100 54 L 200 84.5 L 390 34"))
    assert "in line2d_1, <path> d: a curve lies 4 away from where it was (allowed: 0.4)" in found


@pytest.mark.parametrize(
    ("stored", "near", "far"),
    [
        ('<g transform="scale(400)"><path d="M 0 0 L 1 {}"/></g>', 0.0005, 0.01),
        ('<path transform="matrix(400 0 0 400 0 0)" d="M 0 0 L 1 {}"/>', 0.0005, 0.01),
        ('<g transform="translate(0 {}) scale(0.1)"/>', 0.3, 1.0),
        ('<g transform="scale(0.1)"><path d="M 0 0 L 1 {}"/></g>', 3.0, 10.0),
    ],
)
def test_the_reach_of_a_place_goes_with_the_scale(stored, near, far):
    drawings = [
        [shown(image_svg__xml=f'<svg viewBox="0 0 400 300">{stored.format(0.5 + off)}</svg>')]
        for off in (0, near, far)
    ]
    assert why(drawings[0], drawings[1]) is None
    assert why(drawings[0], drawings[2])


def test_pixels_of_images():
    stored, one = [shown(image_png=png(DIGIT))], [shown(image_png=png(SPECKLED))]
    assert why(stored, [shown(image_png=png(DIGIT + (DIGIT < 255)))]) is None
    assert "1 of 784 pixels changed (allowed: 0); the first, row 3, column 7" in why(stored, one)
    assert why(stored, one, Tolerance(rtol=0.01)) is None  # a hundredth of the pixels
    assert "28 x 27" in why(stored, [shown(image_png=png(DIGIT[:27]))])


def test_html_that_is_no_xml_is_compared_as_text():
    stored = '<svg id="a"><path d="M 0 0"><br></svg>'
    assert why([shown(text_html=stored)], [shown(text_html=stored.replace('"a"', '"b"'))]) is None
    assert why([shown(text_html=stored)], [shown(text_html=stored.replace("0 0", "0 9"))])


def test_real_figures_are_seen_through():
    """matplotlib's own drawing: noise passes, a step of 1 % in the learning rate does not."""
    plt = pytest.importorskip("matplotlib.pyplot")

    def figure(rate, noise=0.0, color="#0072b2"):
        steps = np.arange(200)
        loss = np.exp(-rate * steps) + 0.05 * np.sin(steps) + noise * np.cos(7 * steps)
        fig, (left, right) = plt.subplots(1, 2)
        left.plot(steps, loss, color=color, marker=".", markevery=20)
        right.imshow(DIGIT)
        text = io.StringIO()
        fig.savefig(text, format="svg")
        plt.close(fig)
        return [shown(image_svg__xml=text.getvalue())]

    with plt.rc_context({"backend": "agg", "svg.fonttype": "none"}):  # no hashsalt: ids at random
        stored = figure(0.05)
        assert stored != figure(0.05)
        assert why(stored, figure(0.05, noise=1e-6)) is None
        assert why(stored, figure(0.05 * 1.01))
        assert why(stored, figure(0.05, color="#0078b2"))
