"""Run notebooks and store their outputs, in one normal form: a rerun without a change is no diff.

    python -m dlcourse.book.notebooks                    run and store all below chapters/
    python -m dlcourse.book.notebooks PATH ...           these files or folders
    python -m dlcourse.book.notebooks --normalise-only   store in normal form, run nothing
    python -m dlcourse.book.notebooks --check            say what is not normal, change nothing

A notebook runs in a fresh kernel, in its own folder, as in JupyterLab. If a cell fails, it is shown
and the file stays as it was. An output that agrees with the stored one within the tolerance of
compare.py is left as it is, byte by byte (`--renew` stores it all the same), so that a diff shows
what has changed and no more.

The normal form: nbformat 4.5; stable cell ids; cells counted from 1; no widgets, no progress bars,
no timings; nothing about the machine, neither in the metadata nor in an output; less than 1 MB.

To edit a notebook as text, see it, change it, and bring it back. Cells whose code is the same keep
their outputs; then run it:

    jupytext --to md:myst NAME.ipynb
    jupytext --update --to ipynb NAME.md
    rm NAME.md
    python -m dlcourse.book.notebooks NAME.ipynb
"""

import argparse
import hashlib
import json
import os
import re
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from dlcourse.book.likeness import ANSI, NUMBER, without_addresses
from dlcourse.book.outputs import difference, is_exempt, joined, tolerance_of, visible

import nbformat

BIGGEST = 1_000_000  # bytes of a stored notebook
CELL_TIMEOUT = 600  # seconds
BUDGETS = {"projects": 120}  # seconds for a notebook, by its folder; others:
BUDGET = 60

SVG_WORDS = re.compile(r"<text\b[^>]*>([^<]+)<")

# What tools leave in the metadata about themselves, the machine or the hour.
LEFT_IN_NOTEBOOK = re.compile(
    "colab|execution|interpreter|jupytext|kernelspec|language_info|papermill|signature|toc|"
    "varInspector|vscode|widgets"
)
LEFT_IN_CELL = re.compile(
    "ExecuteTime|collapsed|colab|editable|execution|id|outputId|papermill|scrolled|trusted|vscode"
)
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
IN_CELL = re.compile(r"^Cell In\[(\d+)\]")  # where a part of a traceback lies
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|Users|private|opt|usr)/[\w./-]+")


class NotStored(Exception):
    """Why a notebook is left as it was."""


# -------------------------------------------------------------------------------- the normal form


def read(path: Path) -> dict:
    """The notebook in normal form. Raises NotStored if the file is no notebook of version 4."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells, version = notebook["cells"], notebook["nbformat"]
    except OSError as error:
        raise NotStored(f"It cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise NotStored("It is no Jupyter notebook of version 4.") from None
    if version != 4:
        raise NotStored(f"It is of version {version}; JupyterLab stores it as version 4.")
    # nbformat would give random ids to cells without one.
    name_cells(cells)
    notebook["nbformat_minor"] = 5
    return normal(nbformat.v4.to_notebook(notebook))


def name_cells(cells: list[dict]) -> None:
    """Give each cell that has no id of its own one made from its place and content."""
    known = set()
    for place, cell in enumerate(cells):
        salt = 0
        while not re.fullmatch(r"[\w-]{1,64}", cell.get("id") or "") or cell["id"] in known:
            content = f"{place} {salt} {cell['cell_type']} {joined(cell['source'])}"
            cell["id"] = hashlib.sha256(content.encode()).hexdigest()[:8]
            salt += 1
        known.add(cell["id"])


def normal(notebook: dict) -> dict:
    """The notebook with nothing in it that belongs to one run or one machine."""
    metadata = {**_without(LEFT_IN_NOTEBOOK, notebook["metadata"]), **KERNEL}
    cells = [cell for cell in notebook["cells"] if cell["source"].strip()]
    count = 0
    for cell in cells:
        cell["source"] = cell["source"].strip("\n")
        cell["metadata"] = _cell_metadata(cell["metadata"])
        if cell["cell_type"] == "code":
            if cell["execution_count"] is not None:
                count += 1
                cell["execution_count"] = count
            cell["outputs"] = [_tidy(out, count) for out in visible(cell["outputs"])]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def _without(names: re.Pattern, metadata: dict) -> dict:
    return {key: value for key, value in metadata.items() if not names.fullmatch(key)}


def _cell_metadata(metadata: dict) -> dict:
    kept = _without(LEFT_IN_CELL, metadata)
    # JupyterLab writes down what holds anyway.
    hidden = {key: value for key, value in kept.pop("jupyter", {}).items() if value is not False}
    slide = {key: value for key, value in kept.pop("slideshow", {}).items() if value}
    tags = sorted(set(kept.pop("tags", [])))
    more = {"jupyter": hidden, "slideshow": slide, "tags": tags}
    return {**kept, **{key: value for key, value in more.items() if value}}


def _tidy(output: dict, count: int) -> dict:
    kind = output["output_type"]
    if kind == "stream":
        return {**output, "text": without_addresses(output["text"])}
    if kind == "error":
        lesson = _own_part(output["traceback"], count)
        evalue = without_addresses(output["evalue"])
        return {
            "output_type": kind,
            "ename": output["ename"],
            "evalue": evalue,
            "traceback": lesson,
        }
    data = {mime: _tidy_data(mime, value) for mime, value in output["data"].items()}
    tidy = {"output_type": kind, "data": data, "metadata": output.get("metadata", {})}
    return {**tidy, "execution_count": count} if kind == "execute_result" else tidy


def _tidy_data(mime: str, value: object) -> object:
    if mime.endswith("image/svg+xml"):
        return re.sub(r"\s*<dc:date>.*?</dc:date>", "", value)
    return without_addresses(value) if isinstance(value, str) and "text/" in mime else value


def _own_part(traceback: list[str], count: int) -> list[str]:
    """The part of a traceback that lies in the notebook, without the files of this machine.

    Only the cell that runs, which has the largest number, is named by it. Those above it are not:
    their numbers mean nothing in the normal form, and the stored text holds if cells are added.
    """
    plain = [ANSI.sub("", part) for part in traceback]
    kept = [part for part in plain if not re.match(r"\s*File ", part)]
    last = max((int(place[1]) for place in map(IN_CELL.match, kept) if place), default=0)

    def name(place: re.Match) -> str:
        return f"Cell In[{count}]" if int(place[1]) == last else "Earlier cell"

    return [IN_CELL.sub(name, part) for part in kept]


def as_bytes(notebook: dict) -> bytes:
    return (nbformat.v4.writes(nbformat.from_dict(notebook)) + "\n").encode()


def complaints(notebook: dict) -> list[str]:
    """What no normal form can mend: the notebook has to be run, or a cell changed."""
    found = []
    for number, cell in enumerate(_code(notebook), start=1):
        name = f"code cell {number}, {_beginning(cell)}"
        if cell["execution_count"] is None:
            found.append(f"{name}: it was not run; python -m dlcourse.book.notebooks runs it.")
        for output in cell["outputs"]:
            if output.get("name") == "stderr":
                found.append(
                    f"{name}: it writes to stderr: {_short(output['text'])}\n"
                    "A warning is nothing to store. Mend its cause; or, if it teaches, catch it "
                    "(warnings.catch_warnings(record=True)) and print what it says."
                )
            path = MACHINE_PATH.search(_texts(output))
            if path:
                found.append(f"{name}: its output has a path of this machine, {path.group()}.")
    size = len(as_bytes(notebook))
    if size >= BIGGEST:
        found.append(
            f"it has {size / 1e6:.1f} MB, and less than 1 MB is wanted: draw less, smaller."
        )
    return found


def _code(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _beginning(cell: dict) -> str:
    return repr(cell["source"].strip().split("\n")[0][:60])


def _short(text: str) -> str:
    return repr(text.strip()[:300])


def _texts(output: dict) -> str:
    data = output.get("data", {})
    texts = [value for mime, value in data.items() if "text/" in mime and isinstance(value, str)]
    texts += [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", [])]
    return "\n".join(texts)


# ---------------------------------------------------------------------------------- running


def execute(notebook: dict, folder: Path) -> dict:
    """A fresh run of the notebook, in normal form. Raises NotStored with the cell that failed."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    fresh = nbformat.v4.reads(as_bytes(notebook))
    client = NotebookClient(
        fresh,
        kernel_name="python3",
        timeout=CELL_TIMEOUT,
        record_timing=False,
        store_widget_state=False,
    )
    running = []
    client.on_cell_start = lambda cell, cell_index: running.append(cell)
    with tempfile.TemporaryFile("w+") as said:
        try:
            client.execute(cwd=str(folder), stderr=said)
        except CellExecutionError as error:
            last = running[-1]["outputs"][-1]
            trace = "\n".join(ANSI.sub("", part) for part in last.get("traceback", [str(error)]))
            raise NotStored(f"{_which(fresh, running)} fails.\n{trace}") from None
        except CellTimeoutError:
            raise NotStored(f"{_which(fresh, running)} takes over {CELL_TIMEOUT} s.") from None
        except DeadKernelError:
            said.seek(0)
            raise NotStored(
                f"The kernel died in {_which(fresh, running)} {said.read()[-2000:]}"
            ) from None
    return normal(fresh)


def _which(notebook: dict, running: list[dict]) -> str:
    number = next(i for i, cell in enumerate(_code(notebook), 1) if cell is running[-1])
    return f"code cell {number},\n{textwrap.indent(running[-1]['source'], '    ')}\n"


def keep_what_agrees(stored: dict, fresh: dict) -> None:
    """Put the stored outputs back wherever the fresh ones show the same."""
    before = {cell["id"]: cell for cell in _code(stored)}
    for cell in _code(fresh):
        old = before[cell["id"]]
        if is_exempt(cell):
            agrees = _gist(old["outputs"]) == _gist(cell["outputs"])
        else:
            agrees = difference(old["outputs"], cell["outputs"], tolerance_of(cell)) is None
        if agrees:
            cell["outputs"] = [_tidy(out, cell["execution_count"]) for out in old["outputs"]]


def _gist(outputs: list[dict]) -> str:
    """An exempt output but for what may vary: its numbers, and its pictures but for their words."""
    kinds = [sorted(output.get("data", {})) for output in outputs]
    drawn = "".join(output.get("data", {}).get("image/svg+xml", "") for output in outputs)
    words = sorted({NUMBER.sub("0", word) for word in SVG_WORDS.findall(drawn)})
    return f"{kinds} {words} " + NUMBER.sub("0", "\n".join(_texts(output) for output in outputs))


def write_atomically(path: Path, content: bytes) -> None:
    """The whole new file takes the place of the old one, or nothing happens."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, path.stat().st_mode & 0o777)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


# ---------------------------------------------------------------------------- the command


def check(path: Path) -> list[str]:
    """What is not normal about a stored notebook."""
    notebook = read(path)
    found = complaints(notebook)
    lines, wanted = path.read_bytes().split(b"\n"), as_bytes(notebook).split(b"\n")
    if lines != wanted:
        same = [one == other for one, other in zip(lines, wanted, strict=False)]
        number = same.index(False) if False in same else min(len(lines), len(wanted)) - 1
        shown = lines[number].decode(errors="replace").strip()[:80]
        found.append(
            f"line {number + 1} is not in normal form: {shown}\n"
            "Mend it with: python -m dlcourse.book.notebooks --normalise-only"
        )
    return found


def normalise(path: Path) -> list[str]:
    """Store in normal form without running; what is still wrong with the notebook."""
    notebook = read(path)
    _store(path, notebook)
    return complaints(notebook)


def run(path: Path, renew: bool = False) -> str:
    """Run and store; one line about it. Raises NotStored, and then the file is as it was."""
    stored = read(path)
    start = time.monotonic()
    fresh = execute(stored, path.parent)
    seconds = time.monotonic() - start
    if not renew:
        keep_what_agrees(stored, fresh)
    wrong = complaints(fresh)
    if wrong:
        raise NotStored("\n".join(wrong))
    done = "stored" if _store(path, fresh) else "no change"
    budget = BUDGETS.get(path.resolve().parent.name, BUDGET)
    over = f", OVER its {budget} s" if seconds > budget else f" of {budget} s"
    return f"{done} ({seconds:.0f} s{over}, {path.stat().st_size / 1000:.0f} kB)"


def _store(path: Path, notebook: dict) -> bool:
    nbformat.validate(nbformat.from_dict(notebook))
    content = as_bytes(notebook)
    changed = path.read_bytes() != content
    if changed:
        write_atomically(path, content)
    return changed


def find(paths: list[Path]) -> list[Path]:
    """The notebooks among files and below folders. Raises NotStored for a path that is neither."""
    found = []
    for path in paths:
        below = sorted(path.rglob("*.ipynb")) if path.is_dir() else [path]
        if not path.exists() or (path.is_file() and path.suffix != ".ipynb"):
            raise NotStored(f"{path} is neither a notebook nor a folder.")
        found += [one for one in below if ".ipynb_checkpoints" not in one.parts]
    return found


def main(arguments: list[str] | None = None) -> int:
    about, _, details = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m dlcourse.book.notebooks",
        description=about,
        epilog=details,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", default=[Path("chapters")])
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--check", action="store_true", help="change nothing")
    way.add_argument("--normalise-only", action="store_true", help="run nothing")
    way.add_argument("--renew", action="store_true", help="store what agrees, too")
    options = parser.parse_args(arguments)
    try:
        paths = find(options.paths)
    except NotStored as error:
        parser.error(str(error))
    failed = 0
    for path in paths:
        try:
            if options.check or options.normalise_only:
                wrong = (check if options.check else normalise)(path)
                done = "normal" if not wrong else ""
            else:
                wrong, done = [], run(path, options.renew)
        except NotStored as error:
            wrong = [str(error)]
        failed += bool(wrong)
        for line in wrong or [done]:
            print(f"{path}: {line}", file=sys.stderr if wrong else sys.stdout, flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
