"""Any image people have -> one upright RGB ``PIL.Image``. The only place that opens images.

Handles what real uploads bring: EXIF rotation, transparency (laid over white), 16-bit and float
grey (scaled, not saturated), palettes, CMYK, animations (first frame), WebP, AVIF, and HEIC where
the optional ``pillow-heif`` is installed.
"""

import math
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from model.errors import UserError
from model.image_formats import HEIC, IMAGE_SUFFIXES, names_in_words, readable_formats

MAX_PIXELS = 100_000_000  # 100 Mpx as RGB is 300 MB: what a small server can still hold.

ImageSource = str | Path | bytes | Image.Image | np.ndarray


@dataclass(frozen=True)
class LoadedImage:
    """An upright RGB image and the ``(width, height)`` of the upright original it came from."""

    image: Image.Image
    original_size: tuple[int, int]


def load_image(source: ImageSource, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Open anything image-like as an upright RGB image at its full size.

    Args:
        source: a path, the bytes of a file, a PIL image, or an array ``(H, W)``, ``(H, W, 1)``,
            ``(H, W, 3)`` or ``(H, W, 4)`` of uint8, uint16, or floats in 0..1.
        max_pixels: images with more are refused before they are decoded.

    Raises:
        UserError: if it is missing, empty, damaged, too large or no image; the text names the file.
    """
    return load_fitted(source, None, max_pixels).image


def load_fitted(
    source: ImageSource, longest_side: int | None, max_pixels: int = MAX_PIXELS
) -> LoadedImage:
    """Like :func:`load_image`, shrunk so that no side exceeds ``longest_side`` (never enlarged).

    For JPEGs the decoder itself shrinks by a power of two first, which makes a 12-megapixel photo
    several times faster to read; boxes stay exact because they scale with ``original_size``.
    """
    name = _name(source)
    if isinstance(source, np.ndarray):
        opened = _from_array(source)
    elif isinstance(source, Image.Image):
        opened = source.copy()  # decoding and seeking would change the caller's image
    else:
        opened = _open(source, name)
    if opened.width * opened.height > max_pixels:
        raise UserError(
            f"{name} has {opened.width} x {opened.height} pixels, more than the limit of"
            f" {max_pixels / 1e6:.0f} megapixels. Shrink it first."
        )
    stored_size = opened.size
    if longest_side is not None and opened.format == "JPEG":
        opened.draft(None, _fit(stored_size, longest_side))
    try:
        upright, turned = _upright_rgb(opened)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UserError(
            f"{name} is damaged and cannot be decoded ({error}). Save or download it again."
        ) from error
    original_size = stored_size[::-1] if turned else stored_size
    if longest_side is not None and max(upright.size) > longest_side:
        upright = upright.resize(
            _fit(original_size, longest_side), Image.Resampling.BILINEAR, reducing_gap=2.0
        )
    return LoadedImage(upright, original_size)


def find_images(paths: list[Path]) -> list[Path]:
    """The files named, and the images inside the folders named (recursively, sorted).

    Raises:
        UserError: if a path does not exist or nothing is found.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(
                p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()
            )
        elif path.exists():
            found.append(path)
        else:
            raise UserError(f"{path} does not exist. Name image files, or folders that hold some.")
    if not found:
        names = ", ".join(map(str, paths))
        raise UserError(f"no images in {names}. Looked for {' '.join(sorted(IMAGE_SUFFIXES))}.")
    return found


def _name(source: ImageSource) -> str:
    if isinstance(source, (str, Path)):
        return str(source)
    return "the image"


def _fit(size: tuple[int, int], longest_side: int) -> tuple[int, int]:
    scale = min(1.0, longest_side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _open(source: str | Path | bytes, name: str) -> Image.Image:
    allowed = [each.pillow_name for each in readable_formats()]
    with warnings.catch_warnings():
        # Our own limit speaks; Pillow's warning at half of its limit would only add noise.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            return Image.open(
                BytesIO(source) if isinstance(source, bytes) else source, formats=allowed
            )
        except FileNotFoundError:
            raise UserError(f"{name} does not exist. Check the path.") from None
        except IsADirectoryError:
            raise UserError(f"{name} is a folder, not an image. Name a file in it.") from None
        except PermissionError:
            raise UserError(f"{name} cannot be read: permission denied.") from None
        except Image.DecompressionBombError as error:
            raise UserError(f"{name} is too large to open ({error}). Shrink it first.") from None
        except UnidentifiedImageError:
            head = source[:32] if isinstance(source, bytes) else _first_bytes(Path(source))
            raise UserError(_why_unidentified(name, head)) from None
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise UserError(f"{name} is damaged and cannot be opened ({error}).") from None


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(32)


def _why_unidentified(name: str, head: bytes) -> str:
    if not head:
        return f"{name} is empty (0 bytes). Save or download it again."
    if (
        head[4:8] == b"ftyp"
        and head[8:11] in (b"hei", b"hev", b"mif")
        and HEIC not in readable_formats()
    ):
        return (
            f"{name} is a HEIC photo, which needs an optional package: pip install pillow-heif,"
            " or save the photo as JPEG."
        )
    return f"{name} is not an image this program can read. Use {names_in_words()}."


def _upright_rgb(image: Image.Image) -> tuple[Image.Image, bool]:
    """The image upright, and whether that swapped its width and height."""
    if getattr(image, "is_animated", False):
        image.seek(0)
    image.load()
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        image = _scaled_to_8_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB") if image.mode != "RGB" else image, turned


def _scaled_to_8_bits(image: Image.Image) -> Image.Image:
    """Grey with more than 8 bits. Pillow's own convert() cuts at 255, which turns photos white."""
    values = np.asarray(image, dtype=np.float64)
    if image.mode == "F":
        top = 1.0 if np.nanmax(values, initial=0.0) <= 1.0 else 255.0
    else:
        top = 255.0 if values.max(initial=0) <= 255 and image.mode == "I" else 65535.0
    scaled = np.nan_to_num(values / top * 255).clip(0, 255).round().astype(np.uint8)
    return Image.fromarray(scaled)


def _from_array(array: np.ndarray) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    grey, colour = array.ndim == 2, array.ndim == 3 and array.shape[2] in (3, 4)
    if not (grey or colour) or 0 in array.shape:
        raise UserError(
            f"an image array must be (height, width), or (height, width, 1, 3 or 4),"
            f" not {array.shape}."
        )
    if array.dtype == np.uint16:
        array = np.round(array / 257).astype(np.uint8)
    elif np.issubdtype(array.dtype, np.floating):
        if not math.isfinite(float(array.sum())) or array.min() < 0 or array.max() > 1:
            raise UserError("a float image array must be finite and within 0..1; divide it by 255.")
        array = np.round(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise UserError(f"an image array must be uint8, uint16 or float, not {array.dtype}.")
    return Image.fromarray(array)
