# Two commands do everything: `make sweep` and `make test`. Both make their own environment.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALL = $(BIN)/pip install --quiet --constraint constraints.txt

.PHONY: sweep test lint
.DELETE_ON_ERROR:

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@echo "installing geomem and PyTorch into $(VENV) (a few minutes on a slow network)"
	$(INSTALL) --editable ".[test]"
	touch $@

# A small selection of both shipped grids: under two minutes on two cores.
sweep: $(VENV)/installed
	$(BIN)/geomem-train sweep tiny_graphs --set seeds=0-3 --out sweeps/tiny_graphs
	$(BIN)/geomem-train sweep path_star --set seeds=0-1 --out sweeps/path_star
	$(BIN)/geomem-train results sweeps/tiny_graphs
	$(BIN)/geomem-train results sweeps/path_star
	$(BIN)/geomem-analyze figures sweeps/tiny_graphs
	$(BIN)/geomem-analyze figures sweeps/path_star

test: $(VENV)/installed
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(VENV)/installed
	$(INSTALL) --editable ".[dev]"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tests/check_types.py
