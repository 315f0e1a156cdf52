"""Layout of a pipeline: lanes of numbered cards with a line for each phase over them; cards, pills and callouts below.

Which card is where comes first (`_Lanes`), then every connection is routed: straight between neighbours, round the ends from lane to
lane, and below the cards for all others (`route.py`).
"""

from __future__ import annotations

from experiments.compiler import piece
from experiments.compiler.bind import Bound, Item
from experiments.compiler.flow import Flow
from experiments.compiler.page import Page
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Box, Ornament, Text, Tree
from experiments.families.pipeline_lane.route import Routes

LEAST = 190.0  # px a card
LINE = 4.0  # px, a phase's line


def lay_out(bound: Bound, sheet: Sheet, summary: str) -> Tree:
    page = Page(bound, sheet)
    page.header()
    _Lanes(page).draw()
    for run in piece.runs(bound.all("section_card", "badge_pill", "callout_card")):
        page.y += sheet.gap
        if run[0].part.kind == "badge_pill":
            piece.pills(page, run)
        else:
            piece.cards(page, run, 3 if len(run) % 3 == 0 and page.width >= 1000 else 2)
    piece.footer(page)
    return page.finish(summary)


class _Lanes:
    """The stages in rows, with what lies over, between and below them."""

    def __init__(self, page: Page) -> None:
        self.page, self.items = page, page.bound.all("stage_card")
        self.gap = page.sheet.gap * 0.5 + 30
        most = min(int(page.sheet.style.columns or 4), int((page.room + self.gap) // (LEAST + self.gap)))
        rows = -(-len(self.items) // max(most, 1))
        self.columns = -(-len(self.items) // rows)
        self.divider = page.bound.one("phase_divider")
        self.cut = self._cut(rows)

    def _cut(self, rows: int) -> int:
        """How many stages the first phase has: those before the divider in the scene, or about half where it stands at an end."""
        kinds = [item.part.kind for item in self.page.bound.items if item.part.kind in ("stage_card", "phase_divider")]
        at = kinds.index("phase_divider") if self.divider else 0
        return at if 0 < at < len(self.items) else self.columns * (rows // 2) if rows > 1 else -(-len(self.items) // 2)

    def draw(self) -> None:
        page = self.page
        routes = Routes(page, len(self.items), self.columns)
        boxes: list[Box] = []
        tops = []
        for row, start in enumerate(range(0, len(self.items), self.columns)):
            page.y += page.sheet.gap * 0.6 if row else 0
            tops.append(page.y)
            boxes += self._row(start)
            routes.floors.append(page.y)
            page.y += routes.depth(row)
        page.add(*boxes, *routes.links(boxes))

    def _row(self, start: int) -> list[Box]:
        """One lane: phases, cards of one height, and the dividing line where a phase ends inside it."""
        page, sheet = self.page, self.page.sheet
        items = self.items[start : start + self.columns]
        wide = (page.room - self.gap * (len(items) - 1)) / len(items)
        if self.divider:
            self._phases(self.divider, start, len(items), wide)
        flows = [self._words(item, start + i, wide - 2 * sheet.pad) for i, item in enumerate(items)]
        high = max(flow.height for flow in flows) + 2 * sheet.pad
        cards = []
        for i, (item, flow) in enumerate(zip(items, flows, strict=True)):
            cards.append(page.card(item.ref, flow, page.x0 + i * (wide + self.gap), page.y, wide, high))
        if self.divider and 0 < self.cut - start < len(items):
            x, half = cards[self.cut - start].x - self.gap / 2, high / 2 - 12
            for y in (page.y, page.y + high / 2 + 12):
                page.add(Ornament("line", x, y, 0, half, stroke=sheet.wire, stroke_width=1.5, dash="6 5"))
        page.y += high
        return cards

    def _phases(self, item: Item, start: int, count: int, wide: float) -> None:
        """A line over the cards of each phase in this lane; its name where the phase begins."""
        page, sheet = self.page, self.page.sheet
        spans = [(0, min(self.cut, start + count), "left"), (max(self.cut, start), start + count, "right")]
        texts: list[Text] = []
        lines = []
        for number, (first, last, name) in enumerate(spans):
            begin = max(first, start)
            if last <= begin:
                continue
            colour = sheet.accent() if number == 0 else sheet.second
            x, room = page.x0 + (begin - start) * (wide + self.gap), (last - begin) * (wide + self.gap) - self.gap
            lines.append((x, room, sheet.line(colour)))
            if (name == "left" and start == 0) or (name == "right" and begin == self.cut):
                fitted = page.flow(room).fit(item.at(name), getattr(item.data, name), sheet.fonts["strong"], room, 2)
                texts.append(Text.at(item.at(name), x, page.y, room, fitted, sheet.canvas.text(colour)))
        high = max((text.h for text in texts), default=0.0)
        for text in texts:
            text.y += high - text.h
        page.y += high + 4
        page.add(*texts, *(Ornament("rect", x, page.y, w, LINE, fill=fill, radius=LINE / 2) for x, w, fill in lines))
        page.y += LINE + sheet.gap * 0.4

    def _words(self, item: Item, index: int, wide: float) -> Flow:
        """Number and title side by side, the caption below."""
        page, sheet, data = self.page, self.page.sheet, item.data
        colour = sheet.named(data.accent, index)
        flow = page.flow(wide, sheet.surface)
        size = sheet.fonts["title"].size * 1.75
        name = f"{item.at('title')} number"
        flow.nodes.append(
            page.labels.number(name, name, index + 1, "title", size, size, sheet.line(colour), size * 0.3)
        )
        room = wide - size - 10
        fitted = flow.fit(item.at("title"), data.title, sheet.fonts["title"], room, 5, True)
        text = Text.at(item.at("title"), size + 10, 0, room, fitted, flow.ground.ink)
        text.y = max(0.0, (size - text.h) / 2)
        flow.nodes.append(text)
        flow.height = max(size, text.h)
        if data.caption:
            flow.text(item.at("caption"), data.caption, "body", flow.ground.muted, gap=sheet.pad * 0.5, most=8)
        return flow
