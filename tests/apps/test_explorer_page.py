"""The explorer's page in a real browser, with clicks and keys, served by the verb itself."""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
import subprocess
import sys

import pytest
from PIL import Image

pytest.importorskip("fastapi")
playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH: apt-get install chromium")
VIEWS = ("classes", "class/0", "make/0", "recognise")


@pytest.fixture(scope="module")
def served(explorable, tmp_path_factory):
    """The run folder and the address of `elastic-infogan explore`, which has to stop at Ctrl-C."""
    path = shutil.copytree(explorable, tmp_path_factory.mktemp("explore") / "run")
    alike = {"kind": "alike", "severity": "hint", "says": "", "do": "", "classes": [2, 5], "numbers": {}}
    (path / "diagnosis.json").write_text(json.dumps({"findings": [alike]}))
    command = [sys.executable, "-m", "elastic_infogan", "explore", str(path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            yield path, re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", line)[0]
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as tool:
        chromium = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(served, browser):
    """A fresh page; whatever it complains about, and whatever it asks of other machines, is a fault."""
    run, opening = served
    address = opening.partition("?")[0]
    (run / "names.json").unlink(missing_ok=True)
    page = browser.new_page(base_url=address, viewport={"width": 1280, "height": 800})
    page.set_default_timeout(20_000)
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if is_fault(message) else None)
    page.on("request", lambda asked: asked.url.startswith((address, "data:")) or faults.append(asked.url))
    page.goto(opening)
    page.get_by_role("heading", name="Classes").wait_for()
    yield page
    page.close()
    assert not faults


def is_fault(message):
    """Errors and warnings, but for the line that the browser writes about every upload that is refused."""
    return message.type in ("error", "warning") and "status of 400" not in message.text


def see(locator):
    playwright.expect(locator).to_be_visible()
    return locator


def sources(page):
    return page.locator("#made img").evaluate_all("images => images.map((image) => image.src)")


def test_a_name_that_is_typed_is_kept(page, served):
    page.get_by_label("Name of class 2", exact=True).fill("swan")
    page.keyboard.press("Enter")
    see(page.get_by_text("Saved: class 2 is swan"))
    page.reload()
    playwright.expect(page.get_by_label("Name of class 2", exact=True)).to_have_value("swan")
    see(page.get_by_role("link", name=re.compile("Browse swan")))
    assert "swan" in (served[0] / "names.json").read_text()


def test_classes_are_merged_browsed_separated_and_downloaded(page, tmp_path):
    for title in ("Class 1", "Class 3"):
        page.get_by_label(f"Choose {title} for a merge").check()
    page.get_by_role("button", name="Merge them").click()
    see(page.get_by_text("Merged: classes 1 + 3 count as one"))
    playwright.expect(page.locator(".card")).to_have_count(9)
    page.get_by_label("Name of class 1 and 3").fill("both")
    page.keyboard.press("Enter")
    see(page.get_by_text("Saved: class 1 + 3 is both"))

    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["class"] for row in rows if row["name"] == "both"} == {"1"}
    assert not any(row["class"] == "3" for row in rows)

    page.get_by_role("link", name=re.compile("Browse both")).click()
    see(page.get_by_text("Classes 1 + 3 count as one."))
    page.get_by_role("button", name="Separate them").click()
    playwright.expect(page.locator(".card")).to_have_count(10)


def test_what_the_diagnosis_found_alike_is_merged_with_two_clicks(page, served):
    run, _ = served
    page.get_by_role("button", name="Class 2 + Class 5").click()
    playwright.expect(page.get_by_role("button", name="Merge them")).to_be_focused()
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#alike")).to_be_hidden()
    assert json.loads((run / "names.json").read_text())["merged"] == [[2, 5]]


def test_images_are_paged_and_looked_at(page):
    page.locator(".mosaic").first.click()
    see(page.get_by_text("Page 1 of "))
    playwright.expect(page.locator("#images img")).to_have_count(60)
    before = page.locator("#images img").first.get_attribute("alt")
    page.get_by_role("button", name="Next page").click()
    see(page.locator("#page", has_text="Page 2 of "))
    assert page.locator("#images img").first.get_attribute("alt") != before
    uncertain = page.get_by_role("button", name="Least certain first")
    uncertain.click()
    playwright.expect(uncertain).to_have_attribute("aria-pressed", "true")
    page.locator("#images button").first.click()
    name = see(page.get_by_role("dialog").get_by_role("heading")).inner_text()
    page.keyboard.press("ArrowRight")
    playwright.expect(page.get_by_role("dialog").get_by_role("heading")).not_to_have_text(name)
    page.keyboard.press("Escape")
    playwright.expect(page.get_by_role("dialog")).to_be_hidden()


def test_turning_faster_than_pages_come_ends_at_the_last(page):
    page.locator(".mosaic").first.click()
    see(page.get_by_text("Page 1 of "))
    page.evaluate("for (let i = 0; i < 40; i++) document.querySelector('#next').click()")
    next_page = page.get_by_role("button", name="Next page")
    playwright.expect(next_page).to_be_disabled()
    said = page.locator("#page").inner_text()
    assert re.match(r"Page (\d+) of \1 ", said)
    page.get_by_role("button", name="Previous page").click()
    playwright.expect(next_page).to_be_enabled()


@pytest.mark.parametrize("address", ["#main", "#/class/99", "#/class/x", "#/nowhere"])
def test_an_address_that_leads_nowhere_shows_the_classes(page, address):
    page.goto("about:blank")
    page.goto("/" + address)
    see(page.get_by_role("heading", name="Classes"))
    see(page.locator(".card").first)


def test_going_back_closes_what_is_open(page):
    page.locator(".mosaic").first.click()
    page.locator("#images button").first.click()
    see(page.get_by_role("dialog"))
    page.go_back()
    playwright.expect(page.get_by_role("dialog")).to_be_hidden()
    see(page.get_by_role("heading", name="Classes"))


def test_images_are_made_mixed_and_steered(page):
    page.get_by_role("link", name="Make", exact=True).click()
    made = page.locator("#made img")
    playwright.expect(made).to_have_count(24)
    start = sources(page)
    for name in ("Direction 1", "Code 2"):
        before = sources(page)
        page.get_by_label(name).press("End")
        playwright.expect(made.first).not_to_have_attribute("src", before[0])
    page.get_by_role("button", name="Back to the start").click()
    playwright.expect(made.first).to_have_attribute("src", start[0])
    page.get_by_label("Seed", exact=True).fill("7")
    playwright.expect(made.first).not_to_have_attribute("src", start[0])
    page.get_by_label("Mix with").select_option("4")
    playwright.expect(made).to_have_count(45)
    see(page.get_by_alt_text("New image, 8 eighths of the way from Class 0 to Class 4").first)


def test_a_picture_is_recognised(page, tmp_path):
    page.get_by_role("link", name="Recognise").click()
    Image.new("L", (40, 30), 9).save(tmp_path / "x.png")
    page.get_by_label("Choose a picture").set_input_files(tmp_path / "x.png")
    playwright.expect(page.locator("#likely li")).to_have_count(5)
    first = float(re.search(r"([\d.]+)%", page.locator("#likely li").first.inner_text())[1])
    playwright.expect(page.locator("#how")).to_have_text(
        "This looks like" if first >= 80 else "Not sure; closest to"
    )
    page.locator("#found").click()
    see(page.locator("#class-title"))


def test_what_is_no_picture_is_refused_in_words(page, tmp_path):
    page.get_by_role("link", name="Recognise").click()
    (tmp_path / "x.png").write_text("not a picture")
    page.get_by_label("Choose a picture").set_input_files(tmp_path / "x.png")
    playwright.expect(page.get_by_role("alert")).to_contain_text("not a picture")
    playwright.expect(page.locator("#answer")).to_be_hidden()
    Image.new("L", (40, 30), 9).save(tmp_path / "good.png")
    page.get_by_label("Choose a picture").set_input_files(tmp_path / "good.png")
    playwright.expect(page.locator("#likely li")).to_have_count(5)
    playwright.expect(page.get_by_role("alert")).to_have_text("")


def test_the_keyboard_alone_goes_everywhere(page):
    page.keyboard.press("Tab")
    playwright.expect(page.get_by_text("Skip to content")).to_be_focused()
    reached = []
    for _ in range(9):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
        )
    assert reached[:5] == ["Classes", "Make", "Recognise", "Download", "order"]
    page.get_by_role("link", name="Recognise").press("Enter")
    playwright.expect(page.get_by_role("heading", name="Which class")).to_be_focused()


@pytest.mark.parametrize("width", [360, 1280])
def test_everything_has_a_name_and_fits_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 740})
    for view in VIEWS:
        page.goto(f"/#/{view}")
        see(page.locator(f"#{view.partition('/')[0]}"))
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
        assert page.locator("main h2:visible").count() == 1
        nameless = page.evaluate(NAMELESS)
        assert nameless == []


NAMELESS = """[...document.querySelectorAll("a, button, input, select, img")].filter((item) =>
    item.checkVisibility() && !item.getAttribute("aria-label") && !item.textContent.trim()
    && !item.labels?.length && item.alt === undefined
    && !item.querySelector("img[alt]:not([alt=''])")).map((item) => item.outerHTML)"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(page, scheme):
    page.emulate_media(color_scheme=scheme)
    colours = page.evaluate(COLOURS)
    for ink, ground in (("ink", "ground"), ("quiet", "ground"), ("quiet", "sheet"), ("accent", "ground")):
        assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    assert contrast(colours["on-accent"], colours["accent"]) >= 4.5
    assert contrast(colours["sheet"], colours["bad"]) >= 4.5


COLOURS = """Object.fromEntries("ink quiet ground sheet accent on-accent bad".split(" ").map((name) => {
    document.body.style.outlineColor = `var(--${name})`;
    return [name, getComputedStyle(document.body).outlineColor.match(/\\d+/g).map(Number)];
}))"""


def contrast(one, other):
    """The ratio of WCAG 2: 1 for the same colour, 21 for black on white."""
    linear = [
        [(x / 3294.6 if x <= 10 else ((x / 255 + 0.055) / 1.055) ** 2.4) for x in c] for c in (one, other)
    ]
    light = sorted((0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in linear), reverse=True)
    return (light[0] + 0.05) / (light[1] + 0.05)


def test_back_at_the_list_one_goes_on_beside_the_class_one_comes_from(page):
    link = page.locator(".mosaic").nth(6)
    where = link.get_attribute("href")
    link.click()
    see(page.locator("#images img").first)
    page.go_back()
    playwright.expect(page.locator(f'.mosaic[href="{where}"]')).to_be_focused()


def test_a_page_is_gone_to_by_its_number(page):
    page.locator(".mosaic").first.click()
    see(page.get_by_text("Page 1 of "))
    page.get_by_label("Go to page").fill("3")
    page.keyboard.press("Enter")
    see(page.locator("#page", has_text="Page 3 of "))


def test_make_new_ones_starts_afresh(page):
    page.goto("/#/make/1")
    page.locator("#second").select_option("4")
    see(page.locator("#made.mixed"))
    page.goto("/#/make/7")
    playwright.expect(page.locator("#second")).to_have_value("")
    playwright.expect(page.locator("#first")).to_have_value("7")


def test_a_page_that_outlived_its_explore_says_so(page):
    page.route("**/api/classes/*/name", lambda route: route.continue_(
        headers={**route.request.headers, "x-opened": "another"}))  # fmt: skip
    page.get_by_label("Name of class 7", exact=True).fill("swan")
    page.keyboard.press("Enter")
    see(page.get_by_text("this page is of an explore that has ended: reload it"))
