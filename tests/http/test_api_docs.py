"""What docs/api.md says works, in the words it uses."""

import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from conftest import REPOSITORY

TEXT = (REPOSITORY / "docs" / "api.md").read_text()


def block(language: str) -> str:
    """The first block of code in a language."""
    return re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)[1]


def test_the_python_example_runs(demo_address, monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    exec(block("python").replace("http://127.0.0.1:7860", demo_address), {})
    assert "cat" in capsys.readouterr().out


def upload(address: str, path: Path) -> str:
    """The path the server gives an uploaded file, as ``curl -F`` gets it."""
    head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"\r\n\r\n'
    body = head.encode() + path.read_bytes() + b"\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    request = urllib.request.Request(f"{address}gradio_api/upload", body, headers)
    return json.load(urllib.request.urlopen(request))[0]


def ask(address: str, fields: dict) -> list[str]:
    """The lines of ``/detect``'s answer to named fields."""
    url = f"{address}gradio_api/call/v2/detect"
    assert "gradio_api/call/v2/detect" in block("bash")
    request = urllib.request.Request(
        url, json.dumps(fields).encode(), {"Content-Type": "application/json"}
    )
    event = json.load(urllib.request.urlopen(request))["event_id"]
    return urllib.request.urlopen(f"{url}/{event}").read().decode().splitlines()


def test_named_fields_as_with_curl(demo_address):
    path = upload(demo_address, REPOSITORY / "examples" / "cat.jpg")
    for fields in (
        {"photo": {"path": path, "meta": {"_type": "gradio.FileData"}}},
        {"sample": "cat"},
    ):
        lines = ask(demo_address, fields)
        assert lines[0] == "event: complete"
        assert json.loads(lines[1].removeprefix("data: "))[0]["class_name"] == "cat"


def test_a_field_the_endpoint_does_not_have(demo_address):
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(demo_address, {"nope": 1})
    assert f"an\nunknown field gets status {refused.value.code}" in TEXT


@pytest.mark.parametrize("endpoint", ["/detect", "/detect_many", "/augment", "/sample"])
def test_every_field_in_the_table_exists(demo_address, endpoint):
    info = json.load(urllib.request.urlopen(f"{demo_address}gradio_api/info"))
    names = {p["parameter_name"] for p in info["named_endpoints"][endpoint]["parameters"]}
    (row,) = re.findall(rf"^\| `{endpoint}` \| (.*?) \|", TEXT, re.MULTILINE)
    said = set(re.findall(r"`(\w+)`", row))
    assert said <= names
    assert said
