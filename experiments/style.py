"""How a picture may look, as data: value lists, theme-tone pairs, palettes and density scales.

Facts only. Nothing here measures, draws or parses; colours that a drawing needs beyond these (a readable accent, a
tinted row) are derived in `compiler/sheet.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

THEMES = ("infra_dark", "paper_editorial", "signal_glow")
TONES = ("amber", "green", "blue", "purple", "mixed")
DENSITIES = ("compact", "balanced", "airy")
BACKGROUNDS = ("none", "grid", "mesh", "rings")
STYLE = ("theme", "tone", "density", "background")  # what a style is asked for by name

# Every style attribute with its legal values, in the canonical order in which a scene writes them.
AXES: dict[str, tuple[str, ...]] = {
    "canvas": ("wide", "tall", "square"),
    "theme": THEMES,
    "tone": TONES,
    "frame": ("none", "card", "panel"),
    "density": DENSITIES,
    "inset": ("sm", "md", "lg"),
    "gap": ("sm", "md", "lg"),
    "hero": ("left", "center", "split"),
    "columns": ("1", "2", "3", "4"),
    "emphasis": ("top", "left", "center"),
    "rail": ("accent", "muted", "none"),
    "background": BACKGROUNDS,
    "connector": ("line", "arrow", "bracket", "curve", "dotted", "dashed", "tree"),
}

# The theme-tone pairs that a corpus draws from. The compiler draws the other pairs too: they are legible, only not
# taught.
PAIRS: tuple[tuple[str, str], ...] = (
    *(("infra_dark", tone) for tone in TONES),
    *(("paper_editorial", tone) for tone in ("amber", "green", "blue", "mixed")),
    *(("signal_glow", tone) for tone in ("green", "blue", "purple")),
)
# Bundles also use amber on signal_glow.
BUNDLE_PAIRS: tuple[tuple[str, str], ...] = (*PAIRS, ("signal_glow", "amber"))

ACCENTS = ("amber", "green", "blue", "purple", "success", "warning", "danger", "muted")
STATES = ("normal", "highlight", "success", "warning", "danger")
LANES = ("top", "bottom", "center")


@dataclass(frozen=True, slots=True)
class Style:
    """A picture's look. `None` = the text did not say; the sheet then derives it from the density.

    A family uses what applies to it: `hero` and `rail` shape the header, `connector` the links, `columns` counts in dashboards, flows and
    pipelines; `emphasis` places the accent of infographics; the other families read and write it, and draw the same.
    """

    theme: str = "infra_dark"
    tone: str = "blue"
    density: str = "balanced"
    background: str = "none"
    canvas: str | None = None
    frame: str | None = None
    inset: str | None = None
    gap: str | None = None
    hero: str | None = None
    columns: str | None = None
    emphasis: str | None = None
    rail: str | None = None
    connector: str | None = None


def grid(
    pairs: tuple[tuple[str, str], ...] = PAIRS,
    densities: tuple[str, ...] = DENSITIES,
    backgrounds: tuple[str, ...] = ("none",),
) -> Iterator[Style]:
    """Every style of a product of axes, in a fixed order."""
    for (theme, tone), density, background in product(pairs, densities, backgrounds):
        yield Style(theme=theme, tone=tone, density=density, background=background)


@dataclass(frozen=True, slots=True)
class Theme:
    """Base colours of a theme: canvas gradient, two surfaces, text, quiet text, hairline."""

    canvas: tuple[str, str]
    surface: str
    surface_2: str
    ink: str
    muted: str
    border: str


THEME_COLOURS: dict[str, Theme] = {
    "infra_dark": Theme(("#0b1018", "#141d2b"), "#121b29", "#192638", "#f3f7fc", "#92a4b8", "#334155"),
    "paper_editorial": Theme(("#f3ede3", "#fbf7f0"), "#fffaf2", "#f8efe0", "#17212b", "#64748b", "#d8c7ad"),
    "signal_glow": Theme(("#07131f", "#11253a"), "#0d2033", "#16314d", "#f8fafc", "#9dd5ff", "#28577d"),
}

# accent, second accent, tint
TONE_COLOURS: dict[str, tuple[str, str, str]] = {
    "amber": ("#ffb400", "#ffd66b", "#ffefbf"),
    "green": ("#47b475", "#79d79d", "#c7f4d6"),
    "blue": ("#56aefc", "#8bcaff", "#d8eeff"),
    "purple": ("#b576ff", "#e8a7ff", "#f3d8ff"),
    "mixed": ("#ffb400", "#56aefc", "#ffe7a8"),
    # accents of infographics alone (`infographic.py`)
    "orange": ("#f97316", "#fb923c", "#ffe4d1"),
    "gray": ("#94a3b8", "#cbd5e1", "#e8edf3"),
}
SEMANTIC_COLOURS: dict[str, str] = {"success": "#47b475", "warning": "#ffb400", "danger": "#f87171"}


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes of a density, in px: margin round the canvas, gap between parts, padding in a card, corner radius, type
    sizes.
    """

    margin: float
    gap: float
    pad: float
    radius: float
    headline: float
    subtitle: float
    section: float
    title: float
    body: float
    small: float
    lead: float  # line height / type size of running text


SCALES: dict[str, Scale] = {
    "compact": Scale(36, 16, 14, 18, 29, 16, 19, 16.5, 15, 13.5, 1.28),
    "balanced": Scale(52, 26, 20, 24, 33, 17, 21, 18, 16, 14, 1.36),
    "airy": Scale(68, 38, 28, 28, 37, 18.5, 23, 19.5, 17, 15, 1.46),
}
INSETS = {"sm": 36.0, "md": 56.0, "lg": 74.0}
GAPS = {"sm": 16.0, "md": 26.0, "lg": 38.0}
