"""A folder dropped on the Augment tab comes back as a ZIP, with the boxes of its annotations."""

import json
import re
import zipfile

import pytest
from conftest import SLOW_PHOTO, write_voc_xml
from PIL import Image
from playwright.sync_api import expect
from visitor import CAT, DOG, drop, open_again


@pytest.fixture
def folder(tmp_path):
    """A photo with its annotation, one without, and what is none."""
    root = tmp_path / "holiday"
    (root / "photos").mkdir(parents=True)
    (root / "photos" / "dog.jpg").write_bytes(DOG.read_bytes())
    (root / "photos" / "cat.jpg").write_bytes(CAT.read_bytes())
    (root / "photos" / "words.jpg").write_text("no photo")
    write_voc_xml(root, "dog", Image.open(DOG).size, [("sofa", 10, 20, 200, 180)])
    return root


def test_drop_make_stop_and_make_again(reused_page, demo_address, folder):
    page = open_again(reused_page, f"{demo_address}?tab=augment&sample=cat")
    expect(page.locator("#augment-answers .row")).to_have_count(8)
    drop(page, folder)
    status, result = page.locator("#folder-files .status"), page.locator("#folder-result")
    expect(status).to_have_text("3 photos and 1 other file.")
    expect(page.locator("#folder-make")).to_be_visible()
    page.traffic.settle()
    with page.expect_download() as download:
        page.locator("#folder-make").click()
    expect(result).to_contain_text("6 pictures of 2 photos")
    expect(result.locator(".problem")).to_have_count(1)
    expect(result.locator(".problem")).to_contain_text("words.jpg")
    expect(status).to_have_text("2 photos and 1 other file; 1 photo left out.")
    expect(page.locator("#folder-stop")).to_be_hidden()
    with zipfile.ZipFile(download.value.path()) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        coco = json.loads(archive.read("coco.json"))
    assert list(manifest["boxes_from_detector"]) == ["cat.jpg"]
    assert sum(image["file_name"].endswith(".png") for image in coco["images"]) == 6
    # More photos than can be made before somebody presses: stopped, and nothing is saved.
    slow = [folder / f"{number}-{SLOW_PHOTO}" for number in range(8)]
    for number, file in enumerate(slow):
        file.write_bytes(CAT.read_bytes() + bytes(number))  # each an upload of its own
    page.locator("#folder-files input.files").set_input_files(slow)
    expect(status).to_have_text("10 photos and 1 other file.")
    expect(result.locator(".problem")).to_have_count(0)
    page.traffic.settle()
    page.locator("#folder-make").click()
    page.locator("#folder-stop").click()
    expect(result).to_contain_text("Stopped: nothing was saved")
    expect(page.locator("#folder-stop")).to_be_hidden()
    # The tab itself is as it was.
    expect(page).to_have_url(re.compile("sample=cat"))
