"""A rung made ready to be trained: its material, tokenizer and windows, each made once, when it is first asked for.

Preflight looks at them and the run takes them, so that what was checked is what is trained. Nothing is written, and no weight exists yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

from cengine.model import Config
from experiments import coders, material, surfaces, token_audit, tokenizer
from experiments.corpus import Row
from experiments.material import Material
from experiments.pack import OUT, Packed, cut, pack
from experiments.spec import Selected
from experiments.tag import Vocabulary
from experiments.tokenizer import Coder

Made = TypeVar("Made")


class Prepared:
    """What a rung is before its first step. What cannot be made raises the same error whenever it is asked for."""

    def __init__(self, selected: Selected) -> None:
        self.selected = selected
        self._made: dict[str, Any] = {}
        self._ids: dict[str, list[int]] = {}  # of every prompt and output that was encoded

    def _once(self, name: str, make: Callable[[], Made]) -> Made:
        if name not in self._made:
            try:
                self._made[name] = make()
            except ValueError as error:
                self._made[name] = error
        if isinstance(self._made[name], ValueError):
            raise self._made[name]
        return self._made[name]

    @property
    def rows(self) -> material.Rows:
        return self._once("rows", lambda: material.rows(self.selected))

    @cached_property
    def corpus_sha256(self) -> str:
        """Hash of the rows, before any probe is drawn."""
        return material.corpus_sha256(*self.rows[1:])

    @property
    def material(self) -> Material:
        return self._once("material", lambda: material.draw(self.selected, self.rows))

    @property
    def coder(self) -> Coder:
        """The tokenizer, trained on the training rows alone."""
        return self._once(
            "coder",
            lambda: coders.train(self.selected.tokenizer.kind, self.material.training, policy_of(self.selected)),
        )

    @property
    def packed(self) -> dict[str, Packed]:
        """Stage -> its windows."""
        return self._once("packed", lambda: {s: self.pack(rows) for s, rows in self.material.stages.items()})

    @property
    def packed_dev(self) -> Packed:
        return self._once("packed_dev", lambda: self.pack(self.material.dev))

    def pack(self, rows: Sequence[Row]) -> Packed:
        """Windows of rows, as the rung packs them."""
        rung = self.selected.rung
        ctx = self.selected.model.ctx
        return pack([r.text for r in rows], self.coder, ctx, rung.seed, rung.loss_on_prompt, self.encode)

    def encode(self, parts: Sequence[str]) -> list[list[int]]:
        """The tokens of prompts and of outputs, as `cut` parts them. Each is encoded once, however many rows have it."""
        new = [part for part in dict.fromkeys(parts) if part not in self._ids]
        self._ids.update(zip(new, self.coder.encode_many(new), strict=True))
        return [self._ids[part] for part in parts]

    @cached_property
    def texts(self) -> list[str]:
        """Every different line that the run will see: training rows, held-out rows, probes with their expected outputs."""
        drawn = self.material
        probes = [f"{c['prompt']} {c['expected']}" for c in drawn.contract["cases"]]
        return list(dict.fromkeys([*drawn.training, *(r.text for r in drawn.dev), *probes]))

    @cached_property
    def ids(self) -> list[list[int]]:
        """The tokens of these lines, without an end token: a prompt's and its output's in a row, because the [OUT] between them is reserved."""
        prompts, outputs = zip(*map(cut, self.texts), strict=True)
        pairs = zip(self.encode(prompts), self.encode(outputs), strict=True)
        return [[*asked, *said] for asked, said in pairs]

    @cached_property
    def audit(self) -> dict[str, Any]:
        """What is wrong or odd about the tokenizer on these lines."""
        spec = self.selected.spec
        known = surfaces.load(spec.surface).vocabulary(spec.families)
        return token_audit.audit(
            self.coder,
            self.texts,
            (*known.tags, *known.phrases),
            self.selected.model.ctx,
            prefixes=known.prefixes,
            encoded=self.ids,
        )

    @property
    def config(self) -> Config:
        """The model's shape with the tokenizer's real size."""
        return self.selected.model.config(self.coder.size)


def policy_of(selected: Selected) -> tokenizer.Policy:
    """What a rung's tokenizer reserves: the structural tags of its surface, unless they are to be spelled."""
    made, spec = selected.tokenizer, selected.spec
    vocabulary = surfaces.load(spec.surface).vocabulary(spec.families)
    if made.reserved == "none":
        vocabulary = Vocabulary.of([OUT.strip()])
    tags = (*vocabulary.tags, *vocabulary.phrases)
    return tokenizer.Policy(tags, vocabulary.prefixes, vocab=made.vocab, min_frequency=made.min_frequency)
