"""The photo all tabs share: dropped, pasted, taken, carried along."""

import base64
import re

import pytest
from conftest import REPOSITORY
from gradio_client import Client, handle_file
from playwright.sync_api import expect
from visitor import ASTRONAUT, CAT, DOG, drawn_box, drop, open_page


def test_a_finished_example_is_there_at_once(page):
    expect(page.locator("#detect-result .verdict")).to_contain_text(
        "The largest object is a person"
    )
    assert drawn_box(page)
    assert page.locator("#detect-result .probabilities .bar").count() == 5
    image = page.locator("#detect-result img.pixels")
    assert "person" in image.get_attribute("alt")
    assert image.evaluate("e => e.naturalWidth") == 512


def test_a_second_and_a_third_drop_replace_the_photo(page, demo_address):
    for path, name in ((ASTRONAUT, "person"), (DOG, "dog"), (CAT, "cat")):
        drop(page, path, on="#detect-result")
        expect(page.locator("#photo .status")).to_have_text(f"Your photo: {path.name}")
        expect(page.locator("#detect-result .verdict")).to_contain_text(name)
    expect(page).to_have_url(re.compile("photo=own"))
    answer = Client(demo_address, verbose=False).predict(photo=handle_file(CAT), api_name="/detect")
    assert drawn_box(page) == pytest.approx(answer["bbox_xyxy"], abs=0.02)
    # Not only the numbers: the rectangle stands at that place of the picture on the screen.
    stage = page.locator("#detect-result .stage").bounding_box()
    line = page.locator("#detect-result .stage rect.line").evaluate(
        "e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; }"
    )
    width, height = answer["image_size"]
    on_screen = [
        (line[0] - stage["x"]) / stage["width"] * width,
        (line[1] - stage["y"]) / stage["height"] * height,
        (line[2] - stage["x"]) / stage["width"] * width,
        (line[3] - stage["y"]) / stage["height"] * height,
    ]
    assert on_screen == pytest.approx(answer["bbox_xyxy"], abs=8)


def test_what_is_no_photo_leaves_the_one_that_is_there(page):
    drop(page, CAT)
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    drop(page, REPOSITORY / "LICENSE")
    expect(page.locator("#photo .status.problem")).to_contain_text("LICENSE is not an image")
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    page.locator("#augment-this").click()
    expect(page.locator("#augment-sentence")).to_contain_text("still says cat")


def test_paste(page):
    content = base64.b64encode(CAT.read_bytes()).decode()
    page.evaluate(
        """(content) => {
          const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([bytes], 'cat.jpg', {type: 'image/jpeg'}));
          document.body.dispatchEvent(
            new ClipboardEvent('paste', {clipboardData, bubbles: true, cancelable: true}));
        }""",
        content,
    )
    expect(page.locator("#photo .status")).to_have_text("Your photo: cat.jpg")
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")


def test_the_photo_is_carried_along_and_back_goes_to_the_view_before(page):
    drop(page, CAT)
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    page.locator("#augment-this").click()
    expect(page.locator("#augment-sentence")).to_contain_text("still says cat")
    drop(page, DOG, on="#augment-after")
    expect(page.locator("#augment-sentence")).to_contain_text("still says dog")
    page.go_back()
    for _ in range(2):
        expect(page.locator("#photo .status")).to_have_text("Your photo: cat.jpg")
        expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
        expect(page).to_have_url(re.compile("tab=detect"))
        page.traffic.settle()
        page.reload()
        page.wait_for_selector(".stage", state="attached")


def test_camera(page):
    """Chromium's pretend camera."""
    page.context.grant_permissions(["camera"])
    page.locator("#photo .camera").click()
    page.wait_for_function("document.querySelector('#photo video').videoWidth > 0")
    page.locator("#photo .shoot").click()
    expect(page.locator("#photo .status")).to_have_text("Your photo: camera.jpg")
    expect(page.locator("#detect-result")).not_to_contain_text("moonwalk")


def test_a_photo_chosen_while_augment_was_never_open_has_its_box_there(page):
    for tab in ("Data set", "Detect"):
        page.get_by_role("tab", name=tab).click()
        page.traffic.settle()
    page.locator("#photo button[data-key=cat]").click()
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    page.locator("#augment-this").click()
    expect(page.locator("#augment-before .box")).to_have_attribute("aria-label", re.compile("cat"))
    classes = page.locator("#augment-before option")  # none, the 20, and a name of one's own
    assert classes.count() == 22


def test_two_people_do_not_see_each_other(page, chromium, demo_address):
    one, two = page, open_page(chromium, demo_address)
    drop(one, CAT)
    two.locator("#photo button[data-key=astronaut]").click()
    expect(one.locator("#detect-result .verdict")).to_contain_text("cat")
    two.locator("#detect-explain").get_by_label("speaks for the class").check()
    expect(two.locator("#detect-result figcaption").first).to_contain_text("this class")
    expect(two.locator("#detect-result .verdict")).to_contain_text("person")
    expect(one.locator("#detect-result .verdict")).to_contain_text("cat")
    assert one.locator("#detect-result img.heat").count() == 0
    two.context.close()
