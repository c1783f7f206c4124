"""Read damaged images of every supported format as the demo does.

    python scripts/fuzz_images.py --seconds 600 --seed 1
    python scripts/fuzz_images.py --files 400           # a fixed number: what the test suite runs
    python scripts/fuzz_images.py --replay fuzz-finding.bin
    python scripts/fuzz_images.py --hostile 100         # hostile_images.py: large ones
    python scripts/fuzz_images.py --hostile 100 --server    # the same through a running demo/app.py

Every file must become an image or a ``UserError`` that names it, in time. A file that crashes a
decoder, which ends only its worker process, is also a finding. Files of findings are kept in
``--keep``. The exit status is 1 if there are findings.
"""

import argparse
import random
import struct
import sys
import time
import traceback
import zlib
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from hostile_images import FILES
from image_attack import attack
from PIL import Image

from model.data.decoding.pool import for_visitor
from model.data.image_formats import heic_is_readable, readable_formats
from model.data.images import load_fitted
from model.errors import UserError

SECONDS_A_FILE = 8.0  # longest allowed wall time
NAME = "holiday.jpg"
Sound = dict[str, list[bytes]]  # format -> undamaged files


def sources() -> Sound:
    """Undamaged files by format, in the modes, compressions and with the extras of each."""
    if heic_is_readable():
        import pillow_heif

        pillow_heif.register_heif_opener()
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)).resize((64, 48))
    deep = Image.fromarray(np.linspace(0, 65535, 64 * 48, dtype=np.uint16).reshape(48, 64))
    frames = {"save_all": True}
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a photo"
    exif.get_ifd(0x8769)[0x9003] = "2024:01:01 00:00:00"
    modes = {mode: smooth.convert(mode) for mode in ("RGB", "L", "1", "P", "CMYK", "RGBA", "LA")}
    modes |= {"I;16": deep, "I": deep.convert("I"), "F": deep.convert("F")}
    recipes: dict[str, list[tuple[str, dict]]] = {
        "JPEG": [
            ("RGB", {"exif": exif}), ("RGB", {"progressive": True}), ("L", {}), ("CMYK", {}),
        ],
        "MPO": [("RGB", frames | {"exif": exif})],
        "PNG": [
            *[(mode, {}) for mode in ("L", "1", "LA", "I;16")], ("RGB", frames),
            ("RGBA", {"exif": exif}), ("P", {"transparency": 0}),
        ],
        "WEBP": [
            ("RGB", {"exif": exif}), ("RGBA", {"lossless": True}), ("RGB", frames),
        ],
        "AVIF": [("RGB", {"exif": exif}), ("RGBA", {}), ("RGB", frames)],
        "GIF": [("P", {}), ("P", {"transparency": 0, "interlace": 1}), ("RGB", frames)],
        "TIFF": [
            *[(mode, {"compression": "tiff_adobe_deflate"}) for mode in ("RGB", "P", "I;16", "F")],
            ("RGB", {"compression": "jpeg"}), ("RGBA", {"compression": "tiff_lzw"}),
            ("I", {}), ("CMYK", {"compression": "packbits"}), ("1", {"compression": "group4"}),
            ("RGB", frames | {"exif": exif}), ("LA", {"big_tiff": True}),
        ],
        "BMP": [("RGB", {}), ("P", {}), ("1", {}), ("RGBA", {})],
        "PPM": [("RGB", {}), ("L", {}), ("1", {}), ("I;16", {}), ("F", {})],
        "HEIF": [("RGB", {"exif": exif.tobytes()}), ("RGBA", {}), ("L", {})],
    }  # fmt: skip
    wanted = {each.pillow_name for each in readable_formats()} | {"MPO"}
    return {
        kind: [encoded(modes[mode], kind, options) for mode, options in recipes[kind]]
        for kind in recipes
        if kind in wanted
    }


def encoded(image: Image.Image, kind: str, options: dict) -> bytes:
    stream = BytesIO()
    if options.get("save_all"):
        # New images each time: an encoder leaves attributes in an image that break another encoder.
        more = [Image.new("RGB", image.size, colour) for colour in ("red", "blue")]
        options = options | {"append_images": more}
    image.copy().save(stream, kind, **options)
    return stream.getvalue()


def damaged(content: bytes, other: bytes, rng: random.Random) -> bytes:
    """The file with one to eight random kinds of damage."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        if not data:
            break
        _damage(data, other, rng)
    whole = bytes(data)
    return with_checksums(whole) if rng.random() < 0.7 else whole


def _damage(data: bytearray, other: bytes, rng: random.Random) -> None:
    # Headers are short and decide most: half of the damage is in the first 256 bytes.
    at = rng.randrange(min(len(data), 256) if rng.random() < 0.5 else len(data))
    length = rng.choice((1, 2, 4, 16, 64))
    what = rng.randrange(7)
    if what == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif what == 1:
        data[at] = rng.randrange(256)
    elif what == 2:  # a number as it stands in headers
        number = rng.choice((0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x8000, 0x7FFFFFFF, 0xFFFFFFFF))
        packed = struct.pack(rng.choice("<>") + "I", number)[: rng.choice((2, 4))]
        data[at : at + len(packed)] = packed
    elif what == 3:
        del data[at : at + length]
    elif what == 4:
        data[at:at] = data[rng.randrange(len(data)) :][:length]
    elif what == 5:
        del data[at:]
    else:
        start = rng.randrange(len(other))
        data[at : at + length] = other[start : start + length]


def with_checksums(data: bytes) -> bytes:
    """A PNG with correct checksums, so that damage gets past them; other files as they are."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return data
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        length = min(int.from_bytes(data[at : at + 4], "big"), len(data) - at - 12)
        body = data[at + 4 : at + 8 + length]
        parts += [struct.pack(">I", length), body, struct.pack(">I", zlib.crc32(body))]
        at += 12 + length
    return b"".join([*parts, data[at:]])


def made(number: int, seed: int, sound: Sound) -> tuple[str, bytes]:
    """Format and content of a file; the same for the same seed and number."""
    rng = random.Random(f"{seed} {number}")
    kinds = list(sound)
    kind = kinds[number % len(kinds)]
    other = rng.choice(sound[rng.choice(kinds)])
    return kind, damaged(rng.choice(sound[kind]), other, rng)


def verdict(file: Path | bytes, side: int | None) -> str:
    """``read`` or ``refused``; anything else is a finding."""
    try:
        loaded = load_fitted(file, side)
    except UserError as error:
        text = str(error)
        named = (NAME in text or "the image" in text) and len(text) < 500 and "\n" not in text
        return "refused" if named and "crashed" not in text else f"a finding: {text}"
    except BaseException:
        return traceback.format_exc()
    image, (width, height) = loaded.image, loaded.original_size
    sound = (
        image.mode == "RGB" and min(image.size) > 0 and (side is None or max(image.size) <= side)
    )
    fits = side is not None or image.size == (width, height)
    return "read" if sound and fits else f"wrong: {image} of {loaded.original_size}"


@dataclass
class Outcome:
    """Results of all files."""

    counts: Counter = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    def add(self, kind: str, answer: str, seconds: float) -> bool:
        """Count a :func:`verdict`; return whether it is no finding."""
        is_good = answer in ("read", "refused") and seconds <= SECONDS_A_FILE
        self.counts[kind, answer if is_good else "finding"] += 1
        self.slowest_s = max(self.slowest_s, seconds)
        return is_good


def run(settings: argparse.Namespace) -> Outcome:
    """Read damaged files; a crash or hang ends only a worker process, not this one."""
    outcome, sound = Outcome(), sources()
    file = Path(settings.keep) / NAME
    for number in range(settings.files):
        if time.monotonic() > settings.until:
            break
        kind, content = made(number, settings.seed, sound)
        file.write_bytes(content)
        started = time.monotonic()
        answer = verdict(file, None if number % 3 == 0 else 40)
        seconds = time.monotonic() - started
        if not outcome.add(kind, answer, seconds):
            what = f"{kind}: {answer}, {seconds:.1f} s"
            outcome.findings.append(kept(settings, number, sound, what))
    return outcome


def run_hostile(settings: argparse.Namespace) -> Outcome:
    """Read hostile files as uploads of a visitor, and print the time of each."""
    outcome = Outcome()
    for name, make in FILES.items():
        if settings.only not in name:
            continue
        content = make(settings.hostile)
        started = time.monotonic()
        with for_visitor("somebody"):
            answer = verdict(content, 1280)
        seconds = time.monotonic() - started
        print(f"{seconds:5.1f} s {len(content):>11,} bytes  {name}: {answer}", flush=True)
        if not outcome.add(name.split(",")[0], answer, seconds):
            outcome.findings.append(f"{name}: {answer}, {seconds:.1f} s")
    return outcome


def kept(settings: argparse.Namespace, number: int, sound: Sound, what: str) -> str:
    """Save the file of a finding; return the finding with its path."""
    _, content = made(number, settings.seed, sound)
    path = Path(settings.keep) / f"finding-{settings.seed}-{number}.bin"
    path.write_bytes(content)
    return f"{path}: {what}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=0, help="0: until --files are read")
    parser.add_argument("--files", type=int, default=10**9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", default=".", help="folder for the file being read and findings")
    parser.add_argument("--hostile", type=int, default=0, help="scale of hostile files: 1 to 100")
    parser.add_argument("--only", default="", help="hostile files whose name contains this")
    parser.add_argument("--server", action="store_true", help="through a server of its own")
    parser.add_argument("--replay", type=Path, help="read this one file, with a traceback")
    settings = parser.parse_args()
    if settings.replay:
        print(load_fitted(settings.replay, None))
        return 0
    started = time.monotonic()
    settings.until = started + settings.seconds if settings.seconds else float("inf")
    if settings.server:
        return attack(settings.hostile, settings.only)
    outcome = run_hostile(settings) if settings.hostile else run(settings)
    for (kind, answer), times in sorted(outcome.counts.items()):
        print(f"{kind:5s} {answer:8s} {times}")
    print(
        f"{outcome.counts.total()} files in {time.monotonic() - started:.1f} s, the slowest"
        f" {outcome.slowest_s:.2f} s; {len(outcome.findings)} findings"
    )
    for finding in outcome.findings:
        print(finding.replace("\\n", "\n")[:3000])
    return 1 if outcome.findings else 0


if __name__ == "__main__":
    sys.exit(main())
