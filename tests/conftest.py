"""A tiny data set in the VOC layout, made here, and the real one where it is present."""

import asyncio
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if "PYTEST_XDIST_WORKER" in os.environ:
    # Two workers that both use two threads each wait for one another most of the time. PyTorch
    # reads this once, when it is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import httpx
import hypothesis
import numpy as np
import pytest
from PIL import Image, ImageDraw

# How long an example takes says more about what else runs on the machine than about the code.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")

REPOSITORY = Path(__file__).resolve().parent.parent
# Where VOC 2007 is looked for: in the checkout and beside it.
VOC_PLACES = [REPOSITORY / "data", REPOSITORY, REPOSITORY.parent]
COLOURS = {"car": (200, 40, 40), "cat": (40, 160, 60), "sheep": (60, 80, 220)}


def write_voc_xml(
    root: Path, name: str, size: tuple[int, int], objects: list[tuple], extra: str = ""
) -> Path:
    """Write an annotation; ``objects`` are ``(class, xmin, ymin, xmax, ymax[, difficult])``."""
    body = "".join(
        f"<object><name>{o[0]}</name><difficult>{o[5] if len(o) > 5 else 0}</difficult><bndbox>"
        f"<xmin>{o[1]}</xmin><ymin>{o[2]}</ymin><xmax>{o[3]}</xmax><ymax>{o[4]}</ymax>"
        "</bndbox></object>"
        for o in objects
    )
    path = root / "Annotations" / f"{name}.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"<annotation><filename>{name}.jpg</filename><size><width>{size[0]}</width>"
        f"<height>{size[1]}</height><depth>3</depth></size>{body}{extra}</annotation>"
    )
    return path


def write_split(root: Path, split: str, names: list[str]) -> None:
    path = root / "ImageSets" / "Main" / f"{split}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names))


SIZES = [(120, 90), (90, 120), (100, 100)]  # of the photos, in turn


def make_voc(root: Path, n_train: int = 20, n_val: int = 10, classes=tuple(COLOURS)) -> Path:
    """Photos of one large and sometimes one small coloured rectangle on noise, VOC layout."""
    rng = np.random.default_rng(0)
    names = [f"{i:06d}" for i in range(n_train + n_val)]
    (root / "JPEGImages").mkdir(parents=True)
    for i, name in enumerate(names):
        width, height = SIZES[i % 3]
        image = Image.fromarray(rng.integers(90, 150, (height, width, 3), dtype=np.uint8))
        draw = ImageDraw.Draw(image)
        class_name = classes[i % len(classes)]
        w, h = rng.integers(35, 70, 2)
        x, y = rng.integers(0, width - w), rng.integers(0, height - h)
        objects = [(class_name, x + 1, y + 1, x + w, y + h)]
        if i % 4 == 0:
            objects.insert(0, (classes[(i + 1) % len(classes)], 2, 2, 14, 12))
        for o in objects[::-1]:
            colour = COLOURS.get(o[0], (250, 250, 90))
            draw.rectangle((o[1] - 1, o[2] - 1, o[3] - 1, o[4] - 1), fill=colour)
        image.save(root / "JPEGImages" / f"{name}.jpg", quality=95)
        write_voc_xml(root, name, (width, height), objects)
    write_split(root, "train", names[:n_train])
    write_split(root, "val", names[n_train:])
    write_split(root, "trainval", names)
    return root


def step_of(variant: Any, name: str) -> Any:
    """The step of a variant's trace that is called so."""
    return next(step for step in variant.trace.steps if step.name == name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What opens a browser or asks a server is slow; the slow modules are begun first."""
    for item in items:
        uses = {"demo_address", "chromium"} & set(getattr(item, "fixturenames", ()))
        if uses or item.path.parent.name in ("browser", "http"):
            item.add_marker(pytest.mark.slow)
    slow_modules = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow_modules)


@contextmanager
def file_size_limit(n_bytes: int):
    """No file can grow beyond ``n_bytes``: writing fails halfway, as on a full disk."""
    # The signal that comes with it is ignored by Python: writing then fails with EFBIG.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def mounted_tmpfs(folder: Path, options: str):
    """A small or read-only disk at ``folder``, where the tests may mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a disk of a given size is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """No test reads or fills the user's cache of decoded photos."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def shallow_network() -> Iterator[None]:
    """Networks made or loaded in this process have one block a stage, and the same widths.

    For modules in which it does not matter how deep the network is: it has a quarter of the
    weights. The shipped checkpoint cannot be loaded meanwhile.
    """
    from torchvision.models.resnet import BasicBlock, ResNet

    def resnet10(weights: None) -> ResNet:
        return ResNet(BasicBlock, [1, 1, 1, 1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.network.backbone.resnet34", resnet10)
        yield


@pytest.fixture
def no_plots(monkeypatch) -> None:
    """Runs of ``train.py`` in this process draw no plots, which takes longer than they train.

    ``test_train_processes.py`` looks at those of a whole run.
    """
    for name in ("plot_history", "picture_sheet"):
        monkeypatch.setattr(f"model.evaluation.plots.{name}", lambda *_: None)


@pytest.fixture(scope="session")
def toy_voc(tmp_path_factory) -> Path:
    """The folder above VOCdevkit. Read only: tests that change files make their own."""
    folder = tmp_path_factory.mktemp("toy")
    make_voc(folder / "VOCdevkit" / "VOC2007")
    return folder


@pytest.fixture(scope="session")
def toy_per_photo(toy_voc, tmp_path_factory) -> Path:
    """A CSV as ``model.evaluate --per-photo`` writes it, of the toy's ``val``.

    All is right, but 000020, a sheep that is taken for a cat.
    """
    from model.data.dataset import read_split
    from model.evaluation.per_photo import COLUMNS, PREDICTED_BOX, TRUE_BOX

    frame = read_split(toy_voc, "val").frame
    table = frame[["file_name", "n_objects"]].assign(
        true_class=frame.class_name, predicted_class=frame.class_name, score=0.8, iou=1.0,
        l1_px_224=0.0, area_share=frame.area_fraction, second_share=0.0,
    )  # fmt: skip
    for sides in (TRUE_BOX, PREDICTED_BOX):
        table[list(sides)] = frame[["xmin", "ymin", "xmax", "ymax"]].to_numpy()
    table.loc[table.file_name == "000020.jpg", ["predicted_class", "iou"]] = ["cat", 0.25]
    path = tmp_path_factory.mktemp("per_photo") / "photos.csv"
    table[list(COLUMNS)].to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def backend(toy_voc):
    """What stands behind a page with the toy data set, without the page."""
    from demo.backend import Backend
    from model.data.samples import PhotoLibrary

    return Backend(PhotoLibrary(toy_voc))


@pytest.fixture
def own_voc(tmp_path) -> Path:
    """A VOC2007 folder a test may damage."""
    return make_voc(tmp_path / "own" / "VOC2007", 8, 4)


@pytest.fixture(scope="session")
def real_voc() -> Path:
    """VOC 2007 itself, from $VOC_ROOT or from one of :data:`VOC_PLACES`."""
    from model.data.dataset import Dataset
    from model.errors import UserError

    given = os.environ.get("VOC_ROOT")
    for place in [given] if given else VOC_PLACES:
        with suppress(UserError):
            return Dataset(place).folders[0]
    pytest.skip("VOC 2007 is not there; set VOC_ROOT, or download it into data/")


@pytest.fixture
def nothing_left_behind(tmp_path_factory, monkeypatch) -> Iterator[None]:
    """What a test starts leaves no temporary file: PyTorch makes a folder for compiled kernels."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)  # PyTorch sets it for children
    yield
    assert not list(folder.iterdir())


def run_command(*arguments: str, timeout: float = 240, **environment: str):
    """Run ``python ARGUMENTS`` in the repository as a user would."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=REPOSITORY,
        env={"OMP_NUM_THREADS": "2", **os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def assert_clear_error(result, *expected: str) -> None:
    """Exit status not 0, one line that says what is wrong, no traceback."""
    assert result.returncode not in (0, None), result.stdout
    assert "Traceback" not in result.stderr, result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.stderr
    for text in expected:
        assert text in errors[0]


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running_demo(
    *arguments: str,
    command: tuple[str, ...] = ("demo/app.py",),
    **environment: str,
):
    """The real server in a process of its own; gives its address."""
    port = free_port()
    log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed below)
    process = subprocess.Popen(
        [sys.executable, *command, "--port", str(port), *map(str, arguments)],
        cwd=REPOSITORY, env={**os.environ, **environment}, stdout=log, stderr=log,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}/"
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    pytest.fail(f"the demo did not start: {log.read()[-3000:]}")
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(30)
        log.close()


@contextmanager
def demo_here(folder: Path, **flags: Any) -> Iterator[tuple[Any, str]]:
    """The demo in this process, which spares the seconds of a new one; its page and address.

    Its files go to ``folder``; the flags are those of ``demo.app.AppConfig``.
    """
    import torch

    from demo import app

    launch, launched, threads = app.launch, [], torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        patch.setattr(app, "launch", lambda *given: launched.append((given, launch(*given, False))))
        app.main(app.AppConfig(**{"port": free_port(), **flags}))
        torch.set_num_threads(threads)  # which the demo lowers for its process
        (((page, *_), address),) = launched
        try:
            yield page, address
        finally:
            page.close(verbose=False)


@dataclass(frozen=True)
class GhostscriptTrap:
    """A false ``gs``: put ``folder`` first on PATH, and ``mark`` exists once someone started it."""

    folder: Path
    mark: Path

    @property
    def path(self) -> str:
        return f"{self.folder}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="session")
def ghostscript_trap(tmp_path_factory) -> GhostscriptTrap:
    """On the PATH of the demo; Pillow starts ``gs`` for whatever looks like PostScript."""
    folder = tmp_path_factory.mktemp("gs")
    program, mark = folder / "gs", folder / "started"
    program.write_text(f"#!/bin/sh\necho started >> '{mark}'\n")
    program.chmod(0o755)
    return GhostscriptTrap(folder, mark)


SECRET = "no-visitor-may-read-this"
SLOW_PHOTO, SLOW_PHOTO_S = "takes-seconds.jpg", 2.0
# The demo as it is, in a process that notes every secret file or device that anything in it opens,
# that takes as many seconds longer for every variant as the file $PACE says, and SLOW_PHOTO_S for a
# photo called SLOW_PHOTO; while there is a file $PACE.hold, such a photo and an audit do not go on.
WATCHED_DEMO = f"""
import os, runpy, sys, time
log = os.open(os.environ["OPENED_LOG"], os.O_WRONLY | os.O_APPEND)
def watch(event, arguments):
    if event == "open" and any(word in str(arguments[0]) for word in ({SECRET!r}, "/dev/ptmx")):
        os.write(log, f"{{arguments[0]}}\\n".encode())
sys.addaudithook(watch)
import model.inspect.variants, model.inspect.robustness, model.data.images
import model.inspect.audit.tally
def slowed(function):
    def slow(*arguments, **options):
        found = function(*arguments, **options)
        time.sleep(float(open(os.environ["PACE"]).read() or 0) * len(found))
        return found
    return slow
model.inspect.variants.make_variants = slowed(model.inspect.variants.make_variants)
model.inspect.robustness.predict_variants = slowed(model.inspect.robustness.predict_variants)
def wait():
    while os.path.exists(os.environ["PACE"] + ".hold"):
        time.sleep(0.05)
measure = model.inspect.audit.tally.measure
def slow_measure(*arguments):
    wait()
    return measure(*arguments)
model.inspect.audit.tally.measure = slow_measure
load_fitted = model.data.images.load_fitted
def load(path, *arguments, **options):
    if str(path).endswith({SLOW_PHOTO!r}):
        time.sleep({SLOW_PHOTO_S})
        wait()
    return load_fitted(path, *arguments, **options)
model.data.images.load_fitted = load
runpy.run_path("demo/app.py", run_name="__main__")
"""


@pytest.fixture(scope="session")
def opened_secrets(tmp_path_factory) -> Path:
    """Where the demo notes what it opened of the files with :data:`SECRET` in their path."""
    log = tmp_path_factory.mktemp("watch") / "opened"
    log.touch()
    return log


@pytest.fixture(scope="session")
def pace_file(tmp_path_factory) -> Path:
    """Holds by how many seconds a variant the demo is slowed down."""
    file = tmp_path_factory.mktemp("pace") / "pace"
    file.touch()
    return file


@pytest.fixture(scope="module")
def slow_demo(pace_file) -> Iterator[None]:
    """The shared demo takes its time, the longer the more variants it draws."""
    pace_file.write_text("0.1")
    yield
    pace_file.write_text("")


@contextmanager
def slow_work_held(pace_file: Path) -> Iterator[None]:
    """The shared demo reads no photo called :data:`SLOW_PHOTO`, and audits none, before its end."""
    hold = pace_file.with_suffix(".hold")
    hold.touch()
    try:
        yield
    finally:
        hold.unlink()


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory) -> Path:
    """The folder the demo may write to."""
    return tmp_path_factory.mktemp("gradio")


@pytest.fixture(scope="session")
def demo_address(
    toy_voc, toy_per_photo, demo_folder, opened_secrets, pace_file, ghostscript_trap
) -> Iterator[str]:
    """A demo with the toy data set, and what was predicted for it."""
    environment = {
        "GRADIO_TEMP_DIR": str(demo_folder), "OPENED_LOG": str(opened_secrets),
        "PACE": str(pace_file), "PATH": ghostscript_trap.path,
    }  # fmt: skip
    command = ("-c", WATCHED_DEMO)
    flags = ("--data", str(toy_voc), "--per-photo", str(toy_per_photo))
    with running_demo(*flags, command=command, **environment) as address:
        yield address


CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
]  # fmt: skip


# The server closes connections nobody uses, perhaps just when a slow machine asks again.
A_CONNECTION_EACH = httpx.Limits(max_keepalive_connections=0)


def run_async(coroutine: Coroutine) -> Any:
    """What a coroutine returns, run in a thread: Playwright keeps an event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


@pytest.fixture(scope="session")
def chromium():
    """A real browser: the system's Chromium, or the one Playwright installed."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
            )
        except Error:
            pytest.skip("no Chromium: apt-get install chromium, or playwright install chromium")
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def desk_tab(chromium):
    """A tab at a desk, kept for all modules."""
    from visitor import open_page

    page = open_page(chromium, "about:blank", ready=None)
    yield page
    page.context.close()


@pytest.fixture(scope="session")
def phone_tab(chromium):
    """A tab on a phone, likewise."""
    from visitor import PHONE, open_page

    page = open_page(chromium, "about:blank", ready=None, **PHONE)
    yield page
    page.context.close()


@pytest.fixture(scope="module")
def reused_page(desk_tab):
    """A tab for the pages of one test after the other; one that is left open keeps a core busy."""
    yield desk_tab
    desk_tab.goto("about:blank")


@pytest.fixture(scope="module")
def reused_phone(phone_tab):
    """Such a tab on a phone."""
    yield phone_tab
    phone_tab.goto("about:blank")


@pytest.fixture
def page(reused_page, demo_address):
    """The page as it opens."""
    from visitor import open_again

    return open_again(reused_page, demo_address)


@pytest.fixture
def augment_page(request, reused_page, demo_address):
    """The Augment tab with three variants, drawn, all its controls in sight."""
    from playwright.sync_api import expect
    from visitor import open_again

    page = open_again(reused_page, f"{demo_address}?tab=augment&sample=000004&seed=3&count=3")
    expect(page.locator("#augment-answers .row")).to_have_count(3)
    page.get_by_text("Advanced: box, seed, rules").click()
    expect(page.locator("#augment-seed input")).to_be_visible()
    page.traffic.settle()
    page.evaluate("(count) => { document.nFailed = count; }", request.session.testsfailed)
    return page


@pytest.fixture
def page_as_left(request, reused_page):
    """:func:`augment_page` as the test before left it, for tests that do not mind what was done.

    Opening it takes longer than most of them. It is opened anew if a test has failed meanwhile, or
    has opened something else.
    """
    page = reused_page
    if page.evaluate("document.nFailed") != request.session.testsfailed:
        return request.getfixturevalue("augment_page")
    page.get_by_role("tab", name="Augment").click()
    page.traffic.settle()
    page.traffic.forget()
    return page
