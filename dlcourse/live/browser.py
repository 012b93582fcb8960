"""The Python side of worker.mjs: the page's cells come as JSON, what they show goes out."""

import json
from collections.abc import Callable

from dlcourse.book.figures import inline_svg, inline_svgs_of_html
from dlcourse.live.cells import Page
from dlcourse.live.session import Session


class Live:
    def __init__(self, send: Callable[[str, str], None]):
        self.send, self.drawn = send, 0
        self.session = Session(self._emit)

    def open(self, message: str) -> str:
        """Take the cells of the page; what has to be there before they run, with blanks between."""
        asked = json.loads(message)
        self.cell, self.may_fail = asked["cell"], asked["mayFail"]
        self.page = Page(asked["sources"], asked["checks"], asked["skipped"])
        return " ".join(self.session.wants(self.page, self.cell))

    def run(self) -> bool:
        return self.session.run(self.page, self.cell, self.may_fail)

    def _emit(self, kind: str, text: str) -> None:
        """Drawings get the page's colours and ids of their own, as when the site is built."""
        self.drawn += 1
        if kind == "svg":
            kind, text = "figure", inline_svg(text, f"dl-live-{self.drawn}", "")
        elif kind == "html":
            text = inline_svgs_of_html(text, f"dl-live-{self.drawn}")
        self.send(kind, text)
