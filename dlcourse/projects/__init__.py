"""The worked projects as programs: `python -m dlcourse train NAME`.

A program shares its code with its notebook.  It is a module with `add_arguments(parser)` and
`main(args) -> exit code`; modules whose names start with `_` are helpers.
"""

import json


def recorded(name: str) -> dict:
    """A recorded run, `data/results/<name>.json`.  Raises DataError if there is none."""
    from dlcourse.datasets import embedded_path

    return json.loads(embedded_path(f"results/{name}.json").read_text("utf-8"))
