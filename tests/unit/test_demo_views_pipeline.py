"""The tab of the owner's own pipeline, without a browser."""

import re

import pytest
from torchvision.transforms import v2

from demo.choice import PhotoChoice
from demo.page import build_page
from demo.serving import calls
from demo.serving.calls import Call, CallEndedError
from demo.views.pipeline import VARIANTS, audit, show
from model.errors import UserError

PIPELINE = v2.Compose([v2.RandomRotation(30), v2.RandomCrop(60), v2.SanitizeBoundingBoxes()])


def test_it_shows_variants_and_every_step(backend):
    html = show(PIPELINE, backend.inspect(PhotoChoice("000004")), 7)
    assert html.count("seed ") >= VARIANTS
    assert "Step by step, seed 7" in html
    for step in ("original", "RandomRotation", "RandomCrop", "SanitizeBoundingBoxes"):
        assert f"<b>{step}</b>" in html
    assert html == show(PIPELINE, backend.inspect(PhotoChoice("000004")), 7)
    assert html != show(PIPELINE, backend.inspect(PhotoChoice("000004")), 8)


def test_a_pipeline_that_fails_is_a_sentence(backend):
    with pytest.raises(UserError, match="RandomCrop cannot be run"):
        show(v2.Compose([v2.RandomCrop(5000)]), backend.inspect(PhotoChoice("000004")), 0)


def test_the_tab_is_there_only_where_a_pipeline_was_named(backend):
    def labels(page):
        return [block.label for block in page.blocks.values() if type(block).__name__ == "Tab"]

    assert "Your pipeline" not in labels(build_page(backend))
    assert "Your pipeline" in labels(build_page(backend, PIPELINE))


def test_the_audit_counts_what_the_traces_of_single_photos_show(backend):
    steps = list(audit(PIPELINE, backend, "train", 20, 5))
    said, found = steps[-1]
    assert "20 photos, each drawn once" in said
    assert "SanitizeBoundingBoxes drops" in found
    keys = re.findall(r'data-key="([^"]+)"', found)
    captions = re.findall(r", seed \d+: ([^<]+)<", found)
    assert any(words.startswith("dropped") for words in captions)
    for key, words in zip(keys, captions, strict=True):
        seed, _, name = key.partition(" ")
        html = show(PIPELINE, backend.inspect(PhotoChoice(name)), int(seed))
        assert f"Step by step, seed {seed}" in html
        assert ("dropped" in html) or not words.startswith("dropped")


def test_a_photo_the_pipeline_fails_on_is_named_and_one_that_always_fails_is_a_sentence(backend):
    with pytest.raises(UserError, match=r"\d{6}: RandomCrop cannot be run"):
        list(audit(v2.Compose([v2.RandomCrop(5000)]), backend, "train", 5, 0))
    with pytest.raises(UserError, match="no split 'nope'"):
        list(audit(PIPELINE, backend, "nope", 5, 0))


def test_nobody_is_counted_for_who_went_away(backend):
    call = Call("someone")
    token = calls.current.set(call)
    try:
        call.ended = True
        with pytest.raises(CallEndedError):
            list(audit(PIPELINE, backend, "train", 5, 0))
    finally:
        calls.current.reset(token)
