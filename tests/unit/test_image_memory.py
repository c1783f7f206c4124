import struct
import threading
import time
import weakref
from io import BytesIO

import numpy as np
import pytest
from conftest import run_command
from PIL import Image

from model.data.image_memory import MemoryBudget
from model.data.images import load_fitted, load_image
from model.errors import UserError


def saved(image: Image.Image, kind: str, **options) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


class Visitors:
    """Threads that hold amounts of a budget until they are told to leave."""

    def __init__(self, budget: MemoryBudget) -> None:
        self.budget = budget
        self.inside: list[int] = []
        self._leave: dict[int, threading.Event] = {}

    def come(self, amount: int) -> None:
        self._leave[amount] = threading.Event()
        threading.Thread(target=self._stay, args=(amount,), daemon=True).start()
        self._until(lambda: amount in self.inside or len(self.budget._waiting) >= 1)

    def leave(self, amount: int) -> None:
        self._leave[amount].set()
        self._until(lambda: amount not in self.inside)

    def are(self, *amounts: int) -> bool:
        return self._until(lambda: self.inside == list(amounts))

    def _stay(self, amount: int) -> None:
        with self.budget.reserve(amount):
            self.inside.append(amount)
            self._leave[amount].wait(20)
            self.inside.remove(amount)

    @staticmethod
    def _until(happened) -> bool:
        deadline = time.monotonic() + 10
        while not happened() and time.monotonic() < deadline:
            time.sleep(0.001)
        return happened()


def test_small_ones_share_and_a_large_one_is_alone_and_not_overtaken():
    visitors = Visitors(MemoryBudget(100))
    visitors.come(30)
    visitors.come(31)
    assert visitors.are(30, 31)
    visitors.come(1000)  # more than there is: all of it
    visitors.come(5)  # would fit, and waits for its turn
    assert visitors.inside == [30, 31]
    visitors.leave(30)
    assert visitors.inside == [31]
    visitors.leave(31)
    assert visitors.are(1000)
    visitors.leave(1000)
    assert visitors.are(5)
    visitors.leave(5)


def test_what_fails_gives_back_its_share_and_its_memory():
    budget = MemoryBudget(100)

    def fail() -> None:
        large = np.zeros(10)
        kept.append(weakref.ref(large))
        raise ValueError

    kept: list[weakref.ref] = []
    for _ in range(3):
        with pytest.raises(ValueError), budget.reserve(80):  # noqa: PT011
            fail()
        assert kept[-1]() is None


def lossless_webp(side: int) -> bytes:
    """Only the header: that is all that may be read."""
    stream = b"\x2f" + struct.pack("<I", (side - 1) | (side - 1) << 14) + bytes(16)
    chunk = b"VP8L" + struct.pack("<I", len(stream)) + stream + bytes(len(stream) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def tiff_of_one_tile(side: int) -> bytes:
    """16 x 16 pixels, in a tile that is larger."""
    tags = {256: 16, 257: 16, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 8, 325: 9}
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + rows + bytes(4)
    return struct.pack("<2sHI", b"II", 42, 20) + bytes(12) + directory


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lossless_webp(9000), "9000 x 9000 pixels, which take 1.6 GB to decode"),
        (tiff_of_one_tile(65536), "16 x 16 pixels, which take 34.4 GB to decode"),
    ],
    ids=["WebP", "TIFF"],
)
def test_what_takes_too_much_memory_is_refused_before_it_is_decoded(content, says):
    with pytest.raises(UserError, match=says):
        load_fitted(content, 100)


def test_hundred_megapixels_of_jpeg_are_read():
    content = saved(Image.new("L", (10_000, 10_000)), "JPEG")
    loaded = load_fitted(content, 1280)
    assert loaded.image.size == (1280, 1280)
    assert loaded.original_size == (10_000, 10_000)


def test_photos_read_at_the_same_time_are_the_same_photos():
    """More threads than fit into the budget, and each gets its own photo."""
    colours = [(20 * i, 255 - 20 * i, 7) for i in range(12)]
    files = [saved(Image.new("RGB", (1500, 1500), colour), "PNG") for colour in colours]
    found: dict[int, tuple] = {}

    def read(i: int) -> None:
        found[i] = load_image(files[i]).getpixel((700, 700))

    threads = [threading.Thread(target=read, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == dict(enumerate(colours))


def test_hostile_images_do_not_exhaust_memory():
    """The worst files, alone and eight at once; without ``--quick`` the script tries many more."""
    result = run_command("scripts/image_memory.py", "--quick")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("ok ") == 3, result.stdout
