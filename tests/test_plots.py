"""The figures: the same bytes every time, palette only, labelled, and errors that teach."""

import base64
import io
import re
import subprocess
import sys
from xml.etree import ElementTree

from dlcourse import mini, plots
from dlcourse.plots.arrays import to_numpy
from dlcourse.plots.colors import COLORS
from dlcourse.plots.style import looks

import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image


@pytest.fixture(autouse=True)
def _style():
    """Each test in the style of the course; afterwards as it was, and no figure left open."""
    import matplotlib.pyplot as plt

    with mpl.rc_context():
        mpl.use("agg")
        plots.use_style()
        yield
        plt.close("all")


def rng():
    return np.random.default_rng(0)


def circle_model(points):
    return 1 - (points**2).sum(1)


STEPS = np.arange(1, 101)
POINTS = rng().normal(size=(60, 2))
DIGITS = rng().integers(0, 256, (12, 28, 28)).astype(np.uint8)
LABELS = np.arange(12) % 10
WRONG = np.where(np.isin(np.arange(12), [3, 7]), 9, LABELS)

FIGURES = {
    "curves": lambda: plots.curves({"mini": 1 / STEPS, "torch": 1 / STEPS, "by hand": 2 / STEPS}),
    "curves smoothed": lambda: plots.curves({"mini": rng().random(100)}, smooth=10),
    "curves diverging": lambda: plots.curves({"lr 9": [1, 4, 9, np.inf, np.nan]}, log=True),
    "bars": lambda: plots.bars({"mini": 3.5, "b": -1}, xlabel="x", spread={"mini": (3, 4)}),
    "histogram": lambda: plots.histogram({"mini": POINTS[:, 0], "torch": POINTS[:, 1]}, xlabel="x"),
    "image_grid": lambda: plots.image_grid(DIGITS, LABELS, WRONG),
    "image_grid titles": lambda: plots.image_grid(DIGITS[:3], titles=["a", "bb", "a long title"]),
    "image_grid colours": lambda: plots.image_grid(rng().random((2, 3, 8, 9))),
    "confusion_matrix": lambda: plots.confusion_matrix(LABELS, WRONG),
    "tangent": lambda: plots.function_and_tangent(np.sin, [0.0, 2.0], np.cos([0.0, 2.0])),
    "surface": lambda: plots.loss_surface(
        lambda x, y: x**2 + 4 * y**2, (-1, 1), (-1, 1), paths={"torch": [[-1, 1], [0, 0]]}
    ),
    "memory": lambda: plots.memory_walk({"t.T": ((4, 3), (1, 4), 0), "t[1]": ((4,), (1,), 4)}, 12),
    "boundary": lambda: plots.decision_boundary(
        circle_model, POINTS, (circle_model(POINTS) > 0) * 1
    ),
}
EACH = pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)


# -- every figure --------------------------------------------------------------------------------


@EACH
def test_the_same_bytes_twice(make):
    first, second = plots.to_svg(make()), plots.to_svg(make())
    assert first == second
    assert len(first) < 120_000


@EACH
def test_only_the_palette(make):
    svg = plots.to_svg(make())
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", re.sub(r"url\(#\w+\)|href=\"#\w+", "", svg))) <= (
        set(COLORS.values())
    )
    assert not re.search(r"(?:fill|stroke): ?(?:black|white|rgb)", svg)


@EACH
def test_safe_to_put_into_a_page(make):
    svg = plots.to_svg(make())
    assert svg.startswith("<svg ")
    assert "<style" not in svg  # it would apply to the whole page
    assert not re.search(r"<script|<!DOCTYPE|dc:date|Created with", svg, re.IGNORECASE)
    hosts = set(re.findall(r"https?://[^\"/ ]+", svg))
    assert hosts <= {"http://www.w3.org"}  # the namespaces; nothing is fetched
    assert ElementTree.fromstring(svg).get("viewBox")


@EACH
def test_axes_are_labelled_and_text_is_text(make):
    axes = make()
    if axes.axison:
        assert axes.get_xlabel()
        assert axes.get_ylabel() or axes.get_yticklabels()
        assert axes.get_xlabel() in plots.to_svg(axes)


@EACH
def test_fits_the_column(make):
    width, height = make().figure.get_size_inches() * 96
    assert width <= 700
    assert height <= 620


def test_the_same_bytes_in_another_process_and_with_other_settings(tmp_path):
    """A reader's matplotlibrc changes nothing, and neither does the order of a set."""
    (tmp_path / "matplotlibrc").write_text(
        "font.size: 30\naxes.labelpad: 40\nxtick.major.size: 20\n"
    )
    code = (
        "import hashlib; from dlcourse import plots; plots.use_style()\n"
        "svg = plots.to_svg(plots.curves({'mini': [3, 2, 1], 'torch': [3, 2, 1]}))\n"
        "print(hashlib.sha256(svg.encode()).hexdigest())"
    )
    path = {"PYTHONPATH": ":".join(sys.path), "HOME": str(tmp_path), "MPLBACKEND": "agg"}
    others = {"MATPLOTLIBRC": str(tmp_path), "PYTHONHASHSEED": "7"}
    results = {
        subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        ).stdout
        for env in (path, path | others)
    }
    assert len(results) == 1


def test_the_same_bytes_without_the_style():
    def draw():
        with mpl.rc_context(mpl.rcParamsDefault):
            return plots.to_svg(plots.curves({"mini": [3, 2, 1]}))

    assert draw() == draw()
    assert "<text" in draw()


def test_a_notebook_shows_the_same_svg():
    code = (
        "from IPython.core.interactiveshell import InteractiveShell as Shell\n"
        "shell = Shell.instance()\n"
        "from dlcourse import plots; plots.use_style()\n"
        "axes = plots.curves({'mini': [3, 2, 1]})\n"
        "shown, _ = shell.display_formatter.format(axes.figure)\n"
        "assert shown['image/svg+xml'] == plots.to_svg(axes), shown.keys()\n"
        "assert 'image/png' not in shown\n"
        "plots.use_style()\n"
        "print('same')"
    )
    backend = "module://matplotlib_inline.backend_inline"
    env = {"PYTHONPATH": ":".join(sys.path), "MPLBACKEND": backend, "HOME": "/nonexistent"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout == "same\n", done.stderr


def test_importing_plots_imports_no_engine_and_no_matplotlib():
    code = (
        "import sys, dlcourse.plots\n"
        "print({'torch', 'dlcourse.mini', 'matplotlib', 'IPython'} & set(sys.modules))"
    )
    run = [sys.executable, "-c", code]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "set()\n"


def test_save_figure_is_whole_or_not_at_all(tmp_path):
    axes = plots.curves({"mini": [1, 2]})
    assert plots.save_figure(axes, tmp_path / "a.svg") == str(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == plots.to_svg(axes)
    with pytest.raises(ValueError, match=r"must end in \.svg"):
        plots.save_figure(axes, tmp_path / "a.png")
    with pytest.raises(FileNotFoundError):
        plots.save_figure(axes, tmp_path / "nowhere" / "a.svg")
    assert [p.name for p in tmp_path.iterdir()] == ["a.svg"]


def test_helpers_draw_into_given_axes():
    _, axes = mpl.pyplot.subplots()
    assert plots.curves({"mini": [1, 2]}, ax=axes) is axes
    assert plots.bars({"a": 1}, xlabel="x", ax=axes) is axes


# -- the same look for the same thing ------------------------------------------------------------


def test_looks_by_name():
    names = ["mini", "torch", "by hand", "torch, test", "PyTorch", "SGD", "Adam", "miniature"]
    found = dict(zip(names, looks(names), strict=True))
    assert found["mini"]["color"] == COLORS["mini"]
    assert found["mini"]["linestyle"] == "-"
    assert found["torch"]["linestyle"] == "--"
    assert {found[n]["color"] for n in names if "orch" in n} == {COLORS["torch"]}
    assert found["by hand"]["color"] == COLORS["hand"]
    engines = {COLORS["mini"], COLORS["torch"], COLORS["hand"]}
    assert not engines & {found[n]["color"] for n in ("SGD", "Adam", "miniature")}


def test_colour_is_never_alone():
    """What shares a colour differs in its line, what shares a line in its marker."""
    for names in (["torch"] + [f"torch {i}" for i in range(4)], [f"run {i}" for i in range(12)]):
        seen = [(str(k["color"]), str(k["linestyle"])) for k in looks(names)]
        assert len(set(seen)) == len(names)
    eight = looks("abcdefgh")  # two kinds of dashes look alike
    assert eight[1]["color"] == eight[7]["color"]
    assert eight[7]["linestyle"] == ":"
    nine = looks([*"abcdef", "mini", "torch", "hand"])
    assert len({k["color"] for k in nine}) == 9
    assert len({(str(k["linestyle"]), k["marker"]) for k in nine}) == 9


def test_curves_that_agree_can_both_be_seen():
    wide, dashed = plots.curves({"mini": STEPS, "torch": STEPS}).get_lines()
    assert wide.get_linewidth() > dashed.get_linewidth()
    assert dashed.get_linestyle() == "--"


@pytest.mark.parametrize("name", ["mini", "purple"])
def test_shades_go_from_the_paper_to_one_colour(name):
    rgba = plots.shades(name)(np.linspace(0, 1, 5))
    assert {mpl.colors.to_hex(color) for color in rgba} == {COLORS[name]}
    np.testing.assert_allclose(rgba[:, 3], np.linspace(0, 1, 5), atol=0.01)


# -- curves and bars -----------------------------------------------------------------------------


def test_curves_draw_what_they_are_given():
    y = torch.tensor([3.0, 2.0, 1.0], requires_grad=True)
    axes = plots.curves(
        {"mini": [mini.tensor(3.0), mini.tensor(1.0)], "torch": y, "a": ([5, 9], [1, 2])}
    )
    data = [line.get_xydata().tolist() for line in axes.get_lines()]
    assert data == [[[1, 3], [2, 1]], [[1, 3], [2, 2], [3, 1]], [[5, 1], [9, 2]]]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["mini", "torch", "a"]


def test_a_smoothed_curve_is_the_mean_and_says_so():
    y = rng().random(20)
    axes = plots.curves({"mini": y}, smooth=5)
    raw, smooth = axes.get_lines()
    np.testing.assert_allclose(raw.get_ydata(), y)
    np.testing.assert_allclose(smooth.get_ydata(), [y[i : i + 5].mean() for i in range(16)])
    np.testing.assert_allclose(smooth.get_xdata(), np.arange(3, 19))
    assert smooth.get_label() == "mini (mean of 5)"


def test_a_diverging_curve_ends_where_it_ends_and_says_so():
    axes = plots.curves({"lr 9": [1.0, 4.0, float("nan"), 2.0], "fine": [1, 1, 1, 1]})
    curve, cross, _ = axes.get_lines()
    assert curve.get_ydata().tolist() == [1, 4]
    assert curve.get_label() == "lr 9 (not finite from 3 on)"
    assert (cross.get_xydata().tolist(), cross.get_marker()) == ([[2, 4]], "x")


def test_curves_teach():
    with pytest.raises(ValueError, match=r"at least one curve"):
        plots.curves({})
    with pytest.raises(ValueError, match=r"'mini' has shape \(2, 2\)"):
        plots.curves({"mini": np.ones((2, 2))})
    with pytest.raises(ValueError, match=r"'mini' has 3 values, but x has shape \(2,\)"):
        plots.curves({"mini": [1, 2, 3]}, x=[1, 2])
    with pytest.raises(ValueError, match=r"numbers > 0, but 'a' has others"):
        plots.curves({"a": [1, 0]}, log=True)
    for wrong in (0, 4, 2.5):
        with pytest.raises(ValueError, match=r"smooth must be an int from 1 to the 3 values"):
            plots.curves({"a": [1, 2, 3]}, smooth=wrong)


def test_bars_say_their_numbers():
    axes = plots.bars({"mini": 3.14159, "torch": -2}, xlabel="error", fmt=".2f")
    assert [text.get_text() for text in axes.texts] == ["3.14", "−2.00"]
    assert [patch.get_width() for patch in axes.patches] == [3.14159, -2]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["mini", "torch"]


def test_bars_teach():
    with pytest.raises(ValueError, match=r"one number a name, but 'a' has shape \(2,\)"):
        plots.bars({"a": [1, 2]}, xlabel="x")
    with pytest.raises(ValueError, match=r"spread names \['b'\]"):
        plots.bars({"a": 1}, xlabel="x", spread={"b": (0, 1)})
    with pytest.raises(ValueError, match=r"no values"):
        plots.bars({}, xlabel="x")


def test_histogram_counts_everything():
    axes = plots.histogram({"mini": POINTS, "torch": POINTS[:10]}, xlabel="w", bins=7)
    totals = [patch.get_data().values.sum() for patch in axes.patches]
    assert totals == [120, 120, 20, 20]  # a filled and an outlined one each
    with pytest.raises(ValueError, match=r"1 not finite"):
        plots.histogram([1.0, np.nan], xlabel="w")
    with pytest.raises(ValueError, match=r"no numbers"):
        plots.histogram([], xlabel="w")


# -- images --------------------------------------------------------------------------------------


def embedded_pixels(axes):
    found = re.findall(r"data:image/png;base64,([^\"]+)", plots.to_svg(axes))
    assert len(found) == 1
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found[0]))).convert("RGBA"))


def test_images_are_embedded_pixel_for_pixel():
    axes = plots.image_grid(DIGITS[:2], titles=["a", "b"], columns=2)
    pixels = embedded_pixels(axes)[::-1]  # Matplotlib stores the rows from below
    pixels = pixels if pixels[:28, 1:29, 3].all() else pixels[::-1]
    np.testing.assert_array_equal(pixels[:28, 1:29, 0], DIGITS[0])
    np.testing.assert_array_equal(pixels[:28, 31:59, 0], DIGITS[1])
    assert not pixels[:28, 29:31, 3].any()  # clear between them
    assert "image-rendering:pixelated" in plots.to_svg(axes).replace(" ", "")


def test_errors_are_marked_with_words_and_a_frame():
    axes = plots.image_grid(DIGITS, LABELS, WRONG)
    texts = [text.get_text() for text in axes.texts]
    assert texts[3] == "✗ 9, is 3"
    assert texts[7] == "✗ 9, is 7"
    assert [t for i, t in enumerate(texts) if i not in (3, 7)] == [
        str(k) for i, k in enumerate(LABELS) if i not in (3, 7)
    ]
    assert len(axes.patches) == 2
    for patch, i in zip(axes.patches, (3, 7), strict=True):
        assert abs(patch.get_x() + patch.get_width() / 2 - axes.texts[i].get_position()[0]) < 1


def test_class_names_and_tensors_of_both_engines():
    names = ["cat", "dog"]
    for T in (mini, torch):
        images, labels = T.ones(2, 1, 4, 4), T.tensor([0, 1])
        axes = plots.image_grid(images, labels, T.tensor([0, 0]), classes=names)
        assert [text.get_text() for text in axes.texts] == ["cat", "✗ cat\nis dog"]


@pytest.mark.parametrize("n", [1, 2, 5, 8, 9, 16, 23])
def test_every_image_is_inside_the_figure(n):
    images = np.full((n, 5, 4), 200, np.uint8)
    axes = plots.image_grid(images, titles=["title"] * n)
    assert (embedded_pixels(axes)[..., 3] > 0).sum() == n * 20
    axes.figure.canvas.draw()
    frame = axes.figure.bbox
    for text in axes.texts:
        box = text.get_window_extent()
        assert frame.x0 <= box.x0
        assert box.x1 <= frame.x1
        assert frame.y0 <= box.y0 + 1


def test_image_grid_teaches():
    with pytest.raises(ValueError, match=r"got \(28, 28\): for one image, give images\[None\]"):
        plots.image_grid(DIGITS[0])
    with pytest.raises(ValueError, match=r"but got \(2, 5, 8, 8\)"):
        plots.image_grid(np.zeros((2, 5, 8, 8)))
    with pytest.raises(ValueError, match=r"12 images, but 3 labels"):
        plots.image_grid(DIGITS, [1, 2, 3])
    with pytest.raises(ValueError, match=r"float64 of shape \(12, 10\): take .argmax\(1\) first"):
        plots.image_grid(DIGITS, LABELS, np.zeros((12, 10)))
    with pytest.raises(ValueError, match=r"go from -1 to 1: undo the normalisation"):
        plots.image_grid(np.linspace(-1, 1, 2 * 3 * 16).reshape(2, 3, 4, 4))
    with pytest.raises(ValueError, match=r"NaN or infinity"):
        plots.image_grid(np.full((1, 4, 4), np.nan))
    with pytest.raises(ValueError, match=r"not both"):
        plots.image_grid(DIGITS, LABELS, titles=["a"] * 12)
    with pytest.raises(ValueError, match=r"entries of one shape, but got \(2, 2\), \(3, 3\)"):
        plots.image_grid([np.zeros((2, 2)), np.zeros((3, 3))])


def test_confusion_matrix_counts():
    axes = plots.confusion_matrix([0, 0, 1, 2, 2], [0, 1, 1, 2, 0], classes=["a", "b", "c"])
    counts = {text.get_position(): text.get_text() for text in axes.texts}  # (column, row)
    assert counts == {(0, 0): "1", (1, 0): "1", (1, 1): "1", (2, 2): "1", (0, 2): "1"}
    colors = [mpl.colors.to_hex(patch.get_facecolor()) for patch in axes.patches]
    assert colors.count(COLORS["green"]) == 3
    assert colors.count(COLORS["purple"]) == 2
    assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "b", "c"]


def test_confusion_matrix_teaches():
    with pytest.raises(ValueError, match=r"as many labels as predictions: 2 and 1"):
        plots.confusion_matrix([0, 1], [0])
    with pytest.raises(ValueError, match=r"classes are 0 to 1, but there is 0 to 2"):
        plots.confusion_matrix([0, 1], [2, 1], classes=2)
    with pytest.raises(ValueError, match=r"take .argmax\(1\) first"):
        plots.confusion_matrix([0, 1], np.zeros((2, 2)))


# -- functions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("T", [mini, torch, None], ids=["mini", "torch", "numbers"])
def test_the_tangent_touches_with_the_slope_that_autograd_gives(T):
    at, slope = 1.5, 3 * 1.5**2 - 2
    if T is not None:
        at = T.tensor(1.5, requires_grad=True)
        (at * at * at - 2 * at).backward()
        slope = at.grad
    axes = plots.function_and_tangent(lambda x: x * x * x - 2 * x, at, slope, ylabel="y")
    curve, tangent, point = axes.get_lines()
    x, y = curve.get_data()
    np.testing.assert_allclose(y, x**3 - 2 * x, rtol=1e-5, atol=1e-5)
    (x0, y0), (x1, y1) = tangent.get_xydata()
    assert (y1 - y0) / (x1 - x0) == pytest.approx(4.75, rel=1e-5)
    assert (y0 + y1) / 2 == pytest.approx(1.5**3 - 3, rel=1e-5)
    assert point.get_xydata().tolist() == [[1.5, pytest.approx(0.375)]]
    assert tangent.get_label() == "slope 4.75 at 1.5"
    with pytest.raises(ValueError, match="a slope for each point"):
        plots.function_and_tangent(np.sin, [0.0, 1.0], [1.0])


def test_loss_surface_teaches():
    with pytest.raises(ValueError, match=r"finite numbers of shape \(101, 101\), but gave \(\)"):
        plots.loss_surface(lambda x, y: 1.0, (0, 1), (0, 1))
    with pytest.raises(ValueError, match=r"shape \(n, 2\), but 'a' has \(3,\)"):
        plots.loss_surface(lambda x, y: x + y, (0, 1), (0, 1), paths={"a": [1, 2, 3]})


def test_the_path_is_drawn_whole():
    path = rng().random((50, 2))
    axes = plots.loss_surface(lambda x, y: x + y, (0, 1), (0, 1), paths={"torch": path})
    line, start, end = axes.get_lines()
    np.testing.assert_allclose(line.get_xydata(), path)
    np.testing.assert_allclose([*start.get_xydata(), *end.get_xydata()], path[[0, -1]])


def boundary_vertices(axes):
    lines = [c for c in axes.collections if c.get_linewidth()[0] == 1.2]
    return np.concatenate([path.vertices for c in lines for path in c.get_paths()])


ANSWERS = {
    "logit": (circle_model, 0.0),
    "logit, (n, 1)": (lambda p: circle_model(p)[:, None], 0.0),
    "probability": (lambda p: 1 / (1 + np.exp(-circle_model(p))), 0.5),
    "two scores": (lambda p: np.stack([np.zeros(len(p)), circle_model(p)], 1), 0.0),
}


@pytest.mark.parametrize(("model", "threshold"), ANSWERS.values(), ids=ANSWERS)
def test_the_boundary_is_where_the_answer_changes(model, threshold):
    labels = (circle_model(POINTS) > 0).astype(int)
    axes = plots.decision_boundary(model, POINTS, labels, threshold=threshold)
    radius = np.hypot(*boundary_vertices(axes).T)
    np.testing.assert_allclose(radius, 1, atol=0.01)


def test_the_boundary_of_a_classifier_that_answers_with_classes():
    axes = plots.decision_boundary(
        lambda p: (p[:, 0] > 0).astype(int), POINTS, LABELS[:2].repeat(30)
    )
    assert abs(boundary_vertices(axes)[:, 0]).max() < 0.05


@pytest.mark.parametrize("nn", [mini.nn, torch.nn], ids=["mini", "torch"])
def test_a_module_is_asked_in_eval_mode_and_put_back(nn):
    modes = []

    class Net(nn.Linear):
        def forward(self, x):
            modes.append((self.training, str(x.dtype).split(".")[-1]))
            return super().forward(x)

    net, labels = Net(2, 3), rng().integers(0, 3, 60)
    plots.decision_boundary(net, POINTS, labels)
    assert modes == [(False, "float32")]
    assert net.training
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        plots.decision_boundary(Net(3, 3), POINTS, labels)
    with pytest.raises(ValueError, match="a module with parameters"):
        plots.decision_boundary(nn.Flatten(), POINTS, labels)
    with pytest.raises(ValueError, match=r"points \(N, 2\) and labels \(N,\)"):
        plots.decision_boundary(net, POINTS, [0, 1])


def test_a_constant_answer_has_no_boundary():
    axes = plots.decision_boundary(lambda p: np.ones(len(p)), POINTS, np.ones(60, int))
    assert len(axes.collections) == 3  # one field, two (one of them empty) classes of points


# -- arrays --------------------------------------------------------------------------------------


@pytest.mark.parametrize("T", [mini, torch], ids=["mini", "torch"])
def test_arrays_out_of_tensors(T):
    x = T.tensor([[1.0, 2.0]], requires_grad=True)
    assert to_numpy(x * 2).tolist() == [[2, 4]]
    assert to_numpy([x.sum(), 4, np.float32(5)]).tolist() == [3, 4, 5]
    assert to_numpy(T.tensor([1, 2])).dtype.kind == "i"


def test_half_precision_of_torch():
    assert to_numpy(torch.ones(2, dtype=torch.bfloat16)).tolist() == [1, 1]


# -- memory --------------------------------------------------------------------------------------


def test_a_view_is_drawn_beside_the_cells_that_it_visits():
    axes = plots.memory_walk({"t[:, 1::2]": ((3, 2), (4, 2), 1)}, 12)
    texts = [text.get_text() for text in axes.texts]
    assert texts[1:7] == ["1", "3", "5", "7", "9", "11"]
    assert texts[7:] == [str(k) for k in range(12)]
    assert len(axes.lines) == 5  # steps from one element to the next


@pytest.mark.parametrize("view", [((3, 5), (4, 1), 0), ((2,), (1,), -1), ((0,), (1,), 0)])
def test_a_view_that_leaves_the_memory_is_not_drawn(view):
    with pytest.raises(ValueError, match="memory of 12 cells"):
        plots.memory_walk({"bad": view}, 12)


def test_memory_is_drawn_in_two_dimensions_at_most():
    with pytest.raises(ValueError, match="one or two dimensions"):
        plots.memory_walk({"cube": ((2, 2, 2), (4, 2, 1), 0)}, 12)


# -- paths that move ---------------------------------------------------------------------------


def valley(x, y):
    return x**2 + 4 * y**2


def descents(**changes):
    paths = {"a": [[-1, 1], [0.5, -0.5], [0, 0]], "b": [[1, 1], [0, 1], [0, 0.5]]}
    given = {"name": "valley", "label": "two paths"} | changes
    return plots.descents(valley, (-1, 1), (-1, 1), given.pop("paths", paths), **given)


def test_descents_moves_by_css_alone_and_only_for_who_wants_motion():
    html = descents()._repr_html_()
    assert "<script" not in html
    outside = re.sub(r"@media \(prefers-reduced-motion:no-preference\)\{.*?\}\}", "", html)
    assert "animation:" in html
    assert "animation:" not in outside
    assert "animation-play-state:paused" in html
    assert html == descents()._repr_html_()


def test_descents_puts_a_ball_on_every_point_of_its_path():
    drawn = descents()
    ends = re.findall(r"\.dl-valley-\d\{transform:translate\(([\d.]+)px,([\d.]+)px\)\}", drawn.html)
    assert len(ends) == 2
    assert drawn.html.count("<circle ") == 2
    figure = drawn.ax.figure
    height = figure.get_figheight() * 72
    for (x, y), point in zip(ends, [(0, 0), (0, 0.5)], strict=True):
        spot = drawn.ax.transData.transform(point) * 72 / figure.dpi
        np.testing.assert_allclose([float(x), float(y)], [spot[0], height - spot[1]], atol=0.06)
    frames = re.search(r"@keyframes dl-valley-0\{(.*?)\}\}", drawn.html)[1]
    assert frames.count("translate") == 4  # three points, and a rest on the last


def test_descents_wants_paths_of_one_length():
    with pytest.raises(ValueError, match="'a': 2, 'b': 3"):
        descents(paths={"a": [[0, 0], [1, 1]], "b": [[0, 0], [1, 1], [0, 0]]})


# -- a window that moves -----------------------------------------------------------------------


def sliding(output, **changes):
    given = {"name": "slide", "label": "<a> kernel", "stride": 2, "padding": 1} | changes
    return plots.sliding_window(np.arange(25.0).reshape(5, 5), -np.eye(3), output, **given)


def test_a_sliding_window_stands_where_the_convolution_takes_its_pixels():
    html = sliding(np.arange(100.0, 109).reshape(3, 3))._repr_html_()
    frames = re.search(r"@keyframes dl-slide-in\{(.*?)\}\}", html)[1]
    spots = [tuple(map(float, s)) for s in re.findall(r"translate\(([\d.]+)px,([\d.]+)px", frames)]
    side = float(re.search(r'<rect x="0" y="0" width="(\d+)"', html)[1])
    wanted = [(2 * side * q, 2 * side * p) for p in range(3) for q in range(3)]
    assert spots == [*wanted, wanted[-1]]  # and a rest on the last
    numbers = re.findall(r">(-?\d+)</text>", html)
    assert numbers[:7] == ["0"] * 7  # the border of zeros
    assert numbers[8:13] == ["0", "1", "2", "3", "4"]
    assert numbers[49:58] == [str(n) for n in range(100, 109)]
    assert numbers[58:] == ["-1", "-0", "-0", "-0", "-1", "-0", "-0", "-0", "-1"]


def test_a_sliding_window_moves_by_css_alone_and_only_for_who_wants_motion():
    html = sliding(np.zeros((3, 3))).html
    assert "<script" not in html
    assert 'aria-label="&lt;a&gt; kernel"' in html
    outside = re.sub(r"@media \(prefers-reduced-motion:no-preference\)\{.*?\}\}", "", html)
    assert "animation:" in html
    assert "animation:" not in outside
    assert repr(sliding(np.zeros((3, 3)))) == "<a> kernel"


def test_a_sliding_window_does_not_leave_the_image():
    with pytest.raises(ValueError, match="3 x 4 windows of 3 x 3 with stride 2 do not fit"):
        sliding(np.zeros((3, 4)))


# -- points that move --------------------------------------------------------------------------


def moving_points(places=(((0, 0), (1, 1)), ((0, 1), (1, 0))), titles=("in", "<out>")):
    import matplotlib.pyplot as plt

    ax = plt.figure(figsize=(4, 4)).subplots()
    ax.set(xlim=(-1, 2), ylim=(-1, 2))
    return plots.stations(places, [0, 1], titles, ax=ax, name="fold", label="two points")


def test_stations_put_every_point_at_all_its_places():
    drawn = moving_points()
    spots = re.findall(r"--x(\d):([\d.]+)px;--y\d:([\d.]+)px", drawn.html)
    assert [k for k, *_ in spots] == ["0", "1"] * 2  # place by place, point by point
    figure = drawn.ax.figure
    height = figure.get_figheight() * 72
    for (_, x, y), point in zip(spots, [(0, 0), (0, 1), (1, 1), (1, 0)], strict=True):
        spot = drawn.ax.transData.transform(point) * 72 / figure.dpi
        np.testing.assert_allclose([float(x), float(y)], [spot[0], height - spot[1]], atol=0.06)
    assert drawn.html.count("<circle r=") == drawn.html.count('<rect x="-4"') == 1
    assert ">&lt;out&gt;</text>" in drawn.html


def test_stations_move_by_css_alone_and_rest_at_the_last_for_who_wants_no_motion():
    html = moving_points()._repr_html_()
    assert "<script" not in html
    start = html.index("@media (prefers-reduced-motion:no-preference){")
    assert "animation:" not in html[:start]
    assert html[start:].count("animation:") == 3  # the points and two titles
    assert ".dl-fold{transform:translate(var(--x1),var(--y1))}" in html[:start]
    assert ".dl-fold-0{opacity:0}" in html[:start]
    assert ".dl-fold-1{opacity:1}" in html[:start]
    assert "animation-play-state:paused" in html
    assert html == moving_points()._repr_html_()


@pytest.mark.parametrize(
    ("places", "titles"),
    [
        ([[(0, 0), (1, 1)]], ["in"]),
        ([[(0, 0), (1, 1)], [(0, 0)]], ["in", "out"]),
        ([[(0, 0), (1, 1)]] * 2, ["in"]),
    ],
)
def test_stations_want_places_labels_and_titles_that_fit(places, titles):
    with pytest.raises(ValueError, match="a title for each, and N labels"):
        moving_points(places, titles)
