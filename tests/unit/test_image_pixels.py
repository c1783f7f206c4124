import numpy as np
import pytest
from PIL import Image

from model.data.image_pixels import (
    UPRIGHT,
    Reduction,
    reduced_size,
    reduction,
    resized_rgb,
    upright_size,
)


def wild(size: tuple[int, int]) -> Image.Image:
    """Soft shapes with grain, and every amount of transparency."""
    rng = np.random.default_rng(0)
    soft = Image.fromarray(rng.integers(0, 255, (9, 12, 4), dtype=np.uint8)).resize(size)
    grain = rng.integers(-20, 20, (size[1], size[0], 4))
    return Image.fromarray((np.asarray(soft).astype(int) + grain).clip(0, 255).astype(np.uint8))


def of_mode(mode: str, size: tuple[int, int]) -> Image.Image:
    image = wild(size)
    if mode == "P, transparent":
        image = image.convert("RGB").convert("P")
        image.info["transparency"] = bytes(range(256))
        return image
    if mode == "L, transparent":
        image = image.convert("L")
        image.info["transparency"] = 128
        return image
    if mode in ("I;16", "I;16B", "I", "F"):
        grey = np.asarray(image.convert("L"), dtype=np.float32)
        kinds = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4", "F": "<f4"}
        factor = 1 / 255 if mode == "F" else 257
        return Image.frombytes(mode, size, (grey * factor).astype(kinds[mode]).tobytes())
    if mode in ("La", "RGBa"):
        return image.convert({"La": "LA", "RGBa": "RGBA"}[mode]).convert(mode)
    return image.convert(mode) if mode != "RGBA" else image


def whole_at_once(image: Image.Image, target: tuple[int, int]) -> np.ndarray:
    """The plain recipe: all of it to 8 bits, over white, to RGB, then smaller."""
    if image.mode.startswith(("I", "F")):
        white = 1.0 if image.mode == "F" else 65535
        values = np.asarray(image, dtype=np.float64) / white * 255
        image = Image.fromarray(values.clip(0, 255).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert({"La": "LA"}.get(image.mode, image.mode)).convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(
        image.convert("RGB").resize(target, Image.Resampling.BILINEAR, reducing_gap=2.0)
    )


MODES = [
    "RGB", "L", "1", "P", "CMYK", "YCbCr", "HSV", "RGBA", "LA", "PA", "La", "RGBa",
    "P, transparent", "L, transparent", "I;16", "I;16B", "I", "F",
]  # fmt: skip


# Several tiles either way, no multiple of anything; and not reduced at all.
@pytest.mark.parametrize(("size", "target"), [((161, 119), (38, 28)), ((161, 119), (161, 119))])
@pytest.mark.parametrize("mode", MODES)
def test_tile_by_tile_is_the_same_as_all_at_once(mode, size, target, monkeypatch):
    monkeypatch.setattr("model.data.image_pixels._TILE_SIDE", 32)
    image = of_mode(mode, size)
    before = image.tobytes()
    result = resized_rgb(image, target)
    assert result.mode == "RGB"
    assert result.size == target
    assert np.array_equal(np.asarray(result), whole_at_once(of_mode(mode, size), target))
    assert image.tobytes() == before


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16"])
def test_turning_tile_by_tile_is_the_same_as_turning_first(mode, orientation, monkeypatch):
    monkeypatch.setattr("model.data.image_pixels._TILE_SIDE", 32)
    image = of_mode(mode, (161, 119))
    turned = image.transpose(UPRIGHT[orientation])
    target = turned.width // 4, turned.height // 4
    result = resized_rgb(image, target, orientation)
    assert np.array_equal(np.asarray(result), whole_at_once(turned, target))
    assert upright_size(image.size, orientation) == turned.size


def test_what_needs_no_change_is_not_copied():
    image = Image.new("RGB", (8, 8))
    assert resized_rgb(image, (8, 8)) is image


# What cameras of fewer bits leave in files of 16 or 32: the brightest value, and what it becomes.
@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
@pytest.mark.parametrize(
    ("brightest", "expected"),
    [(255, 255), (1000, 249), (1023, 255), (4095, 255), (4000, 249), (16383, 255), (65535, 255)],
)
def test_grey_of_fewer_bits_than_its_file_has_is_not_dark(mode, brightest, expected):
    kind = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}[mode]
    ramp = np.linspace(0, brightest, 64).reshape(8, 8).astype(kind)
    image = Image.frombytes(mode, (8, 8), ramp.tobytes())
    found = np.asarray(resized_rgb(image, (8, 8)))
    assert found.min() == 0
    assert found.max() == expected


def test_the_brightest_value_decides_whatever_tile_it_lies_in(monkeypatch):
    monkeypatch.setattr("model.data.image_pixels._TILE_SIDE", 32)
    values = np.full((100, 100), 0.5, np.float32)
    assert resized_rgb(Image.fromarray(values), (10, 10)).getpixel((5, 5)) == (128, 128, 128)
    values[-1, -1] = 200
    assert resized_rgb(Image.fromarray(values), (100, 100)).getpixel((5, 5)) == (0, 0, 0)


def test_values_that_are_no_numbers():
    values = np.full((9, 9), 0.5, np.float32)
    values[0, :4] = np.nan, np.inf, -np.inf, -1
    image = resized_rgb(Image.fromarray(values), (9, 9))
    assert [image.getpixel((x, 0))[0] for x in range(4)] == [0, 255, 0, 0]
    blank = resized_rgb(Image.fromarray(np.full((9, 9), np.nan, np.float32)), (9, 9))
    assert blank.getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("size", "target", "factors", "small"),
    [
        ((10, 10), (10, 10), (1, 1), (10, 10)),
        ((4000, 3000), (280, 210), (7, 7), (572, 429)),
        ((99_000_000, 1), (280, 1), (176_785, 1), (561, 1)),
        ((10_000, 20), (280, 1), (17, 10), (589, 2)),
    ],
)
def test_reduction_leaves_twice_the_target(size, target, factors, small):
    assert reduction(size, target) == Reduction(*factors)
    assert reduced_size(size, Reduction(*factors)) == small
