"""Write an augmented copy of a whole data set: pictures and all boxes.

    python -m model.export_augmented --data data --split train --variants 3 --out augmented
    python -m model.export_augmented --data data --labels yolo --out augmented.zip

After Ctrl-C the same command continues the copy. manifest.json holds the settings, and
pictures.jsonl a line for each picture with its seed and boxes.
"""

import sys
from dataclasses import dataclass
from math import inf
from pathlib import Path

from model.augment import AugmentConfig
from model.checked import check_ranges
from model.commands import run
from model.commands.options import DataOptions
from model.loading.augmented_copy import ExportPlan, LabelFormat, PictureKind, export
from model.words import counted


@dataclass
class ExportAugmentedConfig(DataOptions):
    """Write an augmented copy of a whole data set."""

    out: Path  # a folder, or a name that ends in .zip
    split: str = "train"
    augment: Path | None = None  # settings as JSON; default: those of training
    variants: int = 1  # pictures per photo
    labels: LabelFormat = "coco"
    pictures: PictureKind = "photo"  # in the shape of the photo, or the network's square canvas
    longest_side: int = 2048  # largest side of a picture in pixels
    image_size: int = 288  # of the network's canvas
    seed: int = 0


def main(config: ExportAugmentedConfig) -> int:
    """Write the copy; the exit status is 1 if photos cannot be read."""
    check_ranges(config, {"variants": (1, inf), "longest_side": (16, inf), "image_size": (16, inf)})
    settings = AugmentConfig.from_file(config.augment) if config.augment else AugmentConfig()
    dataset = config.dataset()
    photos = dataset.of_split(config.split)
    plan = ExportPlan(
        settings, config.split if config.split in ("train", "val", "test") else "train",
        dataset.class_names, config.labels, config.pictures, config.variants, config.seed,
        config.image_size, config.longest_side,
    )  # fmt: skip
    try:
        problems = export(photos, plan, config.out, config.progress)
    except KeyboardInterrupt:
        print("What was written is kept: the same command goes on from there.", file=sys.stderr)
        raise
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    n_pictures = (len(photos) - len(problems)) * config.variants
    print(f"wrote {config.out}: {counted(n_pictures, 'picture')}, boxes as {config.labels}.")
    return 1 if problems else 0


if __name__ == "__main__":
    run(main, ExportAugmentedConfig, __doc__)
