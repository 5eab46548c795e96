"""report.html in a browser, on a phone and on a desk: it asks for nothing, fits, and can be read by anyone."""

from pathlib import Path

import pytest

from tests.explore import browser

FIXTURES = Path(__file__).parent / "validation" / "fixtures"
SIZES = {"phone": (390, 844), "desk": (1280, 900)}
pytestmark = pytest.mark.rendered


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    from lindyn.cli import main

    out = tmp_path_factory.mktemp("report") / "v"
    checkpoint = next((FIXTURES / "solo_learn").glob("*.ckpt"))
    assert main(["validate", str(checkpoint), "--images", "digits", "--out", str(out)]) == 0
    return out / "report.html"


@pytest.fixture(scope="module")
def context():
    browser.needs_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(params=SIZES)
def page(request, context, report):
    width, height = SIZES[request.param]
    window = context.new_context(viewport={"width": width, "height": height}, bypass_csp=True)
    window.set_default_timeout(browser.READY)
    asked = []
    window.on("request", lambda one: asked.append(one.url))
    shown = window.new_page()
    shown.goto(report.as_uri())
    yield shown, asked
    window.close()


def test_no_request_leaves_the_file(page, report):
    _, asked = page
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]


def test_it_fits_the_width(page):
    shown, _ = page
    assert shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")


def test_the_first_screen_says_what_it_is_about_and_the_answer(page):
    shown, _ = page
    top, height = shown.locator("p.plain"), shown.viewport_size["height"]
    assert "another view of the same image" in top.inner_text() and "This network has" in top.inner_text()
    box = shown.locator("p.headline").bounding_box()
    assert box["y"] < height


def test_the_keyboard_reaches_what_scrolls_and_what_opens(page):
    shown, _ = page
    shown.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    wanted = shown.evaluate("document.querySelectorAll('summary, .scroll').length")
    seen = set()
    for _ in range(wanted + 5):
        shown.keyboard.press("Tab")
        seen.add(shown.evaluate("[...document.querySelectorAll('summary, .scroll')].indexOf(document.activeElement)"))
    assert len(seen - {-1}) == wanted > 0


def test_formulas_are_drawn(page):
    shown, _ = page
    assert shown.locator("math").count() >= 5
    assert shown.evaluate("[...document.querySelectorAll('math')].every(m => m.getBoundingClientRect().height > 8)")


def test_axe_finds_no_violation(page):
    browser.needs_axe()
    assert browser.violations(page[0]) == []
