import csv
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import run_here
from conftest import REPOSITORY, assert_clear_error, run_command
from PIL import Image, ImageOps

import model
from model import Detection, UserError, load_detector
from model.boxes import paired_iou
from model.checkpoint import DEFAULT_CHECKPOINT, CheckpointInfo, load_checkpoint, save_checkpoint
from model.commands.predict import PredictConfig, _report, drawing_names
from model.draw import draw_box
from model.inference import Detector
from model.network.detector import LargestObjectDetector
from model.precision import has_native_bf16

CAT = REPOSITORY / "examples" / "cat.jpg"


@pytest.fixture(scope="module")
def shipped():
    return load_detector()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """An untrained network of another data set: fast, and its box is the middle of the photo."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.safetensors"
    torch.manual_seed(0)
    network = LargestObjectDetector(("ant", "bee", "cow"), 64)
    save_checkpoint(path, network, CheckpointInfo(("ant", "bee", "cow"), 64))
    return path


@pytest.fixture(scope="module")
def untrained(tiny):
    return load_detector(tiny)


def test_the_shipped_detector_finds_the_cat(shipped):
    detection = shipped.predict(CAT)
    assert detection.class_name == "cat"
    assert detection.score > 0.5
    assert detection.image_size == (451, 300)
    x1, y1, x2, y2 = detection.bbox_xyxy
    assert 0 <= x1 < 200
    assert 0 <= y1 < 100
    assert 300 < x2 <= 451
    assert 200 < y2 <= 300


def test_the_shipped_detector_finds_the_person(shipped):
    assert shipped.predict(REPOSITORY / "examples" / "astronaut.jpg").class_name == "person"


NATIVE = pytest.mark.skipif(
    not has_native_bf16("cpu"), reason="emulated bf16 rounds more, and is not used"
)


def in_float32_and_bf16(files: list[Path]) -> list[tuple[Detection, Detection]]:
    """What both computations answer to each photo; what docs/speed.md promises of them."""
    model, info = load_checkpoint(DEFAULT_CHECKPOINT)
    found = [Detector(model, info, "cpu", bf16=bf16).predict_batch(files) for bf16 in (False, True)]
    return list(zip(*found, strict=True))


@pytest.mark.slow
@NATIVE
def test_bf16_answers_as_float32_does():
    """Where float32 is sure. Where nothing it knows is to be seen there is nothing to agree on."""
    pairs = in_float32_and_bf16(sorted((REPOSITORY / "examples").glob("*.jpg")))
    sure = [(exact, fast) for exact, fast in pairs if exact.sure]
    assert len(sure) >= 7
    for exact, fast in sure:
        assert fast.class_name == exact.class_name
        assert fast.score == pytest.approx(exact.score, abs=0.05)
        assert iou(exact, fast) >= 0.95


@NATIVE
@pytest.mark.slow
def test_bf16_answers_as_float32_does_on_real_photos(real_voc):
    """A choice between two objects may fall otherwise, seldom: nearly all boxes must agree."""
    pairs = in_float32_and_bf16(sorted((real_voc / "JPEGImages").glob("*.jpg"))[::80])
    sure = [(exact, fast) for exact, fast in pairs if exact.sure]
    assert len(sure) > 40
    same = [fast.class_name == exact.class_name for exact, fast in sure]
    close = [iou(exact, fast) >= 0.97 for exact, fast in sure]
    assert sum(same) >= 0.97 * len(sure)
    assert sum(close) >= 0.9 * len(sure)


def iou(first: Detection, second: Detection) -> float:
    boxes = (torch.tensor([d.bbox_xyxy]) for d in (first, second))
    return float(paired_iou(*boxes))


def test_all_kinds_of_sources_agree(shipped):
    image = Image.open(CAT)
    sources = [CAT, str(CAT), CAT.read_bytes(), image, np.asarray(image)]
    first, *others = shipped.predict_batch(sources)
    for other in others:
        assert other.bbox_xyxy == pytest.approx(first.bbox_xyxy, abs=0.5)
        assert other.class_name == first.class_name


def test_photos_come_as_people_have_them(untrained):
    colour = np.asarray(Image.open(CAT).convert("RGB").resize((90, 60)))
    grey = colour[..., 0]
    opaque = np.dstack([colour, np.full(grey.shape, 255, np.uint8)])
    channels_first = torch.from_numpy(colour.copy()).permute(2, 0, 1)
    as_file = BytesIO()
    Image.fromarray(colour).save(as_file, "PNG")
    same = [
        colour, colour.tolist(), channels_first, channels_first[None], channels_first / 255,
        channels_first.to(torch.int64), (channels_first / 255).requires_grad_(), opaque,
        Image.fromarray(opaque), colour.astype(int), tuple(map(tuple, colour)),
        as_file.getvalue(), bytearray(as_file.getvalue()), BytesIO(as_file.getvalue()),
    ]  # fmt: skip
    alike = [grey, grey.tolist(), grey[None], torch.from_numpy(grey.copy()), Image.fromarray(grey)]
    for kinds in (same, alike):
        first, *others = untrained.predict_batch(kinds)
        assert first.image_size == (90, 60)
        for other in others:
            assert other.bbox_xyxy == pytest.approx(first.bbox_xyxy, abs=0.05)
            assert other.probabilities == pytest.approx(first.probabilities, abs=1e-3)
    half = untrained.predict((channels_first / 255).to(torch.bfloat16))
    assert half.image_size == (90, 60)
    assert untrained.predict(grey > 127).image_size == (90, 60)
    drawn = [untrained.predict(colour).draw(photo) for photo in (*same[:-1], *alike)]
    assert {(picture.mode, picture.size) for picture in drawn} == {("RGB", (90, 60))}


@pytest.mark.parametrize(
    ("photo", "says"),
    [
        (None, "a photo must be a path, .* not NoneType"),
        (7, "not int"),
        ({"image": 1}, "not dict"),
        ([], "a list of 0 other things"),
        (["a.jpg", "b.jpg"], "a list of 2 other things. For several photos there is predict_batch"),
        ([[1, 2], [3]], "not all of the same length"),
        ([[300, 2], [3, 4]], r"must lie in 0\.\.255, not 2\.\.300"),
        ([[-1, 2], [3, 4]], r"not -1\.\.4"),
        ([["a", "b"]], "must be uint8, uint16 or float"),
        (np.zeros((5, 6, 7)), "must be \\(height, width\\)"),
        (np.full((5, 6), np.nan), "finite and within 0..1"),
        (np.zeros((4, 4), complex), "not complex128"),
        (torch.rand(2, 3, 8, 8), "must be \\(height, width\\)"),
        (torch.rand(3, 8, 8) * 255, "within 0..1; divide it by 255"),
        (torch.zeros(0), "must be \\(height, width\\)"),
        (StringIO("text"), "open as text"),
    ],
)
def test_what_is_no_photo_is_named_in_a_sentence(untrained, photo, says):
    for use in (untrained.predict, untrained.predict(CAT).draw):
        if isinstance(photo, StringIO):
            photo.seek(0)
        with pytest.raises(UserError, match=says) as caught:
            use(photo)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="For one there is predict"):
        untrained.predict_batch("photo.jpg")


def test_a_detection_is_one_line_and_a_picture(untrained, tmp_path):
    photo = tmp_path / "photo.png"
    Image.open(CAT).convert("RGB").save(photo)
    detection = untrained.predict(photo)
    assert "\n" not in repr(detection)
    assert repr(detection).startswith(f"Detection('{detection.class_name}', score=0.")
    assert len(repr(detection)) < 120
    shown = Image.open(BytesIO(detection._repr_png_()))
    assert np.array_equal(np.asarray(shown), np.asarray(detection.draw(photo)))
    photo.unlink()
    assert detection._repr_png_() is None
    assert untrained.predict_loaded([untrained.load(CAT)])[0]._repr_png_() is None


def test_a_box_is_never_drawn_on_a_photo_of_another_shape(untrained):
    detection = untrained.predict(CAT)
    with pytest.raises(UserError, match="300 x 451, which is not the shape of the one predicted"):
        detection.draw(Image.open(CAT).rotate(90, expand=True))
    detection.draw(Image.open(CAT).resize((64, 43)))


@pytest.mark.parametrize("box", [[1, 2, 3], [1, 2, 3, float("nan")], torch.zeros(5)])
def test_a_box_that_is_none_is_refused(box):
    with pytest.raises(UserError, match="four finite numbers"):
        draw_box(Image.new("RGB", (9, 9)), box, (1, 2, 3))
    for good in ([1, 2, 8, 8], np.array([1, 2, 8, 8]), torch.tensor([1.0, 2, 8, 8])):
        assert draw_box(Image.new("RGBA", (9, 9)), good, (1, 2, 3), "").mode == "RGB"


def test_what_is_public_is_listed_and_there():
    assert {"Detector", "Pipeline", "read_split"} <= set(dir(model)) == set(model.__all__)
    for name in model.__all__:
        assert getattr(model, name) is not None


def test_probabilities_are_sorted_and_sum_to_one(shipped):
    detection = shipped.predict(CAT)
    values = list(detection.probabilities.values())
    assert len(values) == 20
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1, abs=1e-3)
    assert next(iter(detection.probabilities)) == detection.class_name
    assert 0 < detection.score < 1  # of class and box together, so not the first probability


def test_no_photos_no_answers(shipped):
    assert shipped.predict_batch([]) == []


def test_a_mirrored_photo_gets_the_mirrored_box(shipped):
    plain = shipped.predict(CAT, flip=True)
    mirrored = shipped.predict(
        Image.open(CAT).transpose(Image.Transpose.FLIP_LEFT_RIGHT), flip=True
    )
    x1, y1, x2, y2 = plain.bbox_xyxy
    assert mirrored.bbox_xyxy == pytest.approx((451 - x2, y1, 451 - x1, y2), abs=2)


def test_boxes_are_in_pixels_of_the_upright_original(untrained, tmp_path):
    """A phone photo and the same photo stored upright get the same box, whatever it is."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.open(CAT).convert("RGB").resize((1200, 800))
    stored.save(tmp_path / "phone.png", exif=exif)
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "phone.png"))
    phone, plain = untrained.predict_batch([tmp_path / "phone.png", np.asarray(upright)])
    assert phone.image_size == plain.image_size == (800, 1200)
    assert phone.bbox_xyxy == pytest.approx(plain.bbox_xyxy, abs=0.5)


def test_boxes_scale_with_the_photo(shipped):
    small = Image.open(CAT).convert("RGB")
    large = small.resize((small.width * 4, small.height * 4), Image.Resampling.BICUBIC)
    first, second = shipped.predict_batch([small, large])
    assert second.bbox_xyxy == pytest.approx([4 * v for v in first.bbox_xyxy], abs=20)
    assert second.image_size == (1804, 1200)


def test_drawing_scales_the_box_and_leaves_the_photo_alone(shipped):
    detection = shipped.predict(CAT)
    photo = Image.open(CAT).convert("RGB").resize((902, 600))
    before = np.asarray(photo).copy()
    drawn = np.asarray(detection.draw(photo)).astype(int)
    assert np.array_equal(np.asarray(photo), before)
    changed = np.argwhere(np.abs(drawn - before).sum(-1) > 60)
    (top, left), (bottom, right) = changed.min(0), changed.max(0)
    x1, y1, x2, y2 = [2 * v for v in detection.bbox_xyxy]
    assert (left, right) == pytest.approx((x1, x2), abs=8)
    assert bottom == pytest.approx(y2, abs=8)
    assert top <= y1 + 8  # the label may sit above


def test_a_model_from_the_hub_needs_no_checkpoint_file(tmp_path):
    LargestObjectDetector(("ant", "bee"), 64).save_pretrained(tmp_path)
    detector = Detector(LargestObjectDetector.from_pretrained(tmp_path))
    assert set(detector.predict(CAT).probabilities) == {"ant", "bee"}


def test_missing_checkpoint():
    with pytest.raises(UserError, match=r"nope\.safetensors does not exist"):
        load_detector("nope.safetensors")


def test_drawing_names_never_meet(tmp_path):
    from pathlib import Path

    files = [Path("a.jpg"), Path("b/a.jpg"), Path("A.png"), Path("a_2.jpg")]
    names = list(drawing_names(files).values())
    assert len({name.lower() for name in names}) == 4


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left_behind")
def test_command_writes_csv_and_drawings_and_reports_bad_files(tiny, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.jpg", "b.png"):
        Image.open(CAT).save(photos / name)
    (photos / "broken.jpg").write_text("no image")
    out, drawn = tmp_path / "out" / "all.csv", tmp_path / "drawn"
    result = run_command(
        "-m", "model.predict", photos, "--checkpoint", tiny, "--csv", out, "--draw", drawn
    )
    assert result.returncode == 1
    assert "broken.jpg" in result.stderr
    assert "1 of 3 photos could not be read" in result.stderr
    assert "Traceback" not in result.stderr
    assert "RuntimeWarning" not in result.stderr
    rows = list(csv.DictReader(out.open()))
    assert [row["file"] for row in rows] == [str(photos / "a.jpg"), str(photos / "b.png")]
    assert rows[0]["width"] == "451"
    detector = load_detector(tiny)
    expected = ["true" if detector.predict(row["file"]).sure else "false" for row in rows]
    assert [row["sure"] for row in rows] == expected
    assert sorted(p.name for p in drawn.iterdir()) == ["a.png", "b.png"]
    assert Image.open(drawn / "a.png").size == (451, 300)


def test_names_that_are_no_text_are_shown_in_one_line_and_written_as_they_are(tmp_path, capsys):
    odd, out = "a\udcff\x1b[2J\n.jpg", tmp_path / "out.csv"
    rows = [[odd, "cat", 0.5, 1, 2, 3, 4, 5, 6, "true"]]
    _report(rows, PredictConfig([]))
    said = "a\\udcff\\x1b[2J\\n.jpg: cat 50.0%, box (1, 2) - (3, 4)\n"
    assert capsys.readouterr().out.replace(" %", "%") == said
    _report(rows, PredictConfig([], csv=out))
    with out.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        assert next(csv.DictReader(stream))["file"] == odd


def test_command_on_one_good_photo_prints_and_succeeds(tiny):
    result = run_here("-m", "model.predict", CAT, "--checkpoint", tiny)
    assert result.returncode == 0, result.stderr
    assert "cat.jpg: " in result.stdout


def test_a_missing_path_is_named_and_the_others_are_answered(tiny, tmp_path):
    out = tmp_path / "out.csv"
    result = run_here("-m", "model.predict", "gone.jpg", CAT, "--checkpoint", tiny, "--csv", out)
    assert result.returncode == 1
    assert "skipped: gone.jpg does not exist" in result.stderr
    assert len(out.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.jpg"], "nowhere.jpg does not exist"),
        ([str(CAT), "--checkpoint", str(CAT)], "is broken or is no safetensors file"),
        ([str(CAT), "--csv", "/proc/none/x.csv"], "cannot write"),
        ([str(CAT), "--draw", str(CAT)], "cannot write"),
        ([str(CAT), "--batch-size", "0"], "--batch-size must be 1 or more, not 0"),
    ],
)
def test_command_errors(tiny, arguments, says):
    if "--checkpoint" not in arguments:
        arguments = [*arguments, "--checkpoint", str(tiny)]
    assert_clear_error(run_here("-m", "model.predict", *arguments), says)
