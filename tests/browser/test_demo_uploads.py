"""Ugly files, dropped into the page: a right picture, or one clear sentence."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from PIL import Image
from playwright.sync_api import Page, expect
from visitor import drawn_box, drop, open_again, wait_for

CAT = REPOSITORY / "examples" / "cat.jpg"


def cat() -> Image.Image:
    return Image.open(CAT).convert("RGB")


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def sixteen_bits() -> bytes:
    grey = np.asarray(cat().convert("L")).astype(np.uint16) * 257
    return saved(Image.fromarray(grey), "PNG")


def transparent() -> bytes:
    """The cat on nothing: what is transparent is red, and must come out white."""
    photo = cat().convert("RGBA")
    pixels = np.asarray(photo).copy()
    pixels[:, :100] = (255, 0, 0, 0)
    return saved(Image.fromarray(pixels), "PNG")


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(cat().rotate(90, expand=True), "JPEG", exif=exif, quality=92)


def animated() -> bytes:
    frames = [cat().convert("P"), Image.new("P", cat().size)]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)


def heic() -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is optional")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(cat()).save(buffer, quality=80)
    return buffer.getvalue()


def sixty_megapixels() -> bytes:
    return saved(cat().resize((10_000, 6_000)), "JPEG", quality=70)


PICTURES: dict[str, tuple[Callable[[], bytes], str]] = {
    "sixteen.png": (sixteen_bits, "cat"),
    "cmyk.jpg": (lambda: saved(cat().convert("CMYK"), "JPEG", quality=92), "cat"),
    "transparent.png": (transparent, "cat"),
    "turned.jpg": (turned, "cat"),
    "animated.gif": (animated, ""),
    "photo.webp": (lambda: saved(cat(), "WEBP"), "cat"),
    "photo.avif": (lambda: saved(cat(), "AVIF"), "cat"),
    "photo.heic": (heic, "cat"),
    "one.png": (lambda: saved(Image.new("RGB", (1, 1), "red"), "PNG"), ""),
    "flat.png": (lambda: saved(Image.new("RGB", (10_000, 20), "red"), "PNG"), ""),
    "sixty.jpg": (sixty_megapixels, "cat"),
}
PROBLEMS: dict[str, tuple[Callable[[], bytes], str]] = {
    "words.jpg": (lambda: b"This is no photo.\n" * 40, "is not an image"),
    "half.jpg": (lambda: CAT.read_bytes()[:9000], "is damaged"),
    "nothing.png": (lambda: b"", "empty"),
}


@pytest.fixture(scope="module")
def opened_page(reused_page, demo_address):
    return open_again(reused_page, demo_address)


@pytest.fixture
def page(opened_page):
    """With the first example chosen, and nothing said of the file before."""
    if opened_page.locator("#detect-result", has_text="moonwalk").count():
        opened_page.locator("#photo button[data-key=dog]").click()
        expect(opened_page.locator("#detect-result .verdict")).to_contain_text("dog")
    opened_page.locator("#photo button[data-key=moonwalk]").click()
    expect(opened_page.locator("#detect-result")).to_contain_text("moonwalk")
    expect(opened_page.locator("#photo .status")).to_be_empty()
    return opened_page


def upload(page: Page, folder: Path, name: str, content: bytes) -> None:
    """Give a file to the page, and wait until the first example is gone."""
    file = folder / name
    file.write_bytes(content)
    page.locator("#photo input.files").set_input_files(file)
    answer = page.locator("#photo .problem, #detect-result:not(:has-text('moonwalk')) .stage")
    wait_for(lambda: answer.count(), "an answer")


@pytest.mark.parametrize("name", PICTURES)
def test_a_right_picture(page, tmp_path, name):
    make, class_name = PICTURES[name]
    content = make()
    upload(page, tmp_path, name, content)
    assert page.locator("#detect-result .problem").count() == 0, page.locator(
        "#detect-result"
    ).inner_text()
    # What shows none of the 20 is a greyed guess.
    drawn = page.locator("#detect-result rect.line").first.get_attribute("data-role")
    role = "prediction" if class_name else drawn
    assert role in ("prediction", "guess")
    x1, y1, x2, y2 = drawn_box(page, role=role)
    assert 0 <= x1 <= x2
    assert 0 <= y1 <= y2
    image = page.locator("#detect-result img.pixels")
    shown = image.evaluate("e => [e.naturalWidth, e.naturalHeight]")
    expected = {"one.png": [1, 1], "flat.png": [1280, 3], "sixty.jpg": [1280, 768]}
    assert shown == expected.get(name, list(cat().size))
    if class_name:
        expect(page.locator("#detect-result .verdict")).to_contain_text(class_name)
    if name == "transparent.png":
        corner = image.evaluate(
            """e => { const c = document.createElement('canvas'); c.width = 1; c.height = 1;
            const x = c.getContext('2d'); x.drawImage(e, 5, 5, 1, 1, 0, 0, 1, 1);
            return [...x.getImageData(0, 0, 1, 1).data]; }"""
        )
        assert min(corner) > 245


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_clear_sentence(page, tmp_path, name):
    make, words = PROBLEMS[name]
    upload(page, tmp_path, name, make())
    problem = page.locator("#photo .status.problem")
    expect(problem).to_contain_text(words)
    assert name in problem.inner_text()
    assert "Traceback" not in problem.inner_text()
    assert "/" not in problem.inner_text().replace("http://", "")
    expect(page.locator("#detect-result")).to_contain_text("moonwalk")  # the photo stays


def test_a_file_over_the_limit_is_refused_in_words(page, tmp_path):
    big = tmp_path / "big.png"
    big.write_bytes(b"\x89PNG" + bytes(41 * 2**20))
    page.locator("#photo input.files").set_input_files(big)
    expect(page.locator("#photo .status.problem")).to_contain_text("maximum")


def test_more_photos_do_not_bring_the_first_ones_errors_back(page, tmp_path):
    for name in ("words.jpg", "more.jpg"):
        (tmp_path / name).write_bytes(b"This is no photo.\n" * 40)
    result = page.locator("#many-result")
    drop(page, CAT, tmp_path / "words.jpg")
    expect(result.locator(".problem")).to_have_count(1)
    expect(result.locator(".tile")).to_have_count(1)
    drop(page, REPOSITORY / "examples" / "dog.jpg", tmp_path / "more.jpg")
    expect(result.locator(".tile")).to_have_count(2)
    expect(result.locator(".problem")).to_have_count(1)
    expect(result.locator(".problem")).to_contain_text("more.jpg")
    # The keys of the tiles are still those of their photos.
    result.locator(".tile", has_text="dog.jpg").click()
    expect(page.locator("#photo .status")).to_have_text("Your photo: dog.jpg")
    expect(page).to_have_url(re.compile("photo=own.*kept="))
