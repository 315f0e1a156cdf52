"""The words of a panel in a card: badge, title, body, details. Which ground and accent a card has is its family's business; this
file places nothing on a page.
"""

from __future__ import annotations

from experiments.compiler.flow import Flow
from experiments.compiler.page import Page
from experiments.compiler.sheet import Ground
from experiments.content import Panel

ASIDE = 440.0  # px of words from which on details stand beside them


def write_panel(
    page: Page,
    path: str,
    panel: Panel,
    wide: float,
    ground: Ground,
    accent: str,
    detail: str = "chips",
    badge: bool = True,
) -> Flow:
    """A column `wide` px wide; `detail` is how details are shown: chips (beside the words where there is room), bullets or none."""
    pad = page.sheet.pad
    beside = detail == "chips" and wide >= ASIDE and len(panel.detail) > 0
    flow = page.flow(wide * 0.62 if beside else wide, ground)
    if badge and panel.badge:
        flow.badge(f"{path}.badge", panel.badge, accent)
    flow.text(f"{path}.title", panel.title, "title", gap=pad * 0.4, most=5)
    if panel.body:
        flow.text(f"{path}.body", panel.body, "body", ground.muted, gap=pad * 0.25, most=12)
    if beside:
        chips = page.flow(wide * 0.34, ground).chips(f"{path}.detail", panel.detail, accent)
        flow.nodes += chips.place(wide * 0.66, max(0.0, (flow.height - chips.height) / 2))
        flow.height = max(flow.height, chips.height)
    elif panel.detail and detail == "chips":
        flow.chips(f"{path}.detail", panel.detail, accent, gap=pad * 0.55)
    elif panel.detail and detail == "bullets":
        flow.bullets(f"{path}.detail", panel.detail, accent, gap=pad * 0.4)
    return flow
