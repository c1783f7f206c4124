"""Decoding in processes with limits: what they may do, what ends them, and who waits for whom."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import gradio as gr
import psutil
import pytest
from conftest import REPOSITORY, run_async
from gradio.state_holder import SessionState
from PIL import Image

from demo.guarded import GuardedBlocks
from demo.serving import calls
from model.data.dataset import Dataset
from model.data.decoding import pool
from model.data.decoding.messages import Answer, Request, packed, pixels_header
from model.data.decoding.pool import BusyError, Line, Pool, Visitor, for_visitor
from model.data.decoding.process import Limits, TooSlowError, WorkerDiedError, WorkerProcess
from model.data.images import load_each, load_fitted, load_image
from model.data.samples import PhotoLibrary
from model.errors import UserError

sys.path.append(str(REPOSITORY / "scripts"))
from hostile_images import FILES, scans

CAT = REPOSITORY / "examples" / "cat.jpg"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def request(name="photo.jpg", longest_side=80) -> Request:
    return Request(name, longest_side, 10**8)


def until(happened, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def run(code: str, **options) -> subprocess.CompletedProcess:
    options = {"cwd": REPOSITORY, "timeout": 120, "capture_output": True, "text": True} | options
    return subprocess.run([sys.executable, "-c", code], **options)


@pytest.fixture
def worker():
    worker = WorkerProcess(Limits(pool.OWN.memory, seconds=60))  # the machine may be busy
    yield worker
    worker.kill()


@pytest.fixture
def own_pool(monkeypatch):
    """A pool of its own, whose lines tests may change."""
    fresh = Pool()
    monkeypatch.setattr(pool, "POOL", fresh)
    yield fresh
    for line in fresh.lines():
        line.close()


# Whose line


@pytest.mark.parametrize("cut", [False, True])
def test_a_visitor_who_names_a_photo_of_the_set_does_not_wait_for_the_program(
    own_pool, own_voc, cut
):
    """It reads all headers in the background, for as long as hostile ones take."""
    photo = own_voc / "JPEGImages" / "000003.jpg"
    if cut:
        photo.write_bytes(photo.read_bytes()[:2000])
    dataset = Dataset(own_voc)
    assert dataset.find("000001")  # the demo looks at some photos before it has visitors
    own_pool.own.count = 0  # all its workers are busy

    def named():
        with for_visitor("10.0.0.1"):
            return dataset.find("000003")

    with ThreadPoolExecutor(1) as threads:
        found = threads.submit(named)
        try:
            assert (found.result(20) is None) == cut
        finally:
            own_pool.own.count = 1


def test_a_photo_is_not_left_out_because_others_keep_the_decoders_busy(own_voc, monkeypatch):
    def busy(*_):
        raise BusyError("the server is busy")

    library = PhotoLibrary(Dataset(own_voc))
    with monkeypatch.context() as patch:
        patch.setattr("model.data.images.decode", busy)
        with pytest.raises(BusyError):
            library.get("000003")
    assert library.get("000003").name == "000003"


# What a worker may do


def test_a_worker_that_is_needed_soon_starts_before(own_pool):
    line = own_pool.own
    line.prepare(1)
    line.prepare(1)
    until(lambda: line._idle)
    (ready,) = line._idle
    own_pool.decode(CAT.read_bytes(), request())
    assert line._idle == [ready]


def test_a_worker_decodes_files_and_bytes(worker):
    with CAT.open("rb") as file:
        from_file = worker.ask(request(), file)
    from_bytes = worker.ask(request(), CAT.read_bytes())
    assert from_file == from_bytes
    assert max(from_file.image.size) == 80
    assert from_file.original_size == Image.open(CAT).size


@LINUX
def test_a_worker_has_given_up_what_it_does_not_need(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hf_123")
    worker = WorkerProcess(Limits(memory=300 * 2**20, seconds=5))
    with CAT.open("rb") as file:
        worker.ask(request(), file)
    try:
        here = Path(f"/proc/{worker._process.pid}")
        status = dict(line.split(":\t", 1) for line in (here / "status").read_text().splitlines())
        assert status["NoNewPrivs"] == "1"
        assert int(status["CapEff"], 16) == 0
        assert "0" not in status["Uid"].split()
        limits = (here / "limits").read_text()
        for name, value in (
            ("Max core file size", 0), ("Max file size", 0), ("Max open files", 16),
            ("Max address space", 300 * 2**20),
        ):  # fmt: skip
            assert f"{name} {value} {value} " in " ".join(limits.split())
        assert "Max cpu time unlimited" not in " ".join(limits.split())
        if os.geteuid() == 0 or status["Uid"].split()[0] == str(os.geteuid()):
            assert b"hf_123" not in (here / "environ").read_bytes()
            assert "torch" not in (here / "maps").read_text()
        until(lambda: psutil.Process(worker._process.pid).memory_info().rss <= 60 * 2**20)
    finally:
        worker.kill()


@LINUX
def test_an_idle_worker_gives_back_what_a_large_photo_took(worker):
    buffer = BytesIO()
    Image.new("RGB", (5000, 4000)).save(buffer, "PNG")
    worker.ask(request(), buffer.getvalue())
    until(lambda: psutil.Process(worker._process.pid).memory_info().rss <= 60 * 2**20)


@pytest.mark.slow
def test_importing_changes_nothing_of_pillow_and_starts_nothing():
    code = """
import PIL.AvifImagePlugin, PIL.GifImagePlugin, PIL.ImageFile, PIL.PngImagePlugin
import PIL.TiffImagePlugin, psutil
from PIL import Image
def settings():
    plain = (bool, int, float, str, tuple, type(None))
    found = {"initialized": Image._initialized, "ids": list(Image.ID)}
    modules = Image, PIL.ImageFile, PIL.PngImagePlugin, PIL.TiffImagePlugin, PIL.AvifImagePlugin
    for module in modules:
        found |= {f"{module} {k}": v for k, v in vars(module).items() if isinstance(v, plain)}
        found |= {f"{module} {k} {n}": f for k, c in vars(module).items() if isinstance(c, type)
                  for n, f in vars(c).items() if callable(f)}
    return found | {"blocks": Image.core.get_block_size()}
before = settings()
import model.data.images, model.data.samples, model.data.pixel_cache
assert settings() == before, {k for k, v in settings().items() if before.get(k) != v}
assert not psutil.Process().children()
print("fine")
"""
    result = run(code)
    assert result.stdout == "fine\n", result.stderr


@pytest.mark.slow
def test_reading_a_file_changes_nothing_of_pillow_either():
    code = (
        "from PIL import Image, ImageFile; from model.data.images import load_image\n"
        "before = Image._initialized, list(Image.ID), ImageFile.LOAD_TRUNCATED_IMAGES\n"
        f"load_image({str(CAT)!r})\n"
        "assert (Image._initialized, list(Image.ID), ImageFile.LOAD_TRUNCATED_IMAGES) == before\n"
    )
    assert run(code).returncode == 0


@pytest.mark.slow
def test_images_of_the_caller_start_no_worker():
    code = (
        "import numpy as np, psutil; from PIL import Image\n"
        "from model.data.images import load_image\n"
        "load_image(Image.new('L', (9, 9))); load_image(np.zeros((5, 5), np.uint8))\n"
        "assert not psutil.Process().children()\n"
    )
    assert run(code).returncode == 0


# What ends a worker, and that the next photo does not mind


@pytest.mark.parametrize("visitor", ["", "somebody"])
def test_a_photo_that_takes_too_long_is_one_sentence_and_the_next_is_read(own_pool, visitor):
    for line in own_pool.lines():
        line.limits = Limits(line.limits.memory, seconds=0.5)
    with for_visitor(visitor):
        with pytest.raises(UserError, match=r"^the image takes longer than 5 seconds.*\.$"):
            load_fitted(scans(9984, 2000), 80)
        assert max(load_fitted(CAT, 80).image.size) == 80


def test_the_second_try_does_not_wait_until_a_worker_is_started(own_pool):
    """Which takes seconds on a busy machine: its owner's sentence would come that much later."""
    own_pool.patient.limits = Limits(pool.PATIENT.memory, seconds=0.3)
    with for_visitor("somebody"):
        load_fitted(CAT, 80)
        for _ in range(2):  # the first of them costs a worker its life
            until(lambda: own_pool.patient._idle)
            (ready,) = own_pool.patient._idle
            own_pool.first_try.limits = Limits(pool.FIRST_TRY.memory, seconds=60, processor_s=0.1)
            with pytest.raises(UserError, match="takes longer"):
                load_fitted(scans(9984, 2000), 80)
            assert not ready.is_alive


def test_a_photo_out_of_time_ends_its_worker():
    worker = WorkerProcess(Limits(2**30, seconds=0.3))
    with pytest.raises(TooSlowError):
        worker.ask(request(), scans(9984, 2000))
    assert not worker.is_alive
    assert worker._process.returncode is not None  # no zombie stays behind


@LINUX
def test_processor_time_is_limited_by_the_system_itself():
    worker = WorkerProcess(Limits(2**30, seconds=60, processor_s=0.2))
    with pytest.raises(TooSlowError):
        worker.ask(request(), scans(9984, 2000))
    assert worker._process.returncode == -signal.SIGPROF


@pytest.mark.slow
def test_time_is_counted_for_each_photo_anew():
    worker = WorkerProcess(Limits(2**30, seconds=60, processor_s=0.6))
    content = FILES["PNG, RGBA of 16 bits"](1)
    started = psutil.Process(worker._process.pid).cpu_times().user
    while psutil.Process(worker._process.pid).cpu_times().user < started + 0.9:
        worker.ask(request(), content)
    worker.kill()


def test_a_worker_that_crashes_is_one_sentence(own_pool):
    content, answers = scans(9984, 2000), []

    def ask():
        try:
            load_fitted(content, 80)
        except UserError as error:
            answers.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: list(own_pool.own._all))
    (worker,) = own_pool.own._all
    until(lambda: psutil.Process(worker._process.pid).cpu_times().user > 0.2)
    worker._process.send_signal(signal.SIGSEGV)
    thread.join(20)
    assert len(answers) == 1
    assert answers[0].startswith("the image is damaged")
    assert load_fitted(CAT, 80)


def test_an_idle_worker_that_was_killed_is_replaced(own_pool):
    load_fitted(CAT, 80)
    (worker,) = own_pool.own._idle
    worker._process.kill()
    worker._process.wait()
    assert load_fitted(CAT, 80)


@pytest.mark.slow
def test_a_bad_photo_in_a_group_costs_nobody_else_his(own_pool, tmp_path):
    own_pool.own.limits = Limits(2**30, seconds=60, processor_s=0.3)
    files = [tmp_path / f"{i}.jpg" for i in range(12)]
    for i, file in enumerate(files):
        file.write_bytes(scans(9984, 2000) if i in (0, 5, 11) else CAT.read_bytes())
    outcomes = list(load_each(files, 40))
    slow = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, UserError)]
    assert slow == [0, 5, 11]
    assert all(str(outcomes[i]).startswith(f"{files[i]} takes longer") for i in slow)


@pytest.mark.parametrize(
    "said",
    [
        packed(Answer((10**6, 10**6), (9, 9))),
        packed(Answer((81, 9), (9, 9))),
        packed(Answer((-1, 9), (9, 9))),
        packed(Answer((8.5, 9), (9, 9))),
        packed(Answer((8, 9), (9, 9), profile_bytes=2**40)),
        packed(Answer((8, 9), (9, 9)))[:20], b"\0\0\0\2{}", b"\0\0\0\x04null",
        packed(Answer((8, 9), (9, 9))) + pixels_header((8, 9)),
        b"\0\0\0\3[1]", b"\0\0\0\2{}x", b"\xff\xff\xff\xff", b"\0\0\0\1\xff", b"",
    ],
    ids=range(14),
)  # fmt: skip
def test_a_worker_that_was_taken_over_can_only_talk_nonsense(said):
    """Whatever it sends, no other error and no memory comes of it."""
    worker = WorkerProcess(Limits(2**30, seconds=5))
    worker._connection.close()
    worker._connection, theirs = socket.socketpair()
    theirs.sendall(said)
    theirs.shutdown(socket.SHUT_WR)
    with theirs, pytest.raises(WorkerDiedError):
        worker.ask(request(), b"photo")
    assert not worker.is_alive


def test_a_sentence_of_a_worker_is_one_line():
    worker = WorkerProcess(Limits(2**30, seconds=5))
    worker._connection.close()
    worker._connection, theirs = socket.socketpair()
    theirs.sendall(packed(Answer(problem="a\n\nb" + "c" * 50_000)))
    with theirs, pytest.raises(UserError) as caught:
        worker.ask(request(), b"photo")
    assert str(caught.value).startswith("a bc")
    assert len(str(caught.value)) <= 5000
    worker.kill()


def test_what_does_not_start_says_why(monkeypatch):
    monkeypatch.setattr("model.data.decoding.process._BOOT", "raise ImportError('no Pillow here')")
    with pytest.raises(RuntimeError, match="did not start: ImportError: no Pillow here"):
        WorkerProcess(pool.OWN)


# Hostile files of every kind; large ones: scripts/fuzz_images.py --hostile


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_read_or_one_sentence(name):
    with for_visitor("somebody"):
        outcome = outcome_of(FILES[name](1))
    assert outcome == "read" or outcome.startswith("the image ")


def outcome_of(content: bytes) -> str:
    try:
        assert max(load_fitted(content, 40).image.size) <= 40
    except UserError as error:
        return str(error)
    return "read"


@pytest.mark.parametrize(
    ("name", "scale"), [("BMP, run that leaps", 100), ("TIFF, float, one strip", 25)]
)
def test_memory_has_an_end(own_pool, name, scale):
    own_pool.own.limits = Limits(pool.FIRST_TRY.memory, seconds=60)
    with pytest.raises(UserError, match=r"memory|damaged"):
        load_fitted(FILES[name](scale), 80)


@pytest.mark.slow
def test_a_large_sound_photo_gets_the_memory_of_a_second_try(own_pool):
    """25 megapixels of float, and the same in one strip: 200 MB."""
    content = FILES["TIFF, float, one strip"](25)
    own_pool.patient.limits = Limits(pool.PATIENT.memory, seconds=60)
    with for_visitor("somebody"):
        loaded = load_fitted(content, 1280)
    assert max(loaded.image.size) == 1280
    assert own_pool.patient._count == 2  # it came there, and had its turn


@pytest.mark.slow
def test_a_large_sound_webp_gets_the_memory_of_a_second_try(own_pool):
    """It wants memory for all its pixels, twice, when it is opened, and calls itself broken."""
    stream = BytesIO()
    Image.new("RGB", (8000, 4000)).save(stream, "WEBP", quality=1, method=0)
    own_pool.first_try.limits = Limits(pool.FIRST_TRY.memory, seconds=60)
    own_pool.patient.limits = Limits(pool.PATIENT.memory, seconds=60)
    with for_visitor("somebody"):
        loaded = load_fitted(stream.getvalue(), 1280)
    assert loaded.original_size == (8000, 4000)


def test_photos_read_at_the_same_time_are_the_same_photos(own_pool):
    """More threads than workers, and each gets its own photo."""
    colours = [(20 * i, 255 - 20 * i, 7) for i in range(12)]
    found: dict[int, tuple] = {}

    def read(i: int) -> None:
        stream = BytesIO()
        Image.new("RGB", (700, 600), colours[i]).save(stream, "PNG")
        with for_visitor(f"visitor {i % 3}" if i % 4 else ""):
            found[i] = load_image(stream.getvalue()).getpixel((300, 300))

    threads = [threading.Thread(target=read, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == dict(enumerate(colours))


# Who waits for whom


class Visits:
    """Threads that hold a worker of a line until they are told to leave."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.inside: list[str] = []
        self._leave: dict[str, threading.Event] = {}

    def come(self, name: str) -> None:
        """``a1`` is a visit from the address ``a``, ``ax1`` one of the session ``x`` there."""
        self._leave[name] = threading.Event()
        waiting = len(self.line._waiting)
        threading.Thread(target=self._stay, args=(name,), daemon=True).start()
        until(lambda: name in self.inside or len(self.line._waiting) > waiting)

    def leave(self, name: str) -> None:
        self._leave[name].set()
        until(lambda: name not in self.inside)

    def _stay(self, name: str) -> None:
        with self.line.worker(Visitor(name[0], name[1:-1])):
            self.inside.append(name)
            self._leave[name].wait(30)
            self.inside.remove(name)


class StandIn:
    """A worker that needs no process."""

    def __init__(self, _: Limits) -> None:
        self.is_alive = True

    def kill(self) -> None:
        self.is_alive = False


@pytest.fixture
def visits(monkeypatch):
    monkeypatch.setattr(pool, "WorkerProcess", StandIn)
    return Visits(Line(pool.OWN, 2))


def test_one_visitor_has_all_workers_only_while_nobody_else_waits(visits):
    for name in ("a1", "a2", "a3", "a4", "b1", "c1"):
        visits.come(name)
    assert sorted(visits.inside) == ["a1", "a2"]
    visits.leave("a1")
    until(lambda: sorted(visits.inside) == ["a2", "b1"])  # and not a3, who came before
    visits.leave("a2")
    until(lambda: sorted(visits.inside) == ["a3", "b1"])  # a has none now, and came before c
    visits.leave("a3")
    until(lambda: sorted(visits.inside) == ["b1", "c1"])  # since a's last turn c has waited longer
    visits.come("d1")
    visits.leave("b1")
    until(lambda: sorted(visits.inside) == ["a4", "c1"])  # a's last turn was before d came
    visits.leave("c1")
    until(lambda: sorted(visits.inside) == ["a4", "d1"])
    visits.leave("a4")
    visits.leave("d1")
    until(lambda: not visits.line._served)
    assert not visits.line._last_turn


def test_visitors_with_many_photos_do_not_starve_one_who_comes(visits):
    for name in ("a1", "b1", "a2", "b2", "a3", "b3", "c1"):
        visits.come(name)
    for leaves, follows in (
        ("a1", "a2"), ("b1", "b2"), ("a2", "c1"), ("b2", "a3"), ("c1", "b3"),
    ):  # fmt: skip
        visits.leave(leaves)
        until(lambda name=follows: name in visits.inside)
    visits.leave("a3")
    visits.leave("b3")


def test_who_is_known_for_quick_photos_goes_before_those_who_wait(monkeypatch):
    monkeypatch.setattr(pool, "WorkerProcess", StandIn)
    monkeypatch.setattr(pool, "MAX_REMEMBERED", 3)
    line = Line(pool.OWN, 1, quick_s=60)
    for address in ("v", "w"):
        with line.worker(Visitor(address)) as worker:
            if address == "w":
                worker.kill()  # as a photo does that takes too long
    visits = Visits(line)
    for name in ("a1", "b1", "w1", "v1"):
        visits.come(name)
    for leaves, follows in (("a1", "v1"), ("v1", "b1"), ("b1", "w1")):
        visits.leave(leaves)
        until(lambda name=follows: name in visits.inside)
    visits.leave("w1")
    until(lambda: not line._served)
    for address in "cdefg":
        with line.worker(Visitor(address)):
            pass
    assert list(line._quick) == ["e", "f", "g"]


def test_many_sessions_at_one_address_have_no_more_than_one(visits):
    for name in ("as1", "at1", "au1", "av1", "as2", "b1", "c1"):
        visits.come(name)
    for leaves, follows in (("as1", "b1"), ("at1", "au1"), ("b1", "c1"), ("au1", "av1")):
        visits.leave(leaves)
        until(lambda name=follows: name in visits.inside)
    visits.leave("c1")
    until(lambda: sorted(visits.inside) == ["as2", "av1"])  # s had its turn, and waited to the end
    visits.leave("as2")
    visits.leave("av1")
    until(lambda: not visits.line._served)
    assert not visits.line._last_turn


class SlowStart(StandIn):
    """A worker that is there only when it is told to be."""

    may_start = threading.Semaphore(0)

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        assert self.may_start.acquire(timeout=30)


def test_who_comes_after_a_lost_worker_does_not_wait_for_the_next_to_start(monkeypatch):
    monkeypatch.setattr(pool, "WorkerProcess", SlowStart)
    visits = Visits(Line(pool.OWN, 1, spare=1))
    for _ in range(2):  # one that works, and the spare one
        SlowStart.may_start.release()
    visits.come("a1")
    until(lambda: visits.inside and len(visits.line._idle) == 1)
    for worker in list(visits.line._all):
        if worker not in visits.line._idle:
            worker.kill()
    visits.leave("a1")
    visits.come("b1")
    until(lambda: visits.inside == ["b1"])  # and nothing was started
    assert visits.line._starting == 1
    SlowStart.may_start.release()
    until(lambda: not visits.line._starting)
    visits.leave("b1")
    until(lambda: not visits.line._served)
    assert len(visits.line._idle) == 2  # never more than one at work and one to spare
    visits.come("c1")
    visits.leave("c1")
    assert visits.line._starting == 0


def test_a_worker_that_does_not_start_is_said_to_who_needs_it_and_not_to_others(monkeypatch):
    def fails(_: Limits) -> None:
        raise RuntimeError("no more processes")

    line = Line(pool.OWN, 1, spare=1)
    monkeypatch.setattr(pool, "WorkerProcess", fails)
    with pytest.raises(RuntimeError, match="no more"), line.worker(Visitor("a")):
        pytest.fail("there is no worker")
    until(lambda: not line._starting)
    monkeypatch.setattr(pool, "WorkerProcess", StandIn)
    assert not line._idle
    with line.worker(Visitor("b")) as worker:
        assert worker.is_alive


def test_who_waits_too_long_is_told_so_and_the_line_goes_on(visits):
    visits.come("a1")
    visits.come("b1")
    with (
        pytest.raises(UserError, match=r"busy .* try again"),
        visits.line.worker(Visitor("c"), patience_s=0.05),
    ):
        pytest.fail("there is no worker")
    visits.leave("a1")
    with visits.line.worker(Visitor("c"), patience_s=0.0):
        pass
    visits.leave("b1")


def test_ctrl_c_leaves_neither_a_place_nor_a_worker_that_still_answers(visits):
    with pytest.raises(KeyboardInterrupt), visits.line.worker(Visitor("a")) as worker:
        raise KeyboardInterrupt
    assert not worker.is_alive
    assert not visits.line._served
    assert not visits.line._idle


@pytest.mark.slow
def test_slow_photos_are_not_in_the_way_of_others(own_pool):
    """Many visitors with a slow photo each, and one with a quick one."""
    content = scans(9984, 2000)
    own_pool.first_try.limits = Limits(pool.FIRST_TRY.memory, seconds=60, processor_s=0.1)
    own_pool.patient.limits = Limits(pool.PATIENT.memory, seconds=60)
    visitors = range(pool.FIRST_TRY_WORKERS + 1)

    def slow(i: int) -> None:
        with for_visitor(f"slow {i}"), pytest.raises(UserError):
            load_fitted(content, 80)

    threads = [threading.Thread(target=slow, args=(i,), daemon=True) for i in visitors]
    for thread in threads:
        thread.start()
    until(lambda: own_pool.patient._served["slow 0"] or own_pool.patient._served.total())
    with for_visitor("quick"):
        assert load_fitted(CAT, 80)
    assert own_pool.patient._served.total() == 1  # the slow one is not finished
    for worker in list(own_pool.patient._all):
        worker._process.kill()
    monkey = own_pool.patient
    monkey.limits = Limits(pool.PATIENT.memory, seconds=0.01)
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


# The program around it


@pytest.mark.slow
@LINUX
def test_a_fork_has_workers_of_its_own():
    code = f"""
import os, sys
from model.data.images import load_fitted
from model.data.decoding import pool
load_fitted({str(CAT)!r}, 80)
mine = [w._process.pid for w in pool.POOL.own._idle]
child = os.fork()
if child == 0:
    load_fitted({str(CAT)!r}, 80)
    theirs = [w._process.pid for w in pool.POOL.own._idle]
    os._exit(0 if theirs and not set(theirs) & set(mine) else 1)
assert os.waitpid(child, 0)[1] == 0
load_fitted({str(CAT)!r}, 80)
assert [w._process.pid for w in pool.POOL.own._idle] == mine
"""
    result = run(code)
    assert result.returncode == 0, result.stderr


HOLDS_A_WORKER = f"""
import sys
from model.data.images import load_fitted
from model.data.decoding import pool
load_fitted({str(CAT)!r}, 80)
print(*[w._process.pid for w in pool.POOL.own._idle], flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
@LINUX
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL, None])
def test_workers_end_with_the_program(end):
    program = subprocess.Popen(
        [sys.executable, "-c", HOLDS_A_WORKER], cwd=REPOSITORY, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # What a shell starts in the background ignores Ctrl-C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    worker = psutil.Process(int(program.stdout.readline()))
    if end:
        program.send_signal(end)
    program.communicate(timeout=30)  # ends what it reads, and so, without a signal, the program
    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.slow
@LINUX
def test_a_busy_worker_ends_with_a_program_that_is_killed(tmp_path):
    (tmp_path / "slow.jpg").write_bytes(scans(9984, 2000))
    slow = str(tmp_path / "slow.jpg")
    code = f"from model.data.images import load_fitted; load_fitted({slow!r}, 80)"
    program = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY)
    until(lambda: psutil.Process(program.pid).children())
    (worker,) = psutil.Process(program.pid).children()
    program.kill()
    program.wait()
    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, 3)


@pytest.mark.slow
@LINUX
def test_no_zombie_is_left_by_photos_that_were_too_slow(own_pool):
    own_pool.own.limits = Limits(2**30, seconds=0.2)
    before = {child.pid for child in psutil.Process().children()}
    for _ in range(3):
        with pytest.raises(UserError):
            load_fitted(scans(9984, 2000), 80)
    assert {child.pid for child in psutil.Process().children()} <= before


@pytest.mark.slow
def test_it_works_from_another_folder_and_in_a_thread(tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from threading import Thread; from model.data.images import load_fitted\n"
        f"thread = Thread(target=lambda: print(load_fitted({str(CAT)!r}, 80).image.size))\n"
        "thread.start(); thread.join()\n"
        f"print(load_fitted({str(CAT)!r}, 80).image.size)"
    )
    result = run(code, cwd=tmp_path)
    assert result.stdout.splitlines() == [str(load_fitted(CAT, 80).image.size)] * 2, result.stderr


@pytest.mark.slow
def test_a_relative_python_path_is_understood():
    code = f"from model.data.images import load_fitted; load_fitted({str(CAT)!r}, 80)"
    result = run(code, env={**os.environ, "PYTHONPATH": "."})
    assert result.returncode == 0, result.stderr


def test_what_the_page_decodes_is_a_visitors():
    with GuardedBlocks() as page:
        box = gr.Textbox()
        box.change(lambda _: " ".join(pool._VISITOR.get()), box, box)
    state = SessionState(page)

    async def asked_by(visitor: tuple) -> str:
        calls.current.set(calls.Call(*visitor))
        return (await page.process_api(0, ["x"], state))["data"][0]

    for visitor, known_as in ((("10.0.0.1", "abc"), "10.0.0.1 abc"), ((), "somebody ")):
        assert run_async(asked_by(visitor)) == known_as
    assert pool._VISITOR.get() == Visitor()
