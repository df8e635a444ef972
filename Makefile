# Needs Python 3.11 or newer and make. Every target makes its own virtual environment first; pip's own settings apply.
#   make demo    the main job on this machine, without a server       make test    the test suite
#   make check   everything that CI asks for                          make docs    write generated parts of docs/ anew
#   make faults  run the fault matrix and write what it saw into docs/faults
#   make schemas rebuild the model plugin from its PDL (needs Maven and JDK 17)

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= auto

# Absolute, so that a target may run a script that starts others.
BIN := $(abspath $(VENV))/bin
export DATAHUB_TELEMETRY_ENABLED := false
export ANONYMIZED_TELEMETRY := False

.PHONY: help demo test check static probes format lint types imports docs docs-check faults clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#   /  /p' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.demo
	@$(BIN)/python examples/demo/run.py

test: $(VENV)/.test $(VENV)/.engines
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8

check: static probes test

# Everything of `make check` that runs no test.
static: format lint types imports docs-check schemas-check

# Environments that hold one framework each, of its oldest and its newest version, for tests/hooks/test_probes.py.
# Spark's is left out, of 600 MB and in need of Java: `make probes BY_HAND=` makes it too.
BY_HAND := spark
PROBES := $(patsubst tests/hooks/probes/%.txt,$(VENV)/probes/%/.made,\
	$(filter-out $(BY_HAND:%=tests/hooks/probes/%.txt),$(wildcard tests/hooks/probes/*.txt)))

probes: $(VENV)/.test
	@$(MAKE) --no-print-directory -j 4 $(PROBES)

$(VENV)/probes/%/.made: tests/hooks/probes/%.txt | $(VENV)/bin/python
	@echo "Installing $* into $(@D) ..."
	@$(BIN)/python -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

format: $(VENV)/.check
	$(BIN)/ruff format --check .

lint: $(VENV)/.check
	$(BIN)/ruff check .

types: $(VENV)/.check
	$(BIN)/mypy

imports: $(VENV)/.check
	$(BIN)/lint-imports

docs: $(VENV)/.test
	$(BIN)/python docs/generate.py

faults: $(VENV)/.test
	WRITE_FAULTS=1 $(BIN)/python -m pytest -q tests/faults/test_matrix.py
	$(BIN)/python docs/generate.py

docs-check: $(VENV)/.test
	$(BIN)/python docs/generate.py --check

clean:
	rm -rf demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# One stamp for each extra: a second call is instant, a changed pyproject.toml installs anew.
# An extra contains the ones named after it, so their stamps are set with it.
$(VENV)/.check: INCLUDES := .test .demo
$(VENV)/.test: INCLUDES := .demo
$(VENV)/.demo: INCLUDES :=

$(VENV)/.demo $(VENV)/.test $(VENV)/.check: pyproject.toml | $(VENV)/bin/python
	@echo "Installing what 'make $(subst .,,$(@F))' needs into $(VENV) (once, a minute or two) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(subst .,,$(@F))]'
	@touch $@ $(addprefix $(VENV)/,$(INCLUDES))

# Engines of tests whose packages, or those that write into them, need other versions than ours: each in a virtual
# environment of its own. Where they cannot be installed the tests say so, and skip what needs them.
ENGINE_milvus := 'milvus==2.3.5' 'pymilvus>=3,<4' 'langchain-milvus>=0.4,<1'
ENGINE_pymilvus-2.6 := 'pymilvus==2.6.7' 'llama-index-vector-stores-milvus>=1.2,<2' 'pydantic>=2.4' 'requests>=2.31'

$(VENV)/.engines: Makefile | $(VENV)/bin/python
	@echo "Installing engines of tests into $(VENV)/engines (once, a minute or two) ..."
	@{ $(MAKE) --no-print-directory VENV=$(VENV) engine-milvus engine-pymilvus-2.6 \
		&& $(BIN)/../engines/milvus/bin/python -c "import milvus, sys; milvus._initialize_data_files(sys.prefix + '/server')" \
		&& touch $@; } || echo "Not all could be installed: the tests that need them are skipped." >&2

engine-%: | $(VENV)/bin/python
	@$(BIN)/python -m venv $(VENV)/engines/$*
	@$(VENV)/engines/$*/bin/python -m pip install --quiet --disable-pip-version-check $(ENGINE_$*)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

include schemas/schemas.mk
