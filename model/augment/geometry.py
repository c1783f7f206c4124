"""Photos and boxes through a 3 x 3 matrix.

A matrix takes a point ``(x, y, 1)`` of the photo to one of the result, up to a factor. Coordinates
are pixels whose corners, not centres, lie at whole numbers, as for boxes. Arrays are float64, so
that boxes are exact once they are rounded to float32.
"""

import math

import numpy as np
from PIL import Image

from model.augment.normalisation import MEAN_COLOUR

COPY_BELOW = 0.75  # below this scale a bilinear warp would skip pixels: a smaller copy is warped
_STRAIGHT = 1e-12  # largest entry that counts as zero


def identities(count: int) -> np.ndarray:
    """``(count, 3, 3)`` matrices that change nothing."""
    return np.repeat(np.eye(3)[None], count, axis=0)


def scaling(across: float, down: float) -> np.ndarray:
    """``(3, 3)`` matrix that scales the width by ``across`` and the height by ``down``."""
    return np.diag((across, down, 1.0))


def about_centre(matrices: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Move the origin of ``matrices`` from the centre of a photo to its top left corner.

    Args:
        matrices: ``(N, 3, 3)``.
        sizes: ``(N, 2)`` width and height of the photos in pixels.
    """
    there, back = identities(len(sizes)), identities(len(sizes))
    there[:, :2, 2], back[:, :2, 2] = -sizes / 2, sizes / 2
    return back @ matrices @ there


def move_boxes(bbox_xyxy: np.ndarray, matrices: np.ndarray, rule: str) -> np.ndarray:
    """Upright boxes of objects that were moved by ``matrices``.

    ``hull`` moves the four corners and returns their upright hull: it always holds the object, and
    gets looser with the rotation (a round object ends at IoU 0.745 with its true box at 10
    degrees, 0.536 at 30). ``ellipse`` returns the hull of the moved *inscribed ellipse*:
    exact for round things, too tight for things that fill the corners of their box (Kalra et al.,
    "Towards Rotation Invariance in Object Detection", ICCV 2021).

    Args:
        bbox_xyxy: ``(..., 4)``.
        matrices: ``(..., 3, 3)``; leading axes broadcast.
        rule: ``"hull"`` or ``"ellipse"``.

    Returns:
        ``(..., 4)``, not clipped.
    """
    boxes = np.asarray(bbox_xyxy, dtype=np.float64)
    if rule == "hull":
        corners = _moved_corners(boxes, matrices)
        return np.concatenate([corners.min(axis=-2), corners.max(axis=-2)], axis=-1)
    if rule == "ellipse":
        return _hull_of_ellipse(boxes, matrices)
    raise ValueError(f"box rule must be 'hull' or 'ellipse', not {rule!r}.")


def _moved_corners(boxes: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Corners ``(..., 4, 2)`` of the moved boxes, in order around each."""
    xs, ys = boxes[..., [0, 2, 2, 0]], boxes[..., [1, 1, 3, 3]]
    points = np.stack([xs, ys, np.ones_like(xs)], axis=-1) @ np.swapaxes(matrices, -1, -2)
    return points[..., :2] / points[..., 2:]


def _hull_of_ellipse(boxes: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    # The dual conic D: a line l is tangent if l' D l = 0; a matrix M takes D to M D M'. D of the
    # inscribed ellipse is diagonal about its centre. The line x = t is then tangent where
    # D00 - 2 t D02 + tt D22 = 0 (Hartley and Zisserman, "Multiple View Geometry", 2.2.3).
    from_middle = np.broadcast_to(np.eye(3), (*boxes.shape[:-1], 3, 3)).copy()
    from_middle[..., :2, 2] = (boxes[..., :2] + boxes[..., 2:]) / 2
    halves = (boxes[..., 2:] - boxes[..., :2]) / 2
    squares = np.concatenate([halves**2, -np.ones_like(halves[..., :1])], axis=-1)
    moved = matrices @ from_middle
    dual = (moved * squares[..., None, :]) @ np.swapaxes(moved, -1, -2)
    far, last = dual[..., :2, 2], dual[..., 2, 2, None]
    own = np.stack([dual[..., 0, 0], dual[..., 1, 1]], axis=-1)
    middle = far / last
    reach = np.sqrt(np.maximum(far**2 - own * last, 0)) / np.abs(last)
    return np.concatenate([middle - reach, middle + reach], axis=-1)


def areas(bbox_xyxy: np.ndarray) -> np.ndarray:
    """Areas ``(...,)`` of ``(..., 4)`` boxes; an inverted box counts as empty."""
    sides = np.maximum(bbox_xyxy[..., 2:] - bbox_xyxy[..., :2], 0)
    return sides[..., 0] * sides[..., 1]


def clip(bbox_xyxy: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """``(..., 4)`` boxes cut at the border of photos of ``(..., 2)`` width and height."""
    return np.minimum(np.maximum(bbox_xyxy, 0), np.concatenate([sizes, sizes], axis=-1))


def visible_share(bbox_xyxy: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Share ``(...,)`` of each box that lies within its photo, 0..1."""
    whole = np.maximum(areas(bbox_xyxy), 1e-9)
    return np.minimum(areas(clip(bbox_xyxy, sizes)) / whole, 1)


def box_growth(bbox_xyxy: np.ndarray, matrices: np.ndarray, rule: str) -> np.ndarray:
    """How much larger the upright box is than the moved content of the box: area ratio less 1.

    Mirroring and zooming give 0, though zooming changes the area.

    Example:
        >>> turned = Rotation().matrix({"angle": 30}, (200, 200))
        >>> round(float(box_growth(np.array([0, 0, 100, 100]), turned, "hull")), 2)
        0.87
    """
    x, y = np.moveaxis(_moved_corners(np.asarray(bbox_xyxy, dtype=np.float64), matrices), -1, 0)
    inside = np.abs((x * np.roll(y, -1, axis=-1) - y * np.roll(x, -1, axis=-1)).sum(axis=-1)) / 2
    return areas(move_boxes(bbox_xyxy, matrices, rule)) / np.maximum(inside, 1e-9) - 1


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU ``(...,)`` of ``(..., 4)`` boxes, pair by pair."""
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    common = areas(np.concatenate([low, high], axis=-1))
    return common / np.maximum(areas(first) + areas(second) - common, 1e-9)


def warp(photo: Image.Image, matrix: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """The photo transformed by a matrix, resampled once.

    Args:
        photo: RGB.
        matrix: ``(3, 3)``, from pixels of ``photo`` to pixels of the result.
        size: width and height of the result; what the photo does not cover is
            :data:`MEAN_COLOUR`.
    """
    matrix = matrix / matrix[2, 2]
    if (upright := _upright_part(photo, matrix, size)) is not None:
        part, mirrored = upright
        resized = photo.resize(size, Image.Resampling.BILINEAR, box=part)
        return resized.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else resized
    across, down = (s if s < COPY_BELOW else 1.0 for s in _scales(matrix, photo.size))
    if across < 1 or down < 1:
        copy = max(1, math.ceil(photo.width * across)), max(1, math.ceil(photo.height * down))
        matrix = matrix @ scaling(photo.width / copy[0], photo.height / copy[1])
        photo = photo.resize(copy, Image.Resampling.BILINEAR)
    back = np.linalg.inv(matrix)
    back = (back / back[2, 2]).ravel().tolist()
    affine = abs(back[6]) < _STRAIGHT and abs(back[7]) < _STRAIGHT
    kind, n = (Image.Transform.AFFINE, 6) if affine else (Image.Transform.PERSPECTIVE, 8)
    return photo.transform(size, kind, back[:n], Image.Resampling.BILINEAR, fillcolor=MEAN_COLOUR)


def _upright_part(
    photo: Image.Image, matrix: np.ndarray, size: tuple[int, int]
) -> tuple[tuple[float, float, float, float], bool] | None:
    """The part of the photo that fills the result, and whether it is mirrored.

    ``None`` if the matrix is not upright, or the photo does not cover the whole result.
    """
    (a, b, c), (d, e, f), (g, h, _) = matrix.tolist()
    if max(map(abs, (b, d, g, h))) > _STRAIGHT or e <= 0 or a == 0:
        return None
    left, right = sorted((-c / a, (size[0] - c) / a))
    top, bottom = -f / e, (size[1] - f) / e
    part = tuple(round(v, 6) + 0.0 for v in (left, top, right, bottom))
    if part[0] < 0 or part[1] < 0 or part[2] > photo.width or part[3] > photo.height:
        return None
    return (part[0], part[1], part[2], part[3]), a < 0


def _scales(matrix: np.ndarray, size: tuple[int, int]) -> tuple[float, float]:
    """Scale at the centre of a photo along its width and its height."""
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    x, y = size[0] / 2, size[1] / 2
    u, v, w = a * x + b * y + c, d * x + e * y + f, g * x + h * y + i
    across = math.hypot(a * w - u * g, d * w - v * g) / w**2
    return across, math.hypot(b * w - u * h, e * w - v * h) / w**2
