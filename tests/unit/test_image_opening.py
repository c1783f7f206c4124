"""The border to third-party decoders: whatever they raise is one sentence that names the file."""

import struct
import zlib
from io import BytesIO

import numpy as np
import PIL
import pytest
from conftest import REPOSITORY, run_command
from gradio_client import Client, handle_file
from PIL import Image

from model.commands.predict import PredictConfig, main
from model.data.decoding.decoder import open_image
from model.data.image_opening import problems_named
from model.data.images import load_fitted, load_image
from model.errors import UserError

CAT = REPOSITORY / "examples" / "cat.jpg"
RED = (255, 0, 0)


def noise(size=(64, 48)) -> Image.Image:
    return Image.fromarray(
        np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    )


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def cut_short(kind: str, **options) -> bytes:
    """Sound at its start, so that it opens and then cannot be decoded."""
    content = encoded(noise(), kind, **options)
    return content[: len(content) * 2 // 3]


def avif_of_zeros() -> bytes:
    """All that is not header is zero: Pillow's decoder raises ``RuntimeError``."""
    content = encoded(noise(), "AVIF")
    pixels = content.index(b"mdat") + 4
    return content[:pixels] + bytes(len(content) - pixels)


def big_tiff(offset: int) -> bytes:
    """8 x 8, grey, with 64-bit offsets; beyond 2**63 Pillow raises ``OverflowError``."""
    tags = {256: 8, 257: 8, 258: 8, 262: 1, 273: offset, 277: 1}
    rows = b"".join(struct.pack("<HHQQ", tag, 16, 1, value) for tag, value in tags.items())
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 80) + bytes(64)
    return head + struct.pack("<Q", len(tags)) + rows + bytes(8)


def empty_gif_block() -> bytes:
    """A graphic control block of no bytes, where four are expected: ``struct.error``."""
    content = encoded(noise().convert("P"), "GIF")
    at = content.index(b"\x2c", 13 + 768)
    return content[:at] + b"\x21\xf9\x01\x00\x00" + content[at:]


def tiff(tags: dict[int, tuple[int, int]]) -> bytes:
    """8 x 8, grey; ``tags`` replace: number -> type and value."""
    sound = {256: (4, 8), 257: (4, 8), 258: (3, 8), 262: (3, 1), 273: (4, 8), 277: (3, 1)} | tags
    rows = b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in sorted(sound.items())
    )
    directory = struct.pack("<H", len(sound)) + rows + bytes(4)
    return struct.pack("<2sHI", b"II", 42, 72) + bytes(64) + directory


ODD = {
    "avif.avif": avif_of_zeros(),
    "big.tif": big_tiff(2**64 - 1),
    "short.avif": cut_short("AVIF"),
    "webp.webp": cut_short("WEBP"),
    "png.png": cut_short("PNG"),
    "gif.gif": empty_gif_block(),
    "width-is-text.tif": tiff({256: (2, 0x38)}),
    "offset-beyond-the-file.tif": tiff({273: (4, 0xFFFFFFFF)}),
    "strip-of-minus-one.tif": tiff({259: (3, 8), 278: (9, 0xFFFFFFFF)}),
    "tile-of-nothing.tif": tiff({259: (3, 8), 322: (4, 0), 323: (4, 0), 324: (4, 8), 325: (4, 9)}),
    "empty.jpg": b"",
}


@pytest.fixture
def odd_files(tmp_path):
    for name, content in ODD.items():
        (tmp_path / name).write_bytes(content)
    return [tmp_path / name for name in ODD]


def test_odd_files_are_named_in_one_sentence(odd_files):
    for file in odd_files:
        with pytest.raises(UserError) as caught:
            load_image(file)
        text = str(caught.value)
        assert text.startswith(str(file))
        assert len(text) < len(str(file)) + 250
        assert "\n" not in text


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Invalid image grid"), IndexError(), struct.error("needs 4 bytes"),
        TypeError("x"), OverflowError("x"), zlib.error("Error -3"), AssertionError(),
        KeyError("x"), RecursionError(), OSError("x"), SyntaxError("x\ny"), EOFError(),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_whatever_a_decoder_raises_becomes_one_sentence(error):
    expected = r"^cat\.jpg is damaged .*\. Save .*\.$"
    with pytest.raises(UserError, match=expected) as caught, problems_named("cat.jpg"):
        raise error
    assert caught.value.__cause__ is error


def test_words_that_a_decoder_gives_as_bytes_are_read():
    with pytest.raises(UserError, match=r"decoded \(no number: 1x\)"), problems_named("cat.ppm"):
        raise ValueError(b"no number: 1x")


def test_too_little_memory_is_said_and_ctrl_c_passes():
    with pytest.raises(UserError, match=r"needs more memory"), problems_named("cat.jpg"):
        raise MemoryError
    with pytest.raises(KeyboardInterrupt), problems_named("cat.jpg"):
        raise KeyboardInterrupt
    with pytest.raises(UserError, match="already clear"), problems_named("cat.jpg"):
        raise UserError("already clear")


def test_the_command_goes_on_after_odd_files(odd_files, tmp_path, capsys):
    table = tmp_path / "all.csv"
    photos = [odd_files[0], CAT, *odd_files[1:]]
    assert main(PredictConfig(photos, csv=table, progress=False)) == 1
    assert [line.split(",")[0] for line in table.read_text().splitlines()] == ["file", str(CAT)]
    said = capsys.readouterr().err
    assert f"{len(ODD)} of {len(ODD) + 1} photos could not be read" in said
    assert all(f"skipped: {file} " in said for file in odd_files)


def test_the_command_goes_on_when_a_photo_is_gone_before_it_is_drawn(tmp_path, capsys, monkeypatch):
    photos = [tmp_path / name for name in ("gone.jpg", "stays.jpg")]
    for photo in photos:
        photo.write_bytes(CAT.read_bytes())

    def load_what_is_left(file, side):
        photos[0].unlink(missing_ok=True)
        return load_fitted(file, side)

    monkeypatch.setattr("model.commands.predict.load_fitted", load_what_is_left)
    detect_first = PredictConfig([photos[1], photos[0]], draw=tmp_path / "drawn", progress=False)
    assert main(detect_first) == 1
    assert [file.name for file in (tmp_path / "drawn").iterdir()] == ["stays.png"]
    assert "gone.jpg does not exist" in capsys.readouterr().err


def test_a_batch_in_the_demo_goes_on_after_odd_files(odd_files, demo_address):
    # Not the empty file: the client library itself does not send it.
    odd = [file for file in odd_files if file.stat().st_size]
    answer = Client(demo_address, verbose=False).predict(
        photos=[handle_file(file) for file in [odd[0], CAT, *odd[1:]]], api_name="/detect_many"
    )
    assert [found["class_name"] for found in answer["detections"]] == ["cat"]
    assert len(answer["problems"]) == len(odd)
    for file, problem in zip(odd, answer["problems"], strict=True):
        assert problem.startswith(f"{file.name} is ")


# EXIF of a photo lying on its side, broken in the ways decoders know.
def exif_blocks() -> dict[str, bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    sound = exif.tobytes()
    return {
        "text": b"Exif\0\0no EXIF at all",
        "empty": b"Exif\0\0",
        "cut short": sound[:-9],
        "a directory beyond its end": sound[:10] + struct.pack(">I", 2**31) + sound[14:],
        "orientation is no number": sound.replace(b"\x01\x12\x00\x03", b"\x01\x12\x00\x02"),
        "orientation 77": sound.replace(b"\x00\x06\x00\x00", b"\x00\x4d\x00\x00"),
    }


@pytest.mark.parametrize("name", exif_blocks())
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_with_broken_exif_is_shown_as_it_is_stored(kind, name):
    content = encoded(Image.new("RGB", (60, 40), RED), kind, exif=exif_blocks()[name])
    assert load_fitted(content, 30).image.size == (30, 20)
    assert load_image(content).size == (60, 40)


def test_exif_as_text_that_is_no_hexadecimal_is_shown_as_it_is_stored():
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", "\nexif\n  9\nthis is not hexadecimal")
    content = encoded(Image.new("RGB", (60, 40), RED), "PNG", pnginfo=info)
    assert load_image(content).size == (60, 40)


@pytest.mark.parametrize("value", [0, 4, 70, 72, 2**31, 2**32 - 1])
def test_a_tiff_with_a_broken_exif_directory_is_shown(value):
    assert load_image(tiff({34665: (4, value)})).size == (8, 8)


def shared_tags(n_tags: int, size: int) -> bytes:
    """A TIFF whose many tags all claim the same bytes of the file."""
    pixels = {256: 8, 257: 8, 258: 8, 262: 1, 273: 8, 277: 1}
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in pixels.items())
    rows += b"".join(struct.pack("<HHII", 40000 + i, 1, size, 8) for i in range(n_tags))
    count = struct.pack("<H", len(pixels) + n_tags)
    return struct.pack("<2sHI", b"II", 42, 8 + size) + bytes(size) + count + rows + bytes(4)


def test_tags_that_share_their_bytes_are_read_or_refused_within_the_limits():
    assert load_image(shared_tags(20, 2**20)).size == (8, 8)
    many = shared_tags(1000, 2**22)
    if int(PIL.__version__.split(".")[0]) >= 13:  # it leaves the bytes where they are
        assert load_image(many).size == (8, 8)
        return
    with pytest.raises(UserError, match=r"memory|damaged|longer"):
        load_image(many)


@pytest.mark.parametrize("name", ["a\0b.jpg", "a" * 300 + ".jpg", "a/" * 5000])
def test_names_no_file_can_have(name):
    with pytest.raises(UserError) as caught:
        load_image(name)
    assert len(str(caught.value)) < 500


def test_devices_are_no_photos():
    with pytest.raises(UserError, match="no image file"):
        load_image("/dev/null")


def test_opening_reads_no_pixels():
    content = encoded(noise((2000, 2000)), "PNG")
    stream = BytesIO(content)
    open_image(stream, "photo.png")
    assert stream.tell() < 1000


@pytest.mark.slow
def test_damaged_files_of_every_format_are_read_or_refused(tmp_path):
    """No crash, no hang, no other error; the script runs for as long as one likes."""
    result = run_command("scripts/fuzz_images.py", "--files", "600", "--keep", tmp_path)
    assert result.returncode == 0, result.stdout
    assert "600 files" in result.stdout
    assert " 0 findings" in result.stdout
    for kind in ("JPEG", "MPO", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "PPM"):
        assert f"{kind:5s} refused" in result.stdout
        assert f"{kind:5s} read" in result.stdout
