"""Parts that the layouts of a system diagram share: the words of a stage, its border, a link."""

from __future__ import annotations

from experiments.compiler.bind import Item
from experiments.compiler.flow import Flow
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Link


def is_end(item: Item) -> bool:
    return item.part.kind == "terminal_panel"


def write_words(page: Page, item: Item, index: int, wide: float, badge: bool = True, detail: str = "chips") -> Flow:
    """Badge, title, body and details of a stage or the terminal."""
    sheet, data = page.sheet, item.data
    accent = sheet.accent(index)
    flow = page.flow(wide, sheet.tinted(accent, 0.1, sheet.theme.surface_2) if is_end(item) else sheet.surface)
    if badge and data.badge:
        flow.badge(f"{item.ref}.badge", data.badge, accent)
    flow.text(f"{item.ref}.title", data.title, "title", gap=sheet.pad * 0.4, most=4)
    if data.body:
        flow.text(f"{item.ref}.body", data.body, "body", flow.ground.muted, gap=sheet.pad * 0.25, most=12)
    if data.detail and detail == "chips":
        flow.chips(f"{item.ref}.detail", data.detail, accent, gap=sheet.pad * 0.55)
    return flow


def border_of(sheet: Sheet, item: Item, index: int) -> str:
    return sheet.line(sheet.accent(index)) if is_end(item) else sheet.border


def join(page: Page, item: Item, corners: list[tuple[float, float]], source: Box, target: Box, label: str = "") -> Link:
    sheet = page.sheet
    return Link(
        f"{item.part.source}->{item.part.target}",
        corners,
        source.path,
        target.path,
        sheet.wire,
        2.5,
        sheet.dash,
        label=label,
    )
