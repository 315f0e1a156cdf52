"""Contract of every grammar that is found: it follows every text that its surface writes and closes every beginning; what is said under
its mask ends within any budget and is read by the surface, whatever the tokenizer cuts and whatever the model wants."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
from test_surface import BUNDLES, OWN

from experiments import coders, families, mask, surfaces
from experiments.mask import Guide, MaskError, Tokens
from experiments.pen import Grammar, Pen
from experiments.probes.constrain import grammar_of
from experiments.tokenizer import Policy

EXEMPLARS = 1  # texts of each surface that are followed character by character


def texts_of(name, count, seed=0):
    scenes = [s for pool in OWN[name] for s in pool] or BUNDLES
    chosen = random.Random(seed).sample(scenes, min(count, len(scenes)))
    return [" " + surfaces.load(name).format(s) for s in chosen]


@cache
def tokens_of(name, kind="byte_bpe", reserved=True):
    """A tokenizer of this surface's texts: with its tags reserved, or with pieces that cut them anywhere."""
    vocabulary = surfaces.load(name).vocabulary()
    tags, prefixes = (vocabulary.tags, vocabulary.prefixes) if reserved else ((), ())
    return Tokens(coders.train(kind, texts_of(name, 40), Policy(tags, prefixes, vocab=700)))


@pytest.mark.parametrize("name", surfaces.names())
def test_every_text_of_the_surface_is_followed_and_every_beginning_is_closed(name):
    grammar = grammar_of(name)
    for number, text in enumerate(texts_of(name, 8)):
        assert grammar.complete(text) == ""
        ends = range(len(text)) if number < EXEMPLARS else random.Random(number).sample(range(len(text)), 6)
        for end in ends:
            closing = grammar.complete(text[:end])
            assert closing, (name, text[:end][-60:], text[end : end + 20])
            surfaces.load(name).parse((text[:end] + closing).strip())


@pytest.mark.parametrize("name", surfaces.names())
def test_every_token_of_a_text_is_allowed_one_after_the_other(name):
    for reserved in (True, False):
        tokens = tokens_of(name, reserved=reserved)
        for text in texts_of(name, 2, seed=3):
            ids = tokens.spell(text)
            guide = Guide(grammar_of(name), tokens, len(ids) + 40)
            assert all(guide.take(token) for token in [*ids, tokens.eos])


@pytest.mark.parametrize("name", surfaces.names())
@pytest.mark.parametrize("reserved", [True, False])
def test_whatever_a_model_wants_it_ends_in_time_and_is_read(name, reserved):
    """A model that knows nothing, with as little room as there can be, and with half as much again."""
    tokens = tokens_of(name, reserved=reserved)
    least = len(Guide(grammar_of(name), tokens, 4000).closing)
    for seed, room in enumerate((least, least + least // 2)):
        said = walk(name, tokens, room, seed)
        assert len(said) <= room
        surfaces.load(name).parse(b"".join(tokens.bytes[t] for t in said).decode().strip())
    with pytest.raises(MaskError, match=f"in {least - 1} tokens"):
        Guide(grammar_of(name), tokens, least - 1)


def walk(name, tokens, room, seed):
    """What is said by logits that are drawn: mostly the tokens of texts of this surface, in no order."""
    draw = np.random.default_rng(seed)
    guide, said = Guide(grammar_of(name), tokens, room), []
    while True:
        token = guide.pick(draw.normal(size=len(tokens.bytes)))
        if token == tokens.eos:
            return said
        said.append(token)
        assert len(guide.closing) <= guide.room, "a way to the end is always known, and fits"


@pytest.mark.parametrize("kind", coders.names())
def test_the_mask_is_what_pick_chooses_from_for_every_kind_of_tokenizer(kind):
    tokens = tokens_of("bundle", kind)
    guide = Guide(grammar_of("bundle"), tokens, 60)
    while guide.closing:
        allowed = guide.allowed()
        assert guide.closing[0] in allowed and tokens.eos not in allowed
        refused = [t for t in range(len(tokens.bytes)) if t not in allowed]
        assert all(guide._after(t) is None for t in refused), "the quick test refuses nothing that is allowed"
        wanted = np.zeros(len(tokens.bytes))
        wanted[allowed[len(allowed) // 2]] = 1.0
        assert guide.pick(wanted) == allowed[len(allowed) // 2]
    assert guide.allowed() == [tokens.eos] and guide.turned == 0


def test_where_nothing_likely_may_come_the_way_to_the_end_is_taken(monkeypatch):
    """So a place costs so many readings and no more; what is said is whole all the same."""
    tokens = tokens_of("keyed")
    tried = []
    taken = Guide.take
    monkeypatch.setattr(mask, "TRIES", 2)
    monkeypatch.setattr(Guide, "take", lambda self, token: tried.append(token) or taken(self, token))
    said = []
    guide = Guide(grammar_of("keyed"), tokens, 500)
    draw = np.random.default_rng(5)
    while not said or said[-1] != tokens.eos:
        tried.clear()
        said.append(guide.pick(draw.normal(size=len(tokens.bytes))))
        assert 1 <= len(tried) <= 4, "the likeliest, two more that may come, and the way to the end"
    surfaces.load("keyed").parse(b"".join(tokens.bytes[t] for t in said).decode().strip())


def test_every_bundle_that_can_be_drawn_can_be_said_and_no_other():
    """The language is finite: from every state, all that may come is followed; leaves are counted."""
    grammar, name = grammar_of("bundle", ("timeline",)), "timeline"
    ends, todo = 0, [" [bundle] [family:timeline]"]
    styles = 0
    while todo:
        text = todo.pop()
        nexts, goes_on = grammar.frontier(text)
        assert goes_on is None and (nexts or grammar.complete(text) == "")
        if "[density" in text:  # one style stands for all: the rest does not depend on it
            styles += "[background" not in text
            nexts = nexts if "[background:none]" in text else [n for n in nexts if n == " [background:none]"]
        elif "[form" in text:
            nexts = nexts[:1]
        ends += not nexts
        todo += [text + n for n in nexts]
    assert ends == sum(len(form.legal()) for form in families.load(name).forms.values()) * (
        styles // len(families.load(name).forms)
    )


def test_only_the_families_asked_for_are_said():
    grammar = grammar_of("gold", ("timeline", "memory_map"))
    assert grammar.complete(" [scene] [layout:timeline]") and grammar.complete(" [scene] [layout:memory") is not None
    assert grammar.complete(" [scene] [layout:flow_graph]") is None


@pytest.mark.parametrize(
    "text",
    [
        "[scene]", " [scene] [theme:infra_dark]", " [scene] [layout:poem]", " [scene] [layout:timeline] [theme:infra_dark] [theme:",
        " [scene] [layout:timeline] [theme:infra_dark] [tone:blue] [density:airy] [topic:a] [timeline_stage]", " x", " [scene]  [layout",
    ],
)  # fmt: skip
def test_what_departs_from_the_grammar_cannot_be_closed(text):
    assert grammar_of("gold").complete(text) is None


def test_ends_are_ids_that_are_there_or_still_come():
    head = " [scene] [layout:flow_graph] [theme:infra_dark] [tone:blue] [density:airy] [topic:a] [header_band] [ref:a] [/header_band]"
    node = " [decision_node] [node_id:{0}] [ref:a] [/decision_node]"
    edge = " [decision_edge] [from_ref:{0}] [to_ref:{1}] [label_ref:a] [/decision_edge]"
    grammar, one = grammar_of("gold"), head + node.format("start")
    assert "[node_id:later]" in grammar.complete(one + edge.format("start", "later")), "what an edge waits for comes"
    assert grammar.complete(one + edge.format("start", "start")) is None
    assert grammar.complete(one + node.format("start")) is None
    assert grammar.complete(one + edge.format("start", "a") + edge.format("start", "a")) is None


def test_characters_of_several_bytes_may_be_cut():
    tokens = tokens_of("asset")
    guide = Guide(grammar_of("asset"), tokens, 400)
    head = texts_of("asset", 1)[0].partition("[header_band:")[0] + "[header_band:Caf"
    assert all(guide.take(token) for token in tokens.spell(head))
    first, second = (tokens.single[b] for b in "é".encode())
    assert guide.take(first) and guide.closing[0] in tokens.single.values() and not guide.take(tokens.spell("x")[0])
    assert guide.take(second) and guide.said.endswith("é".encode())


# ------------------------------------------------------------------------------------------------- planted faults


def test_a_grammar_that_is_wrong_is_not_believed():
    """A closing is returned only if the surface has read it: a grammar that forgets the end, or a needed part, closes nothing."""
    bundle = surfaces.load("bundle")

    def forgets_the_end(pen: Pen) -> None:
        pen.say(" [bundle]")
        pen.choose((" [family:timeline]",))

    assert Grammar(forgets_the_end, bundle.parse).complete(" [bundle]") is None
    with pytest.raises(MaskError, match="no text at all"):
        Guide(Grammar(forgets_the_end, bundle.parse), tokens_of("bundle"), 99)


def test_the_end_is_not_allowed_before_it_and_nothing_behind_it():
    tokens = tokens_of("bundle")
    guide = Guide(grammar_of("bundle"), tokens, 60)
    assert not guide.take(tokens.eos)
    while guide.closing:
        assert guide.take(guide.closing[0])
    assert not any(guide.take(token) for token in range(len(tokens.bytes)) if token != tokens.eos) and guide.take(
        tokens.eos
    )
