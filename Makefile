# Each target is one line over the locked tools. `make demo` and `make test` do all their own set-up on Debian 12 with Python 3.11.
SHELL := /bin/bash
# A Python that every uid may read, where there is one: the sandbox starts it as another user.
export PYTHON ?= $(firstword $(wildcard /usr/bin/python3.11) python3.11)
export SWATH_DATA ?= $(CURDIR)/.swath/data
BIN := .venv/bin
# Bytecode compiled once is seconds saved at every start of a process, in tests too.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo up down setup setup-test test lint types chaos reproduce machine fuzz bench docs lock
help:        ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

setup:
	@setup/system.sh && setup/python.sh && setup/web.sh && $(BIN)/python kernels/environments/build.py eo --uv .tools/bin/uv --python $(PYTHON) --target $(SWATH_DATA)/environments/eo

setup-test: setup
	@setup/system.sh test

demo: setup  ## the main job, from a notebook to a service that a second user calls, on real satellite data
	@$(BIN)/python demo/demo.py

up: setup    ## start Swath and stay; Ctrl-C ends it
	@$(BIN)/python demo/demo.py --stay

down:        ## end a Swath that `make up` left running
	@$(BIN)/swath down

# In the order of the folders: what takes longest is begun first, and the quick unit tests fill the end.
test: setup-test  ## every test (ARGS="-k name" narrows)
	@$(BIN)/python -m pytest -n 5 --dist loadgroup --no-loadscope-reorder $(ARGS)

lint: setup  ## ruff and the directions of imports
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

types: setup ## mypy, strict
	@$(BIN)/mypy

chaos: setup  ## kill -9 at random under load; every run must end truthfully (ARGS="--kills 200")
	@$(BIN)/python tests/chaos/kill9.py --python $(SWATH_DATA)/environments/eo/bin/python $(ARGS)

reproduce: setup-test  ## real runs reproduced: is every verdict right, and its cause named? (ARGS="--runs 100")
	@$(BIN)/python tests/chaos/reproduce100.py $(ARGS)

machine: setup-test  ## the quota against a model of it, many random stories; prints its seed (ARGS="--examples 10000 --database sqlite")
	@$(BIN)/python tests/contract/quota/machine.py $(ARGS)

fuzz: setup-test  ## the marketplace under requests that nobody thought of (ARGS="--examples 200")
	@$(BIN)/python tests/contract/marketplace/fuzz.py $(ARGS)

bench: setup-test  ## figures, each beside a peer or a floor in the same run
	@$(BIN)/python bench/bench.py $(ARGS)

docs: setup  ## the documentation as HTML, in build/docs; links checked
	@$(BIN)/sphinx-build -q -W --keep-going -b html docs build/docs && $(BIN)/python docs/check_links.py build/docs && echo build/docs/index.html

lock: setup  ## resolve the locks anew; no host stands in them
	@setup/lock.sh
