"""The package's own code on a page: included from the source, never copied."""

import inspect
import textwrap


class Source:
    """The source of an object: highlighted in a notebook and on the site, plain elsewhere."""

    def __init__(self, obj):
        self.code = textwrap.dedent(inspect.getsource(obj)).rstrip()

    def __repr__(self):
        return self.code

    def _repr_markdown_(self):
        return f"```python\n{self.code}\n```"


def show_source(obj):
    """Show the source of a function or class (TypeError if there is none)."""
    return Source(obj)
