"""demo/page.py: how much wiring the page has. More of it makes every change dearer."""

import pytest

from demo.backend import Backend
from demo.page import build_page
from model.data.samples import PhotoLibrary

MAX_LISTENERS = 82  # three of them are the folder's and the camera's
MAX_POSITIONAL = 6


@pytest.fixture(scope="module")
def page(toy_voc):
    return build_page(Backend(PhotoLibrary(toy_voc)))


def test_there_are_few_listeners(page):
    assert len(page.fns) <= MAX_LISTENERS


def test_handlers_take_few_values_by_position(page):
    many = {
        fn.name: len(fn.inputs) - len(fn.input_keyword_names)
        for fn in page.fns.values()
        if len(fn.inputs) - len(fn.input_keyword_names) > MAX_POSITIONAL
    }
    assert not many
    assert any(len(fn.input_keyword_names) > MAX_POSITIONAL for fn in page.fns.values())
