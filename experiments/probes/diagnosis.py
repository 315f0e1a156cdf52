"""From scored outputs to what is wrong with a run, and from that to one next action.

Two tables, both found by decorator and read in the order of this file. A *class* of the failure matrix looks at the facts of a run and
says found, not found, or that it cannot be known from one run, with the reason. A *symptom* of the diagnostic matrix names a
cause and an action; the first that holds is suggested. Thresholds stand here and nowhere else (`curve.py` says what it calls a low loss and a
spike); they suggest, and gate nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from experiments import look as looks
from experiments.probes import column, flaw
from experiments.probes.curve import LOW
from experiments.probes.score import answered
from experiments.split import fold

FEW = 0.02  # a share of cases below which a class is not called found
STRONG, WEAK = 0.8, 0.5  # families, splits
STUCK = 0.5  # a loss that is still as high, in nats per target; one below LOW is low
FULL = 0.85  # of the windows' positions
GONE = 0.01  # of the gradient norm that training began with
RISES = 0.4  # of the smoothed loss late in training, as a multiple of its level
ENOUGH = 3  # misses: what the mask does to fewer says nothing


@dataclass(frozen=True)
class Facts:
    """What is known of a run. Rates are shares of contract cases; None: not measured."""

    cases: int
    exact: float
    renderable: float
    materialized: float
    begun: float  # truncated, and what was said is the beginning of the expected text
    flaws: Mapping[str, float]
    failures: Mapping[str, int]  # classes of misses (autopsy.py)
    families: Mapping[str, float]  # exact
    splits: Mapping[str, float]  # exact
    kinds: Mapping[str, float]  # exact by kind of split: seen, held_out, ood
    exact_not_materialized: int
    drawn_wrong: int  # materialized, but not renderable: the books do not agree
    layout_drift: float
    style_drift: float | None
    gold_parity: float | None
    repaired: float | None = None
    won: float | None = None  # by the mask, of the misses; None of fewer than ENOUGH
    final_loss: float | None = None
    longest: float | None = None  # the longest prompt with its expected output, as a share of the context
    late_loss: float | None = None  # of the last steps; this and the next three are measures of the curve (`curve.py`)
    gradient_spikes: float | None = None  # share of the steps
    gradient_left: float | None = None  # of the norm that training began with
    loss_rises: float | None = None
    fill: float | None = None  # share of the windows' positions that holds rows, in the stage where it is lowest


@dataclass(frozen=True)
class Finding:
    """One class of the failure matrix. `found` is None where one run cannot tell; `value` is its share or count."""

    name: str
    found: bool | None
    value: float | None
    why: str


@dataclass(frozen=True)
class Action:
    """What to do next: the symptom that holds, its likely cause, and the one thing to change."""

    symptom: str
    cause: str
    action: str
    why: str


Look = Callable[[Facts], tuple[bool | None, float | None]]
Holds = Callable[[Facts], bool]
CLASSES: dict[str, Look] = {}
SYMPTOMS: list[tuple[str, str, str, Holds]] = []


def facts(contract: Mapping[str, Any], outputs: Sequence[Any], measures: Mapping[str, Any] | None = None) -> Facts:
    """The facts of scored outputs (`session.Output`) and of what a run measured."""
    n, given = max(1, len(outputs)), measures or {}
    surface = contract["surface"]
    dressed = any(name in looks.NAMES for o in outputs for name in answered(surface, o.case["expected"]) or ())
    seen: Counter[str] = Counter()
    for o in outputs:
        seen.update(flaw.flaws(surface, o.raw, o.stop, contract["prompt_only"]))

    masked = [(o, times) for o, times in column.standing(outputs, "constrained") if not o.score.exact]
    won = sum(times * o.columns["constrained"].score.exact for o, times in masked)

    def share(true: Callable[[Any], bool], among: Sequence[Any] = outputs) -> float:
        return sum(map(true, among)) / max(1, len(among))

    def by(key: Callable[[Any], str]) -> dict[str, float]:
        names = dict.fromkeys(map(key, outputs))
        return {name: share(lambda o: o.score.exact, [o for o in outputs if key(o) == name]) for name in names}

    return Facts(
        cases=len(outputs),
        exact=share(lambda o: o.score.exact),
        renderable=share(lambda o: o.score.renderable),
        materialized=share(lambda o: o.score.materialized),
        begun=share(lambda o: o.score.truncated and is_beginning(o.raw, o.case["expected"])),
        flaws={name: seen[name] / n for name in flaw.FLAWS},
        failures=Counter(o.failure for o in outputs if not o.score.exact),
        families=by(lambda o: o.case["family"]),
        splits=by(lambda o: o.case["split"]),
        kinds=by(lambda o: contract["splits"][o.case["split"]]["kind"]),
        exact_not_materialized=sum(o.score.exact and not o.score.materialized for o in outputs),
        drawn_wrong=sum(o.score.materialized and not o.score.renderable for o in outputs),
        layout_drift=share(lambda o: flaw.drifted(surface, o.raw, o.case["expected"], flaw.PLACE)),
        style_drift=share(lambda o: flaw.off_look(surface, o.raw, o.case["expected"])) if dressed else None,
        gold_parity=given.get("gold_asset_parity_score"),
        repaired=given.get("repaired.exact"),
        won=won / sum(times for _, times in masked) if len(masked) >= ENOUGH else None,
        final_loss=given.get("final_loss"),
        longest=given.get("longest_share_of_context"),
        late_loss=given.get("late_loss"),
        gradient_spikes=given.get("gradient_spikes"),
        gradient_left=given.get("gradient_left"),
        loss_rises=given.get("loss_rises"),
        fill=given.get("lowest_fill"),
    )


def is_beginning(raw: str, expected: str) -> bool:
    """Whether an output says the expected text as far as it goes, white space folded; one that says nothing does not."""
    return bool(fold(raw)) and fold(expected).startswith(fold(raw))


def report(found: Facts) -> dict[str, Any]:
    """The autopsy of a run as data: misses by class, the failure matrix, and the one action that is suggested."""
    return {
        "cases": found.cases,
        "misses": dict(sorted(found.failures.items(), key=lambda pair: -pair[1])),
        "classes": [asdict(line) for line in autopsy(found)],
        "action": asdict(suggest(found)),
    }


# ------------------------------------------------------------------------------------------------- the failure matrix


def cls(look: Look) -> Look:
    CLASSES[look.__name__] = look
    return look


def autopsy(found: Facts) -> list[Finding]:
    """Every class of the failure matrix, found or not."""
    lines = []
    for name, look in CLASSES.items():
        yes, value = look(found)
        lines.append(Finding(name, yes, value, (look.__doc__ or "").strip()))
    return lines


def _rate(value: float, least: float = FEW) -> tuple[bool, float]:
    return value >= least, value


@cls
def scene_prefix_failure(f: Facts) -> tuple[bool | None, float | None]:
    """Outputs without the opening marker, or with an attribute of the scene twice."""
    return _rate(max(f.flaws["missing_scene_start"], f.flaws["duplicate_attr"]))


@cls
def scene_suffix_failure(f: Facts) -> tuple[bool | None, float | None]:
    """Outputs without the closing marker, or with a tail behind it."""
    return _rate(max(f.flaws["missing_scene_end"], f.flaws["tail_after_end"]))


@cls
def block_nesting_failure(f: Facts) -> tuple[bool | None, float | None]:
    """Blocks that are closed wrongly or not at all."""
    return _rate(f.flaws["block_nesting_error"])


@cls
def budget_truncation(f: Facts) -> tuple[bool | None, float | None]:
    """Right beginnings that the budget or the context cut off; other outputs that did not end are no fault of either."""
    return _rate(f.begun)


@cls
def special_token_leak(f: Facts) -> tuple[bool | None, float | None]:
    """Special tokens or prompt tags in outputs; one is one too many."""
    return f.flaws["special_token_leak"] > 0, f.flaws["special_token_leak"]


@cls
def contamination_supervision(f: Facts) -> tuple[bool | None, float | None]:
    """Empty outputs, or pieces said over and over: junk was learned as a target."""
    return _rate(max(f.flaws["empty_response"], f.flaws["repeats"]), 0.05)


@cls
def layout_drift(f: Facts) -> tuple[bool | None, float | None]:
    """Another family, layout or form than expected."""
    return _rate(f.layout_drift)


@cls
def theme_tone_drift(f: Facts) -> tuple[bool | None, float | None]:
    """Another look than prompts ask for: theme, tone, accent, colours, background, frame, density. Not known where they ask for none."""
    return (None, None) if f.style_drift is None else _rate(f.style_drift)


@cls
def renderable_but_not_exact(f: Facts) -> tuple[bool | None, float | None]:
    """Outputs that draw a picture that was not asked for: renderable less exact."""
    return _rate(f.renderable - f.exact)


@cls
def exact_but_not_materialized(f: Facts) -> tuple[bool | None, float | None]:
    """Exact outputs whose picture differs: a fault of the compiler or of the probe."""
    return f.exact_not_materialized > 0, float(f.exact_not_materialized)


@cls
def family_imbalance(f: Facts) -> tuple[bool | None, float | None]:
    """The best family's exact rate less the worst one's."""
    spread = max(f.families.values(), default=0.0) - min(f.families.values(), default=0.0)
    return _rate(spread, 0.3)


@cls
def undertraining(f: Facts) -> tuple[bool | None, float | None]:
    """Every family below half, seen prompts too."""
    worst = max([*f.families.values(), f.kinds.get("seen", 0.0)], default=0.0)
    return worst < WEAK, worst


@cls
def over_repair_fragmentation(f: Facts) -> tuple[bool | None, float | None]:
    """Fewer renderable outputs than the baseline rung had: one run alone cannot tell, `cktrack ladder` does."""
    return None, None


@cls
def compiler_parity_gap(f: Facts) -> tuple[bool | None, float | None]:
    """Expected outputs that do not compile to the expected picture."""
    return (None, None) if f.gold_parity is None else (f.gold_parity < 1.0, f.gold_parity)


@cls
def probe_accounting_bug(f: Facts) -> tuple[bool | None, float | None]:
    """Scores that contradict each other: exact without a picture, a right picture that is none."""
    return f.exact_not_materialized + f.drawn_wrong > 0, float(f.exact_not_materialized + f.drawn_wrong)


@cls
def seed_probe_integrity_gap(f: Facts) -> tuple[bool | None, float | None]:
    """A copied checkpoint that probes worse than it did; promotion asks every prompt again and compares, a run cannot."""
    return None, None


@cls
def capacity_misdiagnosis(f: Facts) -> tuple[bool | None, float | None]:
    """A larger model asked for while the same one does better on other recipes: one run alone cannot tell, `cktrack ladder` does."""
    return None, None


# ------------------------------------------------------------------------------------------------- the diagnostic matrix


def symptom(name: str, cause: str, action: str) -> Callable[[Holds], Holds]:
    def wrap(holds: Holds) -> Holds:
        SYMPTOMS.append((name, cause, action, holds))
        return holds

    return wrap


def suggest(f: Facts) -> Action:
    """The first symptom that holds; there is always one, the last."""
    name, cause, action, holds = next(row for row in SYMPTOMS if row[3](f))
    return Action(name, cause, action, (holds.__doc__ or "").strip())


@symptom(
    "exact outputs, other pictures",
    "the probe or the compiler",
    "mend the probe or the compiler, score the stored outputs again, and train nothing before",
)
def _books(f: Facts) -> bool:
    """Scores contradict each other, or an expected output does not compile to its picture."""
    return f.exact_not_materialized + f.drawn_wrong > 0 or (f.gold_parity is not None and f.gold_parity < 1.0)


@symptom("every case is exact", "none", "promote it (`cktrack promote`), or begin a new spec with a harder question")
def _solved(f: Facts) -> bool:
    """No miss."""
    return f.exact == 1.0


@symptom(
    "right beginnings that are cut off",
    "outputs are longer than the budget or the context",
    "measure outputs against the context; shorten the surface or raise the context; more rows would not help",
)
def _cut(f: Facts) -> bool:
    """Right beginnings are at least half of the misses, or the longest case does not fit the context; and the loss of a run in which no
    family is learned is low or not known.
    """
    cut = (f.longest or 0.0) > 1.0 or f.begun >= 0.5 * (1 - f.exact)
    return cut and not (_undertrained(f) and f.final_loss is not None and f.final_loss >= LOW)


@symptom(
    "special tokens or prompt tags in outputs",
    "rows or tokenizer let them in",
    "look at row ends and reserved tokens (`cktrack tokenizer audit`), then train again",
)
def _leak(f: Facts) -> bool:
    """One output in fifty has one."""
    return f.flaws["special_token_leak"] >= FEW


@symptom(
    "what misses, repairs itself",
    "the contract is nearly closed: tails, closings, repeated tags",
    "keep these weights; put the listed repair steps or the mask behind the decoder, and train no repair rung",
)
def _mechanical(f: Facts) -> bool:
    """Listed repair steps win back at least half of the misses, or the mask half of them."""
    return (f.repaired or 0.0) - f.exact >= 0.5 * (1 - f.exact) or (f.won or 0.0) >= 0.5


@symptom(
    "gradient norms spike",
    "training is unstable: the learning rate is too high, or some windows hold degenerate rows",
    "see that gradients are clipped (`optimizer.max_norm`) and lower the learning rate; if spikes stay, look for degenerate rows",
)
def _spikes(f: Facts) -> bool:
    """One step in fifty has five times the gradient norm of the steps before it, while the loss is not low."""
    return (f.gradient_spikes or 0.0) >= FEW


@symptom(
    "gradient norms collapse, the loss does not",
    "nothing reaches the weights any more: they ran away or died in early steps, or some windows hold degenerate rows",
    "see how the norm falls along the curve; lower the learning rate or warm up longer, and look for degenerate rows",
)
def _vanished(f: Facts) -> bool:
    """A hundredth of the first gradient norm is left, or less, with a loss of 0.1 nats per target or more."""
    return f.gradient_left is not None and f.gradient_left <= GONE and _late(f, LOW)


@symptom(
    "the loss goes up and down and does not settle",
    "too high a learning rate, or rows that contradict each other: one prompt, different answers",
    "look for doubled and contradictory rows (`cktrack dataset`); if there are none, lower the learning rate",
)
def _unsettled(f: Facts) -> bool:
    """In the last half of the last stage the smoothed loss rises by 40 % of its level or more, all rises together, and stays at 0.1 nats per
    target or more.
    """
    return (f.loss_rises or 0.0) >= RISES and _late(f, LOW)


@symptom(
    "the loss is stuck, the windows are poorly filled",
    "padding takes a part of the budget",
    "pack rows closer: a context that fits more of them, until 85 % of the windows is filled; only then more tokens or another learning rate",
)
def _padded(f: Facts) -> bool:
    """The loss stays at 0.5 nats per target or more, and less than 85 % of the windows of a stage holds rows."""
    return f.fill is not None and f.fill < FULL and _late(f, STUCK)


def _late(f: Facts, least: float) -> bool:
    """Whether the loss of the last steps is known to be as high."""
    return f.late_loss is not None and f.late_loss >= least


@symptom(
    "no family is learned, the loss is low",
    "the rows were memorised, the contract was not",
    "check the tokenizer's coverage, the variety of prompts, and that combinations of what is asked are among the rows",
)
def _memorised(f: Facts) -> bool:
    """All families and the seen prompts are below a half, with a loss below 0.1 nats per target."""
    return _undertrained(f) and f.final_loss is not None and f.final_loss < LOW


@symptom(
    "no family is learned, the loss is high",
    "too few tokens, too low a learning rate, or too small a model",
    "raise midtrain's tokens, and nothing else; then try learning rates; capacity last",
)
def _undertrained(f: Facts) -> bool:
    """All families and the seen prompts are below a half."""
    return bool(undertraining(f)[0])


@symptom(
    "some families are strong, others weak",
    "the mixture gives the weak ones too little",
    "give the weak families more weight in midtrain, and keep rows of the strong ones",
)
def _imbalance(f: Facts) -> bool:
    """One family at 80 % or more, another at least 30 points below the best."""
    return max(f.families.values()) >= STRONG and bool(family_imbalance(f)[0])


@symptom(
    "seen prompts are right, unseen ones wrong",
    "too few ways of asking, or too few combinations",
    "widen prompt surfaces and combinations of targets; fewer passes over the same rows",
)
def _overfit(f: Facts) -> bool:
    """At least half of the seen prompts are right, and they lead the worst kind of held-out ones by 10 points or more."""
    others, seen = [rate for kind, rate in f.kinds.items() if kind != "seen"], f.kinds.get("seen", 0.0)
    return bool(others) and seen >= WEAK and seen - min(others) >= 0.1


@symptom(
    "all is legal, little is right",
    "the order of tokens was learned, the choices were not",
    "add minimal pairs: prompts that differ in one word, and answers that differ in what it decides",
)
def _legal(f: Facts) -> bool:
    """At least 98 % renderable, less than half exact."""
    return f.renderable >= 0.98 and f.exact < WEAK


@symptom(
    "outputs do not parse or draw",
    "grammar or references are not learned",
    "add whole canonical scenes, and contrast rows for the class that misses most; no fragments",
)
def _grammar(f: Facts) -> bool:
    """Half of the misses do not draw."""
    return (1 - f.renderable) >= 0.5 * (1 - f.exact)


@symptom(
    "few misses of one kind",
    "boundary cases of a contract that is learned",
    "add contrast rows for the class of miss that is most frequent, with replay of what is solved",
)
def _rest(f: Facts) -> bool:
    """None of the others."""
    return True
