"""The page in a real browser: what people do, and what they then see."""

import base64
import io
import json
import re
import time
import zipfile

import pytest
from conftest import REPOSITORY, run_command
from gradio_client import Client, handle_file
from playwright.sync_api import Browser, Page, expect

CAT = REPOSITORY / "examples" / "cat.jpg"
ASTRONAUT = REPOSITORY / "examples" / "astronaut.jpg"
SLOW = 60_000  # milliseconds; machines differ
expect.set_options(timeout=SLOW)


def open_page(browser: Browser, address: str, **options) -> Page:
    """A visitor of its own, with the page loaded."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    page = context.new_page()
    page.set_default_timeout(SLOW)
    page.goto(address)
    page.wait_for_selector(".stage", state="attached")
    page.wait_for_timeout(800)  # for what the address asks for to be on its way
    return page


@pytest.fixture
def page(chromium, demo_address):
    page = open_page(chromium, demo_address)
    yield page
    page.context.close()


@pytest.fixture
def augment_page(chromium, demo_address):
    page = open_page(chromium, f"{demo_address}?tab=augment&sample=000004&seed=3")
    expect(page.locator("#augment-hold .row")).to_have_count(8)
    page.wait_for_timeout(500)
    yield page
    page.context.close()


def drawn_box(page: Page, where: str = "#detect-result", role: str = "prediction") -> list[float]:
    """The box in the page, in pixels of the original photo."""
    line = page.locator(f"{where} rect.line[data-role={role}]").first
    return [float(v) for v in line.get_attribute("data-xyxy").split(",")]


def drop(page: Page, selector: str, path, name: str = "", kind: str = "image/jpeg") -> None:
    """A genuine drag-and-drop: DataTransfer with a file, dragenter, dragover, drop."""
    content = base64.b64encode(path.read_bytes()).decode()
    transfer = page.evaluate_handle(
        """([content, name, type]) => {
          const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], name, {type}));
          return transfer;
        }""",
        [content, name or path.name, kind],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event(selector, event, {"dataTransfer": transfer})


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


def test_drag_and_drop_ends_with_the_box_the_api_says(page, demo_address):
    drop(page, "#detect-upload button", CAT)
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
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


def test_examples_threshold_and_reasons(page):
    page.locator("#detect-examples button[data-key=cat]").click()
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    assert page.locator("#detect-result img.heat").count() == 0
    heats = set()
    for side in ("class", "box"):
        page.locator("#detect-why").get_by_label(side, exact=True).check()
        expect(page.locator("#detect-result figcaption")).to_contain_text(
            "this class" if side == "class" else side
        )
        heats.add(page.locator("#detect-result img.heat").get_attribute("src"))
    assert len(heats) == 2
    number = page.locator("#detect-threshold input[type=number]")
    number.fill("1")
    number.press("Enter")
    page.locator("#detect-threshold input[type=range]").press("End")
    expect(page.locator("#detect-result .verdict")).to_contain_text("Not sure")
    expect(page).to_have_url(re.compile("sample=cat.*why=box"))


def test_detect_downloads(page):
    page.locator("#detect-examples button[data-key=cat]").click()
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


def test_many_photos_at_once(page):
    page.get_by_role("button", name="Many photos at once").click()
    page.locator("#many-files input[type=file]").set_input_files(
        [CAT, ASTRONAUT, REPOSITORY / "LICENSE"]
    )
    expect(page.locator("#many-result")).to_contain_text("2 of 3 photos answered")
    expect(page.locator("#many-result .problem")).to_contain_text("LICENSE is not an image")
    assert page.locator("#many-result figure").count() == 2
    with page.expect_download() as download:
        page.locator("#many-csv").click()
    lines = download.value.path().read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [
        ["cat.jpg", "cat"], ["astronaut.jpg", "person"],
    ]  # fmt: skip


def test_webcam(chromium, demo_address):
    """Chromium's pretend camera."""
    page = open_page(chromium, demo_address, permissions=["camera"])
    before = page.locator("#detect-result img.pixels").get_attribute("src")
    upload = page.locator("#detect-upload")
    upload.get_by_label("Capture from camera").click()
    upload.get_by_text("Click to Access Webcam").click()
    page.wait_for_function("document.querySelector('#detect-upload video')?.videoWidth > 0")
    upload.get_by_label("capture photo").click()
    shown = page.locator("#detect-result img.pixels")
    wait_for(lambda: shown.count() and shown.get_attribute("src") != before, "the camera's picture")
    page.context.close()


def content(page: Page, part: str) -> str:
    """What a part of the Augment tab shows, without Gradio's own wrapping."""
    return page.locator(f"#augment-{part} .prose").inner_html()


def settled(page: Page, act) -> None:
    """Do something and wait until the variants were drawn anew."""
    before = content(page, "grid")
    act()
    wait_for(lambda: content(page, "grid") != before, "new variants")


def slide(page: Page, name: str, value: float) -> None:
    """Move a slider the way a keyboard does, after typing its number."""
    box = page.locator(f"#augment-{name} input[type=number]")
    box.fill(str(value))
    box.press("Tab")


def params(page: Page) -> str:
    return " | ".join(page.locator("#augment-steps .step-name").all_inner_texts())


def test_every_slider_changes_what_it_says(augment_page):
    page = augment_page
    for name in ("brightness", "contrast", "saturation"):
        settled(page, lambda name=name: slide(page, name, 0))
        expect(page.locator("#augment-steps")).not_to_contain_text(f"{name} ")
    assert "jitter off" in params(page)
    settled(page, lambda: slide(page, "hue", 0.4))
    assert re.search(r"hue -?0\.\d\d", params(page))
    settled(page, lambda: slide(page, "rotation_degrees", 0))
    assert "rotation +0.0°" in params(page)
    settled(page, lambda: slide(page, "zoom", 1))
    assert "zoom" not in params(page)
    settled(page, lambda: slide(page, "flip_probability", 1))
    assert "flip: mirrored" in params(page)
    settled(page, lambda: slide(page, "flip_probability", 0))
    assert "flip: no" in params(page)
    settled(page, lambda: slide(page, "count", 3))
    assert page.locator("#augment-grid button").count() == 3
    expect(page.locator("#augment-hold .row")).to_have_count(3)


def test_rotation_rule_and_advice(augment_page):
    page = augment_page
    settled(page, lambda: slide(page, "rotation_degrees", 40))
    before = content(page, "grid")
    page.locator("#augment-box_rule").get_by_label("hull").check()
    wait_for(lambda: content(page, "grid") != before, "looser boxes")
    expect(page.locator("#augment-advice")).to_contain_text("loose boxes")
    rotation = page.locator("#augment-steps [data-step=rotation]")
    assert rotation.locator("rect.line.hull").count() == 1
    assert rotation.locator("rect.line.ellipse").count() == 1
    settled(page, lambda: slide(page, "min_visible", 1))
    expect(page.locator("#augment-advice")).to_contain_text("drawn again")


def test_picking_a_variant_shows_its_steps(augment_page):
    page = augment_page
    first = content(page, "steps")
    page.locator("#augment-grid button[data-key='5']").click()
    expect(page.locator("#augment-steps")).to_contain_text("Variant 5, step by step")
    assert content(page, "steps") != first
    names = page.locator("#augment-steps [data-step]").evaluate_all(
        "tiles => tiles.map(tile => tile.dataset.step)"
    )
    assert names == ["original", "flip", "rotation", "zoom", "jitter", "resize", "network"]
    expect(page).to_have_url(re.compile("variant=5"))


def test_the_page_shows_what_the_api_says(augment_page, demo_address):
    answer = Client(demo_address, verbose=False).predict(
        photo=None, sample="000004", seed=3, count=8, ask_detector=True, api_name="/augment"
    )
    for variant in answer["variants"]:
        jitter = next(s for s in variant["steps"] if s["name"] == "jitter")
        where = f"#augment-grid button[data-key='{variant['number']}']"
        shown = drawn_box(augment_page, where, "target")
        assert shown == pytest.approx(jitter["bbox_xyxy"], abs=0.02)
        row = augment_page.locator("#augment-hold .row").nth(variant["number"] - 1)
        expect(row).to_contain_text(variant["detector"]["class_name"])
        expect(row).to_contain_text(f"{variant['detector']['iou']:.2f}")


def test_two_clicks_set_the_box(augment_page):
    page = augment_page
    stage = page.locator("#augment-source .stage")
    size = stage.bounding_box()
    stage.click(position={"x": size["width"] * 0.75, "y": size["height"] * 0.8})
    expect(page.locator("#augment-source figcaption")).to_contain_text("Now click the opposite one")
    settled(
        page,
        lambda: stage.click(position={"x": size["width"] * 0.25, "y": size["height"] * 0.2}),
    )
    # Photo 000004 has 90 x 120 pixels.
    expected = [0.25 * 90, 0.2 * 120, 0.75 * 90, 0.8 * 120]
    assert drawn_box(page, "#augment-source", "target") == pytest.approx(expected, abs=1)
    expect(page.locator("#augment-box-source").get_by_label("my own")).to_be_checked()


def test_four_numbers_set_the_box(augment_page):
    page = augment_page
    for name, value in zip(("left", "top", "right", "bottom"), (5, 6, 50, 70), strict=True):
        page.locator(f"#augment-{name} input").fill(str(value))
    settled(page, lambda: page.locator("#augment-use-box").click())
    assert drawn_box(page, "#augment-source", "target") == [5, 6, 50, 70]
    page.locator("#augment-right input").fill("2")
    page.locator("#augment-use-box").click()
    expect(page.locator("#augment-advice .problem")).to_contain_text("no area")


def test_surprise_and_back_to_the_defaults(augment_page):
    page = augment_page
    first = content(page, "grid")
    settled(page, lambda: page.locator("#surprise").click())
    page.locator("#defaults").click()
    seed = page.locator("#augment-seed input")
    seed.fill("3")
    seed.press("Enter")
    wait_for(lambda: content(page, "grid") == first, "the first variants")


def test_what_is_taken_away_trains(augment_page, toy_voc, tmp_path):
    page = augment_page
    settled(page, lambda: slide(page, "rotation_degrees", 12))
    with page.expect_download() as download:
        page.locator("#augment-json").click()
    settings = tmp_path / download.value.suggested_filename
    assert settings.name == "augment.json"
    download.value.save_as(settings)
    result = run_command(
        "train.py", "--data", toy_voc, "--augment", settings, "--out", tmp_path / "run",
        "--epochs", "1", "--small-epochs", "0", "--image-size", "64", "--batch-size", "4",
        "--backbone-weights", "none", "--val-split", "none", "--no-progress",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    from model.checkpoint import read_info

    config = read_info(tmp_path / "run" / "last.safetensors").config
    assert config["augment"]["rotation_degrees"] == 12
    with page.expect_download() as download:
        page.locator("#augment-zip").click()
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        assert len(archive.namelist()) == 10
        assert json.loads(archive.read("augment.json")) == json.loads(settings.read_text())


def test_the_same_address_gives_the_same_view(chromium, demo_address):
    address = (
        f"{demo_address}?tab=augment&sample=000004&seed=11&count=4&variant=3&rotation_degrees=25"
        "&box_rule=hull"
    )
    views = []
    for _ in range(2):
        page = open_page(chromium, address)
        expect(page.locator("#augment-hold .row")).to_have_count(4)
        expect(page.locator("#augment-steps")).to_contain_text("Variant 3, step by step")
        views.append([content(page, part) for part in ("grid", "steps", "hold")])
        expect(page.locator("#augment-rotation_degrees input[type=number]")).to_have_value("25")
        page.context.close()
    assert views[0] == views[1]


def test_controls_write_an_address_that_restores_them(augment_page, chromium):
    page = augment_page
    settled(page, lambda: slide(page, "rotation_degrees", 17))
    expect(page).to_have_url(re.compile("rotation_degrees=17"))
    page.locator("#augment-grid button[data-key='2']").click()
    expect(page).to_have_url(re.compile("variant=2.*rotation_degrees=17"))
    expect(page.locator("#augment-steps")).to_contain_text("Variant 2, step by step")
    again = open_page(chromium, page.url)
    expect(again.locator("#augment-steps")).to_contain_text("Variant 2, step by step")
    wait_for(
        lambda: content(again, "grid") == content(page, "grid"),
        "the same variants",
    )
    again.context.close()


def test_links_to_the_other_tabs(chromium, demo_address):
    page = open_page(chromium, f"{demo_address}?tab=detect&sample=cat&why=box&threshold=1")
    expect(page.locator("#detect-result .verdict")).to_contain_text("Not sure. Perhaps a cat")
    assert page.locator("#detect-result img.heat").count() == 1
    page.goto(f"{demo_address}?tab=dataset&split=val&class=cat&sample=000025")
    expect(page.locator("#dataset-count")).to_contain_text("3 photos, page 1 of 1")
    expect(page.locator("#dataset-card")).to_contain_text("000025.jpg")
    page.context.close()


@pytest.mark.parametrize(
    "query",
    [
        "?tab=nowhere&sample=../../x",
        "?tab=augment&seed=abc&count=999&rotation_degrees=nan&box_rule=round&corners=1,2",
        "?tab=detect&threshold=7&why=<script>alert(1)</script>",
    ],
)
def test_bad_addresses_open_the_page_all_the_same(chromium, demo_address, query):
    page = open_page(chromium, demo_address + query)
    expect(page.locator(".stage:visible").first).to_be_visible()
    assert page.locator(".problem").count() == 0
    page.context.close()


def test_two_people_do_not_see_each_other(chromium, demo_address):
    one, two = open_page(chromium, demo_address), open_page(chromium, demo_address)
    drop(one, "#detect-upload button", CAT)
    two.locator("#detect-examples button[data-key=astronaut]").click()
    expect(one.locator("#detect-result .verdict")).to_contain_text("cat")
    two.locator("#detect-why").get_by_label("class", exact=True).check()
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
    page.locator("#dataset-grid button[data-key='000020']").click()
    expect(page.locator("#dataset-card")).to_contain_text("000020.jpg")
    assert page.locator("#dataset-card rect.line.target").count() == 1
    assert page.locator("#dataset-card rect.line.object").count() == 1
    with page.expect_download() as download:
        page.locator("#dataset-csv").click()
    assert len(download.value.path().read_text().splitlines()) == 31
    page.locator("#send-augment").click()
    expect(page.locator("#augment-source figcaption")).to_contain_text("ground truth")
    wait_for(lambda: page.locator("#augment-source").is_visible(), "the Augment tab")
    page.get_by_role("tab", name="Dataset").click()
    page.locator("#send-detect").click()
    expect(page.locator("#detect-result")).to_contain_text("overlap with the annotated box")


def test_training_tab(page):
    page.get_by_role("tab", name="Training").click()
    expect(page.locator("#training-results")).to_contain_text("class accuracy")
    expect(page.locator("#model-card")).to_contain_text("Model card")
    assert page.locator("#training-results table.confusion tbody tr").count() == 20
    expect(page.locator("#loss-plot canvas, #loss-plot svg").first).to_be_visible()
    expect(page).to_have_url(re.compile("tab=training"))


@pytest.mark.parametrize("tab", ["detect", "augment", "dataset", "training"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_and_narrow_screens(chromium, demo_address, tab, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page(
        chromium, f"{demo_address}?tab={tab}", color_scheme=scheme,
        viewport={"width": 390, "height": 844},
    )  # fmt: skip
    shown = {"detect": "#detect-result .stage", "augment": "#augment-hold .row",
             "dataset": "#dataset-card .stage", "training": "#training-results table"}  # fmt: skip
    expect(page.locator(shown[tab]).first).to_be_visible(timeout=SLOW)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    dark = page.evaluate("document.body.classList.contains('dark')")
    assert dark == (scheme == "dark")
    # Parts that are being drawn anew are faded on purpose.
    page.wait_for_timeout(500)
    wait_for(lambda: page.locator(".translucent:not(.hide)").count() == 0, "the end of all fading")
    page.wait_for_timeout(500)
    # What is ours; Gradio's own widgets (drop-downs, sliders, charts) are Gradio's to mend.
    rules = {"runOnly": ["wcag2a", "wcag2aa"]}
    found = Axe().run(page, options=rules).response["violations"]
    told = [
        f"{v['id']}: {node['target']} {node['html'][:160]}" for v in found for node in v["nodes"]
    ]
    assert not told, "\n".join(told)
    page.context.close()


def test_keyboard_alone(page):
    page.locator("#detect-examples button[data-key=cat]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#detect-result .verdict")).to_contain_text("cat")
    page.get_by_role("tab", name="Augment").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#augment-source .stage")).to_be_visible()
