"""The largest window of a photo that touches no annotated object."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from model.boxes import BoxXyxy

MIN_SHARE = 0.3  # of the photo: smaller windows show little but blur


def largest_empty_window(
    boxes: Sequence[BoxXyxy], width: float, height: float, min_share: float = MIN_SHARE
) -> BoxXyxy | None:
    """The largest window of a photo that overlaps none of the boxes.

    A window of at least ``min_share`` of the photo's area has at least that share of its width and
    height, so it contains a point of any slightly finer grid. The largest window around each of
    the few grid points is found by comparing all pairs of left and right sides, which fix top and
    bottom.

    Args:
        boxes: ``xyxy`` of every object in pixels, difficult ones too.
        width, height: of the photo in pixels.
        min_share: smallest share of the photo's area that counts.

    Returns:
        ``xyxy`` in pixels, or ``None`` if no window is large enough. Of windows of the same area it
        is the one with the largest left side, then right, top, bottom.

    Example:
        >>> largest_empty_window([(0, 0, 50, 100)], 100, 100)
        (50.0, 0.0, 100.0, 100.0)
    """
    obstacles = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    obstacles = obstacles.clip(0, [width, height, width, height])
    columns = _grid_lines(obstacles[:, ::2], width, min_share)
    rows = _grid_lines(obstacles[:, 1::2], height, min_share)
    lowest = min_share * height * (1 - 1e-9)  # a lower window is too small at any width
    best, best_area = None, min_share * width * height
    for x, y in product(columns, rows):
        for window in _windows_around(x, y, obstacles, width, height, lowest):
            area = (window[2] - window[0]) * (window[3] - window[1])
            if area > best_area or (area == best_area and _order(window) >= _order(best)):
                best, best_area = window, area
    return best


def _order(window: BoxXyxy | None) -> tuple[float, ...]:
    return (window[0], window[2], window[1], window[3]) if window else ()


def _grid_lines(sides: np.ndarray, length: float, min_share: float) -> list[float]:
    """Lines of which every window that counts holds one; its own sides lie on ``sides``."""
    edges = np.unique([0.0, length, *sides.flat])
    if len(edges) * min_share <= 1:  # between any two sides lies the middle of two neighbours
        return list((edges[1:] + edges[:-1]) / 2)
    count = int(1 / min_share)
    return [length * (k + 1) / (count + 1) for k in range(count)]


def _windows_around(
    x: float, y: float, obstacles: np.ndarray, width: float, height: float, lowest: float
) -> Iterator[BoxXyxy]:
    """The largest empty windows that hold a point: several if their areas are the same."""
    x1, y1, x2, y2 = obstacles.T
    # Windows avoid an obstacle above the point by their top side, ...
    above, below = y2 < y, y1 > y
    left, right = x2 < x, x1 > x
    if (~(above | below | left | right)).any():
        return
    # ... and these can be avoided by one side only.
    beside, over = ~(above | below), ~(left | right)
    limits = (
        max(x2[left & beside], default=0.0), max(y2[above & over], default=0.0),
        min(x1[right & beside], default=width), min(y1[below & over], default=height),
    )  # fmt: skip
    if limits[3] - limits[1] < lowest:
        return
    left, right = (above | below) & left, (above | below) & right
    tops, bottoms = np.where(above, y2, 0.0), np.where(below, y1, height)
    lefts, left_tops, left_bottoms = _choices(
        x2[left], tops[left], bottoms[left], limits[0], limits, lowest
    )
    rights, right_tops, right_bottoms = _choices(
        -x1[right], tops[right], bottoms[right], -limits[2], limits, lowest
    )
    top = np.maximum(left_tops[:, None], right_tops)
    bottom = np.minimum(left_bottoms[:, None], right_bottoms)
    areas = (-rights - lefts[:, None]) * (bottom - top)
    for i, j in np.argwhere(areas == areas.max()):
        yield float(lefts[i]), float(top[i, j]), float(-rights[j]), float(bottom[i, j])


def _choices(
    sides: np.ndarray,
    tops: np.ndarray,
    bottoms: np.ndarray,
    limit: float,
    limits: BoxXyxy,
    lowest: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places for one side of a window, and the top and bottom that each leaves to it.

    A side further out passes more obstacles, which top and bottom then have to avoid.

    Args:
        sides: of the obstacles, growing towards the point.
        tops, bottoms: what each obstacle asks of top and bottom.
        limit: how far out the side may lie.
        limits: of the window.
        lowest: a window must be so high.
    """
    order = np.argsort(-sides)
    order = order[sides[order] > limit]
    places = np.append(sides[order], limit)
    tops = np.maximum.accumulate(np.insert(tops[order], 0, limits[1]))
    bottoms = np.minimum.accumulate(np.insert(bottoms[order], 0, limits[3]))
    high = bottoms - tops >= lowest
    return places[high], tops[high], bottoms[high]
