# Two commands do everything on a fresh machine with Python 3.11+ and a C compiler:
#   make rung     the main job: train, prove, log and promote a rung (RUNG=spec12/r17)
#   make test     all tests
# and  make ui (MLflow on what was logged), make lint, make bench, make clean.
# Every target is quick the second time: .venv/.installed is the stamp of the installation.

RUNG ?= spec12/r17
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: rung test ui lint bench clean install engine cairo

rung: install
	$(BIN)/python -m cktrack rung run $(RUNG) --promote

test: install
	$(BIN)/python -m pytest

ui: install
	$(BIN)/python -m cktrack ui

bench: install
	$(BIN)/python -m cktrack bench train --against torch --json

lint: install
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

install: cairo $(VENV)/.installed engine

engine: $(VENV)/.installed
	@$(BIN)/python -m cengine.build

$(VENV)/.installed: pyproject.toml setup.py
	@test -n "$(PYTHON)" || { echo "cktrack needs Python 3.11 or newer; none was found (set PYTHON=/path/to/python)"; exit 1; }
	@command -v cc >/dev/null || command -v gcc >/dev/null || { echo "cktrack needs a C compiler; install gcc or clang"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'installing into .venv (a few minutes the first time)'
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test,torch]' 2>/dev/null || { \
		echo "torch's CPU build is not to be had here: parity is proven against float64 NumPy alone, and comparisons with torch say that they did not run"; \
		$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test]'; }
	@touch $@

# The one system library: cairo, which draws PNG. Installed when that is allowed, otherwise one line says what to do.
cairo:
	@{ PATH="$$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null | grep -q 'libcairo\.so\.2'; } || pkg-config --exists cairo 2>/dev/null || \
		ls /opt/homebrew/lib/libcairo.* /usr/local/lib/libcairo.* >/dev/null 2>&1 || \
		{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq libcairo2 >/dev/null; } || \
		{ command -v brew >/dev/null && brew install cairo; } || \
		{ echo "cktrack needs the cairo library: install the package libcairo2 (Debian, Ubuntu) or cairo (Fedora, macOS)"; exit 1; }

clean:
	rm -rf $(VENV) build *.egg-info cengine/c/generated cengine/_engine* .cache
