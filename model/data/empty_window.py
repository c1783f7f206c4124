"""The largest window of a photo that touches no annotated object."""

from collections.abc import Sequence
from itertools import combinations

from model.boxes import BoxXyxy

MIN_SHARE = 0.3  # of the photo: smaller windows show little but blur


def largest_empty_window(
    boxes: Sequence[BoxXyxy], width: float, height: float, min_share: float = MIN_SHARE
) -> BoxXyxy | None:
    """The largest window of a photo that overlaps none of the boxes.

    The sides of the largest empty rectangle lie on sides of boxes or of the photo, so trying all of
    these finds it.

    Args:
        boxes: ``xyxy`` of every object in pixels, difficult ones too.
        width: of the photo in pixels.
        height: of the photo in pixels.
        min_share: smallest share of the photo's area that counts.

    Returns:
        ``xyxy`` in pixels, or ``None`` if no window is large enough.

    Example:
        >>> largest_empty_window([(0, 0, 50, 100)], 100, 100)
        (50, 0, 100, 100)
    """
    xs = sorted({0, width, *(side for box in boxes for side in (box[0], box[2]))})
    ys = sorted({0, height, *(side for box in boxes for side in (box[1], box[3]))})
    best, best_area = None, min_share * width * height
    for left, right in combinations(xs, 2):
        rivals = [box for box in boxes if box[0] < right and box[2] > left]
        for top, bottom in combinations(ys, 2):
            area = (right - left) * (bottom - top)
            if area >= best_area and not any(b[1] < bottom and b[3] > top for b in rivals):
                best, best_area = (left, top, right, bottom), area
    return best
