"""GGUF: a model as the one file that llama.cpp loads, in float32, with its tokenizer.

Written by hand from the format's description (github.com/ggml-org/ggml, docs/gguf.md, version 3): little-endian, a table of keys, a table
of tensors, then their data. What llama.cpp would silently guess is always said: the base of the rotary embedding, the size of a
head, the end token, that nothing is put before a text. It quantises nothing and reads nothing.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cengine.model import Config, check_shapes

ARCHITECTURE, ALIGN = "qwen3", 32
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9  # types of values
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5  # types of tokens
NAMES = {  # of a parameter in Hugging Face's words: in GGUF's
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "model.layers": "blk",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def tensor_name(name: str) -> str:
    for theirs, ours in NAMES.items():
        name = name.replace(f"{theirs}.", f"{ours}.", 1)
    return name


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(kind: int, value: Any) -> bytes:
    if kind == STRING:
        return _string(value)
    return struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[kind], value)


def _entry(key: str, kind: int, value: Any) -> bytes:
    """One row of the table of keys; a list is an array of its kind."""
    if isinstance(value, list):
        head = struct.pack("<IIQ", ARRAY, kind, len(value))
        return _string(key) + head + b"".join(_value(kind, v) for v in value)
    return _string(key) + struct.pack("<I", kind) + _value(kind, value)


def architecture(config: Config, name: str) -> list[tuple[str, int, Any]]:
    """(key, type, value) of what a reader must know of the model."""
    sizes = {
        "vocab_size": config.vocab,
        "block_count": config.layers,
        "context_length": config.ctx,
        "embedding_length": config.d_model,
        "feed_forward_length": config.d_ff,
        "attention.head_count": config.heads,
        "attention.head_count_kv": config.kv_heads,
        "attention.key_length": config.head_dim,
        "attention.value_length": config.head_dim,
        "rope.dimension_count": config.head_dim,
    }
    return [
        ("general.architecture", STRING, ARCHITECTURE),
        ("general.name", STRING, name),
        ("general.file_type", U32, 0),
        ("general.alignment", U32, ALIGN),
        *((f"{ARCHITECTURE}.{key}", U32, value) for key, value in sizes.items()),
        (f"{ARCHITECTURE}.attention.layer_norm_rms_epsilon", F32, config.norm_eps),
        (f"{ARCHITECTURE}.rope.freq_base", F32, config.rope_theta),
    ]


def tokenizer(config: Config, text: str, eos: int, pad: int | None) -> list[tuple[str, int, Any]]:
    """The same of a byte-level BPE tokenizer.json that cuts texts as Qwen2's does; reserved tags are no control tokens, or llama.cpp
    would leave them out of what it prints.

    Raises ValueError for another kind of tokenizer, or one that has more tokens than the model.
    """
    whole = json.loads(text)
    kind = whole.get("model", {}).get("type")
    if kind != "BPE" or whole.get("normalizer"):
        raise ValueError(f"gguf: got a tokenizer of type {kind!r}; expected byte-level BPE without a normalizer")
    ids = {token: int(number) for token, number in whole["model"]["vocab"].items()}
    kinds = dict.fromkeys(ids.values(), NORMAL)
    for added in whole["added_tokens"]:
        ids[added["content"]] = number = int(added["id"])
        kinds[number] = CONTROL if added["special"] else USER_DEFINED
    if max(kinds) >= config.vocab or eos not in kinds:
        raise ValueError(
            f"gguf: the tokenizer has ids up to {max(kinds)} and the end token is {eos}; expected both below {config.vocab}, the model's"
        )
    names = {number: token for token, number in ids.items()}
    merges = [m if isinstance(m, str) else " ".join(m) for m in whole["model"]["merges"]]
    special = {"bos": eos, "eos": eos, "padding": eos if pad is None else pad}
    return [
        ("tokenizer.ggml.model", STRING, "gpt2"),
        ("tokenizer.ggml.pre", STRING, "qwen2"),
        ("tokenizer.ggml.tokens", STRING, [names.get(i, f"[PAD{i}]") for i in range(config.vocab)]),
        ("tokenizer.ggml.token_type", I32, [kinds.get(i, UNUSED) for i in range(config.vocab)]),
        ("tokenizer.ggml.merges", STRING, merges),
        *((f"tokenizer.ggml.{name}_token_id", U32, number) for name, number in special.items()),
        *((f"tokenizer.ggml.{name}", BOOL, False) for name in ("add_bos_token", "add_eos_token", "add_space_prefix")),
    ]


def no_tokenizer() -> list[tuple[str, int, Any]]:
    """For a model that is asked in ids."""
    return [("tokenizer.ggml.model", STRING, "none")]


def file(config: Config, weights: Mapping[str, np.ndarray], entries: Sequence[tuple[str, int, Any]]) -> bytes:
    """The whole file. A tied head is an output.weight that is not there."""
    check_shapes(config, weights)
    data = {tensor_name(name): np.ascontiguousarray(weights[name], "<f4") for name in config.parameters()}
    head = b"GGUF" + struct.pack("<IQQ", 3, len(data), len(entries))
    head += b"".join(_entry(*entry) for entry in entries)
    at = 0
    for name, values in data.items():
        shape = values.shape[::-1]  # the size that runs fastest comes first
        head += _string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape) + struct.pack("<IQ", 0, at)
        at += values.nbytes + -values.nbytes % ALIGN
    parts = [head + bytes(-len(head) % ALIGN)]
    return b"".join(parts + [v.tobytes() + bytes(-v.nbytes % ALIGN) for v in data.values()])
