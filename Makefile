# Every command sets up what it needs by itself: `make demo` or `make test` in a fresh clone is enough.
# Needed on the machine: Python 3.11 or newer, and make. `make` alone lists the commands.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
SOURCES := schemas agents streams tests
PYTEST := $(BIN)/python -m pytest
# Which tests: all that are run before every landing, of them those that start nothing, and two halves that take equally
# long: quick faults, which mostly wait, go with what computes.
ALL_TESTS := (not faults or quick) and not benchmark
START_NOTHING := not integration and not tools and not faults and not benchmark
ONE_HALF := (not faults and (integration or tools)) and not benchmark
OTHER_HALF := ($(START_NOTHING)) or (faults and quick)
# The lock is complete and hashed, so nothing is resolved; bytecode is compiled at first use, which halves the wait.
INSTALL := -m pip install --quiet --disable-pip-version-check --no-compile --no-deps
# What the tests need beyond Python, from Debian: promtool, docker-compose, and an IMAP server that is not our own.
TOOLS := prometheus docker-compose dovecot-imapd

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-faults coverage check format bench contracts record lock tools build hooks clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with the locked dependencies and the command `careline`

# The stamp is written last: an interrupted set-up is done again, a finished one is not.
$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Careline needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@rm -rf $(VENV)
	@echo "Setting up $(VENV) (once; a minute or two, some hundred megabytes) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python's venv is missing; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python $(INSTALL) --only-binary :all: --require-hashes -r requirements-dev.lock
	@$(BIN)/python $(INSTALL) --no-build-isolation --editable .
	@touch $@
	@echo "Ready: $(BIN)/careline --help"

demo: $(STAMP) ## the whole of Careline on this machine, fed by a simulated company
	$(BIN)/careline demo $(ARGS)

test: $(STAMP) ## all tests that are not faults or benchmarks; with ARGS only what they name
ifeq ($(strip $(ARGS)),)
	$(BIN)/python -m tests.side_by_side "$(ONE_HALF)" "$(OTHER_HALF)"
else
	$(PYTEST) -m "$(ALL_TESTS)" $(ARGS)
endif

test-fast: $(STAMP) ## the tests that start nothing
	$(PYTEST) -m "$(START_NOTHING)" $(ARGS)

test-faults: $(STAMP) ## kill, pause and cut off real parts while they work
	$(PYTEST) -m faults $(ARGS)
	$(PYTEST) tests/contract/test_connector_behaviour.py

coverage: $(STAMP) ## the tests with branch coverage and its floors
	$(PYTEST) -m "$(ALL_TESTS)" --cov --cov-report=term $(ARGS)
	$(BIN)/coverage report --include 'schemas/*,agents/*' --fail-under 95

check: $(STAMP) ## format, lint, types and import contracts, changing nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(STAMP) ## format and mend what a machine can mend
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(STAMP) ## measure: throughput, latency, memory
	$(BIN)/python -m tests.benchmark $(ARGS)

contracts: $(STAMP) ## write JSON Schemas, docs/asyncapi.yaml and docs/settings.md from the code
	$(BIN)/python -m streams.contract_docs
	$(BIN)/python -m streams.settings_document

record: $(STAMP) ## record for a release what its agents remember: make record NAME=1.0
	$(BIN)/python -m tests.contract.record_states $(NAME)

lock: $(STAMP) ## resolve the dependencies anew (with the cool-down of pyproject.toml) and write both lock files
	$(BIN)/uv pip compile --quiet --upgrade pyproject.toml --extra embedded --extra fit --extra mail --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade pyproject.toml --extra embedded --extra fit --extra mail --group dev --constraints requirements.lock --output-file requirements-dev.lock

# The packages would start their daemons; only the programs are wanted, so a policy forbids it while they are installed.
tools: ## install promtool, docker-compose and Dovecot (Debian, as root)
	@{ command -v promtool && command -v docker-compose && command -v dovecot; } >/dev/null || { \
	  trap 'if [ -n "$$policy" ]; then rm -f /usr/sbin/policy-rc.d; fi' EXIT; \
	  if [ ! -e /usr/sbin/policy-rc.d ]; then policy=ours; printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; fi; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends $(TOOLS); }

build: $(STAMP) ## the wheel, into dist/
	$(BIN)/python -m hatchling build -t wheel

hooks: $(STAMP) ## run `make check` before each commit of this clone
	$(BIN)/pre-commit install

clean: ## remove what was made here
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
