"""Counts and distributions over all boxes, by class and by size, and the worst draw of each photo.

Distributions are histograms, so that memory does not grow with the epochs; their bins are fine
enough for medians to half a percent.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from model.augment import AugmentConfig
from model.boxes import SIZE_EDGES, SIZE_NAMES
from model.data.annotations import MIN_VISIBLE_TO_LABEL
from model.inspect.audit.boxes import BoxTable
from model.inspect.audit.measures import Measured, measure

ROLES = ("target", "other")
SMALL_PX = 16  # half a cell of the network's map: a box this narrow is hardly learnable
HALF = 0.5  # visible share below which a box counts as cut
CENTRE_CELLS = 12
FIRST_PHOTOS, CHUNK = 500, 4000  # photos of the first, and of each further intermediate result
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
FLAGS = ("boxes", "lost", "gave_up", "cut", "out", "small_before", "small_after")
_POINT = 1e-6  # half the width of bins for exact values that many boxes have
_SHARE = np.concatenate([[0, _POINT], np.linspace(0, 1, 201)[1:-1], [1 - _POINT, 1]])
_PIXELS = np.geomspace(0.5, 4096, 1001)
_SMALLER, _LARGER = np.geomspace(0.5, 1, 161)[:-1] - 1, np.geomspace(1, 16, 641)[1:] - 1
_GROWTH = np.concatenate([_SMALLER, [-_POINT, _POINT], _LARGER])
EDGES = {"visible": _SHARE, "growth": _GROWTH, "iou": _SHARE, "before": _PIXELS, "after": _PIXELS}


@dataclass(frozen=True)
class Numbers:
    """Figures of a group of boxes; all but ``boxes`` and ``quantiles`` are shares of it, 0..1.

    Attributes:
        boxes: number of draws of a box: one per box and epoch.
        lost: targets of which too little was left, so that the geometry was drawn again.
        gave_up: targets that were lost in every draw, so that nothing was moved.
        cut: boxes less than half visible.
        out: boxes visible by less than :data:`MIN_VISIBLE_TO_LABEL`.
        small_before, small_after: boxes narrower than :data:`SMALL_PX` pixels on the canvas.
        quantiles: measure of :data:`EDGES` -> its values at :data:`QUANTILES`.
    """

    boxes: int
    lost: float
    gave_up: float
    cut: float
    out: float
    small_before: float
    small_after: float
    quantiles: dict[str, tuple[float, ...]]

    def median(self, measure: str) -> float:
        """Median of a measure of :data:`EDGES`."""
        return self.quantiles[measure][QUANTILES.index(0.5)]


class HighestPerPhoto:
    """The highest value of each photo so far, and the epoch it was drawn in, counted from 0."""

    def __init__(self, photos: int) -> None:
        self.value, self.epoch = np.full(photos, -np.inf), np.zeros(photos, dtype=int)

    def add(self, photos: np.ndarray, values: np.ndarray, epoch: int) -> None:
        """Take in values of some photos in an epoch."""
        higher = photos[values > self.value[photos]]
        self.value[photos] = np.maximum(self.value[photos], values)
        self.epoch[higher] = epoch


class Tally:
    """Counts over the boxes of a table under one configuration.

    Attributes:
        epochs: draws per photo.
        done: number of photos counted so far.
        redraws, cut, growth: worst draw of each photo's target: by number of redraws, by minus its
            visible share, and by growth of its box.
        centres: ``(2, 2, 12, 12)``: number of box centres before and after the augmentation, by
            role, in each cell of the canvas, rows first.
    """

    def __init__(self, table: BoxTable, config: AugmentConfig, epochs: int) -> None:
        photos = len(table)
        self.table, self.config, self.epochs, self.done = table, config, epochs, 0
        self.groups = len(table.class_names) + len(SIZE_NAMES)
        self._flags = {name: np.zeros((2, self.groups), dtype=np.int64) for name in FLAGS}
        self._histograms = {
            name: np.zeros((2, self.groups, len(edges) - 1), dtype=np.int32)
            for name, edges in EDGES.items()
        }
        self.centres = np.zeros((2, 2, CENTRE_CELLS, CENTRE_CELLS), dtype=np.int64)
        self.redraws, self.cut, self.growth = (HighestPerPhoto(photos) for _ in range(3))
        names = ("redrawn", "gave_up", "visible", "growth", "iou", "after", "others_out")
        self._sums = {name: np.zeros(photos) for name in names}
        self._before = np.zeros(photos)

    def add(self, photos: np.ndarray, part: BoxTable, drawn: Measured, epoch: int) -> None:
        """Count one epoch of some photos; ``part`` is their table."""
        role = np.where(part.is_target, 0, 1)
        by_size = np.digitize(part.area_shares, SIZE_EDGES[1:-1]) + len(part.class_names)
        redrawn = (drawn.redraws > 0)[part.owners] & part.is_target
        gave_up = drawn.gave_up[part.owners] & part.is_target
        flags = {
            "boxes": np.ones(len(role), dtype=bool), "lost": redrawn, "gave_up": gave_up,
            "cut": drawn.visible < HALF, "out": drawn.visible < MIN_VISIBLE_TO_LABEL,
            "small_before": drawn.before < SMALL_PX, "small_after": drawn.after < SMALL_PX,
        }  # fmt: skip
        for group in (part.labels, by_size):
            index = role * self.groups + group
            for name, flag in flags.items():
                self._flags[name] += _counted(index[flag], self._flags[name].shape)
            for name, histogram in self._histograms.items():
                bins = _binned(getattr(drawn, name), EDGES[name])
                histogram += _counted(index * histogram.shape[-1] + bins, histogram.shape)
        self._add_centres(role, part, drawn)
        self._add_photos(photos, part, drawn, epoch)

    def _add_centres(self, role: np.ndarray, part: BoxTable, drawn: Measured) -> None:
        before = (part.boxes[:, :2] + part.boxes[:, 2:]) / 2 / part.sizes[part.owners]
        is_visible = drawn.after > 0
        for moment, centres in enumerate((before, drawn.centre)):
            cell = np.clip((centres * CENTRE_CELLS).astype(int), 0, CENTRE_CELLS - 1)
            index = (role * CENTRE_CELLS + cell[:, 1]) * CENTRE_CELLS + cell[:, 0]
            counted = index[is_visible] if moment else index
            self.centres[moment] += _counted(counted, self.centres[moment].shape)

    def _add_photos(self, photos: np.ndarray, part: BoxTable, drawn: Measured, epoch: int) -> None:
        target = part.starts[:-1]
        visible, growth = drawn.visible[target], drawn.growth[target]
        self.redraws.add(photos, drawn.redraws.astype(float), epoch)
        self.cut.add(photos, -visible, epoch)
        self.growth.add(photos, growth, epoch)
        out = (drawn.visible < MIN_VISIBLE_TO_LABEL) & ~part.is_target
        others_out = np.bincount(part.owners, weights=out, minlength=len(photos))
        self._before[photos] = drawn.before[target]
        for name, values in {
            "redrawn": drawn.redraws > 0, "gave_up": drawn.gave_up, "visible": visible,
            "growth": growth, "iou": drawn.iou[target], "after": drawn.after[target],
            "others_out": others_out,
        }.items():  # fmt: skip
            self._sums[name][photos] += values

    def numbers(self, role: str, group: str = "") -> Numbers:
        """Figures of a class or size; without ``group``, of all boxes."""
        row = ROLES.index(role)
        names = [*self.table.class_names, *SIZE_NAMES]
        # Every box has exactly one size, so all sizes together are all boxes.
        rows = [names.index(group)] if group else range(len(self.table.class_names), self.groups)
        flags = {name: int(counts[row, rows].sum()) for name, counts in self._flags.items()}
        boxes = flags.pop("boxes")
        quantiles = {
            name: _quantiles(histogram[row, rows].sum(axis=0), EDGES[name])
            for name, histogram in self._histograms.items()
        }
        shares = {name: count / max(boxes, 1) for name, count in flags.items()}
        return Numbers(boxes, **shares, quantiles=quantiles)

    def histogram(self, role: str, measure: str) -> np.ndarray:
        """Histogram of a measure over all boxes of a role, with the edges of :data:`EDGES`."""
        rows = self._histograms[measure][ROLES.index(role), len(self.table.class_names) :]
        return rows.sum(axis=0)

    def classes(self) -> list[str]:
        """The classes with a target counted so far, in the order of the set."""
        counts = self._flags["boxes"][0]
        return [name for name, n in zip(self.table.class_names, counts, strict=False) if n]

    def sizes_found(self) -> list[str]:
        """The sizes with a target counted so far."""
        counts = self._flags["boxes"][0, len(self.table.class_names) :]
        return [name for name, n in zip(SIZE_NAMES, counts, strict=True) if n]

    def groups_frame(self) -> pd.DataFrame:
        """Rows for all boxes, each class and each size, by role; columns of :class:`Numbers`."""
        rows = []
        kinds = [("all", [""]), ("class", self.table.class_names), ("size", SIZE_NAMES)]
        for role in ROLES:
            for kind, names in kinds:
                for name in names:
                    numbers = self.numbers(role, name)
                    if numbers.boxes:
                        rows.append({"role": role, "by": kind, "name": name, **_cells(numbers)})
        return pd.DataFrame(rows)

    def photos_frame(self) -> pd.DataFrame:
        """A row per photo: means over the epochs, and its worst draws; epochs count from 1."""
        table, sums = self.table, {k: v / self.epochs for k, v in self._sums.items()}
        labels = table.labels[table.starts[:-1]]
        scale = np.tile(table.original / table.sizes, 2)
        corners = (table.targets * scale).round(2)
        return pd.DataFrame({
            "file_name": table.names,
            "class_name": np.array(table.class_names, dtype=object)[labels],
            **dict(zip(("xmin", "ymin", "xmax", "ymax"), corners.T, strict=True)),
            "area_fraction": table.area_shares[table.starts[:-1]].round(6),
            "others": np.diff(table.starts) - 1,
            "draws": self.epochs,
            "lost_share": sums["redrawn"], "gave_up_share": sums["gave_up"],
            "most_redraws": self.redraws.value, "most_redraws_epoch": self.redraws.epoch + 1,
            "visible_mean": sums["visible"], "visible_least": -self.cut.value,
            "visible_least_epoch": self.cut.epoch + 1,
            "growth_mean": sums["growth"], "growth_most": self.growth.value,
            "growth_most_epoch": self.growth.epoch + 1,
            "hull_ellipse_iou_mean": sums["iou"],
            "shorter_side_before_px": self._before, "shorter_side_mean_px": sums["after"],
            "others_out_mean": sums["others_out"],
        }).round(4)  # fmt: skip


def tallies(
    table: BoxTable, config: AugmentConfig, seed: int = 0, epochs: int = 10
) -> Iterator[Tally]:
    """Count a set; yield the same tally as an intermediate result after every part of the set.

    The draws are those of the first ``epochs`` epochs of training with ``seed``.
    """
    tally = Tally(table, config, epochs)
    order = np.random.default_rng(0).permutation(len(table))
    starts = [0, *range(FIRST_PHOTOS, len(table), CHUNK), len(table)]
    for start, end in itertools.pairwise(starts):
        photos = np.sort(order[start:end])
        part = table.take(photos)
        for epoch in range(epochs):
            tally.add(photos, part, measure(part, config, seed, epoch), epoch)
        tally.done = end
        yield tally


def tally_of(table: BoxTable, config: AugmentConfig, seed: int = 0, epochs: int = 1) -> Tally:
    """The final result of :func:`tallies`."""
    *_, last = tallies(table, config, seed, epochs)
    return last


def _counted(indices: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.bincount(indices, minlength=int(np.prod(shape))).reshape(shape)


def _binned(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    # Rounding errors must not put an unchanged box into another bin.
    bins = np.searchsorted(edges, values.round(9), side="right") - 1
    return np.clip(bins, 0, len(edges) - 2)


def _quantiles(counts: np.ndarray, edges: np.ndarray) -> tuple[float, ...]:
    """Values at :data:`QUANTILES`, interpolated within bins; 0 if nothing was counted."""
    if not (total := counts.sum()):
        return (0.0,) * len(QUANTILES)
    below = np.concatenate([[0], np.cumsum(counts)])
    at = partial(np.interp, xp=below, fp=edges)
    return tuple(round(float(at(share * total)), 4) + 0.0 for share in QUANTILES)  # no -0.0


def _cells(numbers: Numbers) -> dict[str, float]:
    shares = {name: round(getattr(numbers, name), 5) for name in FLAGS if name != "boxes"}
    quantiles = {
        f"{measure}_{round(100 * q)}": value
        for measure, values in numbers.quantiles.items()
        for q, value in zip(QUANTILES, values, strict=True)
    }
    return {"boxes": numbers.boxes, **shares, **quantiles}
