"""The worked projects as programs: `python -m dlcourse train NAME`.

A program shares its code with its notebook.  It is a module with `add_arguments(parser)` and
`main(args) -> exit code`; modules whose names start with `_` are helpers.
"""
