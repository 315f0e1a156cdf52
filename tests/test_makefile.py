"""What `make` does when an installation fails: the reason is shown, nothing half-made stays, and only torch may be missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="there is no make here")
NO_TORCH = "torch's CPU build is not to be had here"

# Stands for python and for the python of the environment that it makes. BREAK says what goes wrong.
PYTHON = """#!/bin/sh
echo "$*" >>"$CALLS"
[ "$1" = -c ] && exec "$REAL" "$@"
case "$*" in
*"-m venv"*)
    mkdir -p "$3/bin" && cp "$0" "$3/bin/python"
    [ "$BREAK" = venv ] && { echo "ensurepip is not available"; exit 1; }
    touch "$3/bin/pip" ;;
*"-m pip"*)
    [ -e "$(dirname "$0")/pip" ] || { echo "No module named pip"; exit 1; } ;;
esac
case "$BREAK $*" in
"base "*"[test]"*) echo "ERROR: No matching distribution found for mlflow" >&2; exit 1 ;;
"torch "*torch.txt*) echo "ERROR: No matching distribution found for torch" >&2; exit 1 ;;
esac
exit 0
"""


@pytest.fixture
def install(tmp_path):
    """Runs make's installation in a folder of its own with the stand-in; returns (exit code, what was said, what python was asked)."""
    for name in ("Makefile", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    python, calls = tmp_path / "python", tmp_path / "calls"
    python.write_text(PYTHON)
    python.chmod(0o755)

    def run(broken: str = "") -> tuple[int, str, list[str]]:
        calls.write_text("")
        told = {**os.environ, "CALLS": str(calls), "REAL": sys.executable, "BREAK": broken}
        for inherited in ("MAKEFLAGS", "MAKELEVEL"):
            told.pop(inherited, None)
        command = ["make", ".venv/.installed", f"PYTHON={python}"]
        done = subprocess.run(command, cwd=tmp_path, env=told, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr, calls.read_text().splitlines()

    return run


def test_the_base_comes_first_and_torch_alone_after_it(install, tmp_path):
    code, said, calls = install()
    assert code == 0 and (tmp_path / ".venv/.installed").exists() and NO_TORCH not in said
    base, torch = (next(i for i, c in enumerate(calls) if part in c) for part in ("[test]", "torch.txt"))
    assert base < torch and not any("torch" in c for c in calls[: base + 1])
    assert all(line.startswith("torch==") for line in (tmp_path / ".venv/torch.txt").read_text().splitlines())
    assert install() == (0, "make: '.venv/.installed' is up to date.\n", [])


def test_a_failed_environment_is_named_and_leaves_nothing(install, tmp_path):
    code, said, _ = install("venv")
    assert code != 0 and "ensurepip is not available" in said and "python3-venv" in said and NO_TORCH not in said
    assert not (tmp_path / ".venv").exists()
    assert install()[0] == 0


def test_an_environment_without_pip_is_made_anew(install, tmp_path):
    (tmp_path / ".venv/bin").mkdir(parents=True)
    shutil.copy(tmp_path / "python", tmp_path / ".venv/bin/python")
    (tmp_path / ".venv/old").touch()
    assert install()[0] == 0 and not (tmp_path / ".venv/old").exists()


def test_a_failed_installation_shows_pips_last_lines_and_does_not_blame_torch(install, tmp_path):
    code, said, calls = install("base")
    assert code != 0 and "No matching distribution found for mlflow" in said and "could not be installed" in said
    assert NO_TORCH not in said and not any("torch.txt" in c for c in calls)
    assert not (tmp_path / ".venv/.installed").exists()
    assert install()[0] == 0


def test_without_torch_everything_else_is_installed(install, tmp_path):
    code, said, _ = install("torch")
    assert code == 0 and NO_TORCH in said and (tmp_path / ".venv/.installed").exists()
