# make report | make test | make lab   (make help lists all)
#
# Needs Python 3.11 or newer, git and make; everything else goes into the folder .venv of this checkout.
PYTHON ?= python3
VENV   ?= .venv
OUT    ?= out
READY  := $(VENV)/.ready
RUN    := "$(VENV)/bin/python" -m
PIP    := $(RUN) pip --disable-pip-version-check --no-input -qq
NBVAL  := --nbval --nbval-current-env --nbval-cell-timeout=600 --nbval-kernel-startup-timeout=180

# An environment made in another folder (the checkout was moved or copied) or without its Python is no environment.
$(shell test -x "$(VENV)/bin/python" && test "$$(cat "$(READY)" 2>/dev/null)" = "$$(pwd -P)" || rm -f "$(READY)")

.DEFAULT_GOAL := help
.PHONY: help env report test lint lab notebooks sample lock clean

help:
	@echo "make report     run the whole pack on the sample, print the path of its index.html"
	@echo "make test       run every test and check"
	@echo "make lab        open JupyterLab on the notebooks"
	@echo "make lint       only the checks of style and of the layers"
	@echo "make notebooks  run the stored notebooks again on the sample"
	@echo "make sample     make data/sample again (same bytes)"
	@echo "make lock       write requirements.lock anew from pyproject.toml (needs uv)"
	@echo "make clean      remove the environment, the packs and the caches"

env: $(READY)

# One environment, written as ready only when complete; later only what the lists of packages changed is installed.
$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "custvalue needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -e "$@" || { echo "Installing the packages into $(VENV) (once; a few minutes) ..."; $(PYTHON) -m venv --clear "$(VENV)"; }
	@$(PIP) install -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@pwd -P > "$@"

report: $(READY)
	@$(RUN) custvalue report data/sample --out "$(OUT)"

lint: $(READY)
	$(RUN) ruff check --quiet .
	$(RUN) ruff format --check --quiet .
	"$(VENV)/bin/lint-imports" --no-logo

test: lint
	$(RUN) pytest -n 2 --dist worksteal
	$(RUN) pytest -o addopts="" -n 2 --dist loadfile $(NBVAL) notebooks/*.ipynb

lab: $(READY)
	@$(RUN) custvalue lab .

notebooks: $(READY)
	$(RUN) jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False notebooks/*.ipynb

sample: $(READY)
	$(RUN) custvalue.simulate data/sample

lock:
	uv pip compile --universal --all-extras --no-header --no-annotate --no-emit-index-url --quiet pyproject.toml --output-file requirements.lock

clean:
	rm -rf "$(VENV)" "$(OUT)" build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
