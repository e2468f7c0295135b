# Everything a developer or an operator runs. `make` alone lists it. Plain make 3.81 and POSIX sh; each target makes
# what it needs, once, inside this folder (.venv, .venv-sam, .venv-checks, .venv-localstack, .venv-learn).

.DEFAULT_GOAL := help
.NOTPARALLEL:
.SUFFIXES:

BIN := .venv/bin
SOURCES := layers cli functions tests
TARGETS ?= states callbacks keys spec
UPGRADE ?=
EVERY ?= 1

# A photo and a spec of your own for the demo: kept as they were typed, and handed on through the environment, so that
# no character of a path means anything to make or to the shell.
ifdef IMAGE
override IMAGE := $(value IMAGE)
export IMAGE
endif
ifdef SPEC
override SPEC := $(value SPEC)
export SPEC
endif

# What sam build's own makefile (layers/backdrop) works with.
export UV := $(CURDIR)/$(BIN)/uv
export PYTHON313 := $(CURDIR)/$(BIN)/python
export SAM_CLI_TELEMETRY := 0
# Modules are compiled once, whatever the shell says, and not by each process that the tests start.
export PYTHONDONTWRITEBYTECODE :=
# Wheels are large and lines are slow.
UV_HTTP_TIMEOUT ?= 300
export UV_HTTP_TIMEOUT

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

# --------------------------------------------------------------------------------------------------- environment

.PHONY: setup
setup: .venv/.ready ## make the environment in .venv; costs nothing when it is current

IS_313 := import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 13))

.venv/.ready: requirements-dev.txt pyproject.toml
	@set -e; \
	if ! $(BIN)/python -c '$(IS_313)' >/dev/null 2>&1; then \
	  found=; \
	  for python in "$${PYTHON:-python3.13}" python3.13 "$$(pyenv root 2>/dev/null)"/versions/3.13*/bin/python3.13 \
	      "$${HOME:-/}"/.pyenv/versions/3.13*/bin/python3.13 "$$(uv python find 3.13 2>/dev/null)" \
	      /opt/homebrew/opt/python@3.13/bin/python3.13 /usr/local/opt/python@3.13/bin/python3.13 python3 python; do \
	    if "$$python" -c '$(IS_313)' >/dev/null 2>&1; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo 'Backdrop needs Python 3.13 (with its venv module), the version its functions run on. One of these gets it:' >&2; \
	    echo '  pyenv install 3.13      uv python install 3.13      brew install python@3.13' >&2; \
	    echo '  apt install python3.13-venv      or, when it lies elsewhere: make setup PYTHON=/where/it/is/python3.13' >&2; \
	    exit 1; \
	  fi; \
	  echo "Making .venv with $$found"; \
	  "$$found" -m venv --clear .venv; \
	fi; \
	if ! $(BIN)/uv --version >/dev/null 2>&1; then \
	  awk '/^[^ #]/ { on = /^uv==/ } on' requirements-dev.txt > .venv/uv.txt; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt || true; \
	fi; \
	echo 'Installing what requirements-dev.txt lists'; \
	if ! { $(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.txt && \
	    $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; }; then \
	  echo 'uv could not; trying pip'; \
	  $(BIN)/python -m ensurepip >/dev/null; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi; \
	touch $@

# SAM's pins clash with ours, so it has an environment of its own.
.venv-sam/.ready: tests/template/requirements-sam.txt .venv/.ready
	@set -e; \
	$(BIN)/python -m venv --clear .venv-sam; \
	$(BIN)/uv pip sync --quiet --python .venv-sam/bin/python --require-hashes tests/template/requirements-sam.txt || \
	  .venv-sam/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    -r tests/template/requirements-sam.txt; \
	touch $@

# So has what looks for findings: checkov's pins clash with both.
.venv-checks/.ready: tests/template/requirements-checks.txt .venv/.ready
	@set -e; \
	$(BIN)/python -m venv --clear .venv-checks; \
	$(BIN)/uv pip sync --quiet --python .venv-checks/bin/python --require-hashes \
	    tests/template/requirements-checks.txt || \
	  .venv-checks/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    -r tests/template/requirements-checks.txt; \
	touch $@

# LocalStack has one as well, and inside it one that is to the functions what Lambda's python3.13 is: the runtime client
# and boto3, nothing else.
.venv-localstack/.ready: tests/localstack/requirements-localstack.txt tests/localstack/requirements-lambda.txt .venv/.ready
	@set -e; \
	echo 'Installing LocalStack'; \
	$(BIN)/python -m venv --clear .venv-localstack; \
	$(BIN)/uv pip sync --quiet --python .venv-localstack/bin/python --require-hashes \
	    tests/localstack/requirements-localstack.txt || \
	  .venv-localstack/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    -r tests/localstack/requirements-localstack.txt; \
	$(BIN)/python -m venv --clear .venv-localstack/lambda; \
	$(BIN)/uv pip sync --quiet --compile-bytecode --python .venv-localstack/lambda/bin/python --require-hashes \
	    tests/localstack/requirements-lambda.txt || \
	  .venv-localstack/lambda/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    -r tests/localstack/requirements-lambda.txt; \
	touch $@

# ---------------------------------------------------------------------------------------------------- on a laptop

ON_LOCALSTACK := $(filter localstack,$(STACK))

.PHONY: demo
demo: setup $(if $(ON_LOCALSTACK),.venv-sam/.ready .venv-localstack/.ready) ## sample photos for all six models; or your own: IMAGE=path SPEC=path; the real template: STACK=localstack
	@$(BIN)/backdrop demo $(if $(ON_LOCALSTACK),--stack=localstack) $${IMAGE:+--image="$$IMAGE"} $${SPEC:+--spec="$$SPEC"}

.PHONY: up
up: setup ## keep the whole stack running and say how to drop files into it
	@$(BIN)/backdrop up

# --------------------------------------------------------------------------------------------------------- checks

.PHONY: test
test: setup .venv-sam/.ready .venv-checks/.ready .venv-localstack/.ready ## everything: lint, types, tests with coverage, findings, a demo in trouble, LocalStack; with the time of each
	@$(BIN)/python tests/parts.py "$(MAKE)" lint typecheck+findings trouble cover+test-localstack

.PHONY: lint
lint: setup ## ruff: rules and format
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)

.PHONY: typecheck
typecheck: setup ## mypy, strict
	@$(BIN)/mypy

.PHONY: unit
unit: setup .venv-sam/.ready ## the tests alone; narrow them with T=tests/area
	@$(BIN)/pytest -n 2 $(T)

.PHONY: cover
cover: setup .venv-sam/.ready ## the tests with coverage; less than 90 % of the lines fails
	@$(BIN)/pytest -n 3 --cov --cov-report=term:skip-covered

.PHONY: validate-template
validate-template: setup ## cfn-lint over template.yaml
	@$(BIN)/cfn-lint template.yaml

.PHONY: findings
findings: .venv-checks/.ready ## cfn-lint with the serverless rules; checkov on the template as written and as SAM translates it
	@.venv-checks/bin/python tests/template/findings.py template.yaml

.PHONY: trouble
trouble: setup ## the demo with lost and duplicate callbacks, 429s and the like
	@unset IMAGE SPEC; $(BIN)/backdrop demo --trouble --out out/trouble

.PHONY: faults
faults: orders batches lives ## what may go wrong, whole (an hour): any order of events, 2,000 drops, every fault at every call; EVERY=3: of those a third

.PHONY: orders
orders: setup ## sixty random orders of events, losses, repeats, kills and redrives
	@ORDERS=60 $(BIN)/pytest -q tests/faults/test_orders.py

.PHONY: batches
batches: setup ## 500 and 2,000 drops at a busy provider
	@$(BIN)/python tests/faults/batches.py 500 2000

.PHONY: lives
lives: setup ## every fault at every outside call of every model's life; EVERY=7: of those a seventh
	@$(BIN)/python tests/faults/run.py --every $(EVERY)

.PHONY: test-localstack
test-localstack: setup .venv-sam/.ready .venv-localstack/.ready ## the template, deployed to LocalStack: each scenario with its time
	@cd tests/localstack && ../../.venv-localstack/bin/python -m pytest $(T)

.PHONY: mutation
mutation: setup ## change the code in every small way and see that a test notices (slow); some only: TARGETS="keys states"
	@$(BIN)/python tests/mutation/score.py $(TARGETS)

# --------------------------------------------------------------------------------------------------- what is made

.PHONY: build
build: .venv-sam/.ready ## sam validate and sam build, without Docker: what `sam deploy` uploads
	@.venv-sam/bin/sam validate --lint
	@PYTHON="$(PYTHON313)" .venv-sam/bin/sam build

.PHONY: docs
docs: setup ## write what is made from code: the spec's schema, docs/' tables, the functions' AWS service models
	@$(BIN)/python -m backdrop_cli.pages docs
	@$(BIN)/python -m backdrop_cli.service_models

.PHONY: bench
bench: setup .venv-localstack/.ready ## measure it against floors and write docs/performance.md; one part: PART=memory
	@$(BIN)/python tests/benchmarks/run.py $(PART)

.venv-learn/.ready: tests/cutting/requirements-learn.txt .venv/.ready
	@set -e; \
	echo 'Installing what the cut-out is learned with into .venv-learn'; \
	$(BIN)/python -m venv --clear .venv-learn; \
	$(BIN)/uv pip sync --quiet --python .venv-learn/bin/python --require-hashes tests/cutting/requirements-learn.txt || \
	  .venv-learn/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    -r tests/cutting/requirements-learn.txt; \
	touch $@

.PHONY: learn
learn: .venv-learn/.ready ## learn the cut-out again from drawn scenes and write cli/backdrop_cli/pixels/learned (SCENES=1000)
	@OMP_NUM_THREADS=1 PYTHONPATH=cli .venv-learn/bin/python tests/cutting/learn.py $${SCENES:+--scenes=$$SCENES}

LOCK = $(BIN)/uv pip compile --quiet --python $(BIN)/python --universal --python-version 3.13 --generate-hashes \
	--no-emit-index-url --custom-compile-command 'make lock' $(UPGRADE)

.PHONY: lock
lock: setup ## resolve the locked requirements again; newer versions with UPGRADE=--upgrade
	@$(LOCK) --group dev -o requirements-dev.txt pyproject.toml
	@$(LOCK) -o layers/backdrop/requirements.txt pyproject.toml
	@$(LOCK) -o tests/template/requirements-sam.txt tests/template/requirements-sam.in
	@$(LOCK) -o tests/template/requirements-checks.txt tests/template/requirements-checks.in
	@$(LOCK) --project tests/localstack -o tests/localstack/requirements-localstack.txt tests/localstack/pyproject.toml
	@$(LOCK) -o tests/localstack/requirements-lambda.txt tests/localstack/requirements-lambda.in
	@$(LOCK) -o tests/cutting/requirements-learn.txt tests/cutting/requirements-learn.in

.PHONY: clean
clean: ## remove what was made, but for the environments
	@rm -rf .aws-sam out .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find layers cli functions tests -type d -name __pycache__ -prune -exec rm -rf {} +
