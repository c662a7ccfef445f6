# Everything a person does with this repository. `make help` lists it.
# Needs Python 3.11 or newer, pip, make and git; the rest is set up in .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := --require-hashes --requirement requirements/bootstrap.lock
PYTEST_FLAGS ?=
# Tests wait more than they compute: a few at a time, each file by one process.
PYTEST := $(BIN)/pytest -n 4 --dist loadfile $(PYTEST_FLAGS)

.DEFAULT_GOAL := help

.PHONY: help
help: ## list what can be done
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## prepare .venv (then .venv/bin/verdazul is there)

$(STAMP): pyproject.toml serve/pyproject.toml serve/azmlinfsrv/pyproject.toml $(wildcard requirements/*.lock)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is %d.%d (choose another with PYTHON=...)" % sys.version_info[:2])'
	@# without ensurepip: some systems package it apart, and pip is there already
	test -x $(BIN)/python || $(PYTHON) -m venv --without-pip $(VENV)
	test -x $(BIN)/uv || $(PYTHON) -m pip --python $(BIN)/python install --quiet $(UV) \
		|| { $(BIN)/python -m ensurepip && $(BIN)/python -m pip install --quiet $(UV); }
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . --editable ./serve --editable ./serve/azmlinfsrv
	@touch $@

.PHONY: quickstart
quickstart: $(STAMP) ## set up, then a real blue/green endpoint by one command (KEEP=1: leave it running)
	$(BIN)/python examples/quickstart/run.py $(if $(KEEP),--keep,)

.PHONY: test
test: check ## set up, then every check and every test
	$(PYTEST) --cov --cov-report=term:skip-covered
	$(BIN)/python tests/coverage_floors.py

.PHONY: check
check: $(STAMP) ## format, lint, types, import contracts
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy src serve/src serve/azmlinfsrv/src tests serve/tests benchmarks examples/quickstart/run.py
	$(BIN)/lint-imports --no-cache

.PHONY: fast
fast: $(STAMP) ## the tests that start no Envoy and few processes
	$(PYTEST) -q -m "not e2e"

.PHONY: format
format: $(STAMP) ## write the format that `check` wants
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

.PHONY: bench
bench: $(STAMP) ## run every benchmark; each prints our figure beside its peer's
	@for file in $(shell grep -l __main__ benchmarks/*.py); do echo "== $$file"; $(BIN)/python $$file || exit 1; done

.PHONY: lock
lock: $(STAMP) ## resolve the dependencies anew (names, versions and hashes; no addresses)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url --upgrade --group dev pyproject.toml --output-file requirements/dev.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url --upgrade --group pyproject.toml:oracle --output-file requirements/oracle.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url --upgrade --group pyproject.toml:envoy-before --output-file requirements/envoy-before.lock
	for age in new middle old; do $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url --upgrade --group pyproject.toml:sdk-$$age --output-file requirements/sdk-$$age.lock || exit 1; done
	grep -A 100 '^uv==' requirements/dev.lock | awk 'NR > 1 && /^[a-z]/ {exit} !/#/ {print}' > requirements/bootstrap.lock

.PHONY: clean
clean: ## remove .venv and everything that tools left
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov dist build
