"""Which texts of a corpus cost one token: what the manifest's `reserved` says, found in the training rows.

Tags that a single row has are payload, not structure: an id, a name, a number. They are spelled like any other text.
So are tags that would not come back from a token of their own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from experiments.pack import OUT
from experiments.tokenizer import SPECIAL, Policy, comes_back
from experiments.userdata import reader
from experiments.userdata.manifest import NONE, TAGS, Manifest, ManifestError
from experiments.userdata.reader import Data
from experiments.violation import Violation, shorten

TAG = re.compile(r" ?\[[^\s\[\]]+\]")
ROWS = 2  # rows that must hold a tag
MOST = 2048  # tags that are reserved, the most frequent first
MERGES = 768  # of byte pairs, for all other text
SHARE = 100  # a merge must occur once in so many rows: the words of templates do, payload does not


def policy(manifest: Manifest, folder: Path, data: Data) -> Policy:
    """The tokenizer's policy for a corpus. Raises ManifestError for a file of reserved texts that cannot be used."""
    rows = data.training
    if manifest.reserved == TAGS:
        forms = tag_forms(rows)
    elif manifest.reserved == NONE:
        forms = []
    else:
        forms = [form for text in listed(folder, manifest.reserved) for form in (text, f" {text}")]
    forms = [form for form in forms if comes_back(form)]
    spaced = tuple(form[1:] for form in forms if form.startswith(" "))
    bare = tuple(form for form in forms if not form.startswith(" "))
    tags = tuple(dict.fromkeys([OUT.strip(), *spaced]))
    size = len(bare) + len(tags) + 256 + len(SPECIAL) + MERGES
    return Policy(tags, openers=bare, vocab=size, min_frequency=max(2, len(rows) // SHARE))


def tag_forms(rows: Iterable[str]) -> list[str]:
    """Bracket tags as rows have them, with the space before them or without, most frequent first; sorted where equal."""
    held: Counter[str] = Counter()
    for row in rows:
        held.update(set(TAG.findall(row)))
    often = sorted((-n, form) for form, n in held.items() if n >= ROWS)
    return [form for _, form in often[:MOST]]


def listed(folder: Path, file: str) -> list[str]:
    """The texts of a file of reserved tokens, one a line."""
    faults: list[Violation] = []
    found = reader.lines(folder, file, faults)
    texts = []
    for number, line in enumerate(found, 1):
        text = line.strip()
        if len(text.split()) > 1 or text in SPECIAL:
            faults.append(Violation(f"{file}:{number}", shorten(line), "one text without white space a line"))
        elif text in texts:
            faults.append(Violation(f"{file}:{number}", f"{shorten(text)} twice", "each text once"))
        elif text:
            texts.append(text)
    if faults:
        raise ManifestError(faults)
    return texts
