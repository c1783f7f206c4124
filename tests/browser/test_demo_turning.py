"""The photo that turns beside the answer, in a real browser."""

import json

import pytest
from playwright.sync_api import expect
from visitor import drawn_box, open_again

AT = """(at) => {
  const button = document.querySelector('.turning .open');
  const parts = [button.querySelector('img'), button.querySelector('rect.line')];
  return parts.map((part) => {
    const [animation] = part.getAnimations();
    animation.pause();
    animation.currentTime = at * animation.effect.getTiming().duration;
    const { a, b, d, e, f } = new DOMMatrix(getComputedStyle(part).transform);
    return part.tagName === 'rect' ? [e, f, e + a, f + d] : Math.atan2(b, a) * 180 / Math.PI;
  });
}"""


@pytest.fixture
def page(reused_page, demo_address):
    """For somebody who likes to see things move."""
    return open_again(reused_page, demo_address, reduced_motion="no-preference")


def test_the_box_that_turns_is_the_one_augmentation_gives(page):
    """The browser turns the picture; the boxes, frame by frame, are those of the server."""
    open_button = page.locator(".turning .open")
    frames = json.loads(open_button.get_attribute("data-frames"))
    assert frames[0][1] == pytest.approx(drawn_box(page), abs=0.1)
    for number in (0, 3, 6, 15, 18):
        angle, box = page.evaluate(AT, number / (len(frames) - 1))
        assert angle == pytest.approx(-frames[number][0], abs=0.1)  # CSS turns clockwise
        assert box == pytest.approx(frames[number][1], abs=0.6)
    shown, beside = (
        page.locator(f"#detect-result {where}").get_attribute("src")
        for where in (".turning img", ".stage img.pixels")
    )
    assert shown == beside


def test_another_photo_turns_once_it_is_chosen(page):
    page.locator("#photo button[data-key=cat]").click()
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    page.wait_for_function(
        "() => document.querySelector('.turning img').src"
        " === document.querySelector('#detect-result .stage img.pixels').src"
    )
    assert page.evaluate("document.querySelector('.turning img').getAnimations().length") == 1


def test_it_can_be_paused_and_pressing_it_opens_augment(page):
    pause = page.locator(".turning .pause")
    pause.focus()
    page.keyboard.press("Enter")
    expect(pause).to_have_attribute("aria-pressed", "true")
    state = "document.querySelector('.turning img').getAnimations()[0].playState"
    assert page.evaluate(state) == "paused"
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => {state} === 'running'")
    page.locator(".turning .open").click()
    expect(page.locator("[data-tab-id=augment]")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#augment-grid .badge")).to_have_count(8)


def test_with_reduced_motion_it_stands_still_and_turned(reused_page, demo_address):
    page = open_again(reused_page, demo_address)
    picture = page.locator(".turning img")
    assert picture.evaluate("e => e.getAnimations().length") == 0
    assert "rotate(-15" in picture.get_attribute("style")
    assert picture.evaluate("e => e.naturalWidth") > 0
