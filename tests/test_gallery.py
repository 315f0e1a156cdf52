"""The gallery shows what is found, the same bytes each time, and asks nothing of the outside."""

from __future__ import annotations

import re

import pytest

from cktrack import browser, gallery
from experiments import case, families
from experiments.compiler import validate
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


@pytest.mark.skipif(browser.find() is None, reason="no Chromium on the path, and none named by CKTRACK_CHROMIUM")
@pytest.mark.parametrize("width", [400, 900, 1400])
def test_the_page_fits_screens_of_any_width_and_shows_what_is_chosen(few, width: int) -> None:
    """Nothing sticks out at the side, and a choice leaves one density and, if one is chosen, one theme."""
    look = """<script>
    const wide = document.documentElement.scrollWidth, count = () => [...document.querySelectorAll('.shot')].filter(f => f.offsetParent).length;
    const all = count(); document.getElementById('theme-signal_glow').checked = true; const one = count();
    document.getElementById('density-airy').checked = true; const airy = [...document.querySelectorAll('.d-airy')].filter(f => f.offsetParent).length;
    document.body.textContent = `SAID ${wide} ${all} ${one} ${airy} END`;</script></body>"""
    page = gallery.page(few).replace("</body>", look)
    said = re.search(r"SAID (\d+) (\d+) (\d+) (\d+) END", browser.run(page, "--dump-dom", f"--window-size={width},900"))
    assert said and int(said[1]) <= max(width, 500)
    free = sum(len({p.svg for p in each.shown}) == 1 for each in few)
    assert [int(n) for n in said.groups()[1:]] == [3 * (len(few) - free) + free, len(few), len(few)]
