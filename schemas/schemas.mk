# Included by the Makefile at the top, after it has set BIN and VENV.
# Only changes to the schemas need Maven and a JDK, because everything generated is committed.
#   make schemas          rebuild the model plugin, and generate everything from the PDL
#   make schemas-check    do the same, and compare the result with the committed files; part of `make check`
#   make schemas-release  keep the current schemas as released, once for every published version
.PHONY: schemas schemas-build schemas-check schemas-release

MVN ?= mvn

schemas: schemas-build $(VENV)/.dev
	$(BIN)/python schemas/generate.py

# The Java tests run in the same build, on the zip that it has made.
schemas-build:
	@command -v $(MVN) >/dev/null 2>&1 || { echo "Maven is missing: install Maven 3.8 or newer and JDK 17 (Debian: apt install maven openjdk-17-jdk-headless). Only changing schemas/ needs them." >&2; exit 1; }
	@command -v "$${JAVA_HOME:+$$JAVA_HOME/bin/}javac" >/dev/null 2>&1 || { echo "A JDK is missing: install JDK 17 (Debian: apt install openjdk-17-jdk-headless) and set JAVA_HOME to it. Only changing schemas/ needs it." >&2; exit 1; }
	$(MVN) -q -B -ntp -f schemas/pom.xml clean verify

schemas-check: $(VENV)/.dev
	@if command -v $(MVN) >/dev/null 2>&1; then \
	  $(MAKE) --no-print-directory schemas-build && $(BIN)/python schemas/generate.py --check && echo "schemas: rebuilt, tested, and up to date"; \
	else \
	  echo "schemas: Maven is missing, so the model plugin was neither rebuilt nor compared"; \
	fi

schemas-release: schemas-build $(VENV)/.dev
	$(BIN)/python schemas/generate.py --release
