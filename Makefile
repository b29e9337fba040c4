# Everything runs in .venv, which the first target that needs it makes. `make help` lists the targets.

PYTHON ?= python3
QT_API ?= pyqt6
PYTEST_ARGS ?=
# Two processes, and none of them tests a file of which the other does a part.
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt
PROJECT := pyproject.toml constraints.txt

# Qt's "offscreen" platform has no OpenGL, and napari's layers need it: a virtual screen and software OpenGL have.
ifeq ($(shell uname -s),Linux)
SCREEN := LIBGL_ALWAYS_SOFTWARE=1 xvfb-run -a -s "-screen 0 1280x1024x24 +extension GLX"
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo napari test test-engine test-gui qt-packages lint format bench bench-foreground bench-inference bench-gui screenshots clean distclean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	scripts/make_venv.sh $(VENV) $(PYTHON)

$(VENV)/.base: $(PROJECT) | $(BIN)/python
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.all: $(PROJECT) | $(BIN)/python
	$(INSTALL) --editable ".[all]"
	@touch $@ $(VENV)/.base

$(VENV)/.dev: $(PROJECT) | $(BIN)/python
	$(INSTALL) --editable ".[dev]"
	@touch $@ $(VENV)/.base $(VENV)/.all

demo: $(VENV)/.base ## Matte the sample photograph into demo/
	$(BIN)/lsa demo --output demo

napari: $(VENV)/.all ## Open napari with the plugin
	$(BIN)/napari

test: test-engine test-gui ## Run all tests: the engine's first, then the plugin's on a virtual screen

test-engine: $(VENV)/.dev ## Run the engine's tests, without Qt and without a screen
	$(BIN)/python -m pytest -p no:napari -p no:npe2 -p no:pytest-qt -n $(WORKERS) --dist loadfile tests/lsa_engine $(PYTEST_ARGS)

test-gui: $(VENV)/.dev qt-packages ## Run the plugin's tests (QT_API=pyqt6 or pyside6)
	QT_API=$(QT_API) PYTEST_QT_API=$(QT_API) $(SCREEN) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile tests/napari_lsa_matting $(PYTEST_ARGS)

qt-packages:
	@scripts/qt_system_packages.sh

lint: $(VENV)/.dev ## Check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev ## Format the code and sort the imports
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.base ## Measure speed and memory
	@set -e; for benchmark in benchmarks/*.py; do $(BIN)/python $$benchmark; done

bench-foreground: $(VENV)/.base ## Measure foreground refinement and estimation
	@$(BIN)/python benchmarks/foreground.py

bench-inference: $(VENV)/.base ## Measure forward, refinement, scores, and memory from 1 to 100 megapixels (CASES=FOLDER, SIZES=MEGAPIXELS)
	@$(BIN)/python benchmarks/forward.py
	@$(BIN)/python benchmarks/inference.py $(CASES)
	@if [ -n "$(CASES)" ]; then $(BIN)/python benchmarks/quality/scores.py $(CASES); fi
	@$(BIN)/python benchmarks/memory.py $(SIZES)

bench-gui: $(VENV)/.all qt-packages ## Measure how long the widgets hold up napari's event loop, and what they leave behind
	@QT_API=$(QT_API) $(SCREEN) $(BIN)/python benchmarks/gui/responsiveness.py
	@QT_API=$(QT_API) $(SCREEN) $(BIN)/python benchmarks/gui/leaks.py

screenshots: $(VENV)/.dev qt-packages ## Take the pictures of the documentation
	QT_API=$(QT_API) $(SCREEN) $(BIN)/python scripts/screenshots.py

clean: ## Remove what the targets made, but .venv
	rm -rf build dist demo .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove .venv too
	rm -rf $(VENV)
