"""How much memory decoding an image takes, and a budget that all decoding in the process shares.

A file of a hundred bytes may claim a hundred megapixels. What counts is neither its size nor its
pixels alone but the bytes its decoder will fill, so these are worked out before decoding starts.
"""

import threading
import traceback
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

from PIL import Image

from model.data.image_formats import format_of

# Decoding may not take more than this, one file or all that are decoded at the same time: 100 Mpx
# of the most demanding JPEG (CMYK, progressive) at full size is 1.2 GB.
MAX_DECODED_BYTES = 1_300_000_000

# Pillow holds an image in blocks of 16 MiB, which the C library keeps for each thread once they are
# free. Blocks beyond its largest threshold, 32 MiB, go back to the system at once.
Image.core.set_block_size(64 * 2**20)

_BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
_RGB_BYTES = 8  # Pillow pads RGB to four bytes; resizing and turning take a second image
_ROW_BYTES = 16  # a pointer to each row, and padding of the row
_TILE_WIDTH, _TILE_LENGTH, _ROWS_PER_STRIP = 322, 323, 278  # TIFF tags


class MemoryBudget:
    """A number of bytes that threads share: who asks for more than is left waits for its turn.

    Turns are in order of asking, so that a large image is not overtaken for ever by small ones.

    Args:
        total: bytes; whoever asks for more gets all of it, and so works alone.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, amount: int) -> Generator[None]:
        """Hold ``amount`` bytes of the budget for the length of a ``with`` block."""
        amount = min(amount, self.total)
        turn = object()
        with self._changed:
            self._waiting.append(turn)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is turn and self._free >= amount)
                self._free -= amount
            finally:  # also when Ctrl-C ends the wait
                self._waiting.remove(turn)
                self._changed.notify_all()
        try:
            yield
        except BaseException as error:
            _forget_variables(error)
            raise
        finally:
            with self._changed:
                self._free += amount
                self._changed.notify_all()


def _forget_variables(error: BaseException | None) -> None:
    """Free what the functions an error came through had allocated; else it lives as long as it."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__


BUDGET = MemoryBudget(MAX_DECODED_BYTES)


def decoding_bytes(image: Image.Image, stored_size: tuple[int, int], kept_pixels: int) -> int:
    """Bytes at the peak of decoding ``image`` and making RGB of it.

    Args:
        image: opened, and not loaded yet. A JPEG may have been told to shrink while decoding.
        stored_size: ``(width, height)`` before that.
        kept_pixels: of the RGB image that is made of it.
    """
    native = _native_bytes(image)
    return native + max(_decoder_bytes(image, stored_size, native), _RGB_BYTES * kept_pixels)


def _native_bytes(image: Image.Image) -> int:
    row = image.width * _BYTES_PER_PIXEL.get(image.mode, 4) + _ROW_BYTES
    return image.height * row


def _decoder_bytes(image: Image.Image, stored_size: tuple[int, int], native: int) -> int:
    """What the decoder needs besides the image itself."""
    known = format_of(image)
    if known is None:  # decoded already
        return 0
    pixels = stored_size[0] * stored_size[1]
    if known.name == "JPEG":
        # A JPEG of several scans is held whole, as 16-bit coefficients.
        return 2 * len(image.getbands()) * pixels
    if known.name == "TIFF":
        # One strip or tile of up to four samples of 16 bits; a turned image is turned as it is.
        return max(8 * _tiff_chunk_pixels(image, pixels), native)
    if known.name == "AVIF":
        # The decoder believes the AV1 stream, whose size the file's header need not tell.
        return max(known.decoder_bytes * pixels, MAX_DECODED_BYTES - native)
    return known.decoder_bytes * pixels


def _tiff_chunk_pixels(image: Image.Image, pixels: int) -> int:
    """Pixels of a strip or tile, which may be larger than the image."""
    tags = image.tag_v2  # type: ignore[attr-defined]  # of Pillow's TiffImageFile
    if _TILE_WIDTH in tags:
        return int(tags[_TILE_WIDTH]) * int(tags[_TILE_LENGTH])
    return min(pixels, int(tags.get(_ROWS_PER_STRIP, image.height)) * image.width)
