"""The normal form of stored notebooks, running them, and the round trip through text."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

from dlcourse.book import notebooks
from dlcourse.book.notebooks import NotStored

import pytest

ROOT = Path(__file__).parents[2]
STORED = notebooks.find([ROOT / "chapters"])
WIDGET = "application/vnd.jupyter.widget-view+json"

IN_PARTS = [p for p in STORED if p.parent.parent.name == "chapters"]
IN_PARTS = [p for p in IN_PARTS if p.parent.name != "reference"]  # looked up, not read through

PROJECT_ENDS = ["Summary", "Exercises", "Further reading"]
CHAPTER = ["The question", "By hand", "From scratch", "In PyTorch", "They agree", "At work"]
CHAPTER += ["In practice", *PROJECT_ENDS]  # the table of CONTRIBUTING.md


@pytest.mark.parametrize("path", STORED, ids=[str(path.relative_to(ROOT)) for path in STORED])
def test_stored_notebooks_are_normal(path):
    assert notebooks.check(path) == []


@pytest.mark.parametrize("path", IN_PARTS, ids=[path.stem for path in IN_PARTS])
def test_a_reader_finds_the_headings_of_every_chapter(path):
    cells = json.loads(path.read_text("utf-8"))["cells"]
    lines = [line for c in cells if c["cell_type"] == "markdown" for line in c["source"]]
    headings = [line.removeprefix("## ").strip() for line in lines if line.startswith("## ")]
    wanted = PROJECT_ENDS if path.parent.name == "projects" else CHAPTER
    assert [heading for heading in headings if heading in wanted] == wanted


# --------------------------------------------------------------------------------- the normal form


def code(source, outputs=(), count=1, **rest):
    cell = {"cell_type": "code", "source": source, "outputs": list(outputs), "metadata": {}}
    return cell | {"execution_count": count} | rest


def prose(source, **rest):
    return {"cell_type": "markdown", "source": source, "metadata": {}} | rest


def printed(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def write(path, *cells, **rest):
    notebook = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | rest
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sample.ipynb"


def normalised(path):
    """Store in normal form, twice: the second time changes nothing."""
    assert notebooks.normalise(path) == []
    stored = path.read_bytes()
    assert notebooks.check(path) == []
    assert notebooks.normalise(path) == []
    assert path.read_bytes() == stored
    return json.loads(stored)


def test_what_a_run_leaves_behind_is_removed(path):
    bar = printed("\r  0%|          | 0/4 [00:00<?, ?it/s]", "stderr")
    widget = {"output_type": "display_data", "data": {WIDGET: {"model_id": "1"}}, "metadata": {}}
    result = {
        "output_type": "execute_result",
        "data": {"text/plain": ["<function f at 0x7f32c0de1a2b>"]},
        "metadata": {},
        "execution_count": 17,
    }
    times = {"execution": {"iopub.status.busy": "2026-11-21T01:50:33"}, "tags": ["b", "a", "b"]}
    lab = {"collapsed": False, "editable": True, "slideshow": {"slide_type": ""}}
    shown = {"jupyter": {"outputs_hidden": False, "source_hidden": True}, "tags": []}
    write(
        path,
        code("f\n", [bar, widget, printed("a"), printed("b"), result], 17, metadata=times, id="f"),
        code("", count=None),
        code("2", count=23, metadata=lab | shown, id="two"),
        metadata={
            "widgets": {"state": {}},
            "kernelspec": {"name": "my-env", "display_name": "Mine", "language": "python"},
            "language_info": {"name": "python", "version": "3.11.7"},
            "jupytext": {"default_lexer": "ipython3"},
            "title": "kept",
        },
        nbformat_minor=4,
    )
    notebook = normalised(path)
    assert notebook["nbformat_minor"] == 5
    assert notebook["metadata"] == notebooks.KERNEL | {"title": "kept"}
    first, second = notebook["cells"]
    assert first["source"] == ["f"]
    assert first["metadata"] == {"tags": ["a", "b"]}
    assert [output.get("text") for output in first["outputs"]] == [["ab"], None]
    assert first["outputs"][1]["data"] == {"text/plain": ["<function f at 0x...>"]}
    assert [first["execution_count"], first["outputs"][1]["execution_count"]] == [1, 1]
    assert [second["execution_count"], second["id"]] == [2, "two"]
    assert second["metadata"] == {"jupyter": {"source_hidden": True}}


def test_the_machine_is_kept_out_of_tracebacks(path):
    error = {
        "output_type": "error",
        "ename": "ValueError",
        "evalue": "no",
        "traceback": [
            "\x1b[31m------\x1b[39m",
            "ValueError    Traceback (most recent call last)",
            "\x1b[36mCell\x1b[39m\x1b[36m In[31]\x1b[39m, line 2\n----> 2 loads()",
            "File \x1b[32m/home/me/lib/json.py:12\x1b[39m, in loads()\n    12 raise",
            "\x1b[31mValueError\x1b[39m: no",
        ],
    }
    write(path, code("1"), code("x\nloads()", [error], 31))
    assert normalised(path)["cells"][1]["outputs"][0]["traceback"] == [
        "------",
        "ValueError    Traceback (most recent call last)",
        "Cell In[2], line 2\n----> 2 loads()",
        "ValueError: no",
    ]


def test_a_traceback_through_other_cells_gives_them_no_number_that_is_not_theirs(path):
    """Parts of cells 5 and 9 once all bore the number of the cell that failed."""
    parts = [
        "Cell In[5], line 3, in g(x)\n----> 3     h(x)",  # a chain begins where it was caught
        "Cell In[12], line 1\n----> 1 f(0)",
        "Cell In[9], line 8, in f(x)\n----> 8     return g(x)",
        "Cell In[12], line 2, in <lambda>()\n----> 2 lambda: 0",
    ]
    error = {"output_type": "error", "ename": "E", "evalue": "", "traceback": parts}
    write(path, code("1"), code("f(0)", [error], 12))
    heads = [
        "Earlier cell, line 3, in g(x)",
        "Cell In[2], line 1",
        "Earlier cell, line 8, in f(x)",
        "Cell In[2], line 2, in <lambda>()",
    ]
    for cells_before in (1, 3):  # the next time with two more
        stored = json.loads(path.read_text(encoding="utf-8"))["cells"][-1]
        write(path, *[code("1")] * cells_before, stored)
        shown = normalised(path)["cells"][-1]["outputs"][0]["traceback"]
        named = [head.replace("In[2]", f"In[{cells_before + 1}]") for head in heads]
        assert [part.split("\n")[0] for part in shown] == named


def test_dates_in_figures_are_removed(path):
    svg = "<svg>\n  <dc:date>2026-11-21T01:50:33</dc:date>\n <path/></svg>"
    figure = {"output_type": "display_data", "data": {"image/svg+xml": svg}, "metadata": {}}
    write(path, code("1", [figure]))
    shown = "".join(normalised(path)["cells"][0]["outputs"][0]["data"]["image/svg+xml"])
    assert shown == "<svg>\n <path/></svg>"


def test_ids_are_kept_or_made_from_the_content(path):
    cells = [
        prose("a"),
        prose("a"),
        code("1", id="mine"),
        code("2", id="mine"),
        code("3", id="no!"),
    ]
    write(path, *copy.deepcopy(cells))
    ids = [cell["id"] for cell in normalised(path)["cells"]]
    assert ids[2] == "mine"
    assert len(set(ids)) == 5
    write(path, *cells)
    assert [cell["id"] for cell in normalised(path)["cells"]] == ids


def test_a_text_about_what_is_not_normal_says_how_to_mend_it(path):
    write(path, code("print(1)", [printed("1\n")]))
    (found,) = notebooks.check(path)
    assert "--normalise-only" in found
    assert "line 1 " in found
    notebooks.normalise(path)
    path.write_bytes(path.read_bytes().replace(b'"stdout"', b' "stdout"'))
    assert '"stdout"' in notebooks.check(path)[0]


UNSTORABLE = {
    "not run": (code("x = 1", count=None), "was not run"),
    "warning": (code("x", [printed("UserWarning: x\n", "stderr")]), "UserWarning: x"),
    "path": (code("x", [printed("wrote /home/me/model.pt")]), "/home/me/model.pt"),
    "size": (code("x", [printed("a" * notebooks.BIGGEST)]), "1.0 MB"),
}


@pytest.mark.parametrize(("cell", "phrase"), UNSTORABLE.values(), ids=UNSTORABLE)
def test_what_no_normal_form_can_mend_is_named(path, cell, phrase):
    write(path, prose("# Title"), copy.deepcopy(cell))
    assert any(phrase in found for found in notebooks.normalise(path))
    assert any(phrase in found for found in notebooks.check(path))


@pytest.mark.parametrize("text", ["{", "[]", '{"cells": []}', '{"cells": [], "nbformat": 3}'])
def test_what_is_no_notebook_is_refused_and_left_alone(path, text):
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NotStored, match="version"):
        notebooks.normalise(path)
    assert path.read_text(encoding="utf-8") == text


def test_an_interrupted_write_leaves_the_old_file(path, monkeypatch):
    path.write_text("old", encoding="utf-8")
    monkeypatch.setattr(os, "replace", lambda *names: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        notebooks.write_atomically(path, b"new")
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(path.parent) == [path.name]


def test_folders_are_searched_and_other_files_refused(tmp_path, path, capsys):
    write(path)
    (tmp_path / "part" / ".ipynb_checkpoints").mkdir(parents=True)
    write(tmp_path / "part" / "b.ipynb")
    write(tmp_path / "part" / ".ipynb_checkpoints" / "b.ipynb")
    assert notebooks.find([tmp_path]) == [tmp_path / "part" / "b.ipynb", path]
    for wrong in ("nowhere", "nowhere.ipynb"):
        with pytest.raises(SystemExit):
            notebooks.main([str(tmp_path / wrong)])
        assert "neither a notebook nor a folder" in capsys.readouterr().err


def test_the_command_says_what_it_found(path, capsys):
    write(path, code("x"))
    assert notebooks.main(["--check", str(path)]) == 1
    assert "not in normal form" in capsys.readouterr().err
    assert notebooks.main(["--normalise-only", str(path)]) == 0
    assert notebooks.main(["--check", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: normal\n" * 2


# -------------------------------------------------------------------------------------- running


def run(*arguments):
    """The command, in a process of its own: kernels want their own event loop."""
    command = [sys.executable, "-m", "dlcourse.book.notebooks", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def outputs_of(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(output["text"]) for cell in cells for output in cell["outputs"]]


def test_a_run_stores_what_is_new_and_leaves_the_rest(path):
    (path.parent / "beside.txt").write_text("read in the notebook's folder", encoding="utf-8")
    write(
        path,
        code("x = 0.5\nprint(x)", count=None),
        code("print(x / 3)", count=None),
        code("print(open('beside.txt').read())", count=None),
        code(
            "import time\nprint(time.time())",
            count=None,
            metadata={"tags": ["nbval-ignore-output"], "dlcourse": {"exempt": "the time goes on"}},
        ),
    )
    first = run(path)
    assert (first.returncode, "stored" in first.stdout) == (0, True), first.stderr
    assert notebooks.check(path) == []
    half, third, beside, clock = outputs_of(path)
    assert (half, beside) == ("0.5\n", "read in the notebook's folder\n")
    assert float(third) == 0.5 / 3

    # A number that differs by less than the tolerance stays, one that differs by more does not.
    stored = path.read_text(encoding="utf-8")
    near = stored.replace("0.1666", "0.1667").replace(f'"{clock[:-1]}', '"0.25')
    path.write_text(near.replace('"0.5\\n"', '"0.6\\n"'), encoding="utf-8")
    second = run(path)
    assert (second.returncode, "stored" in second.stdout) == (0, True), second.stderr
    assert path.read_text(encoding="utf-8") == near
    third = run(path)
    assert (third.returncode, "no change" in third.stdout) == (0, True), third.stderr
    assert path.read_text(encoding="utf-8") == near


def test_an_exempt_picture_stays_until_other_words_stand_in_it():
    def book(*words):
        svg = "".join(f'<text x="{len(words)}">{word}</text>' for word in words)
        output = {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": svg}}
        meta = {"tags": ["nbval-ignore-output"], "dlcourse": {"exempt": "rounding is shown"}}
        cell = {"cell_type": "code", "id": "a", "execution_count": 1, "metadata": meta}
        return {"cells": [{**cell, "outputs": [output]}]}

    stored = book("torch", "0.1", "0.2")
    for fresh, kept in [(book("torch", "0.3"), True), (book("torch", "smooth", "0.1"), False)]:
        drawn = fresh["cells"][0]["outputs"][0]["data"]
        notebooks.keep_what_agrees(stored, fresh)
        now = fresh["cells"][0]["outputs"][0]["data"]
        assert (now == stored["cells"][0]["outputs"][0]["data"]) is kept
        assert (now == drawn) is not kept


def test_a_failing_cell_is_shown_and_nothing_stored(path):
    write(path, code("x = 1", count=None), code("y = x\ny / 0", count=None))
    before = path.read_bytes()
    done = run(path)
    assert done.returncode == 1
    assert "code cell 2,\n    y = x\n    y / 0" in done.stderr
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert path.read_bytes() == before


def test_a_kernel_that_dies_is_told(path):
    write(path, code("import os\nos._exit(3)", count=None))
    done = run(path)
    assert done.returncode == 1
    assert "kernel died" in done.stderr
    assert "os._exit(3)" in done.stderr


# --------------------------------------------------------------------- the round trip through text


def jupytext(*arguments):
    command = [sys.executable, "-m", "jupytext", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_text_and_back_changes_what_was_edited_alone(path):
    figure = {
        "caption": 'It falls, as $e^{-x}$: "quoted" # and not a comment',
        "name": "fig-falls",
    }
    metadata = {
        "dlcourse": {"rtol": 0.02},
        "mystnb": {"figure": figure, "image": {"alt": "a line: it goes down, then up"}},
        "tags": ["hide-input", "raises-exception"],
    }
    exercise = "```{exercise}\n:label: autograd.slope\nFind it.\n```"
    page = {
        "output_type": "display_data",
        "data": {"image/svg+xml": "<svg>\n<path/></svg>"},
        "metadata": {"scrapbook": {"name": "loss"}},
    }
    write(
        path,
        prose("# Title\n\nA sentence  \nand $x^2$.", id="title"),
        prose(exercise, id="exercise"),
        prose("---\nA rule.", id="rule", metadata={"tags": ["note"]}),
        code("print(1)", [printed("1\n")], 1, id="one"),
        code("%matplotlib inline\n# a comment\n\n\ndef f():\n    pass", [page], 2, id="two"),
        code("f()", [printed("x\n")], 3, id="three", metadata=metadata),
    )
    before = normalised(path)
    text = path.with_suffix(".md")

    jupytext("--to", "md:myst", path)
    jupytext("--update", "--to", "ipynb", text)
    assert normalised(path) == before

    edited = text.read_text(encoding="utf-8").replace("# Title", "# A new title")
    text.write_text(edited.replace("def f():", "def f(x=0):"), encoding="utf-8")
    jupytext("--update", "--to", "ipynb", text)
    before["cells"][0]["source"][0] = "# A new title\n"
    before["cells"][4]["source"][4] = "def f(x=0):\n"
    assert normalised(path) == before
