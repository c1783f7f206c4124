"""Addresses of views: written, opened again, and never drawn twice."""

import re
from collections import Counter

import pytest
from playwright.sync_api import expect
from visitor import as_new, content, open_again, settled, slide, wait_for


def test_the_link_is_copied(reused_page, demo_address):
    page = open_again(reused_page, f"{demo_address}?tab=detect&sample=cat")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    # What the button says meanwhile is there for a second: on a busy machine between two looks.
    page.evaluate(
        "() => { const button = document.querySelector('#copy-link'); window.said = [];"
        " new MutationObserver(() => window.said.push(button.textContent))"
        ".observe(button, {childList: true, characterData: true, subtree: true}); }"
    )
    page.locator("#copy-link").click()
    page.wait_for_function("window.said.includes('Copied')")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_the_same_address_gives_the_same_view(reused_page, demo_address):
    address = (
        f"{demo_address}?tab=augment&sample=000004&seed=11&count=4&variant=3&rotation_degrees=25"
        "&box_rule=hull"
    )
    views = []
    for _ in range(2):
        page = open_again(reused_page, address)
        expect(page.locator("#augment-answers .row")).to_have_count(4)
        expect(page.locator("#augment-after figcaption")).to_contain_text("variant 3 of 4")
        views.append([content(page, part) for part in ("grid", "steps", "answers")])
        expect(page.locator("#augment-rotation_degrees input[type=number]")).to_have_value("25")
    assert views[0] == views[1]


@pytest.mark.parametrize(
    ("query", "most"),
    [
        ("", 1),  # what the address asks for, which is nothing
        ("?tab=detect&sample=cat&threshold=0.3&explain=box", 2),
        # What the address asks for; the boxes, the pair, the rest; Detect, where a photo is named.
        ("?tab=augment", 4),
        ("?tab=augment&sample=000004&seed=11&count=4&variant=3&rotation_degrees=25&hue=0.1", 5),
        ("?tab=dataset&split=trainval&page=2&sample=000025", 2),
        ("?tab=training&cell=sheep%2Fcat", 2),
    ],
)
def test_whichever_tab_an_address_opens_it_is_drawn_once(reused_page, demo_address, query, most):
    """Opening it calls no handler twice, none that draws what nobody sees, and no script fails."""
    page = open_again(reused_page, demo_address + query)
    tab = re.search("tab=([a-z]+)|$", query)[1] or "detect"
    expect(page.locator("[role=tab][aria-selected=true]")).to_have_attribute("data-tab-id", tab)
    page.traffic.settle()
    assert page.failures == []
    assert max(Counter(page.traffic.handlers).values()) == 1
    assert len(page.traffic.handlers) <= most


def test_a_tab_opened_before_the_address_was_read_is_drawn(reused_page, demo_address):
    """The server is slow to say what the address asks for, which is nothing."""
    page, held, slow = as_new(reused_page), [], True
    page.route("**/queue/join*", lambda route: held.append(route) if slow else route.continue_())
    page.goto(demo_address)
    page.get_by_role("tab", name="Data set").click()
    wait_for(lambda: page.evaluate("1") and held, "the page asking")
    slow = False
    for route in held:
        route.continue_()
    expect(page.locator("#dataset-count")).to_contain_text("30 photos, page 1 of 2")
    expect(page).to_have_url(re.compile("tab=dataset"))


def test_a_tab_that_was_opened_asks_for_itself_alone(page):
    for tab, most in (("Data set", 1), ("Training", 1), ("Detect", 0), ("Augment", 3)):
        del page.traffic.handlers[:]
        page.get_by_role("tab", name=tab).click()
        page.traffic.settle()
        assert len(page.traffic.handlers) == most, tab


def test_the_photo_of_a_link_is_there_in_the_other_tab_too(reused_page, demo_address):
    page = open_again(reused_page, f"{demo_address}?tab=augment&sample=cat&count=2")
    expect(page.locator("#augment-sentence")).to_contain_text("cat")
    page.get_by_role("tab", name="Detect").click()
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")


def test_controls_write_an_address_that_restores_them(augment_page):
    page = augment_page
    settled(page, lambda: slide(page, "rotation_degrees", 17))
    expect(page).to_have_url(re.compile("rotation_degrees=17"))
    page.locator("#augment-grid button[data-key='2']").click()
    expect(page).to_have_url(re.compile("variant=2.*rotation_degrees=17"))
    expect(page.locator("#augment-after figcaption")).to_contain_text("variant 2 of 3")
    page.traffic.settle()
    expected = content(page, "grid")
    open_again(page, page.url)
    expect(page.locator("#augment-after figcaption")).to_contain_text("variant 2 of 3")
    wait_for(lambda: content(page, "grid") == expected, "the same variants")


def test_links_to_the_other_tabs(reused_page, demo_address):
    query = "?tab=detect&sample=cat&explain=box&threshold=1"
    page = open_again(reused_page, demo_address + query)
    expect(page.locator("#detect-result .verdict")).to_contain_text("Probably a cat")
    assert page.locator("#detect-result img.heat").count() == 1
    page.goto(f"{demo_address}?tab=dataset&split=val&class=cat&sample=000025")
    expect(page.locator("#dataset-count")).to_contain_text("3 photos, page 1 of 1")
    expect(page.locator("#dataset-card")).to_contain_text("000025.jpg")


@pytest.mark.parametrize(
    ("query", "left_out"),
    [
        (
            "?tab=nowhere&sample=../../x&threshold=7&explain=<script>alert(1)</script>",
            ["tab=nowhere", "sample=../../x", "threshold=7", "explain=<script>alert(1)</script>"],
        ),
        (
            "?tab=augment&seed=abc&count=999&rotation_degrees=nan&box_rule=round&boxes=1,2",
            ["seed=abc", "count=999", "rotation_degrees=nan", "box_rule=round", "boxes=1,2"],
        ),
        ("?page=2&deep_link=x&view=nothing", []),
    ],
)
def test_bad_addresses_open_the_page_and_say_what_they_left_out(
    reused_page, demo_address, query, left_out
):
    page = open_again(reused_page, demo_address + query)
    expect(page.locator(".stage:visible").first).to_be_visible()
    status = page.locator("#photo .status")
    for words in left_out:
        expect(status).to_contain_text(words)
    if not left_out:
        expect(status).to_have_text("")
    assert page.locator(".problem").count() == bool(left_out)


def test_back_leads_to_the_photo_that_was_there(reused_page, demo_address):
    """The address says which, and not the photo that was chosen later."""
    page = open_again(reused_page, demo_address)
    page.get_by_role("tab", name="Augment").click()
    expect(page).to_have_url(re.compile("tab=augment"))
    page.locator("#photo button[data-key=cat]").click()
    expect(page).to_have_url(re.compile("tab=augment&sample=cat"))
    page.go_back()
    first = page.locator("#photo .examples button[data-key]").first
    expect(first).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#detect-result .stage")).to_be_visible()
    page.traffic.settle()
    assert "sample=cat" not in page.url
    page.go_forward()
    expect(page.locator("#photo button[data-key=cat]")).to_have_attribute("aria-pressed", "true")
    expect(page).to_have_url(re.compile("tab=augment&sample=cat"))
