# What can be done with this clone; each target sets up what it needs in .venv, quickly the second time.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
NUCLEI := $(BIN)/python run.py --config examples/nuclei/config.py
NUCLEI_DATA := rehearsal/nuclei-data

export PATH := $(BIN):$(PATH)
# Caches stay in the clone: nothing is written to HOME.
export XDG_CACHE_HOME := $(CURDIR)/$(VENV)/cache
export MPLCONFIGDIR := $(CURDIR)/$(VENV)/cache/matplotlib
export PYTHONNOUSERSITE := 1
# pip asks rustc for its version where there is one, whose launcher makes a folder in HOME.
export RUSTUP_HOME := $(CURDIR)/$(VENV)/cache/rustup
unexport PYTHONHOME PYTHONPATH
# Many tests wait for real processes: one more than there are processors.
TEST_WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# Tests that neither wait nor start a process.
QUICK := tests/unit $(wildcard tests/local/test_simulator_*.py) tests/functional/buying \
	tests/worker/files/test_cache.py tests/worker/files/test_tables.py

.PHONY: help demo test quick tools check audit clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s  %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/demo.done ## a whole run on this computer: 25 jobs on a real picture, no account needed
	@nuclei cut $(NUCLEI_DATA)/tiles
	@echo "python run.py --config examples/nuclei/config.py rehearse examples/nuclei/job.json --data $(NUCLEI_DATA) $(ARGS)"
	@$(NUCLEI) rehearse examples/nuclei/job.json --data $(NUCLEI_DATA) $(ARGS)
	@echo
	@nuclei join rehearsal/Nuclei rehearsal/Nuclei/joined
	@echo
	@echo "Table:     rehearsal/Nuclei/joined/nuclei.csv"
	@echo "Picture:   rehearsal/Nuclei/joined/nuclei.png"
	@echo "Inventory: every job is done, and nothing is left over in the simulated account."

test: $(VENV)/develop.done ## all tests but those of make tools; some of them only: make test ARGS="-k queue"
	@python -m pytest -n $(TEST_WORKERS) --dist worksteal -m "not tools" $(ARGS)

tools: $(VENV)/develop.done ## the examples with their real tools, which are installed into images first
	@python -m pytest -n $(TEST_WORKERS) --dist worksteal -m tools tests/examples $(ARGS)

quick: $(VENV)/develop.done ## what a change most likely breaks, in under a minute: tests that only compute
	@python -m pytest -q -n $(TEST_WORKERS) --dist worksteal -m "not slow and not docker" $(QUICK) $(ARGS)

check: $(VENV)/develop.done ## lint, types and the layers' contracts
	ruff check
	ruff format --check
	mypy --strict
	lint-imports

audit: $(VENV)/develop.done ## whether an advisory names a version that the tests passed with: asks osv.dev
	pip-audit --strict --no-deps --disable-pip --progress-spinner off --vulnerability-service osv \
		-r constraints.txt $(ARGS)

clean: ## remove what the other targets made
	rm -rf $(VENV) rehearsal .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/made.done:
	@python=$$(.ci/find-python) && echo "Making $(VENV) with $$python" && \
	"$$python" -m venv --clear $(VENV)
	@touch $@

$(VENV)/demo.done: $(VENV)/made.done requirements.txt worker/requirements.txt constraints.txt \
		examples/nuclei/requirements.txt examples/nuclei/pyproject.toml
	@echo "Installing what the demo needs into $(VENV): about a minute"
	@$(PIP) -r requirements.txt -r examples/nuclei/requirements.txt
	@touch $@

$(VENV)/develop.done: $(VENV)/demo.done requirements-dev.txt
	@echo "Installing what the tests need into $(VENV): about a minute"
	@$(PIP) -r requirements-dev.txt
	@touch $@
