# Two commands do everything on a fresh machine with Python 3.11+ and make: `make demo` and `make test`.
# All paths are relative, so the checkout may lie anywhere, also under a path with spaces.

SHELL := /bin/sh
BIN := .venv/bin
PY := $(BIN)/python

# Else each process of the tests would compile squids, and the tests, again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help venv node demo test test-slow test-systemd test-faults lint format types imports pytest coverage docs bench bench-short tables units clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

venv:  ## make .venv and install squids with its development tools in it
	@sh scripts/make-venv dev

node: venv
	@$(PY) scripts/install_node_modules.py

demo:  ## start a local SQS server, send work, run the consumer, show the work being done
	@sh scripts/make-venv local
	@$(PY) examples/demo.py

test: lint types imports pytest  ## lint, types, import rules and tests (under three minutes)

lint: venv  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: venv  ## ruff: mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: venv  ## mypy: strict, but that tests may leave out annotations
	$(PY) -m mypy

imports: venv  ## import rules: who may import whom
	$(BIN)/lint-imports --no-cache

pytest: venv node  ## all tests but the slow, those of faults and those under systemd
	$(PY) -m pytest --ignore=tests/systemd --ignore=tests/faults -m "not slow" -n 8 --maxschedchunk 1

test-slow: venv node  ## storms of kills, reloads, what waits for long (under four minutes)
	$(PY) -m pytest --ignore=tests/systemd --ignore=tests/faults -m slow -n 8 --maxschedchunk 1

coverage: venv node  ## the same with coverage, also of child processes; takes twice as long
	$(PY) -m pytest --ignore=tests/systemd --ignore=tests/faults -n 4 --maxschedchunk 1 --cov --cov-report=term

docs: venv  ## build the documentation; a warning is an error
	$(PY) -m sphinx -n -W --keep-going -b html docs docs/_build/html

bench: venv node  ## the figures of the README
	$(PY) benchmarks/consume.py
	$(PY) benchmarks/supervise.py
	$(PY) benchmarks/reload.py

bench-short: venv node  ## the same, brief, as a check that they run
	$(PY) benchmarks/consume.py --short
	$(PY) benchmarks/supervise.py --short
	$(PY) benchmarks/reload.py --short

tables: venv  ## write the tables of docs/ again, from the options, keys, verbs and states
	PYTHONPATH=. $(PY) docs/option_table.py
	PYTHONPATH=. $(PY) docs/supervisor_tables.py

units: venv  ## write systemd/ again, from the installer's templates
	$(PY) -m squids.cli.systemd.shipped systemd

test-systemd: venv  ## the units under a real systemd, in a container (root on Debian; about five minutes)
	$(PY) -m pytest tests/systemd -ra -s --timeout 600

test-faults: venv node  ## kills, attacks, limits, clocks, hostile servers and messages (under 15 minutes; more as root)
	$(PY) -m pytest tests/faults -ra -n 4 --timeout 300

clean:  ## remove what the targets above made
	rm -rf .venv node_modules build dist htmlcov docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis .demo .coverage .coverage.*
