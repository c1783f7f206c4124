"""A line chart over epochs as SVG: whole epochs on the axis, a legend for every curve."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from demo.web_files import render

# Distinct from each other and from the backgrounds of both themes.
COLOURS = ("#0d9488", "#d97706", "#a855f7", "#dc2626", "#3b82f6", "#84923a")
LEFT, RIGHT, TOP, BOTTOM = 40, 350, 8, 176  # of the plot in the template's 360 x 210 units
MAX_TICKS = 8


@dataclass(frozen=True)
class Curve:
    """A named curve.

    Attributes:
        label: its name in the legend.
        points: ``(epoch, value)`` in the order of epochs.
        number: index into :data:`COLOURS`, which repeat.
        dashed: whether the line is dashed.
        dotted: whether each point has a dot.
    """

    label: str
    points: Sequence[tuple[int, float]]
    number: int = 0
    dashed: bool = False
    dotted: bool = False

    @property
    def colour(self) -> str:
        """CSS colour of the line."""
        return COLOURS[self.number % len(COLOURS)]

    @property
    def has_dots(self) -> bool:
        """Whether points have dots; a line of one point would be invisible without."""
        return self.dotted or len(self.points) == 1


def line_chart(title: str, curves: Sequence[Curve]) -> Markup:
    """The chart with the last value of each curve in the legend; empty without points."""
    curves = [curve for curve in curves if curve.points]
    if not curves:
        return Markup()
    epochs = [epoch for curve in curves for epoch, _ in curve.points]
    ticks = value_ticks([value for curve in curves for _, value in curve.points])
    first, span = min(epochs), max(1, max(epochs) - min(epochs))
    low, height = ticks[0], ticks[-1] - ticks[0]

    def x(epoch: int) -> float:
        return round(LEFT + (RIGHT - LEFT) * (epoch - first) / span, 1)

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (value - low) / height, 1)

    return render(
        "line_chart.html", title=title, curves=curves, x=x, y=y, left=LEFT, right=RIGHT,
        bottom=BOTTOM, epochs=epoch_ticks(first, max(epochs)), values=ticks,
    )  # fmt: skip


def epoch_ticks(first: int, last: int) -> list[int]:
    """Whole epochs, at most :data:`MAX_TICKS`.

    Example:
        >>> epoch_ticks(1, 3), epoch_ticks(1, 16)
        ([1, 2, 3], [2, 4, 6, 8, 10, 12, 14, 16])
    """
    step = -(-(last - first + 1) // MAX_TICKS)
    return [epoch for epoch in range(first, last + 1) if epoch % step == 0]


def value_ticks(values: Sequence[float]) -> list[float]:
    """Three to seven round numbers from below the lowest value to above the highest.

    Example:
        >>> value_ticks([12.0, 38.0])
        [10.0, 20.0, 30.0, 40.0]
    """
    low, high = min(values), max(values)
    rough = max(high - low, abs(high) / 100, 1e-9) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    start, stop = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
    return [round(i * step, 9) for i in range(start, stop + 1)]
