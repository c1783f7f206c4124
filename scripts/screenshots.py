"""Take the README's screenshots of the demo, with the example photos.

python scripts/screenshots.py --out docs
"""

import shutil
import sys
from pathlib import Path
from typing import Literal

import tyro
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from speed.server import free_port, server, wait_for_page  # noqa: E402

WIDE, PHONE = (1280, 800), (390, 844)
Scheme = Literal["light", "dark"]
PICTURES: dict[str, tuple[str, str, Scheme, tuple[int, int]]] = {
    "detect-light": ("?tab=detect&sample=cat", "#detect-result .chip:text('cat')", "light", WIDE),
    "augment-light": (
        "?tab=augment&sample=astronaut&rotation_degrees=15", "#augment-answers .row", "light",
        (1280, 1500),
    ),
    "augment-dark": ("?tab=augment&sample=cat&seed=3", "#augment-answers .row", "dark", WIDE),
    "phone-light": ("?tab=detect&sample=cat&explain=class", "#detect-result .heat", "light", PHONE),
    "phone-dark": ("?tab=augment&sample=cat&seed=3", "#augment-answers .row", "dark", PHONE),
}  # fmt: skip


def take(browser: Browser, address: str, name: str, out: Path) -> None:
    """Take one screenshot and write it as WebP, a fifth of the size of a PNG."""
    query, ready, scheme, (width, height) = PICTURES[name]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme
    )  # fmt: skip
    page = context.new_page()
    page.goto(address + query)
    page.locator(ready).first.wait_for(timeout=60_000)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(800)
    if name == "phone-dark":
        page.locator("#augment-zoom").scroll_into_view_if_needed()
    file = out / f"{name}.png"
    page.screenshot(path=file)
    context.close()
    Image.open(file).save(file.with_suffix(".webp"), quality=86, method=6)
    file.unlink()
    print(f"wrote {file.with_suffix('.webp')}")


def main(out: Path = ROOT / "docs") -> None:
    """Start the demo without VOC, and take all screenshots."""
    out.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with server(port), sync_playwright() as playwright:
        wait_for_page(port)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name in PICTURES:
            take(browser, f"http://127.0.0.1:{port}/", name, out)
        browser.close()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
