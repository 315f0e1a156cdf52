"""Shapes of content documents that several families share: constrained words, a header, a footer, a panel, a
legend, a graph of panels.

A content document is JSON written by a person; pydantic reports every defect with its path. This file knows no family
and resolves no reference (that is `compiler/bind.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from experiments import character


def _refuse_unsafe(text: str) -> str:
    problem = character.fault(text)
    if problem:
        raise ValueError(problem)
    return text


Words = Annotated[str, Field(min_length=1, max_length=600), AfterValidator(_refuse_unsafe)]
Short = Annotated[str, Field(min_length=1, max_length=160), AfterValidator(_refuse_unsafe)]
KEY = r"[A-Za-z0-9_-]{1,64}"
Key = Annotated[str, Field(pattern=f"^{KEY}$")]
State = Literal["normal", "highlight", "success", "warning", "danger"]


class Shape(BaseModel):
    """Base of every content shape: unknown keys are refused, instances cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def entries(self) -> Mapping[str, Any]:
        """What it holds by name besides its fields."""
        return self.model_extra or {}


class Header(Shape):
    kicker: Short | None = None
    headline: Short
    subtitle: Words | None = None
    accent: str | None = None


class Footer(Shape):
    """Either a single `note`, or a `title` with a `body`."""

    note: Words | None = None
    title: Short | None = None
    body: Words | None = None

    @model_validator(mode="after")
    def _say_something(self) -> Footer:
        if not (self.note or self.body):
            raise ValueError("a footer needs a note or a body")
        return self


class Label(Shape):
    """A short text; a bare string is read as `{"label": text}`."""

    label: Short

    @model_validator(mode="before")
    @classmethod
    def _read_string(cls, value: Any) -> Any:
        return {"label": value} if isinstance(value, str) else value


class Panel(Shape):
    """A titled box with an optional sentence and a few short details."""

    badge: Short | None = None
    title: Short
    body: Words | None = None
    detail: tuple[Short, ...] = Field(default=(), max_length=6)


class Entry(Shape):
    """A legend entry; with a state it shows that state's colour. A bare string is read as a label."""

    label: Short
    state: State | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_string(cls, value: Any) -> Any:
        return {"label": value} if isinstance(value, str) else value


class Legend(Shape):
    title: Short
    note: Words | None = None
    warning: Words | None = None
    items: tuple[Entry, ...] = Field(default=(), max_length=8)


class Graphed(Shape):
    """Panels under ids and labels of edges under keys. Besides these, further panels, each under a name of its own: `result`."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Panel]

    header: Header
    nodes: dict[Key, Panel] = Field(min_length=1, max_length=24)
    edges: dict[Key, Label] = Field(default={}, max_length=48)
    footer: Footer | None = None

    def named(self) -> tuple[str, ...]:
        """The names of the panels that stand outside of `nodes`."""
        return tuple(self.entries())

    @model_validator(mode="after")
    def _check_names(self) -> Graphed:
        strange = [name for name in self.named() if not re.fullmatch(KEY, name)]
        if strange:
            raise ValueError(f"a name of letters, digits, _ and - for each further panel; `{strange[0]}` is none")
        return self


class Slots(Shape):
    """Words by slot, in a table `slots` or beside each other."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Words]

    slots: dict[Key, Words] = Field(default={})

    def entries(self) -> Mapping[str, Any]:
        return {**self.slots, **super().entries()}
