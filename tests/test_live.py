"""Cells that run in the page: what of them a browser can run, what runs before, and running."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from dlcourse.live import bundle
from dlcourse.live.cells import DATA, Page, entering, names, parse
from dlcourse.live.session import MOST, Session, left_out

import pytest

ROOT = Path(__file__).parents[1]
IMPORTS = "from dlcourse import mini\nfrom dlcourse.testing import assert_matches\nimport torch"


def cells(*sources):
    return Page([IMPORTS, *sources], {"tensors.windows": "torch"})


def last_kind(*sources):
    page = cells(*sources)
    return page.kind(len(page.sources) - 1)


# ------------------------------------------------------------------- what of a cell can be run


@pytest.mark.parametrize(
    ("sources", "kind"),
    [
        (["mini.ones(2)"], "all"),
        (["import numpy as np\nimport matplotlib.pyplot as plt"], "all"),
        (["torch.ones(2)"], "none"),
        (["from torch import nn", "nn.Linear(1, 2)"], "none"),
        (["import torch.nn as layers", "layers.Linear(1, 2)"], "none"),
        (["for lib in (mini, torch):\n    print(lib.ones(2))"], "part"),
        (["for lib in (torch, mini):\n    print(lib.ones(2))"], "part"),
        (["print([lib.ones(2) for lib in (mini, torch)])"], "part"),
        (["print([lib.ones(2) for lib in (torch, mini)])"], "none"),  # [0] would be mini's
        (["ours, theirs = (f(lib) for lib in (mini, torch))\nprint(ours)"], "none"),
        (["for name, lib in (('a', mini), ('b', torch)):\n    print(lib)"], "part"),
        (["for name, lib in {'a': mini, 'b': torch}.items():\n    print(lib.ones(2))"], "part"),
        (
            ["runs = {}\nfor lib in (mini, torch):\n    runs[lib] = 1", "print(mini.equal(*runs))"],
            "none",
        ),
        (["print(mini.ones(2))\nassert_matches(mini.ones(2), torch.ones(2))"], "part"),
        (["x = torch.ones(2)", "print(x)"], "none"),
        (["x = torch.ones(2)", "x = mini.ones(2)", "print(x)"], "all"),
        (["def f():\n    return torch.ones(2)", "f()"], "none"),
        (["def f(torch):\n    return torch + 1", "f(1)"], "all"),
        (["def f():\n    import torch\n    return torch.ones(2)", "f()"], "none"),
        (["runs = {}\nfor lib in (mini, torch):\n    runs[lib] = 1", "print(runs)"], "part"),
        (["runs = {}\nfor lib in (mini, torch):\n    runs[lib] = 1", "runs['torch']"], "none"),
        (["w = torch.ones(2)", "for x in [1, *(w for w in (2, 3))]:\n    print(x)"], "all"),
        (["runs = {1: []}\nfor x in torch.ones(2):\n    runs[1].append(x)", "print(runs)"], "none"),
        (["path = 'a'", "torch.save(1, path)", "path.read_bytes()"], "none"),
        (
            [
                "p = 'a'",
                "with open(p, 'w') as f:\n    f.write(torch.e)",
                "s = p.read_text()\nprint(s)",
            ],
            "none",
        ),
        (["a = {1: []}\nfor b in a.values():\n    b.append(torch.e)", "print(a)"], "none"),
        (["f = open", "torch.save(1, f)\nf.seek(0)\nprint(mini.load(f))"], "none"),
        (["import dlcourse.plots as p", "p.COLORS['torch']"], "all"),
        (["found = []\nfor x in torch.ones(2):\n    found.append(x)", "print(found)"], "none"),
        # a module is not filled, whoever appends with it; nor is a name of a function's own
        (["import numpy as np\ndef f():\n    return np.append(torch.e, 2)", "np.ones(1)"], "all"),
        (["x = [1]\ndef f(x):\n    x.append(torch.e)", "print(x)"], "all"),
        # bound anew before it is read
        (["x = torch.e", "for i in (1, 2):\n    if i:\n        x = i\n        print(x)"], "all"),
        (["x = torch.e", "if a:\n    x = 1\nelse:\n    x = 2\nprint(x)"], "all"),
        (["x = torch.e", "if a:\n    x = 1\n    print(x)\nelse:\n    print(x)"], "none"),
        (
            ["x = torch.e", "for i in (1, 2):\n    x = i\n    for p in (x, x):\n        print(p)"],
            "all",
        ),
        (["x = torch.e", "for p in (x, x):\n    print(p)"], "none"),
        (["for p in ():\n    print(p)\nfor p in {}.items():\n    print(p)"], "all"),
        (["check('tensors.windows', f)"], "none"),
        (["check('tensors.shape', f)"], "all"),
        (["%matplotlib inline\n1 + 1"], "all"),
        (["this is no Python"], "none"),
    ],
)
def test_what_runs_is_read_off_the_names(sources, kind):
    assert last_kind(*sources)[0] == kind


@pytest.mark.parametrize(
    ("source", "package"),
    [
        ("import pandas as pd\npd.DataFrame()", "pandas"),
        ("from torchvision import datasets\ndatasets.MNIST()", "torch"),
        ("from dlcourse import training\ntraining.fit()", "torch"),
        ("import threading\nthreading.Thread()", "threads"),
        ("from dlcourse import datasets\ndatasets.weather()", "pandas"),
        ("from dlcourse.datasets import penguins\npenguins()", "pandas"),
        ("from dlcourse import mini\nmini.utils.data.DataLoader([1], num_workers=2)", "processes"),
        (
            "from dlcourse import mini\nmini.utils.data.DataLoader([1], **{'num_workers': 1})",
            "processes",
        ),
    ],
)
def test_the_missing_package_is_named(source, package):
    assert Page([source]).kind(0) == ("none", package)


FIGURE = "import matplotlib.pyplot as plt\nfrom dlcourse import plots"
AXES = "fig, (ax, other) = plt.subplots(2)\n"


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("print(' ' * 9, 'loss')\nfor x in torch.ones(2):\n    print(x)", "none"),
        ("head = 'loss'\nprint(f'{head:9}')\nprint(torch.e)", "none"),
        ("print('pi', np.pi)\nprint(torch.e)", "part"),
        ("print('e', *map(str, (2, 7)))\nprint(torch.e)", "part"),
        (AXES + "ax.plot(torch.e)\nax.set(ylim=(0, 1))\nother.axhline(0)\nfig.legend()", "none"),
        (AXES + "ax.plot(torch.e)\nfor a in (ax, other):\n    a.set_xlabel('x')", "none"),
        (AXES + "ax.plot(np.ones(2))\nax.plot(torch.e)", "part"),
        (AXES + "draw(ax)\nax.plot(torch.e)", "part"),
        ("ax = plots.curves(np.ones(2))\nax.plot(torch.e)", "part"),
        ("plots.use_style()\nnp.random.seed(0)\nx = torch.e", "none"),
        ("loss.backward()\nprint(torch.e)", "none"),
        ("names = ['a']\nnames += ['b']\ntorch.e", "none"),
        ("assert np.pi > 3\nprint(torch.e)", "none"),
        ("assert np.pi > 3\nx = torch.e", "part"),
        ("for lib in (mini, torch):\n    assert lib.e > 2\nprint(torch.e)", "part"),
        ("for lib in (mini, torch):\n    lib.seed()", "part"),
        ("for lib in (mini, torch):\n    lib.seed()\nassert torch.e\nprint(torch.e)", "none"),
    ],
)
def test_words_and_empty_axes_are_no_result(source, kind):
    assert last_kind(FIGURE + "\nimport numpy as np", source)[0] == kind


CHECK = "assert_matches(mini.ones(2), torch.ones(2))\n"


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        (CHECK + "print('values agree')\nprint(mini.e)", ["print(mini.e)"]),
        (CHECK + "print(mini.e, 'steps agree')", []),
        (CHECK + "print(mini.e, 'by torch, too')", []),
        (CHECK + "print(mini.e, 'values, all equal')", []),
        (CHECK + "print(mini.e, 'equal parts')", ["print(mini.e, 'equal parts')"]),
        ("print('loss')\n" + CHECK + "print(mini.e)", ["print('loss')", "print(mini.e)"]),
        (
            "for lib in (mini, torch):\n    assert lib.e > 2\nprint('values agree')",
            ["print('values agree')"],
        ),
        ("for x in torch.ones(2):\n    assert x\nprint('as derived')\nassert mini.e", []),
        ("def f():\n    assert torch.e\nprint('derived')", ["print('derived')"]),
        ("ours = mini.e\nnp.testing.assert_allclose(ours, torch.e)\nprint('so it is')", []),
    ],
)
def test_nothing_is_said_to_agree_that_was_not_compared(source, printed):
    codes = [unit.code for unit in cells(source).of(1) if unit.node]
    assert [code for code in codes if code.startswith("print")] == printed


def test_no_worker_is_no_process():
    page = cells("mini.utils.data.DataLoader([1], num_workers=0)", "dict(**{'num_workers': 0})")
    assert [page.kind(cell)[0] for cell in (1, 2)] == ["all", "all"]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("from dlcourse import datasets\nx = datasets.digits('test')", ["mnist_5k.npz"]),
        ("from dlcourse import datasets\ntext = datasets.kjv('valid')", ["kjv.txt.bz2"]),
        ("from dlcourse.datasets import pictograms\npictograms()", ["pictograms.npz"]),
        ("from dlcourse import datasets\ndatasets.names()", []),
        ("from dlcourse import datasets\ndatasets.load_digit_image('a.png')", ["matplotlib"]),
    ],
)
def test_what_has_to_be_fetched_first(source, wanted):
    page = Page([source.partition("\n")[0], source.partition("\n")[2]])
    assert Session(print).wants(page, 1) == wanted
    assert (
        Session(print).wants(Page(["def f():\n    " + source.replace("\n", "\n    "), "f()"]), 1)
        == wanted
    )


def test_what_torch_says_where_mini_does_is_passed_over():
    """The cheat sheet imports mini as torch, or torch: all after it was held for torch alone."""
    page = Page(["from dlcourse import mini as torch", "import torch\ne = torch.e", "torch", "e"])
    assert [page.kind(cell)[0] for cell in range(4)] == ["all", "none", "none", "none"]
    page = Page(page.sources, skipped=[1])
    assert [page.kind(cell)[0] for cell in range(4)] == ["all", "none", "all", "none"]
    assert [unit.cell for unit in page.before(2)] == [0]


def test_what_is_left_out_is_told_by_its_lines():
    page = cells("for lib in (mini, torch):\n    print(lib)\ny = torch.ones(2)\nprint(y)")
    assert left_out(page, 1) == (
        "torch does not run in a browser. Run here without, left out: line 3, line 4; "
        "in part, with mini alone: lines 1 to 2."
    )
    assert left_out(cells("print(1)"), 1) == ""


# ------------------------------------------------------------------------------ what runs before


def test_names_of_functions_inside_are_their_own():
    reads, binds, changes = names("def f(a, *, b=c):\n    d = a + e\n    return [g for g in d]")
    assert (reads, binds, changes) == ({"c", "e"}, {"f"}, {"f"})
    assert names("x.y[z] = w")[2] == {"x"}
    assert names("x += 1")[:2] == ({"x"}, {"x"})


@pytest.mark.parametrize("many", ["[k for k in a]", "{k for k in a}", "{k: v for k, v in a}"])
def test_the_variables_of_a_comprehension_are_its_own(many):
    """In the browser's Python they were the page's: what torch had named k, no cell could use."""
    assert names(f"x = {many}") == ({"a"}, {"x"}, {"x"})
    page = Page(
        [f"import torch\ny = {many.replace('in a', 'in torch.ones(2)')}", f"a = ()\n{many}"]
    )
    assert page.kind(1) == ("all", "")


def test_what_is_set_before_it_is_read_is_not_needed():
    tree = parse("x = 1\nfor i in many:\n    y = i + x\n    print(y, z)\nx")
    assert entering(tree.body) == {"many", "print", "z"} - {"print"}
    tree = parse("if a:\n    x = y = 1\nelse:\n    x = b\nx, y")
    assert entering(tree.body) == {"a", "b", "y"}


@pytest.mark.parametrize(
    ("sources", "before"),
    [
        (["a = 1", "b = 2", "print(b)"], [1]),
        (["a = 1", "b = a", "print(b)"], [0, 1]),
        (["a = []", "a.append(1)", "b = 2", "print(a)"], [0, 1]),
        (["a = 1", "a = 2", "print(a)"], [1]),
        (["def f():\n    return a", "a = 3", "b = 2", "print(f())"], [0, 1]),
        (["rng = object()", "x = rng.random()", "print(rng)"], [0, 1]),
        (["import numpy as np", "np.random.seed(0)", "x = 1", "print(np.ones(2))"], [0, 1]),
        (["import re", "for lib in (re,):\n    lib.set_flags(1)", "print(re)"], [0, 1]),
        (["import random", "for i in (1, 2):\n    random.seed(i)", "print(random)"], [0, 1]),
        (["import re, random", "for i in (re, 2):\n    random.seed(i)", "print(re)"], [0]),
        (["a = 1", "assert a == 1", "print(a)"], [0]),
        (["a = {}", "a['b'] = 1", "print(a)"], [0, 1]),
        (["import math", "x = math.pi", "print(math.e)"], [0]),
    ],
)
def test_what_a_cell_needs_of_those_above(sources, before):
    page = Page(sources)
    assert [unit.cell for unit in page.before(len(sources) - 1)] == before


# --------------------------------------------------------------------------------------- running


class Reader:
    """Edits and runs the cells of a page, and sees what comes."""

    def __init__(self, *sources):
        self.sources, self.seen = list(sources), []
        self.session = Session(lambda kind, text: self.seen.append((kind, text)))

    def run(self, cell=-1, may_fail=()):
        self.seen.clear()
        cell %= len(self.sources)
        self.ok = self.session.run(Page(self.sources), cell, may_fail)
        return "".join(text for kind, text in self.seen if kind not in ("begin", "note"))


@pytest.fixture(autouse=True)
def _finders(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("1 + 1", "2"),
        ("1 + 1;", ""),
        ("1 + 1  # two", "2"),
        ("x = 1", ""),
        ("print('a')\n'b'", "a\n'b'"),
        ("None", ""),
        ("import sys\nprint('a', file=sys.stderr)", "a\n"),
        ("class A:\n    def _repr_html_(self): return '<b>'\nA()", "<b>"),
        ("%time\n3", "3"),
    ],
)
def test_a_cell_shows_what_a_notebook_would(source, shown):
    reader = Reader(source)
    assert (reader.run(), reader.ok) == (shown, True)


def test_cells_above_run_first_silently_and_once():
    reader = Reader("print('above')\na = []", "a.append(1)", "len(a)")
    assert reader.run() == "1"
    assert reader.run() == "1"
    assert reader.run(1) == ""
    assert reader.run() == "2"  # as in a notebook: the reader has run it again


def test_an_edit_above_is_taken_up():
    reader = Reader("a = 1", "b = a + 1", "b")
    assert reader.run() == "2"
    reader.sources[0] = "a = 10"
    assert reader.run() == "11"
    reader.sources[0] = "a = 20"
    reader.run(0)
    assert reader.run() == "21"


def test_an_error_is_shown_from_the_cells_own_line_on():
    said = Reader("def f():\n    return 1 / 0\nf()").run()
    assert said.startswith(
        "Traceback (most recent call last):\n  cell 1, line 3, in <module>\n    f()"
    )
    assert said.endswith("ZeroDivisionError: division by zero\n")
    assert "session.py" not in said
    assert "SyntaxError" in Reader("1 +").run()


def test_an_error_above_is_said_to_be_above():
    reader = Reader("a = 1 / 0", "a")
    assert reader.run().startswith("A cell above, number 1:\nTraceback")
    reader = Reader("a = []", "a.append(1)\na.remove(2)\na.append(3)", "a")
    assert "ValueError" in reader.run()
    assert reader.run(may_fail=[1]) == "[1, 3]"  # its error is part of the page


def test_nothing_older_passes_for_what_is_left_out():
    reader = Reader("import torch\nx = 1", "x = torch.ones(2)\nprint(3)", "print(x)")
    reader.run(0)
    assert reader.run(1) == "3\n"
    assert [text for kind, text in reader.seen if kind == "note"]
    assert reader.run(2) == ""
    reader.sources[2] = "print(globals()['x'])"
    assert "KeyError" in reader.run(2)


def test_torch_is_answered_with_a_sentence():
    said = Reader("__import__('torch')").run() if "torch" not in sys.modules else None
    if said is None:
        code = "from dlcourse.live.session import Session, Page\n"
        code += "Session(lambda k, t: print(t)).run(Page(['__import__(\"torch\")']), 0)"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert "torch does not run in a browser. Download the notebook" in said


def test_an_endless_flow_of_text_is_cut():
    said = Reader(f"for _ in range({MOST // 10}): print('x' * 99)").run()
    assert MOST <= len(said) < MOST + 200
    assert said.endswith("and more, which is not shown\n")


def test_figures_come_as_drawings_in_the_style_of_the_course():
    first = "import matplotlib.pyplot as plt\nfrom dlcourse import plots\nplots.use_style()"
    reader = Reader(first, "plt.plot([1, 2]);")
    assert reader.session.wants(Page(reader.sources), 1) == ["matplotlib"]
    reader.run()
    assert [kind for kind, _ in reader.seen] == ["begin", "svg"]
    assert "#0072b2" in reader.seen[1][1].lower()
    for light in ("print(1)", "plots.COLORS", "plots.draw_graph"):
        page = Page([first, light])
        assert not Session(print).wants(page, 1)
        assert all("matplotlib" not in u.code and "style" not in u.code for u in page.before(1))


def test_exercises_are_answered_with_their_hints():
    stub = "import dlcourse.exercises\nfrom dlcourse.exercises import check"
    reader = Reader(stub, "check('tensors.shape', (3, 4, 5))\nprint('after')")
    reader.run()
    kinds = [kind for kind, _ in reader.seen]
    assert kinds == ["begin", "html", "stdout"]
    assert "Which dimension does the sum remove?" in reader.seen[1][1]


# ------------------------------------------------------------------------------- what is packed


def test_what_is_packed_runs_by_itself_without_torch(tmp_path):
    """The zip, unpacked elsewhere, in an interpreter that has no torch: as in the browser."""
    live = pytest.importorskip("dlcourse.book.live")
    live.write(tmp_path, "cdn")
    with zipfile.ZipFile(tmp_path / "live" / "course.zip") as course:
        course.extractall(tmp_path / "course")
    for name in DATA:
        shutil.copy(tmp_path / "live" / name, tmp_path / "course" / "data")
    code = """
import json, sys
sys.path[:] = [sys.argv[1], *(p for p in sys.path if not p.endswith("live"))]
from dlcourse.live.browser import Live
import dlcourse
assert dlcourse.__file__.startswith(sys.argv[1]), dlcourse.__file__
live = Live(lambda kind, text: sys.__stdout__.write(f'{kind} {text}\\n'))
cells = ["from dlcourse import bpe, datasets, mini, ngram, plots\\nimport torch\\n"
         "import matplotlib.pyplot as plt",
         "print(datasets.digits('test')[0].shape, mini.ones(2).sum())", "plt.plot([1]);"]
for cell in (1, 2):
    asked = {"sources": cells, "cell": cell, "mayFail": [], "skipped": [], "checks": {}}
    live.open(json.dumps(asked))
    assert live.run()
assert "torch" not in sys.modules
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "course")],
        cwd=tmp_path, env={"MPLBACKEND": "agg"}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "(1000, 28, 28)" in run.stdout
    assert "tensor(2.)" in run.stdout
    assert "figure <svg" in run.stdout


def test_the_setting_names_one_address_and_every_file_has_its_sum(tmp_path):
    live = pytest.importorskip("dlcourse.book.live")
    live.write(tmp_path, "cdn")
    config = json.loads((tmp_path / "live" / "live.json").read_text())
    assert config["base"] == bundle.PINNED["cdn"]
    assert bundle.PINNED["version"] in config["base"]
    needed = {package["file_name"] for package in json.loads(config["lock"])["packages"].values()}
    assert needed < config["files"].keys()
    assert all(re.fullmatch(r"sha256-[\w+/]{43}=", s) for s in config["files"].values())
    assert config["checks"]["tensors.windows"] == "torch"
    assert "tensors.shape" not in config["checks"]


def test_an_address_changes_with_the_content(tmp_path, monkeypatch):
    """A browser kept the old Python at the address of the new, and refused it for its sum."""
    live = pytest.importorskip("dlcourse.book.live")
    monkeypatch.setattr(live, "copy_python", lambda folder: None)
    configs = []
    for version, script in (("1", b"old"), ("2", b"new")):
        monkeypatch.setitem(bundle.PINNED, "version", version)
        (tmp_path / "worker.mjs").write_bytes(script)
        configs.append(live.versioned(tmp_path / "worker.mjs"))
        live.write(tmp_path, "site")
        configs.append(json.loads((tmp_path / "live" / "live.json").read_text())["base"])
    assert len(set(configs)) == 4
    assert configs[1::2] == ["pyodide-1/", "pyodide-2/"]


def test_a_damaged_file_of_the_bundle_is_missing(tmp_path):
    name = "pyodide.mjs"
    (tmp_path / name).write_bytes(b"damaged")
    assert name in bundle.missing(tmp_path)
    assert not bundle.is_right(name, b"damaged")


# ------------------------------------------------------------------------- a function's own names


def test_what_a_function_calls_like_a_name_of_torch_stays_in_it():
    """b was left out of the loop, and not trained, because a cell above had a b of torch."""
    source = "def f(lib):\n    W, b = (1, 2)\n    for p in (W, b):\n        print(p)\n    return b"
    page = cells("b = torch.ones(2)", source, "print(f(mini))")
    assert page.kind(2) == ("all", "")
    assert [unit.code for unit in page.of(2)] == [source]
    assert page.kind(3) == ("all", "")


# ---------------------------------------------------------------------------------- the chapters


@pytest.mark.parametrize("name", ["tensors", "autograd", "gradient_descent"])
def test_every_cell_of_these_chapters_that_names_no_torch_is_live(name):
    text = (ROOT / "chapters" / "foundations" / f"{name}.ipynb").read_text("utf-8")
    code = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    sources = ["".join(cell["source"]) for cell in code]
    page = Page(sources)
    kinds = [page.kind(number)[0] for number in range(len(sources))]
    marked = [
        source
        for source, kind in zip(sources, kinds, strict=True)
        if kind == "none" and not re.search(r"torch|assert_matches|theirs", source)
    ]
    assert marked == []
    assert kinds.count("all") > len(kinds) / 3
