"""The Detect tab in a real browser."""

import json
import re
import shutil

import pytest
from conftest import REPOSITORY
from playwright.sync_api import expect
from visitor import ASTRONAUT, CAT, DOG, drawn_box, drop, wait_for


def test_the_list_of_classes_closes_where_one_goes_on(page):
    known, summary = page.locator("details.known"), page.locator("details.known summary")
    for go_on in (
        lambda: page.keyboard.press("Escape"),
        lambda: page.locator("#detect-result").click(position={"x": 5, "y": 5}),
        lambda: page.get_by_role("tab", name="Training").click(),
    ):
        summary.click()
        expect(known).to_have_attribute("open", "")
        page.locator("details.known li").first.click()
        expect(known).to_have_attribute("open", "")
        go_on()
        expect(known).not_to_have_attribute("open", "")


def test_examples_threshold_and_explanations(page):
    page.locator("#photo button[data-key=cat]").click()
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    expect(page.locator("#detect-result")).to_contain_text("your request took")
    assert page.locator("#detect-result img.heat").count() == 0
    heats = set()
    for label, words in (("speaks for the class", "this class"), ("was read from", "its box")):
        page.locator("#detect-explain").get_by_label(label).check()
        expect(page.locator("#detect-result .answered figcaption")).to_contain_text(words)
        heats.add(page.locator("#detect-result img.heat").get_attribute("src"))
    assert len(heats) == 2
    heat = page.locator("#detect-result img.heat")
    number = page.locator("#detect-opacity input[type=number]")
    number.fill("0.2")
    number.press("Enter")
    wait_for(lambda: heat.evaluate("e => getComputedStyle(e).opacity") == "0.2", "the opacity")
    number = page.locator("#detect-threshold input[type=number]")
    number.fill("1")
    number.press("Enter")
    expect(page.locator("#detect-result .verdict")).to_have_text("Not sure. Probably a cat.")
    expect(page).to_have_url(re.compile("sample=cat.*threshold=1.*explain=box"))


def test_detect_downloads(page):
    page.locator("#photo button[data-key=cat]").click()
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    got = {}
    for kind in ("png", "json", "csv"):
        with page.expect_download() as download:
            page.locator(f"#detect-{kind}").click()
        got[kind] = download.value.path().read_bytes()
        assert download.value.suggested_filename == f"cat_detected.{kind}"
    assert got["png"].startswith(b"\x89PNG")
    answer = json.loads(got["json"])
    assert answer["bbox_xyxy"] == pytest.approx(drawn_box(page), abs=0.02)
    header, row = got["csv"].decode().splitlines()
    assert header.startswith("file,class_name,score,xmin")
    assert row.startswith("cat.jpg,cat,")


def test_a_long_name_takes_one_line_of_its_card(page, tmp_path):
    long = f"{'a road with many cars ' * 5}.jpg"
    shutil.copy(CAT, tmp_path / long)
    drop(page, tmp_path / long, DOG)
    names = page.locator("#many-result .file-name")
    expect(names).to_have_count(2)
    expect(names.first).to_have_attribute("title", long)
    heights = [name.bounding_box()["height"] for name in names.all()]
    assert heights[0] == pytest.approx(heights[1], abs=1)


def test_many_photos_at_once(page, tmp_path):
    drop(page, REPOSITORY / "LICENSE")
    expect(page.locator("#photo .status.problem")).to_contain_text("LICENSE is not an image")
    drop(page, CAT, ASTRONAUT, REPOSITORY / "LICENSE")
    expect(page.locator("#photo .status.problem")).to_have_count(0)
    expect(page.locator("#many-result")).to_contain_text("2 of 3 photos answered")
    expect(page.locator("#many-result .problem")).to_contain_text("LICENSE is not an image")
    folder = tmp_path / "holiday"
    folder.mkdir()
    shutil.copy(REPOSITORY / "examples" / "balloon.jpg", folder)
    (folder / "balloon.txt").write_text("0 .5 .5 .1 .1")
    drop(page, folder)
    expect(page.locator("#many-result")).to_contain_text(
        "3 of 3 photos answered; not sure of 1, below"
    )
    expect(page.locator("#many-files .status")).to_have_text(
        "1 annotation file left out: only photos are read here."
    )
    expect(page.locator("#many-result .unsure")).to_contain_text("None of the 20 classes")
    with page.expect_download() as download:
        page.locator("#many-csv").click()
    lines = download.value.path().read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["cat.jpg", "astronaut.jpg", "balloon.jpg"]
    page.locator("#many-result button").first.click()
    expect(page.locator("#photo .status")).to_have_text("Your photo: cat.jpg")
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
