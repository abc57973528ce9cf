# Every target sets up what it needs; README, CI and people use the same ones.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help setup run up test fuzz lint format bench bench-aliases bench-report release-check derived schemas lock clean

help: ## this page
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(STAMP) ## a virtual environment in .venv with the locked dependencies and `.venv/bin/seamline`

$(STAMP): requirements.lock pyproject.toml
	@echo "setting up $(VENV) (first time: a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: setup ## replay a recorded day, print what was stitched, serve the demo shop (ARGS=--exit ends after printing)
	@$(BIN)/seamline demo $(ARGS)

up: setup ## every stage in one place, empty, on port 8080
	@$(BIN)/seamline up $(ARGS)

test: setup ## the whole suite; what this machine lacks says why it is skipped and how to get it
	@$(BIN)/python -m pytest $(ARGS)

fuzz: setup ## a hundred thousand requests nobody thought of, on every tracker's paths (half an hour)
	@SEAMLINE_FUZZ_EXAMPLES=100000 $(BIN)/python -m pytest --timeout 0 tests/protocols/test_any_input.py $(ARGS)

lint: setup ## ruff, import contracts, types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports && $(BIN)/mypy

format: setup ## let ruff put the code in order
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

bench: setup ## first figures: ingest, stitch, sink, and `seamline up` end to end
	@$(BIN)/python -m tests.benchmarks $(ARGS)

bench-aliases: setup ## one workspace of ten million aliases: rate, memory, reload, price of a report (a quarter of an hour)
	@$(BIN)/python -m tests.benchmarks.aliases

bench-report: setup ## what each report takes over a hundred million actions (long; SEAMLINE_BENCH_ACTIONS=200000 is a try)
	@$(BIN)/python -m tests.benchmarks.report $(ARGS)

release-check: setup ## build wheel and sdist, install the wheel where nothing else is, run it there, write the SBOM
	@$(BIN)/python -m tests.release.check $(ARGS)

derived: setup ## rewrite what is made of code: dashboards, the operator's alerts, the table of settings
	@$(BIN)/python -m deploy.derived

schemas: setup ## regenerate schemas/*.schema.json from pipeline/model.py
	@$(BIN)/python -m pipeline.schema schemas

lock: ## resolve requirements.lock, and the image's part of it, anew from pyproject.toml (needs uv)
	@uv pip compile pyproject.toml --group dev --extra otel --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate -q -o requirements.lock
	@echo 'chdb ; python_version < "3"' | uv pip compile pyproject.toml --extra otel -c requirements.lock --override - --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate -q -o deploy/image.lock
	@echo hatchling | uv pip compile - -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate -q -o deploy/build.lock

clean: ## remove what setup, tests and runs made
	@rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis seamline-data
