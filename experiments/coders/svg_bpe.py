"""`svg_bpe`: a hybrid for rows that hold SVG. Beside the tags it reserves SVG's own structure, as far as the rows use it: `<rect`, `</g>`,
` fill="`, `"/>`. Numbers, paths, colours and words are byte-level BPE, and any UTF-8 text comes back.

Names are those of SVG 1.1 (https://www.w3.org/TR/SVG11/, indexes of elements and attributes) that static pictures use.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from experiments import tokenizer
from experiments.tokenizer import Coder, Policy

ALPHABET = None
ELEMENTS = (
    "svg g defs use symbol title desc style rect circle ellipse line polyline polygon path text tspan textPath image marker mask pattern "
    "clipPath linearGradient radialGradient stop filter feBlend feColorMatrix feDropShadow feFlood feGaussianBlur feMerge feMergeNode "
    "feOffset feComposite"
)
ATTRIBUTES = (
    "xmlns viewBox width height x y x1 y1 x2 y2 cx cy r rx ry d points fill stroke stroke-width stroke-dasharray stroke-linecap "
    "stroke-linejoin stroke-opacity fill-opacity fill-rule opacity transform id class href role aria-label aria-labelledby font-family "
    "font-size font-weight font-style letter-spacing text-anchor dominant-baseline dx dy offset stop-color stop-opacity gradientUnits "
    "gradientTransform patternUnits clip-path mask filter marker-start marker-mid marker-end markerWidth markerHeight refX refY orient "
    "preserveAspectRatio in in2 stdDeviation flood-color flood-opacity result operator"
)
ENDS = ('"/>', '">')


def train(rows: Sequence[str], policy: Policy) -> Coder:
    used = tuple(atom for atom in atoms() if any(atom in row for row in rows))
    return tokenizer.train(rows, replace(policy, openers=(*policy.openers, *used)))


def atoms() -> Iterator[str]:
    """SVG's structure as it is spelled: elements open and closed, attributes with the space before them, ends of tags."""
    for name in ELEMENTS.split():
        yield from (f"<{name}", f"</{name}>")
    yield from (f' {name}="' for name in ATTRIBUTES.split())
    yield from ENDS
