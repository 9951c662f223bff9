# make demo | test | campaign | ui | lint | wheel | bench: each sets up .venv from requirements.lock first.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test campaign ui lint wheel bench clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv -q --allow-existing --python $(PYTHON) $(VENV) && \
	  uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock && \
	  uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock && \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@# Where Python is told not to write bytecode, every process would compile the project anew.
	@$(BIN)/python -m compileall -q assets delta pipelines resources trading
	@touch $@

demo: setup
	@$(BIN)/desk demo

# The tests write thousands of small files through to the disk: a tenth quicker in memory, where there is room.
IN_MEMORY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 {print "TMPDIR=/dev/shm"}')

test: setup
	@$(IN_MEMORY) $(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder

# Orders under faults and deaths of the job, a thousand seeded trials: what decides a landing plays them all.
campaign: setup
	@$(IN_MEMORY) $(BIN)/python -m tests.faults.placing_trials --trials 1000

ui: setup
	@$(BIN)/desk ui

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: setup
	@rm -rf dist && $(BIN)/python -m build --wheel --no-isolation

# The other engines live in an environment of their own: they are compared with, never depended on.
.venv-engines/.ready: benchmarks/requirements.lock
	@$(PYTHON) -m venv .venv-engines
	@.venv-engines/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

bench: setup .venv-engines/.ready
	$(BIN)/python -m benchmarks.backfill
	$(BIN)/python -m benchmarks.daily
	$(BIN)/python -m benchmarks.commands
	$(BIN)/python -m benchmarks.market_reads
	$(BIN)/python -m benchmarks.rebalance --engines .venv-engines/bin/python
	$(BIN)/python -m benchmarks.gateway_latency

clean:
	rm -rf $(VENV) .venv-engines dist build
