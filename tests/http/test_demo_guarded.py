"""Files on the server's disk that nobody uploaded, asked for at every door there is."""

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import A_CONNECTION_EACH, REPOSITORY, SECRET
from handlers import META, harmless, upload

from demo.server.uploads import uploaded
from model.errors import UserError

SENTENCE = (
    "This photo is not among the files uploaded to this server, or no longer: upload it again."
)
FILE_FIELDS = ("image", "file", "uploadbutton", "downloadbutton", "gallery", "imageeditor")
# Components of our own that take files, and how their value holds one.
OWN_FIELDS: dict[str, Any] = {
    "photo": lambda file: {"sample": "", "upload": file},
    "offered": lambda file: {"sample": "cat", "offered": {"sample": "", "upload": file}},
    "many-files": lambda file: [file],
    "folder-files": lambda file: [file],
}


@pytest.fixture(scope="module")
def http(demo_address) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=demo_address, timeout=60, limits=A_CONNECTION_EACH) as client:
        yield client


@pytest.fixture(scope="module")
def handlers(http) -> tuple[list[dict[str, Any]], dict[int, dict[str, Any]]]:
    """Every handler of the page that runs on the server, and the components by number."""
    config = http.get("config").json()
    known = {component["id"]: component for component in config["components"]}
    return [d for d in config["dependencies"] if d["backend_fn"]], known


@pytest.fixture(scope="module")
def claims(http, tmp_path_factory) -> Iterator[dict[str, str]]:
    """Paths a visitor may send though nothing was uploaded there."""
    folder = tmp_path_factory.mktemp(SECRET)
    secret = folder / "photo.jpg"
    secret.write_bytes((REPOSITORY / "examples" / "cat.jpg").read_bytes())
    own = Path(upload(http, REPOSITORY / "examples" / "cat.jpg"))
    uploads = own.parent.parent
    link, pipe = uploads / f"{SECRET}.jpg", uploads / f"{SECRET}.pipe"
    link.symlink_to(secret)
    os.mkfifo(pipe)
    yield {
        "absolute": str(secret),
        "relative": os.path.relpath(secret, REPOSITORY),
        "out of the upload folder": f"{own.parent}/{os.path.relpath(secret, own.parent)}",
        "symlink": str(link),
        "pipe": str(pipe),
        "device": "/dev/ptmx",
        "folder": str(folder),
        "upload folder": str(uploads),
        "missing": str(folder / "gone.jpg"),
        "guessed upload": str(uploads / ("0" * 64) / own.name),
        "source file": str(REPOSITORY / "examples" / "cat.jpg"),
        "url": "http://127.0.0.1:9/photo.jpg",
        "empty": "",
        "NUL": "a\0b",
        "long": "x" * 100_000,
    }
    # The folder outlives this module's tests, which may be taken up twice when workers share them.
    link.unlink()
    pipe.unlink()


def answers(http: httpx.Client, calls: list[tuple[int, list[Any]]], **more: Any) -> list[Any]:
    """Post to handlers by number, as the page does, and read what comes back, in order."""
    session, events, found = uuid.uuid4().hex, [], {}
    for fn_index, data in calls:
        body = {"fn_index": fn_index, "data": data, "session_hash": session, **more}
        events.append(http.post("gradio_api/queue/join", json=body).json()["event_id"])
    with http.stream("GET", "gradio_api/queue/data", params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            message = json.loads(line.removeprefix("data:")) if line else {}
            if message.get("msg") == "process_completed":
                found[message["event_id"]] = message["output"]
            if len(found) == len(events):
                break
    return [found[event] for event in events]


def filled(
    handler: dict[str, Any], known: dict[int, dict[str, Any]], place: int, value: Any
) -> list[Any]:
    values = [harmless(known[number]) for number in handler["inputs"]]
    values[place] = value
    return values


def kinds_of(component: dict[str, Any]) -> list[str]:
    """In which ways the value of a component can hold a file."""
    own = component["props"].get("elem_id")
    if own == "photo":
        return ["photo", "offered"]
    if own in OWN_FIELDS or component["type"] in FILE_FIELDS:
        return [own if own in OWN_FIELDS else component["type"]]
    return []


@pytest.fixture(scope="module")
def doors(handlers) -> list[tuple[dict[str, Any], int, str]]:
    """Handler, which of its inputs takes a file, and how."""
    dependencies, known = handlers
    return [
        (handler, place, kind)
        for handler in dependencies
        for place, number in enumerate(handler["inputs"])
        for kind in kinds_of(known[number])
    ]


def refused(http, handlers, doors, claim: str, extra: dict[str, Any]) -> None:
    """All these doors answer with the same sentence."""
    file = {"path": claim, "orig_name": "cat.jpg", **extra}
    wrap = OWN_FIELDS | {"file": lambda file: [file]}
    calls = [
        (handler["id"], filled(handler, handlers[1], place, wrap.get(kind, dict)(file)))
        for handler, place, kind in doors
    ]
    for (handler, *_), said in zip(doors, answers(http, calls), strict=True):
        assert said.get("error") == SENTENCE, (claim[:99], extra, handler["api_name"], said)


@pytest.mark.parametrize("extra", [{}, META], ids=["bare", "with meta"])
@pytest.mark.parametrize("claim", ["absolute", "symlink"])
def test_every_door_that_takes_a_file(http, handlers, doors, claims, opened_secrets, claim, extra):
    """Each handler of the page, private or public: one sentence, and nothing is opened."""
    assert {"detect", "augment", "detect_many"} < {handler["api_name"] for handler, *_ in doors}
    assert any(handler["api_visibility"] == "private" for handler, *_ in doors)
    refused(http, handlers, doors, claims[claim], extra)
    assert opened_secrets.read_text() == ""


def test_every_kind_of_claim(http, handlers, doors, claims, opened_secrets):
    """At the doors of the API and at one private door of each kind of field."""
    kinds = {
        (handler["api_visibility"] == "public" and handler["api_name"], kind): door
        for door in doors
        for handler, _, kind in [door]
    }
    assert len(kinds) == 7
    for claim in claims.values():
        for extra in ({}, META):
            refused(http, handlers, list(kinds.values()), claim, extra)
    assert opened_secrets.read_text() == ""


def test_fields_that_take_no_file_open_none_either(http, handlers, claims, opened_secrets):
    """Hidden ones too: a path as text, a path as a file, in every other place at once."""
    dependencies, known = handlers
    calls = []
    for handler in dependencies:
        for hostile in (claims["absolute"], {"path": claims["absolute"], **META}):
            values = [None if kinds_of(known[number]) else hostile for number in handler["inputs"]]
            calls.append((handler["id"], values))
    for start in range(0, len(calls), 30):
        for said in answers(http, calls[start : start + 30]):
            assert "error" in said or "data" in said
    assert opened_secrets.read_text() == ""


def test_the_api_by_http(http, claims, opened_secrets):
    """The short form of the API and the direct one, without a queue."""
    file = {"path": claims["absolute"]}
    for name, data in {
        "detect": [file, "", ""],
        "augment": [file, "", None, None, 0, 8, False, ""],
        "detect_many": [[file], ""],
    }.items():
        event = http.post(f"gradio_api/call/{name}", json={"data": data}).json()["event_id"]
        assert SENTENCE in http.get(f"gradio_api/call/{name}/{event}").text
        direct = http.post(f"gradio_api/run/{name}", json={"data": data})
        assert direct.status_code == 500
        assert direct.json()["error"] == SENTENCE
    assert opened_secrets.read_text() == ""


def test_what_was_uploaded_is_read(http):
    path = upload(http, REPOSITORY / "examples" / "cat.jpg")
    for file in ({"path": path}, {"path": path, **META}):
        said = http.post("gradio_api/run/detect", json={"data": [file, "", ""]}).json()
        assert said["data"][0]["class_name"] == "cat"
    said = http.post(
        "gradio_api/run/detect_many", json={"data": [[{"path": path, **META}] * 2, ""]}
    ).json()
    assert [row["file_name"] for row in said["data"][0]["detections"]] == ["cat.jpg"] * 2


def test_a_photo_inside_the_request_is_read(http):
    import base64

    content = base64.b64encode((REPOSITORY / "examples" / "cat.jpg").read_bytes()).decode()
    file = {"url": f"data:image/jpeg;base64,{content}"}
    said = http.post("gradio_api/run/detect", json={"data": [file, "", ""]}).json()
    assert said["data"][0]["class_name"] == "cat"


LONG, HUGE = json.dumps("x" * 100_000), "9" * 400
ARGUMENTS = ["photo", "sample", "bbox_xyxy", "settings", "seed", "count", "ask", "checkpoint"]


@pytest.mark.parametrize(
    ("argument", "text", "words"),
    [
        ("seed", HUGE, "seed must be a whole number"),
        ("seed", "NaN", "seed must be a whole number"),
        ("seed", "1.5", "seed must be a whole number"),
        ("seed", LONG, "seed must be a whole number"),
        ("count", HUGE, "from 1 to 16"),
        ("count", "NaN", "from 1 to 16"),
        ("count", "-Infinity", "from 1 to 16"),
        ("bbox_xyxy", f"[{HUGE}, 1, 2, 3]", "four numbers"),
        ("bbox_xyxy", "[NaN, 1, 2, 3]", "four numbers"),
        ("settings", f'{{"hue": {HUGE}}}', "Hue must be a number"),
        ("settings", f'{{"box_rule": {LONG}}}', "hull, ellipse"),
        ("settings", f"{{{LONG}: 1}}", "nknown augmentation setting"),
        ("settings", "[" * 900 + "]" * 900, "JSON object"),
        ("settings", "[" * 9000 + "]" * 9000, "error parsing the body"),
        ("seed", "9" * 9000, "error parsing the body"),
        ("sample", LONG, "no sample"),
        ("checkpoint", LONG, "no checkpoint"),
        ("photo", LONG, "not one the page can use"),
        ("photo", '{"url": "data:image/png;base64,AAA"}', "not one the page can use"),
    ],
)
def test_absurd_values_get_one_short_sentence(http, argument, text, words):
    values = ["null", '"cat"', "null", "null", "0", "2", "false", '""']
    values[ARGUMENTS.index(argument)] = text
    body = f'{{"data": [{",".join(values)}]}}'
    answer = http.post(
        "gradio_api/run/augment", content=body, headers={"Content-Type": "application/json"}
    )
    said = answer.json().get("error") or answer.json()["detail"]
    assert words in said
    assert len(said) < 300
    assert "Traceback" not in said
    assert "unexpected" not in said


@pytest.mark.parametrize("path", ["run/detect", "call/detect", "call/v2/detect", "queue/join"])
@pytest.mark.parametrize("value", ["[]", "{}", "0", "[" * 9 + "]" * 9])
def test_a_request_of_very_many_values_is_refused_before_it_is_read(http, path, value):
    """Gradio looks at each in the thread that answers everybody: a megabyte takes seconds."""
    content = f'{{"data": [{",".join([value] * 11_000)}]}}'
    answer = http.post(
        f"gradio_api/{path}", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert answer.text == "This request holds more than 10,000 values. Send fewer at a time."


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("call/nope", {"data": []}),
        ("call/detect", {"data": "x" * 100_000}),
        ("call/v2/augment", {"x" * 100_000: 1}),
        ("queue/join", {"fn_index": 10_000, "data": [], "session_hash": "x"}),
        ("queue/join", {"fn_index": "x" * 100_000, "data": []}),
    ],
)
def test_requests_that_are_none(http, path, body):
    answer = http.post(f"gradio_api/{path}", json=body)
    assert 400 <= answer.status_code < 500
    assert len(answer.text) < 200


def test_absurd_values_at_private_doors(http, handlers):
    """Whatever a field of the page refuses is refused in words."""
    dependencies, known = handlers
    calls = [
        (handler["id"], [value] * len(handler["inputs"]))
        for handler in dependencies
        for value in (int(HUGE), "x" * 10_000)
        if "number" in [known[number]["type"] for number in handler["inputs"]]
    ]
    for said in answers(http, calls):
        assert len(said["error"]) <= 300


@pytest.mark.parametrize("value", ['"\\ud800"', '{"x": ["a", "b\\udfff"]}'])
def test_half_a_character_does_not_end_the_stream_of_answers(http, handlers, value):
    """What cannot be written cannot be repeated in an answer: the connection broke off."""
    handler = next(h for h in handlers[0] if h["api_name"] == "sample")
    body = f'{{"fn_index": {handler["id"]}, "session_hash": "half", "data": [{value}]}}'
    http.post("gradio_api/queue/join", content=body, headers={"Content-Type": "application/json"})
    said = http.get("gradio_api/queue/data", params={"session_hash": "half"}).text
    assert "not one the page can use" in said


PRESSED = [None, {}, [1], "x", {"key": None}, {"key": [1]}, {"key": "x y"}, {"key": "9" * 5000},
           {"key": "-1 000001"}, {"key": "\u00b2 000001"}, {"key": "99"}]  # fmt: skip


@pytest.mark.parametrize("event", PRESSED, ids=str)
def test_what_was_not_pressed_is_a_sentence(http, handlers, event):
    """Requests that say of no tile, or of none that is there, that it was pressed."""
    dependencies, known = handlers
    pressed = [h for h in dependencies if h["collects_event_data"]]
    assert len(pressed) > 4
    for handler in pressed:
        values = [harmless(known[number]) for number in handler["inputs"]]
        (said,) = answers(http, [(handler["id"], values)], event_data=event)
        assert "unexpected" not in str(said), handler["api_name"]


@pytest.mark.parametrize(
    "form",
    [lambda value: [value], lambda value: [[value]], lambda _: None],
    ids=["one", "nested", "none"],
)
def test_several_choices_where_one_may_be_made_are_a_sentence(http, handlers, form):
    """Gradio's drop-down takes a list of its choices, and nothing, for one of them."""
    dependencies, known = handlers
    calls = [
        (handler["id"], filled(handler, known, place, form(harmless(known[number]))))
        for handler in dependencies
        for place, number in enumerate(handler["inputs"])
        if known[number]["type"] == "dropdown"
    ]
    assert len(calls) > 4
    for said in answers(http, calls):
        assert "unexpected" not in str(said)


def test_settings_nobody_wrote_are_not_taken_over(http, handlers):
    dependencies, known = handlers
    (swap,) = (h for h in dependencies if h["api_name"] == "swap")
    for text in ("x", "hue:x", "hue:" + "9" * 400, "zoom", ":", "box_rule:hulk"):
        values = filled(swap, known, len(swap["inputs"]) - 1, text)
        (said,) = answers(http, [(swap["id"], values)])
        assert said["error"].startswith("These are no settings")


def test_no_folder_of_a_path_beyond_all_lengths_is_looked_at(monkeypatch):
    """The thread that answers everybody looks, and would take a second for one request."""
    looked_at = []
    monkeypatch.setattr("os.lstat", looked_at.append)
    with pytest.raises(UserError, match="not among the files uploaded"):
        uploaded(f"{'/tmp/..' * 10_000}/etc/passwd")
    assert not looked_at
