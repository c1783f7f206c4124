"""What the Detect tab shows, without a browser."""

import pytest

from demo.choice import PhotoChoice
from demo.photos import accept_offer
from demo.views import detect
from demo.views.detect import DetectState

VOC = PhotoChoice("000004")
CAT = PhotoChoice("cat")
DOGS = PhotoChoice("dogs")


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


def test_below_the_threshold_it_is_none_of_the_20(backend):
    html = detect.show(backend, DetectState(VOC, threshold=1))
    assert "None of the 20, as far as I can see" in html
    assert 'data-role="guess"' in html
    assert "your request took" in html
    assert "your request took" not in detect.show(backend, DetectState(VOC), timed=False)


def test_what_is_no_photo_leaves_the_one_that_is_there(backend, tmp_path):
    words = tmp_path / "words.jpg"
    words.write_text("no photo")
    offer = PhotoChoice("cat", offered=PhotoChoice(upload=str(words)))
    kept = accept_offer(backend, offer)
    assert (kept.sample, kept.upload) == ("cat", None)
    assert "words.jpg is not an image" in kept.note
    assert accept_offer(backend, PhotoChoice("cat", offered=DOGS)) == DOGS
