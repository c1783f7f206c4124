"""Starting the demo, and refusing what cannot work.

As a file it is started by the tests of the container and of a Space, as a module by those of its
life cycle.
"""

import re
import socket
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import gradio as gr
import httpx
import pytest
from conftest import (
    REPOSITORY,
    assert_clear_error,
    demo_here,
    free_port,
    run_command,
)

import demo.server.queue
from demo import app
from demo.app import AppConfig, make_backend
from demo.inspection import detect
from demo.page import build_page
from model.checkpoint import DEFAULT_CHECKPOINT
from model.errors import UserError

ELSEWHERE = "https://elsewhere.example"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"checkpoint": "nope"}, "there is no checkpoint 'nope'"),
        ({"checkpoint": "gone.safetensors"}, "gone.safetensors"),
        ({"data": Path("nowhere")}, "nowhere does not exist"),
        ({"per_photo": Path("nowhere.csv")}, "nowhere.csv cannot be read as a CSV"),
    ],
)
def test_bad_flags_are_refused_in_words(flags, words):
    with pytest.raises(UserError, match=words):
        make_backend(AppConfig(**flags))


def test_the_photo_the_page_opens_with_is_looked_at_once(backend, monkeypatch):
    """And not for the check of the checkpoint, the page, and what is seen before it, each."""
    looks = []

    def look(*asked):
        looks.append(asked)
        return detect(*asked)

    monkeypatch.setattr("demo.inspection.detect", look)
    assert "detect-result" in str(build_page(backend).get_config_file())
    assert len(looks) == 1


def test_another_checkpoint_file_joins_those_to_choose_from(tmp_path):
    copy = tmp_path / "mine.safetensors"
    copy.write_bytes(DEFAULT_CHECKPOINT.read_bytes())
    backend = make_backend(AppConfig(checkpoint=str(copy)))
    assert list(backend.checkpoints()) == [DEFAULT_CHECKPOINT.stem, "mine"]
    assert backend.checkpoint_file() == copy
    assert backend.detector("mine").class_names == backend.detector().class_names


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"port": 70000}, "--port 70000 is no port: .* from 1 to 65535"),
        ({"port": 0}, "--port 0 is no port"),
        ({"port": -1}, "--port -1 is no port"),
        ({"host": ""}, "--host '' is no address"),
        ({"host": "no such place"}, "--host 'no such place' is no address"),
        ({"host": "x" * 70}, "--host 'x+' is no address"),
        ({"host": "300.1.1.1"}, "--host '300.1.1.1' is no address"),
        (
            {"host": "198.51.100.1"},
            "cannot listen on 198.51.100.1:[0-9]+ .* address of this machine",
        ),
        ({"allow_origin": ("https://[",)}, "--allow-origin 'https://\\[' is no site"),
        ({"allow_origin": ("https://a:99999",)}, "--allow-origin 'https://a:99999' is no site"),
        ({"allow_origin": ("https://a?b",)}, "--allow-origin .* is no site"),
        ({"allow_origin": ("*",)}, "--allow-origin .* is no site"),
    ],
)
def test_an_address_nobody_can_listen_on_is_refused_before_anything_is_loaded(
    monkeypatch, flags, words
):
    monkeypatch.setattr(app, "make_backend", lambda _: pytest.fail("it loads"))
    with pytest.raises(UserError, match=words):
        app.main(AppConfig(**{"port": free_port(), **flags}))


@pytest.mark.usefixtures("nothing_left_behind")
def test_a_port_out_of_range_is_one_line():
    assert_clear_error(run_command("demo/app.py", "--port", "70000"), "70000", "65535")


def test_a_port_in_use_is_said(monkeypatch):
    monkeypatch.setattr(app, "make_backend", lambda _: pytest.fail("it loads"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"{port}.*--port"):
            app.main(AppConfig(port=port))


class Neighbour(ThreadingHTTPServer):
    """Another site on this machine. Browsers let no site from elsewhere frame what runs here."""

    page = b""


class Answer(BaseHTTPRequestHandler):
    """The one page of the other site."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.server.page)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def neighbour() -> Iterator[Neighbour]:
    with Neighbour(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def own_page(tmp_path_factory, neighbour) -> Iterator[tuple[gr.Blocks, str]]:
    """A page in this process, with narrow limits and two other sites allowed; its address.

    The machine is so busy that the page takes longer than Gradio waits for it.
    """
    sites = (ELSEWHERE, f"http://localhost:{neighbour.server_port}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gradio.networking.url_ok", lambda url: False)
        patch.setattr(app, "MAX_SESSIONS", 5)
        patch.setattr(demo.server.queue, "MAX_UNFETCHED", 10)
        with demo_here(tmp_path_factory.mktemp("own-page"), allow_origin=sites) as page_and_address:
            yield page_and_address


def test_visitors_who_do_not_come_back_are_forgotten(own_page):
    """What Gradio keeps of a visitor, and answers nobody fetches, are bounded."""
    page, address = own_page
    for _ in range(15):
        httpx.post(f"{address}gradio_api/call/sample", json={"data": ["cat"]}).raise_for_status()
    assert len(page.app.state_holder.session_data) <= 5
    assert len(page._queue.pending_messages_per_session) <= 10


def test_no_event_has_two_listeners_that_are_asked_again(own_page):
    """Gradio's page asks *all* listeners of an event again when one of them was asked meanwhile."""
    page, _ = own_page
    asked_again = Counter(
        target for fn in page.fns.values() if fn.trigger_mode == "always_last"
        for target in fn.targets
    )  # fmt: skip
    assert len(asked_again) > 3
    assert set(asked_again.values()) == {1}


def test_a_site_named_by_the_flag_may_read_answers_and_no_other(own_page):
    _, address = own_page

    def answer(origin: str) -> httpx.Response:
        body = {"data": ["cat"]}
        headers = {"Origin": origin}
        return httpx.post(f"{address}gradio_api/run/sample", json=body, headers=headers)

    allowed = answer(ELSEWHERE)
    assert allowed.json()["data"][0]["sample"] == "cat"
    assert allowed.headers["access-control-allow-origin"] == ELSEWHERE
    assert ELSEWHERE in allowed.headers["content-security-policy"]
    other = answer("https://third.example")
    assert other.status_code == 403
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(("name", "allowed"), [("localhost", True), ("127.0.0.1", False)])
def test_only_a_site_named_by_the_flag_shows_the_page_in_a_frame(
    own_page, neighbour, chromium, name, allowed
):
    neighbour.page = framed(own_page[1])
    page, site = chromium.new_page(), f"http://{name}:{neighbour.server_port}/"
    if allowed:
        page.goto(site)
        shown = page.frame_locator("iframe").get_by_text("The largest object is").first
        shown.wait_for(timeout=60_000)
    else:
        with page.expect_console_message(lambda said: "frame-ancestors" in said.text):
            page.goto(site)
    page.close()


def framed(address: str) -> bytes:
    """A page with the snippet of docs/api.md."""
    text = (REPOSITORY / "docs" / "api.md").read_text()
    snippet = re.search(r"```html\n(<iframe.*?)```", text, re.DOTALL)[1]
    return snippet.replace("http://127.0.0.1:7860", address).encode()


def front_matter() -> dict[str, str]:
    """What Hugging Face Spaces reads at the top of the README."""
    text = (REPOSITORY / "README.md").read_text()
    block = re.match(r"\A---\n(.*?)\n---\n", text, re.DOTALL)
    assert block, "README.md must begin with the front matter of a Space"
    lines = (line.split(":", 1) for line in block[1].splitlines() if ":" in line)
    return {key.strip(): value.strip().strip("'\"") for key, value in lines}


def test_the_space_runs_the_gradio_the_requirements_name():
    """``sdk_version`` overrides requirements.txt on Spaces, so the two must agree."""
    matter = front_matter()
    (line,) = [
        text for text in (REPOSITORY / "requirements.txt").read_text().split() if "gradio" in text
    ]
    lowest, below = re.fullmatch(r"gradio>=([\d.]+),<(\d+)", line).groups()
    version = matter["sdk_version"].split(".")
    assert version[: len(lowest.split("."))] == lowest.split(".")
    assert int(version[0]) < int(below)
    assert matter["sdk"] == "gradio"
    assert (REPOSITORY / matter["app_file"]).is_file()
    assert len(matter["short_description"]) <= 60


def test_the_demo_holds_only_interface():
    """``model/`` works without Gradio."""
    for path in (REPOSITORY / "model").glob("*.py"):
        assert "gradio" not in path.read_text(), path
