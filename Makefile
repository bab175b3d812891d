# Needs Python >= 3.11 with pip, make and git; everything else goes into this checkout (.tools, .venv).
PYTHON ?= python3
UV ?= .tools/bin/uv
WORKERS ?= auto --maxprocesses=4
SOURCES := sdk collector dashboard migrations tests benchmarks examples

.PHONY: up test test-helm test-image check bench bench-pricing bench-reprice bench-sdk bench-forecast test-matrix test-peers bench-ingest bench-query bench-pages screenshots check-focus mutants soak fuzz fmt help audit
.PHONY: up test test-helm test-image audit check bench bench-pricing bench-reprice bench-sdk bench-forecast test-matrix test-peers bench-ingest bench-query bench-pages screenshots check-focus mutants soak fuzz fmt help

help:
	@echo "make up       the whole product on this machine, with demo data"
	@echo "make test     the test suite (starts its own Postgres)"
	@echo "make check    lint, format, types, architecture, lock file"
	@echo "make bench    the benchmarks"
	@echo "make audit    known holes of dependencies, patterns in our code, a list of parts (SBOM)"
	@echo "make test-helm   the chart: lint, every set of values, every manifest against the schemas of Kubernetes"
	@echo "make test-image  the image's steps, run without a container engine"
	@echo "make mutants  mistakes made on purpose, each of which a test must notice (a quarter of an hour)"
	@echo "make soak     faults at random for MINUTES=3, then the fault tests FAULT_ROUNDS=3 times over"
	@echo "make fuzz     200,000 damaged requests (FUZZ='--requests 20000' for fewer)"
	@echo "make check-focus  an export of demo data under the public FOCUS validator (installs it into .tools; needs Python 3.12)"
	@echo "make screenshots  pictures of every page into docs/img"
	@echo "make fmt      format and mend what can be mended"

up: .venv/.for-use
	@exec .venv/bin/outlay up --demo $(UP)

test: .venv/.for-development
	@.venv/bin/pytest -n $(WORKERS) --dist loadgroup $(TESTS)

check: .venv/.for-development
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/pyright
	@.venv/bin/pytest -q tests/architecture
	@$(UV) lock --check

bench: .venv/.for-development
	@.venv/bin/python -m benchmarks $(BENCH)

bench-pricing: .venv/.for-development
	@.venv/bin/python -m benchmarks.pricing $(BENCH)
	@.venv/bin/python -m benchmarks.golden_vs_genai_prices

bench-reprice: .venv/.for-development
	@.venv/bin/python -m benchmarks.reprice $(BENCH)

bench-forecast: .venv/.for-development
	@.venv/bin/python -m benchmarks.forecast
	@.venv/bin/python -m benchmarks.anomalies $(BENCH)

bench-sdk: .venv/.for-development
	@PATH="$(CURDIR)/.tools/bin:$$PATH" .venv/bin/python -m benchmarks.sdk_overhead $(BENCH)

bench-ingest: .venv/.for-development
	@.venv/bin/python -m benchmarks.ingest $(BENCH)

bench-query: .venv/.for-development
	@PATH="$(CURDIR)/.tools/bin:$$PATH" .venv/bin/python -m benchmarks.query $(BENCH)

# 200,000 damaged requests, and schemathesis over the API; FUZZ='--seed N --requests N', REPLAY=file for one that failed.
fuzz: .venv/.for-development
	@.venv/bin/python -m tests.fuzz $(FUZZ) $(if $(REPLAY),--replay $(REPLAY))

# Skipped aloud where there is no Python 3.12 or newer, which the validator needs.
check-focus: .venv/.for-development $(UV)
	@.venv/bin/python -m tests.validators.focus $(FOCUS)

bench-pages: .venv/.for-development
	@.venv/bin/python -m benchmarks.pages $(BENCH)

screenshots: .venv/.for-development
	@.venv/bin/python tests/browser/screenshots.py $(ONLY)

test-matrix: .venv/.for-development
	@PATH="$(CURDIR)/.tools/bin:$$PATH" .venv/bin/python -m benchmarks.sdk_matrix $(MATRIX)

# Installs other people's exporters and a Collector into .tools/peers (needs a network, Go and Node; skips what it lacks).
test-peers: .venv/.for-development
	@PATH="$(CURDIR)/.tools/bin:$$PATH" .venv/bin/pytest -n 0 tests/peers $(PEERS)

# Installs helm by the Go client, and the schemas of Kubernetes, into .tools.
test-helm: .venv/.for-development
	@sh tests/helm/install.sh
	@.venv/bin/pytest -q -n 0 tests/helm

# What the Dockerfile does, and a run of it as user 10001 in a root that cannot be written to; without a container engine.
test-image: .venv/.for-development
	@.venv/bin/pytest -q -n 0 tests/image

# Bandit leaves out what ruff's same rules are told of line by line: statements put together from our own lists of columns
# (B608), YAML loaders that make texts only (B506), a folder for sockets (B108).
# Findings are shown and fail; the list of parts is written to dist/outlay.cdx.json.
audit: .venv/.for-development
	@mkdir -p dist
	@$(UV) export --frozen --quiet --no-dev --no-emit-workspace --extra embedded --format requirements-txt --output-file dist/requirements.txt
	@$(UV) tool run --quiet pip-audit@2.9.0 --requirement dist/requirements.txt --disable-pip --progress-spinner off
	@$(UV) tool run --quiet bandit@1.8.6 --quiet --recursive --skip B608,B506,B108 --severity-level medium --confidence-level medium sdk/outlay collector dashboard
	@$(UV) tool run --quiet --from cyclonedx-bom@7.1.0 cyclonedx-py requirements dist/requirements.txt --output-file dist/outlay.cdx.json
	@echo "Parts: dist/outlay.cdx.json"

mutants: .venv/.for-development
	@.venv/bin/python -m tests.mutants $(MUTANTS)

MINUTES ?= 3
FAULT_ROUNDS ?= 3
soak: .venv/.for-development
	@.venv/bin/python -m tests.soak --minutes $(MINUTES) $(SOAK)
	@OUTLAY_FAULT_ROUNDS=$(FAULT_ROUNDS) .venv/bin/pytest -q -n 0 tests/faults

fmt: .venv/.for-development
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

# uv is installed by pip into a folder of the checkout: that works where venv is missing and where pip refuses to touch
# the system. Of an environment made for development, `make up` takes nothing away (--inexact).
.tools/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Outlay needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12")'
	@echo "Installing uv into .tools"
	@PIP_ROOT_USER_ACTION=ignore $(PYTHON) -m pip install --quiet --disable-pip-version-check --target .tools 'uv>=0.9,<1'

.venv/.for-use: uv.lock pyproject.toml sdk/pyproject.toml | $(UV)
	@echo "Installing Outlay into .venv"
	@$(UV) sync --frozen --python $(PYTHON) --no-dev --extra embedded --inexact
	@touch $@

.venv/.for-development: uv.lock pyproject.toml sdk/pyproject.toml | $(UV)
	@echo "Installing Outlay and its tools into .venv"
	@$(UV) sync --frozen --python $(PYTHON) --all-extras
	@touch $@ .venv/.for-use
