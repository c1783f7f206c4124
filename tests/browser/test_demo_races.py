"""Controls moved faster than the server answers: what is shown in the end is what they say.

The server is slowed down in proportion to the variants it draws, so that an earlier change with
many of them takes longer than a later one with few.
"""

import re

import pytest
from playwright.sync_api import Page, Route, expect
from visitor import DOG, SLOW, content, drop, open_again, open_page, slide, wait_for

from model.augment import AugmentConfig


@pytest.fixture(scope="module")
def opened_page(chromium, demo_address, slow_demo):
    page = open_page(chromium, f"{demo_address}?tab=augment&sample=000004&seed=3")
    page.get_by_text("Advanced: box, seed, rules").click()
    yield page
    page.context.close()


@pytest.fixture
def slow_page(opened_page):
    """The Augment tab as it comes, of a server that takes its time."""
    page = opened_page
    page.locator("#preset-training").click()  # before there are many variants
    page.traffic.settle()
    slide(page, "count", 8)
    ends_with(page, 8)
    return page


def variants(page: Page) -> int:
    return page.locator("#augment-grid button").count()


def ends_with(page: Page, count: int) -> None:
    """So many variants and rows of the chart are shown when everything is answered."""
    page.traffic.settle()
    expect(page.locator("#augment-grid button")).to_have_count(count)
    expect(page.locator("#augment-answers .row")).to_have_count(count)


def chart_rows(page: Page) -> int:
    return page.locator("#augment-answers .row").count()


def test_a_later_change_of_another_control_is_not_overtaken(slow_page):
    slide(slow_page, "flip_probability", 1)
    wait_for(lambda: "flip: mirrored" in content(slow_page, "steps"), "the first change")
    slide(slow_page, "count", 2)
    ends_with(slow_page, 2)


def test_a_later_change_of_the_same_control_is_not_dropped(slow_page):
    for count in (6, 2):
        slide(slow_page, "count", count)
        wait_for(lambda count=count: variants(slow_page) == count, f"{count} variants")
    ends_with(slow_page, 2)


def test_hammered_controls_end_as_they_stand(slow_page, reused_page):
    page = slow_page
    for count, angle, hue in ((12, 5, 0.1), (4, 30, 0.3), (9, 12, 0.0), (3, 21, 0.2)):
        slide(page, "count", count)
        slide(page, "rotation_degrees", angle)
        slide(page, "hue", hue)
    page.locator("#augment-box-source").get_by_label("detector").check()
    ends_with(page, 3)
    expect(page.locator("#augment-box-source").get_by_label("detector")).to_be_checked()
    expect(page).to_have_url(re.compile("box=detector.*count=3.*rotation_degrees=21.*hue=0.2"))
    again = open_again(reused_page, page.url)
    wait_for(lambda: chart_rows(again) == 3, "the same view")
    for part in ("after", "grid", "steps", "answers", "extremes"):
        wait_for(lambda p=part: content(again, p) == content(page, p), f"the same {part}")


def test_what_was_chosen_last_is_shown(slow_page):
    page = slow_page
    for number in ("7", "3", "5"):
        page.locator(f"#augment-grid button[data-key='{number}']").click()
    page.traffic.settle()
    expect(page.locator("#augment-after figcaption")).to_contain_text("variant 5 of 8")
    for _ in range(2):
        page.locator("#surprise").click()
    page.locator("#preset-training").click()
    page.traffic.settle()
    default = f"{AugmentConfig().rotation_degrees:g}"
    expect(page.locator("#augment-rotation_degrees input[type=number]")).to_have_value(default)
    assert "rotation_degrees" not in page.url


def test_examples_of_the_detect_tab(page):
    for name in ("cat", "astronaut", "cat"):
        page.locator(f"#photo button[data-key={name}]").click()
    page.traffic.settle()
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat", timeout=SLOW)
    assert page.locator("#detect-result img.pixels").count() == 1


def press_while_the_first_is_on_its_way(page: Page, first: str, second: str) -> None:
    """The request of the first press is held until the second was pressed."""
    held: list[Route] = []
    page.route("**/queue/join*", lambda r: r.continue_() if held else held.append(r))
    page.locator(first).click()
    # Playwright delivers its events while it is asked something.
    wait_for(lambda: page.title() and held, "the first request to be sent")
    page.locator(second).click()
    held[0].continue_()
    page.traffic.settle()
    expect(page.locator(second)).to_have_attribute("aria-pressed", "true")


def test_an_example_pressed_while_another_is_on_its_way_is_shown(reused_page, demo_address):
    page = open_again(reused_page, f"{demo_address}?tab=detect&sample=000004")
    page.traffic.settle()
    press_while_the_first_is_on_its_way(
        page, "#photo button[data-key=astronaut]", "#photo button[data-key=cat]"
    )
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat", timeout=SLOW)
    assert "sample=cat" in page.url


def test_an_example_pressed_during_an_upload_is_shown(reused_page, demo_address):
    """The photo that was dropped before it replaced it, once its upload was over."""
    page = open_again(reused_page, f"{demo_address}?tab=detect&sample=000004")
    held: list[Route] = []
    page.route("**/upload*", lambda route: held.append(route))
    drop(page, DOG)
    wait_for(lambda: page.title() and held, "the upload to begin")
    page.locator("#photo button[data-key=astronaut]").click()
    page.traffic.settle()
    with page.expect_response("**/upload*"):
        held[0].continue_()
    page.traffic.settle()
    expect(page.locator("#photo .status")).to_be_empty()
    assert "sample=astronaut" in page.url


def test_a_variant_pressed_while_another_is_on_its_way_is_shown(reused_page, demo_address):
    page = open_again(reused_page, f"{demo_address}?tab=augment&sample=cat")
    page.traffic.settle()
    press_while_the_first_is_on_its_way(
        page, "#augment-grid button[data-key='3']", "#augment-grid button[data-key='5']"
    )
    expect(page.locator("#augment-after")).to_contain_text("variant 5 of 8", timeout=SLOW)
