# `make` lists the targets. Every one brings what it needs; see docs/development.md.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# What scripts/setup brought comes after the machine's own programs.
export PATH := $(PATH):$(CURDIR)/.tools/bin
# The SQL is checked against .sqlx/, not against a database that happens to be named.
export SQLX_OFFLINE := true
# A gate asks the same questions of every change; `make test PROPTEST_RNG_SEED=$$RANDOM` asks others.
export PROPTEST_RNG_SEED ?= 20261122

# Tests of the whole system need every program. Once they are built, the servers are started by the one that is there:
# building it alone would compile its dependencies again with other features.
TARGET = $$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')

# More arguments for the test runner, as in: make test TEST='-p caffeine-bus redelivery'
TEST ?= --workspace
WITH_SERVERS = cargo run --quiet --locked --package caffeine-servers --bin caffeine-with-servers --

.PHONY: help setup setup-tests build test chaos lint fuzz generate demo web screens up bench-kills bench-fairness clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Bring the servers and the cargo tools into .tools/
	@scripts/setup

setup-tests:
	@scripts/setup tests

build: setup ## Build everything
	cargo build --locked --workspace --all-targets

# Seconds per target, and which targets (all), as in: make fuzz FUZZ_SECONDS=60 FUZZ_TARGET='sse manifest'
FUZZ_SECONDS ?= 600
FUZZ_TARGET ?=

# Other people's implementations of protocols that tests cannot reach.
FAKES = tests/fakes/node_modules/.package-lock.json
$(FAKES): tests/fakes/package-lock.json
	npm ci --prefix tests/fakes --no-audit --no-fund --loglevel error
	@touch $@

# The web interface. A debug build reads web/dist while it runs, a release has it built in.
WEB_MODULES = web/node_modules/.package-lock.json
$(WEB_MODULES): web/package-lock.json
	npm ci --prefix web --no-audit --no-fund --loglevel error
	@touch $@

web/dist/index.html: $(WEB_MODULES) $(shell find web/src web/public web/build web/index.html web/vite.config.ts -type f)
	npm --prefix web run --silent build

web: web/dist/index.html ## Build the web interface and print what each page loads

# Programs for a browser to look at; only the whole of `make test` does.
WITH_BROWSER = E2E_PROGRAMS="$(TARGET)/debug" npm --prefix web run --silent

test: setup-tests $(FAKES) web ## Run every test with throw-away servers (TEST='…' for some)
	cargo build --locked --workspace --bins
	"$(TARGET)/debug/caffeine-with-servers" -- cargo nextest run --locked --no-fail-fast $(TEST)
	$(if $(filter --workspace,$(TEST)),npm --prefix web run --silent test)
	$(if $(filter --workspace,$(TEST)),$(WITH_BROWSER) e2e)

screens: setup-tests web ## Photograph every page, by day and by night, wide and narrow, into docs/screens
	cargo build --locked --workspace --bins
	$(WITH_BROWSER) screens

# Rows of the fault matrix and seeds of each; every row its own number of seeds if not given. OLD is a commit: row 19
# runs its programs beside the present ones. They are built once, into .tools/old/<commit>.
ROWS ?=
SEEDS ?=
OLD ?=

chaos: setup-tests $(FAKES) ## Run the fault matrix (ROWS=1,4 SEEDS=3 for some, OLD=commit for a rolling upgrade)
	cargo build --locked --workspace --bins
	OLD_BIN_DIR="$$([ -z "$(OLD)" ] || scripts/old-programs "$(OLD)")" CHAOS_ROWS="$(ROWS)" CHAOS_SEEDS="$(SEEDS)" \
		cargo test --locked --quiet --workspace --test chaos

lint: setup $(WEB_MODULES) ## Check format, clippy, licences, dependency edges, scripts and generated files
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo deny --offline --log-level error check licenses bans sources
	scripts/check-edges
	python3 -m unittest discover --quiet scripts/tests
	$(WITH_SERVERS) scripts/generate --check
	npm --prefix web run --silent generate -- --check
	npm --prefix web run --silent check

fuzz: ## Feed invented bytes to every parser of foreign input (FUZZ_SECONDS=600 each, FUZZ_TARGET='…' for some)
	@scripts/setup fuzz
	@scripts/fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_TARGET)

generate: setup $(WEB_MODULES) ## Renew generated files
	$(WITH_SERVERS) scripts/generate
	npm --prefix web run --silent generate

demo: setup ## Document a repository (REPO=path or address; this project if not given)
	@scripts/demo

up: setup ## Leave everything running until Ctrl-C and print the addresses
	cargo run --locked --package caffeine -- up --data .run/up

bench-kills: ## Kill workers and brokers, this system's and the older stack's (12 min, release build first)
	@bench/kills

bench-fairness: ## 200 repositories at once, one of them with 20,000 files (8 min, release build first)
	@bench/fairness

clean: ## Remove what runs left behind; .tools/ and the build stay
	rm -rf .run
