# `make help` lists what there is.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
# `make test PYTHON=python3.13` has a folder of its own, beside the usual one
VENV := $(if $(filter command line,$(origin PYTHON)),.venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'),.venv)
BIN := $(VENV)/bin
# One more than cores, as some wait for browsers and databases; a fourth makes all of them slower.
# The long tests wait more.
WORKERS := 3
test-long: WORKERS := 4
PYTEST_ARGS ?= -n $(WORKERS) --dist loadfile
PYTEST ?= $(BIN)/pytest
SOURCES := idp migrations tests bench examples

# What is asked of PostgreSQL through PgBouncer as well: races, locks, streams, the whole journey
POOLED := tests/journey tests/security/test_races.py tests/protocol/test_refresh.py \
  tests/protocol/test_code_flow.py tests/roster/test_command.py tests/roster/test_undo.py \
  tests/services/test_outbox.py tests/services/test_partitions.py tests/services/test_purge.py \
  tests/services/test_deliveries.py tests/services/test_prepared.py

# Debian 12's PostgreSQL is 15; of these what they may do otherwise: locks, partitions, the upgrade
# beside traffic, plans. deploy/compose.yaml has the first; the last is the newest.
NEWER_POSTGRESQL := 17 18
NEWER := tests/security/test_races.py tests/services/test_migrations.py tests/services/test_partitions.py \
  tests/services/test_upgrade_beside_traffic.py tests/services/test_prepared.py \
  tests/services/test_audit_kept.py tests/services/test_no_scans.py \
  tests/services/test_rows_touched.py tests/admin/test_search.py

# A test begins processes by the hundred: each would compile our source anew
unexport PYTHONDONTWRITEBYTECODE

# A pipe fails where its first command does
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo demo-reset test test-long test-each test-installs test-faults fuzz coverage lint format audit dist notes lock translations bench scale clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' \
	  | awk -F '\t' '{ printf "  make %-13s %s\n", $$1, $$2 }'

demo: $(VENV)/.with-demo ## Run the provider, two school portals and a mailbox, until Ctrl-C
	@$(BIN)/python -m examples.demo

demo-reset: $(VENV)/.with-demo ## Forget the demo's data, so that the next `make demo` starts anew
	@$(BIN)/python -m examples.demo --reset

test: $(VENV)/.with-test ## Every test, in the browser too, on SQLite and on PostgreSQL
	@PYTHON=$(PYTHON) tests/provision.sh
	$(PYTEST) $(PYTEST_ARGS)

test-long: $(VENV)/.with-test $(VENV)/.with-lint ## What takes long and rarely breaks: crashes, full disks, restarts
	@PYTHON=$(PYTHON) tests/provision.sh
	LONG=1 $(PYTEST) $(PYTEST_ARGS)

test-each: $(VENV)/.with-test ## The same with every test on SQLite and on PostgreSQL: twice the time
	@PYTHON=$(PYTHON) tests/provision.sh
	EACH_DATABASE=1 $(BIN)/pytest $(PYTEST_ARGS)
	EACH_DATABASE=1 LONG=1 $(BIN)/pytest $(PYTEST_ARGS)

test-installs: $(VENV)/.with-test $(VENV)/.with-installs ## Other software, fetched from its registry and built first
	@PYTHON=$(PYTHON) tests/provision.sh browser postgresql nginx pgbouncer apache deploy go rust java
	INSTALLS=1 PATH="$(CURDIR)/$(BIN):$$PATH" $(PYTEST) -n 3 --dist loadfile tests/installs
	POOLED=1 EACH_DATABASE=1 $(PYTEST) -n 2 --dist loadfile -k "not sqlite" $(POOLED)
	folder=$$(mktemp -d) && chmod 755 $$folder || exit; trap 'rm -rf "$$folder"' EXIT; \
	for version in $(NEWER_POSTGRESQL); do \
	  mkdir $$folder/$$version && programs=$$(tests/newer_postgresql.sh $$version $$folder/$$version) || exit; \
	  POSTGRESQL_PROGRAMS=$$programs EACH_DATABASE=1 $(PYTEST) -n 2 --dist loadfile -k "not sqlite" $(NEWER) || exit; \
	done

test-faults: $(VENV)/.with-test ## What is killed, full, away, upgraded or rotated under load: a quarter of an hour, a table
	@PYTHON=$(PYTHON) tests/provision.sh postgresql nginx pgbouncer compiler
	FAULTS=1 $(PYTEST) tests/faults

fuzz: $(VENV)/.with-test ## Thousands of requests at every address that programs call (FUZZ=2000 each)
	FUZZ=$(or $(FUZZ),2000) $(BIN)/pytest --timeout=7200 tests/conformance/test_openapi.py \
	  tests/conformance/test_openapi_live.py

coverage: $(VENV)/.with-test ## All tests, with every line they miss as HTML under htmlcov/
	$(BIN)/pytest $(PYTEST_ARGS) --cov=idp --cov-branch --cov-report=
	LONG=1 $(BIN)/pytest $(PYTEST_ARGS) --cov=idp --cov-branch --cov-append --cov-report=html \
	  --cov-report=term --cov-fail-under=95

lint: $(VENV)/.with-lint $(VENV)/.with-test ## Style, types, layers, templates
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy idp
	$(BIN)/lint-imports --no-logo
	$(BIN)/djlint --lint --quiet templates examples
	@# mails are laid out by hand: their white space is what mail programs show
	$(BIN)/djlint --check --quiet --extend-exclude templates/mail templates examples

format: $(VENV)/.with-lint ## Put the source into the agreed form
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

audit: $(VENV)/.with-lint ## Known weaknesses of the dependencies, and a bill of materials
	mkdir -p build
	$(BIN)/cyclonedx-py environment --output-file build/sbom.cdx.json $(VENV)
	@echo "The bill of materials is in build/sbom.cdx.json"
	@$(BIN)/python .ci/audit.py build/audit.json \
	  $(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip

dist: $(VENV)/.with-lint ## A wheel and a source archive to publish (REPOSITORY=https://… where the source is)
	@test -n "$(REPOSITORY)" || { echo "REPOSITORY=https://… in front says where the source is"; exit 2; }
	$(BIN)/python .ci/release.py "$(REPOSITORY)" dist
	$(BIN)/twine check --strict dist/*

notes: $(BIN)/python ## What CHANGELOG.md says of this version, for its release page (REPOSITORY=https://…, VERSION=)
	@test -n "$(REPOSITORY)" || { echo "REPOSITORY=https://… in front says where the source is"; exit 2; }
	@$(BIN)/python .ci/release.py --notes "$(REPOSITORY)" $(VERSION)

COMPILE_LOCK := build/uv/bin/uv pip compile --constraint constraints.txt --generate-hashes --universal \
  --python-version 3.11 --no-header --no-annotate --quiet

lock: ## What the provider and its wheel are built of, with the hash of each file, for images
	$(PYTHON) -m venv build/uv && build/uv/bin/pip install --quiet 'uv>=0.13,<0.14'
	@{ echo '# What the provider itself needs, each file by its hash: `pip install --require-hashes -r requirements.txt`.'; \
	  echo '# Made of setup.cfg and constraints.txt by `make lock`.'; \
	  $(COMPILE_LOCK) setup.cfg --extra mtls --extra otel; } > build/requirements.txt
	@{ echo '# What builds its wheel, each file by its hash.'; \
	  echo '# Made of pyproject.toml and constraints.txt by `make lock`.'; \
	  $(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	    | $(COMPILE_LOCK) -; } > build/requirements-build.txt
	mv build/requirements.txt build/requirements-build.txt .

CATALOGUES := idp/translations

translations: $(VENV)/.with-test ## Take new sentences into the catalogues and compile them
	@mkdir -p build
	$(BIN)/pybabel -q extract --mapping-file=$(CATALOGUES)/babel.cfg --add-location=file \
	  --keywords=lazy_gettext --omit-header --width=100 --output-file=build/messages.pot .
	for language in fr nl de; do \
	  $(BIN)/pybabel -q update --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date \
	    --width=100 --input-file=build/messages.pot --locale=$$language \
	    --output-file=$(CATALOGUES)/$$language/LC_MESSAGES/messages.po || exit; \
	done
	$(BIN)/pybabel -q compile --directory=$(CATALOGUES)

bench: $(VENV)/.with-test ## Measure the provider with 2 workers beside this machine's limits
	@PYTHON=$(PYTHON) tests/provision.sh postgresql
	$(BIN)/python -m bench

scale: $(VENV)/.with-test ## The same asked of few and of many accounts (MANY=1000000); an upgrade beside traffic
	@PYTHON=$(PYTHON) tests/provision.sh postgresql
	$(BIN)/python -m bench.scale --many $(or $(MANY),100000)
	$(BIN)/python -m bench.upgrade --rows $(or $(MANY),100000)

clean: ## Remove what was made, but for the demo's data and the keys
	rm -rf $(VENV) build dist *.egg-info htmlcov .coverage .coverage.* \
	  .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@PYTHON=$(PYTHON) tests/provision.sh venv
	$(PYTHON) -m venv $(VENV)

# One stamp for each set of extras; a changed list of packages installs it again.
$(VENV)/.with-%: setup.cfg constraints.txt | $(BIN)/python
	@echo "Installing the project and what '$*' needs (a minute or two, the first time) …"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off \
	  --constraint constraints.txt --editable '.[$*]' \
	  | awk '/^Collecting/ { print "  " $$2; fflush() } /^Installing coll/ { print "  into $(VENV) …" }'
	@touch $@
