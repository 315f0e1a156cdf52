"""Longhand blocks: a component whose content is referred to field by field, `[title_ref:nodes.a.title] [body_ref:nodes.a.body]`.

People's older scenes are written so. `fold` turns each such block into the one reference that says the same here, `[ref:nodes.a]`:
all fields must lie under one piece of content, be fields that the component's content has, and list entries must count up from 0.
Two limits follow from a scene holding one reference to a piece: the whole piece is drawn, also a field that the block left
out; and a block without an id takes the last step of its reference as its id. The states of a table's rows are kept
(`Component.states`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from experiments import block
from experiments.family import Kind
from experiments.style import STATES
from experiments.tag import Reader, Tag, check_value
from experiments.violation import shorten

# What a field's tag (without its _ref) refers to inside the piece of content. `*` stands for a position in a list.
FIELDS = {
    **{name: name for name in ("kicker", "headline", "subtitle", "title", "body", "note", "label", "size", "caption", "tone")},
    "detail": "detail.*", "subregion": "parts.*", "bullet": "items.*", "code": "lines.*", "offset": "*", "branch_label": "",
    "legend_title": "title", "legend_note": "note", "legend_warning": "warning", "legend_item": "items.*",
    "block_title": "title", "block_caption": "caption",
}  # fmt: skip
TABLE = ("table_header", "table_row")  # blocks inside a table block; their [cell_ref:]s are header.* and rows.ROW.*


def fold(
    reader: Reader, tags: Sequence[Tag], kinds: Mapping[str, Kind]
) -> tuple[list[Tag], dict[int, tuple[str, ...]]]:
    """The tags between a scene's attributes and its end, with every longhand block in the short spelling; and by the position
    of a block's opening tag, the states of the rows that it states any of.
    """
    folded: list[Tag] = []
    stated: dict[int, tuple[str, ...]] = {}
    at = 0
    while at < len(tags):
        kind = kinds.get(tags[at].name) if not tags[at].closing else None
        end = next((i for i in range(at, len(tags)) if kind and tags[i].text == f"[/{kind.name}]"), None)
        if kind is None or end is None or not any(_is_longhand(kind, tag) for tag in tags[at + 1 : end]):
            folded.append(tags[at])
            at += 1
            continue
        inner, states = _fold_block(reader, kind, tags[at + 1 : end])
        folded += [tags[at], *inner, tags[end]]
        if any(states):
            stated[tags[at].position] = tuple(states)
        at = end + 1
    return folded, stated


def _is_longhand(kind: Kind, tag: Tag) -> bool:
    return tag.name.endswith("_ref") and tag.name not in {field.tag for field in block.fields(kind)}


def _fold_block(reader: Reader, kind: Kind, tags: Sequence[Tag]) -> tuple[list[Tag], list[str]]:
    """The tags of one block in the short spelling, and the state of each row, empty where it has none."""
    own = {field.tag for field in block.fields(kind)}
    kept: list[Tag] = []
    piece: str | None = None
    seen: Counter[str] = Counter()
    states: list[str] = []
    inside = ""
    for tag in tags:
        if tag.name in own:
            kept.append(tag)
        elif tag.name in TABLE and tag.value is None and kind.name == "table_block":
            if tag.name == "table_row" and not tag.closing:
                states.append("")
            inside = "" if tag.closing else "header" if tag.name == "table_header" else f"rows.{len(states) - 1}"
        elif tag.name == "row_state" and inside.startswith("rows"):
            if states[-1]:
                reader.report(tag, f"a second {shorten(tag.text)}", "one state in a row")
            states[-1] = check_value(reader, tag, STATES) or ""
        else:
            suffix = _suffix(kind, tag, inside, seen)
            start = (tag.value or "").removesuffix(f".{suffix}" if suffix else "")
            if suffix is None:
                reader.report(tag, shorten(tag.text), f"a field of a {kind.name}'s content")
            elif piece is None and (start != tag.value or not suffix):
                piece = start
                kept.append(replace(tag, name=kind.ref_tag or "ref", value=piece, text=f"[{kind.ref_tag}:{piece}]"))
            elif start != piece or start == tag.value:
                place = f"{piece or 'PIECE'}.{suffix}"
                reader.report(tag, shorten(tag.text), f"[{tag.name}:{place}], in order and of one piece of content")
    if piece and kind.id_tag and kind.id_tag not in {tag.name for tag in kept}:
        name = piece.rpartition(".")[2]
        kept.insert(0, replace(tags[0], name=kind.id_tag, value=name, text=f"[{kind.id_tag}:{name}]"))
    return kept, states


def _suffix(kind: Kind, tag: Tag, inside: str, seen: Counter[str]) -> str | None:
    """Where a field's reference must end, list positions counted; None where the component has no such field."""
    known = f"{inside}.*" if inside and tag.name == "cell_ref" else FIELDS.get(tag.name.removesuffix("_ref"))
    if known is None or not tag.name.endswith("_ref") or tag.closing:
        return None
    head = known.partition(".")[0]
    fits = {name for shape in kind.data for name in getattr(shape, "model_fields", ())}
    if (head not in ("", "*") and head not in fits) or (head == "*" and tuple not in kind.data):
        return None
    seen[known] += 1
    return known.replace("*", str(seen[known] - 1))
