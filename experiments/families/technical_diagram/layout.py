"""Layout of a technical diagram: numbered stages, the formula on a strip across the page, and artefacts side by side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from experiments.compiler import chain
from experiments.compiler.bind import Bound, Item
from experiments.compiler.flow import Flow
from experiments.compiler.graph import Arrow, Graph, draw_graph, measure, read_graph, roomy
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Ornament, Text, Tree, move


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    nodes, graph = read_graph(bound, "graph_node")
    if not graph.arrows:
        graph = Graph(graph.ids, [Arrow(a, b) for a, b in pairwise(graph.ids)], graph.ids[:1])
    path = chain.order(graph.ids, graph.ends)
    numbers = {name: n for n, name in enumerate(path or nodes, 1)}
    room = measure(sheet, graph)
    page = Page(bound, sheet, None if path else room.width)
    page.header()

    def fill(name: str, wide: float) -> Flow:
        return _stage(page, nodes[name], numbers[name], wide)

    if path:
        by_source = {arrow.source: arrow for arrow in graph.arrows}
        steps = [by_source[name] for name in path[:-1]]
        chain.draw_chain(page, path, steps, _columns(page, steps), fill, lambda name: sheet.border)
    else:
        draw_graph(page, graph, room, fill, lambda name: sheet.border, roomy(room))
    for item in bound.all("formula_strip"):
        page.y += sheet.gap * 0.9
        _formula(page, item)
    _artefacts(page, bound.all("artifact_panel"))
    page.footer()
    return page.finish(summary)


def _columns(page: Page, steps: Sequence[Arrow]) -> int:
    """Four stages share a row where nothing is written on the arrows and the page is wide."""
    four = len(steps) == 3 and page.room > 1000 and not any(arrow.label for arrow in steps)
    return 4 if four else chain.columns_for(len(steps) + 1)


def _stage(page: Page, item: Item, number: int, wide: float) -> Flow:
    """A number, the title beside it, a sentence and details below."""
    sheet, data = page.sheet, item.data
    accent = sheet.accent(number - 1)
    size = sheet.fonts["title"].size * 1.6
    flow = page.flow(wide, sheet.surface)
    title = flow.fit(f"{item.ref}.title", data.title, sheet.fonts["title"], wide - size - 10, 4)
    text = Text.at(f"{item.ref}.title", size + 10, 0, wide - size - 10, title, sheet.surface.ink)
    flow.height = max(size, text.h)
    text.y = (flow.height - text.h) / 2
    sign = page.labels.number(
        f"{item.id} number", f"{item.ref} number", number, "strong", size, size, sheet.line(accent), size * 0.3
    )
    move([sign], 0, (flow.height - size) / 2)
    flow.nodes += [sign, text]
    if data.badge:
        flow.skip(sheet.pad * 0.4).badge(f"{item.ref}.badge", data.badge, accent)
    if data.body:
        flow.text(f"{item.ref}.body", data.body, "body", flow.ground.muted, gap=sheet.pad * 0.45, most=14)
    return flow.chips(f"{item.ref}.detail", data.detail, accent, gap=sheet.pad * 0.55)


def _formula(page: Page, item: Item) -> None:
    """A strip across the page: the title, the equation in the mono face on an inset, and what its parts mean."""
    sheet, data, pad = page.sheet, item.data, page.sheet.pad
    accent = sheet.accent(1)
    ground = sheet.tinted(accent, 0.09, sheet.theme.surface_2)
    wide = page.room - 2 * pad
    flow = page.flow(wide, ground)
    if data.title:
        flow.text(f"{item.ref}.title", data.title, "strong", accent, most=2)
    inset = sheet.ground(sheet.theme.canvas[0])
    words = page.flow(wide - 2 * pad, inset)
    words.text(f"{item.ref}.equation", data.equation, "equation", most=5, anchor="middle", even=True)
    high = words.height + 1.1 * pad
    flow.skip(pad * 0.5)
    box = Box(f"{item.id} inset", 0, flow.height, wide, high, inset.fill, sheet.rule, 1.0, min(sheet.radius * 0.5, 10))
    box.children = words.place(pad, flow.height + 0.55 * pad)
    flow.nodes.append(box)
    flow.height += high
    flow.chips(f"{item.ref}.bullets", data.bullets, accent, gap=pad * 0.6)
    strip = page.card(
        item.id, flow, page.x0, page.y, page.room, flow.height + 1.8 * pad, stroke=sheet.line(accent), top=-0.1 * pad
    )
    page.add(strip)
    page.y = strip.bottom


def _artefacts(page: Page, items: Sequence[Item]) -> None:
    """Panels of one height, all in a row or two by two, each with the sign of a sheet of paper."""
    sheet, gap = page.sheet, page.sheet.gap * 0.7
    columns = len(items) if len(items) <= 3 else 2
    for start in range(0, len(items), columns or 1):
        page.y += gap if start else sheet.gap * 0.9
        row = items[start : start + columns]
        wide = (page.room - (len(row) - 1) * gap) / len(row)
        flows = [_artefact(page, item, wide - 2 * sheet.pad) for item in row]
        high = max(flow.height for flow in flows) + 2 * sheet.pad
        for i, (item, flow) in enumerate(zip(row, flows, strict=True)):
            page.add(page.card(item.id, flow, page.x0 + i * (wide + gap), page.y, wide, high))
        page.y += high


def _artefact(page: Page, item: Item, wide: float) -> Flow:
    sheet, data = page.sheet, item.data
    flow = page.flow(wide, sheet.surface_2)
    if data.badge:
        flow.badge(f"{item.ref}.badge", data.badge, sheet.accent())
        flow.skip(sheet.pad * 0.4)
    top = flow.height
    flow.text(f"{item.ref}.title", data.title, "title", most=4, indent=24)
    title = flow.nodes[-1]
    assert isinstance(title, Text)
    flow.nodes.append(_paper(top + title.font.size * title.font.lead / 2, sheet.line(sheet.accent())))
    if data.body:
        flow.text(f"{item.ref}.body", data.body, "body", flow.ground.muted, gap=sheet.pad * 0.3, most=12)
    return flow.bullets(f"{item.ref}.detail", data.detail, sheet.accent(), gap=sheet.pad * 0.45)


def _paper(middle: float, colour: str) -> Ornament:
    """A sheet with a cut corner."""
    top, bottom = middle - 8, middle + 8
    corners = ((1.0, top), (9.0, top), (13.0, top + 4), (13.0, bottom), (1.0, bottom))
    return Ornament("polygon", 1, top, 12, 16, stroke=colour, stroke_width=1.6, points=corners)
