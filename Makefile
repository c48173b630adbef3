# Needs Python 3.11, 3.12 or 3.13 and a network to a package index; everything else is installed here.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CLIENTS := tests/clients/node_modules/.package-lock.json

.DEFAULT_GOAL := help
.PHONY: help setup run test lint bench lock

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Make the virtual environment and install the locked requirements

$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Leadvibe needs Python 3.11, 3.12 or 3.13. Name one: make PYTHON=python3.12 setup"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python scripts/link.py
	@touch $@

run: $(READY) ## Run the server with its own database
	$(BIN)/leadvibe serve

test: $(READY) $(CLIENTS) ## Run all tests; those of JavaScript clients only where Node is
	$(BIN)/python -m pytest

$(CLIENTS): tests/clients/package-lock.json
	-@command -v npm >/dev/null || exit 0; cd tests/clients && npm ci --no-audit --no-fund --loglevel=error

lint: $(READY) ## Check style, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY) ## Measure, each figure beside its reference
	$(BIN)/python -m benchmarks

lock: $(READY) ## Write requirements.txt anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra dev --extra otel --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --output-file requirements.txt
