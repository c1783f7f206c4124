"""The Augment tab in a real browser."""

import io
import json
import re
import zipfile
from collections import Counter

import pytest
from commands import run_here
from gradio_client import Client
from playwright.sync_api import Page, expect
from visitor import content, drawn_box, settled, slide, wait_for

from model.augment import AugmentConfig
from model.checkpoint import read_info


def test_the_page_shows_what_the_api_says(augment_page, demo_address):
    answer = Client(demo_address, verbose=False).predict(
        photo=None, sample="000004", seed=3, count=3, ask_detector=True, api_name="/augment"
    )
    for variant in answer["variants"]:
        jitter = next(s for s in variant["steps"] if s["name"] == "jitter")
        where = f"#augment-grid button[data-key='{variant['number']}']"
        shown = drawn_box(augment_page, where, "target")
        assert shown == pytest.approx(jitter["bbox_xyxy"], abs=0.02)
        row = augment_page.locator("#augment-answers .row").nth(variant["number"] - 1)
        answer = variant["detector"]
        if answer["sure"]:
            expect(row).to_contain_text(answer["class_name"])
        assert ("unsure" in (row.get_attribute("class") or "")) == (not answer["sure"])
        overlap = f"{answer['iou']:.2f}"
        expect(row).to_contain_text(f"IoU {overlap}")
        expect(augment_page.locator(f"{where} .badge")).to_contain_text(overlap)


def test_picking_a_variant_shows_it_and_nothing_else_is_drawn(page_as_left):
    page = page_as_left
    page.locator("#augment-grid button[data-key='1']").click()
    expect(page.locator("#augment-after figcaption")).to_contain_text("variant 1 of 3")
    first, grid = content(page, "steps"), content(page, "grid")
    page.locator("#augment-grid button[data-key='3']").click()
    expect(page.locator("#augment-after figcaption")).to_contain_text("variant 3 of 3")
    expect(page).to_have_url(re.compile("variant=3"))
    assert content(page, "steps") != first
    pressed = page.locator("#augment-grid button[aria-pressed=true]")
    expect(pressed).to_have_attribute("data-key", "3")
    assert re.sub("aria-pressed=.[a-z]+.", "", content(page, "grid")) == re.sub(
        "aria-pressed=.[a-z]+.", "", grid
    )
    names = page.locator("#augment-steps [data-step]").evaluate_all(
        "tiles => tiles.map(tile => tile.dataset.step)"
    )
    assert names == ["original", "flip", "rotation", "zoom", "jitter", "resize", "network"]


def test_steps_and_extremes_open_in_the_pair_which_stays_in_sight(page_as_left):
    page = page_as_left
    after = page.locator("#augment-after")
    settled_on = page.locator("#augment-grid button[aria-pressed=true]").get_attribute("data-key")
    variant = after.locator("img.pixels").get_attribute("src")
    for tile in ("#augment-steps .tile[data-step=flip]", "#augment-extremes .tile >> nth=-1"):
        found = page.locator(tile)
        found.scroll_into_view_if_needed()
        found.click()
        expect(found).to_have_attribute("aria-pressed", "true")
        assert after.locator("img.pixels").get_attribute("src") == found.locator(
            "img.pixels"
        ).get_attribute("src")
        name = found.locator(".step-name").inner_text()
        expect(after.locator("figcaption")).to_contain_text(name)
        pair = after.locator(".stage").bounding_box()
        assert 0 <= pair["y"] <= pair["y"] + pair["height"] <= 900
    # A variant, also the one that was there before, takes their place.
    page.locator(f"#augment-grid button[data-key='{settled_on}']").click()
    expect(after.locator("img.pixels")).to_have_attribute("src", variant)
    assert page.locator("#augment-shown .look[aria-pressed=true]").count() == 0
    another = "3" if settled_on != "3" else "2"
    page.locator(f"#augment-grid button[data-key='{another}']").click()
    expect(after.locator("figcaption")).to_contain_text(f"variant {another} of 3")
    assert after.locator(".stage").bounding_box()["y"] >= 0, "in sight"


def test_any_picture_enlarges(page_as_left):
    page = page_as_left
    page.locator("#augment-after .stage").click()
    dialog = page.locator("dialog.enlarged")
    picture = dialog.locator("img.pixels")
    assert picture.get_attribute("src") == page.locator("#augment-after img.pixels").get_attribute(
        "src"
    )
    assert picture.bounding_box()["height"] > 600
    page.keyboard.press("ArrowRight")
    step = page.locator("#augment-steps img.pixels").first.get_attribute("src")
    expect(picture).to_have_attribute("src", step)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    last = page.locator("#augment-grid img.pixels").last.get_attribute("src")
    expect(picture).to_have_attribute("src", last)
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    page.get_by_role("tab", name="Detect").click()
    page.locator("#detect-result .enlarge").focus()
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "enlarge"


def test_an_emptied_number_changes_nothing_and_comes_back(page_as_left):
    page = page_as_left
    for name, value in (("zoom", "1.8"), ("seed", "3")):
        field = page.locator(f"#augment-{name} input[type=number], #augment-{name} input").first
        expect(field).to_have_value(value)
        steps = content(page, "steps")
        page.traffic.handlers.clear()
        field.click()
        field.fill("")
        page.traffic.settle()
        assert page.traffic.handlers == []
        field.press("Tab")
        expect(field).to_have_value(value)
        page.traffic.settle()
        assert content(page, "steps") == steps
        expect(page.locator("#augment-problem .problem")).to_have_count(0)


def test_presets_and_surprise(page_as_left):
    """Each is drawn once."""
    page = page_as_left
    for name in ("too-much", "training"):
        page.traffic.handlers.clear()
        page.locator(f"#preset-{name}").click()
        page.traffic.settle()
        assert max(Counter(page.traffic.handlers).values()) == 1
    page.locator("#preset-none").click()
    expect(page.locator("#augment-sentence")).to_contain_text("Unchanged")
    expect(page.locator("#augment-extremes")).to_contain_text("Nothing is switched on")
    page.locator("#preset-too-much").click()
    expect(page.locator("#augment-rotation_degrees input[type=number]")).to_have_value("60")
    expect(page.locator("#augment-extremes")).to_contain_text("+60°")
    settled(page, lambda: page.locator("#surprise").click())
    page.locator("#preset-training").click()
    default = f"{AugmentConfig().rotation_degrees:g}"
    expect(page.locator("#augment-rotation_degrees input[type=number]")).to_have_value(default)


def largest_box(page: Page) -> list[float]:
    """Of those the text field names; which row it is in depends on what was drawn when."""
    text = page.locator("#augment-boxes").locator("input, textarea").input_value()
    rows = [[float(v) for v in re.findall(r"-?[\d.]+", row)] for row in text.split(";")]
    return max(rows, key=lambda row: (row[2] - row[0]) * (row[3] - row[1]))


def test_a_box_is_drawn_by_dragging_and_moved_by_keys(page_as_left):
    page = page_as_left
    area = page.locator("#augment-before .stage").bounding_box()

    def at(x: float, y: float) -> tuple[float, float]:
        return area["x"] + x * area["width"], area["y"] + y * area["height"]

    def drag() -> None:
        page.keyboard.down("Shift")
        page.mouse.move(*at(0.1, 0.1))
        page.mouse.down()
        page.mouse.move(*at(0.9, 0.95), steps=4)
        page.mouse.up()
        page.keyboard.up("Shift")

    after = page.locator("#augment-after figcaption")
    shown = re.search(r"variant \d of", after.inner_text())
    settled(page, drag)
    assert shown
    expect(after).to_contain_text(shown[0])
    # Photo 000004 has 90 x 120 pixels.
    expected = [0.1 * 90, 0.1 * 120, 0.9 * 90, 0.95 * 120]
    wait_for(lambda: largest_box(page) == pytest.approx(expected, abs=1), "the box drawn")
    expect(page.locator("#augment-box-source").get_by_label("my own")).to_be_checked()
    before = largest_box(page)
    settled(page, lambda: page.keyboard.press("ArrowRight"))
    moved = pytest.approx([before[0] + 1, before[1], before[2] + 1, before[3]])
    wait_for(lambda: largest_box(page) == moved, "the box moved")


@pytest.mark.usefixtures("no_plots")
def test_what_is_taken_away_trains(page_as_left, toy_voc, tmp_path):
    page = page_as_left
    settled(page, lambda: slide(page, "rotation_degrees", 12))
    with page.expect_download() as download:
        page.locator("#augment-json").click()
    settings = tmp_path / download.value.suggested_filename
    assert settings.name == "augment.json"
    download.value.save_as(settings)
    result = run_here(
        "train.py", "--data", toy_voc, "--augment", settings, "--out", tmp_path / "run",
        "--epochs", "1", "--small-epochs", "0", "--image-size", "64", "--batch-size", "4",
        "--backbone-weights", "none", "--val-split", "none", "--no-progress",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr

    config = read_info(tmp_path / "run" / "last.safetensors").config
    assert config["augment"]["rotation_degrees"] == 12
    with page.expect_download() as download:
        page.locator("#augment-zip").click()
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        names = set(archive.namelist())
        assert {"boxes.csv", "coco.json", "data.yaml", "variant_03.png", "variant_03.txt"} <= names
        assert json.loads(archive.read("augment.json")) == json.loads(settings.read_text())


def setting(page, name: str):
    return page.locator(f"#augment-{name} input[type=number]")


def test_two_settings_are_compared_and_one_link_has_both(page_as_left):
    page = page_as_left
    settled(page, lambda: slide(page, "rotation_degrees", 20))
    expect(page.locator("#augment-a")).not_to_be_visible()
    expect(page.locator("#augment-swap")).not_to_be_visible()
    page.locator("#augment-pin").click()
    pinned, after = page.locator("#augment-a img.pixels"), page.locator("#augment-after img.pixels")
    expect(pinned).to_be_visible()
    assert pinned.get_attribute("src") == after.get_attribute("src")
    settled(page, lambda: slide(page, "rotation_degrees", 0))
    expect(page.locator("#augment-answers .answers")).to_have_count(2)
    page.traffic.settle()
    expect(page.locator("#augment-sentence")).to_contain_text("A ")
    expect(page.locator("#augment-steps .note")).to_contain_text("B is what the settings say now")
    heading = page.get_by_role("heading", name="Variants of B")
    expect(heading).to_be_visible()
    before, now = (p.get_attribute("src") for p in (pinned, after))
    assert before != now
    expect(page).to_have_url(re.compile(r"\ba=rotation_degrees%3A20"))
    expect(page).to_have_url(re.compile(r"\brotation_degrees=0"))
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator("#augment-answers .answers")).to_have_count(2)
    shown = [other.locator(f"#augment-{name} img.pixels") for name in ("a", "after")]
    assert [picture.get_attribute("src") for picture in shown] == [before, now]
    other.close()

    page.locator("#augment-swap").click()
    expect(setting(page, "rotation_degrees")).to_have_value("20")
    expect(pinned).to_have_attribute("src", now)
    expect(after).to_have_attribute("src", before)
    page.locator("#augment-unpin").click()
    expect(page.locator("#augment-a")).not_to_be_visible()
    expect(heading).to_have_count(0)
    expect(page.locator("#augment-steps .note")).to_have_count(0)
    expect(page).not_to_have_url(re.compile(r"[?&]a="))


def test_four_numbers_set_the_box_and_bad_ones_leave_it(page_as_left):
    page = page_as_left
    field = page.locator("#augment-boxes input, #augment-boxes textarea")

    def enter(text: str) -> None:
        field.fill(text)
        field.press("Enter")

    settled(page, lambda: enter("dog 5, 6, 50, 70"))
    label = page.locator("#augment-before .box").first
    expect(label).to_have_attribute("aria-label", re.compile("dog.*left 5, top 6, right 50"))
    grid = content(page, "grid")
    enter("5, 6, 2")
    expect(page.locator("#augment-problem .problem")).to_contain_text("is no box")
    expect(label).to_have_attribute("aria-label", re.compile("dog.*left 5, top 6, right 50"))
    assert content(page, "grid") == grid


def test_undo_and_redo_of_settings_and_boxes(augment_page):
    page = augment_page
    undo, redo = page.locator("#augment-undo"), page.locator("#augment-redo")
    expect(undo).to_be_disabled()
    box = page.locator("#augment-before .box").first
    first = box.get_attribute("aria-label")
    settled(page, lambda: slide(page, "rotation_degrees", 17))
    box.focus()
    settled(page, lambda: page.keyboard.press("Shift+ArrowRight"))
    moved = box.get_attribute("aria-label")
    assert moved != first
    expect(page.locator("#augment-before .status")).to_contain_text("Box: left")
    settled(page, lambda: page.locator("#preset-none").click())
    page.traffic.settle()

    settled(page, undo.click)
    expect(setting(page, "rotation_degrees")).to_have_value("17")
    expect(box).to_have_attribute("aria-label", moved)
    box.focus()
    settled(page, lambda: page.keyboard.press("Control+z"))
    expect(box).to_have_attribute("aria-label", first)
    expect(page.locator("#augment-before .status")).to_have_text("")  # it was of the other box
    expect(setting(page, "rotation_degrees")).to_have_value("17")
    settled(page, lambda: page.keyboard.press("Control+z"))
    expect(setting(page, "rotation_degrees")).to_have_value("4")
    expect(undo).to_be_disabled()
    page.keyboard.press("Control+z")
    settled(page, lambda: page.keyboard.press("Control+Shift+Z"))
    expect(setting(page, "rotation_degrees")).to_have_value("17")
    settled(page, redo.click)
    expect(box).to_have_attribute("aria-label", moved)
    expect(page).to_have_url(re.compile("boxes=.*rotation_degrees=17"))
    # Something new: there is no way on to what was undone.
    settled(page, lambda: slide(page, "zoom", 3))
    expect(redo).to_be_disabled()
    settled(page, undo.click)
    expect(setting(page, "zoom")).to_have_value("1.8")


def test_every_slider_changes_what_it_says(page_as_left):
    page = page_as_left

    def becomes(name: str, value: float, where: str, words: str) -> None:
        slide(page, name, value)
        expect(page.locator(f"#augment-steps [data-step={where}]")).to_contain_text(words)

    slide(page, "count", 2)
    expect(page.locator("#augment-grid button")).to_have_count(2)
    expect(page.locator("#augment-answers .row")).to_have_count(2)
    for name in ("brightness", "contrast", "saturation"):
        slide(page, name, 0)
    off = page.locator("#augment-steps p").filter(has_text="Off:")
    slide(page, "hue", 0)
    expect(off).to_contain_text("colours")
    becomes("hue", 0.4, "jitter", "hue")
    slide(page, "rotation_degrees", 0)
    expect(off).to_contain_text("rotation")
    slide(page, "zoom", 1)
    expect(page.locator("#augment-steps [data-step=zoom]")).to_have_count(0)
    page.get_by_text("Quality: blur, noise, JPEG, erased patches").click()
    becomes("blur", 4, "blur", "blurred")
    becomes("flip_probability", 1, "flip", "mirrored")
    expect(page.locator("#augment-sentence")).to_contain_text("Mirrored")
    slide(page, "flip_probability", 0)
    expect(off).to_contain_text("flip")


def test_sliders_answer_the_arrow_keys_and_the_enter_key(page_as_left):
    page = page_as_left
    number = page.locator("#augment-rotation_degrees input[type=number]")
    number.fill("30")
    number.press("Enter")
    expect(page.locator("#augment-extremes")).to_contain_text("+30°")
    page.locator("#augment-rotation_degrees input[type=range]").press("ArrowRight")
    expect(page.locator("#augment-extremes")).to_contain_text("+31°")
    expect(page.locator("#augment-extremes")).not_to_contain_text("+30°")


def test_a_number_typed_out_of_range_is_drawn_at_its_end(page_as_left):
    page = page_as_left
    slide(page, "rotation_degrees", 999)
    expect(page.locator("#augment-rotation_degrees input[type=number]")).to_have_value("180")
    expect(page.locator("#augment-extremes")).to_contain_text("+180°")
    expect(page.locator("#augment-problem .problem")).to_have_count(0)


def test_a_setting_that_is_moved_shows_what_it_does_alone_then_the_variant_again(page_as_left):
    page = page_as_left
    after, alone = page.locator("#augment-after"), page.locator("#augment-alone")
    expect(alone).not_to_be_visible()
    captions = alone.locator("figcaption")
    names = {"rotation_degrees": "Rotation alone: -", "brightness": "Brightness alone: darkest"}
    for name, first in names.items():  # the second one never shows the first under its name
        slider = page.locator(f"#augment-{name} input[type=range]")
        slider.scroll_into_view_if_needed()
        area = slider.bounding_box()
        page.mouse.move(area["x"] + area["width"] / 3, area["y"] + area["height"] / 2)
        page.mouse.down()
        page.mouse.move(area["x"] + area["width"] / 2, area["y"] + area["height"] / 2)
        expect(captions.first).to_contain_text(first)
        expect(alone).to_be_visible()
        expect(after).not_to_be_visible()
        page.traffic.settle()  # while the mouse holds the slider it stays, whatever else is drawn
        if name == "brightness":
            page.wait_for_timeout(2500)
        expect(alone).to_be_visible()
        page.mouse.up()
        expect(after).to_be_visible()
        expect(alone).not_to_be_visible()


def test_rotation_rule_and_advice(page_as_left):
    page = page_as_left
    settled(page, lambda: slide(page, "rotation_degrees", 40))
    settled(page, lambda: page.locator("#augment-box_rule").get_by_label("hull").check())
    expect(page.locator("#augment-advice")).to_contain_text("loose boxes")
    rotation = page.locator("#augment-steps [data-step=rotation]")
    assert rotation.locator("rect.line.hull").count() == 1
    assert rotation.locator("rect.line.ellipse").count() == 1
    settled(page, lambda: slide(page, "min_visible", 1))
    expect(page.locator("#augment-advice")).to_contain_text("drawn again")


def test_the_threshold_of_detect_counts_in_augment_too(page_as_left):
    """What is refused there is not "still a cat" here."""
    page = page_as_left
    page.get_by_role("tab", name="Detect").click()
    slide_detect = page.locator("#detect-threshold input[type=number]")
    slide_detect.fill("1")
    slide_detect.press("Tab")
    expect(page.locator("#detect-result")).to_contain_text(re.compile("none of|not sure", re.I))
    page.get_by_role("tab", name="Augment").click()
    expect(page.locator("#augment-answers")).to_contain_text("finds")
    count = page.locator("#augment-grid [data-key]").count()
    expect(page.locator("#augment-answers .row.unsure")).to_have_count(count)
    expect(page.locator("#augment-grid .badge.unsure")).to_have_count(count)
    expect(page.locator("#augment-sentence")).to_contain_text(
        re.compile("the detector (is not sure|sees none)")
    )
    expect(page).to_have_url(re.compile("threshold=1"))


def test_another_photo_cannot_be_undone_into_the_one_before(page_as_left):
    page = page_as_left
    settled(page, lambda: slide(page, "rotation_degrees", 17))
    expect(page.locator("#augment-undo")).to_be_enabled()
    settled(page, lambda: page.locator("#photo button[data-key=cat]").click())
    expect(page.locator("#augment-undo")).to_be_disabled()
