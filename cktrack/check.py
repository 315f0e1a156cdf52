"""`cktrack check`: every picture that can be made of what is found, through the layout checker and the validator; and in a browser.

The whole takes minutes on one core: every case, in every theme, tone, density and background, in every legal count, and with every value of
every further style attribute. `--every 20` takes each twentieth look. `--browser` lets Chromium measure the glyphs.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from cktrack.console import Console
from cktrack.option import Families, Json, families_of, nothing_drawn
from cktrack.show import document

SHOWN = 12  # faults that are printed; --json has all


def command(
    names: Families = None,
    every: Annotated[int, typer.Option(help="take each Nth look of every case and count; 1 is all of them")] = 1,
    browser: Annotated[
        bool, typer.Option("--browser", help="measure texts in headless Chromium instead: every case at both extremes")
    ] = False,
    json_: Json = False,
) -> None:
    """Draw every case in every style and count, and check every picture. Exits 1 if one is not sound, or nothing is drawn of a family."""
    chosen = families_of(names)
    if every < 1:
        raise ValueError(f"--every: got {every}; expected at least 1")
    found = in_browser(chosen) if browser else sweep(chosen, every)
    if json_:
        document(found)
    else:
        show(found)
    if any(line["faults"] for line in found["families"].values()):
        raise typer.Exit(1)


def _drawn(name: str, line: dict[str, Any]) -> dict[str, Any]:
    """The line of a family, with a fault where nothing of it was drawn: its own if it cannot be loaded, or what it lacks."""
    from experiments import families

    if line["pictures"]:
        return line
    try:
        families.load(name)
        why = nothing_drawn(name, line["refused"])
    except ValueError as error:
        why = f"{name}: {error}"
    return {**line, "faults": [*line["faults"], why]}


def sweep(names: list[str], every: int = 1) -> dict[str, Any]:
    """Pictures, refusals and faults by family; `every` thins the looks and the further attributes alike."""
    from experiments import case
    from experiments.sweep import Tally, further, judge, looks

    lines: dict[str, Any] = {}
    for name in track(names, "checking", console=Console(stderr=True), transient=True):
        tally, begun = Tally(), time.perf_counter()
        for one in case.every(name):
            for shot in looks(one, every):
                judge(shot, tally)
            for shot in list(further(one))[::every]:
                judge(shot, tally)
        lines[name] = _drawn(name, {**vars(tally), "seconds": round(time.perf_counter() - begun, 2)})
    return {"check": "layout and validator", "every": every, "families": lines}


def in_browser(names: list[str]) -> dict[str, Any]:
    """The same of every case at both extremes of density, by the glyphs that Chromium lays out."""
    from cktrack import browser
    from experiments import case
    from experiments.sweep import extremes

    lines: dict[str, Any] = {}
    for name in track(names, "measuring", console=Console(stderr=True), transient=True):
        begun = time.perf_counter()
        shots = [shot for one in case.every(name) for shot in extremes(one)]
        faults = browser.faults([(str(shot), shot.compile()) for shot in shots]) if shots else []
        seconds = round(time.perf_counter() - begun, 2)
        lines[name] = _drawn(name, {"pictures": len(shots), "refused": 0, "faults": faults, "seconds": seconds})
    return {"check": f"glyphs in {browser.version()}", "every": 1, "families": lines}


def show(found: dict[str, Any]) -> None:
    """A line for each family, then what is not sound."""
    table = Table("family", title=f"{found['check']}", box=None, pad_edge=False)
    for heading in ("pictures", "refused by rule", "faults", "seconds"):
        table.add_column(heading, justify="right")
    lines = found["families"]
    for name, line in lines.items():
        table.add_row(
            name, f"{line['pictures']:,}", str(line["refused"]), str(len(line["faults"])), str(line["seconds"])
        )
    totals = [sum(line[key] for line in lines.values()) for key in ("pictures", "refused", "seconds")]
    faults = [fault for line in lines.values() for fault in line["faults"]]
    table.add_row("all", f"{totals[0]:,}", str(totals[1]), str(len(faults)), f"{totals[2]:.1f}", style="bold")
    out = Console()
    out.print(table)
    for fault in faults[:SHOWN]:
        out.print(escape(fault), highlight=False, soft_wrap=True)
    if len(faults) > SHOWN:
        out.print(f"... and {len(faults) - SHOWN} more; --json has all")
