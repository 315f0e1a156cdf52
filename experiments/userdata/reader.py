"""From the files of a manifest to rows and probe cases: every fault with its file and line, and what is odd but no fault, counted.

A row is `PROMPT SEPARATOR OUTPUT` on one line; inside, the separator is always `[OUT]`. Two things are mended, and counted: a row that was
written over several lines (its output opens `[x]` and the lines that follow, which have no separator, close it) is joined; a row
whose output is only the beginning of another row's with the same prompt (a fragment) is left out, because it would teach to end
too early. Rows that contradict each other are counted and trained.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

from experiments.corpus import Row
from experiments.pack import OUT
from experiments.split import fold
from experiments.tokenizer import SPECIAL
from experiments.userdata.manifest import Manifest, ManifestError, Probes
from experiments.violation import Violation, nearest, shorten

OPENING = re.compile(r"\[([^\s\[\]/:]+)\]")
SHOWN = 20  # faults of one kind that are listed; the rest is counted


class Doubled(dict[str, Any]):
    """An object of JSON that has a key twice, of which one value alone could be kept."""

    key = ""


@dataclass
class Counts:
    """What was found in the training rows beside faults."""

    rows: int = 0
    joined: int = 0  # written over several lines
    fragments: int = 0  # left out
    duplicates: int = 0  # beyond the first of equal rows
    contradictions: int = 0  # prompts that are given two or more outputs, after fragments
    not_ascii: int = 0  # rows with characters beyond ASCII


@dataclass(frozen=True)
class Data:
    """What a corpus holds: training rows by stage, probe cases (id, split, prompt, expected), and counts."""

    stages: dict[str, list[Row]]
    cases: list[dict[str, str]]
    counts: Counts
    notes: list[str] = field(default_factory=list)

    @property
    def training(self) -> list[str]:
        return [row.text for rows in self.stages.values() for row in rows]

    def as_dict(self) -> dict:
        return asdict(self.counts)


def read(manifest: Manifest, folder: Path) -> Data:
    """Everything that a manifest names. Raises ManifestError with every fault of every file."""
    faults: list[Violation] = []
    counts, notes = Counts(), list[str]()
    stages = {
        stage: [row for file in files for row in _rows(folder, file, stage, manifest.separator, counts, faults)]
        for stage, files in manifest.rows.stages().items()
    }
    cases = [
        c for name, probes in manifest.probes.items() for c in _cases(folder, name, probes, manifest, faults, notes)
    ]
    if faults:
        raise ManifestError(faults)
    declared, stages = stages, without_fragments(stages, counts)
    notes += [
        f"{stage}: every row is only the beginning of another one, so nothing is left to train; its tokens go to the rest"
        for stage in declared
        if stage not in stages
    ]
    _count(stages, counts)
    return Data(stages, cases, counts, notes)


# ------------------------------------------------------------------------------------------------- rows


def lines(folder: Path, file: str, faults: list[Violation]) -> list[str]:
    """The lines of a text file, as they are between line feeds; faults for a file that is absent, empty or no UTF-8."""
    try:
        text = (folder / file).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        faults.append(
            Violation(
                f"{file}:{line}", f"byte 0x{error.object[error.start]:02x}, which is no UTF-8", "a text file in UTF-8"
            )
        )
        return []
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        got = "no such file" if isinstance(error, FileNotFoundError) else str(getattr(error, "strerror", None) or error)
        faults.append(Violation(file, got, "a file, relative to the YAML"))
        return []
    found = [line.removesuffix("\r") for line in text.split("\n")]
    if not any(line.strip() for line in found):
        faults.append(Violation(file, "an empty file", "at least one line"))
    return found


def _rows(
    folder: Path, file: str, stage: str, separator: str, counts: Counts, faults: list[Violation]
) -> Iterator[Row]:
    found: list[Violation] = []
    for number, line in joined(lines(folder, file, faults), separator, counts):
        row = _row(f"{file}:{number}", line, stage, separator, found)
        if row:
            counts.rows += 1
            yield row
    faults += found[:SHOWN]
    if len(found) > SHOWN:
        faults.append(Violation(file, f"{len(found) - SHOWN} more lines like these", "none"))


def joined(found: Sequence[str], separator: str, counts: Counts) -> Iterator[tuple[int, str]]:
    """(line number, row) of the lines that are not blank. Lines without a separator that close what the row before them opened belong to it."""
    at = 0
    while at < len(found):
        end = _closing(found, at, separator) if found[at].strip() else at
        if found[at].strip():
            counts.joined += end > at
            yield at + 1, " ".join(" ".join(found[at : end + 1]).split()) if end > at else found[at]
        at = end + 1


def _closing(found: Sequence[str], at: int, separator: str) -> int:
    """The last line of the row that begins at line `at`: the line itself, unless its output is open and a later line closes it."""
    _, cut, output = found[at].partition(separator)
    rest = (n for n in range(at + 1, len(found)) if found[n].strip())
    first = next(rest, None) if cut else None
    if first is None or separator in found[first]:
        return at
    opened = OPENING.match(output.strip() or found[first].strip())
    if not opened or f"[/{opened[1]}]" in output:
        return at
    for end in chain([first], rest):
        if separator in found[end]:
            return at
        if f"[/{opened[1]}]" in found[end]:
            return end
    return at


def _row(place: str, line: str, stage: str, separator: str, faults: list[Violation]) -> Row | None:
    parts = cut(line, separator)
    example = f"one `PROMPT {separator.strip() or repr(separator)} OUTPUT`"
    if len(parts) != 2:
        got = "no separator" if len(parts) < 2 else f"{len(parts) - 1} separators"
        faults.append(Violation(place, f"{got} in {shorten(line)}", example))
    elif not all(parts):
        faults.append(Violation(place, f"no {'output' if parts[0] else 'prompt'} in {shorten(line)}", example))
    elif fault := _unfit(line, parts):
        faults.append(Violation(place, *fault))
    else:
        return Row(parts[0] + OUT.rstrip(), parts[1], stage, "rows", "rows", "rows", "rows")
    return None


def cut(line: str, separator: str) -> list[str]:
    """The parts between separators, without the space around them; separators that stand alone count first, if there is one."""
    alone = re.split(rf"(?<!\S){re.escape(separator.strip())}(?!\S)", line) if separator.strip() else []
    parts = alone if len(alone) == 2 else line.split(separator)
    return [part.strip() for part in parts]


def _unfit(line: str, parts: Sequence[str]) -> tuple[str, str] | None:
    """(got, expected) for texts that the tokenizer or the packing gives another meaning."""
    for text in SPECIAL:
        if text in line:
            return f"the text {text}", "rows without it: it stands for the end of a row or for padding"
    if any(OUT.strip() in part.split() for part in parts):
        return f"the word {OUT.strip()} inside of a prompt or output", "it only between the two"
    return None


def without_fragments(stages: dict[str, list[Row]], counts: Counts) -> dict[str, list[Row]]:
    """The rows whose output no other row of the same prompt goes on with."""
    outputs: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for row in (r for rows in stages.values() for r in rows):
        outputs[fold(row.prompt)].add(tuple(row.output.split()))
    begun = {(p, short) for p, found in outputs.items() if len(found) > 1 for short in beginnings(found)}
    kept = {
        stage: [r for r in rows if not begun or (fold(r.prompt), tuple(r.output.split())) not in begun]
        for stage, rows in stages.items()
    }
    counts.fragments = counts.rows - sum(map(len, kept.values()))
    return {stage: rows for stage, rows in kept.items() if rows}


def beginnings(texts: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Those texts, as tuples of words, with which another one begins: in sorted order, the next one begins with it."""
    ordered = sorted(texts)
    return [a for a, b in pairwise(ordered) if b[: len(a)] == a]


def _count(stages: dict[str, list[Row]], counts: Counts) -> None:
    outputs: dict[str, set[str]] = defaultdict(set)
    for row in (r for rows in stages.values() for r in rows):
        outputs[fold(row.prompt)].add(fold(row.output))
        counts.not_ascii += not row.text.isascii()
    kept = sum(map(len, stages.values()))
    counts.duplicates = kept - sum(map(len, outputs.values()))
    counts.contradictions = sum(len(found) > 1 for found in outputs.values())


# ------------------------------------------------------------------------------------------------- probes


def _cases(
    folder: Path, split: str, probes: Probes, manifest: Manifest, faults: list[Violation], notes: list[str]
) -> list[dict[str, str]]:
    """The cases of one split in the order in which they are asked."""
    before = len(faults)
    pairs = _answers(folder, split, probes, manifest.separator, faults)
    if probes.prompts is not None:
        pairs = _looked_up(folder, split, probes, manifest.separator, pairs, faults, notes)
    if not pairs and len(faults) == before:
        faults.append(Violation(f"probes.{split}", "no case", f"at least one in {probes.prompts or probes.expected}"))
    asked: dict[str, set[str]] = defaultdict(set)
    for prompt, expected in pairs:
        asked[fold(prompt)].add(fold(expected))
    if torn := sum(len(found) > 1 for found in asked.values()):
        notes.append(f"{split}: {torn} prompts have two or more expected outputs, of which one at most can be said")
    return [
        {"id": f"{split}-{number:04d}", "split": split, "prompt": prompt, "expected": expected}
        for number, (prompt, expected) in enumerate(pairs, 1)
    ]


def _answers(
    folder: Path, split: str, probes: Probes, separator: str, faults: list[Violation]
) -> list[tuple[str, str]]:
    """(prompt with its [OUT], expected output) of every object of the JSON file."""
    data = _json(folder, probes.expected, faults)
    if data is None:
        return []
    found: list[Violation] = []
    pairs = []
    for number, entry in enumerate(data):
        place = f"{probes.expected}[{number}]"
        if not isinstance(entry, dict):
            found.append(Violation(place, shorten(entry), "an object"))
            continue
        if isinstance(entry, Doubled):
            found.append(Violation(place, f"the key {shorten(entry.key)} twice", "each key once; remove one"))
            continue
        prompt, expected = (_value(place, entry, key, found) for key in (probes.prompt_key, probes.output_key))
        if not prompt or not expected:
            continue
        prompt = _prompt(prompt, separator)
        if fault := _unfit(f"{prompt} {expected}", [prompt.removesuffix(OUT.strip()), expected]):
            found.append(Violation(place, *fault))
        else:
            pairs.append((prompt, expected))
    faults += found[:SHOWN]
    if len(found) > SHOWN:
        faults.append(Violation(probes.expected, f"{len(found) - SHOWN} more faults like these", "none"))
    return pairs


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON from its keys and values; one that has a key twice says so."""
    keys = Counter(key for key, _ in pairs)
    if len(keys) == len(pairs):
        return dict(pairs)
    found = Doubled(pairs)
    found.key = keys.most_common(1)[0][0]
    return found


def _json(folder: Path, file: str, faults: list[Violation]) -> list | None:
    text = "\n".join(lines(folder, file, faults))
    if not text.strip():
        return None
    try:
        data = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        faults.append(Violation(f"{file}:{error.lineno}", error.msg, "JSON"))
        return None
    except ValueError as error:
        faults.append(Violation(file, shorten(str(error), 80), "JSON with smaller numbers"))
        return None
    except RecursionError:
        faults.append(Violation(file, "brackets too deep", "a JSON array of objects"))
        return None
    if not isinstance(data, list) or not data:
        got = "an empty array" if data == [] else "a dict" if isinstance(data, dict) else f"a {type(data).__name__}"
        faults.append(Violation(file, got, "a JSON array of objects"))
        return None
    return data


def _value(place: str, entry: dict[str, Any], key: str, faults: list[Violation]) -> str:
    """The text under a key of one object; a list of texts is joined by spaces. Empty, and a fault, where there is none."""
    value = entry.get(key)
    if isinstance(value, list) and value and all(isinstance(v, str) for v in value):
        value = " ".join(value)
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        faults.append(
            Violation(place, f"half of a character (a lone surrogate) under `{key}`", "text that UTF-8 can say")
        )
        return ""
    if isinstance(value, str) and value.strip():
        return value.strip()
    known = ", ".join(map(str, entry)) or "none"
    got = f"no key `{key}`" if key not in entry else f"{shorten(value)} under `{key}`"
    expected = f"one of its keys: {known}{nearest(key, entry)}" if key not in entry else "a text"
    faults.append(Violation(place, got, expected))
    return ""


def _prompt(text: str, separator: str) -> str:
    """A prompt as rows have it: white space around it and a separator at its end taken off, `[OUT]` put on."""
    kept = text.strip().removesuffix(separator.strip() or separator).strip()
    return f"{kept} {OUT.strip()}"


def _looked_up(
    folder: Path, split: str, probes: Probes, separator: str, pairs: Sequence[tuple[str, str]],
    faults: list[Violation], notes: list[str],
) -> list[tuple[str, str]]:  # fmt: skip
    """(prompt, expected output) for each line of the file of prompts."""
    file = str(probes.prompts)
    table: dict[str, list[str]] = defaultdict(list)
    for prompt, expected in pairs:
        if expected not in table[fold(prompt)]:
            table[fold(prompt)].append(expected)
    found, absent = list[tuple[str, str]](), list[Violation]()
    for number, line in enumerate(lines(folder, file, faults), 1):
        prompt = _prompt(line, separator)
        if line.strip() and table and fold(prompt) not in table:
            expected = f"a prompt under `{probes.prompt_key}` of {probes.expected}"
            absent.append(Violation(f"{file}:{number}", shorten(line), expected))
        elif line.strip() and table:
            found.append((prompt, table[fold(prompt)][0]))
    faults += absent[:SHOWN]
    if torn := sum(len(table[fold(p)]) > 1 for p in {p for p, _ in found}):
        notes.append(f"{split}: {torn} prompts have two or more expected outputs; the first is asked for")
    return found
