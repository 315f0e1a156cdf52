"""The YAML of a corpus: which files hold rows and probes, and what is trained on them. Everything but names of files has a default.

    name: mine
    rows: {pretrain: [train.txt]}             # and midtrain, trained after it; one `PROMPT [OUT] OUTPUT` a line
    probes: {test: {expected: test.json}}     # a JSON array of objects with the keys `prompt` and `output`

This file reads and checks the YAML; what the files hold, `reader.py` reads. Paths are relative to the YAML.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, field_validator, model_validator

from cengine.model import Config
from experiments import document, ladder, spec
from experiments.spec import Record
from experiments.violation import Violation, ViolationError

TAGS, NONE = "bracket-tags", "none"
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,80}")


class ManifestError(ViolationError):
    """A corpus that cannot be trained on; the message lists what is wrong with file, line or key."""

    subject = "corpus"
    shown = 60


class Rows(Record):
    """Files of training rows by stage; at least one file."""

    pretrain: tuple[str, ...] = ()
    midtrain: tuple[str, ...] = ()

    @field_validator("pretrain", "midtrain", mode="before")
    @classmethod
    def _one_file_is_a_list(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _some_file(self) -> Self:
        if not self.stages():
            raise ValueError("got no file, expected at least one in `pretrain` or `midtrain`")
        return self

    def stages(self) -> dict[str, tuple[str, ...]]:
        return {s: getattr(self, s) for s in ("pretrain", "midtrain") if getattr(self, s)}


class Probes(Record):
    """One split that is asked. `prompts` holds a prompt a line, and its answers are looked up in `expected`; without it every object
    of `expected` is asked.
    """

    expected: str
    prompts: str | None = None
    prompt_key: str = "prompt"
    output_key: str = "output"


class Shape(Record):
    """The model's shape; `ctx` is taken from the rows if it is not given."""

    layers: int = Field(default=Config.layers, le=128)  # planning takes the square of it
    d_model: int = Config.d_model
    d_ff: int = Config.d_ff
    heads: int = Config.heads
    kv_heads: int = Config.kv_heads
    ctx: int | None = Field(default=None, ge=16, le=4096)

    @model_validator(mode="after")
    def _computes(self) -> Self:
        try:
            self.at(self.ctx or Config.ctx).config(512)
        except ValueError as error:
            raise ValueError(str(error).removeprefix("model: ")) from error
        return self

    def at(self, ctx: int) -> spec.Shape:
        """The shape with its context; a head is as wide as its share of d_model."""
        return spec.Shape(**{**self.model_dump(), "ctx": ctx}, head_dim=self.d_model // max(1, self.heads))


class Train(Record):
    """`tokens` are processed tokens of all stages together, padding included; `batch` is about how many rows make an optimizer step, by
    default 16, or as many fewer as it takes for enough steps.
    """

    tokens: int = Field(default=500_000, ge=1_000)
    lr: float = Field(default=0.002, gt=0)
    batch: int | None = Field(default=None, ge=1)
    seed: int = Field(default=42, ge=0, lt=2**64)


class Manifest(Record):
    """A corpus. `reserved` are texts that cost one token: every bracket tag of the rows, those of a file (one a line), or none."""

    name: str
    rows: Rows
    probes: dict[str, Probes] = Field(..., min_length=1)
    separator: str = "[OUT]"
    reserved: str = TAGS
    model: Shape = Shape()
    train: Train = Train()

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError(f"got {value!r}, expected letters, digits, `.`, `_` and `-`, at most 81")
        return value

    @field_validator("separator")
    @classmethod
    def _cuts_a_line(cls, value: str) -> str:
        if not value.strip() and ("\t" not in value or value.strip(" \t")):
            raise ValueError(f"got {value!r}, expected a text that is not blank, or a tab")
        return value

    @field_validator("probes")
    @classmethod
    def _splits_name_metrics(cls, value: dict[str, Probes]) -> dict[str, Probes]:
        for name in value:
            if not NAME.fullmatch(name):
                raise ValueError(f"got a split {name!r}, expected letters, digits, `.`, `_` and `-`")
        return value


def read(path: Path) -> Manifest:
    """The manifest of a YAML file; raises ManifestError with every fault and its key."""
    data = mapping(path)
    try:
        return Manifest.model_validate(data)
    except ValidationError as error:
        faults = [ladder.fault(e, Manifest) for e in error.errors()]
        raise ManifestError([f if isinstance(f, Violation) else _spoken(str(f)) for f in faults]) from error


def mapping(path: Path) -> dict:
    """The YAML as plain data; raises ManifestError if it is none, or cannot be read."""
    try:
        return document.read(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ManifestError([Violation(str(path), "no such file", "a YAML file that describes a corpus")]) from error
    except OSError as error:
        raise ManifestError([Violation(str(path), error.strerror or "an error", "a file that can be read")]) from error
    except UnicodeDecodeError as error:
        raise ManifestError([Violation(str(path), f"byte {error.start} of no text", "UTF-8")]) from error
    except document.DocumentError as error:
        raise ManifestError([_spoken(f"{path.name}: {error}")]) from error


def _spoken(sentence: str) -> Violation:
    """A sentence `place: got X, expected Y` as a finding; what has no `expected` is got as a whole."""
    place, _, rest = sentence.partition(": ")
    parts = re.split(r"[,;] expected ", rest.removeprefix("got "), maxsplit=1)
    return Violation(place, parts[0], parts[1] if len(parts) > 1 else "what docs/corpus.md says")
