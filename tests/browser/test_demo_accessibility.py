"""The page for everyone: contrast and names, narrow screens, the keyboard alone."""

import re

import pytest
from playwright.sync_api import Page, expect
from visitor import as_new, load, open_again, settled

# What fades in, or turns for a minute, is brought to its end; what goes round for ever is left.
NOTHING_FADES = """() => {
  const moving = document.getAnimations().filter((a) => a.playState === 'running'
    && a.effect.getComputedTiming().endTime !== Infinity);
  moving.forEach((animation) => animation.finish());
  return !moving.length && !document.querySelector('.translucent:not(.hide)');
}"""


SHOWN = {
    "detect": "#detect-result .stage", "augment": "#augment-answers .row",
    "dataset": "#dataset-card .stage", "training": "#confusion table",
}  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_accessibility_and_narrow_screens(reused_page, demo_address, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = as_new(reused_page, color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    load(page, demo_address)
    dark = page.evaluate("document.body.classList.contains('dark')")
    assert dark == (scheme == "dark")
    problems = []
    for tab, shown in SHOWN.items():
        page.locator(f"[role=tab][data-tab-id={tab}]").click()
        folded = page.locator(".fold[aria-expanded=false]:visible")
        while folded.count():  # what a phone folds is looked at too
            folded.first.click()
        expect(page.locator(shown).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # Parts that are being drawn anew are faded on purpose.
        page.traffic.settle()
        page.wait_for_function(NOTHING_FADES)
        # What is ours; Gradio's own widgets (drop-downs, sliders, charts) are Gradio's to mend.
        rules = {"runOnly": ["wcag2a", "wcag2aa"], "resultTypes": ["violations"]}
        for violation in Axe().run(page, options=rules).response["violations"]:
            problems += [
                f"{tab}: {violation['id']}: {node['target']} {node['html'][:160]}"
                for node in violation["nodes"]
            ]
    assert not problems, "\n".join(problems)


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(150):
        if page.evaluate("(there) => document.activeElement.matches(there)", selector):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"the Tab key never comes to {selector}")


def arrow_to(page: Page, selector: str) -> None:
    for _ in range(20):
        if focused(page, selector):
            return
        page.keyboard.press("ArrowRight")
    pytest.fail(f"the arrow keys never come to {selector}")


def test_where_the_focus_is_can_be_seen_and_arrow_keys_move_among_choices(page):
    """Of sliders and choices too, which Gradio leaves without a sign."""
    fields = {"#detect-threshold input[type=range]": "input", "#detect-explain input": "label"}
    for field, outlined in fields.items():
        tab_to(page, field)
        outline = f"document.activeElement.closest('{outlined}')"
        assert page.evaluate(f"getComputedStyle({outline}).outlineStyle") == "solid"
    page.keyboard.press("ArrowDown")
    choice = page.locator("#detect-explain").get_by_label("what speaks for the class")
    expect(choice).to_be_checked()
    expect(choice).to_be_focused()
    expect(page).to_have_url(re.compile("explain=class"))


def test_the_box_is_a_few_stops_away_and_the_focus_not_under_the_pinned_pair(
    reused_page, demo_address
):
    page = open_again(reused_page, f"{demo_address}?tab=augment&count=2")
    expect(page.locator("#augment-before .box").first).to_be_visible()
    page.locator("[role=tab][data-tab-id=augment]").focus()
    page.keyboard.press("Tab")
    assert focused(page, ".skip")
    page.keyboard.press("Enter")
    assert focused(page, "#augment-before .box")

    expect(page.locator("#augment-grid .badge")).to_have_count(2)
    page.locator("#augment-extremes button").first.focus()
    page.evaluate("document.querySelector('#augment-extremes').scrollIntoView()")
    page.keyboard.press("Shift+Tab")
    assert focused(page, "#augment-steps .look")
    pair = page.locator("#augment-pair").bounding_box()
    assert (
        page.locator("#augment-steps .look:focus").bounding_box()["y"] >= pair["y"] + pair["height"]
    )


def focused(page: Page, selector: str) -> bool:
    return page.evaluate("(there) => document.activeElement.matches(there)", selector)


def test_keyboard_alone(page):
    """From the top of the page, with Tab, Enter and arrows; no action loses the focus."""
    tab_to(page, "#photo .examples button")
    arrow_to(page, "#photo button[data-key=cat]")
    page.keyboard.press("Enter")
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    tab_to(page, "#augment-this")
    page.keyboard.press("Enter")
    expect(page.locator("[role=tab][data-tab-id=augment]")).to_be_focused()
    expect(page.locator("#augment-grid .badge")).to_have_count(8)
    tab_to(page, "#augment-rotation_degrees input[type=range]")
    settled(page, lambda: page.keyboard.press("ArrowRight"))
    tab_to(page, "#augment-before .box")
    settled(page, lambda: page.keyboard.press("Shift+ArrowRight"))
    expect(page).to_have_url(re.compile("boxes=cat.*rotation_degrees=5"))
    tab_to(page, "#augment-grid button")  # the one that is shown, whichever that is
    page.keyboard.press("Home")
    arrow_to(page, "#augment-grid button[data-key='3']")
    page.keyboard.press("Enter")
    expect(page.locator("#augment-after figcaption")).to_contain_text("variant 3 of 8")
    check_that_an_action_does_not_lose_the_focus(page)


def test_the_tabs_are_a_few_stops_away(page):
    """A link that skips what stands above them; the examples are one stop."""
    page.keyboard.press("Tab")
    assert focused(page, ".skip")
    skip = page.locator(".skip").first
    expect(skip).to_have_css("opacity", "1")
    assert skip.bounding_box()["y"] >= 0
    stops = 1
    while not focused(page, "[role=tab]"):
        page.keyboard.press("Tab")
        stops += 1
        assert stops <= 8
    assert focused(page, "[aria-selected=true]")
    page.keyboard.press("Tab")
    assert not focused(page, "[role=tab]")
    page.evaluate("document.activeElement.blur()")
    page.locator(".skip").first.focus()
    address = page.url
    page.keyboard.press("Enter")
    assert focused(page, "[role=tab][data-tab-id=detect]")
    assert page.url == address


def test_tabs_and_examples_by_arrow_keys(page):
    page.locator("[role=tab][data-tab-id=detect]").focus()
    ways = (
        ("Right", "augment"),
        ("Right", "dataset"),
        ("Right", "training"),
        ("Left", "dataset"),
    )
    for way, tab in ways:
        page.keyboard.press(f"Arrow{way}")
        expect(page.locator(f"[role=tab][data-tab-id={tab}]")).to_be_focused()
        expect(page.locator(f"[role=tab][data-tab-id={tab}]")).to_have_attribute(
            "aria-selected", "true"
        )
    page.keyboard.press("Home")
    expect(page.locator("[role=tab][data-tab-id=detect]")).to_be_focused()
    keys = page.locator(".examples button").evaluate_all("tiles => tiles.map(t => t.dataset.key)")
    page.locator(".examples button").first.focus()
    page.keyboard.press("ArrowRight")
    assert focused(page, f"button[data-key='{keys[1]}']")
    page.keyboard.press("End")
    assert focused(page, f"button[data-key='{keys[-1]}']")
    page.keyboard.press("Enter")
    expect(page.locator(f".examples button[data-key='{keys[-1]}']")).to_have_attribute(
        "aria-pressed", "true"
    )
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert focused(page, f"button[data-key='{keys[-1]}']")


def test_passing_the_drop_downs_changes_nothing(reused_page, demo_address):
    page = open_again(reused_page, f"{demo_address}?tab=dataset&page=2&sample=000025")
    expect(page.locator("#dataset-card")).to_contain_text("000025.jpg")
    page.traffic.settle()
    address = page.url
    page.locator("[role=tab][data-tab-id=dataset]").focus()
    tab_to(page, "#dataset-next")
    page.traffic.settle()
    assert page.url == address
    expect(page.locator("#dataset-count")).to_contain_text("page 2 of 2")


def check_that_an_action_does_not_lose_the_focus(page: Page) -> None:
    undo = page.locator("#augment-undo")
    undo.focus()
    settled(page, lambda: page.keyboard.press("Enter"))  # the box
    expect(undo).to_be_focused()
    page.keyboard.press("Enter")  # the angle, and there is nothing more to undo
    expect(page.locator("#augment-redo")).to_be_focused()
    page.locator("#augment-pin").focus()
    page.keyboard.press("Enter")
    page.locator("#augment-unpin").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#augment-pin")).to_be_focused()
