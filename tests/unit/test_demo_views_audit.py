"""What the Augment tab shows of the whole data set, without a browser."""

import re

import pytest

from demo.choice import PhotoChoice
from demo.serving import calls
from demo.serving.calls import Call, CallEndedError
from demo.views import audit as view
from demo.views.augment.scene import scene_of
from demo.views.augment.state import AugmentState, write_settings
from demo.views.augment.variants import variants_of
from model.augment import AugmentConfig
from model.errors import UserError
from model.inspect.audit import tally as tally_module

HARD = {"rotation_degrees": 60, "zoom": 3, "box_rule": "hull", "seed": 3}


@pytest.fixture(scope="module")
def shown(backend):
    return list(view.audit(backend, AugmentState(**HARD), "train"))


def test_first_numbers_then_the_verdict_and_the_settings_to_take(shown):
    assert "Reading" in shown[0].status
    assert "Counted 20 of 20 photos" in shown[-2].status
    assert '<progress value="20" max="20"' in shown[-2].status
    assert [bool(each.safe) for each in shown] == [False] * (len(shown) - 1) + [True]
    last = shown[-1].shown
    assert "20 photos, 10 draws each." in shown[-1].status
    assert "Bad." in last
    safe = AugmentConfig.from_json(shown[-1].safe)
    assert safe.rotation_degrees < 60 or safe.zoom < 3
    assert safe.box_rule == "hull"
    assert re.search(r"rotation \d+ \(now 60\)|zoom [\d.]+ \(now 3\)", last)


def test_pinned_settings_stand_beside_with_what_is_better_marked(backend, shown):
    mild = write_settings(AugmentConfig.none())
    steps = list(view.audit(backend, AugmentState(**HARD, pinned=mild), "train"))
    rows = steps[-1].shown.split("<tr>")
    (lost,) = (row for row in rows if "draws that lost the target at first" in row)
    assert re.search(r"<td>0 %</td><td>\d+ %</td><td>B is worse", lost)
    (before,) = (row for row in rows if "shorter side before" in row)
    assert re.search(r"<td>(\d+)</td><td>\1</td><td></td>", before)
    assert "B is" not in shown[-1].shown
    # Tiles, verdict and what is to be taken over are those of B, the settings of the sliders.
    assert steps[-1].safe == shown[-1].safe
    assert re.findall('data-key="[^"]+"', steps[-1].shown) == re.findall(
        'data-key="[^"]+"', shown[-1].shown
    )


def test_a_tile_leads_to_that_photo_and_that_draw(backend, shown):
    keys = re.findall(r'data-key="([^"]+)"', shown[-1].shown)
    assert len(keys) > 6
    captions = re.findall(r"(\d{6})</span>, variant (\d+): drawn again (\d+) x", shown[-1].shown)
    assert captions
    for name, number, redraws in captions:
        assert f"{number} {name}" in keys
        state = AugmentState(**HARD, photo=PhotoChoice(name), count=10, picked=number)
        variant = variants_of(scene_of(backend, state))[int(number) - 1]
        assert variant.trace.redraws == int(redraws)


def test_who_went_away_is_not_counted_for(backend, monkeypatch):
    monkeypatch.setattr(tally_module, "FIRST_PHOTOS", 5)
    call = Call("someone")
    token = calls.current.set(call)
    try:
        steps = view.audit(backend, AugmentState(), "train")
        next(steps)
        next(steps)
        call.ended = True
        with pytest.raises(CallEndedError):
            next(steps)
    finally:
        calls.current.reset(token)


@pytest.mark.parametrize(
    ("state", "split", "says"),
    [
        (AugmentState(), "nope", "no split 'nope'"),
        (AugmentState(seed=-1), "train", "the seed must be"),
        (AugmentState(seed=0.5), "train", "the seed must be"),
    ],
)
def test_bad_input_is_one_sentence(backend, state, split, says):
    with pytest.raises(UserError, match=says):
        list(view.audit(backend, state, split))
