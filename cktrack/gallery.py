"""`cktrack gallery`: a folder with one page that shows every family and form in every theme and density, and the pictures as SVG files.

The page is one HTML file without scripts and without any address but those of the pictures beside it; it opens from a disk as from a
server, and pictures are loaded when they come into view. It opens with one theme, each picture as wide as the page so that its words can
be read; all themes side by side are a click away. Its bytes depend on the sources alone, but for the times (`--no-times`).
Tone and background take turns, so that all of them are seen. Nothing is checked here that `compile` does not check.
"""

from __future__ import annotations

import inspect
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import track

from cktrack.console import Console
from cktrack.option import families_of, nothing_drawn

if TYPE_CHECKING:
    from experiments.case import Case
    from experiments.scene import Scene
    from experiments.surfaces import Surface
    from experiments.tokenizer import Coder

STYLE = Path(__file__).with_suffix(".css")
LEARNED = 512  # tokens that each surface's tokenizer learns beside those that it reserves
TIMES = 5  # compilations of which the median is told


@dataclass(frozen=True)
class Shown:
    """One picture: its style in words, its file, size in px, and the median milliseconds that compiling it took."""

    theme: str
    density: str
    looks: str
    file: str
    svg: str
    size: tuple[float, float]
    milliseconds: float | None


@dataclass(frozen=True)
class Said:
    """The scene as text on one surface, with its cost in tokens."""

    surface: str
    prompt: str
    text: str
    tokens: int


@dataclass
class Exhibit:
    """One form of a family, or its only one (""), shown by a case."""

    family: str
    form: str
    case: str
    headline: str
    shown: list[Shown] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)


def command(
    out: Annotated[Path, typer.Option(help="the folder; made where there is none")] = Path("gallery"),
    times: Annotated[
        bool, typer.Option("--times/--no-times", help="tell how long each picture took to compile")
    ] = True,
    family: Annotated[list[str] | None, typer.Option(help="only this family; may be given several times")] = None,
) -> None:
    """Write a page that shows every family and form in every theme and density. Exits 1 if nothing is drawn of a family."""
    from experiments import families

    names = families_of(family)
    for name in names:
        families.load(name)  # one that cannot be is refused before anything is written
    if (out.exists() and not out.is_dir()) or (
        out.is_dir() and any(out.iterdir()) and not (out / "index.html").is_file()
    ):
        raise ValueError(f"--out: got {str(out)!r}; expected a new folder, an empty one, or one that holds a gallery")
    shown = collect(names, times)
    write(out, shown)
    pictures = sum(len(each.shown) for each in shown)
    told = Console(stderr=True, highlight=False, soft_wrap=True)
    told.print(f"{pictures} pictures of {len(names)} families: {out / 'index.html'}")
    empty = [name for name in names if not any(each.shown for each in shown if each.family == name)]
    for name in empty:
        told.print(nothing_drawn(name))
    if empty:
        raise typer.Exit(1)


def write(out: Path, shown: Sequence[Exhibit]) -> None:
    """The pictures, then the page: whoever sees a page has its pictures."""
    (out / "svg").mkdir(parents=True, exist_ok=True)
    for picture in (picture for each in shown for picture in each.shown):
        (out / picture.file).write_text(picture.svg, encoding="utf-8")
    (out / "index.html").write_text(page(shown), encoding="utf-8")


# ---- what is shown


def collect(names: Sequence[str], times: bool = False) -> list[Exhibit]:
    """Every form of these families in every theme and density."""
    from experiments import case

    coders: dict[str, Coder] = {}
    found: list[Exhibit] = []
    for name in track(names, "drawing", console=Console(stderr=True), transient=True):
        cases = case.every(name)
        for form in dict.fromkeys(sorted((c.form for c in cases), key=lambda f: (bool(f), f))):
            one = next(c for c in cases if c.form == form)
            each = Exhibit(name, form, one.id, _headline(one))
            each.shown += _pictures(one, len(found), times)
            each.said += _texts(one, coders)
            found.append(each)
    return found


def _pictures(one: Case, number: int, times: bool) -> Iterator[Shown]:
    from experiments.style import BACKGROUNDS, DENSITIES, PAIRS, THEMES, Style
    from experiments.sweep import Shot

    for turn, (theme, density) in enumerate(product(THEMES, DENSITIES)):
        tones = [tone for paired, tone in PAIRS if paired == theme]
        background = BACKGROUNDS[(number + turn // len(DENSITIES)) % len(BACKGROUNDS)]
        style = Style(theme, tones[number % len(tones)], density, background)
        picture = Shot(one, style).compile()
        looks = f"{style.tone}, {background if background != 'none' else 'plain'}"
        file = f"svg/{'.'.join(filter(None, (one.family, one.form, theme, density)))}.svg"
        taken = _milliseconds(one, style) if times else None
        yield Shown(theme, density, looks, file, picture.svg, (picture.width, picture.height), taken)


def _milliseconds(one: Case, style: Any) -> float:
    from experiments.sweep import Shot

    taken = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        Shot(one, style).compile()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1000


def _texts(one: Case, coders: dict[str, Coder]) -> Iterator[Said]:
    """The case on every surface that can say it."""
    from experiments import surfaces

    for name in surfaces.names():
        if there := one.on(name):
            surface, scene = surfaces.load(name), _scene(there)
            text = surface.format(scene)
            coder = coders.setdefault(name, coders.get(name) or _coder(name))
            yield Said(name, _prompt(surface, scene), text, len(coder.encode(f" {text}")))


def _scene(one: Case) -> Scene:
    """The case in a usual style; an infographic in one that a prompt can ask for, on the canvas of its surface."""
    from experiments import families, infographic
    from experiments.style import Style

    family, scene = families.load(one.family), one.scene(Style())
    if not isinstance(family, infographic.Infographic):
        return scene
    asked = infographic.Asked("blue", "mint", "card", "compact")
    return infographic.dress(family, scene, asked, "small" if one.surface == "semantic" else "wide")


def _prompt(surface: Surface, scene: Scene) -> str:
    """What asks for a scene; nothing where no prompt does, as for a drawing that was made freely."""
    try:
        return surface.prompt(scene)
    except ValueError:
        return ""


def _coder(name: str) -> Coder:
    """A tokenizer that reserves a surface's tags and learns `LEARNED` tokens from its texts of all cases."""
    from experiments import case, surfaces, tokenizer

    surface = surfaces.load(name)
    known = surface.vocabulary()
    scenes = [_scene(one) for one in case.every(surface=name)]
    rows = [f"{_prompt(surface, scene)} {surface.format(scene)}" for scene in scenes]
    policy = tokenizer.Policy((*known.tags, *known.phrases), known.prefixes)
    return tokenizer.train(rows, replace(policy, vocab=len(policy.reserved()) + LEARNED))


def _headline(one: Case) -> str:
    from experiments import compiler
    from experiments.style import Style

    return compiler.lay_out(one.scene(Style()), one.content).title


def _sentence(name: str) -> str:
    """What a family says of itself: the first sentence of its module, without its own name."""
    from experiments import families

    doc = inspect.getdoc(inspect.getmodule(type(families.load(name)))) or ""
    opening = " ".join(doc.split())
    said = (opening.partition(": ")[2] or opening).partition(". ")[0].rstrip(".")
    return said[:1].upper() + said[1:]


# ---- the page

ABOUT = (
    "Every family and form of picture, drawn by the compiler from a scene and its content. A picture opens in full size with a click. "
    "Tokens are those of the scene's text on a surface, by a tokenizer that reserves the surface's tags and learns {learned} more from the "
    "texts of all cases; a rung's own tokenizer may differ."
)


def page(shown: Sequence[Exhibit]) -> str:
    """The whole page as HTML text."""
    names = list(dict.fromkeys(each.family for each in shown))
    densities = list(dict.fromkeys(picture.density for each in shown for picture in each.shown))
    themes = list(dict.fromkeys(picture.theme for each in shown for picture in each.shown))
    links = "".join(f'<a href="#{name}">{escape(name.replace("_", " "))}</a>' for name in names)
    body = "".join(_section(name, [each for each in shown if each.family == name]) for name in names)
    chosen = _choice("density", densities, "balanced") + _choice("theme", (*themes, "all"), (*themes, "all")[0])
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Gallery</title><style>\n{STYLE.read_text()}{_rules(densities, themes)}\n</style></head>\n<body><header><h1>Gallery</h1>"
        f"<p>{escape(ABOUT.format(learned=LEARNED))}</p></header>\n<form><div>{chosen}</div></form>\n"
        f'<div class="page"><nav aria-label="families">{links}</nav><main>\n{body}</main></div></body></html>\n'
    )


def _rules(densities: Sequence[str], themes: Sequence[str]) -> str:
    """Which pictures a choice shows: one density, and one theme or all of them (side by side, see the style sheet)."""
    rules = [f"body:has(#density-{d}:checked) .d-{d}{{display:block}}" for d in densities]
    for theme in themes:
        rules.append(f"body:has(#theme-{theme}:checked) .shot.shot:not(.t-{theme}){{display:none}}")
    return "\n".join(rules)


def _choice(name: str, values: Sequence[str], usual: str) -> str:
    buttons = "".join(
        f'<label><input type="radio" name="{name}" id="{name}-{v}"{" checked" if v == usual else ""}>'
        f"<span>{escape(v.replace('_', ' '))}</span></label>"
        for v in values
    )
    return f"<fieldset><legend>{name}</legend>{buttons}</fieldset>"


def _section(name: str, shown: Sequence[Exhibit]) -> str:
    title = escape(name.replace("_", " ").capitalize())
    inner = "".join(map(_exhibit, shown))
    return (
        f'<section id="{name}"><h2>{title}<code>{name}</code></h2><p>{escape(_sentence(name))}.</p>{inner}</section>\n'
    )


def _exhibit(each: Exhibit) -> str:
    costs = ", ".join(f"{said.tokens} on <code>{said.surface}</code>" for said in each.said)
    times = [picture.milliseconds for picture in each.shown if picture.milliseconds is not None]
    drawn = f"; compiled in {statistics.median(times):.1f} ms" if times else ""
    form = f"form <code>{each.form}</code>; " if each.form else ""
    head = f'<h3>{escape(each.headline)}</h3><p class="cost">{form}tokens: {costs or "no surface says it"}{drawn}</p>'
    same: dict[str, list[Shown]] = {}
    for picture in each.shown:
        same.setdefault(picture.svg, []).append(picture)
    row = "".join(_figure(each, pictures) for pictures in same.values())
    said = "".join(_text(said) for said in each.said)
    return f'{head}<div class="row">{row}</div><details><summary>How it is asked for and said</summary><dl>{said}</dl></details>\n'


def _figure(each: Exhibit, same: Sequence[Shown]) -> str:
    """One picture, in every style that gives it: a drawing that says its own colours is the same in all of them."""
    picture = same[0]
    wide, high = picture.size
    themes = list(dict.fromkeys(p.theme for p in same))
    shows = " ".join(dict.fromkeys([*(f"d-{p.density}" for p in same), *(f"t-{theme}" for theme in themes)]))
    drawn = f", {picture.milliseconds:.1f} ms" if picture.milliseconds is not None else ""
    looks = (
        f"<b>{picture.theme.replace('_', ' ')}</b> {picture.looks}"
        if len(themes) == 1
        else "<b>every theme</b> colours of its own"
    )
    alt = escape(f"{each.headline}: {each.family.replace('_', ' ')} {each.form.replace('_', ' ')}".strip(), quote=True)
    image = f'<img loading="lazy" src="{picture.file}" width="{wide:g}" height="{high:g}" alt="{alt}" style="max-width:{max(wide, 384):g}px">'
    return (
        f'<figure class="shot {shows}"><a href="{picture.file}">{image}</a>'
        f"<figcaption>{looks}, {wide:g} &times; {high:g} px{drawn}</figcaption></figure>"
    )


def _text(said: Said) -> str:
    asked = f"<i>{escape(said.prompt)}</i>\n" if said.prompt else ""
    return (
        f"<dt><code>{said.surface}</code> <small>{said.tokens} tokens</small></dt>"
        f"<dd><code>{asked}{escape(said.text)}</code></dd>"
    )
