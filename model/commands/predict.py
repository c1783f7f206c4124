"""Find the largest object of photos.

python -m model.predict PHOTOS_OR_FOLDERS --csv out.csv --draw DIR
"""

import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from model.checkpoint import DEFAULT_CHECKPOINT
from model.commands import run
from model.csv_cells import defused
from model.data.images import LoadedImage, find_images, load_fitted
from model.errors import UserError, one_line
from model.files import atomic_write, distinct, ensure_writable
from model.inference import CSV_HEADER, DRAWN_SIDE, Detection, Detector, csv_row, load_detector
from model.words import counted, in_percent


@dataclass
class PredictConfig:
    """Find the largest object of photos."""

    photos: Annotated[list[Path], tyro.conf.Positional]  # image files, or folders with images
    checkpoint: Path = DEFAULT_CHECKPOINT
    csv: Path | None = None  # write one row a photo
    draw: Path | None = None  # folder for annotated copies
    flip: bool = False  # predict the mirrored photo too
    looks: Literal[1, 2] | None = None  # 2 looks again at what is small; default: as calibrated
    batch_size: int = 16
    progress: bool = True
    debug: bool = False  # tracebacks instead of one-line errors


def main(config: PredictConfig) -> int:
    """Predict, print or write; a photo that cannot be read is reported and skipped (exit 1)."""
    from tqdm import tqdm

    files = find_images(config.photos)
    detector = load_detector(config.checkpoint)
    for folder in filter(None, [config.draw, config.csv and config.csv.parent]):
        ensure_writable(folder)
    names = drawing_names(files)
    rows: list[list[object]] = []
    skipped: set[Path] = set()
    bar = tqdm(total=len(files), unit="photo", disable=not config.progress or len(files) == 1)

    def skip(file: Path, error: UserError) -> None:
        skipped.add(file)
        bar.write(one_line(f"skipped: {error}"), file=sys.stderr)

    try:
        for start in range(0, len(files), config.batch_size):
            batch = files[start : start + config.batch_size]
            loaded = _load_good(detector, batch, config.looks, skip)
            found = detector.predict_loaded(
                [photo for _, photo in loaded], config.flip, config.looks
            )
            for (file, _), detection in zip(loaded, found, strict=True):
                if config.draw and not _draw(detection, file, config.draw / names[file], skip):
                    continue
                rows.append(csv_row(file, detection))
            bar.update(len(batch))
    finally:  # also after Ctrl-C or on a full disk: what is known is written down
        bar.close()
        _report(rows, config)
    if skipped:
        print(f"{len(skipped)} of {len(files)} photos could not be read.", file=sys.stderr)
    return 1 if skipped else 0


Skip = Callable[[Path, UserError], None]


def _load_good(
    detector: Detector, files: list[Path], looks: int | None, skip: Skip
) -> list[tuple[Path, LoadedImage]]:
    good = []
    for file, photo in zip(files, detector.load_each(files, looks), strict=True):
        if isinstance(photo, UserError):
            skip(file, photo)
        else:
            good.append((file, photo))
    return good


def _draw(detection: Detection, file: Path, target: Path, skip: Skip) -> bool:
    """Write the annotated copy; ``False`` if the photo can no longer be read."""
    try:
        photo = load_fitted(file, DRAWN_SIDE).image
    except UserError as error:
        skip(file, error)
        return False
    with atomic_write(target) as temporary:
        detection.draw(photo).save(temporary)
    return True


def _report(rows: list[list[object]], config: PredictConfig) -> None:
    if config.csv:
        # A name may be made of bytes that are no text: they are written as they are.
        how = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
        with atomic_write(config.csv) as temporary, temporary.open("w", **how) as stream:
            csv.writer(stream).writerows(defused([CSV_HEADER, *rows]))
        print(f"wrote {config.csv}: {len(rows)} photos")
    else:
        for file, name, score, x1, y1, x2, y2, *_, sure in rows:
            assert isinstance(score, float)
            doubt = "" if sure == "true" else " (not sure)"
            box = f"box ({x1}, {y1}) - ({x2}, {y2})"
            print(one_line(f"{file}: {name} {in_percent(score, 1)}{doubt}, {box}"))
    if config.draw:
        print(f"wrote {counted(len(rows), 'annotated photo')} to {config.draw}/")


def drawing_names(files: Sequence[Path]) -> dict[Path, str]:
    """A PNG name for each file, all different: ``a.jpg`` and ``a.png`` must not meet.

    Example:
        >>> drawing_names([Path("a.jpg"), Path("b/a.jpg"), Path("b/a.png")])
        {Path('a.jpg'): 'a.png', Path('b/a.jpg'): 'a_2.png', Path('b/a.png'): 'a_3.png'}
    """
    stems = distinct((file.stem for file in files), "_")
    return {file: f"{stem}.png" for file, stem in zip(files, stems, strict=True)}


if __name__ == "__main__":
    run(main, PredictConfig, __doc__)
