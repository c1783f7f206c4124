"""The whole data set in the Augment tab: counted, stopped, taken over, opened."""

import re

import pytest
from conftest import slow_work_held
from playwright.sync_api import expect
from visitor import settled

VARIANTS = 3  # of the page


@pytest.fixture
def audit_page(augment_page):
    """The part on the whole set, open, with settings that do harm."""
    page = augment_page
    settled(page, lambda: page.locator("#preset-too-much").click())
    page.locator("#audit > button").click()
    expect(page.locator("#audit-said")).to_contain_text("Press Count")
    expect(page.locator("#audit-stop")).to_be_hidden()
    expect(page.locator("#audit-take")).to_be_hidden()
    return page


@pytest.fixture
def audit_page_as_left(request, page_as_left):
    """:func:`audit_page` as the test before left it."""
    if not page_as_left.locator("#audit-count").is_visible():
        return request.getfixturevalue("audit_page")
    return page_as_left


def test_stop_ends_the_count(audit_page, pace_file):
    page = audit_page
    with slow_work_held(pace_file):
        page.locator("#audit-count").click()
        expect(page.locator("#audit-said")).to_contain_text("Reading the boxes")
        expect(page.locator("#audit-count")).to_be_disabled()
        page.locator("#audit-stop").click()
        expect(page.locator("#audit-stop")).to_be_hidden()
    expect(page.locator("#audit-said")).to_contain_text("Stopped.")
    expect(page.locator("#audit-stop")).to_be_hidden()


def test_counted_then_a_tile_opens_that_draw_and_the_limits_are_taken_over(audit_page_as_left):
    """Also after a count that was stopped."""
    page = audit_page_as_left
    page.locator("#audit-count").click()  # which waits until it is enabled again
    shown = page.locator("#audit-shown")
    expect(page.locator("#audit-said")).to_contain_text("20 photos, 10 draws each.")
    expect(page.locator("#audit-stop")).to_be_hidden()
    expect(page.locator("#audit-take")).to_be_visible()
    expect(shown.locator(".note.problem").first).to_contain_text("Bad.")
    words = re.compile(r"^(\d{6}), variant (\d+): (.*drawn again.*|lost in every try.*)$")
    tile = shown.get_by_role("button").filter(has_text=words).first
    name, number, what = words.match(tile.inner_text().strip()).groups()  # type: ignore[union-attr]
    settled(page, tile.click)
    among = f"of {VARIANTS}" if int(number) <= VARIANTS else f"beyond the {VARIANTS} below"
    expect(page.locator("#augment-after figcaption")).to_contain_text(f"variant {number} {among}.")
    expect(page.locator("#augment-grid [data-key]")).to_have_count(VARIANTS)
    expect(page).to_have_url(re.compile(f"sample={name}"))
    times = re.search(r"drawn again (\d+) x", what)
    said = f"rawn again {times[1]} times" if times and times[1] != "1" else "every try"
    expect(page.locator("#augment-sentence")).to_contain_text(said)

    safe = re.findall(r"([a-z ]+) ([\d.]+) \(now", shown.inner_text())
    assert safe
    settled(page, page.locator("#audit-take").click)
    expect(page.locator("#audit-said")).to_contain_text("Settings taken over: press Count")
    expect(shown).to_be_empty()
    expect(page.locator("#audit-take")).to_be_hidden()
    fields = {"rotation": "rotation_degrees", "zoom": "zoom"}
    for label, value in safe:
        if label.strip() in fields:
            number = page.locator(f"#augment-{fields[label.strip()]} input[type=number]")
            expect(number).to_have_value(value)
    page.locator("#audit-count").click()
    expect(shown).to_contain_text("No setting has to be lowered")
    page.get_by_role("tab", name="Detect").click()
    expect(page.locator("#detect-result")).to_contain_text(name)


def test_a_count_with_other_settings_says_so_and_offers_another(audit_page_as_left):
    page = audit_page_as_left
    page.locator("#preset-too-much").click()
    page.traffic.settle()
    page.locator("#audit-count").click()
    page.traffic.settle()
    said, again = page.locator("#audit-said"), page.locator("#audit-again")
    expect(said).to_contain_text("20 photos, 10 draws each.")
    expect(again).to_be_hidden()
    page.locator("#augment-grid [data-key='2']").click()
    expect(page).to_have_url(re.compile("variant=2"))
    expect(again).to_be_hidden()  # which variant is looked at is no setting
    settled(page, lambda: page.locator("#preset-none").click())
    expect(again).to_have_text("The settings have changed since: count again")
    again.click()
    expect(page.locator("#audit-shown")).to_contain_text("No setting has to be lowered")
    expect(again).to_be_hidden()
