"""The contact sheet of a run: one HTML page that holds every logged picture, so that it can be looked at without any other file.

Pictures are SVG inside `<img>`, where no script of theirs would run; every text is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2rem;color:#222;background:#fafafa}"
    "article{display:inline-block;vertical-align:top;margin:0 1rem 1.5rem 0;padding:.8rem;background:#fff;border:1px solid #ddd;width:23rem}"
    "article.miss{border-color:#b00020;width:46rem}h2{font-size:1rem;margin:0 0 .4rem}p{margin:.2rem 0;color:#555;overflow-wrap:anywhere}"
    "figure{display:inline-block;margin:.4rem .6rem 0 0;vertical-align:top}img{width:22rem;border:1px solid #eee}pre{white-space:pre-wrap}"
)


@dataclass(frozen=True)
class Shown:
    """One case: its id, its labels, the prompt, the picture got (or why there is none), and the expected one where they differ."""

    case: str
    labels: str
    prompt: str
    exact: bool
    got: str | None
    problem: str
    expected: str | None


def page(title: str, cases: Sequence[Shown]) -> str:
    """The whole page as HTML text; misses first."""
    body = "".join(_article(c) for c in sorted(cases, key=lambda c: c.exact))
    missed = sum(not c.exact for c in cases)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style></head>\n'
        f"<body><h1>{escape(title)}</h1><p>{len(cases)} cases shown, {missed} of them missed. A choice, not a rate: "
        f"the scoreboard counts all.</p>\n{body}</body></html>\n"
    )


def _article(case: Shown) -> str:
    got = _figure("got", case.got) if case.got else f"<pre>{escape(case.problem)}</pre>"
    expected = _figure("expected", case.expected) if case.expected else ""
    kind = "hit" if case.exact else "miss"
    return (
        f'<article class="{kind}"><h2>{escape(case.case)} <small>{escape(case.labels)}</small></h2>'
        f"<p>{escape(case.prompt)}</p>{got}{expected}</article>\n"
    )


def _figure(name: str, svg: str) -> str:
    data = base64.b64encode(svg.encode()).decode()
    return f'<figure><figcaption>{name}</figcaption><img alt="{name}" src="data:image/svg+xml;base64,{data}"></figure>'
