"""Does the detector still see the object after the augmentation?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from model.boxes import FITS_IOU, paired_iou
from model.inference import Detection, Detector
from model.inspect.variants import Variant
from model.predictions import per_image

Agreement = Literal["agrees", "unsure", "disagrees"]


@dataclass(frozen=True)
class VariantPrediction(Detection):
    """What the detector predicts for one variant, in pixels of the square canvas.

    Attributes:
        iou: of the predicted box with the one the augmentation gave the object.
    """

    iou: float = 0.0

    def agreement(self, threshold: float, class_name: str) -> Agreement:
        """Whether the detector finds the object: sure of its class, with a box that overlaps.

        Args:
            threshold: see :meth:`model.inference.Detection.verdict`.
            class_name: what the object is; empty if nobody knows.
        """
        if self.score < threshold:
            return "unsure"
        same = class_name in ("", self.class_name)
        return "agrees" if same and self.iou >= FITS_IOU else "disagrees"


def predict_variants(detector: Detector, variants: Sequence[Variant]) -> list[VariantPrediction]:
    """Predict every variant, from the very tensors training would see."""
    if not variants:
        return []
    predicted = detector.predict_inputs([variant.trace.network for variant in variants])
    found = []
    for variant, one in zip(variants, per_image(predicted), strict=True):
        detection = detector.detection(one, variant.canvas.image.size)
        iou = float(paired_iou(one.bbox_xyxy, variant.canvas.bbox_xyxy))
        found.append(VariantPrediction(**vars(detection), iou=iou))
    return found
