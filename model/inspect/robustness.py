"""Does the detector still see the object after the augmentation?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from model.boxes import BoxXyxy, paired_iou
from model.inference import Detector
from model.inspect.variants import Variant
from model.predictions import per_image, predict_batch
from model.words import Verdict, verdict

FOUND_IOU = 0.5
Agreement = Literal["agrees", "unsure", "disagrees"]


@dataclass(frozen=True)
class VariantPrediction:
    """What the detector predicts for one variant.

    Attributes:
        class_name: of the largest object.
        score: see :class:`model.inference.Detection`.
        bbox_xyxy: in pixels of the square canvas.
        iou: of that box with the box the augmentation gave the object.
        probability: of the class.
        n_classes: how many the detector can name.
    """

    class_name: str
    score: float
    bbox_xyxy: BoxXyxy
    iou: float
    probability: float
    n_classes: int

    def verdict(self, threshold: float) -> Verdict:
        """What this amounts to where a score of ``threshold`` is asked for."""
        return verdict(
            self.class_name, self.score, threshold, self.probability, self.n_classes
        )  # fmt: skip

    def agreement(self, threshold: float, class_name: str) -> Agreement:
        """Whether the detector finds the object: sure of its class, with a box that overlaps.

        Args:
            threshold: see :meth:`verdict`.
            class_name: what the object is; empty if nobody knows.
        """
        if self.score < threshold:
            return "unsure"
        same = class_name in ("", self.class_name)
        return "agrees" if same and self.iou >= FOUND_IOU else "disagrees"


def predict_variants(detector: Detector, variants: Sequence[Variant]) -> list[VariantPrediction]:
    """Predict every variant, from the very tensors training would see."""
    if not variants:
        return []
    images = torch.stack([variant.trace.network for variant in variants]).to(detector.device)
    images = images.contiguous(memory_format=torch.channels_last)
    with detector.autocast():
        predicted = per_image(predict_batch(detector.model, images))
    boxes = torch.stack([one.bbox_xyxy for one in predicted])
    overlaps = paired_iou(
        boxes, torch.stack([variant.canvas.bbox_xyxy for variant in variants])
    ).tolist()
    return [
        VariantPrediction(
            detector.class_names[int(one.probabilities.argmax())],
            detector.score(one),
            tuple(one.bbox_xyxy.tolist()),
            overlap,
            float(detector.probabilities(one).max()),
            len(detector.class_names),
        )
        for one, overlap in zip(predicted, overlaps, strict=True)
    ]
