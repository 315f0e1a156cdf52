"""What is wrong or odd about a tokenizer on the rows that it is for: every finding as data, none of them fixed here.

Six looks: rows come back from their ids; tags cost one token; reserved tokens are structure and are used; rows fit the context;
characters outside of ASCII, and how ASCII would write them; and what the vocabulary is made of. A finding has a severity (`fail`, `warn`), a
code and a sentence; the verdict is the worst severity, or `pass`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import Any

from experiments.coders import svg_bpe
from experiments.tokenizer import SPECIAL, UNKNOWN, Coder

Encoded = Sequence[Sequence[int]]  # the ids of every row
TAG = re.compile(r"\[/?[^\s\[\]]+\]")
STRUCTURE = re.compile(r"\[/?[^\s\[\]]+\]?|[^\w\s]+")
FITS = 0.8  # the longest row's share of the context, at most
LONG, HUGE, HUGE_AT_MOST = (
    60,
    100,
    5,
)  # bytes of a token with content: told from, too long from, so many of them are too many
LONG_TAG = 140  # bytes of a reserved token
MEGA_WARN, MEGA_FAIL = 0.05, 0.15  # share of the vocabulary that is long content
WIDE, WIDE_WARN = 80, 0.1  # bytes of any token, and the share of the vocabulary that may have more
BYTES_WARN = 0.4  # share of a corpus' tokens that are single bytes (of the vocabulary they are 256, however it is used)
SIGNS = {  # what decomposition does not give
    "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2192": "->", "\u2190": "<-",
    "\u21d2": "=>", "\u2264": "<=", "\u2265": ">=", "\u2260": "!=", "\u00d7": "x", "\u00f7": "/", "\u2022": "*", "\u00b7": "*", "\u00df": "ss",
    "\u00e6": "ae", "\u00c6": "AE", "\u00f8": "o", "\u00d8": "O", "\u0142": "l", "\u0141": "L", "\u0111": "d", "\u00ab": '"', "\u00bb": '"',
}  # fmt: skip


def audit(
    coder: Coder,
    rows: Sequence[str],
    tags: Collection[str],
    ctx: int,
    kept: Collection[str] = (),
    prefixes: Collection[str] = (),
    encoded: Encoded | None = None,
) -> dict[str, Any]:
    """Every look at a tokenizer. `rows` are texts that it is for, `tags` the texts that should cost one token each; ctx in tokens. `kept` are
    other texts that may be reserved, because somebody asked for them; `prefixes` open tags whose values are payload (`[topic:`); `encoded` the
    ids of the rows, where somebody has them."""
    encoded = coder.encode_many(rows) if encoded is None else encoded
    different = dict(zip(rows, encoded, strict=True))
    rows, encoded = list(different), list(different.values())
    looks: dict[str, Any] = {
        "roundtrip": roundtrip(coder, rows, encoded),
        "tags": tag_seed(coder, tags),
        "reserved": reserved(coder, encoded, {*tags, *kept}, prefixes),
        "fit": fit(encoded, ctx),
        "ascii": ascii_map(rows),
        "vocabulary": vocabulary(coder, encoded),
    }
    findings = list(_findings(looks))
    worst = {f["severity"] for f in findings}
    verdict = next((s for s in ("fail", "warn") if s in worst), "pass")
    return {"verdict": verdict, "findings": findings, "rows": len(rows), "size": coder.size, **looks}


# ------------------------------------------------------------------------------------------------- the looks


def roundtrip(coder: Coder, rows: Sequence[str], encoded: Encoded) -> dict[str, Any]:
    """How many rows come back exactly, where the first that does not begins to differ, and the share of bytes in their place.

    The share of bytes compares position by position: after one lost byte it says little, so read it beside the offset.
    """
    backs = [coder.decode(ids) for ids in encoded]
    wrong = [(n, row, back) for n, (row, back) in enumerate(zip(rows, backs, strict=True), 1) if row != back]
    right = sum(len(row.encode()) for row, back in zip(rows, backs, strict=True) if row == back)
    pairs = [(row.encode(), back.encode()) for _, row, back in wrong]
    same = right + sum(sum(x == y for x, y in zip(a, b, strict=False)) for a, b in pairs)
    places = right + sum(max(len(a), len(b)) for a, b in pairs)
    first = None
    if wrong:
        number, row, back = wrong[0]
        at = next(i for i, (x, y) in enumerate(zip_longest(row, back)) if x != y)
        first = {"row": number, "offset": at, "got": back[at : at + 30], "expected": row[at : at + 30]}
    exact = len(rows) - len(wrong)
    return {
        "rows": len(rows),
        "exact": exact,
        "bytes_in_place": same / places if places else None,
        "first_wrong": first,
    }


def tag_seed(coder: Coder, tags: Collection[str]) -> dict[str, Any]:
    """Which of the tags cost one token where they stand in a row, after a space."""
    missing = sorted(tag for tag in dict.fromkeys(tags) if len(coder.encode(f" {tag}")) != 1)
    expected = len(set(tags))
    return {"expected": expected, "covered": expected - len(missing), "missing": missing}


def reserved(
    coder: Coder, encoded: Encoded, tags: Collection[str] = (), prefixes: Collection[str] = ()
) -> dict[str, Any]:
    """The reserved tokens: how many the rows use, which they never do, and which are content: not among the `tags`, and either unlike structure
    or a value behind one of the `prefixes`."""
    added = {t: i for t, i in _added(coder).items() if t not in (*SPECIAL, UNKNOWN)}
    used = set(chain.from_iterable(encoded))
    return {
        "reserved": len(added),
        "unused": sorted(t for t, i in added.items() if i not in used),
        "payload": sorted(
            t for t in added if t.strip() not in tags and (not is_structure(t) or _is_value(t.strip(), prefixes))
        ),
    }


def _is_value(text: str, prefixes: Collection[str]) -> bool:
    return any(text.startswith(prefix) and text != prefix for prefix in prefixes)


def is_structure(text: str) -> bool:
    """Whether a reserved text looks like structure: a tag, the beginning of one, signs without a letter or digit, or SVG's own."""
    return bool(STRUCTURE.fullmatch(text.strip())) or text in svg_bpe.atoms()


def fit(encoded: Encoded, ctx: int) -> dict[str, Any]:
    """Row lengths in tokens, end token included, against the context."""
    sizes = sorted(len(ids) + 1 for ids in encoded) or [0]
    fitting = sum(n <= ctx for n in sizes)
    return {
        "ctx": ctx,
        "rows": len(encoded),
        "fitting": fitting,
        **_ranks(sizes),
        "longest": sizes[-1],
        "share": sizes[-1] / ctx,
    }


def _ranks(sizes: Sequence[int]) -> dict[str, int]:
    """Percentiles of sizes in their order."""
    return {f"p{p}": sizes[min(len(sizes) - 1, len(sizes) * p // 100)] for p in (50, 95, 99)}


def ascii_map(rows: Iterable[str]) -> dict[str, Any]:
    """Every character outside of ASCII, how often it occurs, and what would stand for it in ASCII (null: nothing known)."""
    counts = Counter(c for row in rows if not row.isascii() for c in row if not c.isascii())
    table = [
        {"character": c, "codepoint": f"U+{ord(c):04X}", "count": n, "ascii": in_ascii(c)}
        for c, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    mapped = sum(line["ascii"] is not None for line in table)
    return {
        "distinct": len(table),
        "total": counts.total(),
        "mapped": mapped,
        "unmapped": len(table) - mapped,
        "characters": table,
    }


def in_ascii(character: str) -> str | None:
    """A character in ASCII: by table, or its decomposition without marks; None if neither knows it."""
    if character in SIGNS:
        return SIGNS[character]
    plain = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    return plain if plain.isascii() and plain else None


def vocabulary(coder: Coder, encoded: Encoded) -> dict[str, Any]:
    """What tokens are (by `kind_of`), how long (percentiles in bytes), how many spell long content, and the share of single bytes in
    the rows' tokens."""
    added = _added(coder)
    texts = {i: coder.decode([i]) for i in range(coder.size)}
    kinds = {i: kind_of(text, text in added, text in (*SPECIAL, UNKNOWN)) for i, text in texts.items()}
    sizes = {i: len(text.encode()) for i, text in texts.items()}
    content = [i for i, kind in kinds.items() if kind in ("content", "tag_in_content")]
    spent = Counter(chain.from_iterable(encoded))
    single = sum(n for i, n in spent.items() if kinds[i] == "byte")
    return {
        "kinds": dict(sorted(Counter(kinds.values()).items())),
        "longest_content": max((sizes[i] for i in content), default=0),
        "long_content": sorted(texts[i] for i in content if sizes[i] > LONG),
        "huge_content": sum(sizes[i] > HUGE for i in content),
        "bytes": _ranks(sorted(sizes.values())),
        "wide": sum(size > WIDE for size in sizes.values()),
        "long_reserved": sorted(t for i, t in texts.items() if kinds[i] == "reserved" and sizes[i] > LONG_TAG),
        "share_of_bytes": single / spent.total() if spent else None,
    }


def kind_of(text: str, is_added: bool, is_special: bool) -> str:
    """special, reserved, byte (one letter or less), tag_in_content (a learned piece that swallowed a tag), tag_part, or content."""
    if is_special:
        return "special"
    if is_added:
        return "reserved"
    if len(text) <= 1:
        return "byte"
    if TAG.search(text):
        return "tag_in_content"
    return "tag_part" if "[" in text or "]" in text else "content"


def _added(coder: Coder) -> dict[str, int]:
    return {token.content: i for i, token in coder.inner.get_added_tokens_decoder().items()}


# ------------------------------------------------------------------------------------------------- what follows from them


def _findings(looks: dict[str, Any]) -> Iterator[dict[str, str]]:
    """A finding for every rule that a look breaks."""
    trip, tags, kept, fits, words = (looks[k] for k in ("roundtrip", "tags", "reserved", "fit", "vocabulary"))
    huge, long, size = words["huge_content"], len(words["long_content"]), sum(words["kinds"].values())
    swallowed = words["kinds"].get("tag_in_content", 0)
    rules = [
        ("fail", "roundtrip", trip["exact"] < trip["rows"], f"{trip['rows'] - trip['exact']} of {trip['rows']} rows do not come back"),
        ("fail", "too_long", fits["fitting"] < fits["rows"], f"{fits['rows'] - fits['fitting']} rows are longer than ctx={fits['ctx']}"),
        ("fail", "payload_reserved", bool(kept["payload"]), f"{len(kept['payload'])} reserved tokens hold content: {kept['payload'][:3]}"),
        ("fail", "tag_in_content", swallowed > 0, f"{swallowed} learned tokens swallowed a tag"),
        ("fail", "huge_content", huge > HUGE_AT_MOST, f"{huge} tokens spell more than {HUGE} bytes of content"),
        ("fail", "content_vocabulary", long > MEGA_FAIL * size, f"{long} of {size} tokens are long content"),
        ("warn", "content_vocabulary", MEGA_WARN * size < long <= MEGA_FAIL * size, f"{long} of {size} tokens are long content"),
        ("warn", "nearly_full", fits["fitting"] == fits["rows"] and fits["share"] > FITS,
         f"the longest row takes {fits['share']:.0%} of the context, more than {FITS:.0%}"),
        ("warn", "tag_not_reserved", bool(tags["missing"]), f"{len(tags['missing'])} tags cost several tokens: {tags['missing'][:3]}"),
        ("warn", "reserved_unused", bool(kept["unused"]), f"{len(kept['unused'])} reserved tokens are in no row: {kept['unused'][:3]}"),
        ("warn", "long_content", 0 < huge <= HUGE_AT_MOST or long > 0, f"{long} tokens spell more than {LONG} bytes of content"),
        ("warn", "wide_vocabulary", words["wide"] > WIDE_WARN * size, f"{words['wide']} of {size} tokens have more than {WIDE} bytes"),
        ("warn", "long_reserved", bool(words["long_reserved"]), f"{len(words['long_reserved'])} reserved tokens have over {LONG_TAG} bytes"),
        ("warn", "spelled", (words["share_of_bytes"] or 0) > BYTES_WARN, f"{words['share_of_bytes'] or 0:.0%} of all tokens are single bytes"),
    ]  # fmt: skip
    for severity, code, broken, message in rules:
        if broken:
            yield {"severity": severity, "code": code, "message": message}
