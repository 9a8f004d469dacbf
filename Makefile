# Every target needs Python 3.11 or later and nothing else; `make` alone lists them.

BIN := .venv/bin
STAMP := .venv/.installed
EXTRAS := stack,dev,judges,load
N ?= 40
FROM ?= 1
SHAPE ?= baseline
TO ?= 50
# processes of pytest for tests without servers; two more than cores, since many tests wait
JOBS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 2 )))
# they share the servers: what waits runs beside what computes; more than the cores can bear fails bounds in time
SERVER_JOBS ?= 3

# compiled modules are kept: without them each process of a test compiles what it imports, which takes most of its time
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help env run check test test-quick test-servers test-judges test-long seeds lint types imports format bench bench-files load rounds faults failover openapi settings minio stack-up stack-down lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: $(STAMP) ## make .venv with everything pinned by constraints.txt; quick when nothing has changed

$(STAMP): setup.cfg pyproject.toml constraints.txt
	@python=$$(sh .ci/find-python) && { test -x $(BIN)/python || "$$python" -m venv .venv; }
	@echo "Installing into .venv …"
	@PIP_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 \
		$(BIN)/python -m pip install --quiet -c constraints.txt setuptools -e '.[$(EXTRAS)]'
	@touch $@

run: env ## start everything, with simulated people, until Ctrl-C (API on :8080); OBSERVABILITY=1 adds what is here of Prometheus
	@$(if $(OBSERVABILITY),$(BIN)/python -m docker.observability.run )$(BIN)/chat4all run --simulator

check: env ## the check to run while you work: lint, types, imports, unit and functional tests; no servers
	@$(MAKE) --no-print-directory --output-sync=target --jobs=3 lint types imports
	@$(BIN)/python -m pytest -q -n $(JOBS) --hypothesis-profile=check -m "not long" tests/unit tests/functional

test: test-quick test-servers ## run every test but the longer variants of `make test-long`

test-quick: env ## run the unit and functional tests with all examples
	@$(BIN)/python -m pytest -q -n $(JOBS) tests/unit tests/functional

test-servers: env ## run the other tests, on a Kafka, a Cassandra and a MinIO that they start themselves
	@$(BIN)/python -m pytest -q -n $(SERVER_JOBS) --dist=loadgroup --no-loadscope-reorder -m "not long" \
		tests/contract tests/integration tests/e2e

test-long: env ## run the longer variants of tests on servers: chaos of one kind at a time, a file of 2 GiB
	@$(BIN)/python -m pytest -q -n $(SERVER_JOBS) --dist=worksteal -m long tests/e2e

test-judges: env ## run the tests by what others wrote about the protocols; CHAT4ALL_JUDGES names their folder
	@$(BIN)/python -m pytest -q tests/judges

seeds: env ## run the tests of properties with the Hypothesis seeds FROM=1 to TO=50, and list what fails
	@.ci/seeds $(FROM) $(TO) $(ARGS)

lint: env ## check the code, its layout and its words
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted; run: make format" >&2; exit 1; }
	@$(BIN)/python .ci/check_words.py

types: env ## check the types with mypy --strict
	@$(BIN)/mypy

imports: env ## check the direction of imports
	@$(BIN)/lint-imports

format: env ## correct what ruff can correct, and the layout
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench-files: env ## measure files of 2 GiB through MinIO and a folder, beside the plain client
	@$(BIN)/python -m loadtests.files $(ARGS)

bench: env ## measure latency, throughput and CPU, with a ledger that must balance
	@$(BIN)/python -m loadtests.bench $(ARGS)

load: env ## run SHAPE=baseline of Locust against HOST=http://…, or against a system of its own; see docs/load-tests.md
	@$(BIN)/python -m loadtests.locust --shape $(SHAPE) $(if $(HOST),--host $(HOST)) $(if $(TAGS),--tags $(TAGS)) $(ARGS)

rounds: env ## N=40 rebalance rounds; CONSUMER=stock for Faust's own consumer
	@$(BIN)/python -m loadtests.rounds -n $(N) $(if $(CONSUMER),--consumer $(CONSUMER)) $(ARGS)

failover: env ## kill workers and API processes under load, KILLS=20: how soon work goes on
	@$(BIN)/python -m loadtests.failover $(ARGS)

faults: env ## run the fault matrix (at most 30 minutes) and write docs/reliability.md
	@$(BIN)/python -m loadtests.faults --write $(ARGS)

openapi: env ## write the API's description to docs/openapi.json, as a test expects it
	@$(BIN)/python -m web.print_description > docs/openapi.new && mv docs/openapi.new docs/openapi.json

settings: env ## write docs/settings.md from the code, as a test expects it
	@$(BIN)/python -m cli.settings_table > docs/settings.new && mv docs/settings.new docs/settings.md

minio: env ## build the server of MinIO if there is none (takes Go, and a few minutes), as its tests need it
	@$(BIN)/chat4all stack fetch minio

stack-up: env ## start Kafka and Cassandra alone
	@$(BIN)/chat4all stack up

stack-down: env ## stop them; the data stays
	@$(BIN)/chat4all stack down

lock: env ## write what .venv holds (tried and tested) to constraints.txt
	@{ echo "# Every package that any extra brings, exactly. Upgrade in .venv, test, then: make lock"; \
		$(BIN)/python -m pip freeze --all --exclude-editable --exclude pip; } > constraints.new
	@mv constraints.new constraints.txt
	@touch $(STAMP)

clean: ## delete .venv and what tools leave behind; the data of the system stays
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
