"""Counts of what a torchvision pipeline does to the boxes of many photos, from its traces."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from model.inspect.compose_steps import ComposeTrace
from model.words import counted, percent

HALF = 0.5  # visible share below which a box counts as cut
FEW = 20  # least number of boxes of a class for a finding about it
GREW = 0.1  # growth above which a box counts as loose


@dataclass(frozen=True)
class ComposeBox:
    """What a pipeline did to one box.

    Attributes:
        is_target: the largest box of its photo.
        dropped_by: title of the step that dropped it; empty if it was kept.
        visible: share still in the picture, 0..1; ``None`` if unknown or dropped.
        growth: see :class:`model.inspect.compose_steps.TracedBox`.
    """

    photo: str
    label: str
    is_target: bool
    dropped_by: str
    visible: float | None
    growth: float | None


@dataclass(frozen=True)
class ComposeNumbers:
    """Figures of a group of boxes; shares 0..1.

    Attributes:
        boxes: how many.
        dropped: removed by a step.
        lost: kept, but not visible at all.
        cut: kept, and less than half visible.
        unknown: kept, but moved by a step that cannot be repeated on boxes alone.
        growth: median growth of visible boxes; ``None`` without any.
    """

    boxes: int
    dropped: float
    lost: float
    cut: float
    unknown: float
    growth: float | None

    @classmethod
    def of(cls, boxes: Sequence[ComposeBox]) -> "ComposeNumbers":
        """The figures of ``boxes``."""
        kept = [box for box in boxes if not box.dropped_by]
        visible = [box.visible for box in kept if box.visible is not None]
        growths = [box.growth for box in kept if box.visible and box.growth is not None]
        count = max(len(boxes), 1)
        return cls(
            len(boxes), (len(boxes) - len(kept)) / count, sum(v == 0 for v in visible) / count,
            sum(0 < v < HALF for v in visible) / count, (len(kept) - len(visible)) / count,
            float(np.median(growths)) if growths else None,
        )  # fmt: skip


class ComposeTally:
    """Counts over the traces of many photos.

    Attributes:
        untold: title of a step -> number of boxes it dropped without telling which; these boxes are
            not among :attr:`boxes`.
    """

    def __init__(self) -> None:
        self.photos, self.boxes = 0, list[ComposeBox]()
        self.untold: Counter[str] = Counter()

    def add(self, photo: str, trace: ComposeTrace) -> None:
        """Count one photo."""
        self.photos += 1
        first, last = trace.steps[0], trace.steps[-1]
        areas = [float((b.bbox_xyxy[2:] - b.bbox_xyxy[:2]).prod()) for b in first.boxes]
        largest = int(np.argmax(areas)) if areas else -1
        kept = {box.number: box for box in last.boxes}
        dropped_by = {}
        for step in trace.steps:
            for box in step.dropped:
                if box.number is None:
                    self.untold[step.title] += 1
                else:
                    dropped_by[box.number] = step.title
        for number, box in enumerate(first.boxes):
            left = kept.get(number)
            if left is None and number not in dropped_by:
                continue  # dropped, or renumbered, by a step that does not tell which
            visible, growth = (left.visible, left.growth) if left else (None, None)
            is_target, dropper = number == largest, dropped_by.get(number, "")
            self.boxes.append(ComposeBox(photo, box.label, is_target, dropper, visible, growth))

    def numbers(self, label: str | None = None, targets: bool = False) -> ComposeNumbers:
        """Figures of all boxes, of a class, or only of the largest box of each photo."""
        boxes = [box for box in self.boxes if label is None or box.label == label]
        return ComposeNumbers.of([box for box in boxes if box.is_target or not targets])

    def labels(self) -> list[str]:
        """The classes, those that lose most boxes first."""

        def share_lost(label: str) -> float:
            numbers = self.numbers(label)
            return numbers.dropped + numbers.lost

        return sorted(sorted({box.label for box in self.boxes}), key=share_lost, reverse=True)

    def dropped_by_step(self) -> list[tuple[str, int]]:
        """Title of each step and how many boxes it dropped, most first."""
        told = Counter(box.dropped_by for box in self.boxes if box.dropped_by)
        return (told + self.untold).most_common()

    def worst(self, count: int) -> list[tuple[str, str]]:
        """The photos with the worst harm to their largest box, and that harm in words."""
        worst = sorted(self._harmed(), key=lambda harm: -harm[0])[:count]
        return [(photo, words) for _, photo, words in worst]

    def _harmed(self) -> Iterable[tuple[float, str, str]]:
        """Severity, photo, words; dropped is worse than lost, cut and loose, in that order."""
        for box in self.boxes:
            if not box.is_target:
                continue
            if box.dropped_by:
                yield 4, box.photo, f"dropped by {box.dropped_by}"
            elif box.visible == 0:
                yield 3, box.photo, "lost"
            elif box.visible is not None and box.visible < HALF:
                yield 2 - box.visible, box.photo, f"{percent(box.visible)} still visible"
            elif box.growth is not None and box.growth > GREW:
                yield min(box.growth, 1), box.photo, f"box {percent(box.growth)} larger"


def findings(tally: ComposeTally) -> Iterator[str]:
    """The findings in sentences, the worst first."""
    targets = tally.numbers(targets=True)
    if lost := targets.dropped + targets.lost:
        yield f"Of {percent(lost)} of the photos the largest object is lost or dropped."
    for title, count in tally.dropped_by_step():
        share = percent(count / (len(tally.boxes) + sum(tally.untold.values())))
        yield f"{title} drops {counted(count, 'box', 'boxes')}, {share} of all."
    if targets.cut:
        yield f"Of {percent(targets.cut)} of the largest objects less than half can be seen."
    by_class = {label: tally.numbers(label) for label in tally.labels()}
    grown = {label: n.growth or 0 for label, n in by_class.items() if n.boxes >= FEW}
    if grown and max(grown.values()) > GREW:
        label = max(grown, key=lambda name: grown[name])
        yield (
            f"Boxes of {label} grow by {percent(grown[label])} in the median: what lies between the"
            " box and the object is learned with it."
        )
    if unknown := tally.numbers().unknown:
        yield f"What became of {percent(unknown)} of the boxes nobody can tell."
