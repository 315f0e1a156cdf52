"""Bracket tags: cutting a scene text into tags with positions, and the parts of reading that every surface shares.

`[name]`, `[/name]`, `[name:value]`; tags are separated by white space. Nothing here knows a component or a family,
and nothing is repaired: a defect becomes a `Violation` with the tag's position, and reading goes on so that all of
them are found in one pass.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from experiments.violation import Violation, ViolationError, shorten

TASK, OUT = "[task:svg]", "[OUT]"
ID = re.compile(r"[A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)*")
REF = re.compile(r"[A-Za-z0-9_]+(?:[.-][A-Za-z0-9_]+)*")
WORD = re.compile(r"[^\[\]\s]+")
MAX_TEXT = 64_000  # characters; no scene is near it, a runaway generation is

STATED = re.compile(r"\[([A-Za-z][A-Za-z0-9_]*):[^\[\]\s]*\]")

_PIECE = re.compile(r"\[[^\[\]\s]*\]|[^\[\]\s]+|[\[\]]")
_TAG = re.compile(r"\[(/?)([A-Za-z][A-Za-z0-9_]*)(?::([^\[\]\s]*))?\]")


class SurfaceError(ViolationError):
    """A text that is not of its surface, or a scene that the surface cannot write."""

    subject = "scene text"


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag: its 1-based position, its character offset, and its parts (`value` is None where there is no colon)."""

    position: int
    offset: int
    text: str
    name: str
    value: str | None = None
    closing: bool = False

    @property
    def place(self) -> str:
        return f"tag {self.position} (character {self.offset})"


@dataclass(slots=True)
class Reader:
    """The tags of a text and the violations met so far."""

    tags: list[Tag]
    violations: list[Violation] = field(default_factory=list)
    length: int = 0

    def report(self, tag: Tag | None, got: str, expected: str) -> None:
        place, position = (tag.place, tag.position) if tag else (f"end of text (character {self.length})", None)
        self.violations.append(Violation(place, got, expected, position))

    def fail_if_any(self) -> None:
        if self.violations:
            self.violations.sort(key=lambda v: v.token or 1 << 30)
            raise SurfaceError(self.violations)


def read(text: str, bare: re.Pattern[str] | None = None) -> Reader:
    """Cut a text into tags. Text outside brackets, broken brackets and tags without a space between them are
    violations; but text that matches `bare` (`WORD`: whatever it is) becomes a tag without a name, its value the text.
    """
    reader = Reader([], length=len(text))
    if len(text) > MAX_TEXT:
        reader.violations.append(Violation("text", f"{len(text)} characters", f"at most {MAX_TEXT}"))
        return reader
    end = 0
    for position, piece in enumerate(_PIECE.finditer(text), 1):
        whole = piece[0]
        parts = _TAG.fullmatch(whole)
        slash, name, value = parts.groups() if parts else ("", "", None)
        loose = parts is None and bare is not None and bare.fullmatch(whole) is not None
        tag = Tag(position, piece.start(), whole, name, whole if loose else value, bool(slash))
        if position > 1 and piece.start() == end:
            reader.report(tag, f"{shorten(whole)} right after the tag before it", "white space between tags")
        end = piece.end()
        if not loose and (parts is None or (slash and value is not None)):
            reader.report(tag, shorten(whole), "a tag such as [name], [/name] or [name:value]")
        else:
            reader.tags.append(tag)
    return reader


def frame(reader: Reader, name: str) -> list[Tag]:
    """The tags between `[name]` and `[/name]`. A missing marker, a second one and anything after the close are
    reported.
    """
    tags, opening, closing = reader.tags, f"[{name}]", f"[/{name}]"
    if not tags or tags[0].text != opening:
        reader.report(tags[0] if tags else None, shorten(tags[0].text) if tags else "nothing", f"{opening} first")
    start = 1 if tags and tags[0].text == opening else 0
    close = next((i for i, t in enumerate(tags) if t.text == closing), None)
    if close is None:
        reader.report(None, "no close marker", f"{closing} at the end")
        close = len(tags)
    for tag in tags[close + 1 :]:
        reader.report(tag, shorten(tag.text), f"nothing after {closing}")
    body = tags[start:close]
    for tag in [t for t in body if t.text == opening]:
        reader.report(tag, f"a second {opening}", "one")
    return [t for t in body if t.text != opening]


def split(
    reader: Reader, tags: Sequence[Tag], order: Sequence[str], body: Container[str]
) -> tuple[list[Tag], list[Tag]]:
    """(attribute tags, the rest): the rest begins at the first tag named in `body`; what else is no attribute is reported."""
    cut = next((i for i, tag in enumerate(tags) if tag.name in body and tag.name not in order), len(tags))
    for tag in tags[:cut]:
        if tag.name not in order or tag.closing:
            reader.report(tag, shorten(tag.text), "an attribute: " + ", ".join(f"[{name}:]" for name in order))
    return [tag for tag in tags[:cut] if tag.name in order and not tag.closing], list(tags[cut:])


def check_payload(reader: Reader, tag: Tag, value: str | None, pattern: re.Pattern[str], what: str) -> str | None:
    """`value` where it is a well-formed id or reference, else None and a violation."""
    if value and pattern.fullmatch(value):
        return value
    example = "nodes.start" if pattern is REF else "node_1"
    reader.report(tag, f"{what} {shorten(value or '')}", f"{what} such as `{example}`")
    return None


def check_value(reader: Reader, tag: Tag, legal: Sequence[str]) -> str | None:
    """The tag's value where it is one of the legal ones, else None and a violation."""
    if tag.value in legal:
        return tag.value
    reader.report(tag, shorten(tag.text), f"[{tag.name}:] with one of {', '.join(legal)}")
    return None


def stated(text: str, names: Container[str], spelled: re.Pattern[str] = STATED) -> Iterator[re.Match[str]]:
    """Where a text states one of these names, broken or whole; group 1 of a match is the name. `spelled`: as `[name:value]` unless said."""
    return (found for found in spelled.finditer(text) if found[1] in names)


@dataclass(frozen=True)
class Vocabulary:
    """What a tokenizer should know of a surface: whole tags of closed lists, the prefixes of tags with an open
    payload, and words of closed lists together with the tag that ends them.
    """

    tags: tuple[str, ...]
    prefixes: tuple[str, ...]
    phrases: tuple[str, ...] = ()

    @classmethod
    def of(cls, tags: Iterable[str], prefixes: Iterable[str] = ()) -> Vocabulary:
        return cls(tuple(dict.fromkeys(tags)), tuple(dict.fromkeys(prefixes)))
