"""The sweep: which pictures can be made of what is found, and whether each is sound.

Looks are every theme, tone, density and background; a case with a form is drawn in every legal count of it, one without in its own
structure, an infographic on the small canvas besides. Then each case, one with a form in its usual counts, meets each value of each
further style attribute, in every density. `cktrack check` runs the whole, tests a fixed part.
Nothing is drawn to disk, and nothing is judged here: a picture that compiles has passed the layout checker and the validator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, product

from experiments import case, compiler, families, infographic
from experiments.compiler import CompileError, Picture
from experiments.scene import Counts
from experiments.style import AXES, BACKGROUNDS, DENSITIES, THEMES, TONES, Style
from experiments.surfaces import semantic

LOOKS = tuple(Style(*axes) for axes in product(THEMES, TONES, DENSITIES, BACKGROUNDS))
FURTHER = (
    "canvas",
    "frame",
    "inset",
    "gap",
    "hero",
    "rail",
    "columns",
    "emphasis",
    "connector",
)  # attributes that change a drawing
SIDES = 400.0, 2400.0, 3000.0  # px: least width, most width, most height of a picture
FREE = 64.0  # px: least width of a drawing that places its own shapes


@dataclass(frozen=True)
class Shot:
    """One picture to be made: a case, counts where it has a form, and a style."""

    case: case.Case
    style: Style
    counts: Counts | None = None

    def compile(self) -> Picture:
        """The picture; CompileError with every violation."""
        return compiler.compile(self.case.scene(self.style, self.counts), self.case.content)

    def __str__(self) -> str:
        said = [f"{k} {v}" for k in Style.__dataclass_fields__ if (v := getattr(self.style, k)) is not None]
        said += [f"{count} {name}" for name, count in self.counts or ()]
        return f"{self.case.family}/{self.case.id} with {', '.join(said)}"


@dataclass
class Tally:
    """What came of the pictures of one family. `refused` are those that the family's own rules forbid, and that were refused."""

    pictures: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)


def counts_of(one: case.Case) -> Sequence[Counts | None]:
    """Every legal count of a case's form; None alone where it has no form."""
    return families.load(one.family).forms[one.form].legal() if one.form else (None,)


def looks(one: case.Case, every: int = 1) -> Iterator[Shot]:
    """Every count in every look, or of each count's looks each `every`th, beginning elsewhere each time."""
    for number, counts in enumerate(counts_of(one)):
        for style in LOOKS[7 * number % every :: every]:
            yield Shot(one, style, counts)
    yield from islice(_small(one), 0, None, every)


def _small(one: case.Case) -> Iterator[Shot]:
    """An infographic on the small canvas, in every look that its prompts ask for."""
    family = families.load(one.family)
    if isinstance(family, infographic.Infographic):
        count = infographic.count_of(family, one.scene(Style()))
        for asked in infographic.every(DENSITIES):
            yield Shot(one, infographic.derive(family, asked, count, semantic.CANVAS))


def further(one: case.Case, attributes: Sequence[str] = FURTHER) -> Iterator[Shot]:
    """Each value of each further attribute, in every density; a case with a form in the form's usual counts."""
    counts = tuple(families.load(one.family).forms[one.form].usual.items()) if one.form else None
    for attribute in attributes:
        for value, density in product(AXES[attribute], DENSITIES):
            yield Shot(one, replace(Style(density=density), **{attribute: value}), counts)


def extremes(one: case.Case) -> Iterator[Shot]:
    """The narrowest and the widest spacing with everything that the case's form can hold, one theme light and one dark; of an infographic
    on the small canvas too."""
    most = max(counts_of(one), key=lambda counts: sum(n for _, n in counts or ()))
    yield Shot(one, Style("infra_dark", "mixed", "compact"), most)
    yield Shot(one, Style("paper_editorial", "blue", "airy", "mesh"), most)
    small = list(_small(one))
    yield from (*small[:1], *small[-1:])


def judge(shot: Shot, tally: Tally) -> None:
    """Make a picture and count what comes of it; one that a family's rules forbid must be refused."""
    forbidden = any(families.load(shot.case.family).inspect(shot.case.scene(shot.style, shot.counts)))
    try:
        picture = shot.compile()
    except CompileError as error:
        if forbidden:
            tally.refused += 1
        else:
            tally.faults += [f"{shot}: {violation}" for violation in error.violations]
        return
    tally.pictures += 1
    least, wide, high = (FREE, *SIDES[1:]) if picture.tree.free else SIDES
    if forbidden:
        tally.faults.append(f"{shot}: drawn, expected a refusal")
    if not (least <= picture.width <= wide and least * 0.35 <= picture.height <= high):
        tally.faults.append(
            f"{shot}: {picture.width:g} x {picture.height:g} px, expected {least:g} to {wide:g} px wide"
        )
