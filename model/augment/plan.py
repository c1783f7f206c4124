"""What is drawn for many photos at once, without touching their pixels."""

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
class Placed:
    """Where the geometric steps take N photos.

    Attributes:
        params: step name -> parameter -> ``(N, ...)``.
        matrices: ``(N, K + 1, 3, 3)``: the product of the first k of K steps, from the photo.
        sizes: ``(N, K + 1, 2)`` width and height after the first k.
    """

    params: dict[str, Params]
    matrices: np.ndarray
    sizes: np.ndarray


@dataclass(frozen=True)
class Plan:
    """Everything drawn for one photo: replaying it needs no random numbers.

    Attributes:
        params: step name -> drawn parameters, plain numbers.
        matrices, sizes: of one photo, see :class:`Placed`.
        redraws: how often the target got lost and the geometry was drawn again.
        gave_up: whether the last try failed too, so that the geometry was left out.
    """

    params: dict[str, Params]
    matrices: np.ndarray
    sizes: np.ndarray
    redraws: int
    gave_up: bool


@dataclass(frozen=True)
class Plans:
    """As :class:`Plan`, of N photos.

    Attributes:
        params: step name -> parameter -> ``(N, ...)``.
        matrices, sizes: see :class:`Placed`.
        targets: ``(N, 4)`` boxes in pixels of the photos.
        rule: of their boxes, see ``box_rule``.
        redraws: ``(N,)`` int.
        gave_up: ``(N,)`` bool.
    """

    params: dict[str, Params]
    matrices: np.ndarray
    sizes: np.ndarray
    targets: np.ndarray
    rule: str
    redraws: np.ndarray
    gave_up: np.ndarray

    @property
    def visible(self) -> np.ndarray:
        """Share ``(N,)`` of each target inside the picture at the end."""
        moved = geometry.move_boxes(self.targets, self.matrices[:, -1], self.rule)
        return geometry.visible_share(moved, self.sizes[:, -1])

    @property
    def growth(self) -> np.ndarray:
        """``(N,)``, see :func:`model.augment.geometry.box_growth`."""
        return geometry.box_growth(self.targets, self.matrices[:, -1], self.rule)

    def one(self, index: int) -> Plan:
        """The plan of one photo."""
        params = {
            name: {key: value[index].tolist() for key, value in drawn.items()}
            for name, drawn in self.params.items()
        }
        return Plan(
            params, self.matrices[index], self.sizes[index],
            int(self.redraws[index]), bool(self.gave_up[index]),
        )  # fmt: skip


def make_plans(
    config: AugmentConfig, sizes: np.ndarray, targets: np.ndarray, seeds: Sequence[int]
) -> Plans:
    """Draw everything for N photos; for one that loses its target the geometry is drawn again.

    Args:
        config: the settings.
        sizes: ``(N, 2)`` width and height in pixels.
        targets: ``(N, 4)`` boxes in pixels of the photos.
        seeds: see :func:`model.augment.streams.photo_seed`.
    """
    steps = [step for step in config.steps if step.is_on(config)]
    moving = [step for step in steps if isinstance(step, GeometricStep)]
    keys = np.array(seeds, dtype=np.uint64)
    redraws, rows, placed = np.zeros(len(seeds), dtype=int), np.arange(len(seeds)), None
    for draw in range(MAX_DRAWS + 1):
        new = _drawn(config, moving, sizes[rows], keys[rows], draw)
        if placed is None:
            placed = new
        else:
            _put(placed, rows, new)
        if draw < MAX_DRAWS:
            moved = geometry.move_boxes(targets[rows], new.matrices[:, -1], config.box_rule)
            share = geometry.visible_share(moved, new.sizes[:, -1])
            kept = is_kept(config, geometry.clip(moved, new.sizes[:, -1]), share)
            rows = rows[~kept]
            redraws[rows] += 1
        if not len(rows):
            break
    assert placed is not None
    params = dict(placed.params)
    for step in steps:
        if not isinstance(step, GeometricStep):
            numbers = uniforms(keys, step.name, step.draws)
            params[step.name] = step.draw(config, numbers, placed.sizes[:, -1])
    return Plans(
        params, placed.matrices, placed.sizes, targets, config.box_rule, redraws,
        redraws == MAX_DRAWS,
    )  # fmt: skip


def _drawn(
    config: AugmentConfig,
    steps: Sequence[GeometricStep],
    sizes: np.ndarray,
    seeds: np.ndarray,
    draw: int,
) -> Placed:
    """One try; after all of them, steps that leave the photo as it is."""

    def params_of(step: GeometricStep, before: np.ndarray) -> Params:
        if draw == MAX_DRAWS:
            return many([step.idle((int(w), int(h))) for w, h in before])
        return step.draw(config, uniforms(seeds, step.name, step.draws, draw), before)

    return place(steps, sizes, params_of)


def place(steps: Sequence[GeometricStep], sizes: np.ndarray, params_of: Any) -> Placed:
    """Where ``steps`` take photos of ``(N, 2)`` width and height.

    Args:
        steps: in order.
        sizes: of the photos before the first.
        params_of: called with a step and the sizes before it, returns its parameters.
    """
    params: dict[str, Params] = {}
    matrices, all_sizes = [geometry.identities(len(sizes))], [np.asarray(sizes, np.float64)]
    for step in steps:
        before = all_sizes[-1]
        params[step.name] = params_of(step, before)
        matrices.append(step.matrices(params[step.name], before) @ matrices[-1])
        all_sizes.append(step.sizes_after(params[step.name], before))
    return Placed(params, np.stack(matrices, axis=1), np.stack(all_sizes, axis=1))


def many(params: Sequence[Params]) -> Params:
    """Parameters of photos one by one -> arrays with a row for each."""
    return {name: np.array([one[name] for one in params]) for name in params[0]}


def is_kept(config: AugmentConfig, clipped: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Whether ``(N,)`` enough is left of targets ``(N, 4)``, clipped to a picture."""
    has_size = ((clipped[:, 2:] - clipped[:, :2]) >= 1).all(axis=1)
    # Rounding in the last digits must not lose a box that nothing was done to.
    return has_size & (visible + 1e-6 >= config.min_visible)


def _put(placed: Placed, rows: np.ndarray, new: Placed) -> None:
    """What is drawn again takes the place of what was drawn before."""
    placed.matrices[rows], placed.sizes[rows] = new.matrices, new.sizes
    for name, drawn in placed.params.items():
        for key, values in drawn.items():
            values[rows] = new.params[name][key]
