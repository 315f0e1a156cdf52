"""The gallery shows what is found, the same bytes each time, and asks nothing of the outside."""

from __future__ import annotations

import re
from collections.abc import Collection

import pytest

from cktrack import browser, gallery
from experiments import case, families
from experiments.compiler import validate
from experiments.compiler.sheet import LEAST, WIDTHS
from experiments.style import DENSITIES, THEMES

FEW = ["atoms", "stat_cards", "timeline"]


@pytest.fixture(scope="module")
def few() -> list[gallery.Exhibit]:
    return gallery.collect(FEW)


def test_every_family_form_theme_and_density_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over everything that is found; texts, which the other tests look at, are left out for speed."""
    monkeypatch.setattr(gallery, "_texts", lambda one, coders: [])
    shown = gallery.collect(families.names())
    assert {(each.family, each.form) for each in shown} == {(c.family, c.form) for c in case.every()}
    for each in shown:
        assert {(p.theme, p.density) for p in each.shown} == {(t, d) for t in THEMES for d in DENSITIES}
    assert {tone for each in shown for p in each.shown for tone in [p.looks.split(", ")[0]]} >= {"amber", "mixed"}


def test_the_page_is_the_same_each_time_and_names_only_its_own_pictures(few, tmp_path) -> None:
    gallery.write(tmp_path, few)
    page = (tmp_path / "index.html").read_text()
    again = gallery.page(gallery.collect(FEW))
    assert page == again and "<script" not in page and "http" not in page
    named = set(re.findall(r'(?:src|href)="([^"#]+)"', page))
    assert named < {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.svg")}
    assert all(not validate((tmp_path / name).read_text()) for name in named)
    assert page.count("<figure") == len({p.svg for each in few for p in each.shown}), (
        "one figure for each picture that differs"
    )
    assert not re.search(r"\d ms", page), "nothing was timed"


def test_costs_and_times_are_told(few) -> None:
    one = next(each for each in few if each.family == "stat_cards")
    assert [said.surface for said in one.said] == ["atomic", "rich", "semantic"]
    assert all(5 < said.tokens < 200 and said.text in gallery.page([one]).replace("&gt;", ">") for said in one.said)
    timed = gallery.collect(["stat_cards"], times=True)[0]
    assert all(picture.milliseconds and picture.milliseconds > 0 for picture in timed.shown)
    assert re.search(r"compiled in \d+\.\d ms", gallery.page([timed]))


def test_a_folder_that_holds_other_things_is_refused(tmp_path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="expected a new folder, an empty one, or one that holds a gallery"):
        gallery.command(tmp_path, False, ["atoms"])
    with pytest.raises(ValueError, match="--out: got"):
        gallery.command(tmp_path / "thesis.txt", False, ["atoms"])
    with pytest.raises(ValueError, match="family: got 'none'"):
        gallery.command(tmp_path / "new", False, ["none"])
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    gallery.command(tmp_path / "new", False, ["atoms"])
    gallery.command(tmp_path / "new", False, ["atoms"])
    assert (tmp_path / "new" / "index.html").is_file()


# ---- how large the page shows a picture, from its markup and its style sheet

SHOWN = 900.0  # px: a page of documentation shows its pictures 900 to 1000 px wide, and nobody asks for a glass to read them
FLOOR = LEAST * SHOWN / WIDTHS["wide"]  # px: 9.4, which the smallest type of a wide picture then has
REM = 16.0


def declared(page: str, what: str, window: int, chosen: Collection[str]) -> dict[str, str]:
    """What the page's style sheet declares for a selector in a window of a width in px, with these buttons chosen."""
    found = re.search(r"<style>(.*?)</style>", page, re.S)
    assert found
    media = r"@media\((min|max)-width:(\d+)px\)\s*\{((?:[^{}]*\{[^{}]*\})*)\s*\}"
    rules: list[tuple[str, str]] = []
    for side, bound, inner, selector, body in re.findall(
        rf"{media}|([^{{}}@]+)\{{([^{{}}]*)\}}", re.sub(r"/\*.*?\*/", "", found[1])
    ):
        if not side:
            rules.append((selector, body))
        elif window <= int(bound) if side == "max" else window >= int(bound):
            rules += re.findall(r"([^{}]+)\{([^{}]*)\}", inner)
    plain: dict[str, str] = {}
    asked: dict[str, str] = {}
    for selectors, body in rules:
        for selector in map(str.strip, selectors.split(",")):
            needs, rest = re.fullmatch(r"(?:body:has\(#([\w-]+):checked\) )?(.+)", selector, re.S).groups()  # type: ignore[union-attr]
            if rest == what and (needs is None or needs in chosen):
                pairs = (line.split(":", 1) for line in body.split(";") if line.strip())
                (plain if needs is None else asked).update({name.strip(): value.strip() for name, value in pairs})
    return plain | asked  # a rule that asks for a button outweighs one that does not


def px(length: str) -> float:
    return float(length.removesuffix("rem")) * REM if length.endswith("rem") else float(length.removesuffix("px"))


def column(style: dict[str, str], room: float) -> float:
    """The width of a flexible column of a grid in so much room."""
    repeated = re.sub(
        r"repeat\((\d),(\S+)\)", lambda found: " ".join([found[2]] * int(found[1])), style["grid-template-columns"]
    )
    tracks = repeated.split()
    fixed = [px(track) for track in tracks if track != "minmax(0,1fr)"]
    gaps = px(style.get("gap", "0px")) * (len(tracks) - 1)
    return (room - sum(fixed) - gaps) / (len(tracks) - len(fixed))


def shown_width(page: str, window: int, chosen: Collection[str], most: float) -> float:
    """How wide the page shows a picture that is at most so wide, px."""
    outer, image = declared(page, ".page", window, chosen), declared(page, ".shot img", window, chosen)
    assert image["width"] == "100%" and declared(page, "*", window, chosen)["box-sizing"] == "border-box"
    room = min(px(outer["max-width"]), window) - 2 * px(outer["padding"].split()[1])
    main = column(outer, room)
    return min(column(declared(page, ".row", window, chosen), main), most) - 2 * px(image["border"].split()[0])


@pytest.mark.parametrize("window", [960, 1024, 1101, 1200, 1201, 1280, 1366, 1440, 1600, 1920, 2560])
def test_the_page_opens_with_pictures_whose_words_can_be_read(few, window: int) -> None:
    """The smallest type in a picture of full width; all themes side by side are one click away and make it smaller."""
    page = gallery.page(few)
    opening = set(re.findall(r'id="([\w-]+)" checked', page))
    assert opening == {"density-balanced", f"theme-{THEMES[0]}"} and 'id="theme-all"' in page
    seen = [declared(page, f".shot.shot:not(.t-{theme})", window, opening).get("display") for theme in THEMES]
    assert seen == ["none", None, None], "pictures of the one theme alone"
    widest = [float(wide) for wide in re.findall(r'<img [^>]*width="([\d.]+)"[^>]*max-width:\1px', page)]
    assert max(widest) == WIDTHS["wide"]
    assert LEAST * shown_width(page, window, opening, max(widest)) / max(widest) >= FLOOR
    beside = {"density-balanced", "theme-all"}
    assert shown_width(page, window, beside, max(widest)) < shown_width(page, window, opening, max(widest)) / 2


@pytest.mark.skipif(browser.find() is None, reason="no Chromium on the path, and none named by CKTRACK_CHROMIUM")
@pytest.mark.parametrize("width", [400, 900, 1400])
def test_the_page_fits_screens_of_any_width_and_shows_what_is_chosen(few, width: int) -> None:
    """Nothing sticks out at the side, it opens with one theme, and a choice leaves one density and one theme or all."""
    look = """<script>
    const wide = document.documentElement.scrollWidth, count = () => [...document.querySelectorAll('.shot')].filter(f => f.offsetParent).length;
    const first = count(), shown = Math.max(...[...document.images].map(i => i.offsetParent ? i.getBoundingClientRect().width : 0));
    document.getElementById('theme-all').checked = true; const all = count();
    document.getElementById('theme-signal_glow').checked = true; const one = count();
    document.getElementById('density-airy').checked = true; const airy = [...document.querySelectorAll('.d-airy')].filter(f => f.offsetParent).length;
    document.body.textContent = `SAID ${wide} ${shown} ${first} ${all} ${one} ${airy} END`;</script></body>"""
    page = gallery.page(few).replace("</body>", look)
    said = re.search(
        r"SAID (\d+) ([\d.]+) (\d+) (\d+) (\d+) (\d+) END",
        browser.run(page, "--dump-dom", f"--window-size={width},900"),
    )
    assert said and int(said[1]) <= max(width, 500)
    assert width < SHOWN or float(said[2]) >= shown_width(
        page, width, {"density-balanced", f"theme-{THEMES[0]}"}, WIDTHS["wide"]
    )
    free = sum(len({p.svg for p in each.shown}) == 1 for each in few)
    assert [int(n) for n in said.groups()[2:]] == [len(few), 3 * (len(few) - free) + free, len(few), len(few)]
