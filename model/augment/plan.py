"""Random parameters of the augmentation, drawn for many photos at once without their pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.augment import geometry
from model.augment.config import AugmentConfig
from model.augment.steps import GeometricStep
from model.augment.steps.base import Params
from model.augment.streams import uniforms

MAX_DRAWS = 10


@dataclass(frozen=True)
class Plan:
    """All parameters drawn for one photo: applying them needs no random numbers.

    Attributes:
        params: step name -> drawn parameters, plain numbers.
        matrices: ``(K + 1, 3, 3)``; row k takes the photo through the first k of K geometric steps.
        sizes: ``(K + 1, 2)``; row k is width and height after the first k geometric steps.
        redraws: how often the target was lost and the geometry drawn again.
        gave_up: whether the last draw lost it too, so that the geometric steps do nothing.
    """

    params: dict[str, Params]
    matrices: np.ndarray
    sizes: np.ndarray
    redraws: int
    gave_up: bool


@dataclass(frozen=True)
class Plans:
    """:class:`Plan` for N photos: every array has an additional first axis of length N."""

    params: dict[str, Params]
    matrices: np.ndarray
    sizes: np.ndarray
    redraws: np.ndarray

    @property
    def gave_up(self) -> np.ndarray:
        """See :attr:`Plan.gave_up`: bool ``(N,)``."""
        return self.redraws == MAX_DRAWS

    def one(self, index: int) -> Plan:
        """The plan of one photo."""
        params = {
            name: {key: value[index].tolist() for key, value in drawn.items()}
            for name, drawn in self.params.items()
        }
        redraws, gave_up = int(self.redraws[index]), bool(self.gave_up[index])
        return Plan(params, self.matrices[index], self.sizes[index], redraws, gave_up)

    def put(self, rows: np.ndarray, new: "Plans") -> None:
        """Replace the geometry of the photos at ``rows`` by that of ``new``."""
        self.matrices[rows], self.sizes[rows] = new.matrices, new.sizes
        for name, drawn in self.params.items():
            for key, values in drawn.items():
                values[rows] = new.params[name][key]


def make_plans(
    config: AugmentConfig, sizes: np.ndarray, targets: np.ndarray, seeds: Sequence[int]
) -> Plans:
    """Draw all parameters for N photos; a photo that loses its target gets a new geometry.

    Args:
        sizes: ``(N, 2)`` width and height in pixels.
        targets: ``(N, 4)`` boxes in pixels of the photos.
        seeds: see :func:`model.augment.streams.photo_seed`.
    """
    steps = [step for step in config.steps if step.is_on(config)]
    geometric = [step for step in steps if isinstance(step, GeometricStep)]
    keys, off = np.array(seeds, dtype=np.uint64), config.none()

    def draw_geometry(rows: np.ndarray, draw: int) -> Plans:
        def params_of(step: GeometricStep, before: np.ndarray) -> Params:
            if draw == MAX_DRAWS:  # give up: the steps leave the photo as it is
                return step.draw(off, np.zeros((len(before), step.draws)), before)
            return step.draw(config, uniforms(keys[rows], step.name, step.draws, draw), before)

        return geometry_plans(geometric, sizes[rows], params_of)

    rows = np.arange(len(keys))
    plans = draw_geometry(rows, 0)
    for draw in range(1, MAX_DRAWS + 1):
        after = plans.matrices[rows, -1], plans.sizes[rows, -1]
        rows = rows[~is_kept(config, targets[rows], *after)]
        if not len(rows):
            break
        plans.redraws[rows] = draw
        plans.put(rows, draw_geometry(rows, draw))
    for step in steps:
        if not isinstance(step, GeometricStep):
            numbers = uniforms(keys, step.name, step.draws)
            plans.params[step.name] = step.draw(config, numbers, plans.sizes[:, -1])
    return plans


def geometry_plans(steps: Sequence[GeometricStep], sizes: np.ndarray, params_of: Any) -> Plans:
    """Plans for N photos of the given geometric ``steps``.

    Args:
        sizes: ``(N, 2)`` width and height of the photos before the first step.
        params_of: called with a step and the sizes before it; returns its parameters.
    """
    params: dict[str, Params] = {}
    matrices, all_sizes = [geometry.identities(len(sizes))], [np.asarray(sizes, np.float64)]
    for step in steps:
        before = all_sizes[-1]
        params[step.name] = params_of(step, before)
        matrices.append(step.matrices(params[step.name], before) @ matrices[-1])
        all_sizes.append(step.sizes_after(params[step.name], before))
    redraws = np.zeros(len(sizes), dtype=int)
    return Plans(params, np.stack(matrices, axis=1), np.stack(all_sizes, axis=1), redraws)


def is_kept(
    config: AugmentConfig, targets: np.ndarray, matrices: np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    """bool ``(N,)``: whether enough of each target stays visible after its move.

    Args:
        targets: ``(N, 4)`` boxes in pixels of the photos.
        matrices: ``(N, 3, 3)`` from the photos to the results.
        sizes: ``(N, 2)`` width and height of the results.
    """
    moved = geometry.move_boxes(targets, matrices, config.box_rule)
    clipped, visible = geometry.clip(moved, sizes), geometry.visible_share(moved, sizes)
    has_size = ((clipped[:, 2:] - clipped[:, :2]) >= 1).all(axis=1)
    # Rounding errors must not lose a box that was not moved.
    return has_size & (visible + 1e-6 >= config.min_visible)
