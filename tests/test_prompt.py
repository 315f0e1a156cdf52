"""Prompt surfaces: every way of asking is there, and prose is varied."""

from __future__ import annotations

import re
from itertools import combinations, product

import pytest

from experiments import brief, prompt

FRAMES = 12  # that a surface in prose has at least
# Ways of asking that a curriculum speaks of, and the surfaces that are these.
WAYS = {
    "tags": ["tags", "words"],
    "permuted tags": ["permuted", "words_permuted"],
    "bridge": ["bridge", "compose", "family_bridge", "form_bridge"],
    "intent": ["brief"],
    "routebook direct": ["tags", "permuted", "listed"],
    "hint": ["hint"],
    "minimal pairs": ["form_minimal_pair", "family_minimal_pair"],
    "paraphrase": ["prose"],
    "style and topology": ["style_topology_bridge", "count_guard"],
    "recombination": ["recombination"],
    "clean stop": ["clean_stop", "clean_stop_anchor"],
    "explicit anchor": ["explicit_anchor", "explicit_permuted_anchor"],
    "instruction": ["instruction"],
}


def lists():
    """(name, rows) of every list of templates or clauses."""
    for name, rows in prompt.templates().items():
        if isinstance(rows, prompt.Clauses):
            yield from ((f"{name}.{part}", texts) for part, texts in rows.say.items())
            yield from ((f"{name}.{part}", getattr(rows, part)) for part in prompt.PLAIN)
        else:
            yield name, rows


LISTS = dict(lists())


def words(row):
    """The words of a frame; which field it asks by, and in which order, is no word."""
    return re.sub(rf"\{{({'|'.join(prompt.ORDERS)})\}}", "", row).lower().split()


def apart(ours, theirs):
    """Whether more than one word would have to be changed, left out or put in. Another field is another thing that is said."""
    if abs(len(ours) - len(theirs)) > 1:
        return True
    if len(ours) == len(theirs):
        other = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
        return len(other) > 1 or any("{" in a and "{" in b for a, b in other)
    short, long = sorted((ours, theirs), key=len)
    return all(long[:i] + long[i + 1 :] != short for i in range(len(long)))


def is_direct(rows):
    """Asks by its field alone in one of its templates: prose before it is a remark. A frame for parts of an answer only names the part."""
    return any(not words(row) or "{part}" in row for row in rows)


def test_every_way_of_asking_is_there():
    assert {name for names in WAYS.values() for name in names} <= set(prompt.templates())


@pytest.mark.parametrize("name", LISTS)
def test_no_frame_is_another_one_with_a_word_changed(name):
    prose = [row for row in LISTS[name] if len(words(row)) > 2]
    close = [(a, b) for a, b in combinations(prose, 2) if not apart(words(a), words(b))]
    assert not close


@pytest.mark.parametrize("name", [n for n in prompt.templates() if not n.startswith("unseen_")])
def test_prose_has_many_frames(name):
    rows = prompt.templates()[name]
    if isinstance(rows, prompt.Clauses):
        assert all(len(texts) + len(rows.say.get(prompt.ANY, ())) >= FRAMES for texts in rows.say.values())
        assert len(rows.aside) >= FRAMES
    else:
        assert is_direct(rows) or len(rows) >= FRAMES


@pytest.mark.parametrize("name", [n for n in LISTS if n.startswith("unseen_")])
def test_an_unseen_frame_is_no_trained_one_with_a_word_changed(name):
    trained = [row for other, rows in LISTS.items() if not other.startswith("unseen_") for row in rows]
    prose = [row for row in LISTS[name] if len(words(row)) > 2]
    assert not [(a, b) for a, b in product(prose, trained) if not apart(words(a), words(b))]


def test_a_frame_with_one_word_changed_is_caught():
    assert not apart(words("Write the scene. {tags}"), words("Write a scene. {permuted}"))
    assert not apart(words("Write the scene. {tags}"), words("Write the whole scene. {tags}"))
    assert apart(words("Write the scene. {tags}"), words("Supply a scene. {tags}"))


def test_facts_are_told_among_any_words_when_trained_and_never_when_only_asked():
    facts = (("topic", "cache"), ("goal", "tell_history"), ("audience", "students"))
    asked, clauses = prompt.Asked(brief.load("routing"), facts), prompt.known("prose")
    babble = 0
    for number in range(300):
        text = prompt.write("prose", number, None, "bundle", asked)
        assert all(any(phrase in text for phrase in asked.table.phrases(*fact)) for fact in facts)
        sentences = re.split(r"(?<=[.?!]) ", text.removeprefix("[task:svg] ").removesuffix(" [OUT]"))
        unknown = {*sentences} - {"", *clauses.open, *clauses.aside, *clauses.close}
        babble += any(set(re.findall(r"\w+", said.lower())) <= set(clauses.filler) for said in unknown)
    assert 100 < babble < 250
    assert not prompt.known("unseen_prose").filler
