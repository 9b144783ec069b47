# Each target says in its comment what it does; `make` lists them.
export DATA ?= .data
export PORT ?= 8000
export PYTHON
export BROKER
ARGS ?=
# Byte code is kept: without it every process of a site and of the tests would compile all it imports, at every start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check lock screenshots bench clean mutation-board rehearse-year

help: ## This list
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## .venv with everything the requirements lock (PYTHON=... names an interpreter)
	@bin/setup dev

demo: ## The whole product with a finished and a running season (PORT=8000, DATA=.data, BROKER=exchange-double)
	@bin/setup
	@.venv/bin/python -m config.demo demo

run: ## The site as in production: DATABASE_URL, REDIS_URL and SECRET_KEY from the environment (PORT=8000)
	@bin/setup
	@.venv/bin/python -m config.demo run

test: ## All tests on a real PostgreSQL and Redis, the site in a real Chromium (ARGS="-k name")
	@bin/setup dev
	@.venv/bin/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder $(ARGS)

check: ## Format, lint, types, templates, image, composition, migrations
	@bin/setup dev
	@bin/check

screenshots: ## The README's pictures: the demo's stored season in the Chromium of the tests
	@bin/setup dev
	@.venv/bin/python -m tests.browser.pictures

bench: ## All benchmarks
	@bin/setup dev
	@bin/bench

bench-%: ## One benchmark: make bench-engine runs bench/engine.py (ARGS="..." is handed on to it)
	@bin/setup dev
	@ARGS="$(ARGS)" bin/bench $*

rehearse-year: ## Plays a year at the exchange on a made-up clock, with wipes and a backup put back (ARGS="--seed 7")
	@bin/setup dev
	@.venv/bin/python -m tests.simulation.year $(ARGS)

mutation-board: ## Takes each guard of the product away and shows how soon the simulator misses it (ARGS="lease")
	@bin/setup dev
	@.venv/bin/python -m tests.simulation.board $(ARGS)

lock: ## New lock files from the .in files (needs uv)
	@bin/lock

clean: ## Removes .venv, caches and what tests left; not the demo's data
	@bin/clean
