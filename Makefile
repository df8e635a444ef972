# Needs Python 3.11 or newer and make. Every target makes its own virtual environment first, from uv.lock.
#   make demo     the main job on this machine, without a server     make test     the test suite, with all its engines
#   make quick    before a commit: format, lint, types, imports, unit tests
#   make check    everything that CI asks for                        make thorough the same, more examples of each property
#   make docs     write generated parts of docs/ anew                make faults   run the fault matrix, write docs/faults
#   make oracle   column lineage of random SQL against DuckDB, minutes
#   make lock     renew uv.lock                                      make lowest   the oldest dependencies that are allowed
#   make fuzz     random input for all that reads what others wrote, minutes
#   make coverage the tests, and which lines they do not run
#   make connector NAME=acme TITLE="Acme DB"  the skeleton of a connector, which docs/add-a-connector.md explains
#   make dist     build the package, and try it on the Pythons of PYTHONS, each in an empty environment
#   make site     build the documentation as a site, in build/site
#   make schemas  rebuild the model plugin from its PDL (needs Maven and JDK 17)

PYTHON ?= python3
VENV ?= .venv
# Most tests wait, for a fault to pass, for a server or for a process: four processes share a core. Each needs 1.5 GB.
WORKERS ?= $(shell $(PYTHON) tools/workers.py)

# Absolute, so that a target may run a script that starts others.
BIN := $(abspath $(VENV))/bin
# A tool of this repository alone: whatever uv the machine has, or has not, this one reads the lock file.
UV_VERSION := >=0.9,<1
UV := $(dir $(abspath $(VENV))).uv/bin/uv
export UV_PROJECT_ENVIRONMENT := $(abspath $(VENV))
# Only the Python that was asked for: nothing is downloaded from elsewhere than the package index.
export UV_PYTHON_DOWNLOADS := never
# Tests start hundreds of processes: what one has compiled the next one loads. Empty is unset.
export PYTHONDONTWRITEBYTECODE :=
export DATAHUB_TELEMETRY_ENABLED := false
export ANONYMIZED_TELEMETRY := False

.PHONY: help demo test fuzz check quick thorough coverage static lock lowest environments format lint types imports spelling connector docs docs-check faults oracle dist site clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#   /  /p' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.demo
	@$(BIN)/python examples/demo/run.py

test: environments
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8

# The development group has that of the tests in it: one installation.
check: $(VENV)/.dev static test

# All examples of each property, at random; the gate tries a third of them, always the same.
thorough: export HYPOTHESIS_PROFILE := full
thorough: check

# Fails below the floor in pyproject.toml.
coverage: $(VENV)/.dev environments
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --cov --cov-report=term

# Compares the column lineage of random SQL with what DuckDB does; fails for a wrong edge. Takes minutes.
ORACLE_QUERIES ?= 2000
oracle: $(VENV)/.dev
	$(BIN)/python tools/sql_oracle.py $(ORACLE_QUERIES)

# Random input for everything that reads what others wrote. FUZZ_SECONDS is the time of each of a dozen tests.
fuzz: export FUZZ_SECONDS ?= 120
fuzz: environments
	$(BIN)/python -m pytest -q -m fuzz -n $(WORKERS) --maxprocesses 8 --timeout 900 tests/fuzz

quick: format lint types imports
	$(BIN)/python -m pytest -q -m unit -n $(shell expr $(WORKERS) / 2)

# Everything of `make check` that runs no test.
static: format lint types imports spelling schemas-check

format: $(VENV)/.dev
	$(BIN)/ruff format --check .

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

spelling: $(VENV)/.dev
	$(BIN)/codespell

connector: $(VENV)/.dev
	@$(BIN)/python tools/connector/new.py $(NAME) $(if $(TITLE),--title "$(TITLE)")

docs: $(VENV)/.test
	$(BIN)/python docs/generate.py

docs-check: $(VENV)/.test
	$(BIN)/python docs/generate.py --check

faults: $(VENV)/.test
	WRITE_FAULTS=1 $(BIN)/python -m pytest -q tests/faults/test_matrix.py
	$(BIN)/python docs/generate.py

# What a release publishes, proven to install and run without the checkout.
PYTHONS ?= 3.11 3.12 3.13
dist: $(VENV)/.dev
	$(BIN)/python tools/distribution/check.py --uv $(UV) --out dist $(PYTHONS)

# The site's generator has an environment of its own, from the lock file too. A broken link or anchor fails it.
$(VENV)/environments/site/.made: pyproject.toml uv.lock | $(VENV)/bin/python
	@echo "Installing what builds the site into $(@D) ..."
	@UV_PROJECT_ENVIRONMENT=$(abspath $(@D)) $(UV) sync --quiet --locked --python $(BIN)/python --only-group site
	@touch $@

site: $(VENV)/environments/site/.made
	$(VENV)/environments/site/bin/python tools/site.py
	$(VENV)/environments/site/bin/zensical build --strict --clean --config-file build/mkdocs.yml

clean:
	rm -rf demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

lock: | $(UV)
	$(UV) lock --upgrade

# Installs the oldest dependencies that pyproject.toml allows, and loads everything that is registered.
lowest: LOWEST := $(VENV)/environments/lowest
lowest: $(VENV)/bin/python
	@$(UV) venv --quiet --clear --python $(BIN)/python $(LOWEST)
	@$(UV) pip install --quiet --python $(LOWEST) --resolution lowest-direct --editable '.[all]' \
		'hypothesis>=6.100' 'pytest>=8' 'pytest-timeout>=2.3' 'pytest-xdist>=3.6'
	$(LOWEST)/bin/python -m pytest -q tests/test_inventory.py tests/test_imports.py

# One stamp for each group of dependencies: a second call is instant, a changed lock file installs anew.
# A group contains the ones named after it, so their stamps are set with it.
$(VENV)/.dev: INCLUDES := .test .demo
$(VENV)/.test: INCLUDES := .demo
$(VENV)/.demo: INCLUDES :=

$(VENV)/.demo $(VENV)/.test $(VENV)/.dev: pyproject.toml uv.lock | $(VENV)/bin/python
	@echo "Installing what '$(subst .,,$(@F))' needs into $(VENV) (once, a minute or two) ..."
	@$(UV) sync --quiet --locked --no-default-groups --group $(subst .,,$(@F))
	@touch $@ $(addprefix $(VENV)/,$(INCLUDES))

# Environments of packages whose versions clash with ours: the oldest and newest frameworks, engines and what writes
# into them. Where one cannot be installed the tests say so, and skip what needs it. Spark's is left out, of 600 MB and
# in need of Java: `make environments BY_HAND=` makes it too.
BY_HAND := spark
ENVIRONMENTS := $(patsubst tests/environments/%.txt,$(VENV)/environments/%/.made,\
	$(filter-out $(BY_HAND:%=tests/environments/%.txt),$(wildcard tests/environments/*.txt)))

environments: $(VENV)/bin/python
	@$(MAKE) --silent --no-print-directory -j 4 $(VENV)/.test $(ENVIRONMENTS) $(VENV)/.compiled

# Each process of the tests would compile all of them, and all that they import, for itself at the same time.
$(VENV)/.compiled: $(VENV)/.test
	@$(BIN)/python -m pytest --collect-only -qq > /dev/null 2>&1 || true
	@touch $@

$(VENV)/environments/%/.made: tests/environments/%.txt | $(VENV)/bin/python
	@echo "Installing $* into $(@D) ..."
	@$(UV) venv --quiet --clear --python $(BIN)/python $(@D)
	@{ $(UV) pip install --quiet --python $(@D) --requirement $< && { :; $(PREPARE_$*) } && touch $@; } \
		|| echo "$* could not be installed: the tests that need it are skipped." >&2

# Unpacks the server once: it takes longer than its start.
PREPARE_milvus := $(VENV)/environments/milvus/bin/python -c \
	"import milvus, sys; milvus._initialize_data_files(sys.prefix + '/server')";

# Fills the server's database once: it takes longer than the start of the server.
PREPARE_mlflow := $(VENV)/environments/mlflow/bin/python tests/prompt_registries/mlflow/seed.py \
	$(VENV)/environments/mlflow > /dev/null 2>&1;
PREPARE_phoenix := $(VENV)/environments/phoenix/bin/python tests/prompt_registries/phoenix/seed.py \
	$(VENV)/environments/phoenix > /dev/null 2>&1;

$(VENV)/bin/python: | $(UV)
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(dir $(UV))..
	@$(dir $(UV))python -m pip install --quiet --disable-pip-version-check 'uv$(UV_VERSION)'

include schemas/schemas.mk
