"""What the Detect tab shows, without a browser."""

import re
from dataclasses import replace

import pytest
from conftest import REPOSITORY

from demo.choice import Photo, PhotoChoice
from demo.inspection import Inspection
from demo.photos import check_chosen_photo
from demo.serving.calls import Call, current
from demo.views import detect
from demo.views.detect import DetectState
from model.data.records import ObjectAnnotation

VOC = PhotoChoice("000004")
CAT = PhotoChoice("cat")
DOGS = PhotoChoice("dogs")
BALLOON = PhotoChoice("balloon")


@pytest.mark.parametrize("explain", ["off", "class", "box", "nonsense"])
def test_detect_with_and_without_heat(backend, explain):
    html = detect.show(backend, DetectState(CAT, explain=explain))
    assert ('class="heat"' in html) == (explain in ("class", "box"))
    assert ("greyed" in html) == (explain in ("class", "box"))
    assert 'data-role="prediction"' in html


def test_detect_compares_with_the_truth(backend):
    html = detect.show(backend, DetectState(VOC, threshold=0))
    assert 'data-role="truth"' in html
    assert "IoU" in html
    assert "The largest object is" in html


def test_below_the_threshold_it_is_not_sure(backend):
    html = detect.show(backend, DetectState(DOGS))
    assert "Not sure. Probably a dog." in html
    assert "None of" not in html
    assert 'data-role="guess"' in html
    assert "Dotted: a box it is not sure of." in html


def test_none_of_the_20_is_said_only_where_no_class_is_likely(backend):
    html = detect.show(backend, DetectState(BALLOON))
    assert "None of the 20 classes." in html
    assert ">none?</span>" in html
    assert 'data-role="prediction"' not in html
    assert "None of" not in detect.show(backend, DetectState(CAT, threshold=1))


def test_there_is_one_confidence_with_its_meaning(backend):
    """The bars of the likeliest classes have no percent that would contradict it."""
    html = detect.show(backend, DetectState(CAT))
    score = f"{100 * backend.inspect(CAT).detection.score:.0f} %"
    assert re.findall(r'bar-value">([^<]*)<', html) == [score]
    assert f"Of 100 answers with this confidence about {score[:-2]} have the right class" in html
    words = re.sub(r"<[^>]*>|Of 100 answers.*?</p>", " ", html, flags=re.DOTALL)
    assert re.findall(r"[\d.]+ ?%", words) == [score]


def test_a_checkpoint_without_calibration_does_not_claim_one():
    words = detect.confidence_meaning(0.6, 0.5, calibrated=False)
    assert "100 answers" not in words
    assert "it is not calibrated" in words


def test_names_of_voc_that_are_no_words_are_shown_as_words(backend):
    d = replace(
        backend.inspect(CAT).detection, class_name="pottedplant", score=0.2,
        probabilities={"pottedplant": 0.7, "diningtable": 0.2, "Paprika_01": 0.1},
    )  # fmt: skip
    assert detect.verdict_sentence(d.verdict(0.5)) == "Not sure. Probably a potted plant."
    assert detect.verdict_sentence(d.verdict(0.05)) == "The largest object is a potted plant."
    assert d.to_dict()["class_name"] == "pottedplant"


def test_what_is_hard_on_purpose_is_said_to_be_so(backend):
    assert "A hard one, on purpose" in detect.show(backend, DetectState(DOGS))
    assert "on purpose" not in detect.show(backend, DetectState(CAT)).lower()


def test_how_long_it_took(backend):
    html = detect.show(backend, DetectState(VOC))
    assert "your request took" in html
    assert "your request took" not in detect.show(backend, DetectState(VOC), backend.inspect(VOC))


def test_what_is_no_photo_leaves_the_one_that_is_there(backend, tmp_path):
    words = tmp_path / "words.jpg"
    words.write_text("no photo")
    offer = PhotoChoice("cat", offered=PhotoChoice(upload=str(words)))
    kept = check_chosen_photo(backend, offer)
    assert (kept.sample, kept.upload) == ("cat", None)
    assert "words.jpg is not an image" in kept.note
    assert check_chosen_photo(backend, PhotoChoice("cat", offered=DOGS)) == DOGS


@pytest.mark.parametrize("n_read", [1, 2, 3])
def test_photos_that_were_read_when_stop_was_pressed_are_answered(backend, n_read):
    call = Call()
    token = current.set(call)
    files = [str(REPOSITORY / "examples" / f"{name}.jpg") for name in ("cat", "dog", "astronaut")]
    try:
        told = detect.show_many(backend, files, backend.checkpoint, 0.5)
        for _ in range(n_read):
            next(told)
        call.stopped = True
        *_, (answers, shown, text) = told
    finally:
        current.reset(token)
    assert [path.stem for path, _ in answers.found] == ["cat", "dog", "astronaut"][:n_read]
    assert f"Stopped: {n_read} of 3 photos answered." in shown
    assert len(text.splitlines()) == n_read + 1


def test_of_a_class_it_does_not_know_the_confidence_promises_nothing(backend, tmp_path):
    mug = ObjectAnnotation("mug", (10, 10, 90, 90))
    photo = Photo(REPOSITORY / "examples" / "cat.jpg", "cat", (mug,), mug)
    html = detect.show(backend, DetectState(VOC), Inspection(photo, backend.checkpoint_file("")))
    assert "no answer can be right" in html
    assert "Of 100 answers" not in html
    assert "The line is the threshold, 50 %" in html
