from io import BytesIO

import numpy as np
import pytest
from conftest import REPOSITORY
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from model.data.decoding.decoder import open_image
from model.data.image_formats import FORMATS, HEIC, readable_formats
from model.data.images import find_images, load_each, load_fitted, load_image
from model.errors import UserError

RED = (255, 0, 0)


def encoded(image: Image.Image, format_name: str, **options) -> bytes:
    stream = BytesIO()
    image.save(stream, format_name, **options)
    return stream.getvalue()


def rotated_jpeg(orientation: int, size=(60, 40)) -> bytes:
    """Left half red, right half blue as stored; EXIF says how to hold it."""
    image = Image.new("RGB", size, (0, 0, 255))
    image.paste(RED, (0, 0, size[0] // 2, size[1]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, "JPEG", exif=exif, quality=95)


def grey16(top: int) -> Image.Image:
    ramp = np.linspace(0, top, 256, dtype=np.uint16)[None].repeat(8, 0)
    return Image.fromarray(ramp)


def nearly(pixel, expected, tolerance=6):
    return all(abs(a - b) <= tolerance for a, b in zip(pixel, expected, strict=True))


# What people upload, ugliest first: the bytes, and the colour the pixel (1, 1) must have.
UGLY = {
    "transparent red over white": (
        encoded(Image.new("RGBA", (9, 9), (255, 0, 0, 0)), "PNG"),
        (255, 255, 255),
    ),
    "half transparent black": (
        encoded(Image.new("RGBA", (9, 9), (0, 0, 0, 128)), "PNG"),
        (127, 127, 127),
    ),
    "grey with alpha": (encoded(Image.new("LA", (9, 9), (0, 0)), "PNG"), (255, 255, 255)),
    "palette with transparency": (
        encoded(Image.new("P", (9, 9), 0), "PNG", transparency=0),
        (255, 255, 255),
    ),
    "16-bit grey is scaled": (
        encoded(Image.fromarray(np.full((9, 9), 32896, np.uint16)), "PNG"),
        (128, 128, 128),
    ),
    "float TIFF": (
        encoded(Image.fromarray(np.full((9, 9), 0.5, np.float32)), "TIFF"),
        (128, 128, 128),
    ),
    "bilevel": (encoded(Image.new("1", (9, 9), 1), "PNG"), (255, 255, 255)),
    "CMYK": (encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG"), RED),
    "animated GIF shows its first frame": (
        encoded(
            Image.new("RGB", (9, 9), RED),
            "GIF",
            save_all=True,
            append_images=[Image.new("RGB", (9, 9), (0, 0, 255))],
        ),
        RED,
    ),
    "WebP": (encoded(Image.new("RGB", (16, 16), RED), "WEBP", lossless=True), RED),
    "AVIF": (encoded(Image.new("RGB", (32, 32), RED), "AVIF", quality=95), RED),
    "2 x 2": (encoded(Image.new("RGB", (2, 2), RED), "PNG"), RED),
}


@pytest.mark.parametrize("name", UGLY)
def test_ugly_uploads_come_out_right(name):
    content, colour = UGLY[name]
    image = load_image(content)
    assert image.mode == "RGB"
    assert nearly(image.getpixel((1, 1)), colour), image.getpixel((1, 1))


def test_sixteen_bit_ramp_is_not_saturated():
    image = load_image(encoded(grey16(65535), "PNG"))
    values = np.asarray(image)[0, :, 0]
    assert values[0] == 0
    assert values[-1] == 255
    assert len(np.unique(values)) > 200


def test_one_pixel_and_a_long_strip():
    assert load_image(encoded(Image.new("RGB", (1, 1), RED), "PNG")).size == (1, 1)
    strip = load_fitted(encoded(Image.new("RGB", (10000, 20), RED), "PNG"), 280)
    assert strip.image.size == (280, 1)
    assert strip.original_size == (10000, 20)


# Nothing but a name is needed: Pillow's check of the header accepts these, and starts Ghostscript.
POSTSCRIPT = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%BeginPage: 1\nshowpage\n"
)


@pytest.mark.parametrize("as_bytes", [False, True], ids=["a file named .jpg", "bytes"])
def test_postscript_never_starts_ghostscript(tmp_path, monkeypatch, ghostscript_trap, as_bytes):
    monkeypatch.setenv("PATH", ghostscript_trap.path)
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # where it was found is remembered
    file = tmp_path / "holiday.jpg"
    file.write_bytes(POSTSCRIPT)
    with pytest.raises(UserError, match="is not an image this program can read"):
        load_image(POSTSCRIPT if as_bytes else file)
    assert not ghostscript_trap.mark.exists()


def test_postscript_that_is_uploaded_never_starts_ghostscript(
    tmp_path, demo_address, ghostscript_trap
):
    file = tmp_path / "holiday.jpg"
    file.write_bytes(POSTSCRIPT)
    client = Client(demo_address, verbose=False)
    with pytest.raises(AppError, match="is not an image this program can read"):
        client.predict(photo=handle_file(file), api_name="/detect")
    assert not ghostscript_trap.mark.exists()


# Formats Pillow reads and we do not promise.
@pytest.mark.parametrize("kind", ["TGA", "PCX", "ICO", "SGI", "JPEG2000", "DDS", "QOI"])
def test_what_is_not_promised_is_not_tried(kind):
    with pytest.raises(UserError, match="Use JPEG, PNG, WebP, AVIF, GIF, TIFF, BMP"):
        load_image(encoded(Image.new("RGB", (32, 32), RED), kind))


def test_the_readme_promises_what_is_read():
    readme = (REPOSITORY / "README.md").read_text()
    promise = readme.split("\n\nIt reads ", 1)[1].split("\n\n")[0]
    for each in FORMATS:
        assert each.name in promise


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
def test_every_promised_format_is_read(each):
    if each is HEIC:
        heif = pytest.importorskip("pillow_heif", reason="optional extra not installed")
        heif.register_heif_opener()
    options = {"quality": 95} if each.name in ("JPEG", "WebP", "AVIF", "HEIC") else {}
    content = encoded(Image.new("RGB", (64, 48), RED), each.pillow_name, **options)
    image = load_image(content)
    assert image.size == (64, 48)
    assert nearly(image.getpixel((9, 9)), RED, 12)
    assert each in readable_formats()


def test_several_jpegs_in_one_as_phones_write_them():
    """MPO: the JPEG plugin hands it on to another one."""
    blue = Image.new("RGB", (600, 400), (0, 0, 255))
    content = encoded(Image.new("RGB", (600, 400), RED), "MPO", save_all=True, append_images=[blue])
    assert Image.open(BytesIO(content)).format == "MPO"
    assert nearly(load_image(content).getpixel((9, 9)), RED)
    assert load_fitted(content, 100).image.size == (100, 67)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF", "TIFF", "HEIF"])
def test_animations_show_their_first_frame(kind):
    if kind == "HEIF":
        heif = pytest.importorskip("pillow_heif", reason="optional extra not installed")
        heif.register_heif_opener()
    frames = [Image.new("RGB", (64, 48), colour) for colour in (RED, (0, 255, 0), (0, 0, 255))]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert nearly(load_image(content).getpixel((9, 9)), RED, 12)


def test_heic_is_read_where_pillow_heif_is_installed():
    heif = pytest.importorskip("pillow_heif", reason="optional extra not installed")
    heif.register_heif_opener()
    content = encoded(Image.new("RGB", (64, 48), RED), "HEIF", quality=90)
    assert nearly(load_image(content).getpixel((9, 9)), RED, 12)


def test_heic_without_the_extra_names_the_cure(monkeypatch):
    monkeypatch.setattr("model.data.image_formats.heic_is_readable", lambda: False)
    header = b"\x00\x00\x00\x18ftypheic" + b"\x00" * 40
    with pytest.raises(UserError, match="pip install pillow-heif"):
        open_image(BytesIO(header), "photo.heic")  # as a worker does


# EXIF orientation -> where the stored red left half is once upright: a pixel that must be red.
@pytest.mark.parametrize(
    ("orientation", "size", "red_at"),
    [
        (1, (60, 40), (5, 20)), (2, (60, 40), (55, 20)), (3, (60, 40), (55, 20)),
        (4, (60, 40), (5, 20)), (5, (40, 60), (20, 5)), (6, (40, 60), (20, 5)),
        (7, (40, 60), (20, 55)), (8, (40, 60), (20, 55)),
    ],
)  # fmt: skip
def test_exif_rotation(orientation, size, red_at):
    loaded = load_fitted(rotated_jpeg(orientation), None)
    assert loaded.image.size == loaded.original_size == size
    assert nearly(loaded.image.getpixel(red_at), RED, 30)


@pytest.mark.parametrize("size", [(4000, 3000), (3000, 4000), (501, 500), (640, 640)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_fitting_keeps_the_original_size_and_shape(size, orientation):
    loaded = load_fitted(rotated_jpeg(orientation, size), 280)
    upright = size if orientation == 1 else size[::-1]
    assert loaded.original_size == upright
    assert max(loaded.image.size) == 280
    ratio = loaded.image.width / loaded.image.height
    assert ratio == pytest.approx(upright[0] / upright[1], rel=0.01)


def test_small_photos_are_not_enlarged():
    assert load_fitted(encoded(Image.new("RGB", (30, 20)), "PNG"), 280).image.size == (30, 20)


def truncated() -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    content = encoded(Image.fromarray(noise), "JPEG")
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty (0 bytes)"),
        (b"just some text", "not an image"),
        (truncated(), "damaged"),
        (encoded(Image.new("RGB", (300, 300)), "PNG")[:80], "damaged"),
    ],
    ids=["zero bytes", "text named .jpg", "truncated JPEG", "truncated PNG"],
)
def test_bad_files_are_named_with_the_reason(tmp_path, content, says):
    file = tmp_path / "holiday.jpg"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_image(file)
    assert "holiday.jpg" in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(("name", "says"), [("gone.jpg", "does not exist"), (".", "is a folder")])
def test_missing_files(tmp_path, name, says):
    with pytest.raises(UserError, match=says):
        load_image(tmp_path / name)


def test_too_many_pixels_are_refused_before_decoding():
    content = encoded(Image.new("1", (12000, 9000)), "PNG")
    with pytest.raises(UserError, match="12000 x 9000 pixels, more than the limit of 100"):
        load_image(content)


def test_a_12_bit_photo_in_a_16_bit_file_is_not_black():
    values = np.asarray(load_image(encoded(grey16(4095), "PNG")))[0, :, 0]
    assert values[0] == 0
    assert values[-1] == 255
    assert abs(int(values[128]) - 128) <= 2


def test_a_small_colour_profile_comes_along_and_a_large_one_does_not():
    for length, kept in ((3144, True), (15 * 2**20, False)):
        profile = bytes(length)
        for kind in ("JPEG", "PNG") if kept else ("JPEG",):
            content = encoded(Image.new("RGB", (40, 30), RED), kind, icc_profile=profile)
            for side in (None, 20):
                info = load_fitted(content, side).image.info
                assert info == ({"icc_profile": profile} if kept else {})


def test_of_an_image_of_the_caller_a_large_colour_profile_does_not_come_along():
    image = Image.new("RGB", (40, 30), RED)
    image.info["icc_profile"] = bytes(2**20)
    assert load_image(image).info == {}


def test_many_files_are_read_in_order_and_what_is_wrong_is_said(tmp_path):
    files = [tmp_path / f"{i}.png" for i in range(40)]
    for i, file in enumerate(files):
        Image.new("RGB", (20 + i, 10), (i, 0, 0)).save(file)
    files[3].write_bytes(b"no image")
    files[17].unlink()
    files[39].write_bytes(files[38].read_bytes()[:60])
    outcomes = list(load_each(files, 30))
    assert len(outcomes) == 40
    for i, outcome in enumerate(outcomes):
        if i in (3, 17, 39):
            assert isinstance(outcome, UserError)
            assert str(outcome).startswith(str(files[i]))
        else:
            assert outcome.original_size == (20 + i, 10)
            assert outcome.image.getpixel((2, 2)) == (i, 0, 0)
    assert list(load_each([], 30)) == []


def test_hundred_megapixels_of_jpeg_are_read():
    content = encoded(Image.new("L", (10_000, 10_000)), "JPEG")
    loaded = load_fitted(content, 1280)
    assert loaded.image.size == (1280, 1280)
    assert loaded.original_size == (10_000, 10_000)


def test_pil_images_are_left_as_they_were():
    image = Image.open(BytesIO(rotated_jpeg(6)))
    assert load_fitted(image, 20).original_size == (40, 60)
    assert image.size == (60, 40)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((4, 4, 2), np.uint8), "must be"),
        (np.zeros((0, 4, 3), np.uint8), "must be"),
        (np.zeros((4, 4), np.int32), "uint8, uint16 or float"),
        (np.full((4, 4), 200.0), "divide it by 255"),
        (np.full((4, 4), np.nan), "finite"),
        (np.full((4, 4), np.inf, np.float16), "finite"),
        (np.full((4, 4), 2, np.float16), "divide it by 255"),
    ],
)
def test_arrays_that_are_no_images(array, says):
    with pytest.raises(UserError, match=says):
        load_image(array)


@pytest.mark.parametrize(
    "array",
    [
        np.full((5, 7), 128, np.uint8),
        np.full((5, 7, 1), 128, np.uint8),
        np.full((5, 7, 3), 128, np.uint8),
        np.full((5, 7), 32896, np.uint16),
        np.full((5, 7, 3), 128 / 255, np.float32),
        np.full((5, 7, 3), 128 / 255, np.float16),
        np.full((5, 7), 128 / 255, ">f8"),
    ],
)
def test_arrays(array):
    image = load_image(array)
    assert image.size == (7, 5)
    assert image.getpixel((0, 0)) == (128, 128, 128)


def test_a_large_array_of_float16():
    """Its sum is beyond what float16 can say."""
    image = load_image(np.ones((300, 300, 3), np.float16))
    assert image.getpixel((299, 299)) == (255, 255, 255)


def test_a_photo_that_is_square_once_shrunk_is_turned_all_the_same():
    loaded = load_fitted(rotated_jpeg(6, (1000, 999)), 280)
    assert loaded.image.size == (280, 280)
    assert loaded.original_size == (999, 1000)


def test_what_was_turned_is_not_turned_again():
    once = load_image(rotated_jpeg(6))
    twice = load_image(once)
    assert once.size == twice.size == (40, 60)
    assert once.tobytes() == twice.tobytes()


def test_find_images(tmp_path):
    for name in ("b.JPG", "a.png", "sub/c.webp", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_images([tmp_path, tmp_path / "notes.txt"])
    assert [p.name for p in found] == ["a.png", "b.JPG", "c.webp", "notes.txt"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gone", "does not exist"),
        ("", "no images in"),
        ("a" * 300, "File name too long"),
        ("a" * 100_000, r"^.{40}\.\.\. cannot be read: File name too long"),
    ],
    ids=["gone", "empty folder", "300 characters", "100,000 characters"],
)
def test_find_images_says_what_is_wrong(tmp_path, name, says):
    with pytest.raises(UserError, match=says):
        find_images([tmp_path / name])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_part_of_an_avif_is_damaged_and_not_of_another_kind(share):
    content = encoded(Image.new("RGB", (64, 48)), "AVIF")
    with pytest.raises(UserError, match="the image is damaged and cannot be decoded"):
        load_image(content[: max(32, int(len(content) * share))])
