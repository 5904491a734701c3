"""The page in a real browser: charts are drawn, policies hidden, metrics chosen, and nothing is wrong on the console."""

import pytest

from recframe.reports import write_page
from tests.browser import browser

__all__ = ["browser"]
WIDTHS = {"desktop": 1280, "narrow": 390}


@pytest.fixture(scope="module")
def path(sweep_folder, tmp_path_factory):
    return write_page(sweep_folder, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture
def opened(browser, path):
    """Opens the page in a window of this width; the console's messages and requests are in `messages`."""
    contexts = []

    def open_page(width=1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.messages = []
        page.on("console", lambda message: page.messages.append(message.text))
        page.on("pageerror", lambda error: page.messages.append(str(error)))
        page.on("request", lambda request: page.messages.append(request.url) if not request.url.startswith(("file:", "blob:")) else None)
        page.goto(path.as_uri())
        page.wait_for_selector("body[data-drawn]", timeout=60_000)
        return page

    yield open_page
    for context in contexts:
        context.close()


def marks(page, section, kind):
    """The number of the marks of a kind in the charts of a section."""
    return page.locator(f"#{section} .chart svg .mark-{kind}.role-mark path").count()


def test_charts_are_drawn_without_a_message_and_a_curve_can_be_hidden(opened):
    page = opened()
    charts = page.locator(".chart")
    assert charts.count() == 11
    assert page.locator(".chart svg").count() == 11
    assert marks(page, "curves", "line") == 8
    button = page.locator('#curves .legend button[data-policy="ppo, tfidf"]')
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('#curves .chart svg .mark-line.role-mark path').length === 6")
    assert button.get_attribute("aria-pressed") == "false"
    assert marks(page, "rewards", "line") == 4
    button.click()
    page.wait_for_function("document.querySelectorAll('#curves .chart svg .mark-line.role-mark path').length === 8")
    assert page.messages == []


def test_another_metric_can_be_chosen(opened):
    page = opened()
    before = page.locator("#results .chart svg").inner_html()
    page.locator("#results select").select_option("coverage")
    page.wait_for_function("(before) => document.querySelector('#results .chart svg').innerHTML !== before", arg=before)
    assert page.messages == []


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_nothing_is_wider_than_the_window(opened, width):
    page = opened(width)
    assert page.evaluate("document.documentElement.scrollWidth") == width


A4_WITHOUT_MARGINS = 703
"""The width of what is printed on A4, in pixels."""


def test_a_print_is_not_wider_than_paper_and_keeps_headings_with_their_charts(opened):
    page = opened()
    page.emulate_media(media="print")
    page.set_viewport_size({"width": A4_WITHOUT_MARGINS, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") == A4_WITHOUT_MARGINS
    inside = "[...document.querySelectorAll('table, .chart svg')].every((one) => one.getBoundingClientRect().right <= innerWidth + 1)"
    assert page.evaluate(inside)
    styles = "[...document.querySelectorAll('h2, h3, .controls, .legend')].map((one) => getComputedStyle(one).breakAfter)"
    assert set(page.evaluate(styles)) == {"avoid"}
    assert page.evaluate("getComputedStyle(document.querySelector('.wide td')).position") == "static"


def test_texts_have_the_colours_of_a_dark_page_and_of_a_print(opened):
    page = opened(color_scheme="dark")
    colour = "getComputedStyle(document.querySelector('#results .chart svg .role-axis-label text')).fill"
    assert page.evaluate(colour) == "rgb(228, 230, 234)"
    page.emulate_media(media="print")
    assert page.evaluate(colour) == "rgb(0, 0, 0)"
