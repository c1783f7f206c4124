"""What is where on the screen: at a desk, on a phone, and enlarged to 200 %."""

import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect
from visitor import PHONE, UNTIL_IDLE, drop, open_again, open_page

# A window of 1280 x 900 at 200 %.
ENLARGED = {"viewport": {"width": 640, "height": 450}, "device_scale_factor": 2}
TABS = ("detect", "augment", "dataset", "training")
MAX_SHIFT = 0.02
LEAST_TARGET = 40  # pixels
SETTINGS = ("flip_probability", "rotation_degrees", "zoom", "brightness", "contrast", "saturation",
            "hue")  # fmt: skip
# Adds up what moved without a visitor having touched anything.
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput) continue;
    const moved = entry.sources.map(({node}) => node?.id || node?.className || node?.nodeName);
    window.shifts.push([entry.value, moved]);
  }
}).observe({type: "layout-shift", buffered: true});
"""


WHAT_LIES_OVER_THE_PAIR = """() => {
  const pair = document.querySelector('#augment-pair'), area = pair.getBoundingClientRect();
  const over = [];
  for (let x = area.left + 3; x < area.right; x += 12)
    for (let y = Math.max(1, area.top + 3); y < area.bottom - 3; y += 7) {
      const seen = document.elementFromPoint(x, y);
      if (!pair.contains(seen)) over.push(seen.outerHTML.slice(0, 120));
    }
  return over.slice(0, 3);
}"""


def open_tab(page: Page, tab: str) -> None:
    """As Back does: a click by a script is no input, so whatever it moves counts."""
    page.evaluate(f"document.querySelector('button[role=tab][data-tab-id={tab}]').click()")
    page.traffic.settle()


def test_nothing_jumps_on_a_phone(chromium, demo_address):
    """A slow one while it loads: what Gradio mounts later than the rest then comes much later."""
    page = open_page(chromium, "about:blank", **PHONE, ready=None)
    page.add_init_script(SHIFTS)
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 6})
    page.goto(demo_address)
    page.wait_for_selector(".stage", state="attached")
    page.traffic.settle()
    session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    for tab in ("augment", "detect", "dataset", "training", "augment"):
        open_tab(page, tab)
    shifts = page.evaluate("window.shifts")
    assert sum(value for value, _ in shifts) <= MAX_SHIFT, shifts
    page.context.close()


def test_on_a_phone_the_photo_stands_high_and_fingers_hit_what_they_aim_at(
    reused_phone, demo_address
):
    page = open_again(reused_phone, demo_address)
    assert page.locator("#detect-result .stage").bounding_box()["y"] <= 180
    view = page.locator("#detect-result .turning .view").bounding_box()
    assert view["y"] + view["height"] <= 844, "both pictures are in sight at once"
    box = page.locator(".turning rect.line").bounding_box()
    pause = page.locator(".turning .pause").bounding_box()
    assert pause["x"] + pause["width"] <= box["x"], "nothing lies over the box that turns"
    check_that_examples_beyond_the_edge_are_told_of(page)
    for tab in TABS:
        open_tab(page, tab)
        small = page.evaluate(
            """(least) => [...document.querySelectorAll(
                 'button, summary, input[type=range], select, label:has(input[type=radio])')]
               .filter((e) => e.checkVisibility({visibilityProperty: true}))
               .filter((e) => !e.closest('footer') && !e.matches('.box'))
               .map((e) => [e.getBoundingClientRect(), e])
               .filter(([r]) => r.width > 0 && Math.min(r.width, r.height) < least - 0.5)
               .map(([r, e]) => `${e.id || e.className || e.nodeName} ${e.textContent.slice(0, 30)}`
                 + ` ${Math.round(r.width)}x${Math.round(r.height)}`)""",
            LEAST_TARGET,
        )
        assert not small, tab


def check_that_examples_beyond_the_edge_are_told_of(page: Page) -> None:
    strip = page.locator("#photo .examples")
    expect(strip).to_have_class(re.compile("more"))
    strip.evaluate("e => { e.scrollLeft = e.scrollWidth; }")
    expect(strip).not_to_have_class(re.compile("more"))


def test_the_chosen_example_is_seen_whole(reused_phone, demo_address):
    page = open_again(reused_phone, f"{demo_address}?tab=detect&sample=cat")
    check_that_the_chosen_example_is_seen(page, "cat")
    keys = page.locator(".examples button").evaluate_all("tiles => tiles.map(t => t.dataset.key)")
    for key in (keys[len(keys) // 2], keys[-1]):
        open_again(page, f"{demo_address}?tab=detect&sample={key}")
        check_that_the_chosen_example_is_seen(page, key)


def check_that_the_chosen_example_is_seen(page: Page, key: str) -> None:
    strip = page.locator(".examples").bounding_box()
    chosen = page.locator(".examples button[aria-pressed=true]")
    expect(chosen).to_have_attribute("data-key", key)
    tile = chosen.bounding_box()
    assert tile["x"] >= strip["x"]
    assert tile["x"] + tile["width"] <= strip["x"] + strip["width"]
    assert page.evaluate("scrollY") == 0, "the strip scrolls, not the page"


def test_columns_of_the_confusion_matrix_beyond_the_edge_are_told_of(reused_phone, demo_address):
    page = open_again(reused_phone, f"{demo_address}?tab=training")
    page.get_by_role("button", name="Confusion matrix").click()
    scroller = page.locator("#confusion .scroll")
    expect(scroller).to_have_class(re.compile("more"))
    scroller.evaluate("(element) => { element.scrollLeft = element.scrollWidth; }")
    expect(scroller).not_to_have_class(re.compile("more"))


def test_many_examples_leave_the_drop_zone_its_room(page):
    """With VOC there are twice as many as come with the project."""
    page.evaluate(
        "() => { const row = document.querySelector('#photo .examples');"
        " row.append(...[...row.children].map((tile) => tile.cloneNode(true))); }"
    )
    for width in (1280, 1920, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(UNTIL_IDLE)
        # All at one moment: Gradio widens its columns step by step.
        zone, choose, camera, row = page.evaluate(
            "['zone', 'choose', 'camera', 'examples'].map((part) =>"
            " document.querySelector(`#photo .${part}`).getBoundingClientRect().toJSON())"
        )
        assert choose["y"] == camera["y"], f"{width}: the buttons stand side by side"
        assert camera["x"] + camera["width"] <= zone["x"] + zone["width"], width
        assert row["x"] >= zone["x"] + zone["width"] or row["y"] >= zone["y"] + zone["height"]
        assert zone["height"] <= 90, width


def test_settings_and_both_pictures_are_in_sight_together(reused_page, demo_address):
    # Hue is the only setting that is off at first.
    page = open_again(reused_page, f"{demo_address}?tab=augment&hue=0.1&count=2")
    expect(page.locator("#augment-grid .badge")).to_have_count(2)
    check_that_the_edges_of_all_settings_stand_in_one_row(page)
    for width, height in [(1280, 900), (1440, 900), (1280, 700)]:
        page.set_viewport_size({"width": width, "height": height})
        check_that_settings_and_both_pictures_are_in_sight(page, height)


def check_that_settings_and_both_pictures_are_in_sight(page: Page, height: int) -> None:
    names = ["#augment-before .stage", "#augment-after .stage", "#augment-sentence .live",
             "#augment-rotation_degrees", "#augment-zoom"]  # fmt: skip
    if height == 900:
        names += ["#augment-steps", "#augment-hue"]
    for name in names:
        area = page.locator(name).bounding_box()
        assert area["y"] >= 0, name
        assert area["y"] + area["height"] <= height, name
    assert page.locator("#augment-after rect.line.ghost").count() == 1


def check_that_the_edges_of_all_settings_stand_in_one_row(page: Page) -> None:
    tiles = page.locator("#augment-extremes .tile")
    expect(tiles).to_have_count(13)
    assert len({tile.bounding_box()["y"] for tile in tiles.all()}) == 1


def test_a_tab_that_a_button_opens_is_seen_from_its_beginning(reused_phone, demo_address):
    page = open_again(reused_phone, f"{demo_address}?tab=detect&sample=cat")
    button = page.locator("#augment-this")
    button.scroll_into_view_if_needed()
    assert page.evaluate("window.scrollY") > 0
    button.click()
    expect(page.locator("#augment-pair")).to_be_visible()
    page.wait_for_function("window.scrollY === 0")


def test_on_a_phone_the_pair_stays_while_all_else_scrolls(reused_phone, demo_address):
    page = open_again(reused_phone, f"{demo_address}?tab=augment")
    expect(page.locator("#augment-grid .badge")).to_have_count(8)
    for name in (*(f"#augment-{name}" for name in SETTINGS), "#surprise"):
        control = page.locator(name)
        control.scroll_into_view_if_needed()
        area = control.bounding_box()
        assert 0 <= area["x"] <= area["x"] + area["width"] <= 390, name
        pair = page.locator("#augment-after .stage").bounding_box()
        assert 0 <= pair["y"] <= pair["y"] + pair["height"] <= 844, name
    # Nothing is painted over it, with the tools for boxes open or not.
    for opened in (False, True):
        if opened:
            page.get_by_role("button", name="Edit box").tap()
            expect(page.locator("#augment-before .tools")).to_be_visible()
        page.evaluate("document.querySelector('#augment-rotation_degrees').scrollIntoView()")
        assert page.locator("#augment-pair").bounding_box()["height"] <= 844 / 3
        for _ in range(30):
            page.evaluate("scrollBy(0, 34)")
            assert not page.evaluate(WHAT_LIES_OVER_THE_PAIR), f"tools open: {opened}"


def test_enlarged_nothing_is_hidden_sideways(chromium, demo_address):
    page = open_page(chromium, demo_address, **ENLARGED)
    for tab in TABS:
        open_tab(page, tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= 640, tab
    open_tab(page, "augment")
    for name in SETTINGS:
        number = page.locator(f"#augment-{name} input[type=number]")
        number.scroll_into_view_if_needed()
        area = number.bounding_box()
        assert 0 <= area["x"] <= area["x"] + area["width"] <= 640, name
        assert 0 <= area["y"] <= area["y"] + area["height"] <= 450, name
        # Not under something that is pinned.
        assert number.evaluate(
            "e => { const r = e.getBoundingClientRect();"
            " return e.contains(document.elementFromPoint(r.x + r.width / 2,"
            " r.y + r.height / 2)); }"
        ), name
    page.context.close()


def test_what_it_knows_is_said_before_whichever_tab_is_open(page):
    """Folded; it opens over whatever is below, and nothing of it is cut."""
    for tab in TABS:
        open_tab(page, tab)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 844})
            page.get_by_text("20 classes", exact=True).click()
            assert page.locator("#known li:visible").count() == 20
            assert page.locator("#known li", has_text="dining table").is_visible()
            for item in (page.locator("#known li").first, page.locator("#known li").last):
                area = item.bounding_box()
                assert 0 <= area["x"] <= area["x"] + area["width"] <= width, f"{tab}, {width}"
                assert area["y"] + area["height"] < 400, f"{tab}, {width}: not in sight"
                assert item.evaluate(
                    "e => { const r = e.getBoundingClientRect();"
                    " return e.contains(document.elementFromPoint(r.x + r.width / 2, r.y + 3)); }"
                )
            page.get_by_text("20 classes", exact=True).click()
            expect(page.locator("#known li").first).to_be_hidden()


def test_pictures_use_the_room_labels_are_not_cut_and_a_long_photo_can_be_read(page, tmp_path):
    """Both beside the answer, and the header is one row."""
    for width, height, least in ((1280, 900, 430), (1440, 900, 500), (1920, 1080, 620)):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate(UNTIL_IDLE)
        assert page.locator("#top").bounding_box()["height"] <= 90, width
        pair = [page.locator(f"#detect-result {part}").bounding_box()
                for part in (".stage", ".turning .view")]  # fmt: skip
        assert min(area["width"] for area in pair) >= least, width
        assert abs(pair[0]["y"] - pair[1]["y"]) <= 1
        apart = pair[1]["x"] - pair[0]["x"] - pair[0]["width"]
        assert 0 < apart <= 0.1 * width, width
    page.set_viewport_size({"width": 1280, "height": 900})
    page.evaluate(UNTIL_IDLE)
    check_that_a_label_at_the_right_edge_is_not_cut(page)
    check_that_a_long_photo_can_be_read(page, tmp_path)


def check_that_a_label_at_the_right_edge_is_not_cut(page: Page) -> None:
    """However small the box: moved by hand to where the name does not fit beside it."""
    line = page.locator("#detect-result .answered .tag-line").last
    line.locator("i").evaluate("e => { e.style.flexBasis = '97%'; }")
    tag = line.locator(".tag")
    tag.evaluate("e => { e.textContent = 'dining table'; }")
    stage, area = page.locator("#detect-result .stage").bounding_box(), tag.bounding_box()
    assert area["x"] + area["width"] <= stage["x"] + stage["width"] + 0.5
    assert tag.evaluate("e => e.scrollWidth <= e.clientWidth + 1")


def check_that_a_long_photo_can_be_read(page: Page, tmp_path: Path) -> None:
    """As wide as a hand, or as high; the rest of it scrolls within its own place."""
    for size in ((300, 4000), (4000, 300)):
        path = tmp_path / f"{size[0]}.png"
        Image.new("RGB", size, (90, 120, 60)).save(path)
        drop(page, path)
        expect(page.locator("#detect-result")).to_contain_text(f"{size[0]} x {size[1]} px")
        page.evaluate(UNTIL_IDLE)
        stage = page.locator("#detect-result .stage").bounding_box()
        assert min(stage["width"], stage["height"]) >= 150, size
        figure = page.locator("#detect-result .answered figure").bounding_box()
        assert figure["height"] <= 700
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
