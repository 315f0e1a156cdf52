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

import errno
import fcntl
import glob
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from cengine import loader
from cengine.model import Config

MANIFEST = "manifest.json"
REQUIRED = ("config.json", "model.safetensors", "state.json")
AGAIN = "restore the folder from a copy, or save the checkpoint again"
SIZES = {  # of Config -> of config.json; whole numbers
    "vocab": "vocab_size",
    "layers": "num_hidden_layers",
    "d_model": "hidden_size",
    "d_ff": "intermediate_size",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "ctx": "max_position_embeddings",
}


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
        **{theirs: getattr(config, ours) for ours, theirs in SIZES.items()},
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


def config_from_hf(data: Mapping, where: str = "config.json") -> Config:
    """The engine's Config from a Qwen3 config.json. Raises CheckpointError with every key that the engine does not compute, or that
    is missing or no number; `where` names the file.
    """
    thetas = _thetas(data)
    faults = [*_unsupported(data), *_unreadable(data)]
    if len(thetas) > 1:
        faults.append(f"rope_theta: got {' and '.join(map(str, sorted(thetas)))}, expected one value")
    if faults:
        raise CheckpointError(
            f"{where}: {'; '.join(faults)}; the engine computes Qwen3 with plain rotary embedding, full attention and no biases"
        )
    sizes = {ours: data[theirs] for ours, theirs in SIZES.items()}
    try:
        return Config(**sizes, rope_theta=thetas.pop(), norm_eps=data["rms_norm_eps"], tied=data["tie_word_embeddings"])
    except ValueError as error:
        raise CheckpointError(f"{where}: {error}") from error


def _ropes(data: Mapping) -> dict[str, object]:
    """What a config says about rotary embedding, under the names of transformers 5 and 4."""
    return {k: data[k] for k in ("rope_parameters", "rope_scaling") if data.get(k) is not None}


def _thetas(data: Mapping) -> set:
    """Every base that a config gives for the rotary embedding; it should be one number."""
    places = [data, *(rope for rope in _ropes(data).values() if isinstance(rope, Mapping))]
    return {t for place in places if _is_number(t := place.get("rope_theta"))}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unsupported(data: Mapping) -> Iterator[str]:
    """What a config asks for and the engine does not compute."""
    if data.get("model_type") != "qwen3":
        yield f"model_type: got {data.get('model_type')!r}, expected 'qwen3'"
    if data.get("hidden_act", "silu") != "silu":
        yield f"hidden_act: got {data['hidden_act']!r}, expected 'silu'"
    for key in ("attention_bias", "mlp_bias", "use_sliding_window"):
        if data.get(key):
            yield f"{key}: got {data[key]!r}, expected false"
    layers = data.get("layer_types") or []
    if not isinstance(layers, list) or any(kind != "full_attention" for kind in layers):
        yield f"layer_types: got {layers!r}, expected full_attention alone"
    if data.get("partial_rotary_factor") not in (None, 1, 1.0):
        yield f"partial_rotary_factor: got {data['partial_rotary_factor']!r}, expected 1.0"
    for key, rope in _ropes(data).items():
        if not isinstance(rope, Mapping):
            yield f"{key}: got {rope!r}, expected a mapping"
            continue
        for name, value in rope.items():
            if name in ("rope_type", "type") and value != "default":
                yield f"{key}.{name}: got {value!r}, expected 'default'"
            elif isinstance(value, Mapping) or (name == "partial_rotary_factor" and value != 1):
                yield f"{key}.{name}: got {value!r}, expected one rotary embedding of all lanes"


def _unreadable(data: Mapping) -> Iterator[str]:
    """Keys that are missing or of another type: a default would be a trap."""
    got = {key: repr(data[key]) if key in data else "nothing" for key in (*SIZES.values(), "rms_norm_eps")}
    for key in SIZES.values():
        if not isinstance(data.get(key), int) or isinstance(data.get(key), bool):
            yield f"{key}: got {got[key]}, expected a whole number"
    if not _is_number(data.get("rms_norm_eps")):
        yield f"rms_norm_eps: got {got['rms_norm_eps']}, expected a number"
    if not isinstance(data.get("tie_word_embeddings"), bool):
        yield f"tie_word_embeddings: got {data.get('tie_word_embeddings', 'nothing')}, expected true or false"
    if not _thetas(data):
        yield f"rope_theta: got {data.get('rope_theta', 'nothing')}, expected a number"


def weights_digest(weights: Mapping[str, np.ndarray]) -> str:
    """sha256 over names, shapes and bytes: the identity of a set of weights, whatever file holds them."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def envelope(precision: str = "fp32") -> dict[str, str]:
    """Where results are equal bit for bit: same instruction set, same precision. Threads and batch split do not matter."""
    return {"instruction_set": loader.current(), "precision": precision, "engine": loader.fingerprint()}


def trained_in(state: Mapping) -> str:
    """Where a checkpoint was trained, as a person reads it: `avx512 fp32`, behind those from which it crossed over."""
    parts = [*(c["from"] for c in state.get("crossed", [])), state.get("envelope", {})]
    names = [f"{e.get('instruction_set', 'unknown')} {e.get('precision', 'fp32')}" for e in parts]
    return ", then ".join(names)


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
    precision: str = "fp32",
) -> Path:
    """Write a checkpoint directory; refuses one that exists. Returns its path. `precision` is that of the training."""
    place = Path(directory).resolve()
    if place.exists():
        raise CheckpointError(f"checkpoint: {place} exists; a checkpoint is never overwritten, choose another name")
    contents = {
        "model.safetensors": save_tensors({n: np.ascontiguousarray(w) for n, w in weights.items()}, {"format": "pt"}),
        "config.json": _json(hf_config(config, bos, eos, pad)),
        "generation_config.json": _json(
            {"bos_token_id": bos, "eos_token_id": eos, "pad_token_id": pad, "do_sample": False}
        ),
        "state.json": _json(
            {"weights_sha256": weights_digest(weights), "envelope": envelope(precision), **(state or {})}
        ),
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
    """Write files beside `place`, fsync each and the folder, rename into place, fsync the parent.

    What a killed writer of this name left behind is removed first; a live one's folder is locked, and left alone. Raises
    CheckpointError if another writer was faster; a failure leaves nothing.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    _sweep(place)
    part, handle = _claim(place)
    try:
        for name, data in contents.items():
            with (part / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        os.fsync(handle)
        part.rename(place)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            raise CheckpointError(
                f"checkpoint: {place} exists now; a checkpoint is never overwritten, choose another name"
            ) from error
        raise
    finally:
        os.close(handle)
    _sync_folder(place.parent)


def _claim(place: Path) -> tuple[Path, int]:
    """A new folder beside `place`, and the handle whose lock says for as long as it is open that its writer lives."""
    while True:
        part = place.parent / f".{place.name}.part-{os.getpid()}-{secrets.token_hex(4)}"
        part.mkdir()
        try:
            handle = os.open(part, os.O_RDONLY)
        except FileNotFoundError:  # swept before it was locked
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            return part, handle  # a file system without locks; there, nobody sweeps either
        if part.exists():
            return part, handle
        os.close(handle)


def _sweep(place: Path) -> None:
    """Remove what writers of this name left that live no more: their folders are not locked."""
    for stale in place.parent.glob(f".{glob.escape(place.name)}.part-*"):
        try:
            handle = os.open(stale, os.O_RDONLY)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(stale, ignore_errors=True)
        except OSError:
            pass
        finally:
            os.close(handle)


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _object(path: Path, data: bytes) -> dict:
    """The JSON object of a file's bytes."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"checkpoint: {path} is no JSON ({error}); {AGAIN}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"checkpoint: {path} holds a {type(value).__name__}, expected a JSON object; {AGAIN}")
    return value


def _tensors(path: Path, data: bytes) -> dict[str, np.ndarray]:
    """The tensors of a file's bytes."""
    try:
        return load_tensors(data)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"checkpoint: {path} holds no tensors that NumPy reads ({error}); {AGAIN}") from error


def _manifest(place: Path) -> dict[str, dict]:
    """What the manifest lists: for each file {"sha256": hex digits, "bytes": size}."""
    path = place / MANIFEST
    if not path.is_file():
        raise CheckpointError(
            f"checkpoint: {place} has no {MANIFEST}; it is not a checkpoint, or its writing was cut off"
        )
    manifest = _object(path, path.read_bytes())
    for name, entry in manifest.items():
        if Path(name).name != name:
            raise CheckpointError(f"checkpoint: {path} names {name!r}, expected plain file names; {AGAIN}")
        if not isinstance(entry, dict) or not {"sha256", "bytes"} <= set(entry):
            raise CheckpointError(f"checkpoint: {path}: {name}: got {entry!r}, expected sha256 and bytes; {AGAIN}")
    if missing := [name for name in REQUIRED if name not in manifest]:
        raise CheckpointError(f"checkpoint: {path} does not list {', '.join(missing)}; {AGAIN}")
    return manifest


def read(directory: str | Path) -> dict[str, bytes]:
    """Every file of a checkpoint, each checked against the manifest. Raises CheckpointError naming the file that is wrong."""
    place = Path(directory)
    contents = {}
    for name, entry in _manifest(place).items():
        path = place / name
        if not path.is_file():
            raise CheckpointError(f"checkpoint: {path} is missing; {AGAIN}")
        data = path.read_bytes()
        if len(data) != entry["bytes"] or hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise CheckpointError(f"checkpoint: {path} is damaged: its sha256 is not the one in {MANIFEST}; {AGAIN}")
        contents[name] = data
    return contents


def _differ(found: Mapping[str, np.ndarray], expected: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Names that are missing, too many, of another shape, or no float32."""
    return sorted(
        n
        for n in set(expected) | set(found)
        if n not in found or n not in expected or found[n].shape != expected[n] or found[n].dtype != np.float32
    )


def load(directory: str | Path) -> Checkpoint:
    """Read and check a checkpoint: manifest, weights digest, and every float32 tensor with the shape that config.json asks for.

    Raises CheckpointError that names the file, and says what was expected of it.
    """
    place, contents = Path(directory), read(directory)
    config = config_from_hf(
        _object(place / "config.json", contents["config.json"]), f"checkpoint: {place / 'config.json'}"
    )
    weights = _tensors(place / "model.safetensors", contents["model.safetensors"])
    state = _object(place / "state.json", contents["state.json"])
    expected = config.parameters()
    if wrong := _differ(weights, expected):
        raise CheckpointError(
            f"checkpoint: {place / 'model.safetensors'} does not hold the float32 model of its config.json; wrong or missing: {wrong[:5]}"
        )
    if weights_digest(weights) != state.get("weights_sha256"):
        raise CheckpointError(f"checkpoint: weights of {place} are not those its state.json was written with; {AGAIN}")
    moments = None
    if "optimizer.safetensors" in contents:
        moments = _tensors(place / "optimizer.safetensors", contents["optimizer.safetensors"])
        if wrong := _differ(moments, {f"{k}_{n}": shape for n, shape in expected.items() for k in "mv"}):
            raise CheckpointError(
                f"checkpoint: {place / 'optimizer.safetensors'} does not hold the moments of its model; wrong or missing: {wrong[:5]}"
            )
    own = {"model.safetensors", "config.json", "generation_config.json", "state.json", "optimizer.safetensors"}
    return Checkpoint(config, weights, moments, state, {n: d for n, d in contents.items() if n not in own})


def check_envelope(state: Mapping, allow_other: bool = False, precision: str = "fp32") -> None:
    """Refuse to continue where the same bits cannot be promised, unless told to."""
    there, here = state.get("envelope", {}), envelope(precision)
    differ = {k: (there.get(k), here[k]) for k in here if there.get(k) != here[k]}
    if differ and not allow_other:
        what = "; ".join(f"{k}: checkpoint {a!r}, here {b!r}" for k, (a, b) in differ.items())
        raise CheckpointError(
            f"resume: the result would not be the same bits ({what}); --across goes on from it anyway"
        )
