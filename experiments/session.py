"""A probe session: one contract asked of one checkpoint, greedily, and what comes back scored as it comes.

All questions of a session may use the same number of new tokens, which follows from the contract's expected outputs. What is beside
the raw answers (the columns, the odd prompts) is asked here too; what it means is told in `probes/`. Nothing here touches a disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from cengine.decode import Decoder
from experiments.pools import Pools
from experiments.probes import autopsy, column, constrain, odd
from experiments.probes import contract as contracts
from experiments.probes.column import Column
from experiments.probes.odd import Said
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
    """What became of the odd prompts: kind -> {k, n} (k null: none asked, and why), and every prompt with its raw answer."""

    rates: dict[str, dict[str, Any]]
    answers: list[dict[str, str]]


@dataclass(frozen=True)
class Session:
    """A contract, the tokenizer that writes and reads it, and the decoder that answers."""

    contract: dict
    coder: Coder
    decoder: Decoder
    fresh: Callable[[int, bool], Decoder] | None = (
        None  # of so many slots, whether they share; a decoder never asked before
    )

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
        self, prompts: Sequence[str], progress: Callable[[int], None] | None = None, decoder: Decoder | None = None
    ) -> list[tuple[str, str, int]]:
        """(raw output, why it stopped, tokens) of every prompt, decoded greedily, by another decoder where one is given."""
        ids = self.coder.encode_many(prompts)
        found = (decoder or self.decoder).generate(ids, self.limit, self.coder.eos, progress=progress)
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
            if not (g.why or g.left_out):
                columns["constrained"] = column.constrained(contract, o.case, g, o.score)
            found.append(replace(o, columns=columns))
        return found, seconds

    def odd(self, spec: Spec, targets: Pools) -> Odds:
        """Ask the odd prompts of a spec: all at once, but those that are asked in turns."""
        odds = odd.build(spec, targets)
        turns = [at for at, o in enumerate(odds) if odd.kinds()[o.kind].plain == "turns"]
        rest = [at for at in range(len(odds)) if at not in set(turns)]
        found = {
            at: (raw, stop)
            for at, (raw, stop, _) in zip(rest, self.answers([odds[at].prompt for at in rest]), strict=True)
        }
        kept, fresh = self.in_turns([odds[at].prompt for at in turns])
        found |= dict(zip(turns, kept, strict=True))
        alone = dict(zip(turns, fresh, strict=True))
        rows = [
            {"kind": o.kind, "prompt": o.prompt, "raw": found[at][0], "stop": found[at][1]}
            | ({"fresh": alone[at][0]} if at in alone else {})
            for at, o in enumerate(odds)
        ]
        return Odds(odd.rates(spec.surface, odds, [found[at] for at in range(len(odds))], alone), rows)

    def in_turns(self, prompts: Sequence[str]) -> tuple[list[Said], list[Said]]:
        """What one session says to prompts in turns of ABREAST, every slot reused in each turn; and what decoders say that were never asked before,
        each prompt in a slot of its own that shares nothing."""
        if self.fresh is None:
            raise ValueError("session: got no way to make a fresh decoder, expected one for prompts in turns")

        def said(decoder: Decoder, some: Sequence[str]) -> list[Said]:
            return [(raw, stop) for raw, stop, _ in self.answers(some, decoder=decoder)]

        turns = [prompts[at : at + odd.ABREAST] for at in range(0, len(prompts), odd.ABREAST)]
        whole = [prompts[at : at + PROBE_SLOTS] for at in range(0, len(prompts), PROBE_SLOTS)]
        one = self.fresh(odd.ABREAST, True)
        kept = [answer for turn in turns for answer in said(one, turn)]
        return kept, [answer for some in whole for answer in said(self.fresh(PROBE_SLOTS, False), some)]
