"""`cktrack preflight`: every check that a rung must pass before it is trained. What is checked, `experiments/preflight` knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cktrack.console import Console
from cktrack.option import Json, Threads, Torch, of_run
from cktrack.show import document

if TYPE_CHECKING:
    from experiments.preflight import Place
    from experiments.prepared import Prepared
    from experiments.run import Options

COLOURS = {"PASS": "green", "FAIL": "red", "NOT_RUN": "yellow"}


def command(
    rung: Annotated[str, typer.Argument(help="SPEC/RUNG, for example spec12/r17")],
    threads: Threads = 0,
    torch: Torch = True,
    json_: Json = False,
) -> None:
    """Check all that can be known of a rung before it is trained. Exits 1 unless every check passes; logs nothing."""
    from cktrack import ladder
    from experiments import preflight
    from experiments.prepared import Prepared
    from experiments.run import in_force

    options = of_run(threads, torch=torch)
    findings = preflight.inspect(Prepared(in_force(ladder.select(rung), options)), place_of(options))
    passed = not any(f.blocks for f in findings)
    if json_:
        shown = [preflight.as_dict(f) for f in findings]
        document({"rung": rung, "passed": passed, "checks": shown})
    else:
        show(rung, findings)
    if not passed:
        raise typer.Exit(1)


def place_of(options: Options) -> Place:
    """Where a run with these options is kept."""
    from cktrack import home
    from experiments.preflight import Place

    return Place(home.runs(), home.cache() / "preflight", options.parity_cache, options.torch, options.threads)


def demand(prepared: Prepared, options: Options, console: Console) -> list[dict[str, Any]]:
    """The findings of the checks that a run does not make itself; raises PreflightError unless all of them pass."""
    from experiments import preflight

    findings = preflight.inspect(prepared, place_of(options), ("cheap", "once"))
    preflight.require(findings, prepared.selected.label)
    console.print(f"{prepared.selected.label}: preflight: {len(findings)} checks passed", highlight=False)
    return [preflight.as_dict(f) for f in findings]


def show(rung: str, findings: Sequence[Any]) -> None:
    """A line for each check, then what was expected where it does not pass."""
    table = Table("check", "", "got", title=f"preflight of {rung}", box=None, pad_edge=False)
    for found in findings:
        status = f"[{COLOURS[found.status]}]{found.status}[/]" + (" (kept)" if found.cached else "")
        table.add_row(found.name, status, escape(found.got))
    out = Console()
    out.print(table)
    for found in (f for f in findings if f.blocks):
        out.print(f"[red]{found.name}[/red]: expected {escape(found.expected)}", highlight=False, soft_wrap=True)
