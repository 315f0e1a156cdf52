"""Checkpoints: one directory that `transformers` loads as it is, and from which training continues bit for bit.

    model.safetensors      weights, Hugging Face names of Qwen3ForCausalLM
    config.json            the architecture, every field written (defaults are traps)
    generation_config.json end and padding ids
    optimizer.safetensors  m_<name>, v_<name> (absent in a checkpoint that is only served)
    state.json             step, data cursors, random generator, hashes, envelope (instruction set, precision)
    manifest.json          sha256 and size of every other file, written last
    tokenizer files        given by the caller as bytes

A checkpoint is written beside its place, fsynced and renamed: a kill leaves the old state or the new one. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from cengine import loader
from cengine.model import Config

MANIFEST = "manifest.json"


class CheckpointError(ValueError):
    """A checkpoint that is damaged, incomplete or of another model."""


@dataclass(frozen=True)
class Checkpoint:
    """What a directory holds."""

    config: Config
    weights: dict[str, np.ndarray]
    moments: dict[str, np.ndarray] | None
    state: dict
    files: dict[str, bytes] = field(default_factory=dict)


def hf_config(config: Config, bos: int | None, eos: int | None, pad: int | None) -> dict:
    """config.json of Qwen3ForCausalLM, for transformers 4.x and 5.x and for converters."""
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": config.vocab,
        "hidden_size": config.d_model,
        "intermediate_size": config.d_ff,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "max_position_embeddings": config.ctx,
        "rms_norm_eps": config.norm_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "rope_theta": config.rope_theta,
        "rope_scaling": None,
        "hidden_act": "silu",
        "tie_word_embeddings": config.tied,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "use_sliding_window": False,
        "sliding_window": None,
        "max_window_layers": config.layers,
        "layer_types": ["full_attention"] * config.layers,
        "initializer_range": 0.02,
        "use_cache": True,
        "dtype": "float32",
        "torch_dtype": "float32",
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": pad,
    }


def config_from_hf(data: Mapping) -> Config:
    """The engine's Config from a Qwen3 config.json; refuses what the engine does not compute."""
    if data.get("model_type") != "qwen3" or data.get("attention_bias") or data.get("hidden_act", "silu") != "silu":
        raise CheckpointError(
            f"config.json: model_type {data.get('model_type')!r}; expected qwen3 with silu and no attention bias"
        )
    return Config(
        vocab=data["vocab_size"],
        layers=data["num_hidden_layers"],
        d_model=data["hidden_size"],
        d_ff=data["intermediate_size"],
        heads=data["num_attention_heads"],
        kv_heads=data["num_key_value_heads"],
        head_dim=data["head_dim"],
        ctx=data["max_position_embeddings"],
        rope_theta=data["rope_theta"],
        norm_eps=data["rms_norm_eps"],
        tied=data["tie_word_embeddings"],
    )


def weights_digest(weights: Mapping[str, np.ndarray]) -> str:
    """sha256 over names, shapes and bytes: the identity of a set of weights, whatever file holds them."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def envelope() -> dict[str, str]:
    """Where results are equal bit for bit: same instruction set, same precision. Threads and batch split do not matter."""
    return {"instruction_set": loader.current(), "precision": "fp32", "engine": loader.fingerprint()}


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def save(
    directory: str | Path,
    config: Config,
    weights: Mapping[str, np.ndarray],
    moments: Mapping[str, np.ndarray] | None = None,
    state: Mapping | None = None,
    files: Mapping[str, bytes] | None = None,
    bos: int | None = None,
    eos: int | None = None,
    pad: int | None = None,
) -> Path:
    """Write a checkpoint directory; refuses one that exists. Returns its path."""
    place = Path(directory).resolve()
    if place.exists():
        raise CheckpointError(f"checkpoint: {place} exists; a checkpoint is never overwritten, choose another name")
    contents = {
        "model.safetensors": save_tensors({n: np.ascontiguousarray(w) for n, w in weights.items()}, {"format": "pt"}),
        "config.json": _json(hf_config(config, bos, eos, pad)),
        "generation_config.json": _json(
            {"bos_token_id": bos, "eos_token_id": eos, "pad_token_id": pad, "do_sample": False}
        ),
        "state.json": _json({"weights_sha256": weights_digest(weights), "envelope": envelope(), **(state or {})}),
    }
    if moments is not None:
        contents["optimizer.safetensors"] = save_tensors({n: np.ascontiguousarray(m) for n, m in moments.items()})
    for name, data in (files or {}).items():
        if name in contents or name == MANIFEST or Path(name).name != name:
            raise CheckpointError(
                f"checkpoint: extra file {name!r}; expected a plain file name that is not one of {sorted(contents)}"
            )
        contents[name] = data
    contents[MANIFEST] = _json(
        {n: {"sha256": hashlib.sha256(d).hexdigest(), "bytes": len(d)} for n, d in contents.items()}
    )
    write_directory(place, contents)
    return place


def write_directory(place: Path, contents: Mapping[str, bytes]) -> None:
    """Write files beside `place`, fsync each and the folder, rename into place, fsync the parent. Left-overs of a kill are removed."""
    place.parent.mkdir(parents=True, exist_ok=True)
    for stale in place.parent.glob(f".{place.name}.part-*"):
        shutil.rmtree(stale, ignore_errors=True)
    part = place.parent / f".{place.name}.part-{os.getpid()}"
    part.mkdir()
    for name, data in contents.items():
        with (part / name).open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    _sync_folder(part)
    part.rename(place)
    _sync_folder(place.parent)


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(directory: str | Path) -> dict[str, bytes]:
    """Every file of a checkpoint, each checked against the manifest. Raises CheckpointError naming the file that is wrong."""
    place = Path(directory)
    if not (place / MANIFEST).is_file():
        raise CheckpointError(
            f"checkpoint: {place} has no {MANIFEST}; it is not a checkpoint, or its writing was cut off"
        )
    manifest = json.loads((place / MANIFEST).read_bytes())
    contents = {}
    for name, entry in manifest.items():
        if Path(name).name != name:
            raise CheckpointError(f"checkpoint: {MANIFEST} names {name!r}; expected plain file names")
        path = place / name
        data = path.read_bytes() if path.is_file() else None
        if data is None:
            raise CheckpointError(f"checkpoint: {path} is missing")
        if len(data) != entry["bytes"] or hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise CheckpointError(f"checkpoint: {path} is damaged: its sha256 is not the one in {MANIFEST}")
        contents[name] = data
    return contents


def load(directory: str | Path) -> Checkpoint:
    """Read and check a checkpoint: manifest, weights digest, and every parameter with the shape that config.json asks for."""
    contents = read(directory)
    config = config_from_hf(json.loads(contents["config.json"]))
    weights = load_tensors(contents["model.safetensors"])
    state = json.loads(contents["state.json"])
    expected = config.parameters()
    wrong = [
        n
        for n in set(expected) | set(weights)
        if n not in weights or n not in expected or weights[n].shape != expected[n]
    ]
    if wrong:
        raise CheckpointError(
            f"checkpoint: {directory} does not hold the model of its config.json; wrong or missing: {sorted(wrong)[:5]}"
        )
    if weights_digest(weights) != state.get("weights_sha256"):
        raise CheckpointError(f"checkpoint: weights of {directory} are not those its state.json was written with")
    moments = load_tensors(contents["optimizer.safetensors"]) if "optimizer.safetensors" in contents else None
    own = {"model.safetensors", "config.json", "generation_config.json", "state.json", "optimizer.safetensors"}
    return Checkpoint(config, weights, moments, state, {n: d for n, d in contents.items() if n not in own})


def check_envelope(state: Mapping, allow_other: bool = False) -> None:
    """Refuse to continue where the same bits cannot be promised, unless told to."""
    there, here = state.get("envelope", {}), envelope()
    differ = {k: (there.get(k), here[k]) for k in here if there.get(k) != here[k]}
    if differ and not allow_other:
        what = "; ".join(f"{k}: checkpoint {a!r}, here {b!r}" for k, (a, b) in differ.items())
        raise CheckpointError(
            f"resume: the result would not be the same bits ({what}); pass allow_other_envelope to continue anyway"
        )
