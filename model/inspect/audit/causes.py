"""Which setting causes harm, and the strongest values within limits."""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from model.augment import AugmentConfig
from model.augment.steps import Setting
from model.inspect.audit.boxes import BoxTable
from model.inspect.audit.measures import affects_boxes, measure
from model.inspect.audit.tally import Numbers, tally_of
from model.words import percent

SAMPLE = 2000  # draws per trial: one of each of so many photos, or several of fewer photos


@dataclass(frozen=True)
class Limits:
    """Limits for settings that are good enough, over all targets of a set.

    Attributes:
        lost: largest share of draws that lose the target at first.
        iou: smallest median IoU of the corner hull with the ellipse estimate.
    """

    lost: float = 0.01
    iou: float = 0.8

    def excess(self, lost: float, iou: float) -> float:
        """How far the values exceed a limit; up to 1 is within both."""
        return max(lost / max(self.lost, 1e-6), (1 - iou) / max(1 - self.iou, 1e-3))

    def __str__(self) -> str:
        return (
            f"at most {percent(self.lost)} lost, IoU of hull and ellipse at least {self.iou:g}"
            " in the median"
        )


@dataclass(frozen=True)
class Cause:
    """A setting that is on, and its effect by itself and when it is switched off.

    Attributes:
        alone: figures of the targets when only this setting is on.
        without: figures of the targets when only this setting is off.
        safe_alone: the strongest value within the limits when only this setting is on.
    """

    setting: Setting
    value: float
    alone: Numbers
    without: Numbers
    safe_alone: float

    def __str__(self) -> str:
        return self.at(self.value)

    def at(self, value: float) -> str:
        """The setting with a value in words: ``rotation 30``."""
        return f"{self.setting.label.lower()} {value:g}"


def slider_step(low: float, high: float) -> float:
    """Step of the slider of a setting with this range."""
    return 1 if high > 10 else 0.05 if high > 1 else 0.01


class Trials:
    """Trials of other settings on a sample of a set.

    Args:
        seed: of the training run.
        epochs: largest number of draws per photo; for a large set, one is enough.
    """

    def __init__(
        self, table: BoxTable, config: AugmentConfig, seed: int, limits: Limits, epochs: int = 1
    ) -> None:
        order = np.random.default_rng(1).permutation(len(table))
        self.table = targets_of(table.take(np.sort(order[:SAMPLE])))
        self.config, self.seed, self.limits, self.epochs = config, seed, limits, epochs
        self._strongest_values: dict[str, float | None] = {}
        settings = [s for step in config.steps if affects_boxes(step) for s in step.settings]
        self.settings = [s for s in settings if getattr(config, s.name) != s.off]

    def numbers(self, table: BoxTable, **changed: float) -> Numbers:
        """Figures of the targets of ``table`` with changed settings, from enough draws."""
        tally = tally_of(table, self._with(changed), self.seed, self._epochs(table))
        return tally.numbers("target")

    @cached_property
    def causes(self) -> list[Cause]:
        """Every setting that is on and can affect boxes, the most harmful first."""
        off = {setting.name: setting.off for setting in self.settings}
        causes = []
        for setting in self.settings:
            value = getattr(self.config, setting.name)
            safe = self._strongest(setting, setting.high, lambda v, s=setting: {**off, s.name: v})
            alone = self.numbers(self.table, **{**off, setting.name: value})
            without = self.numbers(self.table, **{setting.name: setting.off})
            safe = setting.off if safe is None else safe
            causes.append(Cause(setting, value, alone, without, safe))
        return sorted(
            causes, key=lambda c: self.limits.excess(c.without.lost, c.without.median("iou"))
        )

    def strongest(self, setting: Setting) -> float | None:
        """The strongest value up to the present one within the limits, all others unchanged.

        ``None`` if even without this setting the limits are exceeded.
        """
        name, values = setting.name, self._strongest_values
        if name not in values:
            value = getattr(self.config, name)
            values[name] = self._strongest(setting, value, lambda v: {name: v})
        return values[name]

    @cached_property
    def safe(self) -> AugmentConfig:
        """The strongest settings up to the present ones within the limits.

        If lowering the most harmful setting is enough, only that one is lowered; else all harmful
        settings are, to the same share of their strength.
        """
        if not self.causes or self._keeps({}):  # nothing to lower, or nothing wrong
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
        index = _last(len(values), lambda k: self._keeps(change(values[k])))
        return None if index < 0 else values[index]

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
    """The table with only the target of each photo."""
    starts, labels = np.arange(len(table) + 1), table.labels[table.starts[:-1]]
    return dataclasses.replace(table, starts=starts, boxes=table.targets, labels=labels)


def main_cause(causes: Iterable[Cause], figure: Callable[[Numbers], float]) -> Cause | None:
    """The cause whose absence lowers a figure most."""
    return min(causes, key=lambda cause: figure(cause.without), default=None)


def _last(count: int, holds: Callable[[int], bool]) -> int:
    """Binary search: the last index below ``count`` where ``holds``; -1 for none."""
    if count and holds(count - 1):
        return count - 1
    low, high = -1, count - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
