# Banyan: everything a newcomer or CI runs. `make help` lists it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check
PYTEST := $(BIN)/pytest
# On a shared CI machine a test of real processes that fails gets a second try, and is named
# in the summary (RERUN) either way. At a desk it gets none.
AGAIN  := $(if $(CI),--reruns 1 -rR,)
# The same for a proof that is a program: $(call again,module and its arguments).
again   = $(BIN)/python -m $(1)$(if $(CI), || { echo 'RERUN python -m $(1)' >&2; $(BIN)/python -m $(1); },)
# A file's tests stay together, for what they share; files run side by side.
SIDE_BY_SIDE := -n auto --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo test setup check fix lint types contracts routes unit it e2e compiled soak soak-flip bench bench-core bench-data conformance clean ci

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## a real store moves its catalogue to the new core, told step by step (DEMO_EXIT=1: stop after the summary)
	@$(BIN)/banyan demo $(if $(DEMO_EXIT),--exit,)

test: check it e2e ## everything below that a change must pass (bound: 10 minutes)

setup: $(VENV)/.dev ## the development environment in .venv

check: lint types contracts routes unit ## format, lint, types, import law, routing.yaml, unit tests (bound: a minute)

fix: $(VENV)/.dev ## format and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: $(VENV)/.dev
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .

types: $(VENV)/.dev
	@$(BIN)/mypy --no-error-summary

contracts: $(VENV)/.dev
	@$(BIN)/lint-imports > $(VENV)/.contracts.log || { cat $(VENV)/.contracts.log; exit 1; }

routes: $(VENV)/.dev
	@$(BIN)/banyan routes check routing.yaml

unit: $(VENV)/.dev system
	@$(PYTEST) $(SIDE_BY_SIDE) tests/unit tests/models -m 'not soak'

compiled: $(VENV)/.dev ## the data plane's hot modules, compiled into .venv (needs a C compiler; the sources run without)
	@$(BIN)/python -m proxy.compiled || { test -z "$(CI)"; }

it: $(VENV)/.dev system compiled ## contract and integration tests: real databases, stores and processes
	@$(PYTEST) $(AGAIN) $(SIDE_BY_SIDE) tests/contract tests/integration -m 'not soak'

e2e: $(VENV)/.dev system compiled ## the whole platform and its pages in a real browser
	@$(PYTEST) $(AGAIN) tests/e2e -m 'not soak'

soak: $(VENV)/.dev system compiled ## flips under fire, bad releases, kills, recall; shoppers beside a shadow in trouble (SOAK=--short: a quarter of an hour, flips among it)
	@$(PYTEST) $(AGAIN) $(SIDE_BY_SIDE) tests/models tests/integration -m soak
	@$(PYTEST) $(AGAIN) tests/e2e -m soak
	@$(call again,tests.recall $(SOAK))
	@$(call again,loadtests.soak $(SOAK))
	@$(call again,loadtests.accounting --kills $(if $(SOAK),1,3))
	@$(call again,tests.candidates $(SOAK))
	@$(if $(SOAK),$(call again,tests.ledger --short))

soak-flip: $(VENV)/.dev system compiled ## writers keep a ledger while ownership flips and everything that can die dies (FLIPS=100 on each database; SOAK=--short: four minutes)
	@if [ -n "$(SOAK)" ]; then exec $(BIN)/python -m tests.ledger --short; fi; \
	for stores in "sqlite sqlite" "postgresql postgresql" "mariadb postgresql"; do \
	  set -- $$stores; \
	  $(BIN)/python -m tests.ledger --legacy $$1 --core $$2 --flips $(or $(FLIPS),100) || exit 1; \
	done

bench: $(VENV)/.bench ## CPU per request of the data plane beside nginx, HAProxy and Envoy
	@$(BIN)/python tests/support/system_tools.py --bench
	@$(BIN)/python -m loadtests.bench

bench-core: $(VENV)/.dev ## what buying costs in the core, beside django-oscar (MEDUSA=1: and Medusa, by npm)
	@$(BIN)/python -m loadtests.bench_core $(if $(MEDUSA),--medusa)

bench-data: $(VENV)/.bench system ## both stores in step, compared and flipped, beside namidiff (DATA=folder of UCI's Online Retail; ONLY=part,part; SMALL=1)
	@$(BIN)/python -m loadtests.bench_data $(if $(DATA),--data $(DATA)) $(if $(ONLY),--only $(ONLY)) $(if $(SMALL),--small)

conformance: $(VENV)/.bench compiled ## odd and hostile bytes through ours, nginx, HAProxy and Envoy: who does what
	@$(BIN)/python tests/support/system_tools.py --conformance
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(PYTEST) $(AGAIN) tests/conformance
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.conformance.matrix $(if $(CI),--need-peers,)

ci: ## what CI runs
	@bash .ci/run

clean: ## remove the environment and all state
	rm -rf $(VENV) var

.PHONY: system
system:
	@$(PYTHON) tests/support/system_tools.py

$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { echo "Banyan needs Python 3.11 or newer: '$(PYTHON)' is not on PATH; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Banyan needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1); set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.demo: pyproject.toml | $(BIN)/pip
	@echo "Installing Banyan and the demo's store into $(VENV) (once, about a minute) …"
	@$(PIP) -e '.[demo-store,shoppers]' 2>$(VENV)/.pip.log || { cat $(VENV)/.pip.log >&2; exit 1; }
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/pip
	@echo "Installing Banyan with everything for development into $(VENV) (once, about two minutes) …"
	@$(PIP) -e '.[dev,demo-store,shoppers]' 2>$(VENV)/.pip.log || { cat $(VENV)/.pip.log >&2; exit 1; }
	@touch $@ $(VENV)/.demo

$(VENV)/.bench: $(VENV)/.dev
	@$(PIP) -e '.[bench]' 2>$(VENV)/.pip.log || { cat $(VENV)/.pip.log >&2; exit 1; }
	@touch $@
