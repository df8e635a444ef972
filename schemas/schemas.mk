# Included by the Makefile at the top, which sets PYTHON to the interpreter of the development environment.
# Nobody needs Maven or a JDK but who changes the schemas: everything that is generated is committed.
.PHONY: schemas schemas-build schemas-check schemas-release

PYTHON ?= .venv/bin/python
MVN ?= mvn

schemas: schemas-build
	$(PYTHON) schemas/generate.py

# The Java tests run in the same build, on the zip that it has made.
schemas-build:
	@command -v $(MVN) >/dev/null 2>&1 || { echo "Maven is missing: install Maven 3.8 or newer and JDK 17 (Debian: apt install maven openjdk-17-jdk-headless). Only changing schemas/ needs them." >&2; exit 1; }
	@command -v $${JAVA_HOME:+$$JAVA_HOME/bin/}javac >/dev/null 2>&1 || { echo "A JDK is missing: install JDK 17 (Debian: apt install openjdk-17-jdk-headless) and set JAVA_HOME to it. Only changing schemas/ needs it." >&2; exit 1; }
	$(MVN) -q -B -ntp -f schemas/pom.xml clean verify

# For `make check`: fails when something is stale. Without Maven it says so and passes.
schemas-check:
	@if command -v $(MVN) >/dev/null 2>&1; then \
	  $(MAKE) --no-print-directory schemas-build && $(PYTHON) schemas/generate.py --check && echo "schemas: built, tested, nothing stale"; \
	else \
	  echo "schemas: Maven is missing, so the model plugin was not rebuilt and compared"; \
	fi

# Once for every version of the schemas that is published.
schemas-release: schemas-build
	$(PYTHON) schemas/generate.py --release
