"""The pictures and words of the Augment tab, without a browser."""

import dataclasses
import json
import random
import re
import zipfile

import pytest
import torch
from conftest import make_voc, step_of, write_voc_xml
from PIL import Image

from demo.backend import Backend
from demo.box_editor import BoxEditor, EditedBox
from demo.choice import PhotoChoice
from demo.views.augment import files, pictures
from demo.views.augment import variants as drawing
from demo.views.augment.boxes import parse_boxes, write_boxes
from demo.views.augment.scene import Scene, offered_class_names, scene_of
from demo.views.augment.state import DETECTOR, OWN, AugmentState, surprise
from model.augment import AugmentConfig
from model.data.samples import PhotoLibrary
from model.errors import UserError

VOC = PhotoChoice("000004")
CAT = PhotoChoice("cat")


@pytest.mark.parametrize("seed", range(50))
def test_surprises_are_valid_settings(seed):
    settings = surprise(random.Random(seed))
    assert 0 <= settings.pop("seed") < 10_000
    assert AugmentConfig(**settings) != AugmentConfig()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (AugmentState(), "choose a photo first"),
        (AugmentState(PhotoChoice("nope")), "there is no sample"),
        (AugmentState(VOC, box_source=OWN, boxes="1, 2, 3"), "is no box"),
        (AugmentState(VOC, box_source=OWN, boxes="9, 9, 3, 3"), "no area"),
        (AugmentState(VOC, seed=None), "seed must be a whole number"),
        (AugmentState(VOC, seed=float("nan")), "seed must be a whole number"),
        (AugmentState(VOC, count=0), "from 1 to 16"),
        (AugmentState(VOC, hue="x"), "must be"),
        (AugmentState(VOC, checkpoint="../x"), "there is no checkpoint"),
    ],
)
def test_augment_says_what_is_wrong(backend, state, words):
    with pytest.raises(UserError, match=words):
        pictures.show_pair(scene_of(backend, state))


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ("1, 2, 30, 40", [("", (1, 2, 30, 40))]),
        ("cat 1 2 30 40.5; dog 5,6,7,8;", [("cat", (1, 2, 30, 40.5)), ("dog", (5, 6, 7, 8))]),
        ("cat: 1, 2, 30, 4e1", [("cat", (1, 2, 30, 40))]),
        (
            "traffic light 1 2 3 4; Bus-2 5 6 7 8",
            [("traffic light", (1, 2, 3, 4)), ("Bus-2", (5, 6, 7, 8))],
        ),
    ],
)
def test_boxes_as_people_type_them(text, boxes):
    read = parse_boxes(text)
    assert [(box["class_name"], box["bbox_xyxy"]) for box in read] == boxes
    assert parse_boxes(write_boxes(read)) == read


@pytest.mark.parametrize(
    "text",
    ["", ";", "1,2,3", "a b c d", "1 2 3 inf", "1 2 3 4 5", "x" * 101 + " 1 2 3 4", "1;" * 9],
)
def test_what_is_no_box_is_refused(text):
    with pytest.raises(UserError):
        parse_boxes(text)


def test_a_difficult_object_is_no_target_however_large(tmp_path):
    root = make_voc(tmp_path / "VOC2007", 4, 2)
    objects = [("sheep", 1, 1, 80, 110, 1), ("cat", 20, 20, 60, 60)]
    write_voc_xml(root, "000004", (90, 120), objects)
    own, state = Backend(PhotoLibrary(root)), AugmentState(VOC)
    scene = scene_of(own, state)
    assert [box["class_name"] for box in scene.boxes] == ["cat", "sheep"]
    assert scene_of(own, dataclasses.replace(state, boxes=write_boxes(scene.boxes))) == scene


@pytest.mark.parametrize("n_objects", [42, 101])  # VOC's most, and more than the editor takes
def test_a_crowd_can_be_augmented(tmp_path, n_objects):
    """Its boxes go through the text field, which every handler reads them from."""
    root = make_voc(tmp_path / "VOC2007", 4, 2)
    crowd = [("sheep", 1, 1, 80 - i % 40, 60 + i % 2) for i in range(n_objects)]
    write_voc_xml(root, "000004", (90, 120), crowd)
    own, state = Backend(PhotoLibrary(root)), AugmentState(VOC)
    scene = scene_of(own, state)
    assert len(scene.boxes) == min(n_objects, 100)
    typed = dataclasses.replace(state, boxes=write_boxes(scene.boxes))
    assert scene_of(own, typed) == scene
    assert len(scene_of(own, dataclasses.replace(typed, box_source=OWN)).boxes) == len(scene.boxes)
    assert BoxEditor().preprocess({"boxes": list(scene.boxes)})["boxes"] == list(scene.boxes)


@pytest.mark.parametrize("name", ["7", "a;b", " a", "a:", "a\nb", "a" * 101])
def test_a_name_that_could_not_be_read_again_is_not_written(name):
    box = EditedBox(bbox_xyxy=(1, 2, 3, 4), class_name=name)
    assert write_boxes([box]) == "1, 2, 3, 4"


def test_a_data_set_of_ones_own_has_its_own_classes(tmp_path):
    """Boxes go through the text field, which every handler reads them from."""
    root = make_voc(tmp_path / "VOC2007", 4, 2, classes=("traffic light", "Bus-2"))
    own = Backend(PhotoLibrary(root))
    state = AugmentState(VOC)
    scene = scene_of(own, state)
    assert [box["class_name"] for box in scene.boxes] == ["traffic light", "Bus-2"]
    typed = dataclasses.replace(state, box_source=OWN, boxes=write_boxes(scene.boxes))
    assert scene_of(own, typed).boxes == scene.boxes
    new = dataclasses.replace(state, box_source=OWN, boxes="mug 1 2 30 40")
    assert scene_of(own, new).class_name == "mug"
    assert {"Bus-2", "traffic light", "cat"} <= set(offered_class_names(own))


def test_a_box_too_thin_is_refused_in_pixels_of_the_photo(backend, tmp_path):
    large = tmp_path / "large.jpg"
    Image.new("RGB", (4000, 3000)).save(large)

    def scene(width: float) -> Scene:
        boxes = f"100, 100, {100 + width}, 900"
        return scene_of(backend, AugmentState(PhotoChoice(upload=str(large)), boxes=boxes))

    with pytest.raises(UserError, match="too thin: on this photo of 4000 x 3000 pixels") as refused:
        scene(3)
    least = int(re.search(r"at least (\d+) pixels wide", str(refused.value))[1])
    with pytest.raises(UserError, match="too thin"):
        scene(least - 1)
    assert scene(least).boxes[0]["bbox_xyxy"] == (100, 100, 100 + least, 900)


def test_the_largest_box_is_the_target_and_the_others_follow(backend):
    state = AugmentState(
        CAT, box_source=OWN, boxes="dog 10, 10, 60, 60; cat 100, 20, 380, 290", flip_probability=1,
        zoom=1.0,
    )  # fmt: skip
    scene = scene_of(backend, state)
    assert [box["class_name"] for box in scene.boxes] == ["cat", "dog"]
    flipped = step_of(drawing.variants_of(scene)[0], "flip")
    width = scene.inspection.working_copy.image.width
    x1, y1, x2, y2 = scene.working_boxes[1]
    assert flipped.others[0].tolist() == pytest.approx([width - x2, y1, width - x1, y2], abs=0.01)
    assert pictures.show_pair(scene_of(backend, state)).after.count('rect class="line object"') == 1


def test_the_variant_shown_has_all_that_is_switched_on(backend):
    """Not one in which a step that is on happened to do nothing."""
    for seed in range(6):
        state = AugmentState(VOC, seed=seed, count=16, grey_probability=0.5)
        scene = scene_of(backend, state)
        variants = drawing.draw_variants(scene)
        counts = [sum(bool(step.words) for step in v.trace.steps) for v in variants]
        number = drawing.picked_number(scene)
        assert counts[number - 1] == max(counts)
        assert abs(step_of(variants[number - 1], "rotation").params["angle"]) > 1, "to be seen"
        assert drawing.picked_variant(scene).number == number
        pressed = scene_of(backend, dataclasses.replace(state, picked="2"))
        assert drawing.picked_number(pressed) == 2


def test_the_variant_shown_stays_while_a_box_is_dragged(backend):
    state = AugmentState(VOC, count=16, rotation_degrees=30.0, zoom=2.0, min_visible=0.8)
    before = drawing.picked_number(scene_of(backend, state))
    for x in range(0, 60, 5):
        dragged = dataclasses.replace(state, box_source=OWN, boxes=f"{x}, 1, {x + 25}, 30")
        assert drawing.picked_number(scene_of(backend, dragged)) == before


def test_one_that_was_pressed_beyond_those_of_the_grid_is_shown_beside_them(backend):
    scene = scene_of(backend, AugmentState(VOC, picked="10", count=3))
    assert "variant 10 beyond the 3 below." in pictures.show_pair(scene).after
    variants = drawing.variants_of(scene)
    assert [variant.number for variant in variants] == [1, 2, 3]
    assert len(drawing.answers_of(scene, variants)) == 3


def test_why_more_is_visible_again_is_said_where_it_is(backend):
    scene = scene_of(backend, AugmentState(VOC))
    variant = drawing.picked_variant(scene)
    said = []
    for shares in ((1.0, 0.7, 0.9), (1.0, 0.9, 0.7)):
        steps = [
            dataclasses.replace(step, all_visible=torch.tensor([share]))
            for step, share in zip(variant.trace.steps, shares, strict=False)
        ]
        trace = dataclasses.replace(variant.trace, steps=steps)
        strip = pictures.steps_strip(dataclasses.replace(variant, trace=trace), scene)
        said.append("brings back what an earlier one moved out" in strip)
    assert said == [True, False]


def test_a_box_in_order_is_not_a_detector_that_agrees(backend):
    """Two marks: nothing is done to the box, and yet nobody finds the object."""
    state = AugmentState(CAT, count=1, threshold=0.0, **vars(AugmentConfig.none()))
    scene = scene_of(backend, state)
    variants = drawing.variants_of(scene)
    (answer,) = drawing.answers_of(scene, variants)
    elsewhere = dataclasses.replace(answer, iou=0.0, score=0.9, class_name="cat")
    grid = pictures.variants_grid(variants, scene, 1, [elsewhere])
    assert 'class="health good"' in grid
    assert "badge disagrees" in grid
    assert 'tile good"' not in grid
    likely = {**answer.probabilities, "cat": 0.6}
    unsure = dataclasses.replace(answer, score=0.3, class_name="cat", probabilities=likely)
    strict = dataclasses.replace(scene, state=dataclasses.replace(state, threshold=0.49))
    marks = pictures.show_answers(variants, [unsure], strict)
    assert "in 0 of 1" in marks
    assert "is not sure (below 49 %) of 1" in marks


def test_a_box_that_grew_much_is_not_in_order(backend):
    scene = scene_of(backend, AugmentState(CAT, count=1, **vars(AugmentConfig.none())))
    (variant,) = drawing.variants_of(scene)
    kinds = []
    for growth in (0.1, 0.96):
        *before, last = variant.trace.steps
        steps = [*before, dataclasses.replace(last, growth=growth)]
        trace = dataclasses.replace(variant.trace, steps=steps)
        kinds.append(pictures.health_kind(dataclasses.replace(variant, trace=trace)))
    assert kinds == ["good", "fair"]


def test_a_setting_alone_is_drawn_at_its_limits(backend):
    scene = scene_of(backend, AugmentState(VOC, rotation_degrees=30.0, brightness=0.0))
    shown = pictures.show_alone(scene, "rotation_degrees")
    assert "Rotation alone: -30°" in shown
    assert "Rotation alone: +30°" in shown
    assert shown.count("<figure") == 2
    assert pictures.show_alone(scene, "flip_probability").count("<figure") == 1
    assert "nothing is done" in pictures.show_alone(scene, "brightness")


@pytest.mark.parametrize("full_size", [False, True])
def test_the_zip_has_all_boxes_of_the_screen(backend, tmp_path, full_size):
    state = AugmentState(
        CAT, box_source=OWN, boxes="dog 10, 10, 60, 60; cat 100, 20, 380, 290; mug 5 200 90 290",
        count=2, flip_probability=1, rotation_degrees=0.0, zoom=1.0,
    )  # fmt: skip
    scene = scene_of(backend, state)
    path = files.zip_download(scene, files.PHOTO if full_size else files.CANVAS)
    with zipfile.ZipFile(path) as archive:
        coco = json.loads(archive.read("coco.json"))
    names = {one["id"]: one["name"] for one in coco["categories"]}
    assert len(coco["images"]) == 2
    for image in coco["images"]:
        mine = [a for a in coco["annotations"] if a["image_id"] == image["id"]]
        assert [names[a["category_id"]] for a in mine] == ["cat", "mug", "dog"]
        assert all(a["visible"] == 1 for a in mine)
        width, height = scene.inspection.working_copy.original_size
        side = scene.inspection.detector.info.image_size
        assert (image["width"], image["height"]) == ((width, height) if full_size else (side, side))
        x1, y1, x2, y2 = 100, 20, 380, 290  # mirrored
        expected = [
            (width - x2) * image["width"] / width, y1 * image["height"] / height,
            (x2 - x1) * image["width"] / width, (y2 - y1) * image["height"] / height,
        ]  # fmt: skip
        assert mine[0]["bbox"] == pytest.approx(expected, abs=0.1)


def test_one_variant_is_as_among_all(backend):
    state = AugmentState(VOC, picked="3", count=4)
    scene = scene_of(backend, state)
    (alone,) = drawing.draw_variants(scene, 3, 1)
    among = drawing.draw_variants(scene)[2]
    assert alone.seed == among.seed
    assert alone.picture.image.tobytes() == among.picture.image.tobytes()


@pytest.mark.slow
def test_what_pair_and_grid_both_need_is_computed_once(backend, monkeypatch):
    drawn, asked = [], []
    make, ask = drawing.make_variants, drawing.predict_variants_batched

    def making(*arguments, **options):
        variants = make(*arguments, **options)
        drawn.extend(variant.number for variant in variants)
        return variants

    def asking(file, variants):
        asked.extend(variant.number for variant in variants)
        return ask(file, variants)

    monkeypatch.setattr(drawing, "make_variants", making)
    monkeypatch.setattr(drawing, "predict_variants_batched", asking)
    state = AugmentState(VOC, picked="2", count=4, seed=77)
    pictures.show_pair(scene_of(backend, state))
    scene = scene_of(backend, state)
    variants = drawing.variants_of(scene)
    answers = drawing.answers_of(scene, variants)
    assert [variant.number for variant in variants] == [1, 2, 3, 4]
    assert sorted(drawn) == sorted(asked) == [1, 2, 3, 4]
    assert [answer.iou for answer in answers] == pytest.approx(
        [answer.iou for answer in ask(backend.checkpoint_file(), variants)], abs=1e-4
    )


def test_variants_do_not_wait_for_the_detector(backend, monkeypatch):
    monkeypatch.setattr(
        drawing, "predict_variants_batched", lambda file, variants: pytest.fail("was asked")
    )
    state = AugmentState(VOC, count=3, seed=78)
    scene = scene_of(backend, state)
    variants = drawing.variants_of(scene)
    assert pictures.variants_grid(variants, scene, 1).count("data-key") == 3


def test_the_extremes_are_those_of_the_settings(backend):
    state = dataclasses.replace(AugmentState(VOC), rotation_degrees=30.0, zoom=1.0, brightness=0.0)
    shown = pictures.show_extremes(scene_of(backend, state))
    assert "+30°" in shown
    assert "-30°" in shown
    assert "darkest" not in shown
    off = dataclasses.replace(state, **vars(AugmentConfig.none()))
    assert "Nothing is switched on" in pictures.show_extremes(scene_of(backend, off))


def test_the_hull_is_advised_against_and_the_ellipse_not(backend):
    for rule, expected in (("hull", True), ("ellipse", False)):
        state = AugmentState(VOC, rotation_degrees=30.0, box_rule=rule)
        variants = drawing.variants_of(scene_of(backend, state))
        assert ("learn loose boxes" in pictures.show_advice(state.config, variants)) == expected


def test_what_is_off_takes_a_line_not_a_picture(backend):
    state = AugmentState(VOC, rotation_degrees=0.0, blur=2.0)
    shown = pictures.show_pair(scene_of(backend, state)).steps
    assert 'data-step="rotation"' not in shown
    assert 'data-step="blur"' in shown
    assert "Off: rotation, shear, perspective, grey, noise, JPEG, erased patches." in shown


def test_both_estimates_are_drawn_where_the_box_becomes_uncertain(backend):
    state = AugmentState(VOC, rotation_degrees=40.0, zoom=1.2)
    shown = pictures.show_pair(scene_of(backend, state)).steps
    assert shown.count('rect class="line hull"') == shown.count('rect class="line ellipse"') == 1
    assert "dotted white around the rotated corners (hull), dashed" in shown
    assert "training uses the ellipse" in shown
    assert shown.index('data-step="rotation"') < shown.index("line hull")
    assert shown.index("line hull") < shown.index('data-step="zoom"')


def test_a_legend_says_why_a_picture_has_another_shape(backend):
    shapes = {
        zoom: "Shape: width and height are zoomed apart" in pictures.show_pair(
            scene_of(backend, AugmentState(VOC, zoom=zoom, seed=1))
        ).after
        for zoom in (1.0, 3.0)
    }  # fmt: skip
    assert shapes == {1.0: False, 3.0: True}


def test_of_two_settings_it_says_whose_the_rest_is(backend):
    alone = pictures.show_pair(scene_of(backend, AugmentState(VOC)))
    both = pictures.show_pair(scene_of(backend, AugmentState(VOC, pinned="zoom:1")))
    words = "steps, limits, variants and downloads are B"
    assert (words in alone.steps, words in both.steps) == (False, True)
    assert "A has Zoom 1 (B: 1.8); everything else is as in B." in both.steps
    same = pictures.show_pair(scene_of(backend, AugmentState(VOC, zoom=1, pinned="zoom:1")))
    assert "A and B are the same." in same.steps


def test_what_the_detector_was_not_sure_of_it_does_not_say_still(backend):
    unsure = AugmentState(CAT, box_source=DETECTOR, threshold=1.0)
    sure = dataclasses.replace(unsure, threshold=0.0)
    for state, label, clause in ((sure, ">cat<", "still says cat"), (unsure, ">cat?<", "not sure")):
        pair = pictures.show_pair(scene_of(backend, state))
        assert label in re.sub(r"\s+", "", pair.after)
        assert clause in pair.sentence
        assert ("still says" in pair.sentence) == (state is sure)


def test_a_class_the_detector_does_not_know_is_said_to_be_one(backend):
    shown = []
    for name in ("cat", "mug"):
        state = AugmentState(CAT, box_source=OWN, boxes=f"{name} 100 60 400 280", count=1)
        scene = scene_of(backend, state)
        variants = drawing.variants_of(scene)
        answers = drawing.answers_of(scene, variants)
        shown.append(pictures.show_answers(variants, answers, scene))
    assert ["20 classes, and mug is none of them" in html for html in shown] == [False, True]
