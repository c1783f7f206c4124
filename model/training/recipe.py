"""Settings of ``train.py``: their allowed ranges, and their defaults for small data sets."""

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
IMAGES_TO_SEE = 2400  # over all epochs: some five minutes on two cores
MAX_EPOCHS = 30


def check_settings(config: Any) -> None:
    """Check a ``TrainConfig`` before any data is read.

    Raises:
        UserError: for an invalid setting, naming the flag and what is allowed.
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
    """Check that a data set has the split ``name``, or that it is ``none``.

    Raises:
        UserError: if it has not, naming its splits.
    """
    if name != "none" and name not in splits:
        raise UserError(
            f"there is no split {name!r} to validate on. There is: {', '.join(splits)}. Choose one"
            " with --val-split, add --val-split none, or write lists with:"
            " python -m model.dataset split"
        )


def recipe_for(n_photos: int) -> dict[str, Any]:
    """Other defaults for ``train.py`` if there are fewer than :data:`SOME` photos, else none.

    A small set allows only small batches, whose statistics are too noisy for batch norm: it keeps
    those of the checkpoint (measured in docs/training.md). Training uses the full canvas from the
    start: the checkpoint already knows what a smaller one would teach faster.
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
