# Two commands are all that a fresh machine needs: `make demo` and `make test`.
# It wants Python 3.11 or later, make and a C compiler; everything else is installed into .venv.

PYTHON ?= python3
BOOK ?= demo
BACKBOOK_DATA ?= $(abspath ../shared/data)
export BACKBOOK_DATA
# LightGBM, BLAS and the like must not fight over few cores.
export OMP_WAIT_POLICY = PASSIVE

BIN := .venv/bin
HERE := build/$(BOOK)

DATES_demo := --from 2026-09-30 --to 2026-10-31 --every month
DATES_taiwan := --as-of 2005-10-31
DATES_cmb := --as-of 2019-06-30
DATES_bank := --from 2009-05-31 --to 2009-08-31 --every month

.PHONY: demo test check bench peers bundle lock docs pictures clean help

help:  ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: .venv/run.stamp  ## a book walks the whole way: BOOK=demo (made up), taiwan, cmb or bank (real)
	@rm -rf $(HERE)
	@$(BIN)/backbook init $(HERE) --like examples/$(BOOK)
ifeq ($(BOOK),demo)
	@$(BIN)/backbook simulate $(HERE) --customers 6000 --months 24 --seed 1
endif
	@$(BIN)/backbook run $(HERE) $(DATES_$(BOOK))

test: check  ## checks and all tests
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: .venv/dev.stamp  ## formatting, types, layers
	$(BIN)/ruff check src tests bench docs/pictures
	$(BIN)/ruff format --check src tests bench docs/pictures
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/dev.stamp  ## figures for docs/benchmarks.md: all, or ONLY=NAME
	@for file in $(if $(ONLY),bench/$(ONLY).py,$(sort $(wildcard bench/*.py))); do $(BIN)/python $$file || exit 1; done

peers: build/peers/stamp  ## libraries that the benchmarks measure against, in a place of their own

build/peers/stamp: requirements/peers.txt
	$(PYTHON) -m venv build/peers
	build/peers/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/peers.txt
	@touch $@

bundle: .venv/run.stamp  ## wheel and locked wheels for a machine without a network: build/bundle
	@rm -rf build/bundle && mkdir -p build/bundle/wheels
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir build/bundle .
	$(BIN)/pip download --quiet --require-hashes --only-binary :all: --dest build/bundle/wheels -r requirements/run.txt
	cp requirements/run.txt LICENSE build/bundle/
	cp docs/offline.md build/bundle/README.md

lock: .venv/dev.stamp  ## choose and lock versions anew, for every platform, with hashes
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile $(LOCKED) pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile $(LOCKED) pyproject.toml --group dev -o requirements/dev.txt
	printf 'optbinning==1.0.0\nhighspy<1.15\npyarrow\n' | $(BIN)/uv pip compile $(LOCKED) - -o requirements/peers.txt
	printf 'hatchling\neditables\n' | $(BIN)/uv pip compile $(LOCKED) - -o requirements/build.txt
LOCKED := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade

docs: .venv/run.stamp  ## the pages that are made from the code
	$(BIN)/backbook dictionary --docs docs

pictures: .venv/run.stamp  ## the pictures of the guides, drawn anew
	$(BIN)/python docs/pictures/draw_simulator.py

clean:  ## forget what was made
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Backbook needs Python 3.11 or later; this is %s" % sys.version)'
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements/run.txt requirements/build.txt pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt -r requirements/build.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
