# Commands for people and CI. You can add settings to a command: make run API_PORT=8001

VENV := .venv/bin
PIPENV := PIPENV_DONT_LOAD_ENV=1 VIRTUAL_ENV="$(CURDIR)/.venv" .pipenv/bin/pipenv
# The version of pipenv is pinned, so that Pipfile.lock is always written and read in the same way.
PIPENV_VERSION := 2026.10.3

# Most tests spend half of their time waiting. So three processes run tests, each with its own brokers.
# --no-loadscope-reorder keeps the folders with the long tests first.
PYTEST := $(VENV)/python -m pytest --numprocesses 3 --dist loadgroup --no-loadscope-reorder
EXACTLY_ONCE := tests/integration/test_bounce.py tests/faults/test_services.py

.PHONY: help setup run demo test test-faults lint audit format bench screenshots lock clean tools

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 14

setup: .venv/locked ## install what is missing: system packages, brokers, Python packages, the chart library
	@python3 -m local install

run: setup ## run everything on this machine until Ctrl-C
	@$(VENV)/python -m local run

demo: ## kill the services of three designs while they work, and show what is lost (2 minutes; ARGS=--json)
	@# The output of setup is not part of the result.
	@$(MAKE) --no-print-directory setup >&2
	@$(VENV)/python -m demo $(ARGS)

test: setup tools ## run all tests, on real brokers (make test ARGS="-k sigterm")
	@# Some tests run twice: first with confluent-kafka and exactly-once, then with the defaults.
	$(if $(ARGS),,KAFKA_CLIENT=confluent-kafka DELIVERY=exactly-once $(PYTEST) $(EXACTLY_ONCE))
	$(PYTEST) $(ARGS)

test-faults: setup ## inject each fault several times under load, and print what was lost (45 minutes)
	$(VENV)/python -m pytest tests/faults --repeat 3 $(ARGS)

lint: .venv/locked ## check style, layers, types, and the files for CI and pre-commit
	$(VENV)/ruff check
	$(VENV)/ruff format --check
	$(VENV)/lint-imports
	$(VENV)/mypy
	$(VENV)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	$(VENV)/pre-commit validate-config

audit: .venv/locked ## look for known vulnerabilities of the packages, and for missing wheels
	@$(VENV)/python .ci/audit.py
	@$(VENV)/python .ci/wheels.py

format: .venv/locked ## format the code
	@# The formatter comes first, because it wraps lines that the check would call too long.
	$(VENV)/ruff format
	$(VENV)/ruff check --fix
	$(VENV)/ruff format

bench: setup ## compare the speed with two simpler designs (18 minutes), or with a commit (make bench ARGS="compare HEAD~1")
	$(VENV)/python -m benchmarks $(ARGS)

screenshots: setup tools ## take the screenshots in the documents again, from real runs
	$(VENV)/python -m tests.page.screenshots

lock: .venv/locked ## lock the newest versions that the Pipfile allows
	$(PIPENV) lock
	@# Removes the index from the lock, so that each machine uses pip's default index.
	$(VENV)/python -c "import json; lock = json.load(open('Pipfile.lock')); lock['_meta']['sources'] = []; \
		[p.pop('index', None) for s in ('default', 'develop') for p in lock[s].values()]; \
		open('Pipfile.lock', 'w').write(json.dumps(lock, indent=4, sort_keys=True) + '\n')"

clean: ## stop the brokers, delete their data, and remove what was installed in this folder
	python3 -m local stop
	rm -rf .venv .pipenv node_modules local/brokers/data local/brokers/jars

# Installs Chromium and promtool. Only tests and screenshots need these programs.
# Tests are skipped if they need a program that is missing.
tools:
	@command -v chromium >/dev/null || python3 -m local install chromium || echo "The page cannot be tested here."
	@command -v promtool >/dev/null || python3 -m local install prometheus || echo "The alert rules and the metrics cannot be tested here."

.venv/locked: Pipfile.lock .pipenv/bin/pipenv
	@echo "Installing the Python packages ..."
	@python3 -m venv .venv
	@$(PIPENV) sync --dev --quiet
	@touch $@

.pipenv/bin/pipenv:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, python3 is " + sys.version.split()[0] + ".")'
	@# On Debian, ensurepip is in a separate package, python3-venv.
	@python3 -c 'import ensurepip' 2>/dev/null || python3 -m local install python3-venv
	@echo "Installing pipenv ..."
	@python3 -m venv .pipenv
	@.pipenv/bin/pip install --quiet --disable-pip-version-check pipenv==$(PIPENV_VERSION)
