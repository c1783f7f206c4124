"""demo/page.py: how much wiring the page has. More of it makes every change dearer."""

import pytest

from demo.backend import Backend
from demo.page import build_page
from model.data.samples import PhotoLibrary
from model.data.voc import find_voc_root

MAX_LISTENERS = 63
MAX_POSITIONAL = 6


@pytest.fixture(scope="module")
def page(toy_voc):
    return build_page(Backend(PhotoLibrary(find_voc_root(toy_voc))))


def private(page) -> list:
    """Listeners of the page; the parameters of the API are its documentation."""
    return [fn for fn in page.fns.values() if fn.api_visibility == "private"]


def test_there_are_few_listeners(page):
    assert len(page.fns) <= MAX_LISTENERS


def test_handlers_take_few_values_by_position(page):
    many = {
        fn.name: len(fn.inputs) - len(fn.input_keyword_names)
        for fn in private(page)
        if len(fn.inputs) - len(fn.input_keyword_names) > MAX_POSITIONAL
    }
    assert not many
    assert any(len(fn.input_keyword_names) > MAX_POSITIONAL for fn in private(page))


def test_the_first_page_is_light(page):
    """What a browser gets before anything else: the configuration, compressed as it is sent."""
    import gzip
    import json

    config = json.dumps(page.get_config_file(), default=str)
    assert len(gzip.compress(config.encode())) < 300_000
