"""The page in a real browser: what people do, and what they then see."""

import base64
import io
import json
import re
import shutil
import time
import zipfile
from collections import Counter

import pytest
from commands import run_here
from conftest import REPOSITORY, running_demo
from gradio_client import Client, handle_file
from playwright.sync_api import Browser, Page, expect

from model.augment import AugmentConfig
from model.checkpoint import DEFAULT_CHECKPOINT, CheckpointInfo, read_info, save_checkpoint
from model.detector import LargestObjectDetector

CAT = REPOSITORY / "examples" / "cat.jpg"
DOG = REPOSITORY / "examples" / "dog.jpg"
ASTRONAUT = REPOSITORY / "examples" / "astronaut.jpg"
SLOW = 60_000  # milliseconds; machines differ
expect.set_options(timeout=SLOW)


# Without a timeout Chromium may never call back: it once did nothing at all for ten minutes.
UNTIL_IDLE = "() => new Promise((done) => requestIdleCallback(() => done(), { timeout: 2000 }))"


class Traffic:
    """The requests of a page: which handlers it called, and what is not answered yet."""

    def __init__(self, page: Page) -> None:
        self.page, self.open, self.sent, self.handlers = page, set(), 0, []
        page.on("request", self._began)
        page.on("requestfinished", lambda request: self.open.discard(request))
        page.on("requestfailed", lambda request: self.open.discard(request))

    def _began(self, request) -> None:
        if re.search(r"/queue/(join|data)", request.url):
            self.open.add(request)
            self.sent += 1
        if "/queue/join" in request.url:
            self.handlers.append(request.post_data_json["fn_index"])

    def settle(self) -> None:
        """Wait until nothing is on its way, and the browser has dealt with what came last."""
        quiet = 0
        while quiet < 4:
            before = self.sent
            self.page.evaluate(UNTIL_IDLE)
            self.page.wait_for_timeout(100)
            quiet = 0 if self.open or self.sent != before else quiet + 1


# The page calls this function of its own when it shows what its address asks for.
NOTE_RESTORED = """
let told;
Object.defineProperty(window, 'addressRestored', {
  get: () => told,
  set: (tell) => { told = (all) => { window.isRestored = true; return tell(all); }; },
});
"""


def open_page(browser: Browser, address: str, ready: str | None = ".stage", **options) -> Page:
    """A visitor of its own, with the page loaded and what the address asks for on its way.

    ``page.traffic`` is its :class:`Traffic`. Without ``ready``, an element to wait for, the page is
    handed over while it is still loading.
    """
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    context.add_init_script(NOTE_RESTORED)
    page = context.new_page()
    page.set_default_timeout(SLOW)
    page.traffic = Traffic(page)
    page.goto(address)
    if ready:
        page.wait_for_selector(ready, state="attached")
        page.wait_for_function("() => window.isRestored")
        page.evaluate(UNTIL_IDLE)
    return page


@pytest.fixture
def page(chromium, demo_address):
    page = open_page(chromium, demo_address)
    yield page
    page.context.close()


@pytest.fixture
def augment_page(chromium, demo_address):
    page = open_page(chromium, f"{demo_address}?tab=augment&sample=000004&seed=3")
    expect(page.locator("#augment-robustness .row")).to_have_count(8)
    page.get_by_text("Advanced: box, seed, rules").click()
    expect(page.locator("#augment-seed input")).to_be_visible()
    page.traffic.settle()
    yield page
    page.context.close()


def drawn_box(page: Page, where: str = "#detect-result", role: str = "prediction") -> list[float]:
    """The box in the page, in pixels of the original photo."""
    line = page.locator(f"{where} rect.line[data-role={role}]").first
    return [float(v) for v in line.get_attribute("data-xyxy").split(",")]


def drop(page: Page, *paths, on: str = "body") -> None:
    """The browser's own drag: a synthetic event would keep its files longer than a real one."""
    area = page.locator(on).bounding_box()
    size = page.viewport_size
    x = min(area["x"] + area["width"] / 2, size["width"] - 5)
    y = min(area["y"] + area["height"] / 2, size["height"] - 5)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})
    session.detach()


def wait_for(condition, what: str) -> None:
    deadline = time.monotonic() + SLOW / 1000
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)


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
        expect(page.locator("#photo .said")).to_have_text(f"Your photo: {path.name}")
        expect(page.locator("#detect-result .verdict")).to_contain_text(name)
    expect(page).to_have_url(re.compile("photo=own"))
    answer = Client(demo_address, verbose=False).predict(photo=handle_file(CAT), api_name="/detect")
    assert drawn_box(page) == pytest.approx(answer["bbox_xyxy"], abs=0.02)
    # Not only the numbers: the rectangle stands at that place of the picture on the screen.
    stage = page.locator("#detect-result .stage").bounding_box()
    line = page.locator("#detect-result rect.line").evaluate(
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
    expect(page.locator("#photo .said.problem")).to_contain_text("LICENSE is not an image")
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
    expect(page.locator("#photo .said")).to_have_text("Your photo: cat.jpg")
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")


def test_the_photo_is_carried_along_and_back_goes_to_the_tab_before(page):
    drop(page, CAT)
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    page.locator("#augment-this").click()
    expect(page.locator("#augment-sentence")).to_contain_text("still says cat")
    drop(page, DOG, on="#augment-after")
    expect(page.locator("#augment-sentence")).to_contain_text("still says dog")
    page.go_back()
    expect(page.locator("#detect-result .verdict")).to_contain_text("dog")
    expect(page).to_have_url(re.compile("tab=detect"))
    page.reload()
    page.wait_for_selector(".stage", state="attached")
    expect(page.locator("#photo .said")).to_contain_text("an address cannot hold")


def test_the_link_is_copied(chromium, demo_address):
    page = open_page(
        chromium, f"{demo_address}?tab=detect&sample=cat",
        permissions=["clipboard-read", "clipboard-write"],
    )  # fmt: skip
    page.locator("#copy-link").click()
    expect(page.locator("#copy-link")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_what_it_knows_is_said_before_whichever_tab_is_open(chromium, demo_address, width):
    page = open_page(chromium, demo_address, viewport={"width": width, "height": 844})
    for tab in ("Detect", "Augment", "Dataset", "Training"):
        page.get_by_role("tab", name=tab).click()
        page.traffic.settle()
        assert page.locator("#known li:visible").count() == 20
        last = page.locator("#known li").last.bounding_box()
        assert last["y"] + last["height"] < 300, f"{tab}: not in sight beside the drop zone"
    page.context.close()


def test_what_it_knows_follows_the_checkpoint(chromium, tmp_path):
    path, names = tmp_path / "insects.safetensors", ("ant", "bee")
    network = LargestObjectDetector(names, 64)
    save_checkpoint(path, network, CheckpointInfo(names, 64))
    with running_demo("--checkpoint", path, VOC_ROOT=str(tmp_path)) as address:
        page = open_page(chromium, f"{address}?tab=training", ready="#checkpoint")
        expect(page.locator("#known li")).to_have_text(names)
        page.locator("#checkpoint input").click()
        page.get_by_role("option", name=DEFAULT_CHECKPOINT.stem).click()
        expect(page.locator("#known li")).to_have_count(20)
        expect(page.locator("#training-results")).to_contain_text("class accuracy")
        page.context.close()


def test_the_threshold_follows_the_checkpoint(chromium, tmp_path):
    """One that is not calibrated starts with 50 %; the shipped one has a threshold of its own."""
    path = tmp_path / "mine.safetensors"
    save_checkpoint(path, LargestObjectDetector(image_size=64), CheckpointInfo(image_size=64))
    calibration = read_info(DEFAULT_CHECKPOINT).calibration
    assert calibration
    threshold = round(calibration.threshold, 2)
    assert threshold != 0.5
    with running_demo("--checkpoint", path, VOC_ROOT=str(tmp_path)) as address:
        page = open_page(chromium, f"{address}?tab=training", ready="#checkpoint")
        page.locator("#checkpoint input").click()
        page.get_by_role("option", name=DEFAULT_CHECKPOINT.stem).click()
        page.get_by_role("tab", name="Detect").click()
        expect(page.locator("#detect-result")).to_contain_text(f"threshold {threshold:.0%}")
        number = page.locator("#detect-threshold input[type=number]")
        expect(number).to_have_value(f"{threshold:g}")
        page.context.close()


def test_examples_threshold_and_explanations(page):
    page.locator("#photo button[data-key=cat]").click()
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    expect(page.locator("#detect-result")).to_contain_text("your request took")
    assert page.locator("#detect-result img.heat").count() == 0
    heats = set()
    for label, words in (("speaks for the class", "this class"), ("was read from", "its box")):
        page.locator("#detect-explain").get_by_label(label).check()
        expect(page.locator("#detect-result figcaption")).to_contain_text(words)
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
    expect(page.locator("#detect-result .verdict")).to_contain_text("None of the 20")
    expect(page.locator("#detect-result .verdict")).to_contain_text("Best guess: cat")
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


def test_many_photos_at_once(page, tmp_path):
    drop(page, CAT, ASTRONAUT, REPOSITORY / "LICENSE")
    expect(page.locator("#many-result")).to_contain_text("2 of 3 photos answered")
    expect(page.locator("#many-result .problem")).to_contain_text("LICENSE is not an image")
    folder = tmp_path / "holiday"
    folder.mkdir()
    shutil.copy(REPOSITORY / "examples" / "balloon.jpg", folder)
    drop(page, folder)
    expect(page.locator("#many-result")).to_contain_text("3 of 4 photos answered; 1 below")
    expect(page.locator("#many-result .unsure")).to_contain_text("none of the 20?")
    with page.expect_download() as download:
        page.locator("#many-csv").click()
    lines = download.value.path().read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["cat.jpg", "astronaut.jpg", "balloon.jpg"]
    page.locator("#many-result button").first.click()
    expect(page.locator("#photo .said")).to_have_text("Your photo: cat.jpg")
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")


def test_camera(chromium, demo_address):
    """Chromium's pretend camera."""
    page = open_page(chromium, demo_address, permissions=["camera"])
    page.locator("#photo .camera").click()
    page.wait_for_function("document.querySelector('#photo video').videoWidth > 0")
    page.locator("#photo .shoot").click()
    expect(page.locator("#photo .said")).to_have_text("Your photo: camera.jpg")
    expect(page.locator("#detect-result")).not_to_contain_text("astronaut")
    page.context.close()


def content(page: Page, part: str) -> str:
    """What a part of the Augment tab shows, without Gradio's own wrapping."""
    return page.locator(f"#augment-{part} .prose").inner_html()


def settled(page: Page, act) -> None:
    """Do something and wait until the variants were drawn anew, and the detector was asked."""
    before = content(page, "grid")
    act()
    wait_for(lambda: content(page, "grid") != before, "new variants")
    tiles, badges = page.locator("#augment-grid button"), page.locator("#augment-grid .badge")
    wait_for(lambda: tiles.count() == badges.count() > 0, "the detector's answers")


def slide(page: Page, name: str, value: float) -> None:
    """Move a slider the way a keyboard does, after typing its number."""
    box = page.locator(f"#augment-{name} input[type=number]")
    box.fill(str(value))
    box.press("Tab")


def step(page: Page, name: str) -> str:
    """What the strip says of a step."""
    return page.locator(f"#augment-steps [data-step={name}]").inner_text()


def test_every_slider_changes_what_it_says(augment_page):
    page = augment_page

    def becomes(name: str, value: float, where: str, words: str) -> None:
        slide(page, name, value)
        expect(page.locator(f"#augment-steps [data-step={where}]")).to_contain_text(words)

    for name in ("brightness", "contrast", "saturation"):
        slide(page, name, 0)
    becomes("hue", 0, "jitter", "nothing done")
    becomes("hue", 0.4, "jitter", "hue")
    becomes("rotation_degrees", 0, "rotation", "nothing done")
    slide(page, "zoom", 1)
    expect(page.locator("#augment-steps [data-step=zoom]")).to_have_count(0)
    becomes("flip_probability", 1, "flip", "mirrored")
    expect(page.locator("#augment-sentence")).to_contain_text("Mirrored")
    becomes("flip_probability", 0, "flip", "nothing done")
    slide(page, "count", 3)
    expect(page.locator("#augment-grid button")).to_have_count(3)
    expect(page.locator("#augment-robustness .row")).to_have_count(3)


def test_sliders_answer_the_arrow_keys_and_the_enter_key(augment_page):
    page = augment_page
    number = page.locator("#augment-rotation_degrees input[type=number]")
    number.fill("30")
    number.press("Enter")
    expect(page.locator("#augment-extremes")).to_contain_text("+30°")
    page.locator("#augment-rotation_degrees input[type=range]").press("ArrowRight")
    expect(page.locator("#augment-extremes")).to_contain_text("+31°")
    expect(page.locator("#augment-extremes")).not_to_contain_text("+30°")


def test_rotation_rule_and_advice(augment_page):
    page = augment_page
    settled(page, lambda: slide(page, "rotation_degrees", 40))
    settled(page, lambda: page.locator("#augment-box_rule").get_by_label("hull").check())
    expect(page.locator("#augment-advice")).to_contain_text("loose boxes")
    rotation = page.locator("#augment-steps [data-step=rotation]")
    assert rotation.locator("rect.line.hull").count() == 1
    assert rotation.locator("rect.line.ellipse").count() == 1
    settled(page, lambda: slide(page, "min_visible", 1))
    expect(page.locator("#augment-advice")).to_contain_text("drawn again")


def test_picking_a_variant_shows_it_and_nothing_else_is_drawn(augment_page):
    page = augment_page
    first, grid = content(page, "steps"), content(page, "grid")
    page.locator("#augment-grid button[data-key='5']").click()
    expect(page.locator("#augment-after figcaption")).to_contain_text("variant 5 of 8")
    expect(page).to_have_url(re.compile("variant=5"))
    assert content(page, "steps") != first
    pressed = page.locator("#augment-grid button[aria-pressed=true]")
    expect(pressed).to_have_attribute("data-key", "5")
    assert re.sub("aria-pressed=.[a-z]+.", "", content(page, "grid")) == re.sub(
        "aria-pressed=.[a-z]+.", "", grid
    )
    names = page.locator("#augment-steps [data-step]").evaluate_all(
        "tiles => tiles.map(tile => tile.dataset.step)"
    )
    assert names == ["original", "flip", "rotation", "zoom", "jitter", "resize", "network"]


def test_the_page_shows_what_the_api_says(augment_page, demo_address):
    answer = Client(demo_address, verbose=False).predict(
        photo=None, sample="000004", seed=3, count=8, ask_detector=True, api_name="/augment"
    )
    for variant in answer["variants"]:
        jitter = next(s for s in variant["steps"] if s["name"] == "jitter")
        where = f"#augment-grid button[data-key='{variant['number']}']"
        shown = drawn_box(augment_page, where, "target")
        assert shown == pytest.approx(jitter["bbox_xyxy"], abs=0.02)
        row = augment_page.locator("#augment-robustness .row").nth(variant["number"] - 1)
        expect(row).to_contain_text(variant["detector"]["class_name"])
        overlap = f"{variant['detector']['iou']:.2f}"
        expect(row).to_contain_text(overlap)
        expect(augment_page.locator(f"{where} .badge")).to_have_text(f"IoU {overlap}")


def largest_box(page: Page) -> list[float]:
    """Of those the text field names; which row it is in depends on what was drawn when."""
    text = page.locator("#augment-boxes").locator("input, textarea").input_value()
    rows = [[float(v) for v in re.findall(r"-?[\d.]+", row)] for row in text.split(";")]
    return max(rows, key=lambda row: (row[2] - row[0]) * (row[3] - row[1]))


def test_a_box_is_drawn_by_dragging_and_moved_by_keys(augment_page):
    page = augment_page
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

    settled(page, drag)
    # Photo 000004 has 90 x 120 pixels.
    expected = [0.1 * 90, 0.1 * 120, 0.9 * 90, 0.95 * 120]
    wait_for(lambda: largest_box(page) == pytest.approx(expected, abs=1), "the box drawn")
    expect(page.locator("#augment-box-source").get_by_label("my own")).to_be_checked()
    before = largest_box(page)
    settled(page, lambda: page.keyboard.press("ArrowRight"))
    moved = pytest.approx([before[0] + 1, before[1], before[2] + 1, before[3]])
    wait_for(lambda: largest_box(page) == moved, "the box moved")


def test_four_numbers_set_the_box_and_bad_ones_leave_it(augment_page):
    page = augment_page
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


def test_presets_and_surprise(augment_page):
    page = augment_page
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


def test_what_is_taken_away_trains(augment_page, toy_voc, tmp_path):
    page = augment_page
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
        assert {"boxes.csv", "coco.json", "data.yaml", "variant_08.png", "variant_08.txt"} <= names
        assert json.loads(archive.read("augment.json")) == json.loads(settings.read_text())


def test_the_same_address_gives_the_same_view(chromium, demo_address):
    address = (
        f"{demo_address}?tab=augment&sample=000004&seed=11&count=4&variant=3&rotation_degrees=25"
        "&box_rule=hull"
    )
    views = []
    for _ in range(2):
        page = open_page(chromium, address)
        expect(page.locator("#augment-robustness .row")).to_have_count(4)
        expect(page.locator("#augment-after figcaption")).to_contain_text("variant 3 of 4")
        views.append([content(page, part) for part in ("grid", "steps", "robustness")])
        expect(page.locator("#augment-rotation_degrees input[type=number]")).to_have_value("25")
        page.context.close()
    assert views[0] == views[1]


@pytest.mark.parametrize(
    ("query", "most"),
    [
        ("", 1),  # what the address asks for, which is nothing
        ("?tab=detect&sample=cat&threshold=0.3&explain=box", 2),
        # What the address asks for; the boxes, the pair, the rest; Detect, where a photo is named.
        ("?tab=augment", 4),
        ("?tab=augment&sample=000004&seed=11&count=4&variant=3&rotation_degrees=25&hue=0.1", 5),
        ("?tab=dataset&split=trainval&page=2&sample=000025", 2),
        ("?tab=training&cell=sheep%2Fcat", 2),
    ],
)
def test_an_address_is_drawn_once(chromium, demo_address, query, most):
    """Opening it calls no handler twice, and none that draws what nobody sees."""
    page = open_page(chromium, demo_address + query)
    page.traffic.settle()
    assert max(Counter(page.traffic.handlers).values()) == 1
    assert len(page.traffic.handlers) <= most
    page.context.close()


def test_a_tab_opened_before_the_address_was_read_is_drawn(chromium, demo_address):
    """The server is slow to say what the address asks for, which is nothing."""
    page, held, slow = open_page(chromium, "about:blank", ready=None), [], True
    page.route("**/queue/join*", lambda route: held.append(route) if slow else route.continue_())
    page.goto(demo_address)
    page.get_by_role("tab", name="Dataset").click()
    wait_for(lambda: page.evaluate("1") and held, "the page asking")
    slow = False
    for route in held:
        route.continue_()
    expect(page.locator("#dataset-count")).to_contain_text("30 photos, page 1 of 2")
    expect(page).to_have_url(re.compile("tab=dataset"))
    page.context.close()


def test_a_tab_that_was_opened_asks_for_itself_alone(page):
    for tab, most in (("Dataset", 1), ("Training", 1), ("Detect", 0), ("Augment", 3)):
        del page.traffic.handlers[:]
        page.get_by_role("tab", name=tab).click()
        page.traffic.settle()
        assert len(page.traffic.handlers) == most, tab


def test_presets_are_drawn_once(augment_page):
    for name in ("too-much", "training"):
        del augment_page.traffic.handlers[:]
        augment_page.locator(f"#preset-{name}").click()
        augment_page.traffic.settle()
        assert max(Counter(augment_page.traffic.handlers).values()) == 1


def test_a_number_typed_out_of_range_is_drawn_at_its_end(augment_page):
    page = augment_page
    slide(page, "rotation_degrees", 999)
    expect(page.locator("#augment-rotation_degrees input[type=number]")).to_have_value("180")
    expect(page.locator("#augment-extremes")).to_contain_text("+180°")
    expect(page.locator("#augment-problem .problem")).to_have_count(0)


def test_a_photo_chosen_while_augment_was_never_open_has_its_box_there(page):
    for tab in ("Dataset", "Detect"):
        page.get_by_role("tab", name=tab).click()
        page.traffic.settle()
    page.locator("#photo button[data-key=cat]").click()
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    page.locator("#augment-this").click()
    expect(page.locator("#augment-before .box")).to_have_attribute("aria-label", re.compile("cat"))
    assert page.locator("#augment-before option").count() == 21


def test_the_photo_of_a_link_is_there_in_the_other_tab_too(chromium, demo_address):
    page = open_page(chromium, f"{demo_address}?tab=augment&sample=cat")
    expect(page.locator("#augment-sentence")).to_contain_text("cat")
    page.get_by_role("tab", name="Detect").click()
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    page.context.close()


def test_controls_write_an_address_that_restores_them(augment_page, chromium):
    page = augment_page
    settled(page, lambda: slide(page, "rotation_degrees", 17))
    expect(page).to_have_url(re.compile("rotation_degrees=17"))
    page.locator("#augment-grid button[data-key='2']").click()
    expect(page).to_have_url(re.compile("variant=2.*rotation_degrees=17"))
    expect(page.locator("#augment-after figcaption")).to_contain_text("variant 2 of 8")
    again = open_page(chromium, page.url)
    expect(again.locator("#augment-after figcaption")).to_contain_text("variant 2 of 8")
    wait_for(
        lambda: content(again, "grid") == content(page, "grid"),
        "the same variants",
    )
    again.context.close()


def test_links_to_the_other_tabs(chromium, demo_address):
    page = open_page(chromium, f"{demo_address}?tab=detect&sample=cat&explain=box&threshold=1")
    expect(page.locator("#detect-result .verdict")).to_contain_text("Best guess: cat")
    assert page.locator("#detect-result img.heat").count() == 1
    page.goto(f"{demo_address}?tab=dataset&split=val&class=cat&sample=000025")
    expect(page.locator("#dataset-count")).to_contain_text("3 photos, page 1 of 1")
    expect(page.locator("#dataset-card")).to_contain_text("000025.jpg")
    page.context.close()


@pytest.mark.parametrize(
    "query",
    [
        "?tab=nowhere&sample=../../x",
        "?tab=augment&seed=abc&count=999&rotation_degrees=nan&box_rule=round&boxes=1,2",
        "?tab=detect&threshold=7&explain=<script>alert(1)</script>",
        "?page=2&deep_link=x&view=nothing",
    ],
)
def test_bad_addresses_open_the_page_all_the_same(chromium, demo_address, query):
    page = open_page(chromium, demo_address + query)
    expect(page.locator(".stage:visible").first).to_be_visible()
    assert page.locator(".problem").count() == 0
    page.context.close()


def test_two_people_do_not_see_each_other(chromium, demo_address):
    one, two = open_page(chromium, demo_address), open_page(chromium, demo_address)
    drop(one, CAT)
    two.locator("#photo button[data-key=astronaut]").click()
    expect(one.locator("#detect-result .verdict")).to_contain_text("cat")
    two.locator("#detect-explain").get_by_label("speaks for the class").check()
    expect(two.locator("#detect-result figcaption")).to_contain_text("this class")
    expect(two.locator("#detect-result .verdict")).to_contain_text("person")
    expect(one.locator("#detect-result .verdict")).to_contain_text("cat")
    assert one.locator("#detect-result img.heat").count() == 0
    for page in (one, two):
        page.context.close()


def test_browsing_the_data_set(page):
    page.get_by_role("tab", name="Dataset").click()
    expect(page.locator("#dataset-count")).to_contain_text("30 photos, page 1 of 2")
    page.locator("#dataset-next").click()
    expect(page.locator("#dataset-count")).to_contain_text("page 2 of 2")
    expect(page).to_have_url(re.compile("page=2"))
    page.reload()
    expect(page.locator("#dataset-count")).to_contain_text("page 2 of 2")
    number = page.locator("#dataset-page input")
    number.fill("1")
    expect(page.locator("#dataset-count")).to_contain_text("page 1 of 2")
    expect(page.locator("#dataset-card")).to_contain_text("000000.jpg")
    number.fill("2")
    expect(page.locator("#dataset-count")).to_contain_text("page 2 of 2")
    page.locator("#dataset-grid button[data-key='000020']").click()
    expect(page.locator("#dataset-card")).to_contain_text("000020.jpg")
    assert page.locator("#dataset-card rect.line.target").count() == 1
    assert page.locator("#dataset-card rect.line.object").count() == 1
    with page.expect_download() as download:
        page.locator("#dataset-csv").click()
    assert len(download.value.path().read_text().splitlines()) == 31
    page.locator("#send-augment").click()
    expect(page.locator("#augment-sentence .live")).to_be_visible()
    expect(page).to_have_url(re.compile("tab=augment&sample=000020"))
    page.get_by_role("tab", name="Dataset").click()
    page.locator("#send-detect").click()
    expect(page.locator("#detect-result")).to_contain_text("overlap with the true box")


def test_training_tab(page):
    page.get_by_role("tab", name="Training").click()
    expect(page.locator("#training-results")).to_contain_text("class accuracy")
    expect(page.locator("#model-card")).to_contain_text("Model card")
    assert page.locator("#confusion table tbody tr").count() == 20
    expect(page.locator("#curves svg.chart")).to_have_count(3)
    expect(page.locator("#curves")).to_contain_text("after epoch")
    expect(page).to_have_url(re.compile("tab=training"))


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


NOTHING_FADES = """() => !document.querySelector('.translucent:not(.hide)')
  && document.getAnimations().every((a) => a.playState !== 'running'
    || a.effect.getComputedTiming().endTime === Infinity)"""


SHOWN = {
    "detect": "#detect-result .stage", "augment": "#augment-robustness .row",
    "dataset": "#dataset-card .stage", "training": "#confusion table",
}  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_accessibility_and_narrow_screens(chromium, demo_address, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page(
        chromium, demo_address, color_scheme=scheme, viewport={"width": width, "height": 844}
    )
    dark = page.evaluate("document.body.classList.contains('dark')")
    assert dark == (scheme == "dark")
    told = []
    for tab, shown in SHOWN.items():
        page.get_by_role("tab", name=tab.capitalize()).click()
        expect(page.locator(shown).first).to_be_visible(timeout=SLOW)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # Parts that are being drawn anew are faded on purpose.
        page.traffic.settle()
        page.wait_for_function(NOTHING_FADES)
        # What is ours; Gradio's own widgets (drop-downs, sliders, charts) are Gradio's to mend.
        rules = {"runOnly": ["wcag2a", "wcag2aa"]}
        for violation in Axe().run(page, options=rules).response["violations"]:
            told += [
                f"{tab}: {violation['id']}: {node['target']} {node['html'][:160]}"
                for node in violation["nodes"]
            ]
    assert not told, "\n".join(told)
    page.context.close()


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(150):
        if page.evaluate("(there) => document.activeElement.matches(there)", selector):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"the Tab key never comes to {selector}")


def test_keyboard_alone(page):
    """From the top of the page, with Tab, Enter and arrows."""
    tab_to(page, "#photo button[data-key=cat]")
    page.keyboard.press("Enter")
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    tab_to(page, "#augment-this")
    page.keyboard.press("Enter")
    expect(page.locator("#augment-grid .badge")).to_have_count(8)
    tab_to(page, "#augment-rotation_degrees input[type=range]")
    settled(page, lambda: page.keyboard.press("ArrowRight"))
    tab_to(page, "#augment-before .box")
    settled(page, lambda: page.keyboard.press("Shift+ArrowRight"))
    expect(page).to_have_url(re.compile("boxes=cat.*rotation_degrees=5"))
    tab_to(page, "#augment-grid button[data-key='3']")
    page.keyboard.press("Enter")
    expect(page.locator("#augment-after figcaption")).to_contain_text("variant 3 of 8")
