"""Which setting does it, and how far it may go."""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from model.augment import AugmentConfig
from model.augment.steps import Setting
from model.inspect.audit.boxes import BoxTable
from model.inspect.audit.measures import can_touch_boxes, measure
from model.inspect.audit.tally import Numbers, tally_of
from model.words import percent

SAMPLE = 2000  # draws with which settings are tried: of so many photos, or more of each


@dataclass(frozen=True)
class Limits:
    """What is still good enough, of all targets of a set.

    Attributes:
        lost: share of the draws that lose the target at first.
        iou: of the corner hull with the ellipse estimate, in the median.
    """

    lost: float = 0.01
    iou: float = 0.8

    def excess(self, lost: float, iou: float) -> float:
        """How far beyond a limit these are; up to 1 is within both."""
        return max(lost / max(self.lost, 1e-6), (1 - iou) / max(1 - self.iou, 1e-3))

    def __str__(self) -> str:
        return (
            f"at most {percent(self.lost)} lost, IoU of hull and ellipse at least {self.iou:g}"
            " in the median"
        )


@dataclass(frozen=True)
class Cause:
    """One setting that is on, and its value: by itself and left out.

    Attributes:
        alone: the targets when nothing else is on.
        without: the targets when all but it is on.
        safe_alone: the strongest value that keeps the limits when nothing else is on.
    """

    setting: Setting
    value: float
    alone: Numbers
    without: Numbers
    safe_alone: float

    def __str__(self) -> str:
        return self.at(self.value)

    def at(self, value: float) -> str:
        """The setting with a value: ``rotation 30``."""
        return f"{self.setting.label.lower()} {value:g}"


def slider_step(low: float, high: float) -> float:
    """How finely people choose a setting of this range."""
    return 1 if high > 10 else 0.05 if high > 1 else 0.01


class Trials:
    """Settings tried on a sample of a set.

    Args:
        seed: of the run that is meant.
        epochs: how often each photo is drawn at most; of a large set once is enough.
    """

    def __init__(
        self, table: BoxTable, config: AugmentConfig, seed: int, limits: Limits, epochs: int = 1
    ) -> None:
        order = np.random.default_rng(1).permutation(len(table))
        self.table = targets_of(table.take(np.sort(order[:SAMPLE])))
        self.config, self.seed, self.limits, self.epochs = config, seed, limits, epochs
        self._found: dict[str, float | None] = {}
        settings = [s for step in config.steps if can_touch_boxes(step) for s in step.settings]
        self.settings = [s for s in settings if getattr(config, s.name) != s.off]

    def numbers(self, table: BoxTable, **changed: float) -> Numbers:
        """Of the targets of some photos, drawn as often as it takes to say something of them."""
        epochs = self._epochs(table)
        return tally_of(table, self._with(changed), self.seed, epochs).numbers("target")

    @cached_property
    def causes(self) -> list[Cause]:
        """Every setting that is on and can touch boxes, those that do most harm first."""
        off = {setting.name: setting.off for setting in self.settings}
        found = []
        for setting in self.settings:
            value = getattr(self.config, setting.name)
            safe = self._strongest(setting, setting.high, lambda v, s=setting: {**off, s.name: v})
            alone = self.numbers(self.table, **{**off, setting.name: value})
            without = self.numbers(self.table, **{setting.name: setting.off})
            safe = setting.off if safe is None else safe
            found.append(Cause(setting, value, alone, without, safe))
        return sorted(
            found, key=lambda c: self.limits.excess(c.without.lost, c.without.median("iou"))
        )

    def strongest(self, setting: Setting) -> float | None:
        """The strongest value up to the present one that keeps the limits, all others as they are.

        ``None`` if they are broken without it, too.
        """
        if setting.name not in self._found:
            value = getattr(self.config, setting.name)
            self._found[setting.name] = self._strongest(setting, value, lambda v: {setting.name: v})
        return self._found[setting.name]

    @cached_property
    def safe(self) -> AugmentConfig:
        """The strongest settings up to the present ones that keep the limits.

        One setting is lowered if that is enough, the one whose absence helps most; else all that do
        harm are, to the same share of their strength.
        """
        if not self.causes or self._keeps({}):  # boxes may be too small even where all is off
            return self.config
        worst = self.causes[0].setting
        if (value := self.strongest(worst)) is not None:
            return self._with({worst.name: value})
        shares = np.linspace(0, 1, 41)
        best = _last(len(shares), lambda k: self._keeps(self._shrunk(shares[k])))
        return self._with(self._shrunk(shares[max(best, 0)]))

    def _shrunk(self, share: float) -> dict[str, float]:
        values = {}
        harmful = [c.setting for c in self.causes if c.alone.lost or c.alone.median("iou") < 0.99]
        for setting in harmful:
            step = slider_step(setting.low, setting.high)
            reach = (getattr(self.config, setting.name) - setting.off) * share
            values[setting.name] = round(setting.off + step * int(reach / step + 1e-9), 6)
        return values

    def _strongest(
        self, setting: Setting, most: float, change: Callable[[float], dict[str, float]]
    ) -> float | None:
        step = slider_step(setting.low, setting.high)
        count = int(abs(most - setting.off) / step + 1e-9)
        way = 1 if most >= setting.off else -1
        values = [round(setting.off + way * step * k, 6) for k in range(count + 1)]
        if values[-1] != most:
            values.append(most)
        place = _last(len(values), lambda k: self._keeps(change(values[k])))
        return None if place < 0 else values[place]

    def _keeps(self, changed: dict[str, float]) -> bool:
        config, epochs = self._with(changed), range(self._epochs(self.table))
        draws = [measure(self.table, config, self.seed, epoch) for epoch in epochs]
        lost = np.mean([draw.redraws > 0 for draw in draws])
        return self.limits.excess(float(lost), float(np.median([d.iou for d in draws]))) <= 1

    def _epochs(self, table: BoxTable) -> int:
        return min(self.epochs, -(-SAMPLE // len(table)))

    def _with(self, changed: dict[str, float]) -> AugmentConfig:
        return dataclasses.replace(self.config, **changed)


def targets_of(table: BoxTable) -> BoxTable:
    """The same photos without their other boxes."""
    starts, labels = np.arange(len(table) + 1), table.labels[table.starts[:-1]]
    return dataclasses.replace(table, starts=starts, boxes=table.targets, labels=labels)


def most_to_blame(causes: Iterable[Cause], figure: Callable[[Numbers], float]) -> Cause | None:
    """The cause without which a figure is lowest."""
    return min(causes, key=lambda cause: figure(cause.without), default=None)


def _last(count: int, holds: Callable[[int], bool]) -> int:
    """The last of ``count`` places where it holds, if it holds up to somewhere; -1 for none."""
    if count and holds(count - 1):
        return count - 1
    low, high = -1, count - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
