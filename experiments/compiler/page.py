"""The sheet of paper a family draws on: canvas, header, footer, a cursor that moves down, and the finished tree.

A page owns what all families share. It grows downwards with its content; families may ask for more width. It does not
know any family.
"""

from __future__ import annotations

from experiments.compiler.bind import Bound, Item
from experiments.compiler.flow import Flow
from experiments.compiler.label import Labeller
from experiments.compiler.sheet import Ground, Sheet
from experiments.compiler.tree import Box, Link, Node, Ornament, Tree, move, walk
from experiments.content import Footer, Header
from experiments.violation import Violation

MAX_SIDE = 6000.0  # px
BENDS = {"curve": 24.0, "bracket": 0.0}  # corner radius of connectors, px; each link's own for the others
SPLIT = 0.6  # share of a split header that its headline takes
HEADLESS = ("line", "bracket")


class Page:
    """One picture in the making: `x0..x1` is the room between the margins, `y` the cursor."""

    def __init__(self, bound: Bound, sheet: Sheet, width: float | None = None) -> None:
        self.bound, self.sheet = bound, sheet
        self.issues: list[Violation] = bound.issues
        self.width = max(width or 0.0, sheet.width)
        self.framed = sheet.style.frame in ("card", "panel")
        rim = 14.0 if self.framed else 0.0
        self.x0, self.x1 = sheet.margin + rim, self.width - sheet.margin - rim
        self.y = sheet.margin + rim - 4
        self.rim = rim
        self.nodes: list[Node] = []
        self.labels = Labeller(sheet, self.issues)

    @property
    def room(self) -> float:
        """Width between the margins, px."""
        return self.x1 - self.x0

    def add(self, *nodes: Node) -> None:
        self.nodes.extend(nodes)

    def flow(self, width: float, ground: Ground | None = None) -> Flow:
        """An empty column for this page."""
        return Flow(self.sheet, ground or self.sheet.canvas, width, self.issues)

    def card(
        self,
        path: str,
        flow: Flow,
        x: float,
        y: float,
        w: float,
        h: float,
        stroke: str | None = None,
        pad: float | None = None,
        top: float = 0.0,
    ) -> Box:
        """A card around a flow, on the flow's ground; `top` adds space above the words. Not yet added."""
        inset = self.sheet.pad if pad is None else pad
        radius = min(self.sheet.radius, h / 2)
        box = Box(path, x, y, w, h, flow.ground.fill, stroke or self.sheet.border, 1.2, radius)
        box.children = flow.place(x + inset, y + inset + top)
        return box

    def header(self) -> None:
        """Kicker, headline and subtitle of the scene's `header_band`, with an accent bar at the left. Where the style's hero says so, in the
        middle with the bar below, or split: the subtitle beside the headline. The style's rail may make the bar quiet or leave it out.
        """
        sheet, item = self.sheet, self.bound.one("header_band")
        if item is None:
            return
        centred = sheet.style.hero == "center"
        bar = 6.0
        inset = 0.0 if centred or sheet.style.rail == "none" else bar + sheet.pad * 0.8
        room = self.room - (bar + sheet.pad if inset else 0.0)
        flow = (
            self._split(item, room) if self._splits(item) else self._title(item, room, "middle" if centred else "start")
        )
        if sheet.style.rail != "none":
            fill = sheet.theme.muted if sheet.style.rail == "muted" else sheet.named(item.data.accent)
            if centred:
                flow.skip(sheet.gap * 0.4)
                flow.nodes.append(Ornament("rect", self.room / 2 - 36, flow.height, 72, 5, fill=fill, radius=2.5))
                flow.height += 5
            else:
                self.add(Ornament("rect", self.x0, self.y + 4, bar, flow.height - 6, fill=fill, radius=bar / 2))
        box = Box(item.ref, self.x0 + inset, self.y, self.room - inset, flow.height)
        box.children = flow.place(box.x, box.y)
        self.add(box)
        self.y += flow.height + sheet.gap

    def _splits(self, item: Item) -> bool:
        return self.sheet.style.hero == "split" and bool(item.data.subtitle)

    def _split(self, item: Item, room: float) -> Flow:
        """Kicker and headline at the left, the subtitle at the right of a thin rule, in the middle of their height."""
        sheet, left = self.sheet, room * SPLIT
        right = room - left - sheet.gap * 1.6
        flow, beside = self._title(item, left, "start", False), self.flow(right)
        beside.text(item.at("subtitle"), item.data.subtitle, "subtitle", sheet.canvas.muted, most=4)
        high, x = max(flow.height, beside.height), left + sheet.gap * 0.8
        move(flow.nodes, 0, (high - flow.height) / 2)
        flow.nodes += beside.place(x + sheet.gap * 0.8, (high - beside.height) / 2)
        flow.nodes.append(Ornament("line", x, 4, 0, high - 8, stroke=sheet.wire, stroke_width=1.5))
        flow.height = high
        return flow

    def _title(self, item: Item, room: float, anchor: str, subtitle: bool = True) -> Flow:
        """The words of a header."""
        sheet, header = self.sheet, item.data
        assert isinstance(header, Header)
        flow = self.flow(room)
        if header.kicker:
            flow.text(item.at("kicker"), header.kicker, "kicker", sheet.named(header.accent), most=1, anchor=anchor)
        flow.text(
            item.at("headline"), header.headline, "headline", gap=sheet.gap * 0.2, most=2, anchor=anchor, even=True
        )
        if header.subtitle and subtitle:
            muted = sheet.canvas.muted
            flow.text(item.at("subtitle"), header.subtitle, "subtitle", muted, sheet.gap * 0.22, 3, anchor)
        return flow

    def footer(self, kind: str = "footer_note") -> None:
        """Each footer of that kind: a note, or a title with a body, in a quiet band with an accent edge."""
        for item in self.bound.all(kind):
            self.y += self.sheet.gap * 0.9
            self.band(item.ref, item.data, self.x0, self.room)

    def band(self, path: str, footer: object, x: float, w: float) -> Box:
        """A full-width note at the cursor."""
        assert isinstance(footer, Footer)
        sheet, pad = self.sheet, self.sheet.pad
        ground = sheet.surface_2
        flow = self.flow(w - 2 * pad - 6, ground)
        if footer.title:
            flow.text(f"{path}.title", footer.title, "title", most=2)
        for part in ("body", "note"):
            words = getattr(footer, part)
            if words:
                flow.text(
                    f"{path}.{part}", words, "body", ground.muted if footer.title else None, gap=pad * 0.2, most=6
                )
        high = flow.height + 1.5 * pad
        box = Box(path, x, self.y, w, high, ground.fill, sheet.border, 1.2, min(sheet.radius, high * 0.32))
        box.add(
            Ornament("rect", x + pad * 0.7, self.y + pad * 0.75, 5, high - pad * 1.5, fill=sheet.accent(), radius=2.5)
        )
        box.add(*flow.place(x + pad + 12, self.y + pad * 0.75))
        self.add(box)
        self.y += high
        return box

    def finish(self, summary: str, title: str = "") -> Tree:
        """The tree; the canvas ends one margin below the cursor. `title` is for pictures without a header band."""
        sheet = self.sheet
        height = float(round(self.y + sheet.margin + self.rim))
        if height > MAX_SIDE or self.width > MAX_SIDE:
            self.issues.append(
                Violation(
                    "content",
                    f"a picture of {self.width:.0f} x {height:.0f} px",
                    f"at most {MAX_SIDE:.0f}; shorten the texts",
                )
            )
        root = Box("canvas", 0, 0, self.width, height)
        if self.framed:
            root.add(self._frame(height))
            frame = root.children[0]
            assert isinstance(frame, Box)
            frame.children = self.nodes
        else:
            root.children = self.nodes
        self._dress_links(root)
        header = self.bound.one("header_band")
        title = (
            header.data.headline
            if header is not None and isinstance(header.data, Header)
            else title or self.bound.scene.family.replace("_", " ")
        )
        if header is not None and isinstance(header.data, Header) and header.data.subtitle:
            summary = f"{header.data.subtitle} {summary}"
        return Tree(
            self.width,
            height,
            sheet.theme.canvas,
            sheet.canvas.fills,
            sheet.pattern(self.width, height),
            root,
            title,
            summary,
        )

    def _dress_links(self, root: Box) -> None:
        """Connectors as the style asks for them: without heads, with wide or with sharp corners. Dashes are the sheet's."""
        connector = self.sheet.style.connector
        if connector in BENDS or connector in HEADLESS:
            for link in (node for node in walk(root) if isinstance(node, Link)):
                link.head = link.head and connector not in HEADLESS
                link.bend = BENDS.get(connector or "", link.bend)

    def _frame(self, height: float) -> Box:
        """The outer frame: a filled panel, or a card's outline."""
        sheet, edge = self.sheet, sheet_edge(self.sheet)
        return Box("frame", edge, edge, self.width - 2 * edge, height - 2 * edge, None, sheet.border, 1.5, sheet.radius)


def sheet_edge(sheet: Sheet) -> float:
    """Distance of the outer frame from the canvas border, px."""
    return sheet.margin * 0.4
