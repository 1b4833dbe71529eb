# The two commands of the README, `make demo` and `make test`, and the steps they are made of.
# Stamps under .venv/ and js/node_modules/ make a second run skip what is done already.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
BUILD  := build
NPM    := npm --prefix js
# A file in one of several processes; one thread each, so that they do not take turns. Each has a
# browser and servers of its own, and takes up to 5 GB. What measures frames or time is kept apart.
# glibc keeps freed memory: fetching it anew for every tensor is a seventh of the time.
KEEP   := MALLOC_TRIM_THRESHOLD_=4000000000 MALLOC_MMAP_THRESHOLD_=4000000000
PROCESSES ?= 2
BESIDE := OMP_NUM_THREADS=1 $(KEEP) $(BIN)/pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder
ALONE  := tests/browser/alone
MEMORY := $(ALONE)/test_memory.py
# Some forty processes import the package: it is compiled once for all.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test install check js browser notebooks unit cluster oracles docs links pictures format bundles picture clean

help:  ## say what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# --- for users ----------------------------------------------------------------------------------

ifeq ($(HEADLESS),)
demo: $(VENV)/.installed  ## open the quickstart in JupyterLab (HEADLESS=1: run it, write its results)
	$(BIN)/zfwidgets lab notebooks/quickstart.ipynb
else
demo: $(VENV)/.installed
	$(BIN)/python scripts/run_quickstart.py $(BUILD)/demo
endif

install: $(VENV)/.installed  ## make .venv with zfwidgets in it

# --- for developers -----------------------------------------------------------------------------

# What fails quickly comes first. The longest part has a third process beside it while it lasts: what
# measures memory, which others do not change, and Ray's processes, which mostly wait for one another.
test: $(VENV)/.tested js/node_modules/.stamp browsers  ## everything: lint, types, contracts, TypeScript, unit, oracles, browser, notebooks
	@$(MAKE) --no-print-directory --jobs 2 check js
	@$(MAKE) --no-print-directory --jobs 2 beside third
	$(BIN)/pytest $(ALONE) --ignore=$(MEMORY)

.PHONY: beside third
beside: $(VENV)/.tested browsers
	$(BESIDE) --ignore=$(ALONE) --ignore=tests/cluster

third: $(VENV)/.tested browsers
	OMP_NUM_THREADS=1 $(BIN)/pytest $(MEMORY) tests/cluster

check: $(VENV)/.tested  ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

js: js/node_modules/.stamp  ## TypeScript: types, lint, unit tests
	$(NPM) run check
	$(NPM) run lint
	$(NPM) test

unit: $(VENV)/.tested  ## the units of every room
	$(BESIDE) tests/unit

cluster: $(VENV)/.tested  ## scans and servers on Ray
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/cluster

oracles: $(VENV)/.tested  ## the engine against independent references
	$(BESIDE) tests/oracles

browser: $(VENV)/.tested browsers  ## JupyterLab and Voila in Chromium, pages in Firefox; screenshots in build/screenshots
	$(BESIDE) --ignore=$(ALONE) tests/browser
	$(BIN)/pytest $(ALONE)

notebooks: $(VENV)/.tested  ## execute the notebooks
	$(BIN)/pytest tests/notebooks

.PHONY: browsers
browsers:  # found, or installed where we may
	@.ci/browsers

bundles: js/node_modules/.stamp  ## rebuild zfwidgets/widgets/static from js/
	$(NPM) run build

picture: $(VENV)/.tested browsers  ## take the README's picture anew
	$(BIN)/pytest tests/browser/test_lab.py -k screenshots
	$(BIN)/python scripts/readme_picture.py

docs: $(VENV)/.documented  ## the site, in build/docs (EXECUTE=off: notebooks without outputs)
	EXECUTE=$(EXECUTE) $(BIN)/sphinx-build --fail-on-warning --keep-going --nitpicky --quiet \
	  -d $(BUILD)/docs-read$(EXECUTE) docs $(BUILD)/docs
	@echo "The site is in $(BUILD)/docs; begin at index.html."

links: $(VENV)/.documented  ## ask other sites whether what the site names there exists (needs the internet)
	EXECUTE=off $(BIN)/sphinx-build --builder linkcheck --fail-on-warning --keep-going --quiet \
	  -d $(BUILD)/docs-readoff docs $(BUILD)/links

pictures: $(VENV)/.tested browsers  ## take the site's pictures of the widgets anew
	$(BIN)/python -m scripts.docs_pictures

format: $(VENV)/.tested js/node_modules/.stamp  ## let ruff and biome write the code their way
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(NPM) run format

clean:  ## remove what was made, .venv and node_modules included
	rm -rf $(BUILD) dist $(VENV) js/node_modules

# --- stamps -------------------------------------------------------------------------------------

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "zfwidgets needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "no venv module: apt-get install python3-venv" >&2; exit 1; }
	touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.made
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable .
	touch $@

$(VENV)/.tested: pyproject.toml $(VENV)/.made
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[test]'
	touch $@ $(VENV)/.installed

$(VENV)/.documented: pyproject.toml $(VENV)/.made
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[docs]'
	touch $@ $(VENV)/.installed

js/node_modules/.stamp: js/package.json js/package-lock.json
	@# Not "npm ci": it refuses a lock file that lacks other platforms' binaries.
	npm install --prefix js --no-save --no-audit --no-fund
	touch $@
