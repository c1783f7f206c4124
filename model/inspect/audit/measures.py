"""Measures of every box after one epoch of the augmentation."""

from dataclasses import dataclass, replace

import numpy as np

from model.augment import AugmentConfig, geometry, make_plans
from model.augment.steps import GeometricStep, PixelStep, Step
from model.inspect.audit.boxes import BoxTable


@dataclass(frozen=True)
class Measured:
    """Measures of B boxes after one draw for each of P photos.

    Attributes:
        redraws, gave_up: ``(P,)``, see :class:`model.augment.plan.Plan`.
        bbox_xyxy: ``(B, 4)`` in pixels of the canvas, clipped to it.
        visible: ``(B,)`` visible share of each box, 0..1.
        growth: ``(B,)`` see :func:`model.augment.geometry.box_growth`.
        iou: ``(B,)`` of the corner hull with the ellipse estimate; 1 = they agree.
        before, after: ``(B,)`` shorter side in pixels of the canvas, without and with augmentation.
        centre: ``(B, 2)`` of the visible part, in shares of the canvas; meaningless if none is.
    """

    redraws: np.ndarray
    gave_up: np.ndarray
    bbox_xyxy: np.ndarray
    visible: np.ndarray
    growth: np.ndarray
    iou: np.ndarray
    before: np.ndarray
    after: np.ndarray
    centre: np.ndarray


def measure(table: BoxTable, config: AugmentConfig, seed: int, epoch: int) -> Measured:
    """Measure the boxes as ``train.py --seed SEED`` augments them in an epoch, counted from 0."""
    # Steps that affect no box are skipped; every step has its own random stream.
    colours = [s for step in config.steps if not affects_boxes(step) for s in step.settings]
    config = replace(config, **{setting.name: setting.off for setting in colours})
    plans = make_plans(config, table.sizes, table.targets, table.seeds(seed, epoch))
    canvas = np.array([table.image_size, table.image_size], dtype=np.float64)
    to_canvas = plans.matrices[:, -1].copy()
    to_canvas[:, :2] *= (canvas / plans.sizes[:, -1])[:, :, None]

    matrices = to_canvas[table.owners]
    rules = {rule: geometry.move_boxes(table.boxes, matrices, rule) for rule in ("hull", "ellipse")}
    moved = rules[config.box_rule]
    visible, clipped = geometry.visible_share(moved, canvas), geometry.clip(moved, canvas)
    for step in config.steps:
        if isinstance(step, PixelStep) and step.name in plans.params:
            params = {key: v[table.owners] for key, v in plans.params[step.name].items()}
            visible = visible * (1 - step.hidden(params, clipped / table.image_size))
    sides = table.boxes[:, 2:] - table.boxes[:, :2]
    return Measured(
        plans.redraws, plans.gave_up, clipped, visible,
        geometry.box_growth(table.boxes, matrices, config.box_rule),
        geometry.overlap(rules["hull"], rules["ellipse"]),
        (sides * (canvas / table.sizes)[table.owners]).min(axis=1),
        (clipped[:, 2:] - clipped[:, :2]).min(axis=1),
        (clipped[:, :2] + clipped[:, 2:]) / 2 / canvas,
    )  # fmt: skip


def affects_boxes(step: Step) -> bool:
    """Whether a step can move or hide boxes."""
    return isinstance(step, GeometricStep) or (
        isinstance(step, PixelStep) and type(step).hidden is not PixelStep.hidden
    )
