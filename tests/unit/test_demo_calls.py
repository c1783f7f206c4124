"""demo/serving/calls.py: whose work is stopped, and what nobody waits for."""

from contextvars import Context

import pytest

from demo.serving.calls import (
    Call,
    CallEndedError,
    RunningWork,
    StopPressedError,
    current,
    raise_if_ended,
)


@pytest.fixture(autouse=True)
def _as_before():
    token = current.set(Call())
    yield
    current.reset(token)


def stop(work: RunningWork, address: str, session: str) -> None:
    working = current.get()
    current.set(Call(address, session))
    work.stop()
    current.set(working)


def test_a_visitor_stops_only_his_own_work():
    work = RunningWork()
    current.set(Call("10.0.0.1", "page"))
    with work.stoppable():
        stop(work, "10.0.0.2", "page")
        stop(work, "10.0.0.1", "another page")
        stop(RunningWork(), "10.0.0.1", "page")
        raise_if_ended()
        stop(work, "10.0.0.1", "page")
        with pytest.raises(StopPressedError):
            raise_if_ended()


def test_a_press_after_the_end_stops_nothing():
    work = RunningWork()
    current.set(Call("10.0.0.1", "page"))
    with work.stoppable():
        pass
    stop(work, "10.0.0.1", "page")
    raise_if_ended()


def test_work_nobody_waits_for_ends_without_a_stop():
    current.set(Call(ended=True))
    with pytest.raises(CallEndedError) as end:
        raise_if_ended()
    assert not isinstance(end.value, StopPressedError)


def test_outside_of_requests_nothing_is_stopped_for_good():
    def work_and_stop():
        work = RunningWork()
        with work.stoppable():
            work.stop()
            raise_if_ended()

    Context().run(work_and_stop)
    raise_if_ended()
