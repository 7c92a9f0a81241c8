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

.PHONY: help setup setup-tests build test api-test streams-test chaos lint fuzz generate demo web screens up compose-test chart-check chart-test bench-kills bench-fairness bench-search clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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

PYTHON_FAKES = .tools/fakes/requirements.txt
$(PYTHON_FAKES): tests/fakes/requirements.txt
	[ -x .tools/fakes/bin/python ] || python3 -m venv .tools/fakes
	.tools/fakes/bin/python -m pip install --quiet --disable-pip-version-check --no-input --requirement $<
	@cp $< $@

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

test: setup-tests $(FAKES) $(PYTHON_FAKES) web ## Run every test with throw-away servers (TEST='…' for some)
	cargo build --locked --workspace --bins
	"$(TARGET)/debug/caffeine-with-servers" -- cargo nextest run --locked --no-fail-fast $(TEST)
	$(if $(filter --workspace,$(TEST)),npm --prefix web run --silent test)
	$(if $(filter --workspace,$(TEST)),$(WITH_BROWSER) e2e)

screens: setup-tests web ## Photograph every page, by day and by night, wide and narrow, into docs/screens
	cargo build --locked --workspace --bins
	$(WITH_BROWSER) screens

# Seconds in which the interface is asked for things that nobody would think of, as in: make api-test API_TEST_SECONDS=60
API_TEST_SECONDS ?= 300

api-test: setup-tests $(PYTHON_FAKES) ## Ask the interface for five minutes what its description allows and what not
	cargo build --locked --workspace --bins
	API_TEST_SECONDS="$(API_TEST_SECONDS)" "$(TARGET)/debug/caffeine-with-servers" -- \
		cargo nextest run --locked --workspace --no-capture -E 'test(answers_are_as_described_whatever_is_asked)'

# How many event streams of how many runs, as in: make streams-test STREAMS=200 RUNS=10
STREAMS ?= 1000
RUNS ?= 50

streams-test: setup-tests ## Follow 50 runs with 1,000 event streams while the gateway is killed and stopped (3 min)
	cargo build --locked --workspace --bins
	cargo test --locked --quiet --workspace --test streams --no-run
	STREAMS="$(STREAMS)" RUNS="$(RUNS)" "$(TARGET)/debug/caffeine-with-servers" -- \
		cargo test --locked --quiet --workspace --test streams

# Rows of the fault matrix and seeds of each; every row its own number of seeds if not given. OLD is a commit: row 19
# runs its programs beside the present ones. They are built once, into .tools/old/<commit>.
ROWS ?=
SEEDS ?=
chaos: OLD ?= $(if $(findstring 19,$(or $(ROWS),19)),12c82bf)

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
	deploy/test/setup && deploy/k8s/render --check && deploy/observability/generate-dashboards --check
	npm --prefix web run --silent generate -- --check
	npm --prefix web run --silent check

fuzz: ## Feed invented bytes to every parser of foreign input (FUZZ_SECONDS=600 each, FUZZ_TARGET='…' for some)
	@scripts/setup fuzz
	@scripts/fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_TARGET)

generate: setup $(WEB_MODULES) ## Renew generated files
	$(WITH_SERVERS) scripts/generate
	deploy/observability/generate-dashboards && deploy/test/setup && deploy/k8s/render
	npm --prefix web run --silent generate

demo: setup ## Document a repository (REPO=path or address; this project if not given)
	@scripts/demo

up: setup web ## Leave everything running until Ctrl-C and print the addresses
	cargo run --locked --package caffeine -- up --data .run/up

# Ready programs to make images from, as $(PROGRAMS)/caffeine; a debug build serves for trying.
PROGRAMS ?= $(TARGET)/debug

compose-test: setup $(FAKES) web ## Install on one server with podman, from nothing, and try what it promises (as root)
	deploy/test/setup containers
	[ -n "$(findstring PROGRAMS,$(MAKEOVERRIDES))" ] || cargo build --locked --workspace --bins
	deploy/test/images "$(PROGRAMS)"
	.tools/operate/bin/python deploy/test/compose_test.py

chart-check: setup ## Lint, render and validate the chart; test alerts, dashboards and Compose files (half a minute, no containers)
	deploy/test/setup chart
	[ -n "$(findstring PROGRAMS,$(MAKEOVERRIDES))" ] || cargo build --locked --workspace --bins
	CAFFEINE="$(PROGRAMS)/caffeine" .tools/operate/bin/python deploy/test/chart_test.py
	CAFFEINE="$(PROGRAMS)/caffeine" .tools/operate/bin/python deploy/test/chart_hardening_test.py
	CAFFEINE="$(PROGRAMS)/caffeine" .tools/operate/bin/python deploy/test/examples_test.py
	.tools/operate/bin/python deploy/test/observability_test.py
	.tools/operate/bin/python deploy/test/files_test.py

chart-test: chart-check web ## The same, and run the chart's Deployments with podman, each replaced under load (as root)
	deploy/test/setup containers
	deploy/test/images "$(PROGRAMS)"
	.tools/operate/bin/python deploy/test/kube_test.py

bench-kills: ## Kill workers and brokers, this system's and the older stack's (12 min, release build first)
	@bench/kills

bench-fairness: ## 200 repositories at once, one of them with 20,000 files (12 min, release build first)
	@bench/fairness

# Whose programs are the other side: a commit, built once into .tools/old/<commit>.
bench-search: ## How well the search finds what is known to be there (5 min; OLD=commit for two sides, of debug builds)
	@bench/search $(if $(OLD),--debug --against "$$(scripts/old-programs "$(OLD)")")

clean: ## Remove what runs left behind; .tools/ and the build stay
	rm -rf .run
