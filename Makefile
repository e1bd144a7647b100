# Each target sets up what it needs in .venv; PYTHON picks the interpreter (3.11 is what the pins are for).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.installed-runtime
DEV := $(VENV)/.installed-dev
RUN := runs/demo
BENCHMARKS := startup throughput step overhead memory assignment packing processes

.PHONY: demo test check bench docs clean

demo: $(RUNTIME)
	$(BIN)/elastic-infogan train mnist --imbalance random:0 --minutes 10 --out $(RUN)
	$(BIN)/elastic-infogan evaluate $(RUN)

test: $(DEV)
	$(BIN)/python -m pytest -n 2

check: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --doctest-modules src

bench: $(RUNTIME)
	set -e; for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py --out runs/bench/$$name.json; done

docs: $(DEV)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "Open site/index.html; it needs no server and no network"

clean:
	rm -rf $(VENV) site .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing elastic-infogan into $(VENV) (a few minutes the first time)"
	$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing elastic-infogan with its development tools into $(VENV) (a few minutes the first time)"
	$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(RUNTIME) $@
