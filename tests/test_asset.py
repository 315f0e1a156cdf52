"""Asset families: how their components are spelled and what is refused, any numbers of them drawn, and bars as long as their values."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from experiments import case, compiler, families
from experiments.compiler import CompileError
from experiments.compiler.inline import humanise
from experiments.compiler.quantity import Quantity, quantity, scale
from experiments.scene import Component, Scene
from experiments.style import BACKGROUNDS, DENSITIES, THEMES, TONES, Style
from experiments.surfaces import SurfaceError, asset, compact, dotted, keyed

FULL = os.environ.get("CKTRACK_FULL") == "1"
STYLES = [Style(*axes) for axes in product(THEMES, TONES, DENSITIES, BACKGROUNDS)]
WORDS = [
    "a",
    "of",
    "gate",
    "retry",
    "MMMMMMMM",
    "configuration",
    "0xFFFFFFFF",
    "version/v1/reports",
    "generated_train_summary",
]

# ---- components with a field for each of their words

DOTTED = """[scene] [layout:comparison_span_chart] [theme:infra_dark] [tone:green] [density:airy] [topic:demo]
    [header_band:@title.kicker|@title.headline] [compare_bar:@bars.0.label|@bars.0.value|accent=@bars.0.colour|note=@bars.0.note]
    [compare_bar:@bars.1.label|@bars.1.value|@bars.1.caption|accent=amber] [legend_row:amber=@words.a|green=@words.b] [divider:dash]
    [thesis_box:@thesis.title] [/scene]"""
PAYLOAD_FAULTS = {
    "words in place of a reference": ("@bars.0.label", "GPU_path", 8, "words are not of this surface"),
    "a reference that is none": ("@bars.0.label", "@bars..label", 8, "@title.headline"),
    "too many arguments": ("@title.headline", "@title.headline|@a|@b", 7, "kicker|headline|subtitle"),
    "an unknown name": ("|note=@bars.0.note", "|nota=@bars.0.note", 8, "did you mean `note`"),
    "a field twice": ("accent=amber", "accent=amber|accent=green", 9, "compare_bar:"),
    "a value that is none": ("accent=amber", "accent=pink", 9, "one of amber"),
    "a rule that is none": ("[divider:dash]", "[divider:wavy]", 11, "dash"),
    "a missing field": ("|@bars.1.value|@bars.1.caption", "", 9, "its `value`"),
    "a bar too few": ("[compare_bar:@bars.1.label|@bars.1.value|@bars.1.caption|accent=amber] ", "", None, "at least 2"),
    "no thesis": ("[thesis_box:@thesis.title] ", "", None, "thesis_box"),
    "a foreign component": ("[divider:dash]", "[stage_card:@a]", 11, "stage_card"),
    "empty": ("[divider:dash]", "[divider:]", 11, "without"),
}  # fmt: skip


@pytest.mark.parametrize("fault", PAYLOAD_FAULTS)
def test_payload_fault_is_named(fault: str) -> None:
    old, new, position, needle = PAYLOAD_FAULTS[fault]
    scene = dotted.parse(DOTTED)
    assert scene.components[1].fields[2:] == (("accent", "bars.0.colour"), ("note", "bars.0.note"))
    assert keyed.parse(keyed.format(scene)) == scene and old in DOTTED
    with pytest.raises(SurfaceError) as caught:
        dotted.parse(DOTTED.replace(old, new))
    assert [v for v in caught.value.violations if needle in str(v) and v.token == position], str(caught.value)


WHOLE = """[scene] [layout:decision_tree] [topic:demo] [header_band:@header] [entry_badge:@entry] [decision_node:a|@nodes.a]
    [outcome_panel:b|@outcomes.b] [decision_edge:a->b|@edges.a_b] [/scene]"""
WHOLE_FAULTS = {
    "a bare reference": ("a|@nodes.a", "a|nodes.a", "a reference such as `@nodes.a`"),
    "no reference": ("a|@nodes.a", "a", "[decision_node:id|@ref]"),
    "a word": ("@edges.a_b", "yes", "a reference such as `@yes`"),
    "a path that is none": ("@edges.a_b", "@edges..b", "a reference"),
    "a part of another spelling": ("[entry_badge:@entry]", "[compare_bar:@entry]", "a component"),
}


@pytest.mark.parametrize("fault", WHOLE_FAULTS)
def test_a_piece_of_content_has_one_path(fault: str) -> None:
    """Components whose content is a piece: as on the compact surface, with the sign before each path."""
    old, new, needle = WHOLE_FAULTS[fault]
    scene = dotted.parse(WHOLE)
    assert (
        scene == compact.parse(WHOLE.replace("@", "")) and dotted.parse(dotted.format(scene)) == scene and old in WHOLE
    )
    with pytest.raises(SurfaceError) as caught:
        dotted.parse(WHOLE.replace(old, new))
    assert any(needle in str(v) for v in caught.value.violations), str(caught.value)


KEYED_FAULTS = {
    "no reference": (" @bars.0.label", "", "without a reference"),
    "fields out of order": ("[field:label] @bars.0.label", "[field:value] @a [field:label] @bars.0.label", "in the order"),
    "an unknown field": ("[field:note]", "[field:nota]", "did you mean `note`"),
    "words": ("@bars.0.label", "GPU", "a tag such as"),
    "a value that is none": ("[accent:amber]", "[accent:pink]", "one of amber"),
    "a block left open": ("[/legend_row] ", "", "[/legend_row]"),
}  # fmt: skip


@pytest.mark.parametrize("fault", KEYED_FAULTS)
def test_keyed_fault_is_named(fault: str) -> None:
    old, new, needle = KEYED_FAULTS[fault]
    text = keyed.format(dotted.parse(DOTTED))
    assert old in text
    with pytest.raises(SurfaceError) as caught:
        keyed.parse(text.replace(old, new, 1))
    assert any(needle in str(v) for v in caught.value.violations), str(caught.value)


def test_people_may_leave_out_style_attributes() -> None:
    scene = dotted.parse(
        DOTTED.replace("[theme:infra_dark] [tone:green] [density:airy] [topic:demo]", "[density:airy] [tone:green]")
    )
    assert scene.style == Style(tone="green", density="airy") and dotted.parse(dotted.format(scene)) == scene
    text = keyed.format(replace(scene, topic="demo"))
    with pytest.raises(SurfaceError, match="after"):
        keyed.parse(text.replace("[theme:infra_dark] [tone:green]", "[tone:green] [theme:infra_dark]"))


def test_inline_words_are_the_scenes_own_content() -> None:
    """Words with signs that the spelling uses elsewhere, a field left out in the middle, and what cannot be written."""
    text = """[scene] [layout:poster_stack] [theme:infra_dark] [tone:green] [density:airy] [background:none] [topic:demo]
        [header_band:a=b|Two_words] [section_card:x:y|caption=note->here|accent=blue] [section_card:b|c|d]
        [section_card:e] [section_card:f] [/scene]"""
    scene = asset.parse(text)
    assert asset.format(scene) == " ".join(text.split())
    assert dict(scene.words)["header_band.0.headline"] == "Two words"
    assert dict(scene.words)["section_card.0.caption"] == "note->here" and not any(
        "Two" in str(c) for c in scene.components
    )
    for bad in ("under_score", "a|b", "[x]", "two  spaces", "@ref", "", "headline=x"):
        with pytest.raises(SurfaceError):
            asset.format(replace(scene, words=(("header_band.0.kicker", bad), *scene.words[1:])))
    with pytest.raises(SurfaceError):
        keyed.format(scene)
    with pytest.raises(SurfaceError):
        asset.format(replace(scene, words=()))


def test_words_that_look_like_a_field_are_words_where_the_component_has_no_such_field() -> None:
    """And refused where it has: by what is written, nobody could tell."""
    text = """[scene] [layout:dual_panel_compare] [theme:infra_dark] [tone:green] [density:airy] [background:none] [topic:demo]
        [header_band:a|b] [compare_panel:A|note=5] [compare_panel:B|c] [callout_card:x|note=said] [/scene]"""
    scene = asset.parse(text)
    assert dict(scene.words)["compare_panel.0.value"] == "note=5" and asset.parse(asset.format(scene)) == scene
    with pytest.raises(SurfaceError, match="words that do not begin with the name of a field"):
        asset.parse(text.replace("note=said", "note=accent=warning"))


def test_a_prompt_leaves_out_what_the_family_derives() -> None:
    one = case.load("comparison_span_chart", "weight_formats")
    base = (
        "[task:svg] [layout:comparison_span_chart] [topic:weight_formats] [theme:infra_dark] [tone:blue] [density:airy]"
    )
    assert keyed.prompt(one.scene(Style(density="airy"))) == f"{base} [OUT]"
    assert keyed.prompt(one.scene(Style(density="airy", inset="sm"))) == f"{base} [inset:sm] [OUT]"
    assert dotted.prompt(one.scene(Style(density="airy"))) == f"{base} [frame:card] [background:none] [OUT]"


# ---- drawing


def any_asset_scene(name: str, draw: random.Random) -> tuple[Scene, dict[str, object]]:
    """A scene of an asset family with any numbers of components, in any order that ranks allow, and words of any length."""
    family = families.load(name)
    content: dict[str, list[dict[str, str]]] = {}
    parts: list[Component] = []
    for kind in family.kinds.values():
        for i in range(draw.randint(kind.at_least, min(kind.at_most, kind.at_least + 4))):
            slots = [slot for slot in kind.slots if slot.required or draw.random() < 0.6]
            opened = [slot for slot in slots or kind.slots[:1] if not slot.legal]
            entry = {slot.name: " ".join(draw.choices(WORDS, k=draw.choice((1, 2, 3, 6)))) for slot in opened}
            if "value" in entry and draw.random() < 0.7:
                entry["value"] = f"{draw.choice((1, 7, 40, 2500))} GB"
            content.setdefault(kind.name, []).append(entry)
            closed = tuple((slot.name, draw.choice(slot.legal)) for slot in slots if slot.legal)
            fields = tuple((slot, f"{kind.name}.{i}.{slot}") for slot in entry)
            own = {"id": f"stage_{i + 1}" if kind.id_tag else None}
            ends = {"source": f"stage_{i + 1}", "target": f"stage_{i + 2}"} if kind.end_tags else {}
            parts.append(Component(kind.name, attributes=closed, fields=fields, **own, **ends))
    stages = sum(part.kind == "stage_card" for part in parts)
    parts = [part for part in parts if part.kind != "flow_arrow" or int((part.target or "_0").split("_")[1]) <= stages]
    for part in [part for part in parts if part.kind == "curved_connector"]:
        parts.remove(part)
        pair = (f"stage_{draw.randint(1, stages)}", f"stage_{draw.randint(1, stages)}")
        if pair not in {(p.source, p.target) for p in parts} and pair[0] != pair[1]:
            parts.append(replace(part, source=pair[0], target=pair[1]))
    draw.shuffle(parts)
    parts.sort(key=lambda part: family.kinds[part.kind].rank)
    return Scene(name, draw.choice(STYLES), "any", components=tuple(keyed_in_order(parts))), content


def keyed_in_order(parts: list[Component]) -> Iterator[Component]:
    """Ids in the order of the scene: they were numbered before the parts were shuffled."""
    stages = iter(range(1, 99))
    for part in parts:
        yield replace(part, id=f"stage_{next(stages)}") if part.id else part


@pytest.mark.parametrize("name", keyed.families())
def test_any_asset_scene_can_be_drawn(name: str) -> None:
    drawn = 0
    for seed in range(200 if FULL else 30):
        scene, content = any_asset_scene(name, random.Random(seed))
        if list(families.load(name).inspect(scene)):
            continue
        try:
            compiler.compile(scene, content)
            drawn += 1
        except CompileError as error:
            assert all(v.place.startswith("content") for v in error.violations), str(error)
    assert drawn >= 4


@pytest.mark.parametrize(
    ("path", "value", "needle"),
    [
        ("bars.long.accent", "pink", "content.bars.long.accent: got 'pink'"),
        ("bars.long.value", {"number": "4"}, "content.bars.long.value: got a dict, expected words"),
        ("bars.long", {"label": "UTF-32"}, "content.bars.long.value: got nothing"),
        ("axis.label", 7, "content.axis.label: got 7"),
        ("axis.label", "", "content.axis.label"),
        ("stage_card", ["a"], "no `stage_card`"),
        ("compare_bar", [{"label": "a", "size": "3"}], "content.compare_bar.0.size"),
    ],
)
def test_what_is_wrong_with_the_words_of_a_field_is_said_with_their_path(path: str, value: object, needle: str) -> None:
    one = case.load("comparison_span_chart", "text_encodings")
    document = copy.deepcopy(dict(one.content))
    *steps, last = path.split(".")
    target = document
    for step in steps:
        target = target[step]
    target[last] = value
    with pytest.raises(CompileError) as caught:
        compiler.compile(one.scene(Style()), document)
    assert any(needle in str(v) for v in caught.value.violations), str(caught.value)


def test_a_scene_with_words_of_its_own_needs_no_content() -> None:
    for family in keyed.families():
        one = case.every(family, "asset")[0]
        alone = compiler.compile_text("asset", asset.format(one.scene(Style())), {})
        assert alone.svg == compiler.compile_text("asset", asset.format(one.scene(Style())), one.content).svg
        assert alone.height == compiler.compile(case.load(family, one.id).scene(Style()), one.content).height


PIPELINE = """[scene] [layout:pipeline_lane] [header_band:a|b] [stage_card:Tokenize] [stage_card:Embed_IDs] [stage_card:Mix_tokens]
    [stage_card:Mix_channels] [stage_card:Sample] [phase_divider:in|out] [flow_arrow:ARROW] [flow_arrow:2->3] [curved_connector:5->2] [/scene]"""


@pytest.mark.parametrize(
    "arrow", ["tokenize->embed", "1->2", "stage_1->embed_ids", "Tokenize->Embed_IDs", "tokenize->ids"]
)
def test_an_arrow_finds_its_stages_by_number_title_or_word(arrow: str) -> None:
    scene = asset.parse(PIPELINE.replace("ARROW", arrow))
    tree = compiler.compile(scene, {}).tree
    link = next(node for node in compiler.tree.walk(tree.root) if getattr(node, "path", "") == arrow)
    assert isinstance(link, compiler.tree.Link) and (link.source, link.target) == ("stage_card.0", "stage_card.1")


@pytest.mark.parametrize("arrow", ["tokenize->mix", "1->9", "stage_1->tokenize", "2->embed", "stage_2->stage_3"])
def test_an_arrow_without_two_stages_is_refused(arrow: str) -> None:
    """A word of two titles, a stage that is not there, one stage under two names, a pair joined twice under other names."""
    with pytest.raises(SurfaceError) as caught:
        asset.parse(PIPELINE.replace("ARROW", arrow))
    assert [v.token for v in caught.value.violations] == [11 if "stage_2" in arrow else 10]


def test_columns_are_as_high_as_their_values() -> None:
    one = case.load("comparison_span_chart", "weight_formats")
    tree = compiler.lay_out(one.scene(Style()), one.content)
    chart = next(node for node in compiler.tree.walk(tree.root) if getattr(node, "path", "") == "chart")
    bars = [node for node in chart.children if getattr(node, "kind", "") == "rect" and 40 < node.w < 210]
    assert [bar.h / bars[0].h for bar in bars] == pytest.approx([1, 1 / 2, 1 / 4, 1 / 8])


# ---- quantities


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("$250k+", 250e3, "$"), ("1,024 tokens", 1024, "token"), ("1 token", 1, "token"), ("~40 us", 40e-6, "seconds"),
        ("2 MiB", 2 * 1024**2, "bytes"), ("3 GB/s eq", 3e9, "bytes/s"), ("3 GB per request", 3e9, "bytes per request"),
        ("8x", 8, "x"), ("12%", 12, "%"), ("0.5", 0.5, ""),
    ],
)  # fmt: skip
def test_quantity(text: str, number: float, unit: str) -> None:
    found = quantity(text)
    assert isinstance(found, Quantity) and found.number == pytest.approx(number) and found.unit == unit


@pytest.mark.parametrize("text", ["low", "3 to 5", "fp32", "", "ten", "v1.2.3"])
def test_what_is_no_quantity(text: str) -> None:
    assert quantity(text) is None


def test_shares_are_proportional_or_refused() -> None:
    found = scale(["28 GB", "14 GB", "3500 MB"])
    assert found is not None and found.shares == pytest.approx((1, 0.5, 0.125)) and not found.decades
    assert scale(["28 GB", "3 ms"]) is None and scale(["28 GB", "much"]) is None and scale(["0", "0"]) is None
    assert scale(["<5 ms", "7 ms"]) is None, "a bound is no value"


def test_a_logarithmic_scale_starts_a_power_of_ten_below_the_smallest() -> None:
    found = scale(["1 ns", "100 ns", "10 ms"], logarithmic=True)
    assert found is not None and found.shares == pytest.approx((1 / 8, 3 / 8, 1))
    assert [round(share * 8) for share, _ in found.decades] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_inline_words_are_made_readable() -> None:
    assert humanise("memory map of the gpu") == "Memory map of the GPU"
    assert humanise("67000 GB s per link") == "67000 GB/s per link" and humanise("iPhone s") == "iPhone s"
