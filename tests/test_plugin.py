"""Families and surfaces from other packages are found, counted for identity, and refused where names clash. The example is the documents'."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = re.search(r"```python\n(.*?)```", (ROOT / "docs/plugin.md").read_text(), re.S)[1]
POINTS = re.search(r"```toml\n(.*?)```", (ROOT / "docs/plugin.md").read_text(), re.S)[1]
CASE = {
    "case": "morning",
    "surface": "gold",
    "topic": "morning",
    "components": ["header_band:header", "stack_card:wake|cards.wake", "stack_card:eat|cards.eat"],
    "content": {
        "header": {"headline": "A morning"},
        "cards": {
            "wake": {"title": "Wake", "body": "The alarm rings once."},
            "eat": {"title": "Eat", "body": "Bread, and time for it."},
        },
    },
}
LOOK = """
import json
from experiments import case, compiler, families, source, surfaces
from experiments.run import scoring_digest
from experiments.style import Style
one = case.load("card_stack", "morning")
scene = one.scene(Style())
said = {name: surfaces.load(name).format(scene) for name in ("terse", "gold")}
print(json.dumps({
    "families": families.names(), "surfaces": surfaces.names(), "text": said["terse"],
    "back": all(surfaces.load(n).parse(t) == scene for n, t in said.items()),
    "svg": compiler.compile(scene, one.content).svg, "every": "card_stack" in {c.family for c in case.every()},
    "digests": [source.digest(), scoring_digest()],
}))
"""


def install(place: Path, package: str, points: str, files: dict[str, str]) -> None:
    """A distribution as an installer leaves it: its files, and a folder of metadata."""
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    info = place / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    plain = re.sub(r'\[project\.entry-points\."(.*?)"\]', r"[\1]", points).replace('"', "")
    (info / "entry_points.txt").write_text(plain)


def look(place: Path, code: str = LOOK) -> subprocess.CompletedProcess:
    path = os.pathsep.join([str(place), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )


@pytest.fixture
def site(tmp_path):
    files = {
        "my_pictures/__init__.py": "",
        "my_pictures/card_stack/__init__.py": "",
        "my_pictures/card_stack/family.py": EXAMPLE,
        "my_pictures/card_stack/cases/morning.json": json.dumps(CASE),
        "my_pictures/terse.py": "from experiments.surfaces.compact import MARKER, families, format, parse, prompt, vocabulary\n",
    }
    install(tmp_path, "my_pictures", POINTS, files)
    return tmp_path


def test_the_documented_example_is_found_drawn_and_counted(site):
    done = look(site)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert "card_stack" in seen["families"] and "timeline" in seen["families"] and "terse" in seen["surfaces"]
    assert seen["back"] and seen["every"] and "[stack_card:wake|cards.wake]" in seen["text"]
    assert "The alarm rings once." in seen["svg"]
    with (site / "my_pictures/card_stack/family.py").open("a") as file:
        file.write("# changed\n")
    changed = json.loads(look(site).stdout)
    (site / "my_pictures/palette.css").write_text("a helper beside the family's folder")
    helped = json.loads(look(site).stdout)
    assert all(len({*told}) == 3 for told in zip(seen["digests"], changed["digests"], helped["digests"], strict=True))


@pytest.mark.parametrize(
    ("broken", "said"), [(b"{", "got Expecting property name"), (b'{"case": "\xff"}', "got 'utf-8' codec can't decode")]
)
def test_a_broken_case_file_is_named(site, broken, said):
    (site / "my_pictures/card_stack/cases/torn.json").write_bytes(broken)
    done = look(site, "import sys\nsys.argv = ['cktrack', 'check', 'card_stack']\nfrom cktrack.cli import main\nmain()")
    told = " ".join(done.stderr.split())
    assert done.returncode and "torn.json" in told and said in told and "Traceback" not in told, done.stderr


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ("timeline = my_pictures.card_stack.family:FAMILY", "clashing 1.0 offers 'timeline', which cktrack has itself"),
        (
            "card_stack = other.thing:FAMILY",
            "'card_stack' is offered by clashing 1.0 and by my_pictures 1.0; uninstall",
        ),
        ("Stack = other.thing:FAMILY", "got 'Stack' = 'other.thing:FAMILY' from clashing 1.0"),
        ("stack = alone:FAMILY", "a module inside of a package"),
        ("stack = my_pictures.gone:FAMILY", "'stack' of clashing 1.0 cannot be loaded from my_pictures.gone:FAMILY"),
        (
            "stack = my_pictures.card_stack.family:Card",
            "'stack' of clashing 1.0 is a ModelMetaclass, expected a Family",
        ),
        ("stack = my_pictures.card_stack.family:FAMILY", "declares the family `card_stack`, expected `stack`"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_package(site, points, said):
    install(site, "clashing", f"[cktrack.families]\n{points}\n", {})
    done = look(site, "from experiments import families\n[families.load(name) for name in families.names()]")
    assert done.returncode and said in done.stderr, done.stderr


@pytest.mark.parametrize("command", [["check", "--every", "30"], ["gallery", "--family"]])
@pytest.mark.parametrize(
    ("value", "said"), [("FAMILY", "card_stack: got 0 pictures"), ("Card", "is a ModelMetaclass, expected a Family")]
)
def test_a_family_of_which_nothing_is_drawn_is_a_fault(site, command, value, said):
    (site / "my_pictures/card_stack/cases/morning.json").unlink()
    points = site / "my_pictures-1.0.dist-info/entry_points.txt"
    points.write_text(points.read_text().replace("family:FAMILY", f"family:{value}"))
    call = ["cktrack", *command, "card_stack", *(["--out", str(site / "shown")] if command[0] == "gallery" else [])]
    done = look(site, f"import sys\nsys.argv = {call!r}\nfrom cktrack.cli import main\nmain()")
    assert done.returncode == (2 if value == "Card" and command[0] == "gallery" else 1), done.stderr
    assert said in " ".join((done.stdout + done.stderr).split())
