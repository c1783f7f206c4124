"""demo/box_editor.py: boxes drawn by mouse, touch and keyboard, in a real browser."""

import base64
import io
import itertools
import json
import math

import gradio as gr
import pytest
from PIL import Image
from playwright.sync_api import TimeoutError, expect
from visitor import PHONE, SLOW, UNTIL_AT_REST

from demo.box_editor import BoxEditor
from demo.theme import page_theme
from demo.web_files import script

WIDTH, HEIGHT = 400, 300
FIRST = {"bbox_xyxy": [100, 80, 200, 160], "class_name": "cat"}
SECOND = {"bbox_xyxy": [250, 200, 300, 280], "class_name": ""}


CROWD = [
    {"bbox_xyxy": [100, 80, 200, 160], "class_name": "cat"},
    {"bbox_xyxy": [104, 84, 180, 150], "class_name": "dog"},
    {"bbox_xyxy": [250, 200, 300, 280], "class_name": "cow"},
]


def value_of(*boxes: dict, selected: int | None = 0) -> dict:
    picture = io.BytesIO()
    Image.new("RGB", (200, 150), (90, 120, 90)).save(picture, "PNG")
    address = "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode()
    return {
        "image": address, "image_size": [WIDTH, HEIGHT], "alt": "a green field",
        "boxes": list(boxes), "selected": selected,
    }  # fmt: skip


@pytest.fixture(scope="module")
def address():
    """A page with nothing but the editor, what Python heard of it, and a button that sends it."""
    with gr.Blocks(analytics_enabled=False) as page:
        editor = BoxEditor(value_of(FIRST, SECOND), elem_id="editor", max_boxes=3)
        heard = gr.Textbox(elem_id="heard", label="heard")
        reset, times = gr.Button("reset", elem_id="reset"), itertools.count()
        # Not "once", which would drop what is done while Python is busy.
        editor.input(json.dumps, editor, heard, trigger_mode="always_last")
        reset.click(
            lambda: (value_of(FIRST, SECOND), f"reset {next(times)}"), None, [editor, heard]
        )
        crowd = gr.Button("crowd", elem_id="crowd")
        crowd.click(lambda: value_of(*CROWD), None, editor)
    _, url, _ = page.launch(
        prevent_thread_lock=True, quiet=True, ssr_mode=False, theme=page_theme()
    )
    yield url
    page.close()


class Editor:
    """The editor in one page of a browser, used in pixels of the photo."""

    def __init__(self, page) -> None:
        self.page = page
        self.stage = page.locator("#editor .stage")
        self.boxes = page.locator("#editor .box")

    def at(self, x: float, y: float) -> tuple[float, float]:
        area = self.stage.bounding_box()
        return area["x"] + x * area["width"] / WIDTH, area["y"] + y * area["height"] / HEIGHT

    def drag(self, start, end, *, release=True) -> None:
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(*end), steps=4)
        if release:
            self.page.mouse.up()

    def touch(self, kind: str, place=None) -> None:
        points = [] if place is None else [dict(zip("xy", self.at(*place), strict=True))]
        self.cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def heard(self) -> dict | None:
        text = self.page.locator("#heard textarea").input_value()
        return json.loads(text) if text.startswith("{") else None

    def reset(self) -> None:
        """The two boxes as they were in the beginning, sent by Python."""
        before = self.page.locator("#heard textarea").input_value()
        self.page.locator("#reset").click()
        self.page.wait_for_function(
            "old => { const now = document.querySelector('#heard textarea').value;"
            " return now.startsWith('reset') && now !== old }",
            arg=before,
        )

    def expect(self, *boxes, selected=0, within=1.5) -> None:
        """Python has heard of these boxes, to within pixels of the photo."""
        changed = "old => document.querySelector('#heard textarea').value !== old"
        while True:
            text = self.page.locator("#heard textarea").input_value()
            heard = json.loads(text) if text.startswith("{") else None
            if heard and self._same(heard, boxes, within) and heard["selected"] == selected:
                return
            try:
                self.page.wait_for_function(changed, arg=text, timeout=SLOW)
            except TimeoutError:
                pytest.fail(f"expected {boxes}, selected {selected}; heard {heard}")

    @staticmethod
    def _same(heard: dict, boxes, within: float) -> bool:
        found = [box["bbox_xyxy"] for box in heard["boxes"]]
        return len(found) == len(boxes) and all(
            abs(a - b) <= within
            for one, other in zip(found, boxes, strict=True)
            for a, b in zip(one, other, strict=True)
        )


def opened(chromium, address: str, **options):
    context = chromium.new_context(**options)
    page = context.new_page()
    page.goto(address)
    editor = Editor(page)
    editor.boxes.first.wait_for()
    page.wait_for_function("document.querySelector('#editor img').naturalWidth === 200")
    editor.stage.click(trial=True)  # until Gradio's loading screen no longer lies over the page
    if options.get("has_touch"):
        editor.cdp = context.new_cdp_session(page)
    return editor


@pytest.fixture(scope="module")
def one_page(chromium, address):
    found = opened(chromium, address, viewport={"width": 900, "height": 900})
    yield found
    found.page.context.close()


@pytest.fixture
def editor(one_page):
    one_page.reset()
    return one_page


def test_a_mouse_draws_moves_and_resizes(editor):
    editor.drag((20, 200), (90, 290))
    editor.expect(FIRST["bbox_xyxy"], SECOND["bbox_xyxy"], (20, 200, 90, 290), selected=2)
    editor.drag((150, 120), (170, 140))
    editor.expect((120, 100, 220, 180), SECOND["bbox_xyxy"], (20, 200, 90, 290), selected=0)
    editor.drag((120, 100), (60, 50))  # by the corner
    editor.expect((60, 50, 220, 180), SECOND["bbox_xyxy"], (20, 200, 90, 290))
    editor.drag((220, 115), (240, 10))  # by the right edge, which only goes right
    editor.expect((60, 50, 240, 180), SECOND["bbox_xyxy"], (20, 200, 90, 290))


@pytest.mark.parametrize(
    ("start", "to", "box"),
    [
        ((100, 80), (110, 90), (110, 90, 200, 160)),
        ((150, 80), (150, 70), (100, 70, 200, 160)),
        ((200, 80), (210, 70), (100, 70, 210, 160)),
        ((200, 120), (230, 120), (100, 80, 230, 160)),
        ((200, 160), (190, 150), (100, 80, 190, 150)),
        ((150, 160), (150, 190), (100, 80, 200, 190)),
        ((100, 160), (90, 170), (90, 80, 200, 170)),
        ((100, 120), (50, 120), (50, 80, 200, 160)),
        ((100, 120), (390, 120), (196, 80, 200, 160)),  # a box never turns inside out
        ((150, 120), (-50, -80), (0, 0, 100, 80)),  # nor does it leave the photo
    ],
)
def test_eight_handles_and_the_border(editor, start, to, box):
    editor.drag(start, to)
    editor.expect(box, SECOND["bbox_xyxy"], within=2)


def test_shift_draws_over_a_box_and_at_the_limit_the_selected_one_is_replaced(editor):
    editor.page.keyboard.down("Shift")
    editor.drag((120, 100), (180, 150))
    editor.page.keyboard.up("Shift")
    three = [FIRST["bbox_xyxy"], SECOND["bbox_xyxy"], (120, 100, 180, 150)]
    editor.expect(*three, selected=2)
    editor.drag((10, 10), (60, 60))
    editor.expect(*three[:2], (10, 10, 60, 60), selected=2)


def test_escape_takes_a_drag_back_and_a_click_draws_nothing(editor):
    editor.drag((150, 120), (300, 200), release=False)
    editor.page.keyboard.press("Escape")
    editor.page.mouse.up()
    editor.page.mouse.click(*editor.at(20, 20))
    editor.page.mouse.click(*editor.at(275, 240))
    editor.expect(FIRST["bbox_xyxy"], SECOND["bbox_xyxy"], selected=1)


def test_the_keyboard_alone(editor):
    page = editor.page
    editor.boxes.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    editor.expect((101, 90, 201, 170), SECOND["bbox_xyxy"])
    page.keyboard.press("Alt+ArrowLeft")  # would go back in the browser's history
    page.keyboard.press("Control+Shift+ArrowDown")
    editor.expect((101, 90, 200, 180), SECOND["bbox_xyxy"])
    page.keyboard.press("Tab")
    page.keyboard.press("Delete")
    editor.expect((101, 90, 200, 180), selected=0)
    page.keyboard.press("Delete")
    editor.expect(selected=None)
    assert page.evaluate("document.activeElement.className") == "add"
    page.keyboard.press("Enter")
    editor.expect((100, 75, 300, 225), selected=0)
    page.keyboard.press("ArrowLeft")
    editor.expect((99, 75, 299, 225), selected=0)


def test_the_class_of_a_box_can_be_named(editor):
    editor.boxes.nth(1).focus()
    editor.page.locator("#editor select").select_option("dog")
    editor.expect(FIRST["bbox_xyxy"], SECOND["bbox_xyxy"], selected=1)
    assert [box["class_name"] for box in editor.heard()["boxes"]] == ["cat", "dog"]
    label = editor.boxes.nth(1).get_attribute("aria-label")
    assert label == "dog, box 2 of 2: left 250, top 200, right 300, bottom 280"
    assert "the largest" in editor.boxes.nth(0).get_attribute("aria-label")


def test_names_are_read_as_words_and_kept_as_the_data_set_has_them(editor):
    editor.page.locator("#editor select").select_option(label="dining table")
    editor.page.wait_for_function(
        "document.querySelector('#heard textarea').value.includes('diningtable')"
    )
    assert editor.boxes.first.text_content().startswith("dining table")
    assert "dining table" in editor.boxes.first.get_attribute("aria-label")
    editor.page.locator("#editor select").select_option(label="another name ...")
    editor.page.locator("#editor .naming input").fill("potted plant")
    editor.page.keyboard.press("Enter")
    editor.page.wait_for_function(
        "document.querySelector('#heard textarea').value.includes('pottedplant')"
    )


def test_the_name_of_a_box_at_the_edge_is_seen_whole(editor):
    editor.drag((370, 60), (392, 140))
    editor.page.locator("#editor select").select_option("pottedplant")
    names = [FIRST["bbox_xyxy"], SECOND["bbox_xyxy"], (370, 60, 392, 140)]
    editor.expect(*names, selected=2)
    assert editor.boxes.nth(2).locator(".tag").inner_text().startswith("potted plant")
    stage = editor.stage.bounding_box()
    for tag in editor.page.locator("#editor .tag").all():
        area = tag.bounding_box()
        assert stage["x"] <= area["x"]
        assert area["x"] + area["width"] <= stage["x"] + stage["width"]


def test_what_python_sends_replaces_the_boxes(editor):
    editor.drag((20, 200), (90, 290))
    editor.expect(FIRST["bbox_xyxy"], SECOND["bbox_xyxy"], (20, 200, 90, 290), selected=2)
    editor.reset()
    assert editor.boxes.count() == 2
    editor.boxes.first.focus()
    editor.page.keyboard.press("ArrowRight")
    editor.expect((101, 80, 201, 160), SECOND["bbox_xyxy"])


@pytest.fixture(scope="module")
def one_phone(chromium, address):
    found = opened(chromium, address, **PHONE)
    # There is something to scroll to.
    found.page.evaluate("document.body.style.minHeight = '3000px'")
    yield found
    found.page.context.close()


@pytest.fixture
def phone(one_phone):
    one_phone.reset()  # a press beside the editor, which ends editing
    one_phone.page.get_by_role("button", name="Edit box").wait_for()
    one_phone.page.evaluate(UNTIL_AT_REST)  # or the next swipe would go on with that scroll
    one_phone.page.evaluate("scrollTo(0, 0)")
    return one_phone


def swipe(editor, *places) -> None:
    """One finger along these places, in pixels of the photo."""
    editor.touch("touchStart", places[0])
    for place in places[1:]:
        editor.touch("touchMove", place)
    editor.touch("touchEnd")


def both_as_they_were(editor) -> bool:
    labels = [box.get_attribute("aria-label") for box in editor.boxes.all()]
    return (
        len(labels) == 2
        and "left 100, top 80, right 200, bottom 160" in labels[0]
        and "left 250, top 200, right 300, bottom 280" in labels[1]
    )


@pytest.mark.parametrize(
    "start", [(150, 120), (150, 160), (200, 160), (20, 20), (275, 240)],
    ids=["inside", "edge", "corner", "beside", "other box"],
)  # fmt: skip
def test_a_finger_that_scrolls_over_the_photo_leaves_the_boxes(phone, start):
    x, y = start
    # The page moves with the finger, so places are those of the beginning.
    places = [phone.at(x, y - 40 * i) for i in range(9)]
    for kind, place in zip(["touchStart"] + ["touchMove"] * 8, places, strict=True):
        points = [{"x": place[0], "y": place[1]}]
        phone.cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    phone.touch("touchEnd")
    phone.page.wait_for_function("scrollY > 50")
    assert both_as_they_were(phone)
    assert phone.heard() is None
    assert phone.page.get_by_role("button", name="Edit box").is_visible()


def test_touch(phone):
    phone.page.get_by_role("button", name="Edit box").tap()
    swipe(phone, (20, 200), (60, 250), (90, 290))
    both = FIRST["bbox_xyxy"], SECOND["bbox_xyxy"]
    phone.expect(*both, (20, 200, 90, 290), selected=2, within=2)
    assert phone.page.evaluate("scrollY") == 0
    # A finger takes the corner from 20 screen pixels away.
    beside = 90 + 14 * WIDTH / phone.stage.bounding_box()["width"]
    swipe(phone, (beside, 290), (beside + 15, 290), (beside + 30, 290))
    phone.expect(*both, (20, 200, 120, 290), selected=2, within=2)
    sizes = phone.page.evaluate(
        "[...document.querySelectorAll('#editor .tools button, #editor .edit, #editor select,"
        " #editor .box.selected .handle')].map(e => e.getBoundingClientRect())"
        ".map(r => Math.min(r.width, r.height))"
    )
    assert len(sizes) == 12
    assert min(sizes) >= 40
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390
    phone.page.get_by_role("button", name="Done").tap()
    swipe(phone, (150, 120), (150, 60), (150, -100))
    phone.expect(*both, (20, 200, 120, 290), selected=2, within=2)


def test_a_finger_held_still_edits(phone):
    phone.touch("touchStart", (150, 120))
    phone.page.get_by_role("button", name="Done").wait_for()
    for place in ((160, 125), (170, 130), (170, 140)):
        phone.touch("touchMove", place)
    phone.touch("touchEnd")
    phone.expect((120, 100, 220, 180), SECOND["bbox_xyxy"], within=2)
    assert phone.page.evaluate("scrollY") == 0


def test_a_press_beside_the_editor_ends_editing(phone):
    phone.page.get_by_role("button", name="Edit box").tap()
    beside = phone.page.locator("#heard textarea").bounding_box()
    phone.page.touchscreen.tap(beside["x"] + 5, beside["y"] + 5)
    phone.page.get_by_role("button", name="Edit box").wait_for()
    swipe(phone, (150, 120), (150, 60), (150, -100))
    assert both_as_they_were(phone)


UNTIL_CHANGED = """() => Promise.allSettled(
  document.getAnimations().filter((a) => a instanceof CSSTransition).map((a) => a.finished)
)"""


def test_accessibility_light_and_dark(editor):
    from axe_playwright_python.sync_playwright import Axe

    for scheme in ("light", "dark"):
        editor.page.evaluate(
            "dark => document.body.classList.toggle('dark', dark)", scheme == "dark"
        )
        # Colours change gradually, and in between there is too little contrast.
        editor.page.evaluate(UNTIL_CHANGED)
        found = Axe().run(editor.page, context="#editor").response["violations"]
        assert not found, [(v["id"], [n["html"] for n in v["nodes"]]) for v in found]
    editor.page.evaluate("document.body.classList.remove('dark')")


@pytest.mark.parametrize(
    "sent",
    [
        "boxes", 5, [1], {"boxes": 3}, {"boxes": [3]}, {"boxes": [{"bbox_xyxy": [1, 2, 3, 4]}]},
        {"boxes": [{"bbox_xyxy": [1, 2, 3], "class_name": ""}]},
        {"boxes": [{"bbox_xyxy": [1, 2, 3, math.nan], "class_name": ""}]},
        {"boxes": [{"bbox_xyxy": [1, 2, 3, "x"], "class_name": ""}]},
        {"boxes": [{"bbox_xyxy": [1, 2, 3, 4], "class_name": ["cat"]}]},
        {"boxes": [{"bbox_xyxy": [1, 2, 3, 4], "class_name": "c" * 101}]},
        {"boxes": [FIRST] * 101},
    ],
)  # fmt: skip
def test_what_a_browser_cannot_send_is_refused_in_words(sent):
    with pytest.raises(gr.Error, match="boxes"):
        BoxEditor().preprocess(sent)


def test_only_boxes_are_believed():
    sent = {"image": "file:///secret", "boxes": [FIRST], "selected": 7}
    assert BoxEditor().preprocess(sent) == {
        "boxes": [{"bbox_xyxy": (100, 80, 200, 160), "class_name": "cat"}], "selected": None,
    }  # fmt: skip
    assert BoxEditor().preprocess(None) == {"boxes": [], "selected": None}


def test_the_parts_lie_in_files():
    assert BoxEditor().js_on_load.endswith(script("box_editor"))


def test_names_that_would_lie_on_others_wait_until_they_are_asked_for(one_page):
    one_page.page.locator("#crowd").click()
    expect(one_page.boxes).to_have_count(3)
    cat, dog, cow = (one_page.boxes.nth(i).locator(".tag") for i in range(3))
    expect(cat).to_have_text("cat, the largest")
    expect(dog).to_have_text("dog")
    expect(cat).to_be_visible()
    expect(cow).to_be_visible()
    expect(dog).to_be_hidden()
    one_page.boxes.nth(1).focus()
    expect(dog).to_be_visible()
    expect(cat).to_be_hidden()
    one_page.reset()
