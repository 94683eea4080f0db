# make report | make test | make lab   (make help lists all)
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
OUT    ?= out
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help env report test lint lab notebooks sample lock clean

help:
	@echo "make report     run the whole pack on the sample, print the path of its index.html"
	@echo "make test       run every test and check"
	@echo "make lab        open JupyterLab on the notebooks"
	@echo "make notebooks  run the stored notebooks again on the sample"
	@echo "make sample     make data/sample again (same bytes)"
	@echo "make lock       write requirements.lock anew from pyproject.toml"

env: $(READY)

# one environment, made again only when the lists of packages change
$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "custvalue needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

report: $(READY)
	$(BIN)/custvalue report data/sample --out $(OUT)

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist worksteal
	$(BIN)/python -m pytest -n 2 --dist loadfile -p no:doctest --nbval --nbval-cell-timeout=120 notebooks

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/lint-imports

lab: $(READY)
	$(BIN)/jupyter lab --notebook-dir=. notebooks/00_data_check.ipynb

notebooks: $(READY)
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False notebooks/*.ipynb

sample: $(READY)
	$(BIN)/python -m custvalue.simulate data/sample

lock:
	uv pip compile --universal --all-extras --no-header --no-annotate --no-emit-index-url --quiet pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) out build dist .pytest_cache .ruff_cache
