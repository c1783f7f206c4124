"""demo/server/queue.py and visitors.py: who is next, and who is who."""

import asyncio
import itertools
import time
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import run_async
from gradio.server_messages import HeartbeatMessage, ProcessCompletedMessage

from demo.server.queue import (
    IN_ORDER,
    KEPT_S,
    MAX_AT_WORK,
    MAX_HELD_OF_ADDRESS,
    MAX_UNFETCHED,
    MAX_UNREAD,
    READERS,
    FairQueue,
    Readers,
)
from demo.server.visitors import Visitor, visitor_of

HANDLER = "handler"


class Event(SimpleNamespace):
    """As much of Gradio's event as the queue looks at."""

    def __hash__(self) -> int:
        return id(self)


def request(address: str) -> Any:
    return SimpleNamespace(client=SimpleNamespace(host=address))


@pytest.fixture
def queue():
    return FairQueue(SimpleNamespace(max_threads=96))


class Waiting:
    """Puts calls into a queue and takes them out as Gradio does."""

    numbers = itertools.count()

    def __init__(self, queue: FairQueue, limit: int, group: str = HANDLER) -> None:
        self.queue, self.group = queue, group
        fn = SimpleNamespace(concurrency_id=group, concurrency_limit=limit)
        queue.create_event_queue_for_fn(fn)
        self.here = queue.event_queue_per_concurrency_id[group]
        queue.active_jobs = queue.active_jobs or [None] * 96

    def come(self, address: str, session: str = "", count: int = 1) -> None:
        for _ in range(count):
            event = Event(request=request(address), concurrency_id=self.group)
            event._id = f"event {next(self.numbers)}"  # no other one ever has it, as in Gradio
            event.session_hash = session or event._id
            self.here.queue.append(event)

    def begin(self) -> list[str]:
        """All whose turn it is begin; their visitors."""
        begun = []
        while found := self.queue.get_events():
            (event,), _, _ = found
            self.queue.active_jobs[self.queue.active_jobs.index(None)] = [event]
            self.here.current_concurrency += 1
            begun.append(event.request.client.host)
        return begun

    def end(self, address: str) -> None:
        """One call of an address is answered."""
        jobs = self.queue.active_jobs
        place = next(i for i, job in enumerate(jobs) if job and
                     job[0].request.client.host == address)  # fmt: skip
        jobs[place] = None
        self.here.current_concurrency -= 1


def test_short_calls_of_others_do_not_take_away_an_answer(queue):
    def call(session: str) -> Event:
        event = Event(_id=f"call of {session}", session_hash=session)
        queue.pending_messages_per_session[session] = asyncio.Queue()
        queue.pending_event_ids_session[session] = {event._id}
        queue.event_ids_to_events[event._id] = event
        return event

    call("slow")
    for number in range(2 * MAX_UNFETCHED):
        del queue.event_ids_to_events[call(str(number))._id]  # it is answered at once
    assert "slow" in queue.pending_messages_per_session
    assert len(queue.pending_messages_per_session) == MAX_UNFETCHED
    assert queue.pending_messages_per_session.keys() == queue.pending_event_ids_session.keys()
    for number in range(2 * MAX_UNFETCHED):
        call(f"slow {number}")
    assert len(queue.pending_messages_per_session) == MAX_UNFETCHED


def asked(queue: FairQueue, address: str, session: str) -> Event:
    """A call that Gradio knows of."""
    event = Event(_id=f"call of {session}", session_hash=session, request=request(address),
                  alive=True)  # fmt: skip
    queue.pending_messages_per_session.setdefault(session, asyncio.Queue())
    queue.pending_event_ids_session[session] = {event._id}
    queue.event_ids_to_events[event._id] = event
    return event


def test_a_message_to_a_session_that_is_gone_is_dropped(queue):
    """Gradio fails, in the loop that begins the calls of all visitors, and begins none any more."""
    event = asked(queue, "10.0.0.1", "here")
    queue.send_message(event, HeartbeatMessage())
    assert queue.pending_messages_per_session["here"].qsize() == 1
    del queue.pending_messages_per_session["here"]
    queue.send_message(event, HeartbeatMessage())


def test_who_reads_no_answers_loses_the_oldest_and_nobody_else_does(queue):
    def answer(address: str, session: str) -> None:
        event = asked(queue, address, session)
        queue.send_message(event, ProcessCompletedMessage(output={}, success=True))

    answer("10.0.0.2", "another address")
    queue.send_message(asked(queue, "10.0.0.1", "no answer yet"), HeartbeatMessage())
    for number in range(MAX_UNREAD + 2):
        answer("10.0.0.1", str(number))

    async def while_one_is_read() -> None:
        async with READERS.reading("0"):
            queue._forget_unread("10.0.0.1")

    run_async(while_one_is_read())
    gone = {str(n) for n in range(MAX_UNREAD + 2)} - set(queue.pending_messages_per_session)
    assert gone == {"1", "2"}
    assert {"another address", "no answer yet"} <= set(queue.pending_messages_per_session)


def test_answers_nobody_comes_for_are_forgotten(queue, monkeypatch):
    for session in ("finished", "at work"):
        queue.send_message(asked(queue, "10.0.0.1", session), HeartbeatMessage())
    del queue.event_ids_to_events["call of finished"]
    queue._forget_old()
    assert set(queue.pending_messages_per_session) == {"finished", "at work"}
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now + KEPT_S + 1)
    queue._forget_old()
    assert set(queue.pending_messages_per_session) == {"at work"}
    assert set(queue.pending_event_ids_session) == {"at work"}


def test_one_address_does_not_make_the_server_look_for_its_turn_all_the_time(queue, monkeypatch):
    """By requests of ever new sessions; each that waits looks again and again."""

    async def is_disconnected() -> bool:
        return False

    async def ask(address: str, session: str) -> bool:
        caller: Any = SimpleNamespace(is_disconnected=is_disconnected)
        async with queue._turn(HANDLER, Visitor(address, session), caller) as is_free:
            return is_free

    async def ask_all() -> list[bool]:
        monkeypatch.setattr(queue, "_is_full", lambda *_: True)
        sessions = map(str, range(MAX_HELD_OF_ADDRESS))
        waiting = [asyncio.create_task(ask("10.0.0.1", session)) for session in sessions]
        waiting.append(asyncio.create_task(ask("10.0.0.2", "page")))
        await asyncio.sleep(0)
        assert not await ask("10.0.0.1", "one more")
        monkeypatch.setattr(queue, "_is_full", lambda *_: False)
        return await asyncio.gather(*waiting)

    assert all(run_async(ask_all()))


def test_a_call_has_its_turn_when_another_one_took_the_place_of_the_one_before_it(queue):
    waiting, others = Waiting(queue, 4, IN_ORDER + "photo"), Waiting(queue, 4, "others")
    waiting.come("10.0.0.1", "page", 2)
    assert waiting.begin() == ["10.0.0.1"]
    waiting.end("10.0.0.1")
    others.come("10.0.0.2")
    queue.active_jobs[5] = [others.here.queue.pop()]  # as many run as before
    assert waiting.begin() == ["10.0.0.1"]


def test_one_address_leaves_a_place_to_others(queue):
    waiting = Waiting(queue, 4)
    waiting.come("10.0.0.1", count=30)
    assert waiting.begin() == ["10.0.0.1"] * 3
    waiting.come("10.0.0.2")
    assert waiting.begin() == ["10.0.0.2"]


def test_who_has_the_fewest_at_work_is_next(queue):
    waiting = Waiting(queue, 4)
    waiting.come("10.0.0.1", count=30)
    waiting.begin()
    waiting.come("10.0.0.2", count=5)
    waiting.begin()
    waiting.end("10.0.0.1")
    assert waiting.begin() == ["10.0.0.2"]
    waiting.end("10.0.0.2")
    assert waiting.begin() == ["10.0.0.2"]


def test_pages_at_one_address_are_fair_to_each_other(queue):
    waiting = Waiting(queue, 4)
    waiting.come("10.0.0.1", "greedy", count=20)
    waiting.begin()
    waiting.come("10.0.0.1", "modest")
    waiting.end("10.0.0.1")
    waiting.begin()
    assert "modest" in [job[0].session_hash for job in queue.active_jobs if job]


def test_a_page_runs_one_of_an_order_at_a_time(queue):
    waiting = Waiting(queue, 16, IN_ORDER + "photo")
    waiting.come("10.0.0.1", "page", count=3)
    waiting.come("10.0.0.1", "other")
    assert waiting.begin() == ["10.0.0.1"] * 2
    assert [event.session_hash for event in waiting.here.queue] == ["page", "page"]


def test_an_address_does_not_have_all_threads_by_many_handlers(queue):
    handlers = [Waiting(queue, 8, f"handler {i}") for i in range(30)]
    for handler in handlers:
        handler.come("10.0.0.1", count=8)
    begun = []
    while found := queue.get_events():
        (event,), _, name = found
        queue.active_jobs[queue.active_jobs.index(None)] = [event]
        queue.event_queue_per_concurrency_id[name].current_concurrency += 1
        begun.append(event)
    assert len(begun) == MAX_AT_WORK
    handlers[0].come("10.0.0.2")
    (event,), _, _ = queue.get_events()
    assert event.request.client.host == "10.0.0.2"


def test_a_place_that_becomes_free_is_noticed(queue):
    waiting = Waiting(queue, 4)
    waiting.come("10.0.0.1", count=8)
    waiting.begin()
    assert queue.get_events() is None
    waiting.end("10.0.0.1")
    assert waiting.begin() == ["10.0.0.1"]


def test_readers_by_session_or_by_event():
    readers = Readers()
    event = Event(session_hash="page", _id="call", enqueue_time=0.0)
    assert readers.unread_s(event) > 0

    async def read(key: str) -> float:
        async with readers.reading(key):
            return readers.unread_s(event)

    for key in ("page", "call"):
        assert run_async(read(key)) == 0
        assert 0 < readers.unread_s(event) < 60


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False), ("10.0.0.1", "10.0.0.1", True),
        ("2001:db8::1", "2001:db8::2", True), ("2001:db8::1", "2001:db8:1::1", False),
        ("::1", "::2", False), ("unix:", "unix:", True),
    ],
)  # fmt: skip
def test_addresses_of_one_network_are_one_visitor(one, other, same):
    assert (visitor_of(request(one)) == visitor_of(request(other))) == same


def test_a_visitor_is_an_address_and_maybe_a_session():
    assert visitor_of(request("10.0.0.1")) == ("10.0.0.1", "")
    assert visitor_of(request("10.0.0.1"), "page") == ("10.0.0.1", "page")
    assert visitor_of(SimpleNamespace(client=None)) == ("", "")
