"""Convert any representation of a photo to a source that :mod:`model.data.images` opens."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from model.data.images import ImageSource
from model.errors import UserError

CHANNELS = (1, 3, 4)
KINDS = "a path, a file or its bytes, a PIL image, an array, a tensor or nested lists of numbers"


def image_source(photo: Any) -> ImageSource:
    """Any photo as a source for :func:`model.data.images.load_image`.

    Args:
        photo: a path, a file's bytes, an open file, a PIL image; or pixels as an array, a tensor or
            nested lists: ``(H, W)``, ``(H, W, C)`` or ``(C, H, W)`` with C of 1, 3 or 4, whole
            numbers in 0..255, uint16, booleans, or floats in 0..1.

    Raises:
        UserError: if it is none of these; the text says what it is.
    """
    if isinstance(photo, str | Path | bytes | Image.Image):
        return photo
    if isinstance(photo, os.PathLike):
        return Path(photo)
    if isinstance(photo, bytearray | memoryview):
        return bytes(photo)
    if hasattr(photo, "read"):
        content = photo.read()
        if not isinstance(content, bytes):
            raise UserError("the photo's file is open as text. Open it with mode 'rb'.")
        return content
    if isinstance(photo, Tensor):
        photo = photo.detach().cpu()
        return _pixels((photo.float() if photo.is_floating_point() else photo).numpy())
    if isinstance(photo, list | tuple):
        return _pixels(_from_lists(photo))
    if hasattr(photo, "__array__"):
        return _pixels(np.asarray(photo))
    raise UserError(f"a photo must be {KINDS}, not {type(photo).__name__}.")


def _from_lists(values: list | tuple) -> np.ndarray:
    first = values[0] if values else None
    if not values or not isinstance(first, list | tuple | np.ndarray | Tensor):
        raise UserError(
            f"a photo must be {KINDS}, not a list of {len(values)} other things."
            " For several photos there is predict_batch."
        )
    try:
        return np.asarray([np.asarray(row) for row in values])
    except ValueError:
        raise UserError(
            "the lists of numbers given as a photo are not all of the same length."
            " For several photos there is predict_batch."
        ) from None


def _pixels(array: np.ndarray) -> np.ndarray:
    """``(H, W)`` or ``(H, W, C)`` of a type that images are read from."""
    if array.ndim == 4 and len(array) == 1:  # a batch of one
        array = array[0]
    if array.ndim == 3 and array.shape[-1] not in CHANNELS and array.shape[0] in CHANNELS:
        array = array.transpose(1, 2, 0)
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if np.issubdtype(array.dtype, np.integer) and array.dtype not in (np.uint8, np.uint16):
        if array.size and not 0 <= array.min() <= array.max() <= 255:
            raise UserError(
                f"whole numbers given as a photo must lie in 0..255, not"
                f" {array.min()}..{array.max()}."
            )
        return array.astype(np.uint8)
    return np.ascontiguousarray(array)
