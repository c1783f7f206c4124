"""demo/serving/calls.py: whose work a Stop button ends."""

import pytest

from demo.serving.calls import (
    Call,
    CallEndedError,
    StopButton,
    StopPressedError,
    current,
    raise_if_ended,
)


@pytest.fixture(autouse=True)
def _as_before():
    token = current.set(Call())
    yield
    current.reset(token)


def press(stop: StopButton, address: str, session: str) -> None:
    working = current.get()
    current.set(Call(address, session))
    stop.press()
    current.set(working)


def test_a_visitor_stops_only_his_own_work():
    stop = StopButton()
    current.set(Call("10.0.0.1", "page"))
    with stop.ends():
        press(stop, "10.0.0.2", "page")
        press(stop, "10.0.0.1", "another page")
        press(StopButton(), "10.0.0.1", "page")
        raise_if_ended()
        press(stop, "10.0.0.1", "page")
        with pytest.raises(StopPressedError):
            raise_if_ended()


def test_a_press_after_the_end_stops_nothing():
    stop = StopButton()
    current.set(Call("10.0.0.1", "page"))
    with stop.ends():
        pass
    press(stop, "10.0.0.1", "page")
    raise_if_ended()


def test_work_nobody_waits_for_ends_without_a_stop():
    current.set(Call(ended=True))
    with pytest.raises(CallEndedError) as end:
        raise_if_ended()
    assert not isinstance(end.value, StopPressedError)
