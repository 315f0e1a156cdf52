"""A small made-up world for promotion tests: a contract, a model that answers it, and ways to spoil either.

A model is described as data (`{miss: [...], drop: 2, parity: null, ...}`), so an attack is a YAML file. Raw outputs are
text: the expected output, or `miss exact,adherent` before it, which the scorer reads back. Everything goes through
`evidence.recompute`, as a real promotion does. No file is read here and nothing is random.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from promotion import SCORES, Case, Contest, Contract, Evidence, Identity, LeakProof, Output, ParityReport, SplitClaim
from promotion.evidence import recompute, score

FAMILIES = ("table_matrix", "decision_tree", "memory_map")
SPLITS = {"seen_prompt": "seen", "unseen_prompt": "held_out", "unseen_target": "ood", "unseen_recombination": "ood"}
SIZES = {"seen_prompt": 40, "unseen_prompt": 40, "unseen_target": 60, "unseen_recombination": 40}


def digest(word: str) -> str:
    """A real sha256 of a word, to stand for the hash of some bytes."""
    return hashlib.sha256(word.encode()).hexdigest()


def contract(families=FAMILIES, sizes=None, replicas=1, splits=None, hash="contract") -> Contract:
    """Cases per family and split; `replicas` asks each prompt several times. An unseen prompt has a seen target."""
    sizes, splits = {**SIZES, **(sizes or {})}, splits or SPLITS
    cases = [
        make_case(family, split, number, replica)
        for family in families
        for split in splits
        for number in range(sizes[split])
        for replica in range(replicas)
    ]
    return Contract(name="spec", hash=digest(hash), splits=splits, cases=tuple(cases))


def make_case(family: str, split: str, number: int, replica: int) -> Case:
    """One case; seen and unseen prompts ask for the same targets."""
    target = "known" if split in ("seen_prompt", "unseen_prompt") else split
    return Case(
        case_id=f"{family}/{split}/{number}/{replica}", prompt=f"draw {family} {split} {number}",
        expected=f"[scene] {family} {target} {number} [/scene]", split=split, family=family, surface="tags",
    )  # fmt: skip


def read_marks(case: Case, raw: str, stop: str) -> dict[str, bool]:
    """The scorer of this world: all is well unless the output says what it misses."""
    marks, _, text = raw.partition("|") if raw.startswith("miss ") else ("", "", raw)
    missed = marks.removeprefix("miss ").split(",")
    if "crash" in missed:
        raise RecursionError("the output nests too deep")
    right = text == case.expected and stop == "eos"
    bad = {name: name in missed for name in SCORES}
    return {name: bad[name] if name == "truncated" else right and not bad[name] for name in SCORES}


def identity(number: str, **changes: str) -> Identity:
    """A model version; its weights are its own, everything else is shared unless changed."""
    names = {"model": "spec", "version": number, "run_id": f"run-{number}"}
    words = {name: name for name in ("tokenizer", "engine", "shape", "contract", "corpus", "evaluator")}
    words |= {"weights": f"weights {number}"} | {k: v for k, v in changes.items() if k not in names}
    names |= {k: v for k, v in changes.items() if k in names}
    return Identity(**names, **{name: digest(word) for name, word in words.items()})


def chosen(cases: list[Case], rule: dict) -> list[Case]:
    """The cases that a rule names: a family, a split, the first few, every so many."""
    kept = [c for c in cases if all(getattr(c, k) == v for k, v in rule.items() if k in ("family", "split"))]
    return kept[:: rule.get("every", 1)][: rule.get("first", len(kept))]


def outputs(cases: list[Case], misses: list[dict]) -> tuple[Output, ...]:
    """Right answers, spoilt where a rule says so."""
    marks = {c.case_id: ",".join(rule["scores"]) for rule in misses for c in chosen(cases, rule)}
    raws = [(c, f"miss {marks[c.case_id]}|{c.expected}" if c.case_id in marks else c.expected) for c in cases]
    return tuple(Output(case_id=c.case_id, prompt=c.prompt, raw=raw, stop="eos") for c, raw in raws)


def leak_proof(on: Contract, who: Identity, change: dict) -> LeakProof:
    """A proof that covers every held-out case, with a few of its numbers changed."""
    sizes = {name: sum(c.split == name for c in on.cases) for name in on.held_out()}
    claims = [
        SplitClaim(split=n, holds_out="prompt", compared=change.get("compared", s), overlaps=change.get("overlaps", 0))
        for n, s in sizes.items()
        if n not in change.get("skip", ())
    ]
    corpus = digest(change["corpus"]) if "corpus" in change else who.corpus
    return LeakProof(contract=who.contract, corpus=corpus, claims=tuple(claims))


def parity_report(who: Identity, change: dict) -> ParityReport:
    """A report of a good engine, with a few of its numbers changed."""
    numbers = {"tensors": 38, "declared": 38, "worst": 3e-6, "precision": "fp32", "cached": False, **change}
    hashes = {name: digest(change[name]) if name in change else getattr(who, name) for name in ("engine", "shape")}
    return ParityReport(**{**numbers, **hashes})


def evidence(spec: dict | None = None, version: str = "2", on: Contract | None = None) -> Evidence:
    """A model's bundle: outputs scored once, both proofs, and whatever the description spoils."""
    spec, on = spec or {}, on or contract()
    who = identity(version, **spec.get("identity", {}))
    said = score(on, outputs(list(on.cases), spec.get("miss", [])), read_marks)
    said = said[spec.get("drop", 0) :] + said[: spec.get("repeat", 0)]
    flipped = tuple(o.model_copy(update={"scores": {**o.scores, "exact": True}}) for o in said)
    return Evidence(
        identity=who, cases=on.digest, outputs=flipped if spec.get("claim_exact") else said,
        leak=None if spec.get("leak", 0) is None else leak_proof(on, who, spec.get("leak") or {}),
        parity=None if spec.get("parity", 0) is None else parity_report(who, spec.get("parity") or {}),
        measures=spec.get("measures", {"bits_per_byte": 0.21}),
    )  # fmt: skip


def matrix(spec: dict | None = None, version: str = "2", on: Contract | None = None):
    """A model's matrix, recomputed from its bundle, then spoilt where only a matrix can be."""
    spec, on = spec or {}, on or contract()
    made = recompute(evidence(spec, version, on), on, read_marks)
    if spec.get("recomputed") is False:
        made = replace(made, evidence=None)
    if "rows" in spec:
        made = replace(made, rows=spoilt_rows(made.rows, **spec["rows"]))
    return made


def spoilt_rows(rows, first=None, last=None, set=None, times=1, cut=False):
    """The first or last few rows changed, repeated, or all that is left of the matrix."""
    rows = rows if last is None else rows[::-1]
    few = [replace(row, **(set or {})) for row in rows[: first if last is None else last]]
    return (*few * times, *(() if cut else rows[len(few) :]))


def contest(case: dict) -> Contest:
    """An attack's contest: challenger and champion on one contract, unless the champion brings another."""
    on = contract(**case.get("contract", {}))
    theirs = None
    if "champion" in case:
        spec = case["champion"] or {}
        theirs = matrix(spec, "1", contract(**{**case.get("contract", {}), **spec.get("contract", {})}))
    return Contest(matrix(case.get("challenger"), "2", on), theirs)
