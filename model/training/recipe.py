"""Settings of ``train.py``: what they may be, and what they are where photos are few."""

from collections.abc import Sequence
from math import inf
from typing import Any

from model.checked import check_ranges
from model.checkpoint import MAX_IMAGE_SIZE
from model.errors import UserError

RANGES = {
    "epochs": (1, inf), "batch_size": (1, inf), "eval_every": (1, inf), "num_workers": (0, inf),
    "small_epochs": (0, inf), "plain_epochs": (0, inf), "mosaics": (0, 1), "negatives": (0, 1),
    "close_ups": (0, 1),
    "label_smoothing": (0, 1), "cells_weight": (0, inf), "lr": (0, inf), "weight_decay": (0, inf),
    "backbone_lr_ratio": (0, inf), "clip_grad_norm": (0, inf), "ema_decay": (0, 1),
}  # fmt: skip
FEW, SOME = 300, 1000  # photos
IMAGES_TO_SEE = 2400  # of few photos: some five minutes on two cores
MAX_EPOCHS = 30


def check_settings(config: Any) -> None:
    """Refuse a ``TrainConfig`` that cannot be trained with, before anything is read.

    Raises:
        UserError: naming the flag and what it may be.
    """
    check_ranges(config, RANGES)
    if config.image_size > MAX_IMAGE_SIZE:
        raise UserError(f"--image-size is at most {MAX_IMAGE_SIZE}, not {config.image_size}.")
    if not config.small_epochs:
        return
    if config.head == "flatten":
        raise UserError("the flatten head needs the full canvas: add --small-epochs 0.")
    if config.small_size % 32 or config.small_size < 32:
        raise UserError(f"--small-size must be a multiple of 32, not {config.small_size}.")
    if config.small_size > config.image_size:
        raise UserError(
            f"--small-size {config.small_size} is larger than --image-size {config.image_size}."
            " Make it smaller, or add --small-epochs 0."
        )


def check_val_split(name: str, splits: Sequence[str]) -> None:
    """Refuse a ``--val-split`` that a data set does not have.

    Raises:
        UserError: naming those it has, and the ways on.
    """
    if name != "none" and name not in splits:
        raise UserError(
            f"there is no split {name!r} to validate on. There is: {', '.join(splits)}. Choose one"
            " with --val-split, add --val-split none, or write lists with:"
            " python -m model.dataset split"
        )


def recipe_for(n_photos: int) -> dict[str, Any]:
    """Settings of ``train.py`` that differ from its own where photos are few.

    A small set allows small batches only, whose own statistics are too noisy for batch norm: it
    keeps those of the checkpoint (measured in docs/training.md). The full canvas from the start:
    the checkpoint knows already what a small one could teach faster.

    It is empty from :data:`SOME` photos on.
    """
    if n_photos >= SOME:
        return {}
    epochs = min(MAX_EPOCHS, max(8, round(IMAGES_TO_SEE / n_photos)))
    return {
        "epochs": epochs,
        "eval_every": max(1, epochs // 6),
        "small_epochs": 0,
        "batch_size": min(8 if n_photos < FEW else 16, n_photos),
        "lr": 5e-4,
        "freeze": "stem",
        "freeze_batch_norm": True,
    }
