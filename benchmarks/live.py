"""Cells that run in the page: seconds and bytes from a click to the first result.

    python -m benchmarks.live [SITE]

SITE is a site that `make book` has built. It is served on this machine with its own Python
(`make pyodide`), compressed and with the headers of GitHub Pages, to a headless Chromium with an
empty profile, and then to the same profile in a browser that was started anew. So the seconds hold
no network; the bytes are those that one would carry.
"""

import argparse
import functools
import gzip
import hashlib
import http.server
import os
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.bench import figures
from dlcourse.book import live
from dlcourse.projects._record import circumstances, write_record

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
COMMAND = "python -m benchmarks.live"
RECORD = ROOT / "data" / "results" / "live.json"
PAGE = "chapters/foundations/autograd.html"
CELLS = {"first": "f(0.3)", "figure": "ax.loglog(steps, forward"}  # what their code holds
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
COMPRESSED = {".css", ".html", ".js", ".json", ".mjs", ".svg", ".wasm"}
WAIT = 240_000  # ms


class Served(http.server.ThreadingHTTPServer):
    """A folder as GitHub Pages serves it: compressed, kept ten minutes; counts what it sends."""

    daemon_threads = True

    def __init__(self, folder: Path):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.bytes, self.asked = folder, 0, []
        self.address = f"http://127.0.0.1:{self.server_port}/"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A browser that goes away hangs up."""


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def log_message(self, *said):
        pass

    def do_GET(self):
        path = self.server.folder / self.path.partition("?")[0].lstrip("/")
        body, tag = stored(path) if path.is_file() else (b"", "")
        known = bool(tag) and self.headers.get("If-None-Match") == tag
        self.send_response(304 if known else 200 if tag else 404)
        self.send_header("ETag", tag)
        self.send_header("Cache-Control", "max-age=600")
        if path.suffix in COMPRESSED:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Length", "0" if known else str(len(body)))
        self.server.bytes += sum(map(len, self._headers_buffer))
        self.server.asked.append(self.path)
        self.end_headers()
        if not known:
            self.server.bytes += len(body)
            self.wfile.write(body)


@functools.cache
def stored(path: Path) -> tuple[bytes, str]:
    """What is sent for a file, and its tag."""
    content = path.read_bytes()
    sent = gzip.compress(content, 6) if path.suffix in COMPRESSED else content
    return sent, f'"{hashlib.sha256(content).hexdigest()[:16]}"'


def with_python(site: Path, folder: Path) -> Path:
    """A copy of the site that brings its own Python."""
    copy = shutil.copytree(site, folder / "site", ignore=shutil.ignore_patterns("live"))
    live.write(copy / "_static", "site")
    return copy


def visit(chromium, program: str, profile: str, served: Served) -> dict:
    """Open the page, run its cells: MB before the click; seconds and MB of each cell."""
    browser = chromium.launch_persistent_context(
        profile, executable_path=program, args=["--no-sandbox"]
    )
    try:
        page, counted = browser.pages[0], served.bytes
        page.goto(served.address + PAGE, wait_until="networkidle")
        assert not any("pyodide" in path or "live.json" in path for path in served.asked)
        seen = {"page": {"MB": (served.bytes - counted) / 1e6}}
        for name, text in CELLS.items():
            counted, began = served.bytes, time.perf_counter()
            run(page, text)
            seconds = time.perf_counter() - began
            seen[name] = {"seconds": seconds, "MB": (served.bytes - counted) / 1e6}
        return seen
    finally:
        browser.close()
        served.asked.clear()


def run(page, text: str) -> None:
    """Run the cell that holds this text, to its end."""
    cell = page.locator("div.cell", has=page.locator(".live-run")).filter(has_text=text).first
    cell.get_by_role("button", name="Run").click()
    status = cell.locator(".live-status").element_handle()
    page.wait_for_function("s => /^(Done|Stopped|Python)/.test(s.textContent)", arg=status,
                           timeout=WAIT)  # fmt: skip
    said = status.text_content()
    assert said.startswith("Done"), said


def median(visits: list[dict]) -> dict:
    """The median of each figure, to three digits."""
    return {
        part: {unit: figures(statistics.median(v[part][unit] for v in visits)) for unit in found}
        for part, found in visits[0].items()
    }


HEAD = f"{'':8} page MB   first result  a figure more"


def line(name: str, seen: dict) -> str:
    """A visit as text."""
    cells = (f"{seen[cell]['seconds']:5.1f} s {seen[cell]['MB']:4.1f} MB" for cell in CELLS)
    return f"{name:8} {seen['page']['MB']:7.2f}   {'  '.join(cells)}"


def measure(site: Path, program: str, repetitions: int) -> dict:
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else 0.0
    record = circumstances("cpu", COMMAND) | {"seed": None, "load": load}
    visits = {"cold": [], "warm": []}
    print(HEAD)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        served = Served(with_python(site, Path(folder)))
        for number in range(repetitions):
            for name, found in visits.items():
                profile = f"{folder}/profile{number}"
                found.append(visit(playwright.chromium, program, profile, served))
                print(line(name, found[-1]), flush=True)
        served.shutdown()
    return record | {"repetitions": repetitions} | {n: median(v) for n, v in visits.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path, nargs="?", default=ROOT / "_build" / "html")
    parser.add_argument("--browser", default=next(filter(None, map(shutil.which, BROWSERS)), ""))
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RECORD)
    args = parser.parse_args()
    record = measure(args.site, args.browser, args.repetitions)
    print(f"medians of {args.repetitions}, load {record['load']}:")
    for name in ("cold", "warm"):
        print(line(name, record[name]))
    write_record(args.out, record)


if __name__ == "__main__":
    main()
