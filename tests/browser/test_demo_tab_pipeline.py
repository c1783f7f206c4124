"""The tab of the owner's own pipeline in a real browser."""

import re

from conftest import demo_here
from playwright.sync_api import expect
from visitor import open_again

PIPELINE = """
from torchvision.transforms import v2
transforms = v2.Compose([
    v2.RandomHorizontalFlip(), v2.RandomRotation(40), v2.RandomCrop(60), v2.SanitizeBoundingBoxes(),
])
"""


def test_variants_steps_and_the_whole_set_whose_tiles_open_their_draw(
    reused_page, toy_voc, tmp_path
):
    file = tmp_path / "mine.py"
    file.write_text(PIPELINE)
    flags = {"data": (str(toy_voc),), "pipeline": f"{file}:transforms"}
    with demo_here(tmp_path, **flags) as (_, address):
        page = open_again(reused_page, address)
        page.get_by_role("tab", name="Your pipeline").click()
        view = page.locator("#pipeline-view")
        expect(view).to_contain_text("Step by step, seed 0")
        expect(view).to_contain_text("RandomRotation")
        page.locator("#pipeline-again button, button#pipeline-again").click()
        expect(view).to_contain_text("Step by step, seed 1")

        expect(page.locator("#pipeline-stop")).to_be_hidden()
        page.locator("#pipeline-count").click()
        expect(page.locator("#pipeline-said")).to_contain_text("20 photos, each drawn once")
        expect(page.locator("#pipeline-stop")).to_be_hidden()
        found = page.locator("#pipeline-found")
        expect(found).to_contain_text("SanitizeBoundingBoxes drops")
        expect(
            found.get_by_role("row", name=re.compile("the largest of each photo 20 "))
        ).to_be_visible()
        tile = found.locator("button[data-key]").last
        seed, name = tile.get_attribute("data-key").split()
        tile.click()
        expect(view).to_contain_text(f"Step by step, seed {seed}")
        page.get_by_role("tab", name="Detect").click()
        expect(page.locator("#detect-result")).to_contain_text(name)
        assert page.failures == []
