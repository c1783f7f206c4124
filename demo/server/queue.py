"""The queue of calls: fair to all visitors, and without calls whose answers nobody reads.

Gradio's own queue is first come, first served for each handler, over all visitors: whoever calls
often takes all the places, and calls are worked on though nobody reads their answers.
"""

import asyncio
import random
import re
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import gradio as gr
from fastapi import Request
from gradio import route_utils
from gradio.queueing import Event, EventQueue, Queue
from gradio.server_messages import EventMessage, ProcessCompletedMessage, ProcessGeneratingMessage
from gradio.utils import LRUCache, run_coro_in_background

from demo.server.sessions import MAX_NAME
from demo.server.visitors import Visitor, visitor_of
from demo.serving.calls import NOBODY_WAITS, Call

MAX_CALLS = 256  # waiting calls of all visitors
MAX_WAITING_OF_ADDRESS = 32  # waiting calls of all pages and clients at one address
MAX_RUNNING = 4  # running calls of a handler without a limit of its own
MAX_AT_WORK = 48  # running calls of one address, at all handlers; half of all threads
MAX_WAITING_OF_VISITOR = 4  # waiting calls of one visitor at one handler
MAX_HELD = 32  # requests held back before the queue, of one visitor at one handler
MAX_HELD_OF_ADDRESS = 128  # requests held back; each polls whether it may enter
HELD_S = 60.0  # how long a request is held back while the calls before it are being read
MAX_UNFETCHED = 300  # sessions whose messages are kept, with their pictures
SOON_READ_S = 3.0  # without a reader for so long, a waiting call counts as unread
PATIENCE_S = 10.0  # without a reader for so long, a call is ended
KEPT_S = 300.0  # how long a finished answer is kept: somebody may copy its id into `curl`
MAX_UNREAD = 64  # unread answers of one address; one may take two megabytes
# Between polls for the next call. Gradio polls every millisecond, which costs an idle server a
# fifteenth of a core; this costs half of that, and delays a call by a millisecond.
LOOK_S = 0.002
TOO_MANY = "Too many of your calls are waiting. Read their answers first, then ask again."
_NAME, _LETTERS = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_NAME}}}"), "letters, digits and hyphens"
_ANSWERS = (ProcessCompletedMessage, ProcessGeneratingMessage)
IN_ORDER = "in order: "
"""Prefix of the ``concurrency_id`` of handlers of which a visitor runs only one at a time."""


class Readers:
    """Which answers are being read, by the session or the event id that a reader names."""

    def __init__(self) -> None:
        self._now: Counter[str] = Counter()  # connections that read
        self._left: dict[str, float] = {}  # when the last one ended

    @asynccontextmanager
    async def reading(self, key: str) -> AsyncGenerator[None]:
        """Count a connection that reads answers, during the block."""
        self._now[key] += 1
        try:
            yield
        finally:
            self._now[key] -= 1
            if not self._now[key]:
                del self._now[key]
            self._left[key] = time.monotonic()

    def is_read(self, key: str) -> bool:
        """Whether somebody reads the answers to this session, or to this event."""
        return key in self._now

    def unread_s(self, event: Event) -> float:
        """For how many seconds nobody has read the answer to a call."""
        keys = (event.session_hash, event._id)
        if any(map(self.is_read, keys)):
            return 0
        latest = max(event.enqueue_time, *(self._left.get(key, 0) for key in keys))
        return time.monotonic() - latest

    def forget(self) -> None:
        """Forget readers who left so long ago that it does not matter."""
        old = time.monotonic() - 2 * PATIENCE_S
        self._left = {key: left for key, left in self._left.items() if left > old}


READERS = Readers()


class Messages(LRUCache):
    """The messages of each session; if there are too many, one that awaits no answer is dropped.

    Gradio drops the oldest session, even while it waits: many short calls of one visitor would
    take away the answers of all others.
    """

    def __init__(self, queue: "FairQueue") -> None:
        super().__init__(MAX_UNFETCHED)
        self._queue = queue

    def __setitem__(self, key: str, value: asyncio.Queue) -> None:
        """Keep the messages of a session, which may be new."""
        if key not in self and len(self) >= self.max_size:
            self._drop_one()
        super().__setitem__(key, value)

    def _drop_one(self) -> None:
        waiting = {event.session_hash for event in self._queue.event_ids_to_events.values()}
        self._queue.forget(next((name for name in self if name not in waiting), next(iter(self))))


class _LastMessage(NamedTuple):
    """The last message to a session: address of the call, time, number of unread answers."""

    address: str
    when: float
    unread: int


class FairQueue(Queue):
    """Gradio's queue with a fair choice of the next call; it ends calls that nobody reads."""

    def __init__(self, page: gr.Blocks) -> None:
        super().__init__(
            live_updates=True, concurrency_count=page.max_threads, update_intervals=1,
            max_size=MAX_CALLS, blocks=page, default_concurrency_limit=MAX_RUNNING,
        )  # fmt: skip
        self.sleep_when_free = LOOK_S
        self.pending_messages_per_session = Messages(self)
        self._calls: WeakKeyDictionary[Event, Call] = WeakKeyDictionary()
        self._held: dict[tuple[str, Visitor], deque[object]] = {}
        self._last_messages: dict[str, _LastMessage] = {}  # by session
        # Gradio polls for the next call. By concurrency_id, the state in which no call could start:
        # the last waiting call, how many wait, which calls run. While it is the same, none can.
        self._none_ready: dict[str, tuple[Event, int, tuple[str, ...]]] = {}

    def start(self) -> None:
        """Begin to work."""
        super().start()
        run_coro_in_background(self._end_unread)

    def call(self, event_id: str | None) -> Call | None:
        """The :class:`Call` of an event of this queue; ``None`` for others."""
        event = self.event_ids_to_events.get(event_id or "")
        return self._call(event) if event else None

    def _call(self, event: Event) -> Call:
        return self._calls.setdefault(event, Call(*_visitor(event)))

    def is_done_with(self, session: str) -> bool:
        """Whether all calls of a session were answered, and the answers were read."""
        messages = self.pending_messages_per_session.get(session)
        is_waiting = self.pending_event_ids_session.get(session)
        return messages is not None and not is_waiting and messages.empty()

    async def push(self, body: Any, request: Request, username: str | None) -> Any:
        """Put a call into the queue, once earlier ones of the same visitor leave room."""
        name = body.session_hash
        if name is not None and not _NAME.fullmatch(name):
            # Gradio loses messages for "", fails, and then answers nobody any more; and it can stop
            # no call at all while one runs whose session's name contains "<gradio-sep>".
            return False, f"A session's name has 1 to {MAX_NAME} {_LETTERS}.", "error"
        if body.fn_index is None:
            return await super().push(body, request, username)
        visitor = visitor_of(request, name)
        self._forget_unread(visitor.address)
        group = route_utils.get_fn(self.blocks, None, body).concurrency_id
        async with self._turn(group, visitor, request) as is_free:
            if not is_free:
                return False, TOO_MANY, "queue_full"
            return await super().push(body, request, username)

    @asynccontextmanager
    async def _turn(self, group: str, visitor: Visitor, request: Request) -> AsyncGenerator[bool]:
        """Wait until a visitor may put one more call into the queue; yields whether it may."""
        key, ticket, began = (group, visitor), object(), time.monotonic()
        of_address = [
            len(line) for (_, who), line in self._held.items() if who.address == visitor.address
        ]
        line = self._held.get(key, deque())
        if len(line) >= MAX_HELD or sum(of_address) >= MAX_HELD_OF_ADDRESS:
            yield False
            return
        self._held[key] = line
        line.append(ticket)
        try:
            while line[0] is not ticket or self._is_full(group, visitor):
                waited = time.monotonic() - began
                is_over = waited > HELD_S or self._are_unread(group, visitor)
                if is_over or await request.is_disconnected():
                    yield False
                    return
                await asyncio.sleep(0.02 if waited < 1 else 0.2)
            yield True
        finally:
            line.remove(ticket)
            if not line:
                self._held.pop(key, None)

    def send_message(self, event: Event, event_message: EventMessage) -> None:
        """Send a message to the reader of a call, unless its session was dropped.

        Gradio's own fails then, in the loop that starts all calls, which then starts no other.
        """
        session = event.session_hash
        if session in self.pending_messages_per_session:
            before, unread = self._last_messages.get(session), 0
            if not (READERS.is_read(session) or READERS.is_read(event._id)):
                is_answer = isinstance(event_message, _ANSWERS)
                unread = is_answer + (before.unread if before else 0)
            address, now = _visitor(event).address, time.monotonic()
            self._last_messages[session] = _LastMessage(address, now, unread)
            super().send_message(event, event_message)

    def _forget_unread(self, address: str) -> None:
        """Drop the oldest unread answers of an address that has too many of them."""
        kept = self.pending_messages_per_session
        unread = [
            (last.when, session, last.unread)
            for session, last in self._last_messages.items()
            if last.address == address and last.unread and not READERS.is_read(session)
            and session in kept and not kept[session].empty()
        ]  # fmt: skip
        total = sum(count for *_, count in unread)
        for _, session, count in sorted(unread):
            if total < MAX_UNREAD:
                break
            total -= count
            self.forget(session)

    def _forget_old(self) -> None:
        """Drop finished answers that nobody fetched, and what Gradio keeps of their sessions."""
        waiting = {event.session_hash for event in self.event_ids_to_events.values()}
        old, kept = time.monotonic() - KEPT_S, self.pending_messages_per_session
        for session, last in list(self._last_messages.items()):
            is_over = session not in kept or (last.when < old and not READERS.is_read(session))
            if is_over and session not in waiting:
                self.forget(session)

    def forget(self, session: str) -> None:
        """Drop the messages to a session, and all records of it."""
        self.pending_messages_per_session.pop(session, None)
        self.pending_event_ids_session.pop(session, None)
        self._last_messages.pop(session, None)

    def _waiting(self, group: str, visitor: Visitor) -> list[Event]:
        queue = self.event_queue_per_concurrency_id.get(group)
        return [event for event in queue.queue if _visitor(event) == visitor] if queue else []

    def _is_full(self, group: str, visitor: Visitor) -> bool:
        queues = self.event_queue_per_concurrency_id.values()
        of_address = sum(
            _visitor(event).address == visitor.address for q in queues for event in q.queue
        )
        waiting = self._waiting(group, visitor)
        return of_address >= MAX_WAITING_OF_ADDRESS or len(waiting) >= MAX_WAITING_OF_VISITOR

    def _are_unread(self, group: str, visitor: Visitor) -> bool:
        """Whether a visitor has as many waiting calls as allowed, all without a reader."""
        waiting = self._waiting(group, visitor)
        unread = [event for event in waiting if READERS.unread_s(event) > SOON_READ_S]
        return len(unread) >= MAX_WAITING_OF_VISITOR

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """The next call to start, as Gradio expects it: (events, is a batch, concurrency_id)."""
        names = list(self.event_queue_per_concurrency_id)
        random.shuffle(names)
        running = tuple(event._id for job in self.active_jobs for event in job or ())
        for name in names:
            queue = self.event_queue_per_concurrency_id[name]
            if not queue.queue:
                continue
            state = queue.queue[-1], len(queue.queue), running
            if self._none_ready.get(name) == state:
                continue
            if event := self._next(queue):
                queue.queue.remove(event)
                return [event], False, name
            self._none_ready[name] = state
        return None

    def _next(self, queue: EventQueue) -> Event | None:
        """The first call of the visitor with the fewest running calls, among those who may start.

        One address never has all places of a handler.
        """
        limit = queue.concurrency_limit
        if limit is not None and queue.current_concurrency >= limit:
            return None
        running = [event for job in self.active_jobs for event in job or ()]
        here = [_visitor(e) for e in running if e.concurrency_id == queue.concurrency_id]
        everywhere = Counter(_visitor(event).address for event in running)
        visitors, addresses = Counter(here), Counter(who.address for who in here)
        most = len(here) + 1 if limit is None else max(1, limit - 1 - limit // 8)
        one_each = queue.concurrency_id.startswith(IN_ORDER)

        def may_start(who: Visitor) -> bool:
            return (
                addresses[who.address] < most
                and everywhere[who.address] < MAX_AT_WORK
                and not (one_each and visitors[who])
            )

        def n_running(event: Event) -> tuple[int, int]:
            who = _visitor(event)
            return addresses[who.address], visitors[who]

        allowed = [event for event in queue.queue if may_start(_visitor(event))]
        return min(allowed, key=n_running, default=None)

    async def _end_unread(self) -> None:
        """Every second, end the calls whose answer nobody reads, and drop old answers."""
        while not self.stopped:
            await asyncio.sleep(1)
            READERS.forget()
            self._forget_old()
            for event in list(self.event_ids_to_events.values()):
                if not event.alive or READERS.unread_s(event) > PATIENCE_S:
                    await self._end(event)

    async def _end(self, event: Event) -> None:
        self._call(event).ended = True  # the thread that works on it checks this
        waiting = self.event_queue_per_concurrency_id[event.concurrency_id].queue
        if event in waiting:
            await self.remove_from_queue(event._id)
            message = ProcessCompletedMessage(output={"error": NOBODY_WAITS}, success=False)
            self.send_message(event, message)


def _visitor(event: Event) -> Visitor:
    """Who a call comes from; for calls that name no session, Gradio uses the event's id."""
    session = "" if event.session_hash == event._id else event.session_hash
    return visitor_of(event.request, session)
