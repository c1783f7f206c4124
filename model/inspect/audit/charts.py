"""Positions of the marks in the report's charts, in units of their SVGs."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from model.inspect.audit.tally import EDGES, ROLES, SMALL_PX, Tally
from model.words import percent

MOST_ROWS = 40  # of a chart; the CSV has all groups
_LEFT, _RIGHT, _ROW = 112, 350, 15
_TOP, _BOTTOM = 8, 150  # of histograms


def spreads(
    tallies: Sequence[Tally], names: Sequence[str], measure: str, title: str
) -> dict[str, Any]:
    """Chart of the quantiles of a measure: a row per group, with one mark for each tally."""
    numbers = {name: [tally.numbers("target", name) for tally in tallies] for name in names}
    worst_first = sorted(
        names, key=lambda n: numbers[n][0].median(measure), reverse=measure == "growth"
    )[:MOST_ROWS]
    values = [q for n in worst_first for each in numbers[n] for q in each.quantiles[measure]]
    low, high = _range(measure, values)
    rows = []
    for index, name in enumerate(worst_first):
        quantiles = [each.quantiles[measure] for each in numbers[name]]
        marks = [[_x(value, low, high) for value in each] for each in quantiles]
        y, boxes = 14 + _ROW * len(tallies) * index, numbers[name][0].boxes
        rows.append({"label": _short(name), "boxes": boxes, "marks": marks, "y": y})
    ticks = [
        (_x(v, low, high), percent(v, 0) if measure == "growth" else f"{v:.2g}")
        for v in np.linspace(low, high, 5)
    ]
    height, hidden = 34 + _ROW * len(tallies) * len(rows), len(names) - len(rows)
    return {"title": title, "rows": rows, "height": height, "ticks": ticks, "hidden": hidden}


def bars(tallies: Sequence[Tally], names: Sequence[str], figure: str, title: str) -> dict[str, Any]:
    """Chart of a share of draws: a row per group, with one bar for each tally."""
    shares = {n: [getattr(t.numbers("target", n), figure) for t in tallies] for n in names}
    order = sorted(names, key=lambda n: -shares[n][0])[:MOST_ROWS]
    high = max([0.01, *(s for n in order for s in shares[n])])
    rows = []
    for index, name in enumerate(order):
        marks = [(_x(s, 0, high) - _LEFT, percent(s, 1)) for s in shares[name]]
        rows.append({"label": _short(name), "y": 14 + _ROW * len(tallies) * index, "bars": marks})
    height, hidden = 22 + _ROW * len(tallies) * len(rows), len(names) - len(rows)
    return {"title": title, "rows": rows, "height": height, "hidden": hidden}


def sizes(tallies: Sequence[Tally], role: str) -> dict[str, Any]:
    """Histogram of the shorter side of boxes on the canvas, before and after."""
    curves = [("before", tallies[0].histogram(role, "before"))]
    curves += [(name, tally.histogram(role, "after")) for name, tally in _after(tallies)]
    side = tallies[0].table.image_size
    edges = np.geomspace(2, side, 31)
    chart = _histogram(curves, EDGES["after"], edges, log=True)
    ticks = [v for v in (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024) if v <= side]
    chart["ticks"] = [(_along(v, 2, side, True), f"{v}") for v in ticks]
    chart["line"] = _along(SMALL_PX, 2, side, True)
    return {"title": f"Shorter side of the {_boxes(role)} on the canvas of {side}, pixels", **chart}


def visible(tallies: Sequence[Tally], role: str) -> dict[str, Any]:
    """Histogram of the visible share of boxes."""
    curves = [(name, tally.histogram(role, "visible")) for name, tally in _after(tallies)]
    chart = _histogram(curves, EDGES["visible"], np.linspace(0, 1, 21), log=False)
    chart["ticks"] = [(_along(v, 0, 1, False), percent(v, 0)) for v in (0, 0.25, 0.5, 0.75, 1)]
    return {"title": f"Share of the {_boxes(role)} that can be seen", "line": None, **chart}


def centres(tallies: Sequence[Tally]) -> list[dict[str, Any]]:
    """Heat maps of the centres of the targets on the canvas, before and after."""
    counted = [("before", tallies[0].centres[0, 0])]
    counted += [(name, tally.centres[1, 0]) for name, tally in _after(tallies)]
    maps = []
    for name, counts in counted:
        strongest = max(int(counts.max()), 1)
        cells = [
            {"x": x, "y": y, "share": round(float((n / strongest) ** 0.5), 2)}
            for (y, x), n in np.ndenumerate(counts)
            if n
        ]
        title = f"Middles of the targets {name}"
        maps.append({"title": title, "cells": cells, "cells_a_side": len(counts)})
    return maps


def _histogram(
    curves: Sequence[tuple[str, np.ndarray]], fine: np.ndarray, edges: np.ndarray, log: bool
) -> dict[str, Any]:
    middles = np.sqrt(fine[1:] * fine[:-1]) if log else (fine[1:] + fine[:-1]) / 2
    shares = []
    for _, counts in curves:
        coarse, _ = np.histogram(np.clip(middles, edges[0], edges[-1]), edges, weights=counts)
        shares.append(coarse / max(coarse.sum(), 1))
    high = max(max(float(s.max()) for s in shares), 1e-9)
    lines = []
    for (name, _), share in zip(curves, shares, strict=True):
        points = []
        for low, right, value in zip(edges[:-1], edges[1:], share, strict=True):
            y = round(_BOTTOM - (_BOTTOM - _TOP) * float(value) / high, 1)
            points += [f"{_along(v, edges[0], edges[-1], log)},{y}" for v in (low, right)]
        lines.append({"name": name, "points": " ".join(points)})
    return {"curves": lines, "most": percent(high, 0)}


def _along(value: float, low: float, high: float, log: bool) -> float:
    share = math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)
    return round(34 + 316 * share, 1)


def _x(value: float, low: float, high: float) -> float:
    share = min(max((value - low) / (high - low), 0), 1)
    return round(_LEFT + (_RIGHT - _LEFT) * share, 1)


def _range(measure: str, values: Sequence[float]) -> tuple[float, float]:
    """Range of an axis, whose quarters are round numbers."""
    if measure == "growth":
        high = max([0.01, *values])
        unit = 0.04 if high < 0.3 else 0.4
        return 0, unit * math.ceil(high / unit)
    return min(0.8, math.floor(5 * min(values, default=0.8)) / 5), 1


def _after(tallies: Sequence[Tally]) -> Iterable[tuple[str, Tally]]:
    """The tallies with their names in the legend."""
    return zip(["after A", "after B"] if len(tallies) > 1 else ["after"], tallies, strict=True)


def _boxes(role: str) -> str:
    return "targets" if role == ROLES[0] else "other boxes"


def _short(name: str) -> str:
    return name.removesuffix(" of the photo")
