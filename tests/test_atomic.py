"""The atomic surface: every scene of every family comes back, also from tokens, for at most twice the tokens of its own surface."""

from __future__ import annotations

from itertools import islice

import pytest

from experiments import case, infographic, ladder, order, pools, tokenizer
from experiments.scene import Scene
from experiments.style import DENSITIES, PAIRS, Style
from experiments.surfaces import SurfaceError, atomic, atoms, compact, dotted, gold, semantic
from experiments.tag import Vocabulary

CONTEXT = 2048


def scenes() -> list[tuple[Scene, str]]:
    """(scene, its text on the one-line surface that carries it): every case of every family in several styles, and orders."""
    found: list[tuple[Scene, str]] = []
    for one in (c for c in case.every() if not c.form):
        if one.family in semantic.families():
            family = semantic.load(one.family)
            asked = islice(infographic.every(), 0, None, 13)
            scenes = [infographic.dress(family, one.scene(Style()), a, semantic.CANVAS) for a in asked]
            found += [(scene, semantic.format(scene)) for scene in scenes]
        elif one.family == "atoms":
            found.append((one.scene(Style()), atoms.format(one.scene(Style()))))
        else:
            line = compact if one.family in compact.families() else dotted
            pairs = list(zip(PAIRS, 4 * DENSITIES, strict=True))[:: 3 if len(found) % 2 else 2]
            scenes = [one.scene(Style(*pair, density, "grid", "wide", "panel")) for pair, density in pairs]
            scenes += [one.scene(Style(*pair, density)) for pair, density in pairs]
            found += [(scene, line.format(scene)) for scene in scenes]
    drawn = (order.lower(one) for one in islice(order.every(), 0, None, 60))
    return found + [(scene, atoms.format(scene)) for scene in drawn]


CORPUS = scenes()


def coder(rows: list[str], *vocabularies: Vocabulary) -> tokenizer.Coder:
    tags = dict.fromkeys(tag for one in vocabularies for tag in (*one.tags, *one.phrases))
    prefixes = dict.fromkeys(prefix for one in vocabularies for prefix in one.prefixes)
    return tokenizer.train(rows, tokenizer.Policy(tuple(tags), tuple(prefixes), vocab=CONTEXT))


def test_every_scene_comes_back_within_twice_the_tokens() -> None:
    texts, inline = [atomic.format(scene) for scene, _ in CORPUS], [text for _, text in CORPUS]
    assert {scene.family for scene, _ in CORPUS} == {c.family for c in case.every() if not c.form}
    assert [atomic.parse(text) for text in texts] == [scene for scene, _ in CORPUS]
    ours = coder(texts, atomic.vocabulary())
    axes = ("theme", "tone", "density", "background", "canvas", "frame")
    theirs = coder(
        inline,
        compact.vocabulary(attributes=axes),
        dotted.vocabulary(),
        semantic.vocabulary(),
        atoms.vocabulary(),
    )
    facts = tokenizer.roundtrip(ours, texts)
    assert facts["rows_exact"] == len(CORPUS) > 300 and facts["longest_row"] < CONTEXT / 2
    for (scene, _), mine, plain in zip(CORPUS, ours.encode_many(texts), theirs.encode_many(inline), strict=True):
        assert len(mine) <= 2 * len(plain), (scene.family, scene.topic, len(mine), len(plain))


def test_the_corpus_of_its_contract_comes_back_for_twice_the_tokens_at_most() -> None:
    spec = ladder.load("atomic")
    found = pools.draw(spec)
    targets = [*found.trained, *found.unseen, *found.recombined, *found.dev][::5]
    texts, names = [target.text for target in targets], spec.families
    blocks, fields = ([n for n in names if n in one.families()] for one in (compact, dotted))
    inline = [(compact if t.scene.family in blocks else dotted).format(t.scene) for t in targets]
    axes = ("theme", "tone", "density", "background", "canvas", "frame")
    ours = coder(texts, atomic.vocabulary(names))
    theirs = coder(inline, compact.vocabulary(blocks, axes), dotted.vocabulary(fields))
    facts = tokenizer.roundtrip(ours, texts)
    assert facts["rows_exact"] == len(texts) > 400 and facts["longest_row"] < spec.model.ctx == CONTEXT
    for mine, plain in zip(ours.encode_many(texts), theirs.encode_many(inline), strict=True):
        assert len(mine) <= 2 * len(plain)


def test_a_share_of_bytes_in_their_places_says_when_something_was_lost_and_not_how_much() -> None:
    whole = "\n".join(atomic.format(scene) for scene, _ in CORPUS).encode()

    def in_place(back: bytes) -> float:
        return sum(a == b for a, b in zip(whole, back, strict=False)) / len(whole)

    middle = len(whole) // 2
    assert in_place(whole[1:]) < 0.1 and in_place(whole.replace(b"] [", b"][")) < 0.1
    assert 0.5 < in_place(whole[:middle] + whole[middle + 1 :]) < 0.6


SCENE = case.load("decision_tree", "merge_or_rebase").scene(Style())
TEXT = atomic.format(SCENE)
THEME, TONE = "[theme] infra_dark [/theme]", "[tone] blue [/tone]"
FAULTS = {
    "a value that is none": ("[tone] blue", "[tone] pink", "tone 'pink'"),
    "an attribute out of turn": (f"{THEME} {TONE}", f"{TONE} {THEME}", "after [tone]"),
    "an attribute twice": ("[tone] blue [/tone]", "[tone] blue [/tone] [tone] blue [/tone]", "second [tone]"),
    "an attribute without its end": ("blue [/tone]", "blue", "[/tone]"),
    "no theme": ("[theme] infra_dark [/theme] ", "", "no [theme]"),
    "an unknown family": ("[layout] decision_tree", "[layout] decision_free", "did you mean `decision_tree`"),
    "an unknown component": ("[name] entry_badge", "[name] entry_bagde", "did you mean `entry_badge`"),
    "a component without its end": ("[/component] [component] [name] entry_badge", "[component] [name] entry_badge", "without its end"),
    "a component without a name": ("[name] entry_badge [/name] ", "", "without [name]"),
    "a node without an id": ("[id] shared [/id] ", "", "without [id]"),
    "an edge without an end": ("[to] merge [/to] ", "", "without [to]"),
    "an edge to nowhere": ("[to] squash [/to]", "[to] squish [/to]", "did you mean `squash`"),
    "a path with dots": ("[bind] nodes shared", "[bind] nodes.shared", "bind 'nodes.shared'"),
    "nothing bound": (" [bind] nodes shared [/bind]", "", "0 references"),
    "parts out of turn": ("[id] shared [/id] [bind] nodes shared [/bind]", "[bind] nodes shared [/bind] [id] shared [/id]", "after [bind]"),
    "a meta that it has not": ("[bind] entry [/bind]", "[bind] entry [/bind] [meta] lane top [/meta]", "meta 'lane top'"),
    "words between parts": ("[bind] entry", "and [bind] entry", "'and'"),
    "an inline tag": ("[bind] entry [/bind]", "[ref:entry]", "[ref:entry]"),
    "nothing closes": (" [/scene]", "", "[/scene]"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_place(fault: str) -> None:
    old, new, needle = FAULTS[fault]
    assert old in TEXT and atomic.parse(TEXT) == SCENE == gold.parse(gold.format(SCENE))
    with pytest.raises(SurfaceError) as caught:
        atomic.parse(TEXT.replace(old, new, 1))
    assert any(needle in str(v) for v in caught.value.violations), str(caught.value)
    assert all(v.token or v.place.startswith("end of text") for v in caught.value.violations)


def test_the_tags_are_those_of_the_contract() -> None:
    lane = case.load("table_matrix", "float_formats").scene(Style(canvas="wide"))
    text = atomic.format(lane)
    assert text.startswith(
        "[scene] [canvas] wide [/canvas] [layout] table_matrix [/layout] [theme] infra_dark [/theme]"
    )
    assert "[component] [name] table_block [/name] [bind] groups 0 [/bind] [/component]" in text
