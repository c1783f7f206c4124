"""Whether the detector still finds the object after the augmentation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from model.boxes import MATCH_IOU, paired_iou
from model.inference import Detection, Detector
from model.inspect.variants import Variant
from model.predictions import per_image

Agreement = Literal["agrees", "unsure", "disagrees"]


@dataclass(frozen=True)
class VariantPrediction(Detection):
    """The prediction for one variant, in pixels of the square canvas.

    Attributes:
        iou: IoU of the predicted box with the augmented true box.
    """

    iou: float = 0.0

    def agreement(self, threshold: float, class_name: str) -> Agreement:
        """Whether the detector finds the object: sure, of the right class, with a fitting box.

        Args:
            threshold: see :meth:`model.inference.Detection.verdict`.
            class_name: true class; empty if unknown.
        """
        if self.score < threshold:
            return "unsure"
        same = class_name in ("", self.class_name)
        return "agrees" if same and self.iou >= MATCH_IOU else "disagrees"


def predict_variants(detector: Detector, variants: Sequence[Variant]) -> list[VariantPrediction]:
    """Predict every variant from the same tensor that training would get."""
    if not variants:
        return []
    batch = detector.predict_inputs([variant.trace.network for variant in variants])
    predictions = []
    for variant, one in zip(variants, per_image(batch), strict=True):
        detection = detector.detection(one, variant.canvas.image.size)
        iou = float(paired_iou(one.bbox_xyxy, variant.canvas.bbox_xyxy))
        predictions.append(VariantPrediction(**vars(detection), iou=iou))
    return predictions
