"""Does a detector hold? Its scores against the strength of each setting of the augmentation.

    python -m model.robustness --data data --split val --checkpoint C --out robustness
    python -m model.robustness --data data --split val --checkpoint C --other C2 --out robustness

Writes NAME.json, NAME.csv and NAME.png. The demo's Training tab shows the JSON that lies beside a
checkpoint as CHECKPOINT.robustness.json. On photos the weights have learned from, the shape of a
curve can be trusted and its height cannot.
"""

import dataclasses
import json
import time
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Annotated

import torch
import tyro

from model.checked import check_ranges
from model.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint
from model.commands import run
from model.commands.options import DataOptions
from model.evaluation.strength_curves import NamedDetector, check_alike, measure, some_rows, table
from model.files import atomic_write
from model.loading.dataset import LargestObjectDataset
from model.network.inference_copy import inference_copy
from model.precision import best_device


@dataclass
class RobustnessConfig(DataOptions):
    """Scores of a detector against the strength of each setting of the augmentation."""

    checkpoint: Path = DEFAULT_CHECKPOINT
    other: Annotated[Path | None, tyro.conf.arg(aliases=["--and"])] = None  # measure it, too
    split: str = "val"
    photos: int = 300  # so many, with the split's shares of classes and sizes
    out: Path = Path("robustness")  # without ending: three files are written
    batch_size: int = 32
    bootstrap: int = 200  # resamples of the 95 % intervals


def main(config: RobustnessConfig) -> None:
    """Load, measure, print, write."""
    check_ranges(config, {"photos": (1, inf)})
    device = best_device()
    detectors = []
    for path in filter(None, (config.checkpoint, config.other)):
        model, info = load_checkpoint(path)
        detectors.append(NamedDetector(path.stem, inference_copy(model, False).to(device), info))
    check_alike(detectors)
    names = detectors[0].info.class_names
    split = config.dataset(names).split(config.split)
    frame, none = some_rows(split, config.photos), split.backgrounds.iloc[:0]
    split = dataclasses.replace(split, frame=frame, backgrounds=none)
    side = max(one.info.image_size for one in detectors)
    dataset = LargestObjectDataset(
        split, side, cache_dir=config.cache_dir, progress=config.progress
    )
    if left_out := dataset.left_out():
        print(left_out)
    start = time.perf_counter()
    with torch.inference_mode():
        report = measure(
            detectors, dataset, device, config.batch_size, config.bootstrap, config.progress
        )
    splits = {one.name: str(one.info.config.get("train_split", "")) for one in detectors}
    report = {"split": config.split, "train_splits": splits, **report}
    seconds = time.perf_counter() - start
    print("\n".join(report["sentences"]))
    print(f"{report['n_photos']} photos, {seconds:.0f} s on {device.type}.")
    _write(config.out, report)


def _write(out: Path, report: dict) -> None:
    from model.evaluation.plots import plot_strength

    paths = [out.with_name(out.name + ending) for ending in (".json", ".csv", ".png")]
    with atomic_write(paths[0]) as temporary:
        temporary.write_text(json.dumps(report) + "\n")
    with atomic_write(paths[1]) as temporary:
        table(report).to_csv(temporary, index=False)
    plot_strength(report, paths[2])
    print(f"wrote {', '.join(map(str, paths))}")


if __name__ == "__main__":
    run(main, RobustnessConfig, __doc__)
