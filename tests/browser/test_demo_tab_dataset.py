"""The tab "Data set" in a real browser."""

import re

from playwright.sync_api import expect
from visitor import open_again, wait_for


def test_browsing_the_data_set(page):
    page.get_by_role("tab", name="Data set").click()
    expect(page.locator("#dataset-count")).to_contain_text("30 photos, page 1 of 2")
    page.locator("#dataset-next").click()
    expect(page.locator("#dataset-count")).to_contain_text("page 2 of 2")
    expect(page).to_have_url(re.compile("page=2"))
    page.reload()
    expect(page.locator("#dataset-count")).to_contain_text("page 2 of 2")
    number = page.locator("#dataset-page input")
    number.fill("1")
    expect(page.locator("#dataset-count")).to_contain_text("page 1 of 2")
    expect(page.locator("#dataset-card")).to_contain_text("000000.jpg")
    number.fill("2")
    expect(page.locator("#dataset-count")).to_contain_text("page 2 of 2")
    page.locator("#dataset-grid button[data-key='000020']").click()
    expect(page.locator("#dataset-card")).to_contain_text("000020.jpg")
    assert page.locator("#dataset-card rect.line.target").count() == 1
    assert page.locator("#dataset-card rect.line.object").count() == 1
    with page.expect_download() as download:
        page.locator("#dataset-csv").click()
    assert len(download.value.path().read_text().splitlines()) == 31
    page.locator("#send-augment").click()
    expect(page.locator("#augment-sentence .live")).to_be_visible()
    expect(page).to_have_url(re.compile("tab=augment&sample=000020"))
    page.get_by_role("tab", name="Data set").click()
    page.locator("#send-detect").click()
    expect(page.locator("#detect-result")).to_contain_text("overlap with the true box")


def test_the_photo_that_was_chosen_is_opened(reused_page, demo_address):
    page = open_again(reused_page, f"{demo_address}?sample=000020")
    page.get_by_role("tab", name="Data set").click()
    card = page.locator("#dataset-card")
    expect(card).to_contain_text("000020.jpg")
    count = page.locator("#dataset-count")
    expect(count).to_contain_text("page 2 of 2, where the photo chosen above is")
    expect(page.locator("#dataset-grid button[aria-pressed=true]")).to_have_attribute(
        "data-key", "000020"
    )
    # What is picked here stays.
    page.locator("#dataset-grid button[data-key='000025']").click()
    expect(card).to_contain_text("000025.jpg")
    page.get_by_role("tab", name="Training").click()
    page.get_by_role("tab", name="Data set").click()
    page.traffic.settle()
    expect(card).to_contain_text("000025.jpg")
    expect(count).not_to_contain_text("chosen above")


def test_on_a_phone_a_tile_brings_its_card_into_sight(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("tab", name="Data set").click()
    page.locator("#dataset-grid button[data-key='000005']").click()
    card = page.locator("#dataset-card")
    expect(card).to_contain_text("000005.jpg")
    wait_for(lambda: 0 <= card.bounding_box()["y"] < 844 / 2, "the card in sight")


def test_only_another_choice_of_a_drop_down_begins_on_page_1(reused_page, demo_address):
    page = open_again(reused_page, f"{demo_address}?tab=dataset&page=2")
    count = page.locator("#dataset-count")
    expect(count).to_contain_text("30 photos, page 2 of 2")
    page.locator("#dataset-grid button[data-key='000025']").click()
    expect(page.locator("#dataset-card")).to_contain_text("000025.jpg")
    page.traffic.settle()
    page.traffic.forget()
    for name in ("split", "class", "size", "page"):
        page.locator(f"#dataset-{name} input").focus()
    page.traffic.settle()
    assert page.traffic.handlers == []
    class_name = page.locator("#dataset-class input")
    class_name.click()
    page.get_by_role("option", name="sheep").click()
    expect(count).to_contain_text("10 photos")
    class_name.press("ArrowDown")  # from the keyboard too, and back to what it was
    class_name.press("Home")
    class_name.press("Enter")
    expect(count).to_contain_text("30 photos, page 1 of 2")
