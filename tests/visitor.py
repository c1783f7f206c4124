"""A visitor's browser: open the page, drop, slide, and wait for what then happens."""

import re
import time

from conftest import REPOSITORY
from playwright.sync_api import Browser, Page, ViewportSize, expect

CAT = REPOSITORY / "examples" / "cat.jpg"
DOG = REPOSITORY / "examples" / "dog.jpg"
ASTRONAUT = REPOSITORY / "examples" / "astronaut.jpg"
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
STILL = {"reduced_motion": "reduce"}
SLOW = 60_000  # milliseconds; machines differ
expect.set_options(timeout=SLOW)

# Without a timeout Chromium may never call back: it once did nothing at all for ten minutes.
UNTIL_IDLE = "() => new Promise((done) => requestIdleCallback(() => done(), { timeout: 2000 }))"

# A swipe goes on scrolling after the finger has left.
UNTIL_AT_REST = """() => new Promise((resolve) => {
  let frames = 0, before = NaN;
  const look = () => {
    frames = scrollY === before ? frames + 1 : 0;
    before = scrollY;
    if (frames < 10) requestAnimationFrame(look);
    else resolve();
  };
  look();
})"""

# Before any script of a page runs. What it asks of the data base comes after the deletion.
FORGET = """try {
  sessionStorage.clear(); localStorage.clear();
  indexedDB.deleteDatabase('largest-object-detector');
} catch { /* about:blank has none of them */ }"""


class Traffic:
    """The requests of a page: which handlers it called, and what is not answered yet."""

    def __init__(self, page: Page) -> None:
        self.page, self.open, self.sent, self.handlers = page, set(), 0, []
        self._leaves = False
        page.on("request", self._began)
        page.on("requestfinished", lambda request: self.open.discard(request))
        page.on("requestfailed", lambda request: self.open.discard(request))
        page.on("framenavigated", lambda frame: self._arrived(frame))

    def forget(self) -> None:
        """As if nothing had been asked for yet."""
        self.open.clear()
        self.sent, self.handlers = 0, []

    def forget_on_arrival(self) -> None:
        """What the page asks for until another one takes its place is not counted."""
        self._leaves = True

    def _arrived(self, frame) -> None:
        if self._leaves and frame == self.page.main_frame:
            self._leaves = False
            self.forget()
            self.page.failures.clear()

    def _began(self, request) -> None:
        if re.search(r"/queue/(join|data)", request.url):
            self.open.add(request)
            self.sent += 1
        if "/queue/join" in request.url:
            self.handlers.append(request.post_data_json["fn_index"])

    def settle(self) -> None:
        """Wait until nothing is on its way, and the browser has dealt with what came last."""
        quiet, until = 0, time.monotonic() + SLOW / 1000
        while quiet < 4:
            on_its_way = [request.url for request in self.open]
            assert time.monotonic() < until, f"never answered: {on_its_way}"
            before = self.sent
            self.page.evaluate(UNTIL_IDLE)
            self.page.wait_for_timeout(100)
            quiet = 0 if self.open or self.sent != before else quiet + 1


def open_page(browser: Browser, address: str, ready: str | None = ".stage", **options) -> Page:
    """A visitor of its own, with the page loaded and what the address asks for on its way.

    ``page.traffic`` is its :class:`Traffic`, ``page.failures`` what its scripts failed with.
    Without ``ready``, an element to wait for, the page is handed over while it is still loading.
    The visitor prefers reduced motion: a photo that turns takes half a core as long as it is open.
    """
    context = browser.new_context(**{"viewport": DESKTOP, **STILL, **options})
    page = context.new_page()
    page.first_viewport = page.viewport_size
    page.set_default_timeout(SLOW)
    page.traffic, page.failures, page.forgetting = Traffic(page), [], None
    page.on("pageerror", lambda error: page.failures.append(error.stack))
    if ready:
        load(page, address, ready)
    else:
        page.goto(address)
    return page


def load(page: Page, address: str, ready: str = ".stage") -> None:
    """Open an address, and wait until what it asks for is on its way."""
    page.goto(address)
    forget_nothing_more(page)
    page.wait_for_selector(ready, state="attached")
    page.wait_for_function("() => window.detectorPage?.isRestored")
    page.evaluate(UNTIL_IDLE)


def as_new(page: Page, **media: str) -> Page:
    """The same tab as one of a visitor who has kept nothing, for the page that is opened next.

    ``media`` is what he prefers, as Playwright's ``emulate_media`` takes it.
    """
    for other in page.context.pages:
        if other != page:
            other.close()
    page.unroute_all()
    page.context.set_offline(False)
    page.context.clear_cookies()
    page.context.clear_permissions()
    page.set_viewport_size(page.first_viewport)
    page.emulate_media(**{"color_scheme": "light", **STILL, **media})
    forget_nothing_more(page)
    page.forgetting = page.context.new_cdp_session(page)
    page.forgetting.send("Page.enable")
    page.forgetting.send("Page.addScriptToEvaluateOnNewDocument", {"source": FORGET})
    page.traffic.forget_on_arrival()
    return page


def forget_nothing_more(page: Page) -> None:
    """Pages that are opened from now on find what was kept."""
    if page.forgetting:
        page.forgetting.detach()
    page.forgetting = None


def open_again(page: Page, address: str, **media: str) -> Page:
    """A visitor of its own in the same tab, with the page loaded: half the cost of a new one."""
    load(as_new(page, **media), address)
    return page


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


def content(page: Page, part: str) -> str:
    """What a part of the Augment tab shows, without Gradio's own wrapping.

    Which of its buttons the Tab key stops at changes with the focus, not with what is shown.
    """
    html = page.locator(f"#augment-{part} .prose").inner_html()
    return re.sub(r'\s*tabindex="-?\d"', "", html)


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
