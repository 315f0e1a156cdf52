"""Benchmarks: every file of this folder is one, found by its name. What they share is here: the model's shape and the options.

A bench is a function `measure(rounds, ...)` that returns plain data: `contests` of contestants that took turns (`cktrack/contest.py`), and
the machine they ran on. One that is about a model takes `shape` and `threads` besides. Its further parameters are the command's own
options. Heavy imports happen inside, so that `--help` is quick. No bench is a test, and no test asserts a speed.
"""

from __future__ import annotations

import inspect
import json
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cengine.model import Config

Measure = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Shape:
    """The model that is measured; `cengine.model.Config` says what each size means, and refuses wrong ones."""

    layers: int = 3
    d_model: int = 192
    d_ff: int = 384
    heads: int = 8
    kv_heads: int = 4
    head_dim: int = 24
    ctx: int = 512
    vocab: int = 1088

    def config(self) -> Config:
        from cengine.model import Config

        return Config(**asdict(self))


SHAPES = {  # frozen: figures are only compared under one name
    "small": Shape(),
    "deep": Shape(layers=16, d_model=128, d_ff=512, heads=8, kv_heads=4, head_dim=16),
    "gpt2": Shape(layers=12, d_model=768, d_ff=2048, heads=12, kv_heads=12, head_dim=64, ctx=1024, vocab=50304),
}


def shape_of(name: str, sizes: Mapping[str, int | None]) -> Shape:
    """The named shape, with the sizes that were given in place of its own."""
    if name not in SHAPES:
        raise ValueError(f"--shape: got {name!r}; expected one of {', '.join(SHAPES)}")
    return replace(SHAPES[name], **{k: v for k, v in sizes.items() if v is not None})


def counts(name: str, text: str, words: str) -> list[int]:
    """Numbers of an option that takes several, each at least 1; `words` says of what."""
    numbers = []
    for part in str(text).split(","):
        digits = part.strip().removeprefix("-")
        if not digits.isdecimal():
            raise ValueError(f"bench: {name}={text!r}; expected whole numbers with commas, for example 1,4,16")
        if int(part) < 1:
            raise ValueError(f"bench: {name}={int(part)}; expected at least 1 {words}")
        numbers.append(int(part))
    return numbers


def at_least_one(name: str, value: int, words: str) -> int:
    if value < 1:
        raise ValueError(f"bench: {name}={value}; expected at least 1{words}")
    return value


def found() -> dict[str, Measure]:
    """Every bench by its name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: import_module(f"{__name__}.{name}").measure for name in names}


def add_commands(app: typer.Typer, threads: Any, as_json: Any) -> None:
    """A command for every bench that is found; the annotations of --threads and --json are the command line's own."""
    for name, measure in found().items():
        app.command(name)(_command(measure, threads, as_json))


def _command(measure: Measure, threads: Any, as_json: Any) -> Callable[..., None]:
    """The command of a bench: its own options, the model's shape where it is about one, and what every bench takes."""
    parameters = inspect.signature(measure, eval_str=True).parameters

    def run(**given: Any) -> None:
        if "shape" in parameters:
            given["shape"] = shape_of(given["shape"], {f.name: given.pop(f.name) for f in fields(Shape)})
        said, log, out = given.pop("json_"), given.pop("log"), given.pop("out")
        at_least_one("pairs", given["rounds"], " round (--rounds and --pairs are one option; 5 or more to quote)")
        if out and not Path(out).absolute().parent.is_dir():
            raise ValueError(f"--out: got {out!r}; expected a file in a folder that exists")
        store = None
        if log:
            from cktrack.store import open_store

            store = open_store()  # a store that cannot be opened is told before minutes are spent
        _deliver(measure(**given), said, store, out)

    kind = inspect.Parameter.KEYWORD_ONLY
    own = [p.replace(kind=kind) for p in parameters.values() if p.name not in ("shape", "rounds", "threads")]
    rounds = Annotated[int, typer.Option("--rounds", "--pairs", help="measured rounds; every contestant runs in each")]
    log = Annotated[bool, typer.Option("--log", help="log the result as an MLflow run in the experiment bench")]
    out = Annotated[str, typer.Option(help="write the result to this file, as docs/bench.json was")]
    named = Annotated[str, typer.Option(help=f"the model: {', '.join(SHAPES)}; sizes that are given replace its own")]
    shared: list[tuple[str, Any, Any]] = [("rounds", rounds, 7)]
    if "shape" in parameters:
        shared += [("shape", named, "small"), *((f.name, int | None, None) for f in fields(Shape))]
    shared += [("threads", threads, 0)] if "threads" in parameters else []
    shared += [("log", log, False), ("out", out, ""), ("json_", as_json, False)]
    every = own + [inspect.Parameter(n, kind, default=d, annotation=a) for n, a, d in shared]
    run.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in every}
    run.__doc__ = measure.__doc__
    return run


def _deliver(result: dict[str, Any], said: bool, store: Any, out: str) -> None:
    """To a file, to the store, and to whoever asked, who is told even if the store fails."""
    from cktrack import show

    if out:
        Path(out).write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    try:
        if store:
            from cktrack.publish_bench import publish_bench

            result["run_id"] = publish_bench(store, result)
    finally:
        if said:
            show.document(result)
        else:
            show.bench(result)
