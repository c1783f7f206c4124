"""A visitor's own photo outlives a reload, a lost connection and a restart of the server."""

import re

import pytest
from conftest import demo_here, free_port
from PIL import Image
from playwright.sync_api import Page, expect
from visitor import CAT, DOG, drop, open_again, open_page, slide

from model.data.annotations import AnnotatedPhoto, to_voc
from model.data.records import ObjectAnnotation

YOUR_CAT = "Your photo: cat.jpg"


def shows_my_cat(page: Page) -> None:
    expect(page.locator("#photo .status")).to_have_text(YOUR_CAT)
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    expect(page).to_have_url(re.compile("photo=own.*kept="))


def shows_the_first_example(page: Page) -> None:
    first = page.locator("#photo button[data-key]").first
    expect(first).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#detect-result .verdict")).to_contain_text("person")
    expect(page).not_to_have_url(re.compile("photo=own|kept="))


def drop_my_cat(page: Page) -> None:
    drop(page, CAT)
    shows_my_cat(page)


@pytest.fixture
def my_cat(request, reused_page):
    """A page that was given the photo: as the test before left it, if none has failed meanwhile.

    Opening it and sending the photo takes longer than most of the tests.
    """
    page, failed = reused_page, request.session.testsfailed
    if page.evaluate("document.withMyCatFailed") != failed:
        page = request.getfixturevalue("page")
        drop_my_cat(page)
    else:
        page.get_by_role("tab", name="Detect").click()
        shows_my_cat(page)
    yield page
    kept = page.locator("#photo .status").all_inner_texts() == [YOUR_CAT]
    page.evaluate("(failed) => { document.withMyCatFailed = failed; }", failed if kept else -1)


def test_a_reload_keeps_the_photo(my_cat):
    """Also of a tab without it."""
    page = my_cat
    page.reload()
    shows_my_cat(page)
    for tab in ("dataset", "training"):
        page.locator(f"[role=tab][data-tab-id={tab}]").click()
        expect(page).to_have_url(re.compile(f"tab={tab}"))
        page.reload()
        expect(page.locator("#photo .status")).to_have_text(YOUR_CAT)
        page.get_by_role("tab", name="Detect").click()
        shows_my_cat(page)


def test_a_stranger_sees_what_a_link_says(chromium, demo_address, my_cat):
    stranger = open_page(chromium, demo_address)
    drop(stranger, DOG)
    expect(stranger.locator("#photo .status")).to_have_text("Your photo: dog.jpg")
    stranger.goto(my_cat.url)
    expect(stranger.locator("#photo .status")).to_contain_text("somebody's own")
    expect(stranger.locator("#detect-result")).not_to_contain_text("is a dog")
    stranger.locator("#detect-json").click()
    expect(stranger.get_by_test_id("toast-body")).to_contain_text("Choose a photo first")
    stranger.context.close()


def test_two_windows_keep_a_photo_each(my_cat):
    page = my_cat
    other = page.context.new_page()
    other.goto(page.url.split("?")[0])
    other.wait_for_function("() => window.detectorPage?.isRestored")
    drop(other, DOG)
    expect(other.locator("#photo .status")).to_have_text("Your photo: dog.jpg")
    expect(other).to_have_url(re.compile("kept="))
    page.reload()
    shows_my_cat(page)
    other.reload()
    expect(other.locator("#photo .status")).to_have_text("Your photo: dog.jpg")
    other.close()


def test_a_lost_connection(my_cat):
    page = my_cat
    page.evaluate("document.isTheOld = true")
    page.context.set_offline(True)
    page.locator("#photo button[data-key=dog]").click()
    expect(page.get_by_text("Connection to the server was lost")).to_be_visible()
    page.context.set_offline(False)
    # Gradio loads the page again by itself; what was asked meanwhile was never heard.
    page.wait_for_function("() => !document.isTheOld && window.detectorPage?.isRestored")
    shows_my_cat(page)


def test_its_boxes_and_the_settings_are_kept_too(my_cat):
    page = my_cat
    page.locator("#augment-this").click()
    page.get_by_text("Advanced: box, seed, rules").click()
    slide(page, "count", 2)
    expect(page.locator("#augment-grid .badge")).to_have_count(2)
    page.locator("#augment-before .box").focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(page).to_have_url(re.compile("boxes="))
    label = page.locator("#augment-before .box").get_attribute("aria-label")
    page.traffic.settle()
    for _ in range(2):
        page.reload()
        expect(page.locator("#photo .status")).to_have_text(YOUR_CAT)
        expect(page.locator("#augment-before .box")).to_have_attribute("aria-label", label)
        expect(page.locator("#augment-grid .badge")).to_have_count(2)
        page.traffic.settle()
    # Also from a tab whose address says nothing of boxes.
    page.get_by_role("tab", name="Detect").click()
    page.traffic.settle()
    page.reload()
    shows_my_cat(page)
    page.locator("#augment-this").click()
    expect(page.locator("#augment-before .box")).to_have_attribute("aria-label", label)


def test_it_is_forgotten_with_one_press(my_cat):
    page = my_cat
    page.get_by_role("button", name="Forget your photo").click()
    expect(page.locator("#photo .status")).to_contain_text("Forgotten")
    shows_the_first_example(page)
    page.traffic.settle()
    expect(page.locator("#photo .status")).to_contain_text("Forgotten")
    kept = """() => new Promise((done) => {
      const opening = indexedDB.open('largest-object-detector', 1);
      opening.onsuccess = () => {
        const request = opening.result.transaction('photos').objectStore('photos').count();
        request.onsuccess = () => done(request.result);
      };
    })"""
    assert page.evaluate(kept) == 0
    page.reload()
    shows_the_first_example(page)
    expect(page.locator("#photo .status")).to_be_empty()


def test_what_is_chosen_after_it_was_forgotten_is_named(page):
    drop_my_cat(page)
    page.get_by_role("button", name="Forget your photo").click()
    expect(page.locator("#photo .status")).to_contain_text("Forgotten")
    drop(page, DOG)
    expect(page.locator("#photo .status")).to_have_text("Your photo: dog.jpg")


def test_an_example_chosen_afterwards_stays(page):
    drop_my_cat(page)  # so that there is something to come back
    page.locator("#photo button[data-key=dog]").click()
    expect(page).to_have_url(re.compile("sample=dog"))
    expect(page).not_to_have_url(re.compile("kept="))
    page.reload()
    expect(page.locator("#photo button[data-key=dog]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#photo .status")).to_be_empty()


def test_an_annotation_is_kept_as_the_true_box_and_drawn_ones_beside_it(page, tmp_path):
    thing = ObjectAnnotation("dog", (10, 20, 110, 120))
    with Image.open(CAT) as photo:
        annotated = AnnotatedPhoto("cat.jpg", *photo.size, (thing,))
    (tmp_path / "cat.xml").write_text(to_voc(annotated))
    page.locator("#photo input.files").set_input_files([CAT, tmp_path / "cat.xml"])
    expect(page.locator("#photo .status")).to_have_text("Your photo: cat.jpg")
    expect(page.locator("#detect-result")).to_contain_text("true class")
    expect(page).to_have_url(re.compile("kept="))
    page.reload()
    expect(page.locator("#photo .status")).to_have_text("Your photo: cat.jpg")
    expect(page.locator("#detect-result")).to_contain_text("true class")
    page.get_by_role("tab", name="Augment").click()
    first_box = page.locator("#augment-before .box").first
    as_annotated = re.compile("dog.*left 10, top 20, right 110, bottom 120")
    expect(first_box).to_have_attribute("aria-label", as_annotated)
    first_box.focus()
    page.keyboard.press("ArrowRight")
    moved = re.compile("left 11, top 20, right 111, bottom 120")
    expect(first_box).to_have_attribute("aria-label", moved)
    expect(page).to_have_url(re.compile("boxes="))
    page.traffic.settle()
    page.reload()
    expect(first_box).to_have_attribute("aria-label", moved)
    page.get_by_role("tab", name="Detect").click()
    expect(page.locator("#detect-result")).to_contain_text("true class")


def test_where_nothing_can_be_kept_that_is_said(chromium, demo_address):
    page = open_page(chromium, "about:blank", ready=None)
    page.add_init_script("delete IDBFactory.prototype.open")
    page.goto(demo_address)
    page.wait_for_function("() => window.detectorPage?.isRestored")
    drop(page, CAT)
    expect(page.locator("#photo .status")).to_contain_text(f"{YOUR_CAT} (a reload will lose it")
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    page.context.close()


def test_a_restart_of_the_server_under_an_open_page(reused_page, toy_voc, tmp_path):
    """Another demo listens at the same address, and knows nothing of what the first was sent."""
    flags = {"port": free_port(), "data": (str(toy_voc),)}
    with demo_here(tmp_path / "first", **flags) as (_, address):
        page = open_again(reused_page, address)
        drop_my_cat(page)
        page.evaluate("document.isTheOld = true")
    with demo_here(tmp_path / "second", **flags):
        page.locator("#augment-this").click()
        page.wait_for_function("!document.isTheOld")  # Gradio loads the page anew
        expect(page.locator("#photo .status")).to_have_text(YOUR_CAT)
        expect(page.locator("#photo .problem")).to_have_count(0)
        if page.evaluate("location.search").count("tab=augment") == 0:
            shows_my_cat(page)
            page.locator("#augment-this").click()
        expect(page.locator("#augment-sentence")).to_contain_text("still says cat")
