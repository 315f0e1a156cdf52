"""The portable kernels as plain C text: conditionals decided, `FN(name)` written as `name`, and only what is asked for.

It reads the files in the order in which `build.py` compiles them for the portable instruction set, and knows no kernel by name. What it
expects of them: conditions of the preprocessor ask for names that begin with CK_, and a definition at top level ends with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from cengine.op import CONSTANTS

SOURCES = Path(__file__).resolve().parent / "c"
GENERATED = "ck_generated.h"
HIDDEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
DIRECTIVE = re.compile(r"\s*#\s*(\w+)\s*(.*?)\s*$")
WORD = re.compile(r"[A-Za-z_]\w*")
KERNEL_NAME = re.compile(r"\bFN\((\w+)\)")


def bare(text: str) -> str:
    """The text with comments and literals blanked, every character in its place."""
    return HIDDEN.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


@dataclass(frozen=True)
class Item:
    """One definition at top level with the comment before it."""

    file: str
    raw: str

    @property
    def text(self) -> str:
        """The definition as it is written out; lines that were aligned under `FN(name)(` stay aligned."""
        head, brace, body = self.raw.partition("{")
        if re.search(r"^static (?!inline)[^\n]*FN\(", head, re.M):
            head = head.replace("\n    ", "\n")
        return KERNEL_NAME.sub(r"\1", head + brace + body)

    @cached_property
    def plain(self) -> str:
        """Without comments; `FN(name)` is a word of its own, so that a local variable `name` is another."""
        return KERNEL_NAME.sub(r"FN_\1", bare(self.raw)).strip()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What it defines."""
        if macro := re.match(r"#\s*define\s+(\w+)", self.plain):
            return (macro[1],)
        if self.plain.startswith("#"):
            return ()
        if self.plain.startswith("enum"):
            inside = self.plain[self.plain.index("{") + 1 : self.plain.rindex("}")]
            return tuple(w[0] for part in inside.split(",") if (w := WORD.search(part)))
        if self.plain.startswith("typedef"):
            pointer = re.search(r"\(\s*\*\s*(\w+)\s*\)", self.plain)
            return (pointer[1],) if pointer else (WORD.findall(self.plain)[-1],)
        declared = WORD.findall(re.split(r"[(\[=;{]", self.plain, maxsplit=1)[0])
        return (declared[-1],) if declared else ()

    @cached_property
    def uses(self) -> frozenset[str]:
        return frozenset(WORD.findall(self.plain)) - set(self.names)

    @property
    def idle(self) -> bool:
        """Whether it is a function that does nothing: its body only says which parameters it ignores."""
        body = re.fullmatch(r"[^{]*\)\s*\{(.*)\}", self.plain, re.S)
        return body is not None and re.fullmatch(r"\s*(\(void\)\s*\w+\s*[,;]\s*)*", body[1]) is not None


def _decide(condition: str, defined: set[str], where: str) -> bool:
    """The value of a condition over `defined(CK_NAME)`, numbers and ! && || ( )."""
    text = re.sub(r"defined\s*\(?\s*(CK_\w+)\s*\)?", lambda m: f" {m[1] in defined} ", condition)
    text = text.replace("&&", " and ").replace("||", " or ").replace("!", " not ")
    if not all(w in ("True", "False", "and", "or", "not") or w.isdigit() for w in re.findall(r"[^\s()]+", text)):
        raise ValueError(f"emit: {where}: got the condition {condition!r}; expected defined(CK_...) with && || !")
    return bool(eval(text, {"__builtins__": {}}))


def resolve(text: str, defined: set[str], where: str) -> Iterator[tuple[str, str]]:
    """The lines that the preprocessor would keep, each with its bare form; `defined` grows by what they define."""
    stack: list[tuple[bool, bool, bool]] = []  # before the #if, some branch taken, in a taken branch
    on = True
    for line, plain in zip(text.splitlines(), bare(text).splitlines(), strict=True):
        found = DIRECTIVE.match(plain)
        word, rest = (found[1], found[2]) if found else ("", "")
        if word in ("if", "ifdef", "ifndef"):
            asked = {"if": rest, "ifdef": f"defined({rest})", "ifndef": f"!defined({rest})"}[word]
            taken = on and _decide(asked, defined, where)
            stack.append((on, taken, taken))
        elif word in ("elif", "else"):
            outer, done, _ = stack.pop()
            taken = outer and not done and (word == "else" or _decide(rest, defined, where))
            stack.append((outer, done or taken, taken))
        elif word == "endif":
            on = stack.pop()[0]
            continue
        elif on:
            if word == "define":
                defined.add(WORD.findall(rest)[0])
            yield line, plain
            continue
        else:
            continue
        on = stack[-1][2]


def _split(file: str, lines: Iterable[tuple[str, str]]) -> Iterator[Item]:
    """Definitions, each with the comment before it; the first comment of a file, a blank line behind it, is one by itself."""
    pending: list[str] = []
    code, first = "", True  # `code`: the bare form of what is pending
    for line, plain in lines:
        code = f"{code}\n{plain}".strip()
        if line.strip():
            pending.append(line)
        elif pending and (code or not pending[-1].endswith("*/")):
            pending.append("")
        elif pending and first:
            yield Item(file, "\n".join(pending))
            pending, first = [], False
        whole = all(code.count(a) == code.count(b) for a, b in ("{}", "()"))
        if code and ((not code.endswith("\\")) if code.startswith("#") else (whole and code[-1] in ";}")):
            yield Item(file, "\n".join(pending))
            pending, code, first = [], "", False
    if code:
        raise ValueError(f"emit: {file} ends inside a definition: {pending[0]!r}")


@dataclass(frozen=True)
class Library:
    """Every portable definition in the order of compilation."""

    items: tuple[Item, ...]

    @cached_property
    def by_name(self) -> dict[str, Item]:
        return {name: item for item in reversed(self.items) for name in item.names}

    def function(self, name: str) -> Item:
        """The kernel `FN(name)`."""
        if f"FN_{name}" not in self.by_name:
            raise ValueError(f"emit: no file of {SOURCES} defines FN({name}); expected it outside of vector code")
        return self.by_name[f"FN_{name}"]

    def needed(self, names: Iterable[str]) -> list[Item]:
        """The definitions of `names` and of all that they use, each behind what it uses; files in one piece where that allows it."""
        chosen: set[Item] = set()
        waiting = [self.function(name) for name in names]
        while waiting:
            item = waiting.pop()
            if item not in chosen:
                chosen.add(item)
                waiting += [self.by_name[n] for n in item.uses if n in self.by_name]
        ordered: list[Item] = []
        entered: set[str] = set()

        def write(file: str) -> None:
            if file in entered:
                return
            entered.add(file)
            own = [i for i in self.items if i.file == file and i in chosen]
            for used in sorted({self.by_name[n].file for i in own for n in i.uses if n in self.by_name}):
                write(used)
            ordered.extend(own)

        for item in self.items:
            if item in chosen:
                write(item.file)
        return ordered

    def heading(self, file: str) -> str:
        """The comment that a file opens with."""
        return next((i.text for i in self.items if i.file == file and not i.plain), "")

    @property
    def includes(self) -> list[str]:
        """Headers of the standard library that the kernels ask for."""
        return sorted({i.text for i in self.items if re.match(r"#\s*include\s*<", i.text)})


@cache
def portable() -> Library:
    """The kernels as the portable instruction set compiles them."""
    defined = {"CK_PORTABLE"}
    found: list[Item] = []

    def read(file: str) -> None:
        if file == GENERATED:
            found.extend(Item(file, f"#define CK_{name} {value}") for name, value in CONSTANTS.items())
            return
        text = re.sub(r"\bCK_INLINE\b(?!\s+static)", "static inline", (SOURCES / file).read_text())
        for item in _split(file, resolve(text, defined, file)):
            own = re.match(r'#\s*include\s*"([^"]+)"', item.raw)
            if own:
                read(own[1])
            else:
                found.append(item)

    for file in ("ck.h", "simd.h", *(f"ops/{p.name}" for p in sorted((SOURCES / "ops").glob("*.c")))):
        read(file)
    return Library(tuple(found))
