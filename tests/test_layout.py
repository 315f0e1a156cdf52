"""The house's rules that a machine can check: who may import whom, who may know which outside world, what no name may hold."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ORDER = ("cengine", "experiments", "promotion", "cktrack")  # each may import those before it, never those behind it
FILES = [p for package in ORDER for p in sorted((ROOT / package).rglob("*.py")) if "generated" not in p.parts]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MAY_KNOW = {  # outside world -> the files that may import it
    "cffi": {"cengine/build.py"},
    "_cffi_backend": set(),
    "ctypes": set(),
    "llama_cpp": {"cktrack/llama.py"},
    "torch": {
        "cengine/oracle.py",
        "tests/test_checkpoint.py",
    },  # the test holds a checkpoint against transformers' own model
    "mlflow": {p.relative_to(ROOT).as_posix() for p in FILES if p.is_relative_to(ROOT / "cktrack")},
}
CALLS = {"import_module", "__import__", "importorskip"}  # functions that import what their first argument says


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def asked(tree: ast.AST) -> list[ast.expr]:
    """The first arguments of all calls that import, under whatever name the function goes."""
    names = CALLS | {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname and alias.name in CALLS
    }
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        argument
        for call in calls
        if getattr(call.func, "attr", getattr(call.func, "id", None)) in names
        for argument in [*call.args[:1], *(k.value for k in call.keywords if k.arg in ("name", "modname"))][:1]
    ]


def imports(tree: ast.AST) -> list[str]:
    """Every module that a file imports, by statement or by a call with a constant name."""
    found = [a.value for a in asked(tree) if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append("." * node.level + (node.module or ""))
            found += [f"{node.module}.{alias.name}" for alias in node.names if node.module in ORDER]
    return found


def stays_inside(argument: ast.expr) -> bool:
    """Whether a computed module name begins with the importing package's own: `__name__`, `__package__`, or an f-string of it."""
    first = argument.values[0] if isinstance(argument, ast.JoinedStr) and argument.values else argument
    inner = first.value if isinstance(first, ast.FormattedValue) else first
    return isinstance(inner, ast.Name) and inner.id in ("__name__", "__package__")


def faults(name: str, source: str) -> list[str]:
    """What a file imports against the rules. `name` is its path in the project."""
    tree, top = ast.parse(source), name.split("/")[0]
    found = []
    for argument in asked(tree):
        if not isinstance(argument, ast.Constant) and not stays_inside(argument):
            found.append(f"imports {ast.unparse(argument)}, which hides what; name it, or begin with __name__")
    modules = imports(tree)
    for module in modules:
        package = module.split(".")[0]
        if module.startswith("."):
            found.append(f"imports {module}: a relative import hides the direction")
        if package in ORDER and top in ORDER and ORDER.index(package) > ORDER.index(top):
            found.append(f"imports {module}; the direction is {' <- '.join(ORDER)}")
        if package in ORDER and name == "setup.py":
            found.append(f"imports {module}, which is there only after setup has run")
        tests_the_outside = (
            top == "tests" and package == "mlflow" and any(m.split(".")[0] == "cktrack" for m in modules)
        )
        if package in MAY_KNOW and name not in MAY_KNOW[package] and not tests_the_outside:
            found.append(f"imports {module}; only {sorted(MAY_KNOW[package]) or 'nobody'} may")
        if module == "cengine._engine" and name not in ("cengine/loader.py", "cengine/build.py"):
            found.append("reaches past the loader")
    return found


@pytest.mark.parametrize("path", [*FILES, *TESTS, ROOT / "setup.py"], ids=name_of)
def test_imports_run_one_way(path):
    """Tests may know all four packages; of the outside worlds, MLflow only beside cktrack, and torch only where it is listed."""
    assert not faults(name_of(path), path.read_text())


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("cengine/x.py", "import experiments.scene"),
        ("cengine/x.py", "from cktrack import store"),
        ("cengine/x.py", "from . import model"),
        ("cengine/x.py", "def late():\n    import promotion"),
        ("experiments/x.py", "import importlib\nimportlib.import_module('promotion.stage')"),
        ("experiments/x.py", "from importlib import import_module as load\nload('promotion')"),
        ("experiments/x.py", "import importlib\nimportlib.import_module(name='promotion')"),
        ("experiments/x.py", "__import__('mlflow')"),
        ("experiments/x.py", "import importlib\nimportlib.import_module('.stage', 'promotion')"),
        ("experiments/x.py", "import importlib\nimportlib.import_module(f'{other}.stage')"),
        ("experiments/x.py", "import importlib\nimportlib.import_module('promo' + 'tion')"),
        ("experiments/x.py", "from cengine import _engine"),
        ("promotion/x.py", "import torch.nn"),
        ("cktrack/x.py", "import ctypes"),
        ("tests/test_x.py", "import torch"),
        ("tests/test_x.py", "import pytest\npytest.importorskip('torch')"),
        ("tests/test_x.py", "from cengine import model\nimport mlflow"),
        ("tests/test_x.py", "import cengine._engine"),
        ("tests/test_x.py", "import cffi"),
        ("setup.py", "from cengine import build"),
        ("setup.py", "import torch"),
    ],
)
def test_a_planted_import_is_found(name, source):
    assert faults(name, source)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("cktrack/store.py", "import mlflow, experiments, promotion, cengine"),
        ("experiments/x.py", "from importlib import import_module\nimport_module(f'{__name__}.{a}')"),
        ("promotion/x.py", "import importlib\nimportlib.import_module(__package__)"),
        ("tests/test_x.py", "from cktrack import store\nimport mlflow"),
        ("setup.py", "from setuptools import setup"),
    ],
)
def test_an_import_that_may_be_is_no_fault(name, source):
    assert not faults(name, source)


def test_the_rules_meet_real_files():
    """Not vacuous: the worlds that the rules speak of are imported by the files that may."""
    for world in ("cffi", "torch", "mlflow"):
        for name in MAY_KNOW[world] if world != "mlflow" else ["cktrack/store.py"]:
            assert world in {m.split(".")[0] for m in imports(ast.parse((ROOT / name).read_text()))}, (name, world)


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
