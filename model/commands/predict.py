"""Find the largest object of photos.

python -m model.predict PHOTOS_OR_FOLDERS --csv out.csv --draw DIR
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Annotated, Literal

import tyro

from model.checked import check_ranges
from model.checkpoint import DEFAULT_CHECKPOINT
from model.commands import run
from model.csv_cells import csv_text
from model.data.images import find_images, load_fitted
from model.errors import UserError, one_line
from model.files import atomic_write, distinct, ensure_writable, write_file
from model.inference import CSV_HEADER, DRAWN_SIDE, Detection, Detector, csv_row, load_detector
from model.words import counted, percent


@dataclass
class PredictConfig:
    """Find the largest object of photos."""

    photos: Annotated[list[Path], tyro.conf.Positional]  # image files, or folders with images
    checkpoint: Path = DEFAULT_CHECKPOINT
    csv: Path | None = None  # write a row per photo
    draw: Path | None = None  # folder for annotated copies
    flip: bool = False  # average with the mirrored photo
    looks: Literal[1, 2] | None = None  # 2: second look at small objects; default: as calibrated
    batch_size: int = 16
    progress: bool = True
    debug: bool = False  # tracebacks instead of one-line errors


def main(config: PredictConfig) -> int:
    """Predict, print or write; a photo that cannot be read is reported and skipped (exit 1)."""
    from tqdm import tqdm

    check_ranges(config, {"batch_size": (1, inf)})
    files = find_images(config.photos)
    detector = load_detector(config.checkpoint)
    for folder in filter(None, [config.draw, config.csv and config.csv.parent]):
        ensure_writable(folder)
    names = drawing_names(files)
    rows: list[list[object]] = []
    n_skipped = 0
    bar = tqdm(total=len(files), unit="photo", disable=not config.progress or len(files) == 1)
    try:
        for start in range(0, len(files), config.batch_size):
            batch = files[start : start + config.batch_size]
            for file, result in zip(batch, _predict(detector, batch, config), strict=True):
                if config.draw and not isinstance(result, UserError):
                    result = _draw(result, file, config.draw / names[file])
                if isinstance(result, UserError):
                    n_skipped += 1
                    bar.write(one_line(f"skipped: {result}"), file=sys.stderr)
                else:
                    rows.append(csv_row(file, result))
            bar.update(len(batch))
    finally:  # also after Ctrl-C or on a full disk: finished rows are written
        bar.close()
        _report(rows, config)
    if n_skipped:
        print(f"{n_skipped} of {len(files)} photos could not be read.", file=sys.stderr)
    return 1 if n_skipped else 0


def _predict(
    detector: Detector, files: list[Path], config: PredictConfig
) -> list[Detection | UserError]:
    """The detection of each photo, or the error if it cannot be read."""
    loaded = list(detector.load_each(files, config.looks))
    photos = [photo for photo in loaded if not isinstance(photo, UserError)]
    detections = iter(detector.predict_loaded(photos, config.flip, config.looks))
    return [photo if isinstance(photo, UserError) else next(detections) for photo in loaded]


def _draw(detection: Detection, file: Path, target: Path) -> Detection | UserError:
    """Write the annotated copy; return the detection, or the error if the photo is gone."""
    try:
        photo = load_fitted(file, DRAWN_SIDE).image
    except UserError as error:
        return error
    with atomic_write(target) as temporary:
        detection.draw(photo).save(temporary)
    return detection


def _report(rows: list[list[object]], config: PredictConfig) -> None:
    if config.csv:
        write_file(config.csv, csv_text([CSV_HEADER, *rows]))
        print(f"wrote {config.csv}: {len(rows)} photos")
    else:
        for file, name, score, x1, y1, x2, y2, *_, sure in rows:
            assert isinstance(score, float)
            doubt = "" if sure == "true" else " (not sure)"
            box = f"box ({x1}, {y1}) - ({x2}, {y2})"
            print(one_line(f"{file}: {name} {percent(score, 1)}{doubt}, {box}"))
    if config.draw:
        print(f"wrote {counted(len(rows), 'annotated photo')} to {config.draw}/")


def drawing_names(files: Sequence[Path]) -> dict[Path, str]:
    """A PNG name for each file, all different, also for ``a.jpg`` and ``a.png``.

    Example:
        >>> drawing_names([Path("a.jpg"), Path("b/a.jpg"), Path("b/a.png")])
        {Path('a.jpg'): 'a.png', Path('b/a.jpg'): 'a_2.png', Path('b/a.png'): 'a_3.png'}
    """
    stems = distinct((file.stem for file in files), "_")
    return {file: f"{stem}.png" for file, stem in zip(files, stems, strict=True)}


if __name__ == "__main__":
    run(main, PredictConfig, __doc__)
