"""The camera while it moves: boxes over it, one frame at a time, and never when nobody looks."""

import pytest
from playwright.sync_api import expect
from visitor import wait_for

IS_ON = "Boolean(document.querySelector('#live video').srcObject)"


def frames_sent(page) -> int:
    return len(page.traffic.handlers)


@pytest.fixture
def page_with_camera(page):
    page.context.grant_permissions(["camera"])
    page.traffic.settle()
    page.traffic.forget()  # from now on only frames are sent
    return page


def test_a_box_follows_until_it_is_stopped(page_with_camera):
    page = page_with_camera
    live = page.locator("#live")
    assert not page.evaluate(IS_ON)
    live.locator(".begin").click()
    expect(live.locator(".words")).not_to_be_empty()
    expect(live.locator(".status")).to_contain_text("frames a second")
    box = live.locator("rect.line")
    assert float(box.get_attribute("width")) > 0
    # What it is not sure of is dots alone, without a solid rim around them.
    words, *dots = live.evaluate(
        "e => [e.querySelector('.words').textContent, ...[...e.querySelectorAll('rect')]"
        ".map((rect) => getComputedStyle(rect).strokeDasharray)]"
    )
    assert dots == (["none"] * 2 if "%" in words else ["2px, 4px"] * 2)
    assert frames_sent(page) >= 2
    # Another frame is taken only when there is an answer: at most one call is open.
    for _ in range(20):
        page.wait_for_timeout(25)
        joins = [r for r in page.traffic.open if "/queue/join" in r.url]
        assert len(joins) <= 1
    live.locator(".end").click()
    assert not page.evaluate(IS_ON)
    page.traffic.settle()
    sent = frames_sent(page)
    page.wait_for_timeout(500)
    assert frames_sent(page) == sent


def test_it_is_off_when_another_tab_of_the_page_is_shown(page_with_camera):
    page = page_with_camera
    page.locator("#live .begin").click()
    expect(page.locator("#live .words")).not_to_be_empty()
    page.get_by_role("tab", name="Training").click()
    wait_for(lambda: not page.evaluate(IS_ON), "the camera to be given back")
    page.get_by_role("tab", name="Detect").click()
    expect(page.locator("#live .status")).to_contain_text("another tab was opened")
    assert not page.evaluate(IS_ON)
    # A tab of the browser in the background says so by this event.
    page.locator("#live .begin").click()
    wait_for(lambda: page.evaluate(IS_ON), "the camera")
    page.evaluate(
        "() => { Object.defineProperty(document, 'hidden', { value: true, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )
    assert not page.evaluate(IS_ON)


def test_without_camera_or_permission_it_is_one_sentence(page):
    for name, words in (
        ("NotFoundError", "There is no camera."),
        ("NotAllowedError", "The browser does not allow the camera"),
    ):
        page.evaluate(
            "(name) => { navigator.mediaDevices.getUserMedia = () =>"
            " Promise.reject(new DOMException('none', name)); }",
            name,
        )
        page.locator("#live .begin").click()
        expect(page.locator("#live .status")).to_contain_text(words)
        expect(page.locator("#live .begin")).to_be_visible()
