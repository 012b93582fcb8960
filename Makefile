# `make` lists the targets. All run in .venv, which holds the exact versions of requirements.lock.
# Wheels are kept in $(WHEELS), so another clone, or this one offline, installs without a network.
#
#   make book PYTHON=python3.13        another Python (3.11 or newer)
#   make book TORCH_INDEX=URL          one more package index, e.g. PyTorch's own with CPU builds
#   make test LOCK=/dev/null           no lock: in a fresh .venv, the newest that pyproject.toml allows
#   make serve PORT=8000               a port of your choice
#   make nb NB=chapters/foundations    these notebooks alone; the same for make notebooks
#   make test-live LIVE=chapters/foundations  the same for the live cells in a browser (long)
#   make map MAP=--missing             compare those names alone that the page lacks

PYTHON ?= python3
PORT ?= 0
JOBS ?= 2
NB ?= chapters
LOCK ?= requirements.lock
LIVE ?= chapters
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
PIP = PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_REQUIRE_VIRTUALENV=1 $(BIN)/python -m pip
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dlcourse
WHEELS := $(CACHE)/wheels
HTML := _build/html
# JupyterLab asks nobody about news and updates, nor the reader whether it may.
LAB_SETTINGS := $(VENV)/share/jupyter/lab/settings
QUIET := {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}
SHARED = --dist loadfile -n $(JOBS)

# A GPU must not change what a notebook prints.
test unit nb notebooks lab map: export CUDA_VISIBLE_DEVICES =
# JOBS processes share the cores: more threads in each would only wait for each other.
test unit nb notebooks map: export OMP_NUM_THREADS = 1
test unit nb notebooks map: export OPENBLAS_NUM_THREADS = 1
# Compiled modules are kept, in .venv and beside the sources, even where the environment says not to:
# else every notebook would compile torch and matplotlib anew, ten seconds each.
unexport PYTHONDONTWRITEBYTECODE
# In JupyterLab there may be as many as there are cores; those that wait leave the cores to others.
lab: export OMP_WAIT_POLICY = PASSIVE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL: # two installations into one .venv
.PHONY: help book serve test test-site test-live unit nb site pyodide bench map notebooks lab doctor lint format lock clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ------------------------------------------------------------------------- what a reader wants

book: $(VENV)/.book ## build the site into _build/html (from stored outputs: no torch, no GPU)
	@mkdir -p $(HTML)/_static  # or a build that fails early leaves a file of that name in its place
	$(BIN)/jupyter-book build -W --keep-going .
	@echo "Open $(CURDIR)/$(HTML)/index.html, or run: make serve"

serve: book ## build the site and serve it on this machine only, on a free port or PORT=
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory $(HTML) $(PORT)

lab: $(VENV)/.all ## open the notebooks in JupyterLab
	@mkdir -p $(LAB_SETTINGS) && echo '$(QUIET)' > $(LAB_SETTINGS)/overrides.json
	$(BIN)/python -m jupyterlab --notebook-dir=. --LabApp.default_url=/lab/tree/chapters

doctor: $(VENV)/.all ## say what is installed, what is missing and how to mend it
	$(BIN)/python -m dlcourse doctor

# --------------------------------------------------------------------- what proves that it works

test: lint unit nb site ## prove it all: style, unit tests, every notebook's outputs, the built site

lint: $(VENV)/.all ## check style, notebooks too
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check

unit: $(VENV)/.all ## run the unit tests (the two-second one first), in random order
	$(BIN)/python -m pytest -q -p no:randomly tests/test_tiny.py
	$(BIN)/python -m pytest -q $(SHARED) --ignore tests/test_book.py --ignore tests/test_site.py tests

nb: $(VENV)/.all ## run every notebook and compare each stored output
	$(BIN)/python -m pytest -q -p dlcourse.book.compare --nbval $(SHARED) --no-loadscope-reorder $(NB)

site: $(VENV)/.all book ## build the site and check it: links, alt text, nothing from another host
	DLCOURSE_SITE=$(HTML) $(BIN)/python -m pytest -q tests/test_book.py

# The first browser of these that is there, unless BROWSER= names one; playwright brings none.
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable chrome
BROWSER ?= $(firstword $(foreach name,$(BROWSERS),$(shell command -v $(name))))

test-site: $(VENV)/.all book pyodide ## use the site in a headless browser: cells, search, dark, phone
	@test -n "$(BROWSER)" || { echo "make test-site wants Chromium or Chrome, and finds neither." \
	    "Install one, or name it: make test-site BROWSER=/path/to/chrome"; exit 1; }
	DLCOURSE_SITE=$(HTML) DLCOURSE_BROWSER="$(BROWSER)" \
	    $(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal tests/test_site.py

test-live: $(VENV)/.all book pyodide ## run all that is live of LIVE=chapters in a headless browser (an hour)
	DLCOURSE_LIVE="$(LIVE)" DLCOURSE_SITE=$(HTML) DLCOURSE_BROWSER="$(BROWSER)" \
	    $(BIN)/python -m pytest -q -s -p no:randomly tests/test_site.py -k lives_in_the_browser

pyodide: $(VENV)/.book ## fetch Python for the browser: for make test-site, and for live_python: site
	$(BIN)/python -m dlcourse.live.bundle "$(CACHE)/pyodide"

# ------------------------------------------------------------------------ what a writer needs

bench: $(VENV)/.all ## measure mini against torch, time and memory, on an idle machine
	$(BIN)/python -m benchmarks.bench

map: $(VENV)/.all ## compare every name of mini with torch's, write the pages about it (minutes)
	$(BIN)/python -m dlcourse.book.torch_map $(MAP)
	$(BIN)/python -m dlcourse.book.differences

notebooks: $(VENV)/.all ## run every notebook, store its outputs and normalise it
	$(BIN)/python -m dlcourse.book.notebooks $(NB)
	$(BIN)/python -m dlcourse.book.derivations

format: $(VENV)/.all ## mend style where a tool can
	$(BIN)/python -m ruff check --fix-only
	$(BIN)/python -m ruff format

# Made with the oldest Python, so that every version exists for all of them. torch and torchvision
# move only by hand: edit their two lines of the lock, then `make lock`.
lock: ## renew requirements.lock (needs a network and Python 3.11)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "make lock wants Python 3.11")'
	@set -e; new=$$(mktemp -d); trap 'rm -rf "$$new"' EXIT; \
	grep -E '^(torch|torchvision)==' requirements.lock > "$$new/torch.txt"; \
	$(PYTHON) -m venv "$$new/venv"; \
	"$$new/venv/bin/python" -m pip install -q $(EXTRA_INDEX) -c "$$new/torch.txt" "setuptools>=77" ".[$(FOR_ALL)]"; \
	{ sed -n '/^#/p;/^[^#]/q' requirements.lock; \
	  "$$new/venv/bin/python" -m pip freeze --all --exclude pip --exclude dlcourse \
	    | sed -E 's/\+[a-z0-9.]+$$//; /^(nvidia|cuda|triton)/d'; } > "$$new/lock"; \
	cp "$$new/lock" requirements.lock; rm -rf build
	@git --no-pager diff --stat requirements.lock

clean: ## remove what was built, keep .venv
	rm -rf _build build .pytest_cache .ruff_cache .hypothesis
	find . -name .venv -prune -o -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -exec rm -rf {} +

distclean: clean ## remove .venv, the kept wheels and Python for the browser too
	rm -rf $(VENV) *.egg-info "$(WHEELS)" "$(CACHE)/pyodide"

# ------------------------------------------------------------------------------- installation

FOR_BOOK := book
FOR_ALL := torch,book,dev
EXTRA_INDEX = $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

# install EXTRAS: from the kept wheels if they suffice, else fetch what is missing first. The folder
# of wheels grows by renames alone: an interrupted run, or two at once, leave nothing half.
define install
	@echo "Installing dlcourse[$(1)] into $(VENV) ..."
	@from_wheels() { \
	    $(PIP) install -q --no-index --find-links "$(WHEELS)" --no-compile -c $(LOCK) "$$@"; }; \
	install() { \
	    from_wheels setuptools && from_wheels --no-build-isolation -e ".[$(1)]"; }; \
	fetch() { \
	    new=$$(mktemp -d "$(WHEELS)/.new.XXXXXX") && trap 'rm -rf "$$new"' EXIT && \
	    $(PIP) wheel $(EXTRA_INDEX) --find-links "$(WHEELS)" -w "$$new" -c $(LOCK) \
	        setuptools ".[$(1)]" && \
	    rm -rf build "$$new"/dlcourse-*.whl && mv -f "$$new"/*.whl "$(WHEELS)"; }; \
	mkdir -p "$(WHEELS)" && { install 2> /dev/null || { fetch && install; }; }
endef

$(VENV)/.book: $(VENV)/.made $(LOCK) pyproject.toml setup.py
	$(call install,$(FOR_BOOK))
	@touch $@

# The import makes matplotlib list the fonts now, so that no notebook has to say so later.
$(VENV)/.all: $(VENV)/.made $(LOCK) pyproject.toml setup.py
	$(call install,$(FOR_ALL))
	@$(BIN)/python -c 'import matplotlib.font_manager'
	@touch $@ $(VENV)/.book

# A clone that was moved, a Python that is gone, and another PYTHON= than before start anew.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dlcourse wants Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	@pwd > $@

WANTED = $(if $(filter file,$(origin PYTHON)),$(BIN)/python,$(PYTHON))
FITS = test "$$(cat $(VENV)/.made)" = "$$(pwd)" && test "$$($(BIN)/python -V)" = "$$($(WANTED) -V)"
ifneq ($(shell { $(BIN)/python -V && $(FITS); } > /dev/null 2>&1 && echo yes),yes)
.PHONY: $(VENV)/.made
endif
