"""A probe session: one contract asked of one checkpoint, greedily, and what comes back scored as it comes.

All questions of a session may use the same number of new tokens, which follows from the contract's expected outputs. What is beside
the raw answers (the columns, the odd prompts) is asked here too; what it means is told in `probes/`. Nothing here touches a disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from cengine.decode import Decoder
from experiments.corpus import Pools
from experiments.probes import autopsy, column, constrain, odd
from experiments.probes import contract as contracts
from experiments.probes.column import Column
from experiments.probes.score import Score, score
from experiments.recorder import Recorder
from experiments.spec import Spec
from experiments.tokenizer import Coder

PROBE_SLOTS = 64


@dataclass(frozen=True)
class Output:
    """One probe: what the model said, why it stopped, and its score."""

    case: dict
    raw: str
    stop: str
    tokens: int
    score: Score
    failure: str
    columns: Mapping[str, Column] = field(default_factory=dict)


@dataclass(frozen=True)
class Odds:
    """What became of the odd prompts: kind -> {k, n}, and every prompt with its raw answer."""

    rates: dict[str, dict[str, int]]
    answers: list[dict[str, str]]


@dataclass(frozen=True)
class Session:
    """A contract, the tokenizer that writes and reads it, and the decoder that answers."""

    contract: dict
    coder: Coder
    decoder: Decoder

    @cached_property
    def limit(self) -> int:
        """New tokens that any answer may take."""
        expected = self.coder.encode_many([f" {c['expected']}" for c in self.contract["cases"]])
        return contracts.budget(self.contract, [len(e) + 1 for e in expected])

    def longest(self) -> int:
        """Tokens of the longest prompt with its expected output."""
        rows = self.coder.encode_many([f"{c['prompt']} {c['expected']}" for c in self.contract["cases"]])
        return max(map(len, rows))

    def answers(
        self, prompts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> list[tuple[str, str, int]]:
        """(raw output, why it stopped, tokens) of every prompt, decoded greedily."""
        ids = self.coder.encode_many(prompts)
        found = self.decoder.generate(ids, self.limit, self.coder.eos, progress=progress)
        return [(self.coder.decode(a.ids), a.reason, len(a.ids)) for a in found]

    def ask(self, progress: Callable[[int], None] | None = None) -> list[tuple[str, str, int]]:
        """The answers to every prompt of the contract."""
        return self.answers([c["prompt"] for c in self.contract["cases"]], progress)

    def probe(self, recorder: Recorder) -> list[Output]:
        """Ask every prompt of the contract and score what comes back as it comes."""
        contract, cases = self.contract, self.contract["cases"]
        outputs = []
        answers = self.ask(lambda done: recorder.progress("probe", done, len(cases), {}))
        for case, (raw, stop, tokens) in zip(cases, answers, strict=True):
            scored = score(contract, case, raw, stop)
            outputs.append(Output(case, raw, stop, tokens, scored, autopsy.classify(contract, case, raw, scored)))
        return outputs

    def columns(
        self, families: Sequence[str], outputs: Sequence[Output], recorder: Recorder
    ) -> tuple[list[Output], float]:
        """The outputs with what the mask and the repair make of them, and the seconds that the mask took."""
        contract = self.contract
        raws, prompts = [(o.raw, o.stop) for o in outputs], [o.case["prompt"] for o in outputs]
        guided, seconds = constrain.guide(
            contract["surface"], families, self.coder, self.decoder, prompts, raws, self.limit
        )
        for why in sorted({g.why for g in guided if g.why}):
            recorder.say(f"constrained: not measured, {why}")
        found = []
        for o, g in zip(outputs, guided, strict=True):
            columns = {"repaired": column.repaired(contract, o.case, o.raw, o.stop, o.score)}
            if not g.why:
                columns["constrained"] = column.constrained(contract, o.case, g, o.score)
            found.append(replace(o, columns=columns))
        return found, seconds

    def odd(self, spec: Spec, targets: Pools) -> Odds:
        """Ask the odd prompts of a spec."""
        odds = odd.build(spec, targets)
        said = [(raw, stop) for raw, stop, _ in self.answers([o.prompt for o in odds])]
        rows = [
            {"kind": o.kind, "prompt": o.prompt, "raw": raw, "stop": stop}
            for o, (raw, stop) in zip(odds, said, strict=True)
        ]
        return Odds(odd.rates(spec.surface, odds, said), rows)
