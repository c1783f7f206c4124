"""The tab of the owner's own pipeline, without a browser."""

import pytest
from torchvision.transforms import v2

from demo.choice import PhotoChoice
from demo.page import build_page
from demo.views.pipeline import VARIANTS, show
from model.errors import UserError

PIPELINE = v2.Compose([v2.RandomRotation(30), v2.RandomCrop(60), v2.SanitizeBoundingBoxes()])


def test_it_shows_variants_and_every_step(backend):
    html = show(PIPELINE, backend.open(PhotoChoice("000004")), 7)
    assert html.count("seed ") >= VARIANTS
    assert "Step by step, seed 7" in html
    for step in ("original", "RandomRotation", "RandomCrop", "SanitizeBoundingBoxes"):
        assert f"<b>{step}</b>" in html
    assert html == show(PIPELINE, backend.open(PhotoChoice("000004")), 7)
    assert html != show(PIPELINE, backend.open(PhotoChoice("000004")), 8)


def test_a_pipeline_that_fails_is_a_sentence(backend):
    with pytest.raises(UserError, match="RandomCrop cannot be run"):
        show(v2.Compose([v2.RandomCrop(5000)]), backend.open(PhotoChoice("000004")), 0)


def test_the_tab_is_there_only_where_a_pipeline_was_named(backend):
    def labels(page):
        return [block.label for block in page.blocks.values() if type(block).__name__ == "Tab"]

    assert "Your pipeline" not in labels(build_page(backend))
    assert "Your pipeline" in labels(build_page(backend, PIPELINE))
