"""Parts that the layouts of a memory map share: addresses, headings, info cards."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.compiler.bind import Item
from experiments.compiler.flow import Flow
from experiments.compiler.metric import width
from experiments.compiler.page import Page
from experiments.compiler.sheet import Ground
from experiments.compiler.tree import Text
from experiments.violation import Violation

NUDGE = 10.0  # px from the edge of a block to the middle of its address
PITCH = 4.0  # px between two addresses at the least


def read_offsets(page: Page, blocks: int) -> list[tuple[str, str]]:
    """(path, words) of each address. Counts choose blocks, and with them their addresses: the start of each, and the end where the
    content states it. A scene without counts draws every address that there is.
    """
    strip = page.bound.one("address_strip")
    if strip is None:
        return []
    every = [(f"{strip.ref}.{i}", words) for i, words in enumerate(strip.data)]
    if not page.bound.scene.form:
        return every
    if len(every) < blocks:
        page.issues.append(
            Violation(
                f"content.{strip.ref}",
                f"{len(every)} offsets",
                f"one for each of the {blocks} blocks, or one more",
            )
        )
    return every[: blocks + 1]


def is_tied(count: int, blocks: int) -> bool:
    """Whether that many addresses are the starts of the blocks, with or without the end; others only divide the strip evenly."""
    return count in (0, blocks, blocks + 1)


def levels(count: int, edges: Sequence[float], nudge: float = NUDGE) -> list[float]:
    """The middles of that many addresses beside blocks with these edges, the last of them the end of the strip."""
    top, end = edges[0], edges[-1]
    if is_tied(count, len(edges) - 1):
        return [edge + (nudge if edge < end else -nudge) for edge in edges[:count]]
    return [top + nudge + (end - top - 2 * nudge) * i / max(1, count - 1) for i in range(count)]


def least_height(page: Page, count: int, blocks: int) -> float:
    """How high a block must be so that addresses that are not tied to blocks find room beside them, px."""
    font = page.sheet.fonts["code"]
    return 0.0 if is_tied(count, blocks) else (count * (font.size * font.lead + PITCH) + 2 * NUDGE) / blocks


def set_address(
    page: Page, path: str, words: str, x: float, y: float, w: float, ground: Ground, anchor: str = "end"
) -> Text:
    """An address, centred on the height `y`."""
    flow = page.flow(w, ground)
    font, lines = flow.fit(path, words, page.sheet.fonts["code"], w, 1)
    high = font.size * font.lead
    return Text(path, x, y - high / 2, w, high, lines, font, ground.muted, anchor)


def add_heading(page: Page, flow: Flow, item: Item, accent: str) -> None:
    """Title at the left and size at the right of one line, or below each other where they do not fit beside."""
    sheet, data = page.sheet, item.data
    size = getattr(data, "size", None)
    title, code = sheet.fonts["title"], sheet.fonts["code"]
    if not size:
        flow.text(f"{item.ref}.title", data.title, "title", most=3)
        return
    wide = width(size, code.face, code.size)
    if width(data.title, title.face, title.size) + wide + 16 > flow.width:
        flow.text(f"{item.ref}.title", data.title, "title", most=3)
        flow.text(f"{item.ref}.size", size, "code", accent, gap=2, most=2)
        return
    top = flow.height
    flow.text(f"{item.ref}.title", data.title, "title", most=1)
    text = flow.nodes[-1]
    assert isinstance(text, Text)
    text.w = flow.width - wide - 8
    high = code.size * code.lead
    flow.nodes.append(
        Text(
            f"{item.ref}.size",
            flow.width - wide,
            top + (text.h - high) / 2,
            wide,
            high,
            (size,),
            code,
            flow.ground.text(accent),
            "end",
        )
    )


def _card_flow(page: Page, item: Item, wide: float, index: int) -> Flow:
    sheet, card = page.sheet, item.data
    accent = sheet.accent(index)
    flow = page.flow(wide - 2 * sheet.pad, sheet.surface_2)
    flow.text(f"{item.ref}.title", card.title, "title", accent, most=2)
    if card.items:
        flow.bullets(f"{item.ref}.items", card.items, accent, "body", gap=sheet.pad * 0.4)
    if card.lines:
        flow.code(f"{item.ref}.lines", card.lines, gap=sheet.pad * 0.5)
    return flow


def add_card_column(page: Page, x: float, y: float, wide: float, most: float) -> float:
    """Cards below each other; they share what little is missing to the height `most`. Returns where they end."""
    sheet = page.sheet
    flows = [(item, _card_flow(page, item, wide, i)) for i, item in enumerate(page.bound.all("info_card"))]
    gap = sheet.gap * 0.7
    need = sum(flow.height + 2 * sheet.pad for _, flow in flows) + gap * (len(flows) - 1)
    spare = (most - need) / len(flows)
    spare = spare if 0 < spare <= 44 else 0.0  # line up with the tower where little is missing
    for item, flow in flows:
        high = flow.height + 2 * sheet.pad + spare
        page.add(page.card(item.id, flow, x, y, wide, high))
        y += high + gap
    return y - gap


def add_card_row(page: Page) -> None:
    """Cards side by side at the cursor, equally high; two rows where there are more than three."""
    sheet, cards = page.sheet, page.bound.all("info_card")
    columns = len(cards) if len(cards) <= 3 else (len(cards) + 1) // 2
    for start in range(0, len(cards), max(columns, 1)):
        row = cards[start : start + columns]
        page.y += sheet.gap
        wide = (page.room - sheet.gap * 0.8 * (len(row) - 1)) / len(row)
        flows = [_card_flow(page, item, wide, start + i) for i, item in enumerate(row)]
        high = max(flow.height for flow in flows) + 2 * sheet.pad
        for i, (item, flow) in enumerate(zip(row, flows, strict=True)):
            page.add(page.card(item.id, flow, page.x0 + i * (wide + sheet.gap * 0.8), page.y, wide, high))
        page.y += high
