"""Table matrix: grouped tables with a legend, row states and closing notes. No forms: its scenes come from the scene
surfaces.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from experiments.compiler.bind import Bound
from experiments.compiler.sheet import Sheet
from experiments.compiler.tree import Tree
from experiments.content import Footer, Header, Legend, Shape, Short, State, Words
from experiments.families.table_matrix.layout import lay_out
from experiments.family import Family, Kind, by_name


class Row(Shape):
    """A row of cells; a bare list is read as `{"cells": list}`."""

    cells: tuple[Short, ...] = Field(min_length=2, max_length=6)
    state: State = "normal"

    @model_validator(mode="before")
    @classmethod
    def _read_list(cls, value: Any) -> Any:
        return {"cells": value} if isinstance(value, list) else value


class Group(Shape):
    """One table: every row has as many cells as the header."""

    title: Short
    caption: Words | None = None
    header: tuple[Short, ...] = Field(min_length=2, max_length=6)
    rows: tuple[Row, ...] = Field(min_length=1, max_length=24)

    @model_validator(mode="after")
    def _check_cells(self) -> Group:
        for i, row in enumerate(self.rows):
            if len(row.cells) != len(self.header):
                raise ValueError(f"row {i} has {len(row.cells)} cells, expected {len(self.header)} as in the header")
        return self


class Content(Shape):
    header: Header
    legend: Legend | None = None
    groups: tuple[Group, ...] = Field(min_length=1, max_length=8)
    notes: tuple[Footer, ...] = Field(default=(), max_length=3)
    footer: Footer | None = None


class TableMatrix(Family):
    name = "table_matrix"
    title = "Table"
    content = Content
    kinds = by_name(
        Kind("header_band", 0, (Header,), at_least=1, at_most=1),
        Kind("legend_block", 1, (Legend,), at_most=1),
        Kind("table_block", 2, (Group,), at_least=1, at_most=8),
        Kind("note_band", 3, (Footer,), at_most=3),
        Kind("footer_note", 4, (Footer,), at_most=1),
    )

    def draw(self, bound: Bound, sheet: Sheet) -> Tree:
        return lay_out(bound, sheet, self.summary(bound))


FAMILY = TableMatrix()
