"""A style resolved into what a layout uses: fonts by role, spacing, grounds with text colours that are legible on
them, a background pattern.

`sheet_of(style)` is cached: styles are few and frozen. Contrast is right by construction here (every text colour
comes from a `Ground`) and proven again by `check.py` on the finished tree.
"""

from __future__ import annotations

from functools import lru_cache

from experiments.compiler.colour import MARGIN, legible, luminance, mix, worst
from experiments.compiler.tree import Font
from experiments.style import GAPS, INSETS, SCALES, SEMANTIC_COLOURS, THEME_COLOURS, TONE_COLOURS, Style

Pattern = list[tuple[str, dict[str, str | float]]]
WIDTHS = {"wide": 1200.0, "square": 1080.0, "tall": 960.0, "small": 256.0}
DARKEST = "#0b1018"
LEAST = 12.5  # px: no text is set smaller, but in drawings of atoms (`check.py`)
HIGHLIGHTS = (TONE_COLOURS["blue"][0], TONE_COLOURS["purple"][0])
DASHES = {"dotted": "2 6", "dashed": "9 6"}


class Ground:
    """A surface colour (or the several colours of a gradient and its pattern) and the text colours that are legible
    on it.
    """

    def __init__(self, fills: tuple[str, ...], ink: str, muted: str) -> None:
        self.fills = fills
        self.fill = fills[0]
        self.ink = (
            ink if worst(ink, fills) >= MARGIN else max((DARKEST, "#ffffff"), key=lambda colour: worst(colour, fills))
        )
        self.muted = legible(muted, fills)

    def text(self, colour: str) -> str:
        """A legible variant of a colour for text on this ground."""
        return legible(colour, self.fills)


class Sheet:
    """One style's sizes and colours."""

    def __init__(self, style: Style) -> None:
        theme, scale = THEME_COLOURS[style.theme], SCALES[style.density]
        self.style, self.theme, self.scale = style, theme, scale
        self.dark = luminance(theme.surface) < 0.2
        self.width = WIDTHS[style.canvas or "wide"]
        self.margin = INSETS[style.inset] if style.inset else scale.margin
        self.gap = GAPS[style.gap] if style.gap else scale.gap
        self.pad, self.radius = scale.pad, scale.radius
        accent, second, tint = TONE_COLOURS[style.tone]
        self.tones = (accent, second) if style.tone == "mixed" else (accent,)
        self.second, self.tint = second, tint
        self.dash = DASHES.get(style.connector or "", "")
        self.fonts = _fonts(style.density)
        self.pattern_shares = _PATTERNS[style.background]
        self._grounds: dict[tuple[str, ...], Ground] = {}
        self.canvas = self.ground(
            *theme.canvas, *(mix(c, colour, share) for c in theme.canvas for colour, share in self._inks())
        )
        self.surface = self.ground(theme.surface)
        self.surface_2 = self.ground(theme.surface_2)
        self.border = theme.border
        self.rule = mix(theme.surface, theme.border, 0.7)
        self.wire = mix(theme.canvas[1], theme.muted, 0.75)  # quiet connectors

    def ground(self, *fills: str) -> Ground:
        """The ground of these fills (cached)."""
        found = self._grounds.get(fills)
        if found is None:
            found = self._grounds[fills] = Ground(fills, self.theme.ink, self.theme.muted)
        return found

    def accent(self, index: int = 0) -> str:
        """The tone's accent; a mixed tone alternates by index."""
        return self.tones[index % len(self.tones)]

    def named(self, name: str | None, index: int = 0) -> str:
        """A colour by its content name (`amber`, `success`, `muted`, ...); without one, the accent of that index."""
        if name in TONE_COLOURS and name != "mixed":
            return TONE_COLOURS[name][0]
        if name in SEMANTIC_COLOURS:
            return SEMANTIC_COLOURS[name]
        return self.theme.muted if name == "muted" else self.accent(index)

    def highlight(self) -> str:
        """The colour that marks what matters, never that of a success or a warning."""
        return next(colour for colour in (*self.tones, *HIGHLIGHTS) if colour in HIGHLIGHTS)

    def tinted(self, colour: str, share: float = 0.14, base: str | None = None) -> Ground:
        """A surface with a wash of a colour."""
        if not self.dark:
            return self.ground(mix("#ffffff", colour, share * 1.3))
        return self.ground(mix(base or self.theme.surface, colour, share))

    def line(self, colour: str) -> str:
        """A colour for strokes: on light themes bright accents are deepened so that thin lines stay visible."""
        return colour if self.dark else mix(colour, self.theme.ink, 0.18)

    def _inks(self) -> list[tuple[str, float]]:
        """(colour, opacity) of what the background pattern lays over the canvas."""
        return [
            (
                self.theme.border if kind == "border" else self.tones[0] if kind == "accent" else self.second,
                share if self.dark else share * factor,
            )
            for kind, share, factor in self.pattern_shares
        ]

    def pattern(self, width: float, height: float) -> Pattern:
        """The background's elements for a canvas of this size."""
        inks = self._inks()
        if self.style.background == "grid":
            return _grid(width, height, *inks[0])
        if self.style.background == "mesh":
            return _mesh(width, height, inks)
        return _rings(width, height, *inks[0]) if self.style.background == "rings" else []


# kind of colour, opacity on dark themes, factor on light ones
_PATTERNS: dict[str, tuple[tuple[str, float, float], ...]] = {
    "none": (),
    "grid": (("border", 0.32, 1.3),),
    "mesh": (("accent", 0.055, 1.35), ("second", 0.05, 1.35)),
    "rings": (("accent", 0.13, 1.9),),
}


@lru_cache
def _fonts(density: str) -> dict[str, Font]:
    s = SCALES[density]
    return {
        "headline": Font("bold", s.headline, 1.2),
        "subtitle": Font("sans", s.subtitle, 1.4),
        "kicker": Font("bold", s.small, 1.3),
        "section": Font("bold", s.section, 1.24),
        "figure": Font("bold", s.headline * 0.94, 1.19),
        "value": Font("bold", s.section * 1.16, 1.2),
        "title": Font("bold", s.title, 1.22),
        "body": Font("sans", s.body, s.lead),
        "small": Font("sans", s.small, s.lead),
        "strong": Font("bold", s.small, 1.3),
        "code": Font("mono", s.small - 0.5, s.lead + 0.06),
        "equation": Font("mono", s.section * 0.95, 1.4),
        "cell": Font("sans", s.body, 1.26),
        "first": Font("bold", s.body, 1.26),
        "tag": Font("bold", max(s.small - 1, LEAST), 1.2),
        "label": Font("sans", s.small, 1.22),
    }


def _grid(width: float, height: float, colour: str, share: float) -> Pattern:
    lines: Pattern = []
    for x in range(64, int(width), 64):
        lines.append(("line", {"x1": x, "y1": 0, "x2": x, "y2": height}))
    for y in range(64, int(height), 64):
        lines.append(("line", {"x1": 0, "y1": y, "x2": width, "y2": y}))
    return [(tag, {**at, "stroke": colour, "stroke-opacity": share, "stroke-width": 1}) for tag, at in lines]


def _mesh(width: float, height: float, inks: list[tuple[str, float]]) -> Pattern:
    (first, a), (second, b) = inks
    size = min(width, height)
    spots = ((0.88, 0.08, 0.42, first, a), (0.06, 0.62, 0.36, second, b), (0.72, 0.98, 0.34, first, a))
    return [
        ("circle", {"cx": width * x, "cy": height * y, "r": size * r, "fill": colour, "fill-opacity": share})
        for x, y, r, colour, share in spots
    ]


def _rings(width: float, height: float, colour: str, share: float) -> Pattern:
    size = min(width, height)
    return [
        (
            "circle",
            {
                "cx": width * 0.9,
                "cy": height * 0.12,
                "r": size * r,
                "fill": "none",
                "stroke": colour,
                "stroke-opacity": share,
                "stroke-width": 2,
            },
        )
        for r in (0.16, 0.29, 0.42)
    ]


@lru_cache(maxsize=4096)
def sheet_of(style: Style) -> Sheet:
    """The sheet of a style."""
    return Sheet(style)
