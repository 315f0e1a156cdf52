"""What promotion may know: plain data. No store, no file, no clock, no chance; and no number in a name."""

import ast
from pathlib import Path

import pytest

import promotion

FILES = sorted(Path(promotion.__path__[0]).glob("*.py"))
MAY_IMPORT = {
    "__future__", "collections", "dataclasses", "datetime", "enum", "functools", "hashlib", "importlib", "inspect",
    "json", "math", "numbers", "pkgutil", "promotion", "pydantic", "re", "scipy", "types", "typing", "yaml",
}  # fmt: skip
MAY_NOT_CALL = {"open", "now", "utcnow", "today", "time", "random", "write_text", "print", "eval", "exec"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_module_is_pure_documented_and_small(path):
    tree = ast.parse(path.read_text())
    imports = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imports |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imports} <= MAY_IMPORT
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {getattr(call, "attr", getattr(call, "id", "")) for call in calls}
    assert not names & MAY_NOT_CALL
    assert ast.get_docstring(tree) and len(path.read_text().splitlines()) <= 250
    assert not any(character.isdigit() for character in path.stem)
