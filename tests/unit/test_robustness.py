import numpy as np
import pytest
import torch
from conftest import step_of
from PIL import Image

from model.augment import AugmentConfig
from model.boxes import paired_iou
from model.inference import Detector
from model.inspect.robustness import VariantPrediction, predict_variants
from model.inspect.variants import make_variants
from model.network.detector import LargestObjectDetector


def test_every_variant_is_predicted_and_compared_with_its_own_box():
    torch.manual_seed(0)
    detector = Detector(LargestObjectDetector(image_size=64).eval(), device="cpu")
    noise = np.random.default_rng(0).integers(0, 255, (100, 140, 3), dtype=np.uint8)
    variants = make_variants(
        Image.fromarray(noise), (30, 20, 110, 80), AugmentConfig(), 64, count=3
    )
    predicted = predict_variants(detector, variants)
    assert len(predicted) == 3
    for variant, one in zip(variants, predicted, strict=True):
        alone = predict_variants(detector, [variant])[0]
        assert one.class_name == alone.class_name
        assert one.bbox_xyxy == pytest.approx(alone.bbox_xyxy, abs=0.01)
        truth = step_of(variant, "network").bbox_xyxy.unsqueeze(0)
        overlap = paired_iou(torch.tensor([one.bbox_xyxy]), truth)
        assert one.iou == pytest.approx(float(overlap), abs=1e-4)
        assert 0 < one.score <= 1
    assert predict_variants(detector, []) == []


@pytest.mark.parametrize(
    ("score", "iou", "expected", "agreement"),
    [
        (0.9, 0.8, "dog", "agrees"),
        (0.9, 0.8, "", "agrees"),
        (0.9, 0.49, "dog", "disagrees"),
        (0.9, 0.0, "", "disagrees"),
        (0.9, 0.8, "cat", "disagrees"),
        (0.3, 0.8, "dog", "unsure"),
        (0.3, 0.0, "cat", "unsure"),
    ],
)
def test_whether_the_detector_finds_the_object(score, iou, expected, agreement):
    answer = VariantPrediction("dog", score, (0, 0, 1, 1), {"dog": 0.9}, (64, 64), iou=iou)
    assert answer.agreement(0.49, expected) == agreement
