"""Export: a checkpoint as C that needs no Python and no engine, as the folder that `transformers` loads, or as llama.cpp's one file.

What to export is named as a checkpoint folder, a run folder, a run id, NAME/VERSION or NAME@ALIAS. Every file is checked against the
checkpoint's manifest first, and an export is written beside its place and renamed, so that it is whole or absent.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cengine import checkpoint, emit
from cktrack import gguf

FORMATS, PRODUCTS = ("c", "hf", "gguf"), ("decode", "step")
EXPECTED = "expected a checkpoint folder, a run folder, a run id, NAME/VERSION or NAME@ALIAS"


@contextmanager
def found(what: str) -> Iterator[tuple[str, Path]]:
    """A label and the checkpoint folder of what is named; what the store keeps is fetched into a folder that goes away again."""
    place = Path(what)
    if place.is_dir():
        yield _here(place)
        return
    version = re.fullmatch(r"(?:models:/)?([^/@\s]+)(?:/(\d+)|@([\w.-]+))", what)
    if not version and not re.fullmatch(r"[0-9a-f]{32}", what):
        raise ValueError(f"export: got {what!r}, which is no folder here; {EXPECTED}")
    from cktrack.store import StoreError, open_store

    store = open_store()
    name, number = _version(store, *version.groups()) if version else _of_run(store, what)
    import mlflow

    with tempfile.TemporaryDirectory() as scratch:
        try:
            fetched = Path(mlflow.artifacts.download_artifacts(f"models:/{name}/{number}", dst_path=scratch))
        except (mlflow.MlflowException, OSError) as error:
            why = str(error).splitlines()[0][:200]
            raise StoreError(f"export: the files of {name} version {number} cannot be fetched: {why}") from error
        manifest = next(iter(sorted(fetched.rglob(checkpoint.MANIFEST))), None)
        if manifest is None:
            raise StoreError(f"export: {name} version {number} holds no checkpoint; was it registered by cktrack?")
        yield f"{name}-{number}", manifest.parent


def _here(place: Path) -> tuple[str, Path]:
    """A checkpoint folder, or the one in a run folder."""
    for folder in (place, place / "checkpoint"):
        if (folder / checkpoint.MANIFEST).is_file():
            whole = folder.resolve()
            return whole.parent.name if whole.name == "checkpoint" else whole.name, folder
    raise ValueError(f"export: {place} holds no {checkpoint.MANIFEST}, so it is no checkpoint; {EXPECTED}")


def _version(store, name: str, number: str | None, alias: str | None) -> tuple[str, str]:
    from mlflow.exceptions import MlflowException

    from cktrack.promote import names
    from cktrack.store import StoreError

    try:
        if number is not None:
            return name, str(store.client.get_model_version(name, number).version)
        return name, str(store.client.get_model_version_by_alias(name, alias).version)
    except MlflowException as error:
        asked = f"{name} version {number}" if number is not None else f"alias {alias!r} of {name}"
        raise StoreError(
            f"export: there is no {asked}; registered models: {', '.join(names(store)) or 'none (run `cktrack rung run` first)'}"
        ) from error


def _of_run(store, run_id: str) -> tuple[str, str]:
    """The newest version that a run registered."""
    from cktrack.store import StoreError

    versions = store.client.search_model_versions(f"run_id='{run_id}'")
    if not versions:
        raise StoreError(f"export: run {run_id} has registered no model; is it in {store.uri}, and did it finish?")
    newest = max(versions, key=lambda v: int(v.version))
    return str(newest.name), str(newest.version)


def _eos(config: bytes) -> int | None:
    eos = json.loads(config).get("eos_token_id")
    if eos is not None and not isinstance(eos, int):
        raise ValueError(f"export: config.json has eos_token_id {eos!r}; expected one token id or null")
    return eos


def _gguf(loaded: checkpoint.Checkpoint, config: dict) -> bytes:
    if "tokenizer.json" not in loaded.files or config.get("eos_token_id") is None:
        raise ValueError("export: the checkpoint has no tokenizer or no end token; llama.cpp would make up both")
    told = loaded.files["tokenizer.json"].decode(), config["eos_token_id"], config.get("pad_token_id")
    entries = gguf.architecture(loaded.config, "cktrack") + gguf.tokenizer(loaded.config, *told)
    return gguf.file(loaded.config, loaded.weights, entries)


def contents(folder: Path, kind: str, rows: int) -> dict[str, bytes]:
    """The files of an export by name. `kind` is what C computes, or the format."""
    files = checkpoint.read(folder)
    if kind == "hf":
        return {**files, checkpoint.MANIFEST: (folder / checkpoint.MANIFEST).read_bytes()}
    loaded = checkpoint.load(folder)
    if kind == "gguf":
        return {"model.gguf": _gguf(loaded, json.loads(files["config.json"]))}
    if kind == "step":
        text, weights = emit.training_step(loaded.config, rows, loaded.config.ctx), {"model", "optimizer"}
    else:
        text, weights = emit.decoder(loaded.config, _eos(files["config.json"])), {"model"}
    kept = {f"{name}.safetensors" for name in weights} & set(files)
    return {f"{kind}.c": text.encode(), **{n: files[n] for n in sorted({*kept, *loaded.files})}}


def _refuse(place: Path) -> None:
    if place.exists():
        raise ValueError(f"export: {place} exists; an export is never overwritten, choose another --out")


def check(format_: str, product: str, rows: int) -> None:
    """Refuse options that are none, or that do not go together."""
    for option, got, known in (("format", format_, FORMATS), ("what", product, ("", *PRODUCTS))):
        if got not in known:
            raise ValueError(f"--{option}: got {got!r}; expected {' or '.join(filter(None, known))}")
    if format_ != "c" and product:
        raise ValueError(f"--what: got {product!r} with --format {format_}; expected it with --format c alone")
    if not 0 <= rows <= 2**16:
        raise ValueError(f"--rows: got {rows}; expected 0 for one row, or 1 to {2**16} rows")
    if rows and product != "step":
        raise ValueError(f"--rows: got {rows}; expected it with --what step alone")


def export(what: str, format_: str, product: str = "", rows: int = 0, out: str = "") -> tuple[Path, dict[str, int]]:
    """Write an export; returns its folder and the size of each file in bytes. Refuses a folder that exists."""
    check(format_, product, rows)
    if out:
        _refuse(Path(out))
    with found(what) as (label, folder):
        kind = (product or PRODUCTS[0]) if format_ == "c" else format_
        place = Path(out or f"{label}-{kind}").resolve()
        _refuse(place)
        files = contents(folder, kind, rows or 1)
        checkpoint.write_directory(place, files)
    return place, {name: len(data) for name, data in files.items()}
