"""A photo -> its largest object.

>>> from model import load_detector
>>> d = load_detector().predict("photo.jpg")
>>> d.class_name, d.score, d.bbox_xyxy

python -m model.predict PHOTOS_OR_FOLDERS --csv out.csv --draw DIR
"""

import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from PIL import Image
from torch import Tensor

from model.augment import AugmentConfig, Pipeline, working_side
from model.checkpoint import DEFAULT_CHECKPOINT, CheckpointInfo, load_checkpoint
from model.data.csv_cells import defused
from model.data.images import ImageSource, LoadedImage, find_images, load_fitted
from model.detector import LargestObjectDetector
from model.draw import class_colour, draw_box
from model.errors import UserError, run_cli
from model.files import atomic_write
from model.precision import autocast, best_device, has_native_bf16
from model.predictions import BatchPrediction, per_image, predict_batch

DRAWN_SIDE = 1280
UNCALIBRATED_THRESHOLD = 0.5  # of the class probability


@dataclass(frozen=True)
class Detection:
    """What the detector predicts for one photo.

    Attributes:
        class_name: of the largest object.
        score: chance, 0..1, that class and box (IoU >= 0.5) are both right. A checkpoint without a
            calibration gives the probability of the class instead.
        bbox_xyxy: left, top, right, bottom in pixels of the original upright photo.
        probabilities: class name -> probability, all classes, most probable first.
        image_size: ``(width, height)`` of the original upright photo.
        sure: whether ``score`` passes the checkpoint's threshold. If not, the photo may well show
            none of the classes.
        attention: where the box was read from: float32 ``(rows, columns)`` over the whole photo,
            summing to 1; ``None`` for heads without cells.
    """

    class_name: str
    score: float
    bbox_xyxy: tuple[float, float, float, float]
    probabilities: dict[str, float]
    image_size: tuple[int, int]
    sure: bool = True
    attention: np.ndarray | None = None

    def draw(self, image: Image.Image) -> Image.Image:
        """A copy of the photo (any size of the same shape) with box, class and score."""
        scale_x = image.width / self.image_size[0]
        scale_y = image.height / self.image_size[1]
        scaled = [v * s for v, s in zip(self.bbox_xyxy, (scale_x, scale_y) * 2, strict=True)]
        label = f"{self.class_name} {self.score:.0%}{'' if self.sure else '?'}"
        return draw_box(image, scaled, class_colour(self.class_name), label)


class Detector:
    """A trained network with everything needed to ask it about photos.

    Args:
        model: in ``eval()`` mode.
        info: class names, canvas size, normalisation; by default what ``model`` itself knows,
            which is all there is after ``LargestObjectDetector.from_pretrained``.
        device: ``None`` takes a GPU if there is one.
    """

    def __init__(
        self,
        model: LargestObjectDetector,
        info: CheckpointInfo | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        info = info or CheckpointInfo(model.class_names, model.image_size, model.head_name)
        self.device = torch.device(device or best_device())
        self.info = info
        self.class_names = info.class_names
        self.threshold = info.calibration.threshold if info.calibration else UNCALIBRATED_THRESHOLD
        self.model = model.to(self.device, memory_format=torch.channels_last).eval()
        self.bf16 = has_native_bf16(self.device)
        self._pipeline = Pipeline(AugmentConfig.none(), info.image_size, info.mean, info.std)

    def predict(self, source: ImageSource, flip: bool = False) -> Detection:
        """The largest object of one photo: a path, PIL image, array, or the bytes of a file.

        With ``flip`` the mirrored photo is asked too and the answers are averaged: slower, a little
        better (README says by how much).

        Raises:
            UserError: if the photo cannot be read; the text says why.
        """
        return self.predict_batch([source], flip)[0]

    def predict_batch(self, sources: Sequence[ImageSource], flip: bool = False) -> list[Detection]:
        """:meth:`predict` for several photos in one pass; ``[]`` for none."""
        return self.predict_loaded([self.load(source) for source in sources], flip)

    def load(self, source: ImageSource) -> LoadedImage:
        """Read a photo no larger than the network needs."""
        return load_fitted(source, working_side(self.info.image_size))

    def predict_loaded(self, photos: Sequence[LoadedImage], flip: bool = False) -> list[Detection]:
        """:meth:`predict_batch` for photos that :meth:`load` read."""
        if not photos:
            return []
        images = torch.stack([self.preprocess(photo.image) for photo in photos]).to(self.device)
        images = images.contiguous(memory_format=torch.channels_last)
        with self.autocast():
            predicted = predict_batch(self.model, images, flip)
        return [
            self._detection(photo, one)
            for photo, one in zip(photos, per_image(predicted), strict=True)
        ]

    def autocast(self) -> torch.autocast:
        """bf16 where this device has it."""
        return autocast(self.device, self.bf16)

    def preprocess(self, image: Image.Image) -> Tensor:
        """RGB photo -> float32 ``(3, S, S)`` normalised: the training pipeline, nothing drawn."""
        whole = torch.tensor([[0.0, 0.0, image.width, image.height]])
        return self._pipeline(image, whole).image

    def _detection(self, photo: LoadedImage, predicted: BatchPrediction) -> Detection:
        width, height = photo.original_size
        scale = torch.tensor([width, height, width, height]) / self.info.image_size
        values, order = predicted.probabilities.sort(descending=True)
        ranked = {
            self.class_names[i]: v for i, v in zip(order.tolist(), values.tolist(), strict=True)
        }
        name = next(iter(ranked))
        calibration = self.info.calibration
        score = float(calibration.score(predicted.evidence)) if calibration else ranked[name]
        x1, y1, x2, y2 = (predicted.bbox_xyxy * scale).tolist()
        attention = None if predicted.attention is None else predicted.attention.numpy()
        return Detection(
            name, score, (x1, y1, x2, y2), ranked, photo.original_size,
            sure=score >= self.threshold, attention=attention,
        )  # fmt: skip


def load_detector(
    checkpoint: str | Path = DEFAULT_CHECKPOINT, device: torch.device | str | None = None
) -> Detector:
    """The shipped detector, or the one in another checkpoint file, or in an ONNX file.

    Raises:
        UserError: if the checkpoint is missing, broken or foreign, or a package it needs is.
    """
    if Path(checkpoint).suffix == ".onnx":
        from model.onnx_network import load_onnx

        return Detector(*load_onnx(Path(checkpoint)), device="cpu")
    model, info = load_checkpoint(checkpoint)
    return Detector(model, info, device)


@dataclass
class PredictConfig:
    """Find the largest object of photos."""

    photos: Annotated[list[Path], tyro.conf.Positional]  # image files, or folders with images
    checkpoint: Path = DEFAULT_CHECKPOINT
    csv: Path | None = None  # write one row a photo
    draw: Path | None = None  # folder for annotated copies
    flip: bool = False  # ask the mirrored photo too
    batch_size: int = 16
    progress: bool = True
    debug: bool = False  # tracebacks instead of one-line errors


CSV_HEADER = [
    "file", "class_name", "score", "xmin", "ymin", "xmax", "ymax", "width", "height",
]  # fmt: skip


def main(config: PredictConfig) -> int:
    """Predict, print or write; a photo that cannot be read is reported and skipped (exit 1)."""
    from tqdm import tqdm

    files = find_images(config.photos)
    detector = load_detector(config.checkpoint)
    for folder in filter(None, [config.draw, config.csv and config.csv.parent]):
        _ensure_writable(folder)
    names = drawing_names(files)
    rows: list[list[object]] = []
    skipped: set[Path] = set()
    bar = tqdm(total=len(files), unit="photo", disable=not config.progress or len(files) == 1)

    def skip(file: Path, error: UserError) -> None:
        skipped.add(file)
        bar.write(f"skipped: {error}", file=sys.stderr)

    try:
        for start in range(0, len(files), config.batch_size):
            batch = files[start : start + config.batch_size]
            loaded = _load_good(detector, batch, skip)
            found = detector.predict_loaded([photo for _, photo in loaded], config.flip)
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


def _load_good(detector: Detector, files: list[Path], skip: Skip) -> list[tuple[Path, LoadedImage]]:
    good = []
    for file in files:
        try:
            good.append((file, detector.load(file)))
        except UserError as error:
            skip(file, error)
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


def csv_row(file: Path | str, d: Detection) -> list[object]:
    """A row under :data:`CSV_HEADER`; corners in pixels of the original upright photo."""
    corners = [round(v, 1) for v in d.bbox_xyxy]
    return [str(file), d.class_name, round(d.score, 4), *corners, *d.image_size]


def _report(rows: list[list[object]], config: PredictConfig) -> None:
    if config.csv:
        with atomic_write(config.csv) as temporary, temporary.open("w", newline="") as stream:
            csv.writer(stream).writerows(defused([CSV_HEADER, *rows]))
        print(f"wrote {config.csv}: {len(rows)} photos")
    else:
        for file, name, score, x1, y1, x2, y2, *_ in rows:
            print(f"{file}: {name} {score:.1%}, box ({x1}, {y1}) - ({x2}, {y2})")
    if config.draw:
        print(f"wrote {len(rows)} annotated photos to {config.draw}/")


def drawing_names(files: Sequence[Path]) -> dict[Path, str]:
    """A PNG name for each file, all different: ``a.jpg`` and ``a.png`` must not meet.

    Example:
        >>> drawing_names([Path("a.jpg"), Path("b/a.jpg"), Path("b/a.png")])
        {Path('a.jpg'): 'a.png', Path('b/a.jpg'): 'a_2.png', Path('b/a.png'): 'a_3.png'}
    """
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for file in files:
        name, n = f"{file.stem}.png", 1
        while name.lower() in taken:
            n += 1
            name = f"{file.stem}_{n}.png"
        taken.add(name.lower())
        names[file] = name
    return names


def _ensure_writable(folder: Path) -> None:
    with atomic_write(folder / ".probe"):
        pass
    (folder / ".probe").unlink()


if __name__ == "__main__":
    arguments = tyro.cli(PredictConfig, prog="python -m model.predict", description=__doc__)
    sys.exit(run_cli(lambda: main(arguments), arguments.debug))
