"""Fingers on a phone: scrolling scrolls, and edits nothing."""

import re

import pytest
from playwright.sync_api import Page, expect
from visitor import UNTIL_AT_REST, open_again

STEPS = 12


class Finger:
    """One finger on the screen, in CSS pixels of the window."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.session = page.context.new_cdp_session(page)

    def send(self, kind: str, *place: float) -> None:
        points = [dict(zip("xy", place, strict=True))] if place else []
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def swipe(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.send("touchStart", *start)
        for i in range(1, STEPS + 1):
            self.send(
                "touchMove", *(a + (b - a) * i / STEPS for a, b in zip(start, end, strict=True))
            )
        self.send("touchEnd")
        self.page.evaluate(UNTIL_AT_REST)  # or what a test does next would miss its place


@pytest.fixture(scope="module")
def phone(reused_phone, demo_address):
    page = open_again(reused_phone, f"{demo_address}?tab=augment&count=2")
    expect(page.locator("#augment-grid .badge")).to_have_count(2)
    return page


def at(page: Page, slider: str, share: float) -> tuple[float, float]:
    """A place on the track of a slider."""
    page.locator(slider).evaluate("e => e.scrollIntoView({block: 'center'})")
    area = page.locator(slider).bounding_box()
    return area["x"] + share * area["width"], area["y"] + area["height"] / 2


SLIDERS = [f"#augment-{name} input[type=range]" for name in ("rotation_degrees", "zoom", "hue")]


@pytest.mark.parametrize("slider", SLIDERS)
@pytest.mark.parametrize("way", [(0, -200), (0, 150), (40, -220), (3, -5), (0, 0)])
def test_a_finger_that_scrolls_over_a_slider_leaves_it(phone, slider, way):
    range_, number = phone.locator(slider), phone.locator(slider.replace("range", "number"))
    before, address = (range_.input_value(), number.input_value()), phone.url
    x, y = at(phone, slider, 0.7)
    Finger(phone).swipe((x, y), (x + way[0], y + way[1]))
    phone.traffic.settle()
    assert (range_.input_value(), number.input_value()) == before
    assert phone.url == address


def test_a_finger_that_goes_to_the_side_moves_a_slider(phone):
    slider = phone.locator(SLIDERS[0])
    x, y = at(phone, SLIDERS[0], 0.1)
    phone.traffic.forget()
    Finger(phone).swipe((x, y), (x + 150, y + 6))
    assert 60 < float(slider.input_value()) < 130
    value = slider.input_value()
    expect(phone.locator("#augment-rotation_degrees input[type=number]")).to_have_value(value)
    expect(phone).to_have_url(re.compile(f"rotation_degrees={value}"))
    phone.traffic.settle()
    # Each step is drawn once at most: as itself, as the pair, and as all the rest.
    assert len(phone.traffic.handlers) <= 3 * STEPS


def test_a_finger_that_scrolls_over_the_photo_moves_the_page(phone):
    phone.evaluate("scrollTo(0, 0)")
    boxes = phone.locator("#augment-before .box")
    label, address = boxes.first.get_attribute("aria-label"), phone.url
    area = phone.locator("#augment-before .stage").bounding_box()
    x, y = area["x"] + area["width"] / 2, area["y"] + 0.7 * area["height"]
    Finger(phone).swipe((x, y), (x, y - 300))
    phone.wait_for_function("scrollY > 100")
    phone.traffic.settle()
    assert boxes.first.get_attribute("aria-label") == label
    assert phone.url == address


def test_a_picture_that_enlarges_takes_the_width_of_the_phone(phone):
    phone.locator("#augment-after .stage").tap(position={"x": 20, "y": 20})
    dialog = phone.locator("dialog.enlarged")
    window, picture = phone.viewport_size, dialog.locator("img.pixels").bounding_box()
    assert picture["width"] > 0.9 * window["width"]
    for button in dialog.get_by_role("button").all():
        place = button.bounding_box()
        assert place["y"] > picture["y"] + picture["height"] or place["y"] + 44 < picture["y"]
    dialog.get_by_role("button", name="Close").tap()
    expect(dialog).not_to_be_visible()
