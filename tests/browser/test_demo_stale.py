"""From the moment another photo is chosen until it is drawn, what is of the old one is dimmed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import REPOSITORY
from playwright.sync_api import Page, Route, expect
from visitor import CAT, DOG, drop, open_again, slide, wait_for

PARTS = {
    "detect": ["#detect-result .answered", "#detect-result .verdict"],
    "augment": [
        f"#augment-{part}"
        for part in ("before .stage", "after .stage", "sentence .live", "steps .tile",
                     "extremes .tile", "grid .tile", "answers .row")
    ],
}  # fmt: skip
DIM = """(parts) => parts.filter((part) =>
  Boolean(document.querySelector(part).closest('[data-photo]'))
  && getComputedStyle(document.querySelector(part).closest('[data-photo]')).opacity < 0.5)"""


def dim(page: Page, parts: list[str]) -> list[str]:
    """Those that are."""
    return page.evaluate(DIM, parts)


@contextmanager
def held(page: Page, requests: str) -> Iterator[list[Route]]:
    """Such requests wait until the end of the block."""
    routes: list[Route] = []
    page.route(requests, lambda route: routes.append(route) if holds else route.continue_())
    holds = True
    yield routes
    holds = False
    for route in routes:
        route.continue_()
    page.unroute(requests)


def until_held(page: Page, routes: list[Route]) -> None:
    # Playwright delivers its events while it is asked something.
    wait_for(lambda: page.title() and routes, "a request")


def opened(page: Page, address: str, tab: str) -> Page:
    few = "&count=2" if tab == "augment" else ""
    open_again(page, f"{address}?tab={tab}&sample=cat{few}")
    page.traffic.settle()
    assert dim(page, PARTS[tab]) == []
    return page


@pytest.mark.parametrize("tab", PARTS)
def test_an_example_that_was_pressed_a_photo_that_was_dropped_and_what_is_none(
    reused_page, demo_address, tab
):
    page = opened(reused_page, demo_address, tab)
    with held(page, "**/queue/join*"):
        page.locator("#photo button[data-key=astronaut]").click()
        assert dim(page, PARTS[tab]) == PARTS[tab]
    page.traffic.settle()
    assert dim(page, PARTS[tab]) == []
    # Nothing is drawn anew that is of this photo already.
    with held(page, "**/queue/join*"):
        page.locator("#photo button[data-key=astronaut]").click()
        assert dim(page, PARTS[tab]) == []
    page.traffic.settle()
    for path, words in ((DOG, "Your photo: dog.jpg"), (CAT, "Your photo: cat.jpg")):
        with held(page, "**/upload*") as routes:
            drop(page, path)
            until_held(page, routes)
            assert dim(page, PARTS[tab]) == PARTS[tab]
        expect(page.locator("#photo .status")).to_have_text(words)
        page.traffic.settle()
        assert dim(page, PARTS[tab]) == []
    drop(page, REPOSITORY / "LICENSE")
    expect(page.locator("#photo .status")).to_contain_text("is not an image")
    page.traffic.settle()
    assert dim(page, PARTS[tab]) == []


def test_settings_whose_pair_takes_long(reused_page, demo_address):
    page = opened(reused_page, demo_address, "augment")
    pair = PARTS["augment"][1:4]
    with held(page, "**/queue/data*") as routes:
        slide(page, "rotation_degrees", 40)
        until_held(page, routes)
        wait_for(lambda: dim(page, pair) == pair, "the pair of the settings before to be dimmed")
    page.traffic.settle()
    assert dim(page, PARTS["augment"]) == []


def test_a_photo_the_server_fails_with(reused_page, demo_address):
    page = opened(reused_page, demo_address, "detect")
    page.route("**/upload*", lambda route: route.fulfill(json=["/nowhere/cat.jpg"]))
    drop(page, DOG)
    expect(page.locator("[data-testid=toast-body]")).to_be_visible()
    wait_for(lambda: dim(page, PARTS["detect"]) == [], "the old result to be bright again")
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")


def test_a_tab_that_is_opened_with_another_photo(reused_page, demo_address):
    page = opened(reused_page, demo_address, "augment")
    page.get_by_role("tab", name="Detect").click()
    page.locator("#photo button[data-key=astronaut]").click()
    expect(page.locator("#detect-result .verdict")).to_contain_text("person")
    with held(page, "**/queue/join*") as routes:
        page.locator("#augment-this").click()
        until_held(page, routes)
        assert dim(page, PARTS["augment"]) == PARTS["augment"]
    page.traffic.settle()
    assert dim(page, PARTS["augment"]) == []
    expect(page).to_have_url(re.compile("sample=astronaut|tab=augment"))
