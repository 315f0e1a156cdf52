"""`cktrack dataset`: a rung's rows, checked and counted, as tables, JSON or one page. What is checked and counted, `experiments` knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import markup
from rich.table import Table

from cktrack.console import Console
from cktrack.option import Json
from cktrack.show import document

CHECKED = ("covered", "curriculum_taught", "well_formed", "no_doubles", "no_contradictions", "held_apart")
CSS = """
:root{color-scheme:light dark;--line:#8884;--bar:#56aefc88}
body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}
table{border-collapse:collapse;margin:.4rem 0 1.6rem;display:block;overflow-x:auto}
th,td{padding:.25rem .7rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child,.text{text-align:left}h2{font-size:1.05rem;margin:1.6rem 0 .2rem}p{color:#888;margin:.2rem 0}
.bar{background:linear-gradient(var(--bar),var(--bar)) no-repeat left/var(--w) 100%}.FAIL{color:#d33}.PASS{color:#2a2}
"""
Rows = Sequence[Sequence[object]]


def command(
    rung: Annotated[str, typer.Argument(help="SPEC/RUNG, for example spec12/r17")],
    out: Annotated[
        Path | None, typer.Option("--out", help="write the whole profile as one page of HTML to this file")
    ] = None,
    json_: Json = False,
) -> None:
    """Check and count a rung's rows: lengths, tokens, surfaces, families, styles, variety, mixture. Exits 1 unless every check passes."""
    from cktrack import ladder
    from experiments import preflight
    from experiments.prepared import Prepared
    from experiments.profile import profile

    if out is not None and not out.absolute().parent.is_dir():
        raise ValueError(f"--out: got {out}, expected a file in a folder that is there")
    prepared = Prepared(ladder.select(rung))
    findings = [preflight.as_dict(f) for f in preflight.inspect(prepared, preflight.Place(), names=CHECKED)]
    found = {**profile(prepared), "checks": findings}
    if out is not None:
        out.write_text(page(found), encoding="utf-8")
    if json_:
        document(found)
    else:
        show(found)
    if any(f["status"] != "PASS" for f in findings):
        raise typer.Exit(1)


def tables(found: Mapping[str, Any]) -> Iterable[tuple[str, Sequence[str], Rows]]:
    """(title, columns, rows) of everything in a profile."""
    if "checks" in found:
        yield "Checks", ("check", "", "got"), [(f["name"], f["status"], f["got"]) for f in found["checks"]]
    columns = ("rows", "different", "prompts", "outputs")
    lengths = ("chars p50", "max", "tokens mean", "p95", "max")
    for title, part in (("Stages", found["stages"]), ("Prompt surfaces", found["surfaces"])):
        yield (
            title,
            (title.split()[-1].lower(), *columns, *lengths),
            [(name, *(t[c] for c in columns), *_lengths(t)) for name, t in part.items()],
        )
    yield (
        "Splits",
        ("split", "cases", "prompts", "outputs", "surfaces", "families"),
        [
            (name, s["cases"], s["prompts"], s["outputs"], _told(s["surfaces"]), len(s["families"]))
            for name, s in found["splits"].items()
        ],
    )
    names = ("family", "form", "rows", "outputs", "cases", "styles")
    yield "Families and forms", names, [tuple(row[n] or "-" for n in names) for row in found["families"]]
    yield (
        "Styles, different outputs",
        ("attribute", "values"),
        [(axis, _told(v)) for axis, v in found["styles"].items()],
    )
    grams = ("texts", "of", *(f"{kind}_{n}" for n in (1, 2, 3) for kind in ("different", "share")))
    yield (
        "Variety of words, pairs and triples",
        ("text", *(g.replace("_", " ") for g in grams)),
        [(name, *(v[g] for g in grams)) for name, v in found["variety"].items()],
    )
    for stage, part in found["mixture"].items():
        yield (
            f"Mixture of {stage}",
            ("surface", "declared", "rows", "budget"),
            [
                (name, *("-" if s[k] is None else f"{s[k]:.1%}" for k in ("declared", "rows", "budget")))
                for name, s in part.items()
            ],
        )


def _lengths(table: Mapping[str, Any]) -> tuple[object, ...]:
    characters, tokens = table["characters"], table["tokens"]
    return characters.get("p50"), characters.get("max"), tokens.get("mean"), tokens.get("p95"), tokens.get("max")


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def show(found: Mapping[str, Any]) -> None:
    """The profile on a terminal."""
    out = Console()
    out.print(headline(found), highlight=False, soft_wrap=True)
    for title, columns, rows in tables(found):
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for number, column in enumerate(columns):
            table.add_column(column, no_wrap=number == 0)
        for row in rows:
            table.add_row(*(markup.escape(str(cell)) for cell in row))
        out.print(table)


def headline(found: Mapping[str, Any]) -> str:
    targets = found["targets"]
    others = f"{targets['unseen']} unseen, {targets['recombined']} recombined"
    return f"{found['rung']}: {targets['trained']} trained targets on {found['surface']}, {others}"


def page(found: Mapping[str, Any]) -> str:
    """The profile as one HTML page that needs no other file."""
    title = f"Rows of {found['rung']}"
    body = "".join(f"<h2>{escape(name)}</h2>{_html(columns, rows)}\n" for name, columns, rows in tables(found))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title>"
        f"<style>{CSS}</style></head>\n<body><h1>{escape(title)}</h1><p>{escape(headline(found))}</p>\n{body}"
        f"<p>corpus sha256 {escape(found['corpus_sha256'])}</p></body></html>\n"
    )


def _html(columns: Sequence[str], rows: Rows) -> str:
    head = "".join(f"<th>{escape(c)}</th>" for c in columns)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{_cells(row)}</tr>' for row in rows)}</table>"


def _cells(row: Sequence[object]) -> str:
    return "".join(_cell(str(cell)) for cell in row)


def _cell(text: str) -> str:
    """A cell; shares have a bar, verdicts a colour, words stand on the left."""
    if text.endswith("%"):
        return f'<td class="bar" style="--w:{escape(text)}">{escape(text)}</td>'
    if text in ("PASS", "FAIL"):
        return f'<td class="{text}">{text}</td>'
    return f"<td>{text}</td>" if re.fullmatch(r"[0-9.]+", text) else f'<td class="text">{escape(text)}</td>'
