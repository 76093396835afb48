# make demo   the whole way on the embedded data      make test   everything that CI checks      make lint   the quick part of it
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test lint
.DELETE_ON_ERROR:

demo: $(STAMP)
	$(BIN)/python scripts/train.py recipe=distill_int8

test: lint
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile -m "not slow and not gpu and not realdata"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

# The stamp is newer than pyproject.toml as long as nothing that is installed has changed.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "openautoglm needs Python 3.11 or newer, $(PYTHON) is %d.%d: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" % sys.version_info[:2])'
	@test -x $(BIN)/python || { echo "creating .venv"; $(PYTHON) -m venv .venv; }
	@echo "installing openautoglm and what it needs into .venv: some minutes, once"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[export,video,studio,dev]'
	@touch $(STAMP)
