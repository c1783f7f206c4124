"""What is sent before anything else, and what a link to it shows elsewhere."""

import gzip
import re
import urllib.request

import brotli
import httpx
import pytest
from PIL import Image
from starlette.requests import Request

from demo.server.first_page import DESCRIPTION, PICTURE, PICTURE_SIZE, TITLE, preview, with_preview

MAX_SENT = 150_000  # bytes


@pytest.fixture(scope="module")
def sent(demo_address) -> httpx.Response:
    return httpx.get(f"{demo_address}?tab=augment&sample=cat")


def tags(html: str, name: str) -> list[str]:
    pattern = rf'<meta (?:property|name)="{name}"\s+content="([^"]*)"'
    return re.findall(pattern, re.sub(r"\s+", " ", html))


def test_a_link_shows_our_title_text_and_picture(sent, demo_address):
    for kind in ("og", "twitter"):
        assert tags(sent.text, f"{kind}:title") == [TITLE]
        assert tags(sent.text, f"{kind}:description") == [DESCRIPTION]
        assert tags(sent.text, f"{kind}:image") == [f"{demo_address}link-preview.jpg"]
    assert tags(sent.text, "twitter:card") == ["summary_large_image"]
    # A canonical address would lose what the copied one says.
    assert not tags(sent.text, "og:url")
    picture = httpx.get(tags(sent.text, "og:image")[0])
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.content == PICTURE.read_bytes()
    with Image.open(PICTURE) as image:
        assert image.size == PICTURE_SIZE


def test_behind_a_proxy_the_picture_has_the_public_address():
    """Of a server for everybody; the guard of one for this machine drops what it does not know."""
    names = {"host": "10.0.0.7:7860", "x-forwarded-host": "someone.example",
             "x-forwarded-proto": "https"}  # fmt: skip
    headers = [(name.encode(), value.encode()) for name, value in names.items()]
    scope = {"type": "http", "scheme": "http", "path": "/", "query_string": b"", "root_path": "",
             "headers": headers, "server": ("10.0.0.7", 7860)}  # fmt: skip
    assert tags(preview(Request(scope)), "og:image") == ["https://someone.example/link-preview.jpg"]


def test_on_this_machine_no_request_renames_the_server(demo_address):
    html = httpx.get(demo_address, headers={"X-Forwarded-Host": "someone.example"}).text
    assert tags(html, "og:image") == [f"{demo_address}link-preview.jpg"]


def test_a_name_that_is_markup_stays_text(demo_address):
    html = httpx.get(demo_address, headers={"X-Forwarded-Host": '"><script>alert(1)</script>'}).text
    assert "><script>alert(1)" not in html


def test_values_of_the_page_are_not_taken_for_tags():
    values = '<script>x = "<meta property=\\"og:title\\" content=\\"kept\\">"</script>'
    page = f'<head>\n<meta property="og:title" content="Gradio" />\n{values}</head>'
    assert with_preview(page, "<title>t</title>") == f"<head>\n<title>t</title>\n{values}</head>"


def test_the_first_page_is_light(demo_address):
    """As sent to a browser on this machine or over HTTPS, with a finished example in it."""
    html = brotli.decompress(_sent_as(demo_address, "gzip, br", "br")).decode()
    assert "The largest object is" in html
    assert "the detector still says" in html
    assert len(_sent_as(demo_address, "gzip, br", "br")) <= MAX_SENT


def test_a_browser_without_brotli_gets_the_same_page(demo_address):
    html = gzip.decompress(_sent_as(demo_address, "gzip", "gzip")).decode()
    assert html == httpx.get(demo_address, headers={"Accept-Encoding": "identity"}).text


def test_the_photo_is_there_before_any_script(sent):
    """The first view holds it with its box; its numbers are those of the page that follows."""
    first, rest = sent.text[sent.text.index("<body") :].split("<gradio-app")
    assert 'id="first-view"' in first
    assert "<h1>Largest-object detector</h1>" in first
    (box,) = re.findall(r'data-role="prediction" data-xyxy="([^"]+)"', first)
    config = sent.text[: sent.text.index("<body")]
    assert f'data-role=\\"prediction\\" data-xyxy=\\"{box}\\"' in config
    assert "first-view" not in rest


def _sent_as(address: str, accepted: str, encoding: str) -> bytes:
    request = urllib.request.Request(address, headers={"Accept-Encoding": accepted})
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["Content-Encoding"] == encoding
        return answer.read()
