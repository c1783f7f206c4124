"""A photo -> its largest object.

>>> from model import load_detector
>>> d = load_detector().predict("photo.jpg")
>>> d.class_name, d.score, d.bbox_xyxy
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from model.augment import AugmentConfig, Pipeline, working_side
from model.checkpoint import DEFAULT_CHECKPOINT, CheckpointInfo, load_checkpoint
from model.classes import shown_name
from model.data.images import ImageSource, LoadedImage, load_each, load_fitted, load_image
from model.data.photo_inputs import image_source
from model.draw import UNSURE_COLOUR, LabelledBox, class_colour, draw_boxes
from model.errors import UserError
from model.network.detector import LargestObjectDetector
from model.network.inference_copy import inference_copy
from model.precision import autocast, best_device, has_native_bf16
from model.predictions import BatchPrediction, on_cpu, per_image, predict_batch
from model.score import UNCALIBRATED_THRESHOLD
from model.second_look import DETAIL, SecondLook, cut_window
from model.words import Verdict, percent, verdict

if TYPE_CHECKING:
    from model.onnx_network import OnnxNetwork

DRAWN_SIDE = 1280
CSV_HEADER = [
    "file", "class_name", "score", "xmin", "ymin", "xmax", "ymax", "width", "height", "sure",
]  # fmt: skip


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
        looks: 2 if a window around the object was looked at as well; see
            :mod:`model.second_look`.
        attention: where the box was read from: float32 ``(rows, columns)`` over the whole photo,
            summing to 1; ``None`` for heads without cells.
        source: of the photo, as :meth:`Detector.predict` was given it: what a notebook shows the
            box on. ``None`` where the photo had been read before.
    """

    class_name: str
    score: float
    bbox_xyxy: tuple[float, float, float, float]
    probabilities: dict[str, float]
    image_size: tuple[int, int]
    sure: bool = True
    looks: int = 1
    attention: np.ndarray | None = None
    source: ImageSource | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        x1, y1, x2, y2 = (round(v, 1) for v in self.bbox_xyxy)
        width, height = self.image_size
        return (
            f"Detection({self.class_name!r}, score={self.score:.3f}, sure={self.sure},"
            f" bbox_xyxy=({x1}, {y1}, {x2}, {y2}) of {width} x {height} px)"
        )

    def verdict(self, threshold: float) -> Verdict:
        """What this amounts to where a score of ``threshold`` is asked for."""
        likeliest = self.probabilities[self.class_name]
        return verdict(self.class_name, self.score, threshold, likeliest, len(self.probabilities))

    def to_dict(self) -> dict[str, Any]:
        """As values that JSON can hold, rounded; without ``attention`` and ``source``."""
        return {
            "class_name": self.class_name,
            "score": round(self.score, 4),
            "sure": self.sure,
            "looks": self.looks,
            "bbox_xyxy": [round(v, 2) for v in self.bbox_xyxy],
            "image_size": list(self.image_size),
            "probabilities": {name: round(p, 4) for name, p in self.probabilities.items()},
        }

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows: the photo with the box; ``None`` if it can no longer be read."""
        if self.source is None:
            return None
        try:
            photo = load_fitted(self.source, DRAWN_SIDE).image
        except UserError:
            return None  # the notebook then shows the line above
        buffer = BytesIO()
        self.draw(photo).save(buffer, "PNG")
        return buffer.getvalue()

    def draw(self, photo: Any) -> Image.Image:
        """A copy of the photo (any size of the same shape) with box, class and score.

        An answer that is not sure is dashed and grey.

        Args:
            photo: as :meth:`Detector.predict` takes it.

        Raises:
            UserError: if it cannot be read, or has another shape than the one predicted for.
        """
        image = load_image(image_source(photo))
        # Whole pixels of a much smaller copy change its shape a little.
        off = image.width * self.image_size[1] - image.height * self.image_size[0]
        if abs(off) > sum(self.image_size):
            raise UserError(
                f"the photo to draw on is {image.width} x {image.height}, which is not the shape"
                f" of the one predicted for ({self.image_size[0]} x {self.image_size[1]})."
            )
        scale = np.tile(np.divide(image.size, self.image_size), 2)
        scaled = np.multiply(self.bbox_xyxy, scale).tolist()
        label = f"{shown_name(self.class_name)} {percent(self.score, 0)}{'' if self.sure else '?'}"
        colour = class_colour(self.class_name) if self.sure else UNSURE_COLOUR
        return draw_boxes(image, [LabelledBox(scaled, colour, label, dashed=not self.sure)])


class Detector:
    """A trained network with everything needed to predict for photos.

    Args:
        model: it stays as it is; of a PyTorch network a copy is used.
        info: class names, canvas size, normalisation; by default what ``model`` itself knows,
            which is all there is after ``LargestObjectDetector.from_pretrained``.
        device: ``None`` takes a GPU if there is one.
        bf16: compute in bf16; ``None`` does so where the device has it.
    """

    def __init__(
        self,
        model: "LargestObjectDetector | OnnxNetwork",
        info: CheckpointInfo | None = None,
        device: torch.device | str | None = None,
        bf16: bool | None = None,
    ) -> None:
        info = info or CheckpointInfo(model.class_names, model.image_size, model.head_name)
        self.device = torch.device(device or best_device())
        self.info = info
        self.class_names = info.class_names
        self.threshold = info.calibration.threshold if info.calibration else UNCALIBRATED_THRESHOLD
        self.bf16 = has_native_bf16(self.device) if bf16 is None else bf16
        if isinstance(model, LargestObjectDetector):
            model = inference_copy(model, self.bf16)
        self.model = model.to(self.device)
        self._pipeline = Pipeline(AugmentConfig.none(), info.image_size, info.mean, info.std)

    def predict(self, source: Any, flip: bool = False, looks: int | None = None) -> Detection:
        """The largest object of one photo.

        Args:
            source: see :func:`model.data.photo_inputs.image_source`: a path, a file or its bytes,
                a PIL image, an array, a tensor or nested lists; grey or with transparency too.
            flip: predict the mirrored photo too and average both: slower, a little better
                (docs/experiments.md: by how much).
            looks: 1 looks at the whole photo alone, 2 looks a second time at what seems small
                (:mod:`model.second_look`); ``None`` as the checkpoint says.

        Raises:
            UserError: if the photo cannot be read; the text says why.
        """
        return self.predict_batch([source], flip, looks)[0]

    def predict_batch(
        self, sources: Sequence[Any], flip: bool = False, looks: int | None = None
    ) -> list[Detection]:
        """:meth:`predict` for several photos, a pass for each look; ``[]`` for none."""
        if isinstance(sources, str | bytes | Path | Image.Image):
            raise UserError("predict_batch takes a list of photos. For one there is predict.")
        given = [image_source(source) for source in sources]
        photos = [self.load(source, looks) for source in given]
        detections = self.predict_loaded(photos, flip, looks)
        return [replace(d, source=source) for d, source in zip(detections, given, strict=True)]

    def reading_side(self, looks: int | None = None) -> int:
        """Longest side, in pixels, of the copy that :meth:`load` reads."""
        return working_side(self.info.image_size) * (DETAIL if self.info.second_look(looks) else 1)

    def load(self, source: Any, looks: int | None = None) -> LoadedImage:
        """Read a photo no larger than ``looks`` of it need."""
        return load_fitted(image_source(source), self.reading_side(looks))

    def load_each(
        self, files: Sequence[Path], looks: int | None = None
    ) -> Iterator[LoadedImage | UserError]:
        """:meth:`load` for many files, on all cores: images, or what is wrong with one."""
        return load_each(files, self.reading_side(looks))

    def predict_loaded(
        self,
        photos: Sequence[LoadedImage],
        flip: bool = False,
        looks: int | None = None,
        inputs: Sequence[Tensor] = (),
    ) -> list[Detection]:
        """:meth:`predict_batch` for photos that :meth:`load` read.

        Args:
            inputs: what :meth:`preprocess` makes of the photos, where that was done already.
        """
        second_look = self.info.second_look(looks)
        if not photos:
            return []
        predicted = self.predict_inputs(inputs or [self.preprocess(p.image) for p in photos], flip)
        again = torch.zeros(len(photos), dtype=torch.bool)
        if second_look:
            again = second_look.is_wanted(predicted.bbox_xyxy, self.info.image_size)
            predicted = self._look_again(photos, predicted, again, second_look, flip)
        return [
            self.detection(one, photo.original_size, 2 if twice else 1)
            for photo, one, twice in zip(photos, per_image(predicted), again.tolist(), strict=True)
        ]

    def predict_inputs(self, inputs: Sequence[Tensor], flip: bool = False) -> BatchPrediction:
        """One pass over what :meth:`preprocess` makes of photos; float32 on the CPU."""
        batch = torch.stack(list(inputs)).to(self.device)
        batch = batch.contiguous(memory_format=torch.channels_last)
        with self.autocast():
            return on_cpu(predict_batch(self.model, batch, flip))

    def _look_again(
        self,
        photos: Sequence[LoadedImage],
        first: BatchPrediction,
        again: Tensor,
        second_look: SecondLook,
        flip: bool,
    ) -> BatchPrediction:
        """One pass over the windows of the photos that are to be seen ``again``, bool ``(N,)``."""
        rows = again.nonzero().flatten()
        if not len(rows):
            return first
        canvas, wanted = self.info.image_size, first.map(lambda tensor: tensor[rows])
        windows = second_look.windows(wanted.bbox_xyxy, canvas)
        pairs = zip(rows.tolist(), windows, strict=True)
        cuts = [cut_window(photos[row].image, window, canvas) for row, window in pairs]
        second = self.predict_inputs([self.preprocess(picture) for picture, _ in cuts], flip)
        shown = torch.stack([window for _, window in cuts])
        return first.with_rows(rows, second_look.merge(wanted, second, shown, canvas))

    def autocast(self) -> torch.autocast:
        """What :attr:`model` computes in."""
        return autocast(self.device, self.bf16)

    def preprocess(self, image: Image.Image) -> Tensor:
        """RGB photo -> float32 ``(3, S, S)`` normalised: the training pipeline, nothing drawn."""
        image = load_fitted(image, working_side(self.info.image_size)).image
        whole = torch.tensor([[0.0, 0.0, image.width, image.height]])
        return self._pipeline(image, whole).image

    def detection(
        self, predicted: BatchPrediction, size: tuple[int, int], looks: int = 1
    ) -> Detection:
        """One image's prediction, in pixels of a photo of ``(width, height)``."""
        scale = torch.tensor(size * 2) / self.info.image_size
        probabilities, calibration = predicted.probabilities, self.info.calibration
        score = float(probabilities.max())
        if calibration:
            score = float(calibration.score(predicted.evidence))
            probabilities = calibration.probabilities(probabilities)
        values, order = probabilities.sort(descending=True)
        in_order = zip(order.tolist(), values.tolist(), strict=True)
        ranked = {self.class_names[i]: value for i, value in in_order}
        name = next(iter(ranked))
        x1, y1, x2, y2 = (predicted.bbox_xyxy * scale).tolist()
        attention = None if predicted.attention is None else predicted.attention.numpy()
        sure = score >= self.threshold
        return Detection(name, score, (x1, y1, x2, y2), ranked, size, sure, looks, attention)


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
    return Detector(*load_checkpoint(checkpoint), device)


def csv_row(file: Path | str, d: Detection) -> list[object]:
    """A row under :data:`CSV_HEADER`.

    Corners are pixels of the original upright photo; ``sure`` is ``true`` or ``false``, as in JSON.
    """
    corners = [round(v, 1) for v in d.bbox_xyxy]
    sure = "true" if d.sure else "false"
    return [str(file), d.class_name, round(d.score, 4), *corners, *d.image_size, sure]
