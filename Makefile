# The same targets that CI calls. `make help` explains them.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
# The GPU runtime where an NVIDIA driver answers, else the CPU one; the two packages shadow one another, so never both.
RUNTIME ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo gpu || echo cpu)
STAMP := $(VENV)/.setup-$(RUNTIME)
DEMO_FLAGS ?=
# More workers than two cores, as many tests wait for something.
TEST_WORKERS ?= 3
TEST_FLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench docs clean check-machine

help: ## this text
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(STAMP) ## virtual environment, dependencies and models; does nothing that is done already

demo: setup ## the main job on an embedded default
	$(BIN)/lfr demo $(DEMO_FLAGS)

test: setup ## all tests, in under 5 minutes on two cores
	$(BIN)/python -m pytest -q -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(TEST_FLAGS)

lint: setup ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup ## prints figures, as a table and as JSON lines with BENCH_FLAGS=--json
	$(BIN)/lfr bench $(BENCH_FLAGS)

docs: setup ## the documentation as a site, strict, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean: ## removes what set-up and tests made; the models stay
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

check-machine:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed: apt-get install python3 (or make PYTHON=/path/to/python3.11)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Python's venv is missing: apt-get install python3-venv" >&2; exit 1; }
	@command -v c++ >/dev/null || command -v g++ >/dev/null || { \
	  echo "A C++ compiler is needed (hnswlib is compiled): apt-get install g++" >&2; exit 1; }
	@$(PYTHON) -c 'import os, sysconfig; os.stat(os.path.join(sysconfig.get_path("include"), "Python.h"))' 2>/dev/null || { \
	  echo "Python's headers are missing (hnswlib is compiled): apt-get install python3-dev" >&2; exit 1; }

$(STAMP): pyproject.toml models/manifest.yaml | check-machine
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@if [ "$(RUNTIME)" = gpu ]; then $(BIN)/pip uninstall -q -y onnxruntime; else $(BIN)/pip uninstall -q -y onnxruntime-gpu; fi 2>/dev/null
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check --editable '.[$(RUNTIME),dev]'
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib appliance # as pip would, but on all cores
	$(BIN)/lfr models install
	@rm -f $(VENV)/.setup-*
	@touch $@
