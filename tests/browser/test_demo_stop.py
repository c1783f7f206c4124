"""The Stop button of many photos: what was done so far stays, and the server does no more."""

import pytest
from conftest import SLOW_PHOTO, slow_work_held
from playwright.sync_api import expect
from visitor import ASTRONAUT, CAT, wait_for


@pytest.fixture
def photos(tmp_path):
    """A batch of quick ones, then slow ones for a minute."""
    files = []
    for i in range(16):
        file = tmp_path / f"quick{i}.jpg"
        file.write_bytes((CAT if i % 2 else ASTRONAUT).read_bytes())
        files.append(file)
    for i in range(30):
        (tmp_path / str(i)).mkdir()
        file = tmp_path / str(i) / SLOW_PHOTO
        file.write_bytes(CAT.read_bytes() + bytes(i))  # each an upload of its own
        files.append(file)
    return files


def test_stop_keeps_what_was_done(page, photos, pace_file):
    stop, result = page.locator("#many-stop"), page.locator("#many-result")
    expect(stop).to_be_hidden()
    with slow_work_held(pace_file):  # the first of them is read until Stop is heard
        page.locator("#many-files input.files").set_input_files(photos)
        expect(result).to_contain_text("16 of 46 photos answered so far")
        expect(stop).to_be_visible()
        stop.click()
        expect(stop).to_be_hidden()
    expect(result).to_contain_text("Stopped:")
    page.traffic.settle()
    expect(result.get_by_test_id("status-tracker")).not_to_contain_text("Error")
    done = result.locator("button[data-key]").count()
    assert 16 <= done < 20
    with page.expect_download() as download:
        page.locator("#many-csv").click()
    assert len(download.value.path().read_text().splitlines()) == done + 1
    # Nothing of it runs on: the same visitor's next photo is answered.
    page.locator("#photo button[data-key=cat]").click()
    wait_for(
        lambda: "cat" in page.locator("#detect-result .verdict").inner_text(), "the next photo"
    )
