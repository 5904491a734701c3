"""The page of a server in a real browser: what people do on it, by mouse and by keyboard, on a desk and on a phone."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack

import polars as pl
import pytest
import torch

import recframe
from recframe.explanations import Counterfactual, Explanation, Neighbour, PartEffect, ShownBy, WordEffect, WordEffects
from recframe.feedback.store import FeedbackStore
from recframe.files import file_sha256
from recframe.server.config import ServeConfig
from tests.browser import browser
from tests.serving.server.conftest import running

__all__ = ["browser"]
NASTY = '<img src=x onerror="document.title=1">'
WAIT = 20_000


@pytest.fixture(scope="module")
def served(world, browser, tmp_path_factory):
    """A server of two policies that read words: one, and its opposite. The first item has a title that would be an element."""
    folder = tmp_path_factory.mktemp("page")
    recframe.export(world, folder / "policy")
    items = pl.read_parquet(folder / "policy" / "items.parquet")
    attributes = items["attributes"].struct.unnest()
    titles = [NASTY, *attributes["title"].to_list()[1:]]
    items.with_columns(attributes.with_columns(pl.Series("title", titles)).to_struct("attributes")).write_parquet(
        folder / "policy" / "items.parquet"
    )
    manifest = json.loads((folder / "policy" / "artefact.json").read_text())
    manifest["files"]["items.parquet"] = file_sha256(folder / "policy" / "items.parquet")
    (folder / "policy" / "artefact.json").write_text(json.dumps(manifest))
    main, opposite = recframe.load_policy(folder / "policy"), recframe.load_policy(folder / "policy")
    with torch.no_grad():
        opposite.agent.online.query.weight.neg_()
        opposite.agent.online.query.bias.neg_()
    config = ServeConfig(other={"opposite": str(folder)})
    with ExitStack() as stack:
        store = stack.enter_context(FeedbackStore.open(f"sqlite:///{folder}/feedback.db"))
        yield stack.enter_context(running({"main": main, "opposite": opposite}, store, config))


@pytest.fixture
def opened(browser, served):
    """Opens the page; what the console says, and requests to others, are in `messages`."""
    contexts = []

    def open_page(width=1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.messages = []
        page.on("console", lambda message: page.messages.append(message.text))
        page.on("pageerror", lambda error: page.messages.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(served.url) else page.messages.append(request.url))
        page.goto(served.url)
        page.locator("#found li").first.wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()


def find(page, words, total):
    page.fill("#search", words)
    page.locator("#found-note", has_text=re.compile(f"^{total} items? with")).wait_for()


def recommend(page):
    page.click("#recommend")
    page.locator(".items li").first.wait_for()


def texts(page, selector):
    return page.locator(selector).all_inner_texts()


def history_of(page):
    return list(zip(texts(page, "#history .title"), texts(page, "#history .did"), strict=True))


def titles_of(policy, history, k, **words):
    return [item.title for item in policy.recommend(history, k=k, **words)]


@pytest.fixture(scope="module")
def policy(served):
    return served.service.policies["main"].policy


def test_a_history_is_built_by_searching_and_the_slate_is_the_policys(opened, policy):
    page, catalog = opened(), policy.data.catalog
    wanted = catalog.titles[5]
    find(page, wanted.lower(), 1)
    page.locator("#found li").click()
    assert history_of(page) == [(wanted, "clicked")]
    page.fill("#profile", "A reader of long books.")
    page.fill("#say", policy.data.contexts.texts[0])
    recommend(page)
    entry = [(catalog.ids[5], {"click": 1.0})]
    shown = titles_of(policy, entry, 8, profile="A reader of long books.", context=policy.data.contexts.texts[0])
    assert texts(page, ".items .title") == shown
    assert page.locator("#said").inner_text() == "8 items."
    page.reload()
    page.locator("#history li").wait_for()
    assert history_of(page) == [(wanted, "clicked")]
    assert page.input_value("#profile") == "A reader of long books."
    page.click("#restart")
    assert history_of(page) == []
    assert page.messages == []


def test_feedback_is_stored_and_changes_the_state_and_the_next_slate(opened, served, policy):
    page = opened()
    answers = page.locator("#live div", has_text="answers").locator("dd")
    recommend(page)
    before = texts(page, ".items .title")
    page.locator(".items li").nth(2).locator("[data-signal=rating-5]").click()
    page.locator("#history li").wait_for()
    assert history_of(page) == [(before[2], "rated 5")]
    page.locator("#said", has_text=re.compile("8 items(: |, the same)")).wait_for()
    row = policy.data.catalog.titles.index(before[2])
    after = titles_of(policy, [(policy.data.catalog.ids[row], {"click": 1.0, "rating": 5.0})], 8)
    assert texts(page, ".items .title") == after
    assert page.locator(".mark", has_text="new").count() == len(set(after) - set(before))
    moved = [title for place, title in enumerate(after) if title in before and before.index(title) != place]
    assert page.locator(".mark.moved").count() == len(moved)
    assert page.evaluate("document.activeElement.dataset.signal") == "rating-5"
    log = served.service.store.log_frame()
    told = log.filter(log["rating"] == 5)
    assert told["item"].to_list() == [policy.data.catalog.ids[row]]
    page.locator("#live div", has_text="clicks per answer, main").locator("dd", has_text=re.compile(r"\d")).wait_for()
    assert int(answers.inner_text()) >= 2
    page.get_by_label(f"Remove {before[2]} from the history").click()
    assert history_of(page) == []
    assert page.locator(".slate.stale").count() == 1
    assert page.messages == []


def test_everything_can_be_done_by_keyboard_and_the_focus_is_seen(opened, policy):
    page, title = opened(), policy.data.catalog.titles[7]

    def tab_to(selector):
        for _ in range(80):
            page.keyboard.press("Tab")
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"{selector} is not reached")

    page.keyboard.press("/")
    page.keyboard.type(title)
    page.locator("#found-note", has_text="1 item with").wait_for()
    page.keyboard.press("ArrowDown")
    option = page.locator("#found li[aria-selected=true]")
    assert option.get_attribute("id") == page.get_attribute("#search", "aria-activedescendant")
    page.keyboard.press("Enter")
    assert history_of(page) == [(title, "clicked")]
    tab_to("#recommend")
    page.keyboard.press("Enter")
    page.locator(".items li").first.wait_for()
    tab_to("[data-signal=click]")
    page.keyboard.press("Space")
    page.locator("#history li").nth(1).wait_for()
    tab_to(".remove, .why")
    for name in page.locator("input:visible, textarea:visible, select:visible, button:visible").all():
        assert name.evaluate("one => Boolean(one.labels?.length || one.ariaLabel || one.innerText.trim())")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("r")
    page.locator("#said", has_text="the same as before").wait_for()
    assert page.messages == []


def test_enter_adds_what_is_found_for_the_words_that_are_there_also_before_it_is_listed(opened, policy):
    page, titles = opened(), policy.data.catalog.titles
    wanted = [titles[5], titles[9]]
    page.evaluate("() => { const real = fetch; window.fetch = async (...asked) => { await window.held; return real(...asked); }; }")
    for place, title in enumerate(wanted):
        page.evaluate("() => { window.held = new Promise((release) => { window.release = release; }); }")
        page.fill("#search", title)
        # before it is asked, and while it is
        page.wait_for_timeout(0 if place == 0 else 250)
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        page.evaluate("release()")
        page.locator("#history li").nth(place).wait_for()
    assert history_of(page) == [(title, "clicked") for title in wanted]
    page.fill("#search", "nothing has this title")
    page.keyboard.press("Enter")
    page.locator("#found-note", has_text="Nothing has").wait_for()
    assert len(history_of(page)) == 2
    assert page.messages == []


def test_texts_of_the_catalogue_are_shown_as_texts(opened):
    page = opened()
    find(page, "<img", 1)
    page.locator("#found li").click()
    page.fill("#k", "40")
    recommend(page)
    assert NASTY in texts(page, "#found .title")
    assert history_of(page) == [(NASTY, "clicked")]
    assert page.locator("main img, main script").count() == 0
    page.get_by_label(f"Remove {NASTY} from the history").click()
    recommend(page)
    page.locator(".items .title", has_text=NASTY).wait_for()
    assert page.title() == "recframe"
    assert page.messages == []


def test_two_policies_are_compared_and_each_is_told(opened, served, policy):
    page = opened(width=360)
    recommend(page)
    page.check("#compare")
    page.locator("#slate-b li").first.wait_for()
    sides = [texts(page, f"#slate-{side} .items .title") for side in "ab"]
    assert sides[0] == titles_of(policy, [], 8)
    assert sides[1] == titles_of(served.service.policies["opposite"].policy, [], 8)
    assert texts(page, "#slate-a .score .note") == [
        f"also there, at {sides[1].index(title) + 1}" if title in sides[1] else "only here" for title in sides[0]
    ]
    page.locator("#slate-b li").first.locator("[data-signal=click]").click()
    page.locator("#history li").wait_for()
    assert history_of(page) == [(sides[1][0], "clicked")]
    page.locator("#said", has_text=re.compile("main: 8 items.*; opposite: 8 items")).wait_for()
    log = served.service.store.log_frame()
    assert log.filter((log["policy"] == "opposite") & (log["click"] == 1)).height == 1
    page.select_option("#policy-b", "main")
    page.locator("#slate-b .score .note", has_text="also there, at 1").first.wait_for()
    assert texts(page, "#slate-b .items .title") == texts(page, "#slate-a .items .title")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.messages == []


def test_why_an_item_is_shown_is_told_in_bars_words_and_what_if(opened, policy):
    met, other = policy.data.catalog.titles[0], policy.data.catalog.titles[3]
    effects = (
        PartEffect("history", met, 0.4, id=policy.data.catalog.ids[0]),
        PartEffect("history", other, -0.1, id="3", signal="click", value=1),
    )
    words = WordEffects(
        "profile", "I sail a <b>boat</b>", "leave_one_out", (WordEffect("sail", 2, 6, 0.2), WordEffect("boat", 12, 16, -0.2))
    )
    what_if = Counterfactual(effects[0], 8, "3", other)
    told = Explanation(
        "1",
        "title",
        "main",
        "Mostly the history.",
        "lead",
        ShownBy(None),
        place=4,
        history=effects,
        person=(PartEffect("profile", "I sail", 0.2),),
        words=(words,),
        nearest=(Neighbour("3", other, 0.9),),
        counterfactual=what_if,
        notes=("Nothing else.",),
    )
    asked, recommended = [], []

    def explored(route):
        answer = route.fetch().json()
        recommended.append(answer["recommendation"])
        answer["explored"], answer["items"][0]["propensity"] = True, 0.25
        route.fulfill(json=answer)

    page = opened(width=360)
    page.route("**/recommend", explored)
    page.route("**/explain", lambda route: (asked.append(route.request.post_data_json), route.fulfill(json=told.as_dict())))
    find(page, "<img", 1)
    page.locator("#found li").click()
    recommend(page)
    button = page.locator(".why").first
    button.click()
    page.locator(".bars li").nth(2).wait_for()
    assert button.get_attribute("aria-expanded") == "true"
    assert texts(page, ".bars .what") == [f"{met} clicked", "Who they are, in words", f"{other} clicked"]
    assert texts(page, ".bars .effect") == ["+0.400", "+0.200", "\u22120.100"]
    widths = page.locator(".bars .bar i").evaluate_all("bars => bars.map((bar) => bar.style.width)")
    assert widths == ["50%", "25%", "12.5%"]
    assert texts(page, ".words") == ["I sail a <b>boat</b>"]
    assert [page.locator(".words mark").nth(place).get_attribute("class") for place in range(2)] == ["for s4", "against s4"]
    panel = page.locator(".reasons").first.inner_text()
    assert "Mostly the history." in panel
    assert f"Had they not met {met}, {other} would have been here instead." in panel
    assert "The probability of this item at this place was 0.25." in panel
    assert "The slate was explored" in panel
    assert "it would be number 4." in panel
    assert asked[0]["recommendation"] == recommended[-1]
    assert asked[0]["history"] == [[policy.data.catalog.ids[0], {"click": 1}]]
    assert asked[0]["item"] == policy.data.catalog.ids[policy.data.catalog.titles.index(texts(page, ".items .title")[0])]
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.keyboard.press("Escape")
    assert page.locator(".reasons:visible").count() == 0
    assert page.messages == []


def test_mistakes_and_a_server_that_is_away_are_told_in_words(opened):
    page = opened()
    page.evaluate("document.getElementById('k').removeAttribute('max')")
    page.fill("#k", "1000")
    page.click("#recommend")
    problem = page.locator("#problem")
    problem.wait_for()
    assert "1000 is too many" in problem.inner_text()
    page.fill("#k", "5")
    recommend(page)
    assert problem.is_hidden()
    page.context.set_offline(True)
    page.click("#recommend")
    problem.wait_for()
    assert problem.inner_text() == "The server does not answer. Is it still running?"


def test_a_server_that_asks_for_a_key_gets_one(opened, served):
    page, keys = opened(), ["of the page"]

    def locked(route):
        given = route.request.headers.get("authorization")
        if given == f"Bearer {keys[-1]}":
            route.continue_()
        else:
            route.fulfill(status=401, json={"error": "the API key is missing" if given is None else "the API key is wrong"})

    page.route(re.compile(r"/(policy|items|recommend|metrics\.json)"), locked)
    page.goto(served.url)
    page.locator("#key-form").wait_for()
    assert page.evaluate("document.activeElement.id") == "key"
    page.keyboard.type("another")
    page.keyboard.press("Enter")
    page.locator("#problem", has_text="the API key is wrong").wait_for()
    page.fill("#key", keys[-1])
    page.keyboard.press("Enter")
    page.locator("#found li").first.wait_for()
    recommend(page)
    assert page.locator("#key-form").is_hidden()
    assert page.locator("#problem").is_hidden()
    # the key is another one later: nothing listens twice then
    keys.append("a new one")
    page.click("#recommend")
    page.locator("#key-form").wait_for()
    with page.expect_response(re.compile(r"/items\?")):
        page.fill("#key", keys[-1])
        page.keyboard.press("Enter")
    page.locator("#problem").wait_for(state="hidden")
    find(page, "<img", 1)
    # whoever else looks has found it by then, too
    page.wait_for_timeout(500)
    page.press("#search", "Enter")
    page.locator("#history li").first.wait_for()
    recommend(page)
    assert page.locator("#history li").count() == 1


def test_it_is_dark_where_the_reader_likes_that_and_fits_every_width(opened):
    back = "getComputedStyle(document.body).backgroundColor"
    light, dark = opened(), opened(width=390, color_scheme="dark")
    assert light.evaluate(back) == "rgb(250, 249, 246)"
    assert dark.evaluate(back) == "rgb(21, 22, 20)"
    for page in (light, dark):
        recommend(page)
        assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"]
        assert page.evaluate("document.getAnimations().length") == 0
