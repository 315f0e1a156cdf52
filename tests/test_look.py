"""Looks: a case or an order is the same scene on every surface that can say it, asked for by what its prompt states."""

from __future__ import annotations

import re

import pytest

from experiments import case as library
from experiments import compiler, look, pools, prompt, surfaces
from experiments.ladder import LadderError, load, read
from experiments.split import asked, combination, tags
from experiments.style import Style, grid
from experiments.tag import OUT

STYLES = list(grid())[::7]
WAYS = [
    (surface, family)
    for surface in ("semantic", "rich", "atoms")
    for family in look.families(surface)
    if family != "atoms"
]


@pytest.mark.parametrize(("surface", "family"), WAYS)
def test_every_infographic_is_said_on_every_surface_of_its_kind(surface: str, family: str) -> None:
    """Whatever surface its case is stored on: the text parses, is drawn with the case's content, and its prompt states what was asked."""
    module = surfaces.load(surface)
    cases = look.cases(family, surface)
    assert {c.id for c in cases} == {c.id for c in library.every(family)}
    for number, case in enumerate(cases):
        made = list(look.scenes(case, surface, STYLES))
        items = {tags(module.prompt(scene))["items"] for _, scene in made}
        assert len(made) == 90 * len(items) and len({module.format(scene) for _, scene in made}) == len(made)
        for shown, scene in made[number::61]:
            text = module.format(scene)
            assert module.parse(text) == scene and compiler.compile_text(surface, text, case.content).svg
            assert dict(shown).items() <= tags(module.prompt(scene)).items()


def test_fewer_items_are_the_first_ones() -> None:
    case = library.load("bullet_panel", "code_review")
    texts = [surfaces.load("semantic").format(scene) for _, scene in look.scenes(case, "semantic", STYLES)][:4]
    assert [len(re.findall(r"bullet_panel_b\d", text)) for text in texts] == [2, 3, 4, 5]
    assert all(f"bullet_panel_b{n}" in texts[0] for n in (1, 2))


@pytest.mark.parametrize("surface", ["gold", "keyed", "bundle"])
def test_other_cases_are_asked_in_the_styles_of_a_grid(surface: str) -> None:
    for case in library.every(surface=surface)[:5]:
        made = list(look.scenes(case, surface, STYLES))
        assert [shown for shown, _ in made] == [look.of(style) for style in STYLES] and case in look.cases(
            case.family, surface
        )


@pytest.mark.parametrize("surface", ["atoms", "raw_svg"])
@pytest.mark.parametrize("framed", [False, True])
def test_orders_give_their_prompts_back(surface: str, framed: bool) -> None:
    module = surfaces.load(surface)
    for shown, order in list(look.orders(framed))[:: 997 if framed else 97]:
        scene = look.drawing(surface, order)
        assert module.prompt(module.parse(module.format(scene))) == order.prompt()
        assert {"layout": order.layout, **dict(shown)}.items() <= tags(order.prompt()).items()


@pytest.mark.parametrize("name", ["spec04", "spec05", "spec06", "spec08"])
def test_an_edit_leads_to_the_scene_that_it_asks_for(name: str) -> None:
    """The edited prompt names another value and then the scene's own; what it asks for is the scene's own order."""
    spec = load(name)
    for number, target in enumerate(pools.draw(spec).trained[::397]):
        own = tags(prompt.order_of(spec.surface, target.scene))
        text = prompt.write("edit", number, target.scene, spec.surface)
        changed = tags(text)["edit"].partition("=")[0]
        assert asked(text) == own and tags(text)[changed] != own[changed]
        assert combination(text, target.text, [changed]) == (tags(target.text).get(changed, own[changed]),)


def test_a_template_that_names_what_is_not_stated_is_not_used() -> None:
    drawing = pools.draw(load("spec04")).trained[0].scene
    said = {prompt.write("compose", number, drawing, "atoms") for number in range(30)}
    assert len(said) == 5 and all(text.endswith(OUT) and "{" not in text for text in said)
    scene = library.load("decision_tree", "merge_or_rebase").scene(Style())
    assert len({prompt.write("compose", number, scene, "gold") for number in range(30)}) == 12
    with pytest.raises(prompt.PromptError, match=r"speaks of .*theme, tone, which .* does not state"):
        prompt.write("style_topology_bridge", 0, drawing, "atoms")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("surface: atoms", "surface: gold", r"families\.0: got 'atoms', expected one of"),
        ("framed: true, draws: 4000", "framed: true", "`draws` with briefs and orders"),
        ("kind: orders, framed: true, draws: 4000", "kind: cases, framed: true", "`framed` goes with kind orders"),
        ("combination: [color, bg, frame, density]", "combination: [colour, bg]", r"combination\.0: got 'colour'.*did you mean `color`"),
        ("families: [atoms]", "families: [bullet_panel]", r"families\.0: got 'bullet_panel', expected atoms, on the surface atoms or raw_svg"),
    ],
)  # fmt: skip
def test_a_spec_of_orders_is_checked_when_it_is_read(old: str, new: str, message: str) -> None:
    from experiments.ladder import FOLDER

    text = (FOLDER / "spec05.yaml").read_text()
    assert old in text
    with pytest.raises(LadderError, match=message):
        read(text.replace(old, new, 1), "spec05")
