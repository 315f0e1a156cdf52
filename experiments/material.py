"""What a rung is made of before anything is trained: targets, rows by stage, held-out rows, the probe contract, and the proof that
nothing leaks. A run writes it down; a promotion draws it again and compares hashes, so that neither has to believe the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from experiments import corpus, pools, replay, split
from experiments.corpus import Row
from experiments.ladder import digest
from experiments.pools import Pools
from experiments.probes import contract as contracts
from experiments.spec import Selected

DATA_SEED = 42  # of rows, whatever seed a run trains with
Rows = tuple[Pools, dict[str, list[Row]], list[Row]]  # targets, training rows by stage, held-out rows


@dataclass(frozen=True)
class Material:
    """Everything that a spec and a rung decide; seeds of training and budgets do not matter here."""

    targets: Pools
    stages: dict[str, list[Row]]
    dev: list[Row]
    contract: dict

    @property
    def training(self) -> list[str]:
        """Every training row as text, stage by stage."""
        return [row.text for rows in self.stages.values() for row in rows]

    @cached_property
    def corpus_sha256(self) -> str:
        return corpus_sha256(self.stages, self.dev)

    @property
    def contract_sha256(self) -> str:
        return contracts.sha256(self.contract)

    def prove(self) -> split.Proof:
        """Check on the rows that every split holds out what it claims, once; raises LeakError with what does not."""
        return self._proof

    @cached_property
    def _proof(self) -> split.Proof:
        training = self.training
        held = [{"split": "dev", "prompt": r.prompt, "expected": r.output} for r in self.dev]
        claims = [*contracts.claims(self.contract), split.Claim("dev", True, True)]
        proof = split.prove(training, [*self.contract["cases"], *held], claims)
        _check_seen(training, self.contract)
        return proof


def rows(selected: Selected) -> Rows:
    """What is trained and what its loss is measured on: all that a rung's identity covers of its data."""
    targets = pools.draw(selected.spec)
    stages = {stage: stage_rows(selected, stage, targets) for stage in selected.rung.stages()}
    return targets, stages, corpus.dev_rows(selected.spec, targets)


def stage_rows(selected: Selected, stage: str, targets: Pools) -> list[Row]:
    """The rows of a stage: its mixture's, and where it replays, those of its sources that its builder takes."""
    own = corpus.stage_rows(selected, stage, targets)
    asked = selected.rung.replay.get(stage)
    if asked is None:
        return own
    past = [
        replace(row, split=stage)
        for source in asked.sources
        for other in selected.spec.rungs[source].stages()
        for row in stage_rows(Selected(spec=selected.spec, name=source), other, targets)
    ]
    return replay.build(asked.builder, own, past, DATA_SEED, asked.options)


def corpus_sha256(stages: Mapping[str, Sequence[Row]], dev: Sequence[Row]) -> str:
    """Hash of all rows in their order: those that are trained, then those of the held-out loss."""
    return digest([r.text for part in (*stages.values(), dev) for r in part])


def draw(selected: Selected, drawn: Rows | None = None) -> Material:
    """A rung's material, around its rows where they are drawn already: the same bytes for the same ladder, every time."""
    targets, stages, dev = drawn or rows(selected)
    return Material(targets, stages, dev, contracts.build(selected.spec, targets))


def _check_seen(training: Sequence[str], contract: dict) -> None:
    """A split that says its prompts were trained must say the truth too."""
    rows = {split.fold(t) for t in training}
    for name, s in contract["splits"].items():
        absent = [
            c
            for c in contract["cases"]
            if c["split"] == name and s["kind"] == "seen" and split.fold(f"{c['prompt']} {c['expected']}") not in rows
        ]
        if absent:
            raise split.LeakError(
                f"split {name}: {len(absent)} cases are called seen, but are not in the training rows, e.g. {absent[0]['prompt']!r}"
            )
