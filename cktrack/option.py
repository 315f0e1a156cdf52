"""Options that several commands of the command line share, with the checks that refuse a wrong value at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from experiments.run import Options


def within(low: int, high: int, words: str) -> Callable[[typer.CallbackParam, int], int]:
    """A check for an option that takes whole numbers from `low` to `high`, which `words` describes."""

    def check(option: typer.CallbackParam, value: int) -> int:
        if not low <= value <= high:
            raise ValueError(f"--{str(option.name).replace('_', '-')}: got {value}; expected {words}")
        return value

    return check


def _threads(value: int) -> int:
    """Held to the engine's rule at once, with what CKTRACK_THREADS says where the option says nothing."""
    from cengine import loader

    loader.thread_count(value or None)
    return value


def families_of(names: Sequence[str] | None) -> list[str]:
    """The families that were named, or all of them. ValueError for a name that there is not."""
    from experiments import families

    for name in names or ():
        if name not in families.names():
            raise ValueError(f"family: got {name!r}; expected some of {', '.join(families.names())}")
    return list(names or families.names())


def nothing_drawn(name: str, refused: int = 0) -> str:
    """The fault of a family without a picture."""
    from experiments import families

    told = f", {refused} refused by rule" if refused else ""
    return f"{name}: got 0 pictures{told}; expected at least one; add a case to {families.folder(name) / 'cases'}"


def of_run(
    threads: int, *, seed: int = -1, scale: float = 1.0, torch: bool = True, precision: str = "rung", across: bool = False, guard: bool = False
) -> Options:  # fmt: skip
    """What a run is asked for, from the options of a command; its caches are those of the home."""
    from cktrack import home
    from experiments.run import Options

    return Options(
        seed=seed if seed >= 0 else None,
        scale=scale,
        threads=threads or None,
        parity_cache=home.cache() / "parity",
        unfinished=home.cache() / "unfinished",
        torch=torch,
        precision=None if precision == "rung" else precision,
        across=across,
        guard=guard or None,
    )


Families = Annotated[list[str] | None, typer.Argument(help="families; all by default", metavar="FAMILY...")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document on standard output")]
Threads = Annotated[
    int, typer.Option(help="threads; 0 takes every CPU. Results do not depend on it", callback=_threads)
]
Seed = Annotated[
    int,
    typer.Option(
        help="seed of weights and order; -1 takes the rung's",
        callback=within(-1, 2**64 - 1, "-1 for the rung's own, or 0 to 2^64 - 1"),
    ),
]
Scale = Annotated[float, typer.Option(help="multiplies every token budget")]
Precision = Annotated[
    str,
    typer.Option(
        help="operands of matrix products in training: fp32, bf16 (needs AMX), or rung: what it says, or else bf16 where there is AMX"
    ),
]
Torch = Annotated[bool, typer.Option("--torch/--no-torch", help="torch as second parity oracle, where installed")]
