"""demo/server/security.py: who may call the server, with how much, and what it tells browsers."""

import asyncio
import errno
import http.client
import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from conftest import A_CONNECTION_EACH, run_async
from gradio.routes import App
from starlette.responses import PlainTextResponse
from visitor import wait_for

from demo.guarded import GuardedBlocks
from demo.server.direct import MAX_DIRECT
from demo.server.security import (
    MAX_REQUEST,
    MAX_STREAMS,
    GuardedApp,
    RequestGuard,
    Visitors,
    _storage_answer,
    checked_origin,
)
from model.errors import UserError

ELSEWHERE = "https://elsewhere.example"
CALLER = ("203.0.113.9", 1)


@pytest.fixture(scope="module")
def http_(demo_address):
    with httpx.Client(base_url=demo_address, timeout=60, limits=A_CONNECTION_EACH) as client:
        yield client


@pytest.mark.parametrize("host", ["elsewhere.example", "elsewhere.example:80", "127.0.0.1.nip.io"])
@pytest.mark.parametrize("path", ["", "config", "gradio_api/info", "gradio_api/upload"])
def test_another_name_for_this_machine_is_refused(http_, host, path):
    answer = http_.get(path, headers={"Host": host})
    assert answer.status_code == 400
    assert len(answer.text) < 100


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_its_own_names_are_taken(http_, host):
    port = http_.base_url.port
    assert http_.get("config", headers={"Host": f"{host}:{port}"}).status_code == 200


@pytest.mark.parametrize("path", ["gradio_api/info", "gradio_api/info?page="])
def test_the_examples_of_the_api_name_the_server_as_the_request_did(http_, path):
    """And not as an earlier one did, whose sender may have made up a name of another server."""
    for host in ("localhost", "127.0.0.1", "localhost"):
        said = http_.get(path, headers={"Host": f"{host}:{http_.base_url.port}"}).text
        assert f"http://{host}:" in said
        assert said.count("http://") == said.count(f"http://{host}:")


@pytest.mark.parametrize("origin", [ELSEWHERE, "null", "http://localhost:1", "http://localhost"])
def test_other_sites_get_no_answer(http_, origin):
    headers = {"Origin": origin}
    asked = {**headers, "Access-Control-Request-Method": "POST"}
    for answer in (
        http_.get("config", headers=headers),
        http_.options("gradio_api/call/sample", headers=asked),
        http_.post("gradio_api/call/sample", headers=headers, json={"data": ["cat"]}),
        http_.post("gradio_api/upload", headers=headers, files={"files": b"x"}),
    ):
        assert answer.status_code == 403
        assert "--allow-origin" in answer.text
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_page_itself_gets_answers_without_permission_for_others(http_):
    headers = {"Origin": str(http_.base_url).rstrip("/")}
    answer = http_.post("gradio_api/run/sample", headers=headers, json={"data": ["cat"]})
    assert answer.json()["data"][0]["sample"] == "cat"
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_headers(http_):
    for path in ("", "config", "gradio_api/file=/etc/passwd", "nothing/here"):
        headers = http_.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "frame-ancestors 'self';" in headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "monitoring", "monitoring/summary", "monitoring/x", "gradio_api/deep_link?session_hash=x",
        "gradio_api/component_server", "gradio_api/process_recording", "gradio_api/vibe-code",
        "gradio_api/file=http://127.0.0.1:9/x", "gradio_api/file=HTTPS://elsewhere.example/x",
        "gradio_api/proxy=https://x.hf.space/", "gradio_api/stream/x", "gradio_api/run-history/x",
        "openapi.json", "gradio_api/token", "gradio_api/user", "gradio_api/queue-of-tomorrow",
        "gradio_api/profiling/traces", "gradio_api/custom_component/x/client/component/x.js",
    ],
)  # fmt: skip
def test_doors_the_page_does_not_use_are_shut(http_, path):
    for method in ("GET", "POST"):
        assert http_.request(method, path).status_code == 404


def test_nothing_is_kept_of_the_name_of_an_upload(http_):
    """Gradio would remember each name that somebody asks for, or uploads under, for ever."""
    answer = http_.post("gradio_api/upload?upload_id=x", files={"files": ("a.jpg", b"x")})
    assert answer.status_code == 200
    progress = http_.get("gradio_api/upload_progress?upload_id=x")
    assert (progress.status_code, progress.text) == (404, "There is nothing here.")


@pytest.mark.parametrize("path", ["/etc/passwd", "README.md", "demo/app.py", ".lock", "../.lock"])
def test_only_files_of_the_page_are_served(http_, demo_folder, path):
    for full in (path, f"{next(demo_folder.glob('largest-object-*'))}/files/{path}"):
        assert http_.get(f"gradio_api/file={full}").status_code in (403, 404)


def test_files_of_other_programs_beside_the_own_folder_are_not_served(http_, demo_folder):
    neighbour = demo_folder / "of-another-program.txt"
    neighbour.write_text("x")
    assert http_.get(f"gradio_api/file={neighbour}").status_code == 403


def large(size: int) -> bytes:
    return json.dumps({"data": [None, "x" * size, ""]}).encode()


@pytest.mark.parametrize("path", ["run/detect", "call/detect", "queue/join", "call/v2/detect"])
def test_a_large_request_is_refused_in_a_sentence(http_, path):
    answer = http_.post(f"gradio_api/{path}", content=large(MAX_REQUEST))
    assert answer.status_code == 413
    assert "larger than 1024 KiB. Upload photos as files" in answer.text


def test_a_large_request_that_hides_its_size_is_refused_too(http_):
    def pieces():
        for _ in range(40):
            yield b"[" * 100_000

    address = urlsplit(str(http_.base_url))
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    connection.putrequest("POST", "/gradio_api/run/detect")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    try:
        for piece in pieces():
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    except (BrokenPipeError, ConnectionResetError):
        pass  # the answer came before the end of the question
    assert connection.getresponse().status == 413


async def answer_of(visitors: Visitors, **request) -> httpx.Response:
    """What a server that always says "yes" answers behind the door."""
    door = RequestGuard(PlainTextResponse("yes"), visitors)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(door), base_url="http://testserver"
    ) as client:
        return await client.request(**{"method": "GET", "url": "/", **request})


def test_a_tool_works_for_who_called_it_and_not_for_who_it_says():
    """Gradio sends its headers on from this machine, and what this machine says is believed."""
    seen = []

    async def app(scope, receive, send) -> None:
        seen.append([value for name, value in scope["headers"] if name == b"x-forwarded-for"])
        await PlainTextResponse("yes")(scope, receive, send)

    async def ask(path: str) -> int:
        transport = httpx.ASGITransport(RequestGuard(app, Visitors("127.0.0.1")), client=CALLER)
        headers = [("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-For", "198.51.100.2")]
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.post(path, headers=headers, json={})).status_code

    assert run_async(ask("/gradio_api/mcp/")) == 200
    assert seen == [[b"203.0.113.9"]]
    # The older way keeps a connection for each client, which no line of calls would bound.
    assert [run_async(ask(f"/gradio_api/mcp/{way}")) for way in ("sse", "messages/")] == [404] * 2


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/gradio_api/mcp/"), ("GET", "/"), ("GET", "/config"), ("GET", "/config/"),
        ("HEAD", "/"), ("GET", "/gradio_api/info"), ("GET", "/gradio_api/openapi.json"),
    ],
)  # fmt: skip
def test_one_address_has_few_of_the_threads_that_make_answers(method, path):
    at_work, most = 0, 0

    async def app(scope, receive, send) -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.01)
        at_work -= 1
        await PlainTextResponse("yes")(scope, receive, send)

    async def ask_at_once(count: int) -> list[int]:
        transport = httpx.ASGITransport(RequestGuard(app, Visitors("127.0.0.1")), client=CALLER)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            asked = [client.request(method, path) for _ in range(count)]
            return [answer.status_code for answer in await asyncio.gather(*asked)]

    assert run_async(ask_at_once(40)) == [200] * 40
    assert most == MAX_DIRECT


def test_one_address_reads_so_many_answers_at_once():
    async def app(scope, receive, send) -> None:
        await asyncio.sleep(0.05)
        await PlainTextResponse("yes")(scope, receive, send)

    async def ask_at_once(count: int) -> list[int]:
        transport = httpx.ASGITransport(RequestGuard(app, Visitors("127.0.0.1")), client=CALLER)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            path = "/gradio_api/queue/data?session_hash="
            asked = [client.get(f"{path}{number}") for number in range(count)]
            return [answer.status_code for answer in await asyncio.gather(*asked)]

    assert sorted(run_async(ask_at_once(MAX_STREAMS + 3))) == [200] * MAX_STREAMS + [503] * 3


def test_a_space_may_be_framed_by_the_hub_and_a_plain_server_may_not(monkeypatch):
    def policy() -> str:
        return run_async(answer_of(Visitors("0.0.0.0"))).headers["content-security-policy"]

    assert "huggingface" not in policy()
    monkeypatch.setenv("SPACE_ID", "someone/detector")
    assert "frame-ancestors 'self' https://huggingface.co https://*.hf.space;" in policy()


def test_a_site_that_was_allowed_may_call_and_frame():
    visitors = Visitors("127.0.0.1", (ELSEWHERE,))
    answer = run_async(answer_of(visitors, headers={"Origin": ELSEWHERE}))
    assert answer.text == "yes"
    assert ELSEWHERE in answer.headers["content-security-policy"]
    assert "elsewhere.example" in visitors.hosts


@pytest.mark.parametrize(
    ("visitors", "headers", "status"),
    [
        (Visitors("0.0.0.0"), {"Origin": ELSEWHERE}, 403),
        (Visitors("0.0.0.0"), {"Origin": ELSEWHERE, "X-Forwarded-Host": "elsewhere.example"}, 200),
        (Visitors("0.0.0.0"), {"Origin": ELSEWHERE, "Host": "elsewhere.example"}, 200),
        # Behind a tunnel or on a Space nobody knows the public name; answers permit no reading.
        (Visitors("127.0.0.1", public=True), {"Origin": ELSEWHERE}, 200),
    ],
)
def test_which_origins_are_this_page(visitors, headers, status):
    answer = run_async(answer_of(visitors, headers=headers))
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("host", "public", "open_to_all"),
    [
        ("127.0.0.1", False, False), ("localhost", False, False), ("::1", False, False),
        ("127.1.2.3", False, False), ("0.0.0.0", False, True), ("192.168.1.2", False, True),
        ("127.0.0.1", True, True),
    ],
)  # fmt: skip
def test_names_are_checked_where_only_this_machine_may_call(host, public, open_to_all):
    assert (Visitors(host, public=public).hosts == ["*"]) == open_to_all


@pytest.mark.parametrize("text", ["elsewhere", "ftp://x.org", "https://", "https://x.org/p", "*"])
def test_what_is_no_site_is_refused(text):
    with pytest.raises(UserError, match="write it like https"):
        checked_origin(text)


def test_a_site_is_named_as_browsers_do():
    assert checked_origin("https://Example.org:8443/") == "https://example.org:8443"


def test_a_large_form_field_is_refused(http_):
    answer = http_.post("gradio_api/upload", data={"x": "y" * 100_000}, files={"files": b"x"})
    assert answer.status_code == 413
    assert "form field exceeds" in answer.text


def stored(demo_folder) -> set[Path]:
    return {path for path in demo_folder.rglob("*") if path.is_file()}


def demo_process(http_) -> psutil.Process:
    port = str(http_.base_url.port)
    return next(p for p in psutil.Process().children() if port in p.cmdline())


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="Linux limits file sizes")
def test_an_upload_that_does_not_fit_on_the_disk(http_, demo_folder):
    """A limit on the size of files stands for the end of the disk."""
    process, before = demo_process(http_), stored(demo_folder)
    process.rlimit(psutil.RLIMIT_FSIZE, (300_000, psutil.RLIM_INFINITY))
    try:
        answer = http_.post("gradio_api/upload", files={"files": ("a.jpg", b"x" * 900_000)})
        assert answer.status_code == 507
        assert answer.text.startswith("The disk of this server is full")
        assert stored(demo_folder) == before
    finally:
        process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY,) * 2)
    answer = http_.post("gradio_api/upload", files={"files": ("a.jpg", b"x" * 900_000)})
    assert answer.status_code == 200


def test_nothing_stays_of_an_upload_whose_sender_hangs_up(http_, demo_folder):
    before = stored(demo_folder)
    address = (http_.base_url.host, http_.base_url.port)
    head = b"--b\r\nContent-Disposition: form-data; name=files; filename=a.jpg\r\n\r\n"
    with socket.create_connection(address) as visitor:
        visitor.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + head + b"x" * 500_000
        )
        wait_for(lambda: stored(demo_folder) != before, "the beginning of the upload")
    wait_for(lambda: stored(demo_folder) == before, "its end")


@pytest.mark.parametrize(
    "part",
    [
        {"files": ("..", b"x")}, {"files": ("a/..", b"x")}, {"photo": ("a.jpg", b"x")},
        {"files": (None, b"no file")},
    ],
)  # fmt: skip
def test_nothing_stays_of_an_upload_that_is_not_taken(http_, demo_folder, part):
    """Gradio left such files on the disk for good, and nobody counted them."""
    before = stored(demo_folder)
    parts = [*part.items(), ("other", ("b.jpg", b"y"))]
    assert http_.post("gradio_api/upload", files=parts).status_code == 400
    assert stored(demo_folder) == before


@pytest.mark.parametrize(
    "name", ["", "x" * 101, "x" * 900_000, "a<gradio-sep>b", "a b", "a/b", "\n", "é", "\0", "a\n"]
)
def test_names_of_sessions_no_client_makes_up(http_, name):
    """With an empty one the queue stopped, and nobody was answered any more.

    With Gradio's own separator in the name of a session at work, nobody could stop a call.
    """
    body = {"fn_index": 0, "data": [], "session_hash": name}
    said = http_.post("gradio_api/queue/join", json=body)
    assert (said.status_code, said.json()["detail"]) == (
        400, "A session's name has 1 to 100 letters, digits and hyphens.",
    )  # fmt: skip


@pytest.mark.parametrize("path", ["queue/data?session_hash=x", "call/detect/x", "queue/data?"])
def test_a_stream_of_nobody_is_answered_and_nothing_fails(path, caplog):
    """Gradio says so, and then fails; the log had a traceback for each."""
    with GuardedBlocks() as page:
        pass
    app = App.create_app(page, GuardedApp(Visitors("127.0.0.1")))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)  # which raises what the server fails with
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(f"/gradio_api/{path}")

    answer = run_async(ask())
    assert answer.status_code == (200 if "x" in path else 422)
    assert ("404: Not Found" in answer.text) == ("x" in path)
    assert len(caplog.text.splitlines()) == ("x" not in path)


@pytest.mark.parametrize("wish", ["bytes=0-3", "bytes=0-0,2-2", "bytes=9-3", "bytes=0-" + "9" * 99])
def test_a_part_of_a_file_is_not_sent_with_the_headers_of_the_request(http_, wish):
    path = http_.post("gradio_api/upload", files={"files": ("a.jpg", b"x" * 9)}).json()[0]
    headers = {"Range": wish, "X-Of-Mine": "1"}
    said = http_.get(f"gradio_api/file={path}", headers=headers)
    assert (said.status_code, said.content) == (200, b"x" * 9)
    assert "x-of-mine" not in said.headers


def test_a_name_longer_than_files_have(http_):
    assert http_.get(f"static/{'x' * 3000}").status_code == 404


def test_a_full_disk_is_said():
    answer = run_async(_storage_answer(None, OSError(errno.ENOSPC, "No space left on device")))
    assert answer.status_code == 507
    assert b"disk of this server is full" in answer.body
    with pytest.raises(OSError, match="other"):
        run_async(_storage_answer(None, OSError(errno.EBADF, "other")))
