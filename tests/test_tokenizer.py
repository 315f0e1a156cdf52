"""The tokenizer gives back every byte, spends one token on a tag, and keeps its ids in transformers."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import coders, corpus, ladder, pools, surfaces, tokenizer
from experiments.pack import cut
from experiments.prepared import policy_of
from experiments.tokenizer import EOS, PAD, Coder, Policy, RoundtripError


def rows_of(label: str) -> list[str]:
    selected = ladder.select(label)
    targets = pools.draw(selected.spec)
    return [r.text for stage in selected.rung.stages() for r in corpus.stage_rows(selected, stage, targets)]


@pytest.fixture(scope="module", params=["spec12/r17", "spec16/r11"])
def trained(request):
    spec = ladder.select(request.param).spec
    vocabulary = surfaces.load(spec.surface).vocabulary(spec.families)
    rows = rows_of(request.param)
    return tokenizer.train(rows, Policy(vocabulary.tags, vocabulary.prefixes)), rows, vocabulary


def test_every_row_comes_back(trained):
    coder, rows, _ = trained
    facts = tokenizer.roundtrip(coder, rows)
    assert facts["rows"] == len(rows) and facts["longest_row"] < 300 and facts["vocabulary"] <= 1024


def test_a_structural_tag_costs_one_token(trained):
    coder, _, vocabulary = trained
    for tag in vocabulary.tags:
        assert len(coder.encode(f" {tag}")) == 1, tag
        assert len(coder.encode(f"[task:svg] {tag} {tag}")) == 3, tag


@settings(max_examples=200, deadline=None)
@given(text=st.text())
def test_any_utf8_text_comes_back(trained, text):
    coder, *_ = trained
    assert coder.decode(coder.encode(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n",
        "  [scene]  [scene]",
        "[scene][scene]",
        "e\u0301 \u00e9 \U0001f600 \x00\x7f",
        "[ref:nodes.start]",
        "a\r\nb\t",
        "<|endoftext|x",
        "\u202e",
    ],
)
def test_awkward_texts_come_back(trained, text):
    coder, *_ = trained
    assert coder.decode(coder.encode(text)) == text


def test_the_same_rows_give_the_same_bytes(trained):
    coder, rows, vocabulary = trained
    assert tokenizer.train(rows, Policy(vocabulary.tags, vocabulary.prefixes)).json() == coder.json()


@pytest.mark.parametrize("label", ["spec02/bootstrap", "spec03/hybrid", "spec12/spelled", "atomic/r1"])
def test_a_row_is_its_prompt_and_its_output_encoded_one_by_one(label):
    """So that either is encoded once, however many rows have it: the [OUT] between them is reserved, whatever else is."""
    selected = ladder.select(label)
    rows = [r.text for r in corpus.dev_rows(selected.spec, pools.draw(selected.spec))][:200]
    coder = coders.train(selected.tokenizer.kind, rows, policy_of(selected))
    for row in rows:
        asked, said = cut(row)
        assert coder.encode(asked) + coder.encode(said) == coder.encode(row)


def test_special_tokens_are_in_the_vocabulary_and_the_json_reloads(trained):
    coder, rows, _ = trained
    again = Coder.from_json(coder.json())
    assert (
        (again.eos, again.pad) == (coder.eos, coder.pad) == (coder.inner.token_to_id(EOS), coder.inner.token_to_id(PAD))
    )
    assert again.encode_many(rows[:50]) == coder.encode_many(rows[:50]) and again.size == coder.size
    assert max(max(ids) for ids in coder.encode_many(rows)) < coder.size


def test_ids_survive_transformers(trained, tmp_path):
    """Ids, not only text: a loader that swapped the pre-tokenizer would still give the text back."""
    transformers = pytest.importorskip("transformers")
    coder, rows, _ = trained
    for name, data in coder.files(512).items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "config.json").write_text('{"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}')
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    sample = [
        *rows[:: max(1, len(rows) // 300)],
        "prose, with 1234 numbers\u00e9",
        "  two  spaces\n\nlines",
        "it's [unknown:tag] don't",
    ]
    assert [theirs(t, add_special_tokens=False)["input_ids"] for t in sample] == coder.encode_many(sample)
    assert theirs.eos_token_id == coder.eos and theirs.pad_token_id == coder.pad and len(theirs) == coder.size
    assert theirs.decode(coder.encode(sample[0]), clean_up_tokenization_spaces=False) == sample[0]


def test_the_pretokenizer_is_qwen2s(trained):
    """llama.cpp has it as `pre = qwen2`; a custom split would match none of its types."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer

    coder, *_ = trained
    theirs = transformers.Qwen2Tokenizer(vocab={"<|endoftext|>": 0}, merges=[])
    inner = (
        Tokenizer.from_str(theirs.backend_tokenizer.to_str())
        if hasattr(theirs, "backend_tokenizer")
        else theirs._tokenizer
    )
    for text in ["[ref:nodes.l0_l1] it's 12345  x\n\n y", "\u00e9t\u00e9 [a] 'LL  ", "tabs\t\tand   spaces "]:
        assert [p for p, _ in coder.inner.pre_tokenizer.pre_tokenize_str(text)] == [
            p for p, _ in inner.pre_tokenizer.pre_tokenize_str(text)
        ]


def test_the_first_row_that_does_not_come_back_is_named():
    class Broken(Coder):
        def decode(self, ids):
            return super().decode(ids).replace("two", "tw0")

    rows = ["[task:svg] one [OUT] a", "[task:svg] two [OUT] b"]
    coder = tokenizer.train(rows, Policy(("[OUT]",)))
    with pytest.raises(RoundtripError, match=r"row 2 does not come back; at character 13 got '0 \[OUT\] b'"):
        tokenizer.roundtrip(Broken(coder.inner), rows)


@given(st.lists(st.text("aZ't\u00e9 \n3.[_\u00b2", max_size=12), max_size=6))
@settings(deadline=None)
def test_words_are_counted_as_the_pretokenizer_cuts_whole_pieces(pieces):
    """Pieces are taken apart before they are cut; no word may come out otherwise, or in another order."""
    cut = tokenizer.train(["[OUT] a"], Policy(("[OUT]",))).inner.pre_tokenizer
    plain = Counter(word for piece in pieces for word, _ in cut.pre_tokenize_str(piece))
    found = tokenizer._words(cut, pieces)
    assert found == plain and list(found) == list(plain)


@given(st.lists(st.text("ab[ ]", min_size=1, max_size=6), min_size=1), st.text("ab[ ]"))
@settings(deadline=None)
def test_the_longest_reserved_text_is_cut_out(texts, row):
    plain = re.compile("|".join(re.escape(t) for t in sorted(texts, key=len, reverse=True)))
    for depth in (0, tokenizer.DEEPEST - 1, tokenizer.DEEPEST):
        assert re.split(tokenizer._longest(texts, depth), row) == plain.split(row)


def test_reserved_texts_may_be_long_and_many():
    texts = ["a" * n for n in range(1, 800)]
    assert re.findall(tokenizer._longest(texts), "b".join(reversed(texts))) == texts[::-1]
