"""Contract of every kind of tokenizer that is found: its alphabet comes back, tags cost one token, transformers gives the same ids; and
the audit finds what is planted.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cktrack import cli
from experiments import coders, ladder, surfaces, token_audit
from experiments.coders import AlphabetError, svg_bpe
from experiments.prepared import policy_of
from experiments.tokenizer import UNKNOWN, Policy, train

TAGS = ("[scene]", "[/scene]", "[tone:blue]", "[tone:green]", "[OUT]")
SVG = '<svg viewBox="0 0 9 9" width="9"><g fill="red"><rect x="1" width="7"/></g></svg>'
ROWS = [
    *(f"[task:svg] about {word} [tone:{tone}] [OUT] [scene] [tone:{tone}] note {word} [/scene]"
      for word in ("tea", "it's", "x_1|y") for tone in ("blue", "green")),
    f"[task:svg] picture [OUT] [scene] {SVG} [/scene]",
]  # fmt: skip


@pytest.fixture(scope="module", params=coders.names())
def made(request):
    return request.param, coders.train(request.param, ROWS, Policy(TAGS, vocab=512))


def test_the_kinds_that_are_asked_for_exist():
    assert {"ascii_bpe", "byte_bpe", "svg_bpe"} <= set(coders.names())
    with pytest.raises(KeyError, match="no kind of tokenizer `bytes`; there are ascii_bpe"):
        coders.load("bytes")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_text_of_the_alphabet_comes_back(made, data):
    kind, coder = made
    alphabet = coders.load(kind).ALPHABET
    text = data.draw(st.text() if alphabet is None else st.text(st.sampled_from(alphabet)))
    assert coder.decode(coder.encode(text)) == text


@pytest.mark.parametrize("place", ["", "[task:svg] "])
def test_a_tag_costs_one_token_and_rows_come_back(made, place):
    _, coder = made
    for tag in TAGS:
        assert len(coder.encode(f"{place}x {tag}")) == len(coder.encode(f"{place}x")) + 1, tag
    assert [coder.decode(ids) for ids in coder.encode_many(ROWS)] == ROWS


def test_the_same_rows_give_the_same_bytes(made):
    kind, coder = made
    assert coders.train(kind, ROWS, Policy(TAGS, vocab=512)).json() == coder.json()


def test_transformers_gives_the_same_ids(made, tmp_path):
    transformers = pytest.importorskip("transformers")
    kind, coder = made
    for name, data in coder.files(128).items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "config.json").write_text('{"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}')
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    sample = [*ROWS, "tabs\tand  spaces\n", "it's [unknown] 123", "caf\u00e9 \u6c34"]
    assert [theirs(t, add_special_tokens=False)["input_ids"] for t in sample] == coder.encode_many(sample), kind
    assert len(theirs) == coder.size and theirs.eos_token_id == coder.eos


def test_ascii_refuses_other_rows_and_marks_other_prompts():
    with pytest.raises(
        AlphabetError, match=r"tokenizer ascii_bpe: row 2 holds '\u00e9' \(U\+00E9\), expected only its 98"
    ):
        coders.train("ascii_bpe", ["a", "\u00e9"], Policy(TAGS))
    coder = coders.train("ascii_bpe", ROWS, Policy(TAGS))
    assert coder.decode(coder.encode("caf\u00e9!")) == f"caf{UNKNOWN}{UNKNOWN}!"
    assert coder.size < coders.train("byte_bpe", ROWS, Policy(TAGS)).size


def test_svg_atoms_are_those_the_rows_use():
    coder = coders.train("svg_bpe", ROWS, Policy(TAGS, vocab=512))
    spelled = coders.train("byte_bpe", ROWS[:-1], Policy(TAGS, vocab=512))
    for atom in ("<rect", "</svg>", ' fill="', '"/>'):
        assert len(coder.encode(atom)) == 1, atom
    assert len(coder.encode("<circle")) > 1 and len(coder.encode(SVG)) < len(spelled.encode(SVG)) * 0.7
    assert len(set(svg_bpe.atoms())) == len(list(svg_bpe.atoms()))


# ------------------------------------------------------------------------------------------------- the audit


def codes(found) -> set[str]:
    return {f["code"] for f in found["findings"]}


def test_a_sound_tokenizer_passes(made):
    _, coder = made
    found = token_audit.audit(coder, ROWS, TAGS, 128)
    assert found["verdict"] == "pass" and not found["findings"], found["findings"]
    assert found["roundtrip"]["exact"] == found["fit"]["fitting"] == len(ROWS) and found["tags"]["covered"] == len(TAGS)
    assert sum(found["vocabulary"]["kinds"].values()) == coder.size
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("policy", "rows", "ctx", "severity", "code"),
    [
        (Policy(TAGS), ["[OUT] caf\u00e9"], 128, "fail", "roundtrip"),  # ascii_bpe on what it cannot say
        (Policy(TAGS), ROWS, 8, "fail", "too_long"),
        (Policy((*TAGS, "note tea")), ROWS, 128, "fail", "payload_reserved"),
        (Policy((*TAGS, "tea")), ROWS, 128, "fail", "payload_reserved"),
        (Policy(TAGS, openers=("[task:svg]", "zeppelin")), ROWS, 128, "fail", "payload_reserved"),
        (Policy(TAGS), ["a " + "word" * 30 + f"{n % 7}" for n in range(99)], 4096, "warn", "long_content"),
        (Policy(TAGS), [f"{'word' * 30}{c} " * 9 for c in "abcdefgh" * 9], 4096, "fail", "huge_content"),
        (Policy(TAGS), ROWS, None, "warn", "nearly_full"),
        (Policy(TAGS[2:]), ROWS, 128, "warn", "tag_not_reserved"),
        (Policy((*TAGS, "[never]")), ROWS, 128, "warn", "reserved_unused"),
        (Policy((*TAGS, f"[{'x' * 150}]")), ROWS, 128, "warn", "long_reserved"),
        (Policy((*TAGS, *(f"[{'x' * 90}{n}]" for n in range(60)))), ROWS, 128, "warn", "wide_vocabulary"),
        (Policy(TAGS, min_frequency=10**6), ["q w e r t y u i o p"], 128, "warn", "spelled"),
    ],
)  # fmt: skip
def test_what_is_planted_is_found(policy, rows, ctx, severity, code):
    coder = train(ROWS if code == "roundtrip" else rows, policy, coders.load("ascii_bpe").ALPHABET)
    ctx = ctx or max(map(len, coder.encode_many(rows))) + 1
    found = token_audit.audit(coder, rows, TAGS, ctx)
    assert {"severity": severity, "code": code}.items() <= next(
        f for f in found["findings"] if f["code"] == code
    ).items()
    assert found["verdict"] in (severity, "fail")


def test_a_learned_piece_that_swallowed_a_tag_is_found():
    assert token_audit.kind_of("[ref:x]", False, False) == "tag_in_content"
    assert [token_audit.kind_of(t, False, False) for t in ("", "a", "[", "ab", "[re", "\ufffd")] == [
        "byte", "byte", "byte", "content", "tag_part", "byte",
    ]  # fmt: skip


def test_the_first_difference_has_its_place():
    coder = coders.train("ascii_bpe", ROWS, Policy(TAGS))
    look = token_audit.roundtrip(coder, ["same", "on\u00e9"], coder.encode_many(["same", "on\u00e9"]))
    assert look["exact"] == 1 and look["first_wrong"]["row"] == 2 and look["first_wrong"]["offset"] == 2
    assert 0.0 < look["bytes_in_place"] < 1.0


def test_characters_beyond_ascii_are_listed_with_what_stands_for_them():
    look = token_audit.ascii_map(["\u00e9\u00e9 \u2192 \u6c34", "plain"])
    assert (look["distinct"], look["total"], look["mapped"], look["unmapped"]) == (3, 4, 2, 1)
    assert [(c["codepoint"], c["count"], c["ascii"]) for c in look["characters"]] == [
        ("U+00E9", 2, "e"), ("U+2192", 1, "->"), ("U+6C34", 1, None),
    ]  # fmt: skip


def test_a_rung_may_have_a_tokenizer_of_its_own():
    spelled, plain = ladder.select("spec12/spelled"), ladder.select("spec12/r17")
    assert spelled.tokenizer.reserved == "none" and plain.tokenizer == plain.spec.tokenizer
    assert spelled.resolved() != plain.resolved()


def test_the_command_tells_findings_and_fails_for_failures(tmp_path):
    (tmp_path / "rows.txt").write_text("\n".join(ROWS))
    (tmp_path / "probes.json").write_text(json.dumps([{"prompt": "a [OUT]", "output": "b"}]))
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nrows: {pretrain: rows.txt}\nprobes: {test: {expected: probes.json}}\n"
    )
    done = CliRunner().invoke(cli.app, ["tokenizer", "audit", str(tmp_path / "mine.yaml"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["roundtrip"]["exact"] == len(ROWS) + 1
    (tmp_path / "keep.txt").write_text("z" * 150 + "\n")
    with (tmp_path / "mine.yaml").open("a") as file:
        file.write("reserved: keep.txt\n")
    done = CliRunner().invoke(cli.app, ["tokenizer", "audit", str(tmp_path / "mine.yaml")])
    assert done.exit_code == 0 and "long_reserved" in done.stdout and "verdict: warn" in done.stdout


def test_what_looks_like_structure_is_no_payload():
    structure = ["[a]", " [/a]", " [ref:", "[fill:#", " @", "->", "<rect", ' fill="', '"/>', " [topic:tea_time]"]
    assert all(map(token_audit.is_structure, structure))
    assert not any(map(token_audit.is_structure, ["tea", " tea", "note tea", "12", "[a] tea", "fill"]))


@pytest.mark.parametrize("label", ladder.rungs())
def test_every_rung_reserves_structure_alone(label):
    selected = ladder.select(label)
    known = surfaces.load(selected.spec.surface).vocabulary(selected.spec.families)
    declared = {*known.tags, *known.phrases}
    assert not [
        t for t in policy_of(selected).reserved() if t.strip() not in declared and not token_audit.is_structure(t)
    ]


def test_words_that_a_surface_declares_are_structure():
    coder = train(ROWS, Policy((*TAGS, "note tea")), coders.load("ascii_bpe").ALPHABET)
    assert token_audit.audit(coder, ROWS, [*TAGS, "note tea"], 128)["reserved"]["payload"] == []
