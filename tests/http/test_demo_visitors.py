"""One visitor does what would stop the others; another one asks meanwhile."""

import json
import socket
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import A_CONNECTION_EACH, REPOSITORY, SLOW_PHOTO, slow_work_held
from handlers import META
from visitor import wait_for

from demo.server.connections import WRITE_TIMEOUT_S
from demo.server.queue import PATIENCE_S

CAT = REPOSITORY / "examples" / "cat.jpg"
ENDED = "Nobody was there to read the answer"


def visitor(address: str, demo: str) -> httpx.Client:
    """Somebody who calls from this address, by a proxy on the server's machine."""
    headers = {"X-Forwarded-For": address}
    return httpx.Client(
        base_url=f"{demo}gradio_api/", timeout=60, limits=A_CONNECTION_EACH, headers=headers
    )


@pytest.fixture(scope="module")
def mallory(demo_address) -> Iterator[httpx.Client]:
    with visitor("198.51.100.7", demo_address) as client:
        yield client


@pytest.fixture(scope="module")
def alice(demo_address) -> Iterator[httpx.Client]:
    with visitor("203.0.113.9", demo_address) as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def conversations(demo_address, mallory) -> Iterator[dict[str, Future[Any]]]:
    """What the server says to those who keep it waiting: all at once, and while others call."""
    large = mallory.post("upload", files={"files": ("large.bin", bytes(LARGE))}).json()[0]
    with ThreadPoolExecutor(8) as pool:
        begun = {name: pool.submit(say_and_listen, demo_address, x) for name, x in HALVES.items()}
        begun["half of a body"] = pool.submit(send_half_of_a_body, demo_address)
        begun["half of an answer"] = pool.submit(hear_half_of_an_answer, demo_address, large)
        begun["slow upload"] = pool.submit(upload_slowly, demo_address)
        begun["long call"] = pool.submit(read_a_long_call, demo_address)
        yield begun


def upload(client: httpx.Client, name: str = "cat.jpg") -> dict[str, Any]:
    path = client.post("upload", files={"files": (name, CAT.read_bytes())}).json()[0]
    return {"path": path, **META}


def call(client: httpx.Client, name: str, *data: Any) -> httpx.Response:
    return client.post(f"call/{name}", json={"data": data})


def answer(client: httpx.Client, name: str, event: str) -> str:
    return client.get(f"call/{name}/{event}").text


# Choosing a photo


@pytest.fixture(scope="module")
def chooser(demo_address) -> dict[str, Any]:
    """The handler that takes over a photo somebody chose."""
    config = httpx.get(f"{demo_address}config").json()
    (photo,) = (c["id"] for c in config["components"] if c["props"].get("elem_id") == "photo")
    (handler,) = (
        d for d in config["dependencies"]
        if d["backend_fn"] and d["targets"] == [[photo, "input"]]
    )  # fmt: skip
    return handler


def choose(client: httpx.Client, chooser: dict[str, Any], session: str, **offered: Any) -> None:
    data = [{"sample": "cat", "offered": {"number": 1, **offered}}]
    body = {"fn_index": chooser["id"], "data": data, "session_hash": session}
    assert client.post("queue/join", json=body).status_code == 200


def chosen(client: httpx.Client, session: str) -> list[dict[str, Any]]:
    """The photos that were taken over, as a page hears of them."""
    found = []
    with client.stream("GET", "queue/data", params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            message = json.loads(line.removeprefix("data:")) if line else {}
            if message.get("msg") == "process_completed":
                assert message["success"], message
                found.append(message["output"]["data"][0])
    return found


def test_a_number_of_200_000_digits_in_an_annotation_stops_nobody(alice, chooser):
    """A pattern that matches digits in two ways takes minutes, and no other thread runs."""
    corners = "".join(f"<{side}>{'1' * 200_000}x</{side}>" for side in ("xmin", "ymin"))
    xml = f"<annotation><object><name>cat</name><bndbox>{corners}</bndbox></object></annotation>"
    path = alice.post("upload", files={"files": ("cat.xml", xml.encode())}).json()[0]
    session = uuid.uuid4().hex
    annotations = [{"path": path, "name": "cat.xml"}]
    choose(alice, chooser, session, upload=upload(alice), name="cat.jpg", annotations=annotations)
    (photo,) = chosen(alice, session)
    assert photo["note"].startswith("cat.xml: ")


def test_a_slow_photo_keeps_no_other_page_waiting(mallory, alice, chooser, pace_file):
    slow, own = upload(mallory, SLOW_PHOTO), uuid.uuid4().hex
    sessions = [uuid.uuid4().hex for _ in range(3)]
    with ThreadPoolExecutor(len(sessions)) as pool:
        with slow_work_held(pace_file):
            for session in sessions:
                choose(mallory, chooser, session, upload=slow)
            waiting = [pool.submit(chosen, mallory, session) for session in sessions]
            choose(alice, chooser, own, sample="astronaut")
            (photo,) = chosen(alice, own)
            assert photo["sample"] == "astronaut"
            assert not any(each.done() for each in waiting)
        assert all(each.result() for each in waiting)


def test_one_page_gets_its_photos_in_the_order_it_chose_them(alice, chooser):
    session = uuid.uuid4().hex
    choose(alice, chooser, session, upload=upload(alice, SLOW_PHOTO), number=1)
    for number, name in enumerate(("astronaut", "cat"), 2):
        choose(alice, chooser, session, sample=name, number=number)
    assert [photo["number"] for photo in chosen(alice, session)] == [1, 2, 3]


# Calls nobody reads


def test_a_stream_that_nothing_is_left_for_ends_at_once(alice, chooser):
    session = uuid.uuid4().hex
    choose(alice, chooser, session, sample="dog")
    assert chosen(alice, session)
    assert chosen(alice, session) == []  # Gradio would wait for another call of this session
    choose(alice, chooser, session, sample="dog")
    assert chosen(alice, session)


def test_calls_nobody_reads_end_and_others_are_answered_meanwhile(mallory, alice):
    slow, started = [upload(mallory, SLOW_PHOTO)] * 100, time.monotonic()
    first = call(mallory, "detect_many", slow, "").json()["event_id"]
    with ThreadPoolExecutor(24) as pool:
        asked = list(pool.map(lambda _: call(mallory, "detect_many", slow, ""), range(24)))
        taken = [response for response in asked if response.status_code == 200]
        refused = [response for response in asked if response.status_code == 503]
        assert len(taken) + len(refused) == 24
        assert len(taken) < 20
        assert refused[0].json()["detail"].startswith("Too many of your calls are waiting")
        event = call(alice, "detect_many", [upload(alice)], "").json()["event_id"]
        assert "event: complete" in answer(alice, "detect_many", event)
    wait_for(lambda: alice.get("queue/status").json()["queue_size"] == 0, "an empty queue")
    time.sleep(max(0.0, started + PATIENCE_S + 5 - time.monotonic()))
    assert ENDED in answer(mallory, "detect_many", first)
    # 100 photos would have taken minutes.
    event = call(mallory, "detect_many", [upload(mallory)], "").json()["event_id"]
    assert "event: complete" in answer(mallory, "detect_many", event)


def test_a_call_that_is_read_is_not_ended(conversations):
    said = conversations["long call"].result()
    assert "event: complete" in said
    assert said.count("class_name") == 8


def read_a_long_call(demo_address: str) -> str:
    """It takes longer than is waited for a reader."""
    with visitor("203.0.113.11", demo_address) as client:
        files = [upload(client, SLOW_PHOTO)] * 8
        event = call(client, "detect_many", files, "").json()["event_id"]
        return answer(client, "detect_many", event)


def test_direct_calls_end_with_their_connections(mallory, alice, demo_address):
    slow = [upload(mallory, SLOW_PHOTO)] * 100
    for _ in range(12):
        with pytest.raises(httpx.ReadTimeout):
            mallory.post("run/detect_many", json={"data": [slow, ""]}, timeout=0.3)
    for client in (alice, mallory):
        said = client.post("run/detect", json={"data": [None, "cat", ""]}).json()
        assert said["data"][0]["class_name"] == "cat"


def test_many_clients_at_one_address_wait_for_one_another(alice, demo_address):
    """Without sessions, as ``curl`` calls: nobody is refused."""
    asked = [("detect", [None, "cat", ""]), ("sample", ["cat"]),
             ("augment", [None, "cat", None, None, 1, 1, False, ""])]  # fmt: skip

    def ask(number: int) -> str:
        name, data = asked[number % 3]
        with visitor("203.0.113.10", demo_address) as client:
            event = call(client, name, *data).json()["event_id"]
            return answer(client, name, event)

    with ThreadPoolExecutor(32) as pool:
        said = list(pool.map(ask, range(64)))
    assert all("event: complete" in text for text in said)
    assert len({text for number, text in enumerate(said) if number % 3 == 2}) == 1


# Another's work


@pytest.fixture
def slow_call(alice, pace_file) -> Iterator[dict[str, Any]]:
    """A call of Alice's at its photo during all of a test: its session, event and photo."""
    config = httpx.get(f"{alice.base_url.join('/')}config").json()
    (many,) = (d["id"] for d in config["dependencies"] if d["api_name"] == "detect_many")
    photo, session = upload(alice, SLOW_PHOTO), uuid.uuid4().hex
    body = {"fn_index": many, "data": [[photo], ""], "session_hash": session}
    with slow_work_held(pace_file):
        event = alice.post("queue/join", json=body).json()["event_id"]
        yield {"handler": many, "session": session, "event": event, "photo": photo["path"]}
    said = alice.get("queue/data", params={"session_hash": session}).text
    assert '"process_completed"' in said
    assert said.count('"class_name"') == 1, "Alice got her answer, whatever Mallory did"


def test_nobody_is_told_what_others_are_doing(mallory, slow_call):
    """Whoever knows the name of a session, an event or a file may ask for it; nothing tells it."""
    pages = ["../", "../config", "queue/status", "info", "openapi.json", "startup-events", "app_id"]
    told = [mallory.get(path).text for path in pages]
    own = uuid.uuid4().hex
    body = {"fn_index": slow_call["handler"], "data": [[upload(mallory)], ""], "session_hash": own}
    mallory.post("queue/join", json=body)
    told.append(mallory.get("queue/data", params={"session_hash": own}).text)
    assert told[-1].count('"class_name"') == 1
    for secret in (slow_call["session"], slow_call["event"], slow_call["photo"]):
        assert not [text for text in told if secret in text]


def test_the_same_photo_of_two_visitors_lies_in_two_places(alice, mallory):
    """In one folder, whoever has the photo could try under which names others sent it."""
    hers, again = (Path(upload(alice, "holiday.jpg")["path"]) for _ in range(2))
    his = Path(upload(mallory)["path"])
    assert hers == again
    for guess in (his.with_name(hers.name), his.parent / ".." / his.parent.name / hers.name):
        assert mallory.get(f"file={guess}").status_code == 403
    assert mallory.get(f"file={his}").content == CAT.read_bytes()


def test_a_name_that_is_nearly_anothers_reads_nothing(mallory, slow_call):
    session, event = slow_call["session"], slow_call["event"]
    names = ["*", "%", "null", session[:-1], session.upper(), f"{session}\0", f"{event}x", event]
    for name in names:
        said = mallory.get("queue/data", params={"session_hash": name}).text
        assert '"session_not_found":true' in said, name
    for name in (session[:-1], event[:-1], "*"):
        assert "404: Not Found" in mallory.get(f"call/detect_many/{name}").text


def test_a_made_up_name_stops_no_call_of_another(mallory, slow_call):
    handler = slow_call["handler"]
    for session in ("", "*", f"{slow_call['session']}_", uuid.uuid4().hex):
        for event in ("", "*", slow_call["session"], uuid.uuid4().hex):
            body = {"session_hash": session, "fn_index": handler, "event_id": event}
            for door in ("cancel", "reset"):
                assert mallory.post(door, json=body).status_code == 200


def test_a_call_stops_whatever_the_sessions_of_others_are_called(alice, mallory, slow_call):
    """Gradio looks through the tasks of all visitors, and failed at a name like this one."""
    mallory_s = {
        "fn_index": slow_call["handler"], "data": [[upload(mallory, SLOW_PHOTO)] * 4, ""],
        "session_hash": "mine<gradio-sep>and<gradio-sep>mine",
    }  # fmt: skip
    assert mallory.post("queue/join", json=mallory_s).status_code == 400
    own = {**mallory_s, "session_hash": uuid.uuid4().hex}
    own["data"] = [[upload(alice, SLOW_PHOTO)] * 4, ""]
    event = alice.post("queue/join", json=own).json()["event_id"]
    time.sleep(0.5)  # both have begun
    stop = {key: own[key] for key in ("session_hash", "fn_index")} | {"event_id": event}
    assert alice.post("cancel", json=stop).json() == {"success": True}


# Connections


def socket_to(demo_address: str) -> socket.socket:
    url = httpx.URL(demo_address)
    return socket.create_connection((url.host, url.port), timeout=60)


def heard(connection: socket.socket) -> bytes:
    """All a server says until it hangs up."""
    said = b""
    while piece := connection.recv(65536):
        said += piece
    return said


HALVES = {
    "nothing": b"",
    "half": b"GET / HTTP/1.1\r\nHost: localhost\r\n",
    "one and a half": b"GET /robots.txt HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\n",
}


@pytest.mark.parametrize("sent", HALVES)
def test_half_of_the_headers_is_not_waited_for(conversations, sent):
    said = conversations[sent].result()
    assert said.count(b"HTTP/1.1 200") == HALVES[sent].count(b"robots")


def say_and_listen(demo_address: str, sent: bytes) -> bytes:
    with socket_to(demo_address) as connection:
        connection.sendall(sent)
        return heard(connection)


LARGE = 16_000_000  # bytes, more than the system keeps for a connection


def test_half_of_a_body_is_not_waited_for(conversations):
    said = conversations["half of a body"].result()
    assert said.startswith(b"HTTP/1.1 408")
    assert b"took longer than 30 s" in said


def send_half_of_a_body(demo_address: str) -> bytes:
    head = (
        b"POST /gradio_api/call/detect HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 900000\r\n\r\n"
    )
    return say_and_listen(demo_address, head + b" " * 500_000)


def test_half_of_an_answer_is_not_waited_for(conversations):
    got = conversations["half of an answer"].result()
    assert got.startswith(b"HTTP/1.1 200") or not got
    assert len(got) < LARGE


def hear_half_of_an_answer(demo_address: str, path: str) -> bytes:
    """Ask for a large file and take nothing off for longer than is waited for that."""
    with socket_to(demo_address) as deaf:
        deaf.sendall(f"GET /gradio_api/file={path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        time.sleep(WRITE_TIMEOUT_S + 5)
        got = b""
        with suppress(ConnectionResetError):
            while piece := deaf.recv(1_000_000):
                got += piece
    return got


def test_a_slow_upload_of_a_phone_arrives(conversations):
    said = conversations["slow upload"].result()
    assert b"200 OK" in said.split(b"\r\n")[0]
    path = json.loads(said.rpartition(b"\r\n\r\n")[2])[0]
    assert Path(path).read_bytes() == CAT.read_bytes()


def upload_slowly(demo_address: str) -> bytes:
    """A piece at a time, with pauses that are longer than a stalled request may be in all."""
    body = (
        b"--b\r\nContent-Disposition: form-data; name=files; filename=a.jpg\r\n\r\n"
        + CAT.read_bytes() + b"\r\n--b--\r\n"
    )  # fmt: skip
    with socket_to(demo_address) as connection:
        connection.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        )
        for part in range(3):
            third = len(body) // 3 + 1
            time.sleep(4)
            connection.sendall(body[part * third : (part + 1) * third])
        return heard(connection)


@pytest.mark.parametrize("path", ["upload", "call/detect"])
def test_a_body_in_tiny_chunks_is_not_taken(demo_address, path):
    """Taking a megabyte of them apart keeps the thread that answers everybody busy for seconds."""
    head = (
        f"POST /gradio_api/{path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    end = b"0\r\n\r\n"  # or the server would wait for more
    with socket_to(demo_address) as connection:
        connection.sendall(head.encode() + b"1\r\nx\r\n" * 3000 + end)
        said = heard(connection)
    assert said.startswith(b"HTTP/1.1 400")
    assert b"in chunks of less than 512 bytes: send larger ones." in said


def test_a_body_in_chunks_is_taken(demo_address):
    """As clients send what they do not know the length of."""
    boundary, content = b"--b\r\n", CAT.read_bytes()
    start = b"Content-Disposition: form-data; name=files; filename=a.jpg\r\n\r\n"
    parts = [boundary, start, *(content[i : i + 4096] for i in range(0, len(content), 4096))]
    said = httpx.post(
        f"{demo_address}gradio_api/upload", content=iter([*parts, b"\r\n--b--\r\n"]),
        headers={"Content-Type": "multipart/form-data; boundary=b"}, timeout=60,
    )  # fmt: skip
    assert said.status_code == 200
    assert Path(said.json()[0]).read_bytes() == content


# Uploads


def test_too_many_files_at_once(mallory):
    files = [("files", (f"{i}.jpg", b"x")) for i in range(101)]
    said = mallory.post("upload", files=files)
    assert said.status_code == 400
    assert "Maximum number of files is 100" in said.text


def test_too_many_bytes_at_once(demo_address, demo_folder):
    with socket_to(demo_address) as connection:
        connection.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000000\r\n"
            b"Connection: close\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n"
        )
        said = heard(connection)
    assert said.startswith(b"HTTP/1.1 413")
    assert b"exceeds the maximum allowed size of 200 MB" in said


@pytest.mark.parametrize("path", ["gradio_api/dev/reload", "gradio_api/heartbeat/x"])
def test_doors_that_keep_connections_are_shut(demo_address, path):
    assert httpx.get(f"{demo_address}{path}").status_code == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "[", "localhost, evil.example"]
)
def test_a_forged_name_of_the_page_is_not_repeated(demo_address, host):
    said = httpx.get(f"{demo_address}config", headers={"X-Forwarded-Host": host})
    assert said.status_code == 200
    assert "evil" not in said.text
