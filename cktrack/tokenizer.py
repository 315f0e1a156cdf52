"""`cktrack tokenizer audit`: what is wrong or odd about the tokenizer of a rung or of a corpus. Nothing is trained but the tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cktrack.console import Console
from cktrack.option import Json
from cktrack.show import document

app = typer.Typer(help="Tokenizers of rungs and corpora.", no_args_is_help=True)
COLOURS = {"fail": "red", "warn": "yellow", "pass": "green"}


@app.callback()
def group() -> None:
    """Tokenizers of rungs and corpora."""


@app.command("audit")
def audit_command(
    what: Annotated[str, typer.Argument(help="SPEC/RUNG, or the YAML of a corpus")],
    json_: Json = False,
) -> None:
    """Audit a tokenizer on the rows that it is for. Exits 1 if a finding is a failure."""
    found = of_corpus(Path(what)) if what.endswith((".yaml", ".yml")) else of_rung(what)
    if json_:
        document(found)
    else:
        show(what, found)
    if found["verdict"] == "fail":
        raise typer.Exit(1)


def of_corpus(file: Path) -> dict[str, Any]:
    """The audit of a corpus, by the path of its YAML."""
    from experiments.userdata import study

    return study.audit(study.prepare(file))


def of_rung(label: str) -> dict[str, Any]:
    """The audit of a rung on its training rows, held-out rows and probes."""
    from cktrack import ladder
    from experiments.prepared import Prepared

    return Prepared(ladder.select(label)).audit


def show(title: str, found: Mapping[str, Any]) -> None:
    """The figures of every look, then the findings."""
    fit, kinds = found["fit"], found["vocabulary"]["kinds"]
    table = Table("look", "found", title=f"tokenizer of {title}: {found['size']} tokens", box=None, pad_edge=False)
    table.add_row("rows that come back", f"{found['roundtrip']['exact']} of {found['roundtrip']['rows']}")
    table.add_row("tags of one token", f"{found['tags']['covered']} of {found['tags']['expected']}")
    table.add_row(
        "tokens a row", f"median {fit['p50']}, p95 {fit['p95']}, longest {fit['longest']} of ctx {fit['ctx']}"
    )
    table.add_row(
        "characters beyond ASCII",
        f"{found['ascii']['distinct']}, {found['ascii']['unmapped']} of them without an ASCII spelling",
    )
    table.add_row("vocabulary", ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in kinds.items()))
    out = Console()
    out.print(table)
    for finding in found["findings"]:
        colour, told = COLOURS[finding["severity"]], escape(finding["message"])
        out.print(
            f"[{colour}]{finding['severity']}[/{colour}] {finding['code']}: {told}", highlight=False, soft_wrap=True
        )
    out.print(f"verdict: [{COLOURS[found['verdict']]}]{found['verdict']}", highlight=False)
