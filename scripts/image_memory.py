"""Peak memory of reading hostile images: small files that claim a hundred megapixels.

    python scripts/image_memory.py            # every file alone, and every file eight at once
    python scripts/image_memory.py --quick    # what the test suite runs: the worst alone, and eight
                                              # a tenth as large at once in a tenth of the budget

Each line is measured in a process of its own. Exit status 1 if one goes beyond the bar.
"""

import argparse
import os
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image

from model.data import images
from model.data.image_formats import readable_formats
from model.data.image_memory import MAX_DECODED_BYTES, MemoryBudget
from model.data.images import load_fitted
from model.errors import UserError

BAR_MIB = 1536  # above the idle process
SHOWN_SIDE = 1280  # the largest size the demo asks for
SIDE = 9949  # 99 megapixels
Image.MAX_IMAGE_PIXELS = None  # of the files made here


def zeros(n_bytes: int) -> bytes:
    """So many zeros, deflated."""
    deflate, block = zlib.compressobj(1), bytes(2**20)
    parts = [deflate.compress(block) for _ in range(n_bytes // 2**20)]
    return b"".join([*parts, deflate.compress(bytes(n_bytes % 2**20)), deflate.flush()])


def png(bits: int, colour: int, samples: int, *extra: tuple[bytes, bytes]) -> bytes:
    """A black PNG of 99 megapixels; ``colour`` and ``extra`` chunks as in the PNG specification."""
    header = struct.pack(">IIBBBBB", SIDE, SIDE, bits, colour, 0, 0, 0)
    pixels = zeros(SIDE * (1 + SIDE * samples * bits // 8))
    chunks = [(b"IHDR", header), *extra, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def tiff(
    *,
    bits: int,
    samples: int = 1,
    sample_format: int = 1,
    rows: int = 100,
    tags: dict | None = None,
) -> bytes:
    """A black TIFF of 99 megapixels; all strips of ``rows`` rows are the same bytes of the file."""
    strip = zeros(SIDE * rows * samples * bits // 8)
    n_strips = -(-SIDE // rows)
    entries: dict[int, tuple[int, list[int]]] = {
        256: (4, [SIDE]), 257: (4, [SIDE]), 258: (3, [bits] * samples), 259: (3, [8]),
        262: (3, [2 if samples > 1 else 1]), 273: (4, [8] * n_strips), 277: (3, [samples]),
        278: (4, [rows]), 279: (4, [len(strip)] * n_strips), 339: (3, [sample_format] * samples),
    }  # fmt: skip
    if samples == 4:
        entries[338] = (3, [2])
    entries |= tags or {}
    return tiff_file(entries, strip)


def tiff_file(entries: dict[int, tuple[int, list[int]]], data: bytes) -> bytes:
    """``data`` at offset 8, then the directory: tag -> type (3 is 16 bits, 4 is 32) and values."""
    data += bytes(len(data) % 2)
    values, rows, at = b"", b"", 8 + len(data)
    for tag, (kind, numbers) in sorted(entries.items()):
        packed = struct.pack(f"<{len(numbers)}{'HI'[kind - 3]}", *numbers)
        if len(packed) > 4:
            rows += struct.pack("<HHII", tag, kind, len(numbers), at + len(values))
            values += packed + bytes(len(packed) % 2)
        else:
            rows += struct.pack("<HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0")
    directory = struct.pack("<H", len(entries)) + rows + bytes(4)
    return struct.pack("<2sHI", b"II", 42, at + len(values)) + data + values + directory


def huge_tile() -> bytes:
    """A 16 x 16 image in one tile of 65,520 x 32,000."""
    tile = zeros(65520 * 32000)
    return tiff_file(
        {
            256: (4, [16]), 257: (4, [16]), 258: (3, [8]), 259: (3, [8]), 262: (3, [1]),
            277: (3, [1]), 322: (4, [65520]), 323: (4, [32000]), 324: (4, [8]),
            325: (4, [len(tile)]),
        },
        tile,
    )  # fmt: skip


def shared_tags() -> bytes:
    """A thousand tags that all claim the same eight megabytes of the file."""
    size = 8 * 2**20
    entries = {256: (4, [16]), 257: (4, [16]), 258: (3, [8]), 262: (3, [1]), 273: (4, [8])}
    rows = b"".join(
        struct.pack("<HHI4s", tag, kind, 1, struct.pack("<I", numbers[0]))
        for tag, (kind, numbers) in entries.items()
    )
    rows += b"".join(struct.pack("<HHII", tag, 1, size, 8) for tag in range(40000, 41000))
    count = struct.pack("<H", len(entries) + 1000)
    return struct.pack("<2sHI", b"II", 42, 8 + size) + bytes(size) + count + rows + bytes(4)


def saved(mode: str, side: int, kind: str, **options: object) -> bytes:
    """A black image as Pillow writes it."""
    stream = BytesIO()
    Image.new(mode, (side, side)).save(stream, kind, **options)
    return stream.getvalue()


def lying_avif() -> bytes:
    """An AVIF whose header says 16 x 16 and whose AV1 stream says 81 megapixels."""
    content = saved("RGB", 9000, "AVIF", speed=10, subsampling="4:4:4")
    at = content.index(b"ispe") + 8
    return content[:at] + struct.pack(">II", 16, 16) + content[at + 8 :]


def texts() -> bytes:
    """A PNG with sixty texts that unpack to a megabyte each, four bytes a character."""
    text = "\N{GRINNING FACE}".encode() + b"a" * 1_000_000
    chunk = (b"iTXt", b"k\0\1\0\0\0" + zlib.compress(text))
    return png(8, 0, 1, *[chunk] * 60)


PALETTE = ((b"PLTE", bytes(range(252))), (b"tRNS", bytes(84)))
FILES: dict[str, Callable[[], bytes]] = {
    "PNG, 16-bit grey": lambda: png(16, 0, 1),
    "PNG, RGBA": lambda: png(8, 6, 4),
    "PNG, RGBA of 16 bits": lambda: png(16, 6, 4),
    "PNG, grey and alpha": lambda: png(8, 4, 2),
    "PNG, transparent palette": lambda: png(8, 3, 1, *PALETTE),
    "PNG, many texts": texts,
    "TIFF, float": lambda: tiff(bits=32, sample_format=3),
    "TIFF, int32": lambda: tiff(bits=32, sample_format=2),
    "TIFF, float, one strip": lambda: tiff(bits=32, sample_format=3, rows=SIDE),
    "TIFF, float, lying on its side": lambda: tiff(
        bits=32, sample_format=3, rows=SIDE, tags={274: (3, [6])}
    ),
    "TIFF, RGBA of 16 bits, one strip": lambda: tiff(bits=16, samples=4, rows=SIDE),
    "TIFF, tile larger than the image": huge_tile,
    "TIFF, tags that share their bytes": shared_tags,
    "JPEG, RGB, 100 Mpx": lambda: saved("RGB", 10000, "JPEG"),
    "JPEG, CMYK, progressive, 100 Mpx": lambda: saved(
        "CMYK", 10000, "JPEG", progressive=True, subsampling=0
    ),
    "GIF": lambda: saved("P", SIDE, "GIF"),
    "BMP": lambda: saved("1", SIDE, "BMP"),
    "WebP, lossless, 64 Mpx": lambda: saved("RGBA", 8000, "WEBP", lossless=True, method=0),
    "WebP, 99 Mpx": lambda: saved("RGB", SIDE, "WEBP", method=0),
    "AVIF, 49 Mpx": lambda: saved("RGB", 7000, "AVIF", speed=10, subsampling="4:4:4"),
    "AVIF, 64 Mpx in a header of 16 x 16": lying_avif,
    "HEIC, 49 Mpx": lambda: saved("RGB", 7000, "HEIF"),
}
QUICK = ("PNG, 16-bit grey", "TIFF, float, one strip")  # took most before memory was bounded
MUST_BE_READ = {name for name in FILES if name.startswith(("JPEG", "PNG, 16", "TIFF, float"))}


def read(content: bytes) -> str:
    """What becomes of a file."""
    try:
        image = load_fitted(content, SHOWN_SIDE).image
    except UserError as error:
        return str(error)
    return f"{image.width} x {image.height} {np.asarray(image).mean():.0f}"


def measure(content: bytes, at_once: int) -> tuple[int, float, str]:
    """MiB above the idle process, seconds, and the answers, in a forked process."""
    reader, writer = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        with ThreadPoolExecutor(at_once) as pool:
            answers = set(pool.map(read, [content] * at_once))
        os.write(writer, " | ".join(sorted(answers)).encode()[:4000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        answer = stream.read().decode()
    _, status, usage = os.wait4(child, 0)
    idle = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    if status:
        answer = f"DIED with status {status}"
    return (usage.ru_maxrss * 1024 - idle) // 2**20, time.monotonic() - started, answer


@dataclass(frozen=True)
class Trial:
    """A file, how often at once, and the MiB it may take."""

    name: str
    at_once: int
    bar_mib: int = BAR_MIB

    def run(self, file: Path) -> bool:
        """Make the file, measure, print a line; whether all was well."""
        make(self.name, file)
        content = file.read_bytes()
        mib, seconds, answer = measure(content, self.at_once)
        well = mib <= self.bar_mib and "DIED" not in answer
        well &= self.name not in MUST_BE_READ or answer.startswith(f"{SHOWN_SIDE} x")
        print(
            f"{'ok' if well else 'FAIL':4s} {self.name:36s} {len(content):10,d} bytes,"
            f" {self.at_once} at once: {mib:5d} MiB {seconds:5.1f} s  {answer}",
            flush=True,
        )
        return well


def main() -> int:
    """Measure, print a table, judge."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="only the worst files")
    parser.add_argument("--only", default="", help="files whose name contains this")
    given = parser.parse_args()
    known = {each.name for each in readable_formats()}
    names = [n for n in (QUICK if given.quick else FILES) if given.only in n]
    names = [n for n in names if n.split(",")[0] in known]
    read(saved("RGB", 8, "PNG"))  # loads what is loaded late
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        if given.quick:
            failed = [n for n in names if not Trial(n, 1).run(file)]
            a_tenth()
            # What threads keep does not shrink with the files. Without a budget: 600 MiB and more.
            failed += [n for n in names[-1:] if not Trial(n, 8, BAR_MIB // 10 + 150).run(file)]
        else:
            failed = [n for n in names for times in (1, 8) if not Trial(n, times).run(file)]
    return 1 if failed else 0


def a_tenth() -> None:
    """From here on files of a tenth of the pixels, and a tenth of the budget to read them in."""
    global SIDE
    SIDE = round(SIDE / 10**0.5)
    images.BUDGET = MemoryBudget(MAX_DECODED_BYTES // 10)


def make(name: str, file: Path) -> None:
    """Write a file in a process of its own, whose memory does not count as idle."""
    child = os.fork()
    if child == 0:
        file.write_bytes(FILES[name]())
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError(f"cannot make {name}")


if __name__ == "__main__":
    sys.exit(main())
