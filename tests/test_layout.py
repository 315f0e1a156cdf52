"""The house's rules that a machine can check: who may import whom, who may know which outside world, what no name may hold."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ORDER = ("cengine", "experiments", "promotion", "cktrack")  # each may import those before it, never those behind it
FILES = [p for package in ORDER for p in sorted((ROOT / package).rglob("*.py")) if "generated" not in p.parts]
MAY_KNOW = {  # outside world -> the files that may import it
    "cffi": {"cengine/build.py"},
    "_cffi_backend": set(),
    "ctypes": set(),
    "torch": {"cengine/oracle.py"},
    "mlflow": {p.relative_to(ROOT).as_posix() for p in FILES if p.is_relative_to(ROOT / "cktrack")},
}


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides the direction"
            found.append(node.module or "")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_run_one_way(path):
    name = path.relative_to(ROOT).as_posix()
    rank = ORDER.index(path.relative_to(ROOT).parts[0])
    for module in imports(path):
        top = module.split(".")[0]
        if top in ORDER:
            assert ORDER.index(top) <= rank, f"{name} imports {module}; the direction is {' <- '.join(ORDER)}"
        if top in MAY_KNOW:
            assert name in MAY_KNOW[top], f"{name} imports {module}; only {sorted(MAY_KNOW[top]) or 'nobody'} may"
        if module == "cengine._engine":
            assert name in {"cengine/loader.py", "cengine/build.py"}, f"{name} reaches past the loader"


def test_the_test_would_notice():
    """Planted: the check is not vacuous."""
    assert "numpy" in imports(ROOT / "cengine" / "engine.py")
    assert any("mlflow" in m for p in FILES for m in imports(p)) and any(
        "torch" in line for line in (ROOT / "cengine/oracle.py").read_text().splitlines()
    )


def test_no_number_of_a_spec_or_version_is_in_a_name():
    for path in FILES:
        assert not re.search(r"spec\d|_v\d|v\d+_", path.stem), path
    for path in (p for p in FILES if p.parts[-2] != "ladder"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                assert not re.search(r"spec\d|_v\d+$", node.name), f"{path}: {node.name}"


def test_every_module_says_what_it_is():
    for path in FILES:
        if path.name != "__init__.py" or path.stat().st_size:
            assert ast.get_docstring(ast.parse(path.read_text())), (
                f"{path.relative_to(ROOT)} opens without a word about what it is"
            )
