.DEFAULT_GOAL := help
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Any Python from 3.11 on; name another with `make PYTHON=python3.13 …`.
PYTHON ?= python3
WORKERS ?= 2
DEMO_HOME ?= demo-home
PORT ?= 8080

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "image-router needs Python 3.11 or newer; say which with: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@# Debian without python3-venv has no ensurepip: the system's pip then fills the environment.
	@$(BIN)/python -m pip --version >/dev/null 2>&1 \
	  || $(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
	  || { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	@# Dependency groups are read by pip 25.1 and newer.
	@echo "Setting up $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

.PHONY: help setup browser demo demo-data dashboard screenshots test test-long check lint types contracts format bench bench-gateway harness docs clean

help: ## Show this list
	@echo "make …"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with everything in it; nothing to do when pyproject.toml is unchanged

demo: $(READY) ## One picture per tier and a character chain against the emulator, with a contact sheet in demo/
	@$(BIN)/image-router demo demo

$(DEMO_HOME)/offline.db:
	@$(BIN)/python scripts/demo_data.py $(DEMO_HOME)

demo-data: $(READY) $(DEMO_HOME)/offline.db ## A month of emulated traffic in demo-home/, for looking at the dashboard

dashboard: demo-data ## Serve the dashboard with the demo data; PORT=8080
	@$(BIN)/image-router serve --offline --open --port $(PORT) --home $(DEMO_HOME)

screenshots: demo-data browser ## Take the pictures of the dashboard that README shows
	@$(BIN)/python scripts/screenshots.py $(DEMO_HOME)

browser: $(READY) ## See that there is a Chromium for the tests of the dashboard; installs one where there is none
	@scripts/browser.sh $(BIN)/python

test: $(READY) browser ## Run the tests
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not long"

test-long: $(READY) ## Run the soak and chaos tests
	@$(BIN)/python -m pytest -m long

check: lint types contracts browser ## All of it: lint, types, import contracts, tests with coverage
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not long and not tools" --cov --cov-report=term

lint: $(READY) ## Check style and formatting with ruff
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: $(READY) ## Check types with mypy, strictly
	@$(BIN)/mypy

contracts: $(READY) ## Check who imports whom
	@$(BIN)/lint-imports

format: $(READY) ## Format the code and mend what ruff can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(READY) ## Measure start-up, deciding, requests, the ledger and planning; docs/benchmarks.md has the targets
	@for each in startup bench_decide bench_request bench_ledger bench_plan; do \
	  echo "$$each"; $(BIN)/python bench/$$each.py || exit 1; echo; done

bench-gateway: $(READY) ## Measure the gateway beside LiteLLM, Portkey and nginx, installed into a cache of their own
	@-$(BIN)/python bench/peers.py
	@$(BIN)/python bench/bench_gateway.py

harness: $(READY) ## Kill the whole engine 200 times on each database, then 2,000 requests of which a fifth fails
	@$(BIN)/python tests/harness/engine_kills.py
	@$(BIN)/python tests/harness/mixed.py
	@$(BIN)/python tests/harness/gateway_kills.py

docs: $(READY) ## Write the generated tables of README.md and docs/ anew
	@$(BIN)/python docs/generate.py

clean: ## Remove .venv, demo/, demo-home/ and every cache
	@rm -rf $(VENV) demo demo-home build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
