"""model/before_after.py: words and the ghost box beside a variant."""

import numpy as np
import pytest
import torch
from conftest import step_of
from PIL import Image

from model.augment import AugmentConfig, Pipeline
from model.inspect.captions import caption, ghost_box, sentence
from model.inspect.robustness import VariantPrediction
from model.inspect.variants import Variant, extremes, make_variants

BOX = (30.0, 20.0, 110.0, 80.0)
PHOTO = Image.fromarray(np.full((100, 140, 3), 120, np.uint8))
HULL = AugmentConfig(box_rule="hull", zoom=2)


def chosen(config: AugmentConfig = HULL, box=BOX, **steps: dict) -> Variant:
    pipeline = Pipeline(config, 64)
    plan = pipeline.chosen_plan(PHOTO.size, steps)
    trace = pipeline.trace(PHOTO, torch.tensor([box]), plan=plan)
    return Variant(1, 0, trace)


def answered(name: str, score: float, probability: float, iou: float) -> VariantPrediction:
    probabilities = {name: probability, **{f"other {i}": 0.0 for i in range(19)}}
    return VariantPrediction(name, score, (0, 0, 1, 1), probabilities, (64, 64), iou=iou)


def window(width: int, height: int) -> dict:
    return {"left": 0, "top": 0, "width": width, "height": height}


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ({}, "unchanged"),
        ({"flip": {"flipped": True}}, "mirrored"),
        ({"rotation": {"angle": 12.3}}, "+12°"),
        ({"rotation": {"angle": -7.9}}, "-8°"),
        ({"rotation": {"angle": 0.31}}, "+0.31°"),
        ({"shear": {"lean": 12.0, "slope": -5.04}}, "leaning 12° left, sloping 5° up"),
        ({"shear": {"lean": -12.0, "slope": 0.01}}, "leaning 12° right"),
        ({"zoom": window(70, 50)}, "zoom 2"),
        ({"zoom": window(156, 111)}, "zoom 0.9"),
        ({"zoom": window(100, 125)}, "zoom 1.4 x 0.8"),
        ({"zoom": window(128, 88)}, "zoom 1.1"),  # 1.09 wide and 1.14 high
        ({"jitter": {"brightness_factor": 0.8}}, "darker 20 %"),
        ({"jitter": {"brightness_factor": 1.004}}, "unchanged"),
        ({"jitter": {"contrast_factor": 1.25}}, "more contrast 25 %"),
        ({"jitter": {"saturation_factor": 0.5, "hue_factor": -0.1}}, "greyer 50 %, hue -0.1"),
        (
            {
                "flip": {"flipped": True},
                "rotation": {"angle": 12.0},
                "jitter": {"brightness_factor": 0.8},
            },
            "mirrored, +12°, darker 20 %",
        ),
    ],
)
def test_captions_say_what_was_done(steps, words):
    assert caption(chosen(**steps).trace) == words


def test_every_step_has_words_that_are_empty_where_it_did_nothing():
    trace = chosen(flip={"flipped": True}, jitter={"brightness_factor": 1.5}).trace
    assert [", ".join(step.words) for step in trace.steps] == [
        "original", "mirrored", "", "", "brighter 50 %", "resized to 64 x 64", "normalised",
    ]  # fmt: skip


def test_nothing_is_on():
    (variant,) = make_variants(PHOTO, BOX, AugmentConfig.none(), 64, count=1)
    assert caption(variant.trace) == "unchanged"
    assert [step.name for step in variant.trace.steps] == ["original", "resize", "network"]


def test_the_sentence_tells_what_became_of_the_box_and_of_the_answer():
    turned = chosen(rotation={"angle": 12.0}, box=(40.0, 30.0, 100.0, 70.0))
    growth = round(100 * turned.canvas.growth)
    answer = answered("cat", 0.9, 0.95, 0.876)
    assert sentence(turned, answer, "cat") == (
        f"Turned 12 degrees: box {growth} % larger, all of it still visible,"
        " the detector still says cat, IoU 0.88."
    )
    assert "the detector now says cat" in sentence(turned, answer, "dog")
    assert "the detector says cat" in sentence(turned, answer)
    assert "detector" not in sentence(turned)


def test_below_the_threshold_the_detector_says_nothing_still():
    variant = chosen()
    answer = answered("dog", 0.3, 0.6, 0.7)
    assert sentence(variant, answer, "dog", 0.49).endswith(
        "the detector is not sure, probably a dog, IoU 0.70."
    )
    unlikely = answered("dog", 0.3, 0.4, 0.7)
    assert sentence(variant, unlikely, "dog", 0.49).endswith("sees none of the 20 classes.")


@pytest.mark.parametrize("angle", [-30.0, 7.0, 0.31])
def test_the_sentence_has_degrees_in_words_and_no_sign(angle):
    said = sentence(chosen(rotation={"angle": angle}))
    assert said.startswith(f"Turned {abs(angle):g} degrees: ")


def test_a_slant_is_called_the_same_everywhere():
    config = AugmentConfig(**vars(AugmentConfig.none()) | {"shear_degrees": 12.0})
    row = extremes(config, PHOTO, BOX, 64)
    assert [extreme.caption for extreme in row] == [
        "leaning 12° right", "leaning 12° left", "sloping 12° up", "sloping 12° down",
    ]  # fmt: skip
    for extreme in row:
        assert caption(extreme.trace) == extreme.caption
        said = extreme.caption.replace("°", " degrees").capitalize()
        assert sentence(extreme).startswith(f"{said}: ")
    left = step_of(row[1], "shear").step
    assert left
    (top, bottom), size = [(70.0, 0.0), (70.0, 100.0)], (140, 100)
    matrix = left.matrix(step_of(row[1], "shear").params, size)
    assert (matrix @ [*top, 1])[0] < (matrix @ [*bottom, 1])[0]


def test_the_sentence_gives_the_share_that_is_left():
    cut = chosen(zoom=window(70, 100))
    assert "50 % still visible" in sentence(cut)
    assert sentence(chosen()) == "Unchanged: all of it still visible."


def test_the_sentence_tells_of_lost_boxes():
    config = AugmentConfig(rotation_degrees=180, min_visible=1.0)
    whole = (0.0, 0.0, 140.0, 100.0)
    variants = make_variants(PHOTO, whole, config, 64, count=8)
    lost = next(v for v in variants if v.trace.gave_up)
    assert "lost in every try" in sentence(lost)
    strict = AugmentConfig(rotation_degrees=45, min_visible=0.95)
    corner = (0.0, 0.0, 60.0, 60.0)
    variants = make_variants(PHOTO, corner, strict, 64, count=16)
    again = next(v for v in variants if v.trace.redraws and not v.trace.gave_up)
    assert "drawn again" in sentence(again)


def test_the_ghost_is_the_old_box_in_the_size_of_the_result():
    variant = chosen(rotation={"angle": 20.0}, zoom=window(70, 200))
    assert ghost_box(variant.trace, variant.trace.steps[0]) == BOX
    assert ghost_box(variant.trace, step_of(variant, "rotation")) == BOX
    assert ghost_box(variant.trace, variant.picture) == (15, 40, 55, 160)
    for name in ("resize", "network"):
        ghost = ghost_box(variant.trace, step_of(variant, name))
        assert ghost == pytest.approx((30 * 64 / 140, 12.8, 110 * 64 / 140, 51.2))
