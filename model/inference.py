"""Predict the largest object of a photo.

>>> from model import load_detector
>>> detection = load_detector().predict("photo.jpg")
>>> detection.class_name, detection.score, detection.bbox_xyxy
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

DRAWN_SIDE = 1280  # longest side, in pixels, of the picture that a notebook shows
CSV_HEADER = [
    "file", "class_name", "score", "xmin", "ymin", "xmax", "ymax", "width", "height", "sure",
]  # fmt: skip


@dataclass(frozen=True)
class Detection:
    """The prediction for one photo.

    Attributes:
        class_name: of the largest object.
        score: probability that class and box (IoU >= 0.5) are both right; without a calibration,
            the probability of the class.
        bbox_xyxy: left, top, right, bottom in pixels of the original upright photo.
        probabilities: class name -> probability, all classes, most probable first.
        image_size: ``(width, height)`` of the original upright photo.
        sure: whether ``score`` reaches the checkpoint's threshold. If not, the photo may show none
            of the classes.
        looks: 2 if there was a second look at a window around the object, see
            :mod:`model.second_look`; else 1.
        attention: float32 ``(rows, columns)`` over the whole photo, summing to 1: the weight of
            each place in the predicted box; ``None`` for heads without cells.
        source: the photo as given to :meth:`Detector.predict`, for display in a notebook; ``None``
            after :meth:`Detector.predict_loaded`.
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
        """The verdict in words, with ``threshold`` in place of the checkpoint's."""
        probability = self.probabilities[self.class_name]
        return verdict(self.class_name, self.score, threshold, probability, len(self.probabilities))

    def to_dict(self) -> dict[str, Any]:
        """Rounded values for JSON, without ``attention`` and ``source``."""
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
        """PNG for notebooks: the photo with the box; ``None`` if it can no longer be read."""
        if self.source is None:
            return None
        try:
            photo = load_fitted(self.source, DRAWN_SIDE).image
        except UserError:
            return None  # the notebook then shows __repr__
        buffer = BytesIO()
        self.draw(photo).save(buffer, "PNG")
        return buffer.getvalue()

    def draw(self, photo: Any) -> Image.Image:
        """A copy of the photo with box, class and score; dashed and grey if not sure.

        Args:
            photo: as :meth:`Detector.predict` takes it; of any size, with the aspect ratio of the
                photo predicted for.

        Raises:
            UserError: if it cannot be read, or has another aspect ratio.
        """
        image = load_image(image_source(photo))
        # Rounding to whole pixels changes the aspect ratio of a much smaller copy a little.
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
        model: not changed; a PyTorch network is copied.
        info: class names, canvas size, normalisation, calibration; by default made from ``model``,
            as for ``LargestObjectDetector.from_pretrained``.
        device: by default a GPU if there is one.
        bf16: compute in bf16; by default where the device supports it natively.
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
            source: a path, a file or its bytes, a PIL image, an array, a tensor or nested lists,
                also grey or with transparency; see :func:`model.data.photo_inputs.image_source`.
            flip: also predict the mirrored photo and average both: slower, a little more accurate
                (figures in docs/experiments.md).
            looks: 1 for the whole photo only, 2 for a second look at small objects
                (:mod:`model.second_look`); ``None`` for what the checkpoint states.

        Raises:
            UserError: if the photo cannot be read.
        """
        return self.predict_batch([source], flip, looks)[0]

    def predict_batch(
        self, sources: Sequence[Any], flip: bool = False, looks: int | None = None
    ) -> list[Detection]:
        """:meth:`predict` for a list of photos, with one pass for each look."""
        if isinstance(sources, str | bytes | Path | Image.Image):
            raise UserError("predict_batch takes a list of photos. For one there is predict.")
        sources = [image_source(source) for source in sources]
        photos = [self.load(source, looks) for source in sources]
        detections = self.predict_loaded(photos, flip, looks)
        return [replace(d, source=source) for d, source in zip(detections, sources, strict=True)]

    def reading_side(self, looks: int | None = None) -> int:
        """Longest side, in pixels, of the copy that :meth:`load` reads."""
        return working_side(self.info.image_size) * (DETAIL if self.info.second_look(looks) else 1)

    def load(self, source: Any, looks: int | None = None) -> LoadedImage:
        """Read a photo at the size that ``looks`` needs."""
        return load_fitted(image_source(source), self.reading_side(looks))

    def load_each(
        self, files: Sequence[Path], looks: int | None = None
    ) -> Iterator[LoadedImage | UserError]:
        """:meth:`load` for many files, on all cores; the error of a file that cannot be read."""
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
            inputs: results of :meth:`preprocess` for the photos, if already computed.
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
        """One pass over results of :meth:`preprocess`; the predictions are float32 on the CPU."""
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
        """Second look at the photos selected by ``again``, bool ``(N,)``, in one pass."""
        rows = again.nonzero().flatten()
        if not len(rows):
            return first
        canvas, selected = self.info.image_size, first.map(lambda tensor: tensor[rows])
        windows = second_look.windows(selected.bbox_xyxy, canvas)
        pairs = zip(rows.tolist(), windows, strict=True)
        cuts = [cut_window(photos[row].image, window, canvas) for row, window in pairs]
        second = self.predict_inputs([self.preprocess(picture) for picture, _ in cuts], flip)
        windows = torch.stack([window for _, window in cuts])
        return first.with_rows(rows, second_look.merge(selected, second, windows, canvas))

    def autocast(self) -> torch.autocast:
        """The autocast context in which :attr:`model` runs."""
        return autocast(self.device, self.bf16)

    def preprocess(self, image: Image.Image) -> Tensor:
        """RGB photo -> float32 ``(3, S, S)``, normalised: the training pipeline, not augmented."""
        image = load_fitted(image, working_side(self.info.image_size)).image
        whole = torch.tensor([[0.0, 0.0, image.width, image.height]])
        return self._pipeline(image, whole).image

    def detection(
        self, predicted: BatchPrediction, size: tuple[int, int], looks: int = 1
    ) -> Detection:
        """One image's prediction as a :class:`Detection`, in pixels of a photo of ``size``."""
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
    """Load the shipped detector, or another checkpoint or ONNX file.

    Raises:
        UserError: if the file is missing, broken or of another program, or a package is missing.
    """
    if Path(checkpoint).suffix == ".onnx":
        from model.onnx_network import load_onnx

        return Detector(*load_onnx(Path(checkpoint)), device="cpu")
    return Detector(*load_checkpoint(checkpoint), device)


def csv_row(file: Path | str, detection: Detection) -> list[object]:
    """A row under :data:`CSV_HEADER`.

    Corners are pixels of the original upright photo; ``sure`` is ``true`` or ``false``, as in JSON.
    """
    corners = [round(v, 1) for v in detection.bbox_xyxy]
    score, sure = round(detection.score, 4), "true" if detection.sure else "false"
    return [str(file), detection.class_name, score, *corners, *detection.image_size, sure]
