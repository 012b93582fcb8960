"""The outputs of a notebook cell: which of them count, and whether two runs show the same.

Used by compare.py, which proves that a fresh run gives the stored outputs, and by notebooks.py,
which stores them. Progress bars and widgets are no outputs: neither is stored or compared.
"""

import base64
import json
import re

from dlcourse.book.likeness import (
    ANSI,
    Differs,
    Tolerance,
    same_html,
    same_pixels,
    same_svg,
    same_text,
)

IGNORE = "nbval-ignore-output"
WIDGET = "application/vnd.jupyter.widget-view+json"


def is_exempt(cell: dict) -> bool:
    """Does the cell carry nbval's tag for outputs that are not compared?"""
    return IGNORE in cell["metadata"].get("tags", [])


def tolerance_of(cell: dict) -> Tolerance:
    """What the cell's metadata asks for: "dlcourse": {"rtol": 0.02}."""
    asked = cell["metadata"].get("dlcourse", {})
    return Tolerance(**{name: asked[name] for name in ("rtol", "atol") if name in asked})


def difference(stored: list[dict], fresh: list[dict], tolerance: Tolerance) -> str | None:
    """The first difference between the outputs of one cell in two runs, or None."""
    stored, fresh = _streams_whole(visible(stored)), _streams_whole(visible(fresh))
    try:
        kinds, others = [_kind(out) for out in stored], [_kind(out) for out in fresh]
        if kinds != others:
            raise Differs("not the same outputs", _listed(stored), _listed(fresh))
        for number, (one, other) in enumerate(zip(stored, fresh, strict=True), start=1):
            try:
                _same_output(one, other, tolerance)
            except Differs as differs:
                which = f"output {number} of {len(stored)}, " if len(stored) > 1 else ""
                differs.what = f"{which}{_kind(one)}: {differs.what}"
                raise
    except Differs as differs:
        return str(differs)
    return None


def _kind(output: dict) -> str:
    if output["output_type"] == "stream":
        return output["name"]
    if output["output_type"] == "error":
        return f"error {output['ename']}"
    return f"{output['output_type']} ({', '.join(sorted(output['data']))})"


def _listed(outputs: list[dict]) -> str:
    shown = [_kind(output) for output in outputs]
    for i, output in enumerate(outputs):
        text = output.get("text") or output.get("evalue")
        shown[i] += f" {text[:200]!r}" if text else ""
    return "; ".join(shown) or "none"


def _same_output(stored: dict, fresh: dict, tolerance: Tolerance) -> None:
    if stored["output_type"] == "stream":
        same_text(stored["text"], fresh["text"], tolerance)
    elif stored["output_type"] == "error":
        same_text(stored["evalue"], fresh["evalue"], tolerance)
    else:
        notes = [json.dumps(out.get("metadata", {}), sort_keys=True) for out in (stored, fresh)]
        if notes[0] != notes[1]:
            raise Differs("its metadata", *notes)
        # Figures first: they say more about what changed than the text that stands for them.
        for mime in sorted(stored["data"], key=lambda mime: not mime.startswith("image")):
            _same_data(mime, stored["data"][mime], fresh["data"][mime], tolerance)


def _same_data(mime: str, stored: object, fresh: object, tolerance: Tolerance) -> None:
    kind = "/".join(mime.split("/")[-2:])  # glued: application/papermill.record/text/plain
    if kind.endswith("json"):
        stored, fresh = (json.dumps(value, sort_keys=True, indent=1) for value in (stored, fresh))
    stored, fresh = joined(stored), joined(fresh)
    if kind == "image/svg+xml":
        same_svg(stored, fresh, tolerance)
    elif kind.startswith("image/"):
        same_pixels(base64.b64decode(stored), base64.b64decode(fresh), tolerance)
    elif kind == "text/html":
        same_html(stored, fresh, tolerance)
    else:
        same_text(stored, fresh, tolerance)


# ---------------------------------------------------------------------------- which outputs count


def visible(outputs: list[dict]) -> list[dict]:
    """The outputs that count: no widgets, no progress; neighbouring texts joined, stderr last."""
    shown, complaints = [], ""
    for output in outputs:
        if output.get("name") == "stderr":
            complaints += joined(output["text"])
        elif output["output_type"] != "stream":
            shown += [output] if WIDGET not in output.get("data", {}) else []
        elif shown and shown[-1]["output_type"] == "stream":
            shown[-1]["text"] += joined(output["text"])
        else:
            shown.append({**output, "text": joined(output["text"])})
    for output in shown:
        if output["output_type"] == "stream":
            output["text"] = _overwritten(output["text"])
    shown.append({"output_type": "stream", "name": "stderr", "text": _no_progress(complaints)})
    return [output for output in shown if output.get("text") != ""]


def _streams_whole(outputs: list[dict]) -> list[dict]:
    """All of stdout where it began, as nbval has it."""
    whole, printed = [], None
    for output in outputs:
        if output.get("name") != "stdout":
            whole.append(output)
        elif printed is None:
            printed = dict(output)
            whole.append(printed)
        else:
            printed["text"] += output["text"]
    return whole


# tqdm draws "train:  40%|####      | 4/10 [00:01<00:02,  2.9it/s, loss=0.3]", or without a total
# "7it [00:00, 9it/s]", each over the one before; and it complains where it has no widgets.
_PROGRESS = re.compile(r"\[(\d+:)?\d\d:\d\d[<,].*\]\s*$")
_NO_WIDGETS = re.compile(r".*TqdmWarning: IProgress not found.*\n(\s.*\n)?")


def _no_progress(text: str) -> str:
    text = _NO_WIDGETS.sub("", ANSI.sub("", text))
    lines = [part for line in text.split("\n") for part in line.split("\r")]
    kept = [line for line in lines if not _PROGRESS.search(line)]
    return "\n".join(kept) if any(line.strip() for line in kept) else ""


def _overwritten(text: str) -> str:
    """The text as it stands in the end: what a carriage return overwrites is gone."""
    return re.sub(r"^.*\r(?=[^\n])", "", text, flags=re.MULTILINE)


def joined(text: str | list[str]) -> str:
    """A notebook on disk may hold a text as a list of its lines."""
    return text if isinstance(text, str) else "".join(text)
