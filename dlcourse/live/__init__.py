"""Code of a page, run in the reader's browser: what of it can run there, and how it is run.

cells.py tells by the names in the code which statements a browser can run and which have to run
before which; session.py runs them and says what came of it. Both import the standard library alone:
they work in the browser itself, and when the site is built (``dlcourse/book/live.py``). worker.mjs
brings Python into the browser, browser.py is its other end, live.js and live.css put the buttons on
the page. pyodide.json pins what is loaded; bundle.py fetches it for a site that asks no other host.
"""
