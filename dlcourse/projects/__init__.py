"""The worked projects as programs: ``python -m dlcourse train NAME``.  A notebook and its program share this code."""
