# The same targets that CI calls. `make help` explains them.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
# The GPU runtime where an NVIDIA driver answers, else the CPU one; the two packages shadow one another, so never both.
RUNTIME ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo gpu || echo cpu)
STAMP := $(VENV)/.setup-$(RUNTIME)
# Every package by its hash. Who has a mirror tells pip of it; uv asks the same one.
LOCK := requirements/$(RUNTIME).txt requirements/dev.txt requirements/uv.txt
MIRROR = $(or $(PIP_INDEX_URL),$(shell $(BIN)/pip config get global.index-url 2>/dev/null),https://pypi.org/simple)
UV = VIRTUAL_ENV=$(VENV) UV_DEFAULT_INDEX=$${UV_DEFAULT_INDEX:-$(MIRROR)} $(BIN)/uv
BUILD := --build-constraints requirements/build.txt
DEMO_FLAGS ?=
# More workers than two cores, as many tests wait for something.
TEST_WORKERS ?= 3
TEST_FLAGS ?=
PYTEST = $(BIN)/python -m pytest -q -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(TEST_FLAGS)

.DEFAULT_GOAL := help
.PHONY: help setup demo test coverage lint bench docs package package-test lock check-lock hooks clean check-machine

help: ## this text
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(STAMP) ## virtual environment, packages as locked, and models; does nothing that is done already

demo: setup ## the main job on an embedded default
	$(BIN)/lfr demo $(DEMO_FLAGS)

test: setup ## all tests, in some nine minutes on two cores
	$(PYTEST)

coverage: setup ## all tests, measured: how much of appliance/ they run, and the ten modules of which they run least
	rm -f .coverage .coverage.*
	$(MAKE) test TEST_FLAGS="--cov --cov-report= $(TEST_FLAGS)"
	@$(BIN)/coverage report --sort=cover | awk 'NR < 3 { print; next } /^TOTAL/ { print; next } n++ < 10'

lint: setup ## ruff, mypy --strict, and that no file is untidy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	SKIP=ruff,ruff-format,mypy $(BIN)/pre-commit run --all-files

bench: setup ## prints figures, as a table and as JSON lines with BENCH_FLAGS=--json
	$(BIN)/lfr bench $(BENCH_FLAGS)

package: setup ## wheel and sdist into dist/
	rm -rf build dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(UV) build --quiet $(BUILD) --require-hashes --out-dir dist

package-test: package ## installs the wheel into a new environment elsewhere, and runs the demo there
	$(BIN)/python -m pytest -q -n 0 -m package tests/system/test_package.py

lock: setup ## newest versions that pyproject.toml allows into requirements/, with hashes; weekly
	$(BIN)/python requirements/lock.py

check-lock: setup ## whether requirements/ holds what pyproject.toml asks for, and the environment what they hold
	$(BIN)/python requirements/lock.py --check
	$(UV) pip check --quiet

hooks: setup ## has git check each commit as CI will: ruff, mypy, file ends, YAML, large files
	$(BIN)/pre-commit install

docs: setup ## the documentation as a site, strict, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean: ## removes what set-up and tests made; the models stay
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage .coverage.*
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

$(STAMP): pyproject.toml $(LOCK) requirements/build.txt models/manifest.yaml | check-machine
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/uv.txt
	$(UV) pip sync --quiet --require-hashes $(BUILD) --compile-bytecode $(LOCK)
	$(UV) pip install --quiet --no-deps $(BUILD) --editable .
	$(BIN)/lfr models install
	@rm -f $(VENV)/.setup-*
	@touch $@
