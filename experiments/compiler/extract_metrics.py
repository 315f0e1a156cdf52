"""Write `advances.json`: advance widths of the faces that pictures name, read from font files with fonttools.

    python -m experiments.compiler.extract_metrics DejaVuSans.ttf DejaVuSans-Bold.ttf DejaVuSansMono.ttf

Only numbers are kept (units of 1/2048 em), no glyph. A development tool: nothing imports it, and no font is needed to
compile a picture.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

FACES = ("sans", "bold", "mono")
# ASCII, Latin-1, Latin Extended-A, Greek, Cyrillic, dashes and quotes, super/subscripts, currency, letterlike,
# arrows, mathematics, boxes, checks
BLOCKS = (
    (0x20, 0x7E),
    (0xA0, 0x17F),
    (0x370, 0x3FF),
    (0x400, 0x45F),
    (0x2010, 0x2027),
    (0x2030, 0x203A),
    (0x2070, 0x208E),
    (0x20AC, 0x20AC),
    (0x2115, 0x2122),
    (0x2190, 0x21FF),
    (0x2200, 0x22FF),
    (0x2500, 0x25FF),
    (0x2713, 0x2717),
)


def extract(path: str) -> dict[str, object]:
    """Advance widths per block, `[first code point, widths...]`; a missing glyph has width 0."""
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    font = TTFont(path)
    cmap, metrics, units = font.getBestCmap(), font["hmtx"], font["head"].unitsPerEm
    if units != 2048:
        raise SystemExit(f"{path}: got {units} units per em, expected 2048")
    blocks = [
        [first, *(metrics[cmap[c]][0] if c in cmap else 0 for c in range(first, last + 1))] for first, last in BLOCKS
    ]
    return {"ascent": font["hhea"].ascent, "descent": -font["hhea"].descent, "blocks": blocks}


def main(paths: list[str]) -> None:
    if len(paths) != len(FACES):
        raise SystemExit(f"got {len(paths)} font files, expected {len(FACES)}: {', '.join(FACES)}")
    table = {face: extract(path) for face, path in zip(FACES, paths, strict=True)}
    Path(__file__).with_name("advances.json").write_text(json.dumps(table, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
