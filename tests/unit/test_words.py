import pytest

from model.words import counted, percent, readable_size


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
