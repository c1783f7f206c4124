"""The files of an audit: ``report.html``, ``photos.csv``, ``classes.csv`` and ``audit.json``."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from model.augment import AugmentConfig, Trace
from model.csv_cells import csv_text
from model.draw import data_uri
from model.files import write_file
from model.inspect.audit import charts, pictures
from model.inspect.audit.boxes import BoxTable
from model.inspect.audit.causes import SAMPLE, Trials
from model.inspect.audit.tally import SMALL_PX, Numbers, Tally
from model.inspect.audit.verdict import Finding
from model.inspect.captions import caption
from model.words import percent

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
_TEMPLATES.filters |= {"percent": percent, "median": Numbers.median}
_TEMPLATES.filters["digits"] = lambda value, n: f"{value:.{n}f}"
TILE_SIDE = 240
# Figures that are compared: words, value, format, and whether more (1) or less (-1) is better.
FACTS = (
    ("draws that lost the target at first", lambda n: n.lost, percent, -1),
    ("draws that lost it in every try", lambda n: n.gave_up, percent, -1),
    ("growth of the box, median", lambda n: n.median("growth"), percent, -1),
    ("IoU of hull and ellipse, median", lambda n: n.median("iou"), "{:.2f}".format, 1),
    ("share that can be seen, median", lambda n: n.median("visible"), percent, 1),
    ("less than half can be seen", lambda n: n.cut, percent, -1),
    ("shorter side before, median px", lambda n: n.median("before"), "{:.0f}".format, 0),
    ("shorter side after, median px", lambda n: n.median("after"), "{:.0f}".format, 0),
    (f"narrower than {SMALL_PX} px before", lambda n: n.small_before, percent, 0),
    (f"narrower than {SMALL_PX} px after", lambda n: n.small_after, percent, -1),
)


@dataclass(frozen=True)
class ConfigAudit:
    """The audit of one configuration, of one or two that are compared.

    ``name`` is the file of the configuration, or describes it.
    """

    name: str
    tally: Tally
    trials: Trials
    findings: list[Finding]


def write_audit(
    out: Path, sides: Sequence[ConfigAudit], title: str, seed: int, tiles: int = 6
) -> list[str]:
    """Write all files of an audit into a folder, which is created if missing.

    Args:
        sides: one, or two to compare.
        title: the data set and its split, in words.
        tiles: number of worst photos shown of each kind.

    Returns:
        The names of the files.

    Raises:
        UserError: if a file cannot be written.
    """
    page = report_page(sides, title, seed, tiles)
    texts = {"report.html": page, "audit.json": json.dumps(as_dict(sides, seed), indent=1)}
    for index, side in enumerate(sides):
        suffix = "_against" if index else ""
        texts[f"photos{suffix}.csv"] = _csv(side.tally.photos_frame())
        texts[f"classes{suffix}.csv"] = _csv(side.tally.groups_frame())
    for name, text in texts.items():
        write_file(out / name, text)
    return list(texts)


def report_page(sides: Sequence[ConfigAudit], title: str, seed: int, tiles: int) -> str:
    """The report as one self-contained HTML page."""
    tallies = [side.tally for side in sides]
    table, classes, sizes = tallies[0].table, tallies[0].classes(), tallies[0].sizes_found()
    sheets = [pictures.sheet_of(table, tally.config, seed) for tally in tallies]
    return _TEMPLATES.get_template("report.html").render(
        title=title, seed=seed, epochs=tallies[0].epochs, photos=len(table),
        boxes=len(table.boxes), side=table.image_size, limits=str(sides[0].trials.limits),
        sides=list(zip("AB" if len(sides) > 1 else [""], sides, strict=True)),
        safe_words=safe_words,
        settings=settings_rows([side.tally.config for side in sides]),
        facts={role: fact_rows([t.numbers(role) for t in tallies]) for role in ("target", "other")},
        spreads=[
            charts.spreads(tallies, classes, "growth", "Growth of the box by class"),
            charts.spreads(tallies, sizes, "growth", "Growth of the box by size"),
            charts.spreads(tallies, classes, "iou", "IoU of hull and ellipse by class"),
        ],
        bars=[
            charts.bars(tallies, classes, "lost", "Draws that lost the target, by class"),
            charts.bars(tallies, sizes, "lost", "Draws that lost the target, by size"),
        ],
        histograms=[
            charts.sizes(tallies, "target"), charts.sizes(tallies, "other"),
            charts.visible(tallies, "target"), charts.visible(tallies, "other"),
        ],
        centres=charts.centres(tallies), small_px=SMALL_PX, sample=SAMPLE,
        by_class={n: [t.numbers("target", n) for t in tallies] for n in [*classes, *sizes]},
        worst=list(_tiles(sides, seed, tiles)),
        sheets=[_uri(sheet, 4 * table.image_size) for sheet in sheets],
    )  # fmt: skip


def as_dict(sides: Sequence[ConfigAudit], seed: int) -> dict[str, Any]:
    """The audit as JSON values, without single photos and pictures."""
    return {
        "seed": seed,
        "epochs": sides[0].tally.epochs,
        "image_size": sides[0].tally.table.image_size,
        "photos": len(sides[0].tally.table),
        "limits": dataclasses.asdict(sides[0].trials.limits),
        "settings": [
            {
                "name": side.name,
                "augment": dataclasses.asdict(side.tally.config),
                "verdict": [dataclasses.asdict(finding) for finding in side.findings],
                "causes": [
                    {"setting": c.setting.name, "value": c.value, "safe_alone": c.safe_alone,
                     "alone": dataclasses.asdict(c.alone),
                     "without": dataclasses.asdict(c.without)}
                    for c in side.trials.causes
                ],
                "strongest_within_limits": dataclasses.asdict(side.trials.safe),
                "groups": side.tally.groups_frame().to_dict("records"),
            }
            for side in sides
        ],
    }  # fmt: skip


def settings_rows(configs: Sequence[AugmentConfig]) -> list[dict[str, Any]]:
    """Every setting that is on in some config, with its values and whether they differ."""
    rows, off = [], dataclasses.asdict(AugmentConfig.none())
    for field in dataclasses.fields(configs[0]):
        values = [getattr(config, field.name) for config in configs]
        if any(value != off[field.name] for value in values) or "choices" in field.metadata:
            shown = [v if isinstance(v, str) else f"{v:g}" for v in values]
            row = {"label": field.metadata["label"], "name": field.name, "values": shown}
            rows.append({**row, "differs": len(set(shown)) > 1})
    return rows


def fact_rows(numbers: Sequence[Numbers]) -> list[dict[str, Any]]:
    """Rows of :data:`FACTS`; ``mark`` tells whether the second of two is better or worse."""
    rows = []
    for words, figure, formatted, good in FACTS:
        values = [figure(each) for each in numbers]
        shown = [formatted(value) for value in values]
        change = good * (values[-1] - values[0]) if shown[0] != shown[-1] else 0
        mark = "better" if change > 0 else "worse" if change < 0 else ""
        rows.append({"words": words, "values": shown, "mark": mark})
    return rows


def safe_words(trials: Trials) -> list[str]:
    """Changes to the strongest settings within the limits, in words; empty if none are needed."""
    rows = [row for row in settings_rows([trials.config, trials.safe]) if row["differs"]]
    return [f"{row['label'].lower()} {row['values'][1]} (now {row['values'][0]})" for row in rows]


def _tiles(sides: Sequence[ConfigAudit], seed: int, each: int) -> Iterator[dict[str, Any]]:
    """The worst draws of the first side, with the same draws of the second."""
    table, worst = sides[0].tally.table, pictures.worst_draws(sides[0].tally, each)
    draws = [(draw.photo, draw.epoch) for draw in worst]
    by_side = [list(pictures.traces(table, side.tally.config, seed, draws)) for side in sides]
    for kind, heading in pictures.KINDS.items():
        tiles = []
        for index, draw in enumerate(worst):
            drawn = [trace for of_side in by_side if (trace := of_side[index])]
            if draw.kind == kind and len(drawn) == len(sides):
                tiles.append(_tile(table, draw, drawn))
        if tiles:
            yield {"heading": heading, "tiles": tiles}


def _tile(table: BoxTable, draw: pictures.WorstDraw, drawn: Sequence[Trace]) -> dict[str, Any]:
    names = pictures.names_of(table, draw.photo)
    pairs = [pictures.pair(trace, names) for trace in drawn]
    return {
        "name": str(table.names[draw.photo]), "class_name": names[0], "epoch": draw.epoch + 1,
        "words": draw.words, "captions": [caption(trace) for trace in drawn],
        "before": _uri(pairs[0][0]), "after": [_uri(after) for _, after in pairs],
    }  # fmt: skip


def _uri(picture: Image.Image, side: int = TILE_SIDE) -> str:
    picture.thumbnail((side, side))
    return data_uri(picture, quality=82)


def _csv(frame: pd.DataFrame) -> str:
    return csv_text([list(frame.columns), *frame.itertuples(index=False, name=None)])
