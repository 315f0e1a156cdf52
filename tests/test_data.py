"""Corpus, splits and packing: what is declared is what is trained, and what is held out stays out."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from cengine.train import Stream
from experiments import ladder, pools, prompt, split, surfaces, tokenizer
from experiments.corpus import probe_rows, stage_rows
from experiments.pack import cut, pack, trained
from experiments.pools import combination_of
from experiments.probes import contract as contracts
from experiments.spec import Selected
from experiments.split import Claim, LeakError
from experiments.tokenizer import Policy

RUNGS = ladder.rungs()


@cache
def pools_of(name):
    return pools.draw(ladder.load(name))


@cache
def contract_of(name):
    return contracts.build(ladder.load(name), pools_of(name))


def test_the_parts_of_an_answer_make_the_whole():
    text = pools_of("spec12").trained[0].text
    assert " ".join(prompt.part(text, number) for number in range(prompt.PARTS)) == text
    assert [way for way in prompt.templates() if prompt.asks_part(way)] == ["fragment"]


def some_of(name, count=40, own=None):
    """The pools with a sample of the trained targets; `own`: a rung's, where it has a surface or families of its own."""
    found = pools_of(name) if own is None or own.spec == ladder.load(name) else pools.draw(own.spec)
    return replace(found, trained=found.trained[:: max(1, len(found.trained) // count)])


@pytest.fixture(scope="module", params=ladder.names())
def spec(request):
    return ladder.load(request.param)


# ------------------------------------------------------------------------------------------------- targets and rows


def test_the_pools_are_disjoint_and_hold_distinct_targets(spec):
    found = pools_of(spec.name)
    every = (found.trained, found.unseen, found.recombined, found.apart, found.dev)
    texts = [{t.text for t in pool} for pool in every]
    assert sum(map(len, texts)) == len(set().union(*texts)) == sum(map(len, every))


def test_every_item_is_trained_with_every_style_value(spec):
    """What is unseen is the combination, never a value or a case."""
    found = pools_of(spec.name)
    for item in {t.item for t in found.unseen}:
        trained, unseen = (
            {part for t in pool if t.item == item for part in t.look} for pool in (found.trained, found.unseen)
        )
        assert unseen <= trained, (item, unseen - trained)


def test_unseen_targets_hold_out_whole_looks(spec):
    """With every count and topic of them: a look of an unseen target was never trained with its form (with any topic or layout)."""
    found = pools_of(spec.name)

    def styles(pool):
        return {(t.scene.form, t.look) for t in pool}

    assert not styles(found.unseen) & styles(found.trained) and not styles(found.unseen) & styles(found.dev)

    def held(pool):
        return {(t.item, split.structure(t.text) if spec.targets.hold == "structure" else t.look) for t in pool}

    assert not held(found.recombined) & held(found.trained) and not held(found.recombined) & held(found.dev)
    if spec.targets.kind == "forms":
        counts = Counter((t.scene.form, t.look) for t in found.unseen)
        assert set(counts.values()) == {spec.targets.counts}, "all counts of a held-out style are held out"
    else:
        assert len({t.look for t in found.unseen}) == spec.targets.never


def test_the_look_is_a_claim_and_a_planted_one_is_found(spec):
    """The same look with other counts, another topic or another place in one training row refutes the split."""
    found, contract = pools_of(spec.name), contract_of(spec.name)
    claim = next(c for c in contracts.claims(contract) if c.split == "unseen_target")
    parts = {name for t in found.trained for name, _ in t.look}
    assert {"theme", "tone", "density"} <= set(claim.combination) or len(claim.combination) == len(parts)
    case = next(c for c in contract["cases"] if c["split"] == "unseen_target")
    names = "topic" if "[topic" in case["expected"] else "stages|segments|cards|links|arrows|x|cx|points"
    other = re.sub(rf'([\[ ])({names})(:|="|\] )[^\]" ]+', r"\1\2\g<3>9", case["expected"])
    clean = [t.text for t in found.trained]
    assert other != case["expected"] and other not in clean
    with pytest.raises(LeakError, match="unseen_target: recombination of " + " x ".join(claim.combination)):
        split.prove([f"any words {case['prompt']} {other}"], [case], [claim])


def test_held_out_combinations_never_meet_but_their_pairs_do():
    spec = ladder.load("spec16")
    found = pools.draw(spec)
    trained = {(t.item, *combination_of(t.scene.style)) for t in found.trained}
    for target in found.recombined:
        form, *values = (target.item, *combination_of(target.scene.style))
        assert (form, *values) not in trained
        for i, j in ((0, 1), (0, 2), (1, 2)):
            assert any(c[0] == form and c[1 + i] == values[i] and c[1 + j] == values[j] for c in trained)


APART = [(n, names) for n in ladder.names() for names in ladder.load(n).targets.apart]


@pytest.mark.parametrize(("name", "names"), APART)
def test_pairs_held_apart_never_meet_and_their_values_are_trained_with_others(name, names):
    found = pools_of(name)

    def pair(target):
        made = {**dict(target.look), "layout": target.family, "form": target.scene.form, "topic": target.case}
        made["counts"] = "-".join(re.findall(r"\[\w+:(\d+)\]", target.text))
        return tuple(made[n] for n in names)

    apart = found.of("apart", names[::-1])
    trained, held = {pair(t) for t in found.trained}, {pair(t) for t in apart}
    assert held == found.held[names] and not held & trained
    assert not held & {pair(t) for pool in (found.unseen, found.recombined, found.dev) for t in pool}
    for first, second in held:
        assert any(a == first for a, _ in trained) and any(b == second for _, b in trained)
    if "counts" not in names:
        rest = {tuple(v for v in t.look if v[0] not in names) for t in found.trained}
        assert {tuple(v for v in t.look if v[0] not in names) for t in apart} <= rest, "the pair alone is new"


def test_counts_are_held_apart_from_forms_that_others_of_their_family_keep():
    held = pools_of("routing").held["counts", "form"]
    assert len(held) == 15 and len({form for _, form in held}) >= 4 and len({counts for counts, _ in held}) == 15
    assert split.parts("[bundle] [form:grid] [a:4] [b:0] [ref:x2] [/bundle]")["counts"] == "4-0"
    assert "counts" not in split.parts("[scene] [form:grid] [/scene]")


@pytest.mark.parametrize(("name", "names"), APART)
def test_a_planted_pair_is_found_by_the_proof(name, names):
    found, contract = pools_of(name), contract_of(name)
    claim = next(c for c in contracts.claims(contract) if set(c.combination) == set(names))
    case = next(c for c in contract["cases"] if c["split"] == claim.split)
    rows = [f"any words [OUT] {t.text}" for t in found.trained]
    assert not [c for c in split.prove(rows, [case], [claim]).claims if c["overlaps"]]
    same = next(
        t.text
        for t in found.apart
        if split.combination("", t.text, claim.combination)
        == split.combination("", case["expected"], claim.combination)
        and t.text != case["expected"]
    )
    with pytest.raises(LeakError, match=f"{claim.split}: recombination of " + " x ".join(claim.combination)):
        split.prove([*rows, f"any words [OUT] {same}"], [case], [claim])


def test_a_pair_is_held_apart_only_where_both_of_it_stay_with_others():
    """Three layouts never meet one topic each, of those that several layouts have; in `spec16` and others every value meets every other."""
    found = pools_of("spec07")
    held = {(t.family, t.case) for t in found.apart}
    layouts = {topic: {t.family for t in found.trained if t.case == topic} for _, topic in held}
    assert len(held) == 3 and all(len(of) >= 3 for of in layouts.values()), layouts
    lonely = ladder.load("spec12").targets.model_copy(update={"apart": (("topic", "layout"),)})
    with pytest.raises(ValueError, match="no two values meet that others meet too"):
        pools.draw(ladder.load("spec12").model_copy(update={"targets": lonely}))


def test_pairs_of_what_no_scene_is_made_of_are_refused():
    spec = ladder.load("spec16")
    strange = spec.model_copy(update={"targets": spec.targets.model_copy(update={"apart": (("form", "topography"),)})})
    with pytest.raises(ValueError, match=r"apart .'form', 'topography'.: got topography, expected of"):
        pools.draw(strange)


def test_counts_vary_where_the_form_allows_it():
    found = pools.draw(ladder.load("spec16"))
    for form in {t.item for t in found.recombined}:
        assert len({t.scene.counts for t in found.trained if t.item == form}) >= 3, form


@pytest.mark.parametrize("label", RUNGS)
def test_weights_are_multiplicities(label):
    selected = ladder.select(label)
    found = some_of(selected.spec.name)
    for stage, mixture in selected.rung.mixture.items():
        rows = stage_rows(selected, stage, found)
        counts = Counter(r.surface for r in rows)
        assert counts == {surface: weight * len(found.trained) for surface, weight in mixture.items()}


@pytest.mark.parametrize("label", RUNGS)
def test_rows_are_single_ascii_lines_of_prompt_and_output(label):
    selected = ladder.select(label)
    surface = surfaces.load(selected.spec.surface)
    for row in stage_rows(selected, selected.rung.stages()[-1], some_of(selected.spec.name, own=selected)):
        assert row.family in selected.spec.families
        assert row.text.isascii() and "\n" not in row.text
        asked, output = cut(row.text)
        assert asked == row.prompt and output == f" {row.output}" and asked.endswith("[OUT]") and "[task:svg]" in asked
        assert prompt.asks_part(row.surface) or surface.format(surface.parse(row.output)) == row.output


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_split(spec):
    first, again, other = pools_of(spec.name), pools.draw(spec), pools.draw(spec, seed=43)
    assert first == again
    assert {t.text for t in first.unseen} != {t.text for t in other.unseen}
    assert [r.text for r in probe_rows(spec, first)] == [r.text for r in probe_rows(spec, again)]


def test_probe_sets_are_large_enough_to_decide(spec):
    sizes = {name: split_.cases for name, split_ in spec.splits.items()}
    assert all(cases >= 199 for name, cases in sizes.items() if spec.splits[name].kind != "seen")
    assert sizes["unseen_target"] + sizes.get("unseen_recombination", 0) >= 300
    rows = probe_rows(spec, pools_of(spec.name))
    assert Counter(r.split for r in rows) == sizes
    held = {r.output for r in rows if r.split in ("unseen_target", "unseen_recombination")}
    assert len(held) >= 300, "distinct targets, not the same one asked again"
    for name in (n for n in sizes if spec.splits[n].is_of_all):
        per_family = Counter(r.family for r in rows if r.split == name)
        assert max(per_family.values()) - min(per_family.values()) <= max(2, 0.15 * sizes[name]), per_family


def test_every_frame_is_asked_and_no_family_by_one_surface_alone(spec):
    """Surfaces, frames and families do not keep step with one another."""
    rows = [r for r in probe_rows(spec, pools_of(spec.name)) if spec.splits[r.split].kind != "seen"]
    for name, split_ in spec.splits.items():
        if split_.kind == "seen":
            continue
        mine = [r for r in rows if r.split == name]
        for surface in split_.surfaces:
            frames = prompt.known(surface)
            own = [r for r in mine if r.surface == surface]
            assert {r.family for r in own} == {r.family for r in mine}, (name, surface)
            if not isinstance(frames, tuple) or spec.surface == "raw_svg":
                continue
            told = {i for r in own for i, frame in enumerate(frames) if re.fullmatch(_pattern(frame), r.prompt)}
            able = {i for r in own for i, frame in enumerate(frames) if _can_say(frame, r.prompt)}
            assert able <= told and len(told) >= min(len(frames), 2), (name, surface, able - told)
    unseen = [r for r in rows if r.split == "unseen_prompt"]
    heads = {r.prompt.partition("[task:svg]")[0] for r in unseen} | {
        r.prompt for r in unseen if r.surface == "unseen_prose"
    }
    assert len(heads) >= 8, "ways of asking, not one way asked again"


def _pattern(frame):
    return "".join(".*" if n % 2 else re.escape(x) for n, x in enumerate(re.split(r"(\{\w+\})", frame))) + r" \[OUT\]"


def _can_say(frame, text):
    """Whether a frame's fields are stated by the tags of a prompt."""
    fields = set(re.findall(r"\{(\w+)\}", frame)) & set(prompt.STATED)
    return fields <= set(split.tags(text))


# ------------------------------------------------------------------------------------------------- the proof


def small_world():
    train = ["[t:1] [OUT] [s] [a:1] [b:1] [/s]", "[t:2] [OUT] [s] [a:2] [b:2] [/s]"]
    case = {"split": "x", "prompt": "[t:3] [OUT]", "expected": "[s] [a:1] [b:2] [/s]"}
    return train, case, Claim("x", True, True, ("a", "b"))


def test_a_clean_split_is_proven_with_counts():
    train, case, claim = small_world()
    proof = split.prove(train, [case], [claim])
    assert (
        proof.train_rows == 2
        and [c["overlaps"] for c in proof.claims] == [0, 0, 0]
        and [c["distinct"] for c in proof.claims] == [1, 1, 1]
        and all(c["compared"] == 1 for c in proof.claims)
    )


@pytest.mark.parametrize(
    ("leak", "what"),
    [
        ("[t:3]  [OUT] [s] [a:9] [b:9] [/s]", "prompt is in the training rows"),
        ("[T:3] [OUT] [s] [a:9] [b:9] [/s]", "prompt is in the training rows"),
        ("[t:9] [OUT] [S] [a:1] [b:2] [/S]", "target is in the training rows"),
        ("[t:9] [OUT] [s]   [a:1] [b:2] [/s]", "target is in the training rows"),
        ("[t:9] [OUT] [s] [z:7] [a:1] [b:2] [/s]", "recombination of a x b is in the training rows"),
    ],
)
def test_each_kind_of_leak_stops_the_run(leak, what):
    train, case, claim = small_world()
    with pytest.raises(LeakError, match=what):
        split.prove([*train, leak], [case], [claim])


def test_nothing_compared_proves_nothing():
    train, case, claim = small_world()
    with pytest.raises(LeakError, match="nothing to compare"):
        split.prove([], [case], [claim])
    with pytest.raises(LeakError, match="nothing to compare"):
        split.prove(train, [], [claim])


def rows_of(spec):
    """A row for each trained target and each way of asking that any rung of the spec has, in turn: all wordings, without the weights."""
    best = next(name for name, rung in spec.rungs.items() if rung.headline)
    ways = {way: 1 for rung in spec.rungs.values() for mixture in rung.mixture.values() for way in mixture}
    rung = spec.rungs[best]
    alone = rung.published.model_copy(update={"best": None})
    rung = rung.model_copy(update={"mixture": {"pretrain": ways}, "baseline": None, "published": alone})
    light = spec.model_copy(update={"rungs": {best: rung}})
    return [r.text for r in stage_rows(Selected(spec=light, name=best), "pretrain", pools_of(spec.name))]


def test_the_real_rows_are_proven_and_a_planted_leak_is_found(spec):
    train, contract = rows_of(spec), contract_of(spec.name)
    proof = split.prove(train, contract["cases"], contracts.claims(contract))
    assert {c["split"] for c in proof.claims} == {n for n, s in spec.splits.items() if s.kind != "seen"}
    victim = next(c for c in contract["cases"] if c["split"] == "unseen_target")
    with pytest.raises(LeakError, match="unseen_target"):
        split.prove(
            [*train, f"any words {victim['prompt'].replace('[task:svg]', '[task:svg] ')} {victim['expected']}"],
            contract["cases"],
            contracts.claims(contract),
        )


def test_a_prompt_that_differs_in_marks_case_or_order_alone_is_a_trained_one():
    assert split.asking("Pair v! [layout:pair-v]") == split.asking("[layout:pair-v] pair (v)")
    assert split.asking("pair v [layout:pair-v]") != split.asking("pair v [layout:pair-h]")
    asked = [{"split": "unseen_prompt", "prompt": "Pair v! [layout:pair-v] [OUT]", "expected": "<svg/>"}]
    with pytest.raises(LeakError, match="unseen_prompt: prompt is in the training rows"):
        split.prove(["pair v [layout:pair-v] [OUT] <svg/>"], asked, [Claim("unseen_prompt", prompt_unseen=True)])


def test_what_a_case_does_not_say_in_tags_cannot_be_held_out():
    asked = [{"split": "pairs", "prompt": "red on slate [OUT]", "expected": "<svg/>"}]
    claim = Claim("pairs", combination=("color", "bg"))
    with pytest.raises(LeakError, match="1 of 1 cases do not say all of color, bg in tags"):
        split.prove(["[color:red] [bg:slate] [OUT] <svg/>"], asked, [claim])


# ------------------------------------------------------------------------------------------------- packing

ROWS = [f"[task:svg] ask {'word ' * (i % 7)}[OUT] [scene] say {'thing ' * (i % 5)}[/scene]" for i in range(60)]


@pytest.fixture(scope="module")
def coder():
    return tokenizer.train(ROWS, Policy(("[scene]", "[/scene]", "[OUT]", "[task:svg]")))


def test_packing_keeps_every_row_whole_and_masks_prompts(coder):
    packed = pack(ROWS, coder, 64, seed=1)
    found = []
    for ids, targets, pos in zip(packed.windows.ids, packed.windows.targets, packed.windows.pos, strict=True):
        starts = [*np.flatnonzero(pos == 0), len(pos)]
        for a, b in pairwise(starts):
            if (targets[a:b] < 0).all():
                assert (ids[a:b] == coder.pad).all()  # padding is a row of its own and carries no loss
                continue
            text = coder.decode(ids[a:b])
            found.append(text)
            prompt, output = cut(text)
            first = len(coder.encode(prompt)) - 1
            assert (targets[a : a + first] < 0).all()
            assert coder.decode(targets[a + first : b][:-1]) == output and targets[b - 1] == coder.eos
            assert (pos[a:b] == np.arange(b - a)).all()
    assert sorted(found) == sorted(ROWS)
    assert packed.targets == packed.windows.valid() and packed.rows == 60 and 0.7 < packed.fill <= 1
    assert packed.text_bytes == sum(len(cut(r)[1].encode()) for r in ROWS) + len(ROWS)


def test_what_was_trained_is_counted_from_the_windows_that_were_taken(coder):
    """Not from the rows on disk: a short budget takes some rows, a long one takes them several times."""
    packed = pack(ROWS, coder, 64, seed=1)
    places = {i for members in packed.members for i in members}
    assert places == set(range(len(ROWS))) and len(packed.members) == len(packed.windows.ids)
    for taken in (1, 5, len(packed.members), 2 * len(packed.members) + 3):
        stream = Stream(packed.windows, 7, "some")
        batch, seen = stream.take(taken), Counter()
        for ids, targets, pos in zip(batch.ids, batch.targets, batch.pos, strict=True):
            for a, b in pairwise([*np.flatnonzero(pos == 0), len(pos)]):
                if (targets[a:b] >= 0).any():
                    seen[coder.decode(ids[a:b])] += 1
        counted = Counter()
        for row, times in enumerate(trained(packed, stream)):
            counted[ROWS[row]] += int(times)
        assert +counted == seen, taken


def test_loss_on_prompts_is_a_choice(coder):
    with_prompts = pack(ROWS, coder, 64, 1, loss_on_prompt=True)
    assert with_prompts.targets == with_prompts.tokens > pack(ROWS, coder, 64, 1).targets


def test_a_row_longer_than_the_context_is_refused_and_shown(coder):
    with pytest.raises(
        ValueError, match=r"1 of 61 rows are longer than ctx=64 tokens, the first has \d+: '\[task:svg\] x"
    ):
        pack([*ROWS, "[task:svg] " + "x y " * 100 + "[OUT] [scene] [/scene]"], coder, 64, 1)


@pytest.mark.parametrize("row", ["[task:svg] no out here", "a [OUT] b [OUT] c"])
def test_a_row_without_one_out_is_refused(row):
    with pytest.raises(ValueError, match="with one"):
        cut(row)


def test_a_prompt_in_another_order_is_the_same_prompt():
    _, case, claim = small_world()
    asked = case | {"prompt": "Please draw [u:4] [t:3] [OUT]"}
    with pytest.raises(LeakError, match="prompt is in the training rows"):
        split.prove(["[t:3] please [u:4] draw [OUT] [s] [/s]"], [asked], [claim])
