"""Generated image files that cost a decoder much memory or time for their size.

``FILES`` maps a name to a function of a scale: 1 is small enough for the test suite, 100 is what an
attacker would send.
"""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO

from PIL import Image, PngImagePlugin

SIDE = 9949  # 99 megapixels


def saved(mode: str, size: tuple[int, int], kind: str, **options: object) -> bytes:
    """A black image written by Pillow."""
    stream = BytesIO()
    Image.new(mode, size).save(stream, kind, **options)
    return stream.getvalue()


def zeros(n_bytes: int) -> bytes:
    """``n_bytes`` zeros, deflated."""
    deflate, block = zlib.compressobj(9), bytes(2**20)
    parts = [deflate.compress(block) for _ in range(n_bytes // 2**20)]
    return b"".join([*parts, deflate.compress(bytes(n_bytes % 2**20)), deflate.flush()])


def bmp(width: int, height: int, body: bytes, bits: int = 8) -> bytes:
    """A BMP with a run-length coded body."""
    palette = b"".join(bytes((i, i, i, 0)) for i in range(2**bits))
    offset, coding = 54 + len(palette), 1 if bits == 8 else 2
    info = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, coding, len(body), 0, 0, 2**bits, 0
    )
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + info + palette + body


def segment(marker: int, data: bytes) -> bytes:
    """A JPEG segment."""
    return b"\xff" + bytes((marker,)) + struct.pack(">H", len(data) + 2) + data


def scans(side: int, count: int) -> bytes:
    """A grey progressive JPEG, all zero; every scan passes over all blocks once more."""
    blocks = (-(-side // 8)) ** 2
    head = segment(0xDB, b"\0" + b"\1" * 64)
    head += segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
    head += segment(0xC4, b"\0" + bytes([1] + [0] * 15) + b"\0")
    head += segment(0xC4, b"\x10" + bytes([1, 1] + [0] * 14) + b"\xe0\0")
    bits, left = "", blocks
    while left:
        run = min(left, 32767)
        bits += "0" + format(run - 16384, "014b") if run >= 16384 else "10"
        left -= run if run >= 16384 else 1
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    first = b"\0" * (blocks // 8) + (bytes([(1 << (8 - blocks % 8)) - 1]) if blocks % 8 else b"")
    scan = segment(0xDA, b"\1\1\0\1\x3f\0") + data
    return b"\xff\xd8" + head + segment(0xDA, b"\1\1\0\0\0\0") + first + scan * count + b"\xff\xd9"


def jpeg(extra: bytes, **options: object) -> bytes:
    """A small JPEG with ``extra`` after its first marker."""
    content = saved("RGB", (16, 16), "JPEG", **options)
    return content[:2] + extra + content[2:]


def gif(extra: bytes, size: tuple[int, int] = (2, 2)) -> bytes:
    """A black GIF with ``extra`` before the picture."""
    head = b"GIF89a" + struct.pack("<HHBBB", *size, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    picture = b"," + struct.pack("<HHHHB", 0, 0, 2, 2, 0) + b"\x02\x03\x84\x51\x00\x00"
    return head + extra + picture + b";"


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    before: bytes = b"", after: bytes = b"", side: int = 16, bits: int = 8, colour: int = 0
) -> bytes:
    """A black PNG with chunks before and after its pixels; ``colour`` as in its specification."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, bits, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zeros(side * (1 + side * samples * bits // 8)))
    return b"\x89PNG\r\n\x1a\n" + header + before + pixels + after + chunk(b"IEND", b"")


Entries = dict[int, tuple[int, list[int]]]


def tiff(
    entries: Entries, data: bytes, repeated: bytes = b"", following: int | None = None
) -> bytes:
    """``data`` at offset 8, then the directory: tag -> type (3: 16 bits, 4: 32) and values.

    ``repeated`` are more of its rows; ``following`` is the offset of the next directory, by default
    of this one.
    """
    data += bytes(len(data) % 2)
    values, rows, at = b"", b"", 8 + len(data)
    for tag, (kind, numbers) in sorted(entries.items()):
        content = struct.pack(f"<{len(numbers)}{'HI'[kind - 3]}", *numbers)
        if len(content) > 4:
            rows += struct.pack("<HHII", tag, kind, len(numbers), at + len(values))
            values += content + bytes(len(content) % 2)
        else:
            rows += struct.pack("<HHI", tag, kind, len(numbers)) + content.ljust(4, b"\0")
    start = at + len(values)
    count = len(entries) + len(repeated) // 12
    end = struct.pack("<I", start if following is None else following)
    directory = struct.pack("<H", count) + rows + repeated + end
    return struct.pack("<2sHI", b"II", 42, start) + data + values + directory


def strips(
    side: int, rows: int, bits: int = 8, samples: int = 1, sample_format: int = 1, **more: int
) -> bytes:
    """A deflated TIFF whose strips all share the same bytes of the file."""
    strip, count = zeros(side * rows * samples * bits // 8), -(-side // rows)
    entries: Entries = {
        256: (4, [side]), 257: (4, [side]), 258: (3, [bits] * samples), 259: (3, [8]),
        262: (3, [2 if samples > 1 else 1]), 273: (4, [8] * count), 277: (3, [samples]),
        278: (4, [rows]), 279: (4, [len(strip)] * count), 339: (3, [sample_format] * samples),
    }  # fmt: skip
    if samples == 4:
        entries[338] = (3, [2])
    if more:
        entries[274] = (3, [more["orientation"]])
    return tiff(entries, strip, following=0)


SMALL: Entries = {
    256: (4, [16]),
    257: (4, [16]),
    258: (3, [8]),
    262: (3, [1]),
    273: (4, [8]),
    277: (3, [1]),
}


def tile(width: int, length: int) -> bytes:
    """A 16 x 16 TIFF with one larger tile."""
    content = zeros(width * length)
    entries = {key: SMALL[key] for key in (256, 257, 258, 262, 277)} | {
        259: (3, [8]), 322: (4, [width]), 323: (4, [length]), 324: (4, [8]),
        325: (4, [len(content)]),
    }  # fmt: skip
    return tiff(entries, content, following=0)


def shared_tags(count: int, size: int) -> bytes:
    """A TIFF whose tags all share the same bytes of the file."""
    rows = b"".join(struct.pack("<HHII", 40000 + i, 1, size, 8) for i in range(count))
    return tiff(SMALL, bytes(size), rows, following=0)


def exif(count: int, size: int) -> bytes:
    """EXIF whose tags all share the same bytes."""
    rows = b"".join(struct.pack("<HHII", 40000 + i, 1, size, 8) for i in range(count))
    return b"Exif\0\0" + tiff({274: (3, [6])}, bytes(size), rows, following=0)


def frames(kind: str, count: int) -> bytes:
    """An animation; no two frames are alike."""
    rest = [Image.new("RGB", (16, 16), (i % 256, i // 256, 0)) for i in range(1, count)]
    return saved("RGB", (16, 16), kind, save_all=True, append_images=rest)


def texts(count: int) -> bytes:
    """A PNG with texts of a million characters each, which take four bytes per character."""
    text = "\N{GRINNING FACE}".encode() + b"a" * 1_000_000
    return png(chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(text)) * count)


def xmp(count: int) -> bytes:
    """A JPEG with many XMP packets."""
    return jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<x>" * 20_000) * count)


def lying_avif(side: int) -> bytes:
    """An AVIF whose header says 16 x 16 and whose AV1 stream says more."""
    content = saved("RGB", (side, side), "AVIF", speed=10, subsampling="4:4:4")
    at = content.index(b"ispe") + 8
    return content[:at] + struct.pack(">II", 16, 16) + content[at + 8 :]


def raw_profile(n_bytes: int) -> bytes:
    """A PNG with EXIF as hexadecimal text, as ImageMagick writes it."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n  {n_bytes}\n" + "00" * n_bytes, zip=True)
    return saved("RGB", (16, 16), "PNG", pnginfo=info)


def wide(scale: int) -> int:
    """The side of an image of ``scale`` megapixels, at most 99."""
    return min(SIDE, int((scale * 1e6) ** 0.5))


ICC = b"k\0\0" + zlib.compress(bytes(1_000_000), 9)
FILES: dict[str, Callable[[int], bytes]] = {
    "BMP, run that leaps": lambda n: bmp(100_000 * n, 10, b"\0\2\0\xff" * 2),
    "BMP, runs of empty lines": lambda n: bmp(1_000_000 * n, 1, b"\1\5\0\0" * 2),
    "BMP, leaps of 4 bits": lambda n: bmp(100_000 * n, 10, b"\0\2\0\xff" * 2, bits=4),
    "BMP, many ends of line": lambda n: bmp(16, 65_000, b"\0\0" * 100_000 * n),
    "BMP, 99 Mpx": lambda n: saved("1", (wide(n),) * 2, "BMP"),
    "JPEG, many scans": lambda n: scans(wide(n), 40 * n),
    "JPEG, very many scans": lambda n: scans(wide(n), 400 * n),
    "JPEG, empty segments": lambda n: jpeg(b"\xff\xef\0\2" * 95_000 * n),
    "JPEG, comments": lambda n: jpeg(segment(0xFE, b"c" * 60_000) * 6 * n),
    "JPEG, fill bytes": lambda n: jpeg(b"\xff" * 380_000 * n),
    "JPEG, profiles": lambda n: jpeg(segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(60_000)) * 6 * n),
    "JPEG, EXIF that shares its bytes": lambda n: jpeg(segment(0xE1, exif(1000, 50_000))),
    "JPEG, EXIF again and again": lambda n: jpeg(segment(0xE1, exif(2000, 30_000)) * 6 * n),
    "JPEG, XMP": lambda n: xmp(6 * n),
    "JPEG, quantization tables": lambda n: jpeg(segment(0xDB, b"\0" + b"\1" * 64) * 5000 * n),
    "JPEG, Photoshop blocks": lambda n: jpeg(
        segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0" * 5000) * 6 * n
    ),
    "JPEG, RGB": lambda n: saved("RGB", (wide(n),) * 2, "JPEG"),
    "JPEG, CMYK, progressive": lambda n: saved(
        "CMYK", (wide(n),) * 2, "JPEG", progressive=True, subsampling=0
    ),
    "GIF, a comment": lambda n: gif(b"!\xfe" + (b"\xff" + b"c" * 255) * 390 * n + b"\0"),
    "GIF, comments": lambda n: gif(b"!\xfe\1c\0" * 40_000 * n),
    "GIF, extensions": lambda n: gif(b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0" * 20_000 * n),
    "GIF, unknown blocks": lambda n: gif(b"\0" * 300_000 * n),
    "GIF, frames": lambda n: frames("GIF", 20 * n),
    "GIF, 99 Mpx": lambda n: gif(b"", (wide(n),) * 2),
    "PNG, profiles": lambda n: png(chunk(b"iCCP", ICC) * 60 * n),
    "PNG, texts": lambda n: texts(n),
    "PNG, compressed texts": lambda n: png(chunk(b"zTXt", b"k\0\0" + zeros(1_000_000)) * n),
    "PNG, texts after the pixels": lambda n: png(after=chunk(b"tEXt", b"k\0v") * 25_000 * n),
    "PNG, unknown chunks": lambda n: png(chunk(b"abCd", b"") * 30_000 * n),
    "PNG, transparencies": lambda n: png(chunk(b"tRNS", b"\0\1") * 25_000 * n),
    "PNG, EXIF": lambda n: png(chunk(b"eXIf", exif(2000, 100_000 * n)[6:])),
    "PNG, EXIF as text": lambda n: raw_profile(10_000 * n),
    "PNG, frames": lambda n: frames("PNG", 10 * n),
    "PNG, empty pixels": lambda n: png(chunk(b"IDAT", b"") * 30_000 * n),
    "PNG, 16-bit grey": lambda n: png(side=wide(n), bits=16),
    "PNG, RGBA of 16 bits": lambda n: png(side=wide(n), bits=16, colour=6),
    "PNG, grey and alpha": lambda n: png(side=wide(n), colour=4),
    "TIFF, strips": lambda n: strips(min(9000, 900 * n), 1),
    "TIFF, strips of one byte": lambda n: strips(wide(n), 1, bits=8),
    "TIFF, float, one strip": lambda n: strips(wide(n), wide(n), 32, 1, 3),
    "TIFF, float, on its side": lambda n: strips(wide(n), wide(n), 32, 1, 3, orientation=6),
    "TIFF, RGBA of 16 bits": lambda n: strips(wide(n), wide(n), 16, 4),
    "TIFF, a tile larger than the image": lambda n: tile(65520, 160 * n),
    "TIFF, tags that share their bytes": lambda n: shared_tags(1000, 80_000 * n),
    "TIFF, a directory that follows itself": lambda n: tiff(SMALL, bytes(256)),
    "TIFF, many tags": lambda n: shared_tags(min(25_000, 600 * n), 64),
    "WebP, lossless": lambda n: saved(
        "RGBA", (min(8000, wide(n)),) * 2, "WEBP", lossless=True, method=0
    ),
    "WebP, frames": lambda n: frames("WEBP", 10 * n),
    "WebP, a profile": lambda n: saved("RGB", (16, 16), "WEBP", icc_profile=bytes(300_000 * n)),
    "WebP, EXIF": lambda n: saved("RGB", (16, 16), "WEBP", exif=exif(2000, 100_000 * n)),
    "AVIF": lambda n: saved("RGB", (min(7000, wide(n)),) * 2, "AVIF", speed=10),
    "AVIF, frames": lambda n: frames("AVIF", 5 * n),
    "AVIF, larger than its header": lambda n: lying_avif(min(9000, wide(n))),
    "PPM, comments": lambda n: b"P6\n" + b"#c\n" * 100_000 * n + b"16 16 255\n" + bytes(768),
    "PPM, spaces": lambda n: b"P3\n16 16 255\n" + b" " * 300_000 * n + b"0 " * 768,
    "PPM, digits": lambda n: b"P3\n" + b"1" * 300_000 * n + b" 16 255\n",
    "PPM, numbers of a plain file": lambda n: (
        b"P3\n%d %d 255\n" % (wide(n), wide(n)) + b"0 " * 300_000 * n
    ),
}
