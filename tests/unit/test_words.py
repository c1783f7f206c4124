import pytest

from model.words import a_or_an, counted, percent, readable_size, unknown_class_note, verdict


@pytest.mark.parametrize(
    ("count", "words", "says"),
    [
        (0, ("photo",), "0 photos"),
        (1, ("photo",), "1 photo"),
        (2, ("photo",), "2 photos"),
        (1, ("class", "classes"), "1 class"),
        (0, ("class", "classes"), "0 classes"),
        (12345, ("box", "boxes"), "12,345 boxes"),
    ],
)
def test_counted(count, words, says):
    assert counted(count, *words) == says


@pytest.mark.parametrize(
    ("n_bytes", "says"), [(0, "0.0 MB"), (1_550_000, "1.6 MB"), (29_140_000_000, "29.1 GB")]
)
def test_sizes(n_bytes, says):
    assert readable_size(n_bytes) == says


@pytest.mark.parametrize(
    ("share", "says"),
    [
        (0, "0 %"), (1, "100 %"), (0.0001, "under 0.1 %"), (0.0005, "0.1 %"), (0.016, "1.6 %"),
        (0.01, "1 %"), (0.0994, "9.9 %"), (0.0996, "10 %"), (0.414, "41 %"), (1.05, "105 %"),
        (-0.0001, "under 0.1 %"), (0.1, "10 %"),
    ],
)  # fmt: skip
def test_percent(share, says):
    assert percent(share) == says


def test_percent_with_its_digits_said():
    assert [percent(0.853, 0), percent(0.853, 1), percent(0.0001, 0)] == ["85 %", "85.3 %", "0 %"]
    assert [percent(0.12, 0, signed=True), percent(-0.12, 1, signed=True)] == ["+12 %", "-12.0 %"]


@pytest.mark.parametrize(
    ("score", "probability", "kind", "text", "clause"),
    [
        (0.9, 0.3, "sure", "dog", "says dog"),
        (0.49, 0.3, "sure", "dog", "says dog"),
        (0.489, 0.5, "unsure", "Not sure. Probably a dog", "is not sure, probably a dog"),
        (0.15, 0.99, "unsure", "Not sure. Probably a dog", "is not sure, probably a dog"),
        (0.149, 0.99, "none", "None of the 20 classes", "sees none of the 20 classes"),
        (0.3, 0.499, "none", "None of the 20 classes", "sees none of the 20 classes"),
    ],
)
def test_what_an_answer_amounts_to(score, probability, kind, text, clause):
    said = verdict("dog", score, 0.49, probability, 20)
    assert (said.kind, said.text, said.clause) == (kind, text, clause)


def test_a_detector_of_one_class_and_an_article():
    assert verdict("egg", 0.1, 0.5, 0.2, 1).text == "Nothing I know"
    assert verdict("egg", 0.1, 0.5, 0.2, 1).clause == "sees nothing it knows"
    assert verdict("egg", 0.1, 0.5, 0.2, 2000).text == "None of the 2,000 classes"
    assert verdict("egg", 0.2, 0.5, 0.6, 3).text == "Not sure. Probably an egg"
    assert verdict("egg", 0.2, 0.5, 0.6, 3).brief == "egg?"


def test_articles():
    assert [a_or_an(name) for name in ("cat", "Apple", "an")] == ["a cat", "an Apple", "an an"]


def test_a_class_the_detector_does_not_know():
    for known in ("cat", "", "cats", "Cat", "0"):
        assert unknown_class_note(known, ("cat", "dog")) == ""
    said = unknown_class_note("diningtable", ("cat", "dog"))
    assert said.startswith("This detector knows 2 classes, and dining table is none of them")
