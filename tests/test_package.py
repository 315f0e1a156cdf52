"""What is installed is what is tracked: every data file of the packages is in the package data, or a wheel cannot run a rung."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOL = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
PACKAGES = ("cengine", "experiments", "promotion", "cktrack")


def tracked(package: str) -> set[str]:
    """Data files of a package, as paths inside it: everything that git knows or would add, and that is no Python."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", package], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("package data is compared with git's list of files, and this is no git checkout")
    return {f.removeprefix(f"{package}/") for f in listed.stdout.split() if not f.endswith(".py")}


def shipped(package: str) -> set[str]:
    """Files that setuptools takes along: the package's globs, evaluated over the tree as setuptools does."""
    place = ROOT / package
    globs = TOOL["package-data"].get(package, [])
    return {p.relative_to(place).as_posix() for g in globs for p in place.glob(g) if p.is_file()}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_tracked_data_file_is_shipped_and_nothing_else(package):
    missing, extra = tracked(package) - shipped(package), shipped(package) - tracked(package)
    assert not missing, f"a wheel lacks {package}/: {sorted(missing)}; add a glob to [tool.setuptools.package-data]"
    assert not extra, f"a wheel would carry {package}/: {sorted(extra)}, which git does not know"


def test_the_packages_are_those_that_are_found():
    assert TOOL["packages"]["find"]["include"] == [f"{package}*" for package in PACKAGES]
    assert set(TOOL["package-data"]) <= set(PACKAGES)
