"""The Training tab in a real browser."""

import json
import re

import pytest
from conftest import demo_here, make_voc
from overlaid import overlaid
from playwright.sync_api import Locator, expect
from visitor import as_new, open_again

from demo.backend import Backend
from demo.theme import CSS
from demo.views.confusion import show_matrix
from model.checkpoint import DEFAULT_CHECKPOINT, CheckpointInfo, read_info, save_checkpoint
from model.data.samples import PhotoLibrary
from model.network.detector import LargestObjectDetector


def test_training_tab(page):
    page.get_by_role("tab", name="Training").click()
    expect(page.locator("#training-results")).to_contain_text("class accuracy")
    expect(page.locator("#model-card")).to_contain_text("Model card")
    assert page.locator("#confusion table tbody tr").count() == 20
    expect(page.locator("#curves svg.chart")).to_have_count(3)
    expect(page.locator("#curves")).to_contain_text("after epoch")
    expect(page).to_have_url(re.compile("tab=training"))
    charts = page.locator(".robustness svg[aria-label^='scores by']")
    expect(charts.first).to_be_hidden()
    page.get_by_text("Robustness: scores").click()
    expect(page.locator(".robustness .note")).to_contain_text("less often first at")
    expect(charts).to_have_count(14)
    expect(charts.first.locator("polyline")).to_have_count(3)
    legend = page.locator(".robustness .legend")
    assert legend.bounding_box()["height"] < 60
    sides = [chart.bounding_box() for chart in charts.all()]
    assert all(side["width"] > 100 and side["x"] + side["width"] <= 1280 for side in sides)
    check_that_names_stand_above_their_columns(page.locator("#confusion table"))


def test_a_cell_of_the_matrix_opens_its_photos_by_keyboard_too(page):
    """In the toy's CSV the sheep 000020 is taken for a cat, and all else is right."""
    page.get_by_role("tab", name="Training").click()
    expect(page.locator("#behind-heading")).to_contain_text("Press a number")
    expect(page.locator("#behind-detect")).to_be_hidden()  # there is nothing to send yet
    stops = page.locator("#confusion button[tabindex='0']")
    expect(stops).to_have_count(1)
    page.locator("#confusion button[data-key='sheep/']").focus()
    page.keyboard.press("ArrowRight")
    cell = page.locator("#confusion button[data-key='sheep/cat']")
    expect(cell).to_be_focused()
    expect(stops).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#behind-heading")).to_contain_text("sheep, predicted cat: 1 photo.")
    expect(page.locator("#behind-card")).to_contain_text("Photo 000020")
    assert page.locator("#behind-card img.heat").count() == 2
    expect(page).to_have_url(re.compile("tab=training&cell=sheep%2Fcat"))
    page.locator("#confusion button[data-key='/cat']").click()
    expect(page.locator("#behind-grid button")).to_have_count(4)
    page.locator("#behind-grid button").last.click()
    expect(page.locator("#behind-card")).not_to_contain_text("Photo 000020")
    expect(page).to_have_url(re.compile("sample=0000.*cell=%2Fcat"))
    page.reload()
    expect(page.locator("#behind-grid button")).to_have_count(4)
    expect(page.locator("#behind-card")).to_contain_text("Photo 0000")
    page.locator("#behind-detect").click()
    expect(page.locator("#detect-result")).to_contain_text("overlap with the true box")


def test_all_tabs_follow_the_checkpoint(reused_page, tmp_path):
    """What it knows, and the threshold: 50 % where none is calibrated, else its own."""
    path, names = tmp_path / "insects.safetensors", ("ant", "bee")
    network = LargestObjectDetector(names, 64)
    save_checkpoint(path, network, CheckpointInfo(names, 64))
    path.with_suffix(".robustness.json").write_text(json.dumps(overlaid()))
    calibration = read_info(DEFAULT_CHECKPOINT).calibration
    assert calibration
    threshold = round(calibration.threshold, 2)
    assert threshold != 0.5
    # With a data set of one's own, whose classes these are.
    data = make_voc(tmp_path / "VOC2007", 6, 3, classes=names)
    with demo_here(tmp_path, checkpoint=str(path), data=(str(data),)) as (_, address):
        page = open_again(reused_page, f"{address}?tab=augment&sample=000004&count=1")
        expect(page.locator("#augment-answers .row")).to_have_count(1)
        expect(page.locator("#augment-before .box .tag").first).to_contain_text("ant")
        expect(page.locator("#augment-problem .problem")).to_have_count(0)
        page.goto(f"{address}?tab=dataset&class=bee")
        expect(page.locator("#dataset-count")).to_contain_text("4 photos")
        expect(page.locator("#dataset-class input")).to_have_value("bee")
        page.goto(address)
        expect(page.locator("#known li")).to_have_text(names)
        number = page.locator("#detect-threshold input[type=number]")
        expect(number).to_have_value("0.5")
        page.get_by_role("tab", name="Training").click()
        page.get_by_text("Robustness: scores").click()
        expect(page.locator(".robustness")).to_contain_text("Dashed: other")
        dashed = page.locator(".robustness svg[aria-label^='scores by'] polyline[stroke-dasharray]")
        expect(dashed).to_have_count(3 * 14)
        expect(dashed.last).to_be_visible()
        page.locator("#checkpoint input").click()
        page.get_by_role("option", name=DEFAULT_CHECKPOINT.stem).click()
        expect(page.locator("#known li")).to_have_count(20)
        expect(page.locator("#training-results")).to_contain_text("class accuracy")
        page.get_by_role("tab", name="Detect").click()
        expect(page.locator("#detect-result")).to_contain_text(
            f"the threshold, {100 * threshold:.0f} %"
        )
        expect(number).to_have_value(f"{threshold:g}")


def test_the_threshold_stays_when_the_checkpoint_is_only_passed(reused_page, demo_address):
    page = open_again(reused_page, f"{demo_address}?threshold=0.9")
    expect(page.locator("#detect-threshold input[type=number]")).to_have_value("0.9")
    page.get_by_role("tab", name="Training").click()
    expect(page.locator("#training-results")).to_contain_text("class accuracy")
    page.traffic.settle()
    page.traffic.forget()
    page.locator("#checkpoint input").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#checkpoint input")).not_to_be_focused()
    page.traffic.settle()
    assert page.traffic.handlers == []
    expect(page.locator("#detect-threshold input[type=number]")).to_have_value("0.9")


def test_on_a_phone_the_tab_is_a_few_lines_that_open(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("tab", name="Training").click()
    parts = {
        "Learning curves": "#curves", "Settings and scores": "#training-results",
        "Confusion matrix": "#confusion", "Model card": "#model-card",
    }  # fmt: skip
    for heading, part in parts.items():
        line = page.get_by_role("button", name=heading)
        expect(line).to_have_attribute("aria-expanded", "false")
        expect(page.locator(part)).not_to_be_visible()
        line.click()
        expect(page.locator(part)).to_be_visible()
        line.click()
        expect(page.locator(part)).not_to_be_visible()
    assert page.evaluate("document.documentElement.scrollHeight") < 2 * 844
    page.set_viewport_size({"width": 1280, "height": 900})
    for part in parts.values():
        expect(page.locator(part)).to_be_visible()
    expect(page.locator(".fold").first).not_to_be_visible()


CENTERS_JS = """(table) => {
  const center = (cell) => {
    const place = (cell.querySelector('span, button') || cell).getBoundingClientRect();
    return place.left + place.width / 2;
  };
  const names = [...table.tHead.rows[0].cells].slice(1).map(center);
  const columns = [...table.tBodies[0].rows[0].cells].slice(1).map((cell) => {
    const place = cell.getBoundingClientRect();
    return place.left + place.width / 2;
  });
  return [names, columns];
}"""


def check_that_names_stand_above_their_columns(table: Locator) -> None:
    names, columns = table.evaluate(CENTERS_JS)
    assert len(names) == len(columns) == 20
    assert names == pytest.approx(columns, abs=3)


def test_names_stand_above_their_columns_where_there_are_no_photos_to_open_too(
    reused_page, toy_voc
):
    """The page as most people first see it: without the CSV of predictions."""
    backend = Backend(PhotoLibrary(toy_voc))
    report = json.loads(DEFAULT_CHECKPOINT.with_suffix(".metrics.json").read_text())
    html = f"<style>{CSS.read_text()}</style>{show_matrix(backend, report)}"
    page = as_new(reused_page)
    page.goto("about:blank")
    page.set_content(html)
    check_that_names_stand_above_their_columns(page.locator("table.confusion"))
