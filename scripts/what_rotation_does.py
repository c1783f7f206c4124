"""The figures and tables of docs/what-rotation-does.md.

    python scripts/what_rotation_does.py --data data

Shapes are drawn as masks and rotated like pictures; the box of the rotated mask is the true one.
For the boxes of the data set the draws of training are used, without opening a photo.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from model.augment import AugmentConfig, geometry
from model.augment.steps.rotation import Rotation
from model.commands.options import Folders
from model.data.dataset import read_split
from model.inspect.animation import RULE_COLOURS
from model.inspect.audit.boxes import BoxTable
from model.inspect.audit.causes import targets_of
from model.inspect.audit.tally import Tally, tally_of
from model.words import percent

SIDE = 1000  # side of a mask in pixels; a shape fills the middle half of one side
ANGLES = (0, 5, 10, 15, 20, 30, 45)
DEGREES = (4, 10, 15, 30)  # values of the setting: angles are uniform up to it, either way
RULES = ("hull", "ellipse")

Polygon = tuple[tuple[float, float], ...]
# Corners in shares of the box; the last number is width over height.
POLYGONS: dict[str, tuple[Polygon, float]] = {
    "square": (((0, 0), (1, 0), (1, 1), (0, 1)), 1),
    "bar 1 : 3": (((0, 0), (1, 0), (1, 1), (0, 1)), 1 / 3),
    "diamond": (((0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)), 1),
    "triangle": (((0.5, 0), (1, 1), (0, 1)), 1),
    "bottle": (
        ((0.35, 0), (0.65, 0), (0.65, 0.3), (1, 0.45), (1, 1), (0, 1), (0, 0.45), (0.35, 0.3)),
        1 / 3,
    ),
    "car": (
        ((0, 0.55), (0.18, 0.45), (0.32, 0), (0.72, 0), (0.88, 0.45), (1, 0.55), (1, 1), (0, 1)),
        2.2,
    ),
    "person": (
        (
            (0.38, 0), (0.62, 0), (0.66, 0.13), (1, 0.22), (0.95, 0.55), (0.72, 0.5), (0.78, 1),
            (0.22, 1), (0.28, 0.5), (0.05, 0.55), (0, 0.22), (0.34, 0.13),
        ),
        0.4,
    ),
}  # fmt: skip
ELLIPSES = {"circle": 1.0, "ellipse 1 : 3": 1 / 3}  # width over height
SHAPES = (*ELLIPSES, *POLYGONS)


def shape_mask(name: str, side: int = SIDE) -> tuple[Image.Image, np.ndarray]:
    """A shape in white on a black square, and its box ``(4,)``."""
    aspect = ELLIPSES.get(name) or POLYGONS[name][1]
    width, height = side / 2 * min(1, aspect), side / 2 * min(1, 1 / aspect)
    box = np.array([side - width, side - height, side + width, side + height]) / 2
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    if name in ELLIPSES:
        draw.ellipse((box[0], box[1], box[2], box[3]), fill=255)
    else:
        x, y = float(box[0]), float(box[1])
        draw.polygon([(x + u * width, y + v * height) for u, v in POLYGONS[name][0]], fill=255)
    return mask, mask_box(mask)


def mask_box(mask: Image.Image) -> np.ndarray:
    """The box ``(4,)`` of all pixels that are not black."""
    box = mask.getbbox()
    assert box, "the mask is empty"
    return np.array(box, dtype=np.float64)


def estimates(box: np.ndarray, side: int, angle: float) -> dict[str, np.ndarray]:
    """The box by each rule after a square picture is rotated."""
    matrix = Rotation().matrix({"angle": angle}, (side, side))
    return {rule: geometry.move_boxes(box, matrix, rule) for rule in RULES}


def rule_ious(name: str, angle: float) -> dict[str, float]:
    """IoU of each rule's box with the true box of a rotated shape."""
    mask, box = shape_mask(name)
    true = mask_box(mask.rotate(angle, Image.Resampling.NEAREST))
    return {
        rule: float(geometry.overlap(moved, true))
        for rule, moved in estimates(box, SIDE, angle).items()
    }


def draw_shapes(path: Path, angle: float = 30) -> None:
    """Draw each shape rotated, with the boxes of both rules; below, their IoU by angle."""
    figure = Figure(figsize=(12, 6.4), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[1, 1.7])
    top, bottom = parts
    for axis, name in zip(top.subplots(1, len(SHAPES)), SHAPES, strict=True):
        mask, box = shape_mask(name, 400)
        axis.imshow(255 - 0.45 * np.array(mask.rotate(angle)), cmap="gray", vmin=0, vmax=255)
        for rule, (x1, y1, x2, y2) in estimates(box, 400, angle).items():
            colour = [c / 255 for c in RULE_COLOURS[rule]]
            axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec=colour, lw=2))
        axis.set_title(name, fontsize=9)
        axis.set_axis_off()
    for axis, rule in zip(bottom.subplots(1, 2, sharey=True), RULES, strict=True):
        for name in SHAPES:
            ious = [rule_ious(name, angle)[rule] for angle in ANGLES]
            axis.plot(ANGLES, ious, marker="o", markersize=3, label=name)
        axis.set_title(f"rule: {rule}", fontsize=10)
        axis.set_xlabel("turned by, degrees")
        axis.grid(alpha=0.3)
    bottom.axes[0].set_ylabel("IoU with the true box")
    bottom.axes[1].legend(fontsize=8, loc="lower left", ncols=2)
    figure.savefig(path, dpi=100)


def draw_classes(tallies: Mapping[int, Tally], path: Path) -> None:
    """Draw the growth of boxes by class: median, and a bar over the middle 80 % of draws."""
    names = sorted(
        tallies[30].classes(), key=lambda n: tallies[30].numbers("target", n).median("growth")
    )
    figure = Figure(figsize=(9, 0.34 * len(names) + 1.2), layout="constrained")
    axis = figure.subplots()
    for index, (degrees, tally) in enumerate(tallies.items()):
        numbers = [tally.numbers("target", name).quantiles["growth"] for name in names]
        ys = np.arange(len(names)) + 0.2 * (1.5 - index)
        low, _, middle, _, high = np.array(numbers).T
        colour = f"C{index}"
        axis.hlines(ys, low, high, color=colour, alpha=0.5)
        axis.plot(middle, ys, "o", color=colour, markersize=4, label=f"rotation {degrees}")
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axis.set_xlabel("growth of the box (hull): median, and eight of ten draws")
    axis.grid(alpha=0.3, axis="x")
    axis.legend(fontsize=8, loc="lower right")
    figure.savefig(path, dpi=100)


@dataclass
class Config:
    """Draw the figures, print the tables."""

    data: Folders = ()
    split: str = "trainval"
    epochs: int = 5  # draws of each photo
    out: Path = Path("docs")


def main(config: Config) -> None:
    """Draw the shapes, then the boxes of the data set."""
    draw_shapes(config.out / "rotation-by-shape.png")
    print("| shape | rule | " + " | ".join(f"{a}°" for a in ANGLES[1:]) + " |")
    print("|---|---|" + "---|" * (len(ANGLES) - 1))
    for name in SHAPES:
        by_angle = [rule_ious(name, angle) for angle in ANGLES[1:]]
        for rule in RULES:
            print(f"| {name} | {rule} | " + " | ".join(f"{i[rule]:.2f}" for i in by_angle) + " |")

    table = targets_of(BoxTable.of(read_split(config.data, config.split), 288))
    off = AugmentConfig.none()
    tallies = {}
    for degrees in DEGREES:
        settings = {**vars(off), "rotation_degrees": degrees, "box_rule": "hull"}
        tallies[degrees] = tally_of(table, AugmentConfig(**settings), 0, config.epochs)
    draw_classes(tallies, config.out / "rotation-by-class.png")
    head = [f"growth at {d}" for d in DEGREES] + [f"IoU at {d}" for d in DEGREES]
    print(f"\n| class | photos | {' | '.join(head)} |\n|---|---|{'---|' * len(head)}")
    for name in ["", *tallies[30].classes()]:
        numbers = [tally.numbers("target", name) for tally in tallies.values()]
        cells = [percent(n.median("growth")) for n in numbers]
        cells += [f"{n.median('iou'):.2f}" for n in numbers]
        photos = f"{numbers[0].boxes // config.epochs:,}"
        print(f"| {name or '**all**'} | {photos} | {' | '.join(cells)} |")
    print("\nlost at first: " + ", ".join(
        f"{percent(t.numbers('target').lost)} at {d}" for d, t in tallies.items()
    ))  # fmt: skip


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
