"""Schedule decoding: worker processes, and the queues ("lines") before them.

For the program's own photos (a data set, a command line) there is a worker for each core. Photos
sent by visitors of a server (:func:`for_visitor`) pass through two lines instead, so that slow ones
do not block all others: the first try has a short time limit, which is enough for nearly all; what
needs more time or memory goes to the second, patient line, where one worker has both. In each line
visitors take turns, however many photos and sessions they have.
"""

import atexit
import math
import os
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import IO, NamedTuple
from weakref import WeakSet

from model.data.decoding.messages import Request
from model.data.decoding.process import (
    Limits,
    Outcome,
    TooSlowError,
    TryAgainError,
    WorkerDiedError,
    WorkerGoneError,
    WorkerProcess,
    after_fork,
)
from model.errors import UserError

MIB = 2**20
SECONDS = 5.0  # for each photo; waiting for a worker does not count
PATIENCE_S = 10.0  # that a visitor waits in all lines together
_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
OWN = Limits(memory=960 * MIB, seconds=SECONDS)
FIRST_TRY = Limits(memory=288 * MIB, seconds=2.0, processor_s=0.4)
PATIENT = Limits(memory=960 * MIB, seconds=SECONDS, nice=5)
OWN_WORKERS = min(_CORES, 8)
FIRST_TRY_WORKERS = min(max(_CORES, 2), 4)
PATIENT_WORKERS = 1
SPARE_WORKERS = 1  # in each of the two lines of visitors; each takes about 40 MB
QUICK_S = 0.25  # of the first try; a photo of 12 megapixels takes about half of it
MAX_REMEMBERED = 1000  # addresses


class BusyError(UserError):
    """All workers were busy with other visitors' photos; says nothing about this photo."""


class Visitor(NamedTuple):
    """The visitor for whom photos are decoded.

    Attributes:
        address: of the network; empty for the program itself.
        session: one of the sessions from that address.
    """

    address: str = ""
    session: str = ""


THE_PROGRAM = Visitor()
_VISITOR: ContextVar[Visitor] = ContextVar("visitor", default=THE_PROGRAM)


@contextmanager
def for_visitor(address: str, session: str = "") -> Generator[None]:
    """Photos decoded inside the block are this :class:`Visitor`'s."""
    token = _VISITOR.set(Visitor(address, session))
    try:
        yield
    finally:
        _VISITOR.reset(token)


@dataclass(eq=False)
class _Place:
    """The place of a waiting request in a line; ``arrival`` counts arrivals and turns."""

    visitor: Visitor
    arrival: int


class Line:
    """Workers with the same limits, and the requests that wait for one.

    Addresses take turns, and so do the sessions of each: many sessions give no advantage.

    Args:
        limits: of each worker.
        count: most workers at work; they are started when needed.
        spare: idle workers kept ready, so that the request after a photo that ended its worker
            need not wait for the start of another.
        quick_s: an address whose last photo took less than so many seconds goes before others, so
            that visitors with ordinary photos need not wait behind many slow ones.
    """

    def __init__(self, limits: Limits, count: int, spare: int = 0, quick_s: float = 0.0) -> None:
        self.limits = limits
        self.count, self.spare, self.quick_s = count, spare, quick_s
        self._quick: OrderedDict[str, None] = OrderedDict()  # addresses; the latest last
        self._changed = threading.Condition()
        self._waiting: list[_Place] = []
        self._served: Counter[Visitor] = Counter()  # workers that are busy for each
        self._count = 0  # arrivals and turns so far
        self._last_turn: dict[
            Visitor | str, int
        ] = {}  # of waiting or served visitors, and of their addresses
        self._idle: list[WorkerProcess | Exception] = []  # or the error of one that did not start
        self._taking = self._starting = 0  # requests that need a worker now; workers being started
        self._all: WeakSet[WorkerProcess] = WeakSet()

    @contextmanager
    def worker(self, visitor: Visitor, patience_s: float | None = None) -> Generator[WorkerProcess]:
        """Wait for a worker; one that is still alive afterwards serves the next request.

        Raises:
            BusyError: if none is free within ``patience_s``.
        """
        self._wait(visitor, patience_s)
        worker, started = None, -math.inf
        try:
            worker = self._take()
            started = time.monotonic()
            yield worker
        except Exception:
            raise
        except BaseException:  # Ctrl-C: its answer would be taken for that of the next request
            if worker:
                worker.kill()
            raise
        finally:
            with self._changed:
                is_alive = bool(worker and worker.is_alive)
                if worker and is_alive:
                    self._idle.append(worker)
                self._remember(visitor, is_alive and time.monotonic() - started < self.quick_s)
                self._served[visitor] -= 1
                self._forget_who_left()
                self._changed.notify_all()

    def _wait(self, visitor: Visitor, patience_s: float | None) -> None:
        with self._changed:
            self._count += 1
            place = _Place(visitor, self._count)
            self._waiting.append(place)
            try:
                if not self._changed.wait_for(lambda: self._is_turn_of(place), patience_s):
                    raise BusyError(
                        "the server is busy with other photos: try again in a few seconds."
                    )
                self._served[visitor] += 1
                self._count += 1
                self._last_turn[visitor] = self._last_turn[visitor.address] = self._count
            finally:  # also when Ctrl-C ends the wait
                self._waiting.remove(place)
                self._forget_who_left()
                self._changed.notify_all()

    def _remember(self, visitor: Visitor, was_quick: bool) -> None:
        self._quick.pop(visitor.address, None)
        if was_quick:
            self._quick[visitor.address] = None
            if len(self._quick) > MAX_REMEMBERED:
                self._quick.popitem(last=False)

    def _forget_who_left(self) -> None:
        self._served += Counter()  # without those who have none
        visitors = {place.visitor for place in self._waiting} | self._served.keys()
        here = visitors | {visitor.address for visitor in visitors}
        self._last_turn = {who: turn for who, turn in self._last_turn.items() if who in here}

    def _is_turn_of(self, place: _Place) -> bool:
        """Whether a worker is free, and this place is the next.

        The next address is the one with fewest busy workers; among equals one whose last photo was
        quick; then the one that has waited longest since its arrival or last turn. The next of its
        sessions is chosen likewise.
        """
        if self._served.total() >= self.count:
            return False
        busy: Counter[str] = Counter()
        for visitor, workers in self._served.items():
            busy[visitor.address] += workers
        came: dict[str, int] = {}
        for other in self._waiting:  # the first who came is the first here
            came.setdefault(other.visitor.address, other.arrival)

        def rank(other: _Place) -> tuple[int, bool, int, int, int]:
            who, address, last = other.visitor, other.visitor.address, self._last_turn
            return (
                busy[address], address not in self._quick, max(came[address], last.get(address, 0)),
                self._served[who], max(other.arrival, last.get(who, 0)),
            )  # fmt: skip

        return place is min(self._waiting, key=rank)

    def _take(self) -> WorkerProcess:
        with self._changed:
            self._taking += 1
            try:
                while True:
                    self._start_missing(self.spare)
                    self._changed.wait_for(lambda: self._idle)
                    worker = self._idle.pop()
                    if isinstance(worker, Exception):
                        raise worker
                    if worker.is_alive:
                        return worker
                    worker.kill()
            finally:
                self._taking -= 1
                self._start_missing(self.spare)

    def prepare(self, count: int = 0) -> None:
        """Start the spare workers that are missing, or ``count``, without waiting for them."""
        with self._changed:
            self._start_missing(max(self.spare, count))

    def _start_missing(self, spare: int) -> None:
        """Start workers until there is one for each request that needs it, and the spare ones."""
        while len(self._idle) + self._starting < self._taking + spare:
            self._starting += 1
            threading.Thread(target=self._start, name="start a decoder", daemon=True).start()

    def _start(self) -> None:
        started: WorkerProcess | Exception
        try:
            started = WorkerProcess(self.limits)
            self._all.add(started)
        except Exception as error:  # raised in the request that needs a worker
            started = error
        with self._changed:
            self._starting -= 1
            if len(self._idle) < self._taking or not isinstance(started, Exception):
                self._idle.append(started)
            self._changed.notify_all()

    def close(self) -> None:
        """End all workers."""
        for worker in list(self._all):
            worker.kill()

    def forget(self) -> None:
        """Called in a fork: the workers belong to the parent process."""
        for worker in self._all:
            worker.forget()


class Pool:
    """All lines of a program."""

    def __init__(self) -> None:
        self.own = Line(OWN, OWN_WORKERS)
        self.first_try = Line(FIRST_TRY, FIRST_TRY_WORKERS, SPARE_WORKERS, QUICK_S)
        self.patient = Line(PATIENT, PATIENT_WORKERS, SPARE_WORKERS)

    def lines(self) -> tuple[Line, ...]:
        """Every line."""
        return self.own, self.first_try, self.patient

    def decode(self, source: IO[bytes] | bytes, request: Request) -> Outcome:
        """Decode a photo.

        Raises:
            UserError: if it is refused, takes too much time or memory, or all workers are busy.
        """
        visitor = _VISITOR.get()
        if visitor == THE_PROGRAM:
            with self.own.worker(visitor) as worker:
                return _last_try(worker, source, request)
        until = time.monotonic() + PATIENCE_S
        with self.first_try.worker(visitor, PATIENCE_S) as worker:
            self.patient.prepare()  # starting one takes seconds on a busy machine
            try:
                return worker.ask(request._replace(first_try=True), source)
            except WorkerDiedError as error:
                raise _user_error(error, request.name) from None
            except (TooSlowError, TryAgainError):
                pass
        with self.patient.worker(visitor, max(0.0, until - time.monotonic())) as worker:
            return _last_try(worker, source, request)

    def decode_each(self, jobs: Sequence[tuple[Request, IO[bytes]]]) -> list[Outcome | UserError]:
        """Decode the program's own photos in one worker at a time: images, or what is wrong."""
        outcomes: list[Outcome | UserError] = []
        while len(outcomes) < len(jobs):
            with self.own.worker(THE_PROGRAM) as worker:
                for outcome in worker.ask_each(jobs[len(outcomes) :]):
                    name = jobs[len(outcomes)][0].name
                    gone = isinstance(outcome, WorkerGoneError)
                    outcomes.append(_user_error(outcome, name) if gone else outcome)
        return outcomes


def _last_try(worker: WorkerProcess, source: IO[bytes] | bytes, request: Request) -> Outcome:
    try:
        return worker.ask(request, source)
    except WorkerGoneError as error:
        raise _user_error(error, request.name) from None


def _user_error(error: WorkerGoneError, name: str) -> UserError:
    if isinstance(error, TooSlowError):
        return UserError(
            f"{name} takes longer than {SECONDS:.0f} seconds to decode. Shrink it, or save it anew"
            " as JPEG."
        )
    return UserError(
        f"{name} is damaged and cannot be decoded (its decoder crashed). Save or download it again."
    )


POOL = Pool()


def decode(source: IO[bytes] | bytes, request: Request) -> Outcome:
    """:meth:`Pool.decode` of this process."""
    return POOL.decode(source, request)


def decode_each(jobs: Sequence[tuple[Request, IO[bytes]]]) -> list[Outcome | UserError]:
    """:meth:`Pool.decode_each` of this process."""
    return POOL.decode_each(jobs)


def _close() -> None:
    for line in POOL.lines():
        line.close()


def _begin_anew() -> None:
    global POOL
    for line in POOL.lines():
        line.forget()
    after_fork()
    POOL = Pool()


atexit.register(_close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
