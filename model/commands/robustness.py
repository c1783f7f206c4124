"""Measure a detector against the strength of each setting of the augmentation.

    python -m model.robustness --data data --split val --checkpoint C --out robustness
    python -m model.robustness --data data --split val --checkpoint C --other C2 --out robustness

Writes NAME.json, NAME.csv and NAME.png. The demo's Training tab shows the JSON that lies next to a
checkpoint as CHECKPOINT.robustness.json. On photos that the weights were trained on, the shape of a
curve is reliable, but not its height.
"""

import dataclasses
import json
import time
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Annotated

import tyro

from model.checked import check_ranges
from model.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint
from model.commands import run
from model.commands.options import DataOptions
from model.evaluation.strength_curves import check_alike, measure, representative_photos, table
from model.files import write_file
from model.inference import Detector
from model.loading.dataset import LargestObjectDataset


@dataclass
class RobustnessConfig(DataOptions):
    """Measure a detector against the strength of each setting of the augmentation."""

    checkpoint: Path = DEFAULT_CHECKPOINT
    other: Annotated[Path | None, tyro.conf.arg(aliases=["--and"])] = None  # to compare
    split: str = "val"
    photos: int = 300  # number of photos, with the split's shares of classes and sizes
    out: Path = Path("robustness")  # name without suffix of the three files
    batch_size: int = 32
    bootstrap: int = 200  # resamples of the 95 % intervals


def main(config: RobustnessConfig) -> None:
    """Load, measure, print, write."""
    check_ranges(config, {"photos": (1, inf), "batch_size": (1, inf), "bootstrap": (1, inf)})
    paths = list(filter(None, (config.checkpoint, config.other)))
    detectors = [Detector(*load_checkpoint(path), bf16=False) for path in paths]
    infos = [detector.info for detector in detectors]
    check_alike([(path.stem, info) for path, info in zip(paths, infos, strict=True)])
    split = config.dataset(infos[0].class_names).split(config.split)
    frame, none = representative_photos(split, config.photos), split.backgrounds.iloc[:0]
    split = dataclasses.replace(split, frame=frame, backgrounds=none)
    dataset = LargestObjectDataset(
        split, max(info.image_size for info in infos), cache_dir=config.cache_dir,
        progress=config.progress,
    )  # fmt: skip
    if left_out := dataset.left_out():
        print(left_out)
    start = time.perf_counter()
    by_name = {path.stem: d for path, d in zip(paths, detectors, strict=True)}
    report = measure(by_name, dataset, config.batch_size, config.bootstrap, config.progress)
    splits = {name: str(d.info.config.get("train_split", "")) for name, d in by_name.items()}
    report = {"split": config.split, "train_splits": splits, **report}
    seconds = time.perf_counter() - start
    print("\n".join(report["sentences"]))
    print(f"{report['n_photos']} photos, {seconds:.0f} s on {detectors[0].device.type}.")
    _write(config.out, report)


def _write(out: Path, report: dict) -> None:
    from model.evaluation.plots import plot_strength

    paths = [out.with_name(out.name + ending) for ending in (".json", ".csv", ".png")]
    write_file(paths[0], json.dumps(report) + "\n")
    write_file(paths[1], table(report).to_csv(index=False))
    plot_strength(report, paths[2])
    print(f"wrote {', '.join(map(str, paths))}")


if __name__ == "__main__":
    run(main, RobustnessConfig, __doc__)
