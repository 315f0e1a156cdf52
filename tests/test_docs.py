"""The documents say what is there: the README's tree and figures, the commands, and the names that a run logs."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from cktrack import table
from cktrack.cli import app

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- tree:[^\n]*-->\n)(.*?)(<!-- /tree -->)", re.S)
FIGURES = re.compile(r"(<!-- bench:[^\n]*-->\n)(.*?)(<!-- /bench -->)", re.S)
FOLDERS = ("cengine", "experiments", "promotion", "cktrack", "docs", "tests")
PLAIN = {  # files without a comment of their own
    "LICENSE": "Apache License 2.0",
    "README.md": "this page",
    "CHANGELOG.md": "what changed for users",
    "LOG.md": "what was tried and what it gave, failures included",
    "docs/design.md": "how the house is built",
    "docs/run.md": "what a run logs",
    "docs/ladder.md": "what the best rung of every spec reaches, beside what was published",
    "docs/probe.md": "what is probed, and what the figures mean",
    "docs/plugin.md": "a family or a surface from another package",
    "docs/corpus.md": "training on rows of your own",
    "docs/bench.json": "the figures of the README: what `cktrack bench train --out` wrote",
    "pyproject.toml": "package, dependencies, settings of the tools",
    "advances.json": "advance widths of the fonts that pictures name",
    "picture.svg": "golden picture of the family",
    "golden.json": "sha256 of the picture of every case",
    ".ci/run": "what continuous integration runs",
}
DATA = {
    "cases": "contents in our own words, one JSON a case",
    "attacks": "for each gate a matrix that it must refuse",
    "peers": "six contents for two other programs, and what draws and times them beside ours",
}


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("the tree is compared with git's list of files, and this is no git checkout")
    return sorted(f for f in listed.stdout.split() if (ROOT / f).is_file())


def comment(path: Path) -> str:
    """The first clause of what a file says about itself."""
    name = path.relative_to(ROOT).as_posix()
    for key in (name, path.name):
        if key in PLAIN:
            return PLAIN[key]
    text = path.read_text()
    if path.suffix == ".py":
        text = ast.get_docstring(ast.parse(text)) or ""
    elif path.suffix in (".c", ".h"):
        text = text.removeprefix("/*")
    elif re.match(r"title: ", text):
        text = text.split("\n")[0].removeprefix("title: ")
    else:
        text = text.removeprefix("#")
    sentence = re.split(r"(?<=[\w`)\]])[.;](?:\s|$)|\.\.\.", " ".join(text.strip().split("\n\n")[0].split()))[0].rstrip(
        " */.:"
    )
    return sentence if len(sentence) <= 110 else re.sub(r"[,:( ]+\w*$", "", sentence[:106]) + " ..."


def tree() -> str:
    """Every file with its comment, folder by folder; data folders in one line."""
    lines: list[str] = []
    seen: set[str] = set()

    def show(depth: int, name: str, words: str) -> None:
        lines.append(f"{'  ' * depth}{name:<{30 - 2 * depth}} {words}".rstrip())

    files = tracked()
    for file in [f for f in files if "/" not in f or f.startswith(".ci")] + [
        f for f in files if f.split("/")[0] in FOLDERS
    ]:
        parts = file.split("/")
        data = next((p for p in parts[:-1] if p in DATA), None)
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder not in seen and not file.startswith(".ci"):
                seen.add(folder)
                init = ROOT / folder / "__init__.py"
                words = DATA.get(parts[depth - 1]) or (comment(init) if init.is_file() else "")
                show(depth - 1, parts[depth - 1] + "/", words)
            if parts[depth - 1] == data:
                break
        if data is None and parts[-1] not in ("__init__.py", ".gitignore"):
            show(
                0 if file.startswith(".ci") else len(parts) - 1,
                file if file.startswith(".ci") else parts[-1],
                comment(ROOT / file),
            )
    return "```\n" + "\n".join(lines) + "\n```\n"


def test_the_readme_shows_the_tree_as_it_is(bless):
    text = README.read_text()
    wanted = BLOCK.sub(lambda m: m[1] + tree() + m[3], text)
    if bless:
        README.write_text(wanted)
    assert README.read_text() == wanted, (
        "the tree has changed; run `pytest tests/test_docs.py --bless` and review the diff"
    )


def test_the_readme_shows_the_figures_that_were_measured(bless):
    """Every number of the speed table is generated from docs/bench.json; nothing there is typed."""
    figures = table.markdown(json.loads((ROOT / "docs/bench.json").read_text()))
    text = README.read_text()
    assert len(FIGURES.findall(text)) == 1
    wanted = FIGURES.sub(lambda m: m[1] + figures + m[3], text)
    if bless:
        README.write_text(wanted)
    assert README.read_text() == wanted, (
        "docs/bench.json has changed; run `pytest tests/test_docs.py --bless` and review the diff"
    )


def test_every_file_says_what_it_is():
    silent = [line for line in tree().splitlines()[1:-1] if not line.strip().endswith("/") and len(line.split()) < 2]
    assert not silent, f"no comment: {silent}"


def commands() -> set[str]:
    found = set()

    def walk(command, name: str) -> None:
        for child, sub in getattr(command, "commands", {}).items():
            walk(sub, f"{name} {child}")
        if not hasattr(command, "commands"):
            found.add(name)
            assert command.help, f"{name} has no help"

    walk(get_command(app), "cktrack")
    return found


def test_every_command_in_the_documents_exists():
    text = "".join(
        p.read_text() for p in (README, ROOT / "docs/run.md", ROOT / "docs/probe.md", ROOT / "docs/design.md")
    )
    named = {" ".join(m.split()) for m in re.findall(r"`(cktrack(?: [a-z]+)+)", text)}
    known = commands()
    for command in named:
        words = command.split()
        assert any(" ".join(words[:n]) in known for n in range(2, len(words) + 1)), (
            f"`{command}` is documented but does not exist"
        )


def test_the_two_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for target in ("rung", "test", "ui", "lint"):
        assert re.search(rf"^{target}: ", makefile, re.M)
    assert "make test" in (ROOT / ".ci/run").read_text() and "make rung" in README.read_text()


def test_no_document_names_a_machine():
    for file in tracked():
        if Path(file).suffix in (".md", ".py", ".yaml", ".toml", ".c", ".h", ".json", ""):
            text = (ROOT / file).read_text(errors="ignore")
            assert not re.search(r"/(root|work|home/[a-z]+)/|/tmp/[a-z]+\d*/", text.replace("/home/", "/home /")), file


def test_no_file_is_large():
    assert all((ROOT / f).stat().st_size < 1_000_000 for f in tracked())
