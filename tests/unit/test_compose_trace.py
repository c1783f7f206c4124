"""Tracing a pipeline of torchvision: the same as running it, and what each step did is told."""

import json
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms as v1
from torchvision import tv_tensors
from torchvision.transforms import v2

import model
from model.commands import trace as command
from model.errors import UserError
from model.inspect.compose_input import load_pipeline
from model.inspect.compose_pictures import sentences, shown
from model.inspect.compose_trace import trace_compose

SIZE = (90, 120)  # height, width
BOXES = [[30.0, 20.0, 90.0, 70.0], [0.0, 0.0, 20.0, 20.0], [80.0, 50.0, 120.0, 90.0]]
PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 255, (*SIZE, 3), dtype=np.uint8))


def bounding_boxes(boxes=None, **kwargs):
    values = torch.tensor(BOXES if boxes is None else boxes).reshape(-1, 4)
    return tv_tensors.BoundingBoxes(values, format="XYXY", canvas_size=SIZE, **kwargs)


class Turned(v2.Transform):
    """A transform of one's own that draws as torchvision asks for."""

    def make_params(self, flat_inputs):
        return {"angle": 40 * float(torch.rand(()))}

    def transform(self, inpt, params):
        return self._call_kernel(v2.functional.rotate, inpt, angle=params["angle"])


class Holding(v2.Transform):
    """One that holds another under a name of its own, and counts its calls."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.calls = inner, 0

    def forward(self, *inputs):
        self.calls += 1
        return self.inner(*inputs)


class Called:
    """No ``nn.Module``: a function of image and boxes, with random numbers from elsewhere."""

    def __call__(self, image, target):
        left = random.random() < 0.5 and np.random.rand() < 0.7
        return (v2.functional.horizontal_flip(image) if left else image), target


class DropsLast(v2.Transform):
    """Drops a box without saying which."""

    def forward(self, image, target):
        boxes = target if isinstance(target, torch.Tensor) else target["boxes"]
        moved = tv_tensors.wrap(boxes[:-1] + self.by, like=boxes)
        return image, moved if isinstance(target, torch.Tensor) else {**target, "boxes": moved}

    by = 0.0


LEAVES = [
    lambda: v2.RandomHorizontalFlip(), lambda: v2.RandomVerticalFlip(0.3),
    lambda: v2.RandomRotation(30), lambda: v2.RandomRotation(15, expand=True),
    lambda: v2.RandomAffine(10, translate=(0.2, 0.2), scale=(0.7, 1.3), shear=8),
    lambda: v2.RandomPerspective(0.4, p=0.7), lambda: v2.ElasticTransform(20.0),
    lambda: v2.RandomResizedCrop((48, 64)), lambda: v2.RandomCrop(60, pad_if_needed=True),
    lambda: v2.CenterCrop(70), lambda: v2.Pad(7), lambda: v2.RandomZoomOut(p=0.6),
    lambda: v2.Resize((64, 64)), lambda: v2.ScaleJitter((60, 60)),
    lambda: v2.RandomShortestSize(50),
    lambda: v2.ColorJitter(0.4, 0.4, 0.4, 0.2), lambda: v2.RandomGrayscale(0.5),
    lambda: v2.RandomPhotometricDistort(), lambda: v2.GaussianBlur(3), lambda: v2.RandomInvert(),
    lambda: v2.RandomEqualize(), lambda: v2.RandomPosterize(3), lambda: v2.RandomAutocontrast(),
    lambda: v2.RandomIoUCrop(), lambda: v2.SanitizeBoundingBoxes(min_size=8),
    lambda: v2.SanitizeBoundingBoxes(labels_getter=None), lambda: v2.ClampBoundingBoxes(),
    lambda: v2.ConvertBoundingBoxFormat("CXCYWH"), lambda: v2.Identity(), Turned, Called,
    lambda: DropsLast(), lambda: Holding(v2.RandomHorizontalFlip()),
]  # fmt: skip
TRANSFORMS = st.recursive(
    st.sampled_from(LEAVES).map(lambda make: make()),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(v2.Compose),
        st.lists(inner, min_size=1, max_size=3).map(lambda t: v2.RandomApply(t, p=0.6)),
        st.lists(inner, min_size=1, max_size=3).map(v2.RandomChoice),
        st.lists(inner, min_size=1, max_size=3).map(v2.RandomOrder),
        inner.filter(lambda t: isinstance(t, v2.Transform)).map(Holding),
    ),
    max_leaves=6,
)
ENDINGS = [
    [],
    [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.2] * 3)],
    [v2.ToImage(), v2.ToPureTensor()],
    [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.RandomErasing(p=0.8, inplace=True)],
]


def seed_all(seed):
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


def pixels(image):
    return np.asarray(image)


def run_or_error(run):
    try:
        return run()
    except UserError as error:
        return error
    except Exception as error:
        return error


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=40)
@given(
    st.lists(TRANSFORMS, min_size=1, max_size=4), st.sampled_from(ENDINGS),
    st.integers(0, 2**31), st.sampled_from(["pil", "tensor"]),
)  # fmt: skip
def test_it_is_what_running_the_pipeline_gives(parts, ending, seed, kind):
    compose = v2.Compose([*parts, *ending])
    image = PHOTO if kind == "pil" else v2.functional.to_image(PHOTO)
    target = {"boxes": bounding_boxes(), "labels": torch.tensor([5, 7, 9])}
    given_image = image.copy() if kind == "pil" else tv_tensors.wrap(image.clone(), like=image)
    seed_all(seed)
    expected = run_or_error(lambda: compose(given_image, target))
    seed_all(1)
    before = torch.rand(3), random.random(), np.random.rand(3)
    seed_all(1)
    traced = run_or_error(lambda: trace_compose(compose, image, target, seed))
    after = torch.rand(3), random.random(), np.random.rand(3)
    assert torch.equal(before[0], after[0])
    assert before[1] == after[1]
    np.testing.assert_array_equal(before[2], after[2])
    if isinstance(expected, Exception):  # as a crop that is larger than the photo
        assert isinstance(traced, UserError)
        return
    np.testing.assert_array_equal(pixels(traced.image), pixels(expected[0]))
    assert type(traced.image) is type(expected[0])
    assert torch.equal(traced.target["boxes"], expected[1]["boxes"])
    assert type(traced.target["boxes"]) is type(expected[1]["boxes"])
    assert torch.equal(traced.target["labels"], expected[1]["labels"])
    last = traced.steps[-1]
    np.testing.assert_array_equal(pixels(last.image), pixels(expected[0]))
    assert len(last.boxes) == len(expected[1]["boxes"])
    for step in traced.steps:
        json.dumps(step.params)
        assert all(box.visible is None or -1e-6 <= box.visible <= 1 for box in step.boxes)
        assert " ".join(sentences(step)) is not None


@pytest.mark.parametrize("given_as", ["lists", "array", "tensor", "boxes"])
def test_boxes_are_passed_on_alone_where_there_are_no_labels(given_as):
    compose = v2.Compose([v2.RandomRotation(30), v2.RandomHorizontalFlip()])
    boxes = {
        "lists": BOXES, "array": np.array(BOXES), "tensor": torch.tensor(BOXES),
        "boxes": bounding_boxes(),
    }[given_as]  # fmt: skip
    traced = trace_compose(compose, PHOTO, boxes, 4)
    torch.manual_seed(4)
    image, expected = compose(PHOTO, bounding_boxes())
    np.testing.assert_array_equal(pixels(traced.image), pixels(image))
    assert torch.equal(traced.target, expected)


def test_what_was_drawn_is_what_was_used():
    traced = trace_compose(v2.Compose([v2.RandomRotation(30)]), PHOTO, BOXES, 4)
    angle = traced.steps[1].params["angle"]
    again = v2.functional.rotate(bounding_boxes(), angle)
    assert torch.equal(again.as_subclass(torch.Tensor), traced.target.as_subclass(torch.Tensor))


def test_coins_and_choices_are_told():
    never, always = v2.RandomApply([v2.GaussianBlur(3)], p=0.0), v2.RandomVerticalFlip(p=0.0)
    compose = v2.Compose([
        never, always, v2.RandomChoice([v2.Identity(), v2.RandomInvert(p=1)], p=[0, 1]),
        v2.RandomApply([v2.Compose([v2.Identity()])], p=1.0),
    ])  # fmt: skip
    steps = trace_compose(compose, PHOTO, BOXES).steps
    assert [(step.title, step.applied) for step in steps] == [
        ("original", True), ("RandomApply", False), ("RandomVerticalFlip", False),
        ("RandomChoice: 2 of 2 > RandomInvert", True), ("RandomApply > Compose > Identity", True),
    ]  # fmt: skip
    assert list(sentences(steps[1])) == ["left out by chance"]


def test_the_order_drawn_is_told():
    compose = v2.RandomOrder([v2.Identity(), v2.RandomInvert(1), v2.RandomSolarize(9, 1)])
    torch.manual_seed(11)
    order = torch.randperm(3).tolist()
    steps = trace_compose(compose, PHOTO, BOXES, 11).steps[1:]
    assert [step.within for step in steps] == [(f"RandomOrder: {i + 1} of 3",) for i in order]


def test_it_says_which_boxes_were_dropped():
    compose = v2.Compose([v2.SanitizeBoundingBoxes(min_size=30), v2.RandomHorizontalFlip(1)])
    steps = trace_compose(compose, PHOTO, BOXES, labels=["dog", "cat", "cow"]).steps
    assert [box.name for box in steps[1].dropped] == ["box 2 (cat)"]
    assert [(box.number, box.label) for box in steps[2].boxes] == [(0, "dog"), (2, "cow")]
    assert "box 2 (cat) dropped" in list(sentences(steps[1]))


def test_a_step_that_drops_boxes_silently_is_seen_through_where_it_can_be():
    steps = trace_compose(v2.Compose([DropsLast()]), PHOTO, BOXES).steps
    assert [box.number for box in steps[1].dropped] == [2]
    moves_too = DropsLast()
    moves_too.by = 3.0
    step = trace_compose(v2.Compose([moves_too]), PHOTO, BOXES).steps[1]
    assert [box.number for box in step.dropped] == [None]
    assert [box.visible for box in step.boxes] == [None, None]
    assert "box 1" not in " ".join(sentences(step))


def test_a_turned_box_is_measured_as_geometry_has_it():
    square = [[40.0, 25.0, 80.0, 65.0]]
    turn = v2.Compose([v2.RandomRotation((30, 30))])
    (box,) = trace_compose(turn, PHOTO, square).steps[1].boxes
    cos, sin = np.cos(np.radians(30)), np.sin(np.radians(30))
    assert box.growth == pytest.approx((cos + sin) ** 2 - 1, abs=1e-4)
    assert box.visible == 1


def test_what_crops_cut_is_lost_for_good():
    crop = v2.Lambda(lambda x: x[..., :, :], torch.nn.Module)  # touches nothing
    compose = v2.Compose([v2.CenterCrop((90, 60)), crop, v2.Pad(30), v2.Resize((45, 60))])
    steps = trace_compose(compose, PHOTO, [[0.0, 0.0, 60.0, 90.0], [0.0, 0.0, 10.0, 10.0]]).steps
    assert [box.visible for box in steps[1].boxes] == pytest.approx([0.5, 0.0])
    assert [box.visible for box in steps[4].boxes] == pytest.approx([0.5, 0.0])
    assert [box.growth for box in steps[4].boxes] == [pytest.approx(0, abs=1e-5), None]
    assert "box 2: lost" in list(sentences(steps[4]))


def test_the_pipeline_is_left_as_it_was():
    holding = Holding(v2.Compose([v2.RandomHorizontalFlip()]))
    parts = torch.nn.ModuleList([v2.RandomRotation(20)])
    compose = v2.Compose([holding, v2.RandomApply(parts, p=1.0)])
    before = [*compose.modules()], holding.inner, compose.transforms[1].transforms
    image = v2.functional.to_image(PHOTO)
    kept = image.clone()
    boxes = bounding_boxes()
    trace_compose(compose, image, boxes)
    assert [*compose.modules()] == before[0]
    assert holding.inner is before[1]
    assert compose.transforms[1].transforms is before[2] is parts
    assert "make_params" not in vars(parts[0])
    assert torch.equal(image, kept)
    assert boxes.tolist() == BOXES


@pytest.mark.parametrize(
    ("compose", "said"),
    [
        (v1.Compose([]), "old transforms"),
        (v2.Compose([v1.ToTensor()]), "Compose > ToTensor is one of torchvision's old"),
        (v2.Compose([v2.RandomApply([v1.RandomHorizontalFlip()])]), "RandomHorizontalFlip from"),
        (v2.Compose([lambda image: image]), "takes no boxes"),
        (v2.Compose([torch.nn.Sequential(v2.Identity())]), "Sequential takes no boxes"),
        (v2.Compose([v2.RandAugment()]), "BoundingBoxes are not supported by RandAugment"),
        (v2.Compose([v2.RandomCrop(500)]), "RandomCrop cannot be run"),
        (v2.Compose([lambda image, boxes: image]), "does not return both image and boxes"),
        (v2.Compose([lambda image, boxes: (image, None)]), "returns no boxes"),
        (v2.Compose([3]), "cannot be called"),
        (PHOTO, "must be a torchvision.transforms.v2.Compose"),
        (None, "must be a torchvision.transforms.v2.Compose"),
    ],
)
def test_what_takes_no_boxes_is_said_in_one_sentence(compose, said):
    state = torch.get_rng_state()
    with pytest.raises(UserError) as caught:
        trace_compose(compose, PHOTO, BOXES, seed=3)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("boxes", "labels"),
    [
        ([[1, 2, 3]], None), ("box", None), (None, None), ([[1, 2, 3, np.nan]], None),
        (BOXES, ["one"]), ({"labels": [1]}, None),
        ({"boxes": BOXES, "labels": [1, 2, 3]}, [1, 2, 3]),
        (tv_tensors.BoundingBoxes([[1.0, 1, 5, 5]], format="XYXY", canvas_size=(9, 9)), None),
        (tv_tensors.BoundingBoxes([[1.0, 1, 5, 5, 9]], format="XYWHR", canvas_size=SIZE), None),
    ],
)  # fmt: skip
def test_bad_boxes_are_refused(boxes, labels):
    with pytest.raises(UserError):
        trace_compose(v2.Compose([v2.Identity()]), PHOTO, boxes, labels=labels)


def test_no_boxes_at_all_are_boxes_too():
    steps = trace_compose(v2.Compose([v2.RandomRotation(30)]), PHOTO, []).steps
    assert steps[1].boxes == ()
    assert trace_compose(v2.Compose([v2.SanitizeBoundingBoxes()]), PHOTO, []).steps[1].dropped == ()


def test_a_notebook_shows_it_and_no_label_becomes_markup():
    evil = "<img src=x onerror=alert(1)>"
    traced = trace_compose(v2.Compose([v2.RandomRotation(30)]), PHOTO, BOXES[:1], labels=[evil])
    html = traced._repr_html_()
    assert html.count("<img ") == 2  # two steps
    assert "&lt;img src=x" in html
    assert "RandomRotation" in html


@pytest.mark.parametrize(
    "image",
    [
        torch.full((3, 8, 8), 300, dtype=torch.int32), torch.rand(1, 8, 8), torch.randn(4, 8, 8),
        torch.full((3, 8, 8), float("nan")), torch.rand(2, 8, 8, dtype=torch.float64),
        torch.zeros(3, 8, 8, dtype=torch.uint8), Image.new("L", (8, 8)), Image.new("RGBA", (8, 8)),
    ],
)  # fmt: skip
def test_any_image_can_be_shown(image):
    assert shown(image).size == (8, 8)
    assert shown(image).mode == "RGB"


def test_sheets_are_saved_or_the_name_is_refused(tmp_path):
    traced = trace_compose(v2.Compose([v2.RandomRotation(30)]), PHOTO, BOXES)
    traced.save(tmp_path / "trace.png")
    assert Image.open(tmp_path / "trace.png").width > PHOTO.width
    with pytest.raises(UserError, match="image format"):
        traced.save(tmp_path / "trace.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["trace.png"]


def test_the_command_line(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(
        "from torchvision.transforms import v2\n"
        "transforms = v2.Compose([v2.RandomRotation(20), v2.SanitizeBoundingBoxes()])\n"
    )
    PHOTO.save(tmp_path / "photo.png")
    config = command.TraceConfig(
        f"{tmp_path / 'mine.py'}:transforms", tmp_path / "photo.png", ("30,20,90,70",), ("dog",),
        out=tmp_path / "trace.png", json=tmp_path / "trace.json",
    )  # fmt: skip
    command.main(config)
    assert "RandomRotation: angle" in capsys.readouterr().out
    steps = json.loads((tmp_path / "trace.json").read_text())["steps"]
    assert [step["name"] for step in steps] == [
        "original", "RandomRotation", "SanitizeBoundingBoxes",
    ]  # fmt: skip
    config.boxes = ("30,20,90",)
    with pytest.raises(UserError, match="left,top,right,bottom"):
        command.main(config)


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        ("", "missing.py:transforms", "no file"),
        ("x = 1", "mine.py:transforms", "nothing called 'transforms'"),
        ("x = 1", "mine.py", "nothing called 'transforms'"),
        ("x = (", "mine.py:x", "SyntaxError"),
        ("raise ValueError('no')", "mine.py:x", "ValueError: no"),
    ],
)
def test_files_without_a_pipeline_are_said(tmp_path, content, name, said):
    (tmp_path / "mine.py").write_text(content)
    with pytest.raises(UserError, match=said):
        load_pipeline(str(tmp_path / name))


def test_it_is_offered_where_notebooks_look():
    assert model.trace_compose is trace_compose
