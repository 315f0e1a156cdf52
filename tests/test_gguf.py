"""A GGUF file holds the weights bit for bit and says all that llama.cpp would guess; and llama.cpp, where it is installed, says what we say."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from cengine import checkpoint
from cengine.decode import Decoder
from cengine.model import Config, initial
from cktrack import export, gguf, llama
from experiments import tokenizer

ROWS = ["[task:svg] draw a small tree [OUT]", "a cat sat on 12 mats, didn't it?", " [scene] ünï [leaf]\n\nend"] * 3
CODER = tokenizer.train(ROWS, tokenizer.Policy((" [scene]", "[leaf]", "[OUT]"), vocab=300))
SHAPES = {
    "tied": Config(CODER.size + 3, 2, 64, 96, 4, 2, 24, 96, rope_theta=1e4),
    "untied": Config(CODER.size, 1, 32, 64, 2, 1, 8, 64, tied=False, norm_eps=1e-5),
}
needs_llama = pytest.mark.skipif(llama.available() is not None, reason=str(llama.available()))


@pytest.fixture(params=SHAPES)
def config(request) -> Config:
    return SHAPES[request.param]


@pytest.fixture
def weights(config):
    return initial(config, 3, "normal", 0.1)


def entries(config: Config) -> list:
    return gguf.architecture(config, "test") + gguf.tokenizer(config, CODER.json(), CODER.eos, CODER.pad)


class Reader:
    """The file as the format's description reads it; shares nothing with the writer."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        assert self.take("4s") == b"GGUF" and self.take("I") == 3
        tensors, keys = self.take("Q"), self.take("Q")
        self.keys = {self.text(): self.value(self.take("I")) for _ in range(keys)}
        infos = []
        for _ in range(tensors):
            name, sizes = self.text(), self.take("I")
            infos.append((name, [self.take("Q") for _ in range(sizes)], self.take("I"), self.take("Q")))
        align = self.keys["general.alignment"]
        begin = -(-self.at // align) * align
        self.tensors = {}
        for name, sizes, kind, offset in infos:
            assert kind == 0 and offset % align == 0
            count = int(np.prod(sizes))
            self.tensors[name] = np.frombuffer(data, "<f4", count, begin + offset).reshape(sizes[::-1])

    def take(self, form: str):
        (value,) = struct.unpack_from(f"<{form}", self.data, self.at)
        self.at += struct.calcsize(f"<{form}")
        return value

    def text(self) -> str:
        return self.take(f"{self.take('Q')}s").decode()

    def value(self, kind: int):
        if kind == 9:
            inner, count = self.take("I"), self.take("Q")
            return [self.value(inner) for _ in range(count)]
        return self.text() if kind == 8 else self.take({4: "I", 5: "i", 6: "f", 7: "?"}[kind])


def test_every_weight_is_there_with_its_bits_and_its_name(config, weights):
    found = Reader(gguf.file(config, weights, entries(config))).tensors
    assert len(found) == len(weights)
    assert all(found[gguf.tensor_name(n)].tobytes() == w.tobytes() for n, w in weights.items())
    assert all(found[gguf.tensor_name(n)].shape == w.shape for n, w in weights.items())
    expected = {"token_embd", "output_norm", "blk.0.attn_q_norm", "blk.0.ffn_norm", "blk.0.attn_output"}
    expected = {f"{name}.weight" for name in expected}
    assert expected <= set(found) and ("output.weight" in found) != config.tied


def test_what_llama_cpp_would_guess_is_said(config, weights):
    keys = Reader(gguf.file(config, weights, entries(config))).keys
    assert keys["general.architecture"] == "qwen3"
    assert keys["qwen3.rope.freq_base"] == config.rope_theta
    assert keys["qwen3.attention.key_length"] == keys["qwen3.attention.value_length"] == config.head_dim
    assert keys["qwen3.attention.layer_norm_rms_epsilon"] == np.float32(config.norm_eps)
    assert keys["tokenizer.ggml.eos_token_id"] == CODER.eos and keys["tokenizer.ggml.padding_token_id"] == CODER.pad
    assert keys["tokenizer.ggml.add_bos_token"] is False and keys["tokenizer.ggml.pre"] == "qwen2"
    tokens, kinds = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"]
    assert len(tokens) == len(kinds) == config.vocab and len(set(tokens)) == config.vocab
    assert [kinds[CODER.inner.token_to_id(t)] for t in (tokenizer.EOS, " [leaf]", "a")] == [3, 4, 1]


def test_another_reader_finds_the_same(config, weights, tmp_path):
    reader = pytest.importorskip("gguf", reason="the package gguf is not installed (pip install gguf)")
    (tmp_path / "m.gguf").write_bytes(gguf.file(config, weights, entries(config)))
    found = reader.GGUFReader(tmp_path / "m.gguf")
    assert {t.name: t.data.tobytes() for t in found.tensors} == {gguf.tensor_name(n): w.tobytes() for n, w in weights.items()}  # fmt: skip


@needs_llama
def test_llama_cpp_computes_the_logits_and_says_the_ids(config, weights, tmp_path):
    """A wrong name, rotation, tie, base or epsilon would show here; so it is a fair opponent."""
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf.file(config, weights, entries(config)))
    theirs, ours = llama.Greedy(path, 1, config.ctx, 1), Decoder(config, weights, slots=1)
    ids = [int(i) for i in np.random.default_rng(0).integers(0, CODER.size, 40)]
    expected = ours.forward(ids, [0] * 40, range(40))[-1].copy()
    assert np.abs(theirs.feed(np.array([ids], np.int32), 0)[0] - expected).max() < 1e-5 * np.abs(expected).max() + 1e-5
    assert theirs.generate([ids], 20)[0].tolist() == ours.generate([ids], 20, None)[0].ids


@needs_llama
def test_many_prompts_at_once_say_what_each_says_alone(tmp_path):
    config = SHAPES["tied"]
    weights = initial(config, 3, "normal", 0.1)
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf.file(config, weights, [*gguf.architecture(config, "x"), *gguf.no_tokenizer()]))
    asked = np.random.default_rng(1).integers(0, config.vocab, (5, 9)).tolist()
    found = llama.Greedy(path, 5, 40, 1).generate(asked, 15).tolist()
    assert found == [a.ids for a in Decoder(config, weights, slots=5).generate(asked, 15, None)]


@needs_llama
def test_llama_cpp_cuts_texts_into_our_ids(weights, config, tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf.file(config, weights, entries(config)))
    theirs = llama.Greedy(path, 1, 32, 1)
    for text in [*ROWS[:3], "x  y\n z [leaf] [scene] 3.14 naïve", "[task:svg] [OUT]"]:
        assert theirs.tokenize(text) == CODER.encode(text), text


def test_a_checkpoint_is_exported_and_one_without_a_tokenizer_is_refused(config, weights, tmp_path):
    files = {"tokenizer.json": CODER.json().encode()}
    saved = checkpoint.save(tmp_path / "whole", config, weights, None, None, files, eos=CODER.eos, pad=CODER.pad)
    place, sizes = export.export(str(saved), "gguf", out=str(tmp_path / "out"))
    assert set(sizes) == {"model.gguf"} and Reader((place / "model.gguf").read_bytes()).keys["qwen3.block_count"] == config.layers  # fmt: skip
    bare = checkpoint.save(tmp_path / "bare", config, weights, None, None, {}, eos=CODER.eos)
    with pytest.raises(ValueError, match="no tokenizer or no end token"):
        export.export(str(bare), "gguf", out=str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: {**t, "model": {**t["model"], "type": "WordPiece"}}, "type 'WordPiece'; expected byte-level BPE"),
        (lambda t: {**t, "normalizer": {"type": "NFC"}}, "without a normalizer"),
        (lambda t: {**t, "added_tokens": [*t["added_tokens"], {"id": 9999, "content": "x", "special": False}]}, "up to 9999"),
    ],
)  # fmt: skip
def test_a_tokenizer_that_llama_cpp_would_read_otherwise_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        gguf.tokenizer(SHAPES["tied"], json.dumps(change(json.loads(CODER.json()))), CODER.eos, CODER.pad)
