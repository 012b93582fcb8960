"""Runs the cells of a page, as a notebook would, and emits what they say and show.

``emit(kind, text)`` gets: "begin" (nothing is shown yet, the cell's own code starts), "note" (what
is left out for want of a package), "stdout", "stderr", "text", "html", "svg", "error".
"""

import ast
import html
import importlib.abc
import io
import linecache
import re
import sys
import time
import traceback
from collections.abc import Callable, Collection

from dlcourse.live.cells import LATER, Page, Unit, parse

MOST = 200_000  # characters a cell may print; an endless loop must not fill the page
EVERY = 0.05  # seconds between two messages of what is printed


class Absent(importlib.abc.MetaPathFinder):
    """Answers the import of what a browser does not have with a sentence."""

    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "torchvision", "dlcourse.testing", "dlcourse.training"):
            package = "torch" if name.startswith("dlcourse") else name
            text = f"{package} does not run in a browser. Download the notebook to run this cell."
            raise ModuleNotFoundError(text, name=package)


class Printed(io.TextIOBase):
    """Standard output or error: gathers what is printed, and passes it on in pieces.

    show: shows a value, in its place among what is printed; dlcourse.exercises uses it.
    """

    def __init__(self, emit: Callable[[str, str], None], kind: str, show: Callable = print):
        self.emit, self.kind = emit, kind
        self.show = lambda value: (self.flush(), show(value))
        self.pieces: list[str] = []
        self.said, self.last = 0, 0.0

    def write(self, text: str) -> int:
        if self.said < MOST:
            self.pieces.append(text)
            self.said += len(text)
            if self.said >= MOST:
                self.pieces.append("\n... and more, which is not shown\n")
            if time.monotonic() - self.last > EVERY:
                self.flush()
        return len(text)

    def flush(self) -> None:
        if self.pieces:
            self.emit(self.kind, "".join(self.pieces))
        self.pieces, self.last = [], time.monotonic()


class Session:
    """One interpreter's worth of cells: what was run, and the names that came of it."""

    def __init__(self, emit: Callable[[str, str], None]):
        self.emit = emit
        self.names: dict = {"__name__": "__main__"}
        self.done: dict[tuple, Unit] = {}
        self.running: Unit | None = None
        if not any(isinstance(finder, Absent) for finder in sys.meta_path):
            sys.meta_path.insert(0, Absent())

    def wants(self, page: Page, cell: int) -> list[str]:
        """What has to be there before a cell runs: names in LATER."""
        units = [*self._waiting(page, cell), *page.of(cell)]
        codes = [unit.code for unit in units if unit.node]
        return [name for name, said in LATER.items() if any(map(said.search, codes))]

    def run(self, page: Page, cell: int, may_fail: Collection[int] = ()) -> bool:
        """Run a cell, first what it needs of those above; True if all went well.

        may_fail: numbers of the cells above whose errors are part of the page.
        """
        name = f"<cell {cell + 1}>"
        try:
            for unit in self._waiting(page, cell):
                name = f"<cell {unit.cell + 1}>"
                self._prepare(page, unit, unit.cell in may_fail or bool(unit.without))
            name = f"<cell {cell + 1}>"
            self.emit("begin", "")
            return self._run_cell(page, cell)
        except BaseException as error:  # SystemExit and the like, too
            above = "" if name == f"<cell {cell + 1}>" else f"A cell above, number {name[6:-1]}:\n"
            self.emit("error", above + self._explain(error, name, page))
            return False
        finally:
            self._close_figures()

    def _waiting(self, page: Page, cell: int) -> list[Unit]:
        """What has to run before a cell, less what has run and rests on nothing newer."""
        waiting: list[Unit] = []
        for unit in page.before(cell):
            changed = any(unit.reads & earlier.changes for earlier in waiting)
            if changed or unit.key not in self.done:
                waiting.append(unit)
        return waiting

    def _prepare(self, page: Page, unit: Unit, may_fail: bool) -> None:
        """Run a statement of a cell above; what it shows stands on the page already."""
        silent = Printed(lambda kind, text: None, "", lambda value: None)
        with _Streams(silent, silent):
            try:
                self._execute(page, unit)
            except Exception:
                if not may_fail:
                    raise
        self._close_figures()

    def _run_cell(self, page: Page, cell: int) -> bool:
        parse(page.sources[cell])  # raises the SyntaxError for which the page has no units
        if note := left_out(page, cell):
            self.emit("note", note)
        out = Printed(self.emit, "stdout", self.show)
        err = Printed(self.emit, "stderr")
        units = page.of(cell)
        with _Streams(out, err):
            self._draw_at_show()
            for unit in units:
                last = unit is units[-1] and not _hushed(page.sources[cell])
                value = self._execute(page, unit, shown=last)
                if value is not None:
                    self.names["_"] = value
                    out.show(value)
        self._draw()
        return True

    def _execute(self, page: Page, unit: Unit, shown: bool = False) -> object:
        self.running = unit
        if unit.node is None:
            for name in unit.binds:
                self.names.pop(name, None)  # or an older value would pass for the one left out
            return None
        for key, other in list(self.done.items()):
            if other.cell > unit.cell and other.reads & unit.changes:
                del self.done[key]  # what was run below it rests on what it sets anew
        name = f"<cell {unit.cell + 1}>"
        lines = page.sources[unit.cell].splitlines(keepends=True)
        linecache.cache[name] = (len(lines), None, lines, name)
        value = None
        if shown and isinstance(unit.node, ast.Expr):
            value = eval(compile(ast.Expression(unit.node.value), name, "eval"), self.names)
        else:
            exec(compile(ast.Module([unit.node], []), name, "exec"), self.names)
        self.done[unit.key] = unit
        return value

    def show(self, value: object) -> None:
        """Show a value as a notebook does: HTML, SVG or Markdown if it knows how, else its repr."""
        if type(value).__name__ == "Figure" and hasattr(value, "savefig"):
            return  # drawn at the end, with all figures
        for form, kind in (("html", "html"), ("svg", "svg"), ("markdown", "html")):
            method = getattr(value, f"_repr_{form}_", None)
            said = method() if method and not isinstance(value, type) else None
            if said is not None:
                self.emit(kind, _markdown(said) if form == "markdown" else said)
                return
        self.emit("text", repr(value))

    def _draw_at_show(self) -> None:
        plt = sys.modules.get("matplotlib.pyplot")
        if plt:
            plt.show = lambda *args, **kwargs: self._draw()

    def _draw(self) -> None:
        """Emit all open figures, and close them."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        plt = sys.modules.get("matplotlib.pyplot")
        if plt and plt.get_fignums():
            from dlcourse.plots import to_svg

            for number in plt.get_fignums():
                self.emit("svg", to_svg(plt.figure(number)))
            self._close_figures()

    def _close_figures(self) -> None:
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")

    def _explain(self, error: BaseException, name: str, page: Page) -> str:
        """The traceback from the cell's own first line on."""
        step = error.__traceback__
        while step is not None and step.tb_frame.f_code.co_filename != name:
            step = step.tb_next
        text = "".join(traceback.format_exception(type(error), error, step))
        missing = isinstance(error, NameError) and page.absent.get(error.name or "")
        if missing:
            text += (
                f"`{error.name}` comes from lines that need {missing}: they are left out here.\n"
            )
        elif self.running and self.running.without:
            text += (
                f"This may be for want of {self.running.without}: see what is left out, above.\n"
            )
        return re.sub(r'File "<(cell \d+)>"', r"\1", text)


class _Streams:
    """Standard output and error go elsewhere, for as long as this lasts."""

    def __init__(self, out: Printed, err: Printed):
        self.new = out, err

    def __enter__(self):
        self.old = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = self.new

    def __exit__(self, *_):
        for stream in self.new:
            stream.flush()
        sys.stdout, sys.stderr = self.old


def _hushed(source: str) -> bool:
    """Does the cell end with a semicolon, which keeps its last value from being shown?"""
    code = re.sub(r"#[^'\"\n]*$", "", source.rstrip()).rstrip()
    return code.endswith(";")


def left_out(page: Page, cell: int) -> str:
    """What of a cell a browser cannot run, as a sentence, or nothing."""
    units = [unit for unit in page.of(cell) if unit.without and not unit.silent]
    if not units:
        return ""
    package = units[0].without
    gone = [_lines(unit) for unit in units if unit.node is None]
    part = [_lines(unit) for unit in units if unit.node is not None]
    said = [f"left out: {', '.join(gone)}"] if gone else []
    said += [f"in part, with mini alone: {', '.join(part)}"] if part else []
    many = package in ("threads", "processes")
    subject = f"{package.capitalize()} do" if many else f"{package} does"
    return f"{subject} not run in a browser. Run here without, {'; '.join(said)}."


def _lines(unit: Unit) -> str:
    first, last = unit.lines
    return f"line {first}" if first == last else f"lines {first} to {last}"


def _markdown(text: str) -> str:
    """Markdown as far as this package shows any: code between fences, and paragraphs."""
    parts = re.split(r"```(?:\w*)\n(.*?)\n```", text, flags=re.DOTALL)
    shown = [
        f"<pre>{html.escape(part)}</pre>" if number % 2 else f"<p>{html.escape(part.strip())}</p>"
        for number, part in enumerate(parts)
        if part.strip()
    ]
    return "".join(shown)
