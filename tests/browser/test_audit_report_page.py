"""The report of ``python -m model.audit`` in a real browser: on a phone, and on paper."""

import pytest
from visitor import DESKTOP

from model.commands.audit import AuditConfig, main

PHONE = {"width": 390, "height": 844}
A4 = {"width": 703, "height": 1016}  # within its margins, in CSS pixels
CONTENT_WIDTH = "() => document.documentElement.scrollWidth"
# Of all tables the first column, and what a reader has to guess because it is cut.
FIRST_COLUMNS = """() => [...document.querySelectorAll("td:first-child:not([colspan])")].map(
    (cell) => cell.getBoundingClientRect().width)"""
CUT = """() => [...document.querySelectorAll("figure, figure *:not(svg *), p, .columns > *")]
    .filter((part) => part.getBoundingClientRect().right > innerWidth + 1)
    .map((part) => part.outerHTML.slice(0, 60))"""

TALLEST_TILE = """() => Math.max(...[...document.querySelectorAll(".tile")].map(
    (tile) => tile.getBoundingClientRect().height))"""


@pytest.fixture(scope="module")
def report(toy_voc, tmp_path_factory) -> str:
    """The address of one that compares two settings, with tiles and sheets."""
    out = tmp_path_factory.mktemp("audit")
    (out / "b.json").write_text('{"rotation_degrees": 60, "zoom": 3, "box_rule": "hull"}')
    main(AuditConfig(out, data=(str(toy_voc),), against=out / "b.json", epochs=3, image_size=64,
                     tiles=3, cache_dir=str(out), progress=False))  # fmt: skip
    return (out / "report.html").as_uri()


@pytest.mark.parametrize("media", ["screen", "print"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_and_names_can_be_read(chromium, report, media, scheme):
    page = chromium.new_page(color_scheme=scheme)
    page.emulate_media(media=media, color_scheme=scheme)
    page.goto(report)
    for size in [A4] if media == "print" else [PHONE, DESKTOP]:
        page.set_viewport_size(size)
        assert page.evaluate(CONTENT_WIDTH) <= size["width"]
        widths = page.evaluate(FIRST_COLUMNS)
        assert len(widths) > 20
        assert min(widths) >= 70, "one letter a line"
        assert page.evaluate(CUT) == []
        assert 0 < page.evaluate(TALLEST_TILE) < 600
    page.close()
