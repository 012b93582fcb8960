"""Fetches the files of Python for the browser that pyodide.json pins, each checked by its sha256.

    python -m dlcourse.live.bundle FOLDER

They come from Pyodide's public address. Where that cannot be reached, but the indexes of npm and of
Python packages can, they come from there: npm has Pyodide's core, and open-webui, an application
that carries the same Pyodide, has the packages. Who made them does not matter, as long as the sums
agree. Pyodide is published under the MPL 2.0.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from pathlib import Path

PINNED = json.loads(Path(__file__).with_name("pyodide.json").read_text("utf-8"))
DONOR, INSIDE = "open-webui==0.12.4", "open_webui/frontend/pyodide/"
NOTICE = """Pyodide {version} (https://pyodide.org, source: https://github.com/pyodide/pyodide) is
published under the Mozilla Public License 2.0, https://www.mozilla.org/MPL/2.0/. The packages
beside it carry their licences inside their wheels.
"""


def is_right(name: str, content: bytes) -> bool:
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return PINNED["files"][name] == f"sha256-{digest}"


def missing(folder: Path) -> list[str]:
    """The pinned files that a folder does not have as they should be."""

    def there(name: str) -> bool:
        path = folder / name
        return path.is_file() and is_right(name, path.read_bytes())

    return [name for name in PINNED["files"] if not there(name)]


def fetch(folder: Path) -> None:
    """Fill the folder; OSError, naming what is missing, if that cannot be done."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in (_from_cdn, _from_packages):
        wanted = missing(folder)
        try:
            if wanted:
                for name, content in source(wanted):
                    if is_right(name, content):
                        (folder / name).write_bytes(content)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{source.__name__.replace('_', ' ').strip()}: {error}", file=sys.stderr)
    if wanted := missing(folder):
        raise OSError(f"Python for the browser could not be fetched: {', '.join(wanted)}")
    (folder / "NOTICE.txt").write_text(NOTICE.format_map(PINNED), encoding="utf-8")


def _from_cdn(wanted: list[str]):
    for name in wanted:
        with urllib.request.urlopen(PINNED["cdn"] + name, timeout=20) as answer:
            yield name, answer.read()


def _from_packages(wanted: list[str]):
    with tempfile.TemporaryDirectory() as folder:
        pack = ["npm", "pack", "--silent", f"pyodide@{PINNED['version']}"]
        said = subprocess.run(pack, cwd=folder, check=True, capture_output=True, text=True).stdout
        with tarfile.open(Path(folder, said.split()[-1])) as core:
            held = {Path(member).name: member for member in core.getnames()}
            for name in set(wanted) & held.keys():
                yield name, core.extractfile(held[name]).read()
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder]
        subprocess.run([*pip, "--ignore-requires-python", "--only-binary=:all:", DONOR], check=True)
        with zipfile.ZipFile(next(Path(folder).glob("open_webui-*.whl"))) as donor:
            held = set(donor.namelist())
            for name in wanted:
                if INSIDE + name in held:
                    yield name, donor.read(INSIDE + name)


if __name__ == "__main__":
    try:
        fetch(Path(sys.argv[1]))
    except OSError as error:
        sys.exit(str(error))
