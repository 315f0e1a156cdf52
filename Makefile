# Two commands do everything on a fresh machine with Python 3.11+ and a C compiler.
#   make rung     the main job: train, prove, log and promote a rung (RUNG=spec12/r17)
#   make test     all tests
# and  make ui (MLflow on what was logged), make lint, make sanitize (kernel tests under sanitizers), make bench, make clean.
# Every target is quick the second time: .venv/.installed is the stamp of the installation.

RUNG ?= spec12/r17
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# Packages are compiled to bytecode as they are first imported, once: an environment that forbids it would compile them in every process.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: rung test ui lint sanitize bench clean install engine cairo

rung: install
	$(BIN)/python -m cktrack rung run $(RUNG) --promote

test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile

sanitize: install
	$(BIN)/python -m pytest -n 2 -m slow -rs tests/test_sanitizer.py

ui: install
	$(BIN)/python -m cktrack ui

bench: install
	$(BIN)/python -m cktrack bench train --against torch --json

lint: install
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

install: cairo $(VENV)/.installed engine

engine: $(VENV)/.installed
	@$(BIN)/python -m cengine.build

# The environment is make's own: one without a working pip is what a failed installation left, and is made anew.
# Torch comes last and alone, so that its absence costs nothing else and nothing else is taken for its absence.
$(VENV)/.installed: pyproject.toml setup.py
	@test -n "$(PYTHON)" || { echo "cktrack needs Python 3.11 or newer; none was found (set PYTHON=/path/to/python)"; exit 1; }
	@command -v cc >/dev/null || command -v gcc >/dev/null || { echo "cktrack needs a C compiler; install gcc or clang"; exit 1; }
	@$(PIP) --version >/dev/null 2>&1 || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); } || { rm -rf $(VENV); \
		echo "cktrack needs Python's venv with pip; install it (python3-venv on Debian, Ubuntu) or set PYTHON=/path/to/python"; exit 1; }
	@echo 'installing into .venv (a few minutes the first time)'
	@$(PIP) install --no-compile -e '.[test]' >$(VENV)/pip.log 2>&1 || { tail -n 15 $(VENV)/pip.log; \
		echo "cktrack could not be installed; pip's last lines are above, all of them in $(VENV)/pip.log"; exit 1; }
	@$(BIN)/python -c 'import tomllib; extra = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; \
		print(*extra["torch"], sep="\n")' >$(VENV)/torch.txt
	@$(PIP) install --no-compile -r $(VENV)/torch.txt >$(VENV)/torch.log 2>&1 || { tail -n 3 $(VENV)/torch.log; \
		echo "torch's CPU build is not to be had here: parity is proven against float64 NumPy alone, and comparisons with torch say that they did not run"; }
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
