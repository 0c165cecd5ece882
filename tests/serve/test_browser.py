"""The page in Chromium: streaming, sources, keyboard, narrow, dark, no axe violation, no request elsewhere."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from .conftest import start
from .fake_grounded import FakeGrounded

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")]


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install 'genwright[test]'")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def system():
    return FakeGrounded()


@pytest.fixture
def address(system):
    found, _, stop = start(system=system)
    yield found
    stop()


@pytest.fixture
def open_page(browser):
    """Opens a page that remembers what it asked for and what went wrong in it."""
    contexts = []

    def opened(url, **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.asked, page.wrong = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()


def tell(page, question, *, wait=".verdict"):
    number = page.locator(".told").count()
    page.locator("#question").fill(question)
    page.locator("#question").press("Enter")
    if wait:
        page.locator(".told").nth(number).locator(wait).wait_for()
    return page.locator(".told").nth(number)


def violations(page):
    """What axe finds; it runs in a world of its own, past the page's policy, which would not let it in."""
    session = page.context.new_cdp_session(page)
    frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
    world = session.send("Page.createIsolatedWorld", {"frameId": frame})["executionContextId"]
    run = AXE.read_text(encoding="utf-8") + ";axe.run(document).then(found => JSON.stringify(found.violations))"
    ran = session.send(
        "Runtime.evaluate",
        {"expression": run, "contextId": world, "awaitPromise": True, "returnByValue": True},
    )
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in json.loads(ran["result"]["value"])]


def test_an_answer_streams_and_its_sources_are_one_click_away(open_page, address, system):
    page = open_page(address)
    assert page.evaluate("document.activeElement.id") == "question"
    turn = tell(page, "iterable, slowly", wait=".source")
    assert "Reading 1 passage" in turn.locator(".state").inner_text()  # the search is shown while the answer is awaited
    assert turn.get_attribute("aria-busy") == "true"
    assert page.locator("#stop").is_visible()
    system.go_on.set()
    turn.locator(".verdict").wait_for()
    page.locator("#send").wait_for()
    assert turn.get_attribute("aria-busy") is None
    assert "builds a new list from any iterable. [1]" in turn.locator(".says").inner_text()
    assert page.evaluate("document.activeElement.id") == "question"
    assert page.locator("#question").input_value() == ""
    cite = turn.locator("a.cite").first
    assert re.fullmatch(r"#source-\w+-1", cite.get_attribute("href"))
    cite.click()
    assert page.evaluate("document.activeElement.matches('details[open] > summary')")
    assert turn.locator("mark").inner_text() == "sorted() builds a new list from any iterable."
    assert turn.locator("blockquote").is_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "cite"
    assert page.wrong == []
    assert all(url.startswith(address) for url in page.asked)


def test_the_document_opens_at_the_quote(open_page, address):
    page = open_page(address)
    turn = tell(page, "Which statement closes a file?")
    turn.locator("a.cite").first.click()
    with page.context.expect_page() as opened:
        turn.get_by_role("link", name="Read the quote in the document").click()
    document = opened.value
    document.wait_for_load_state()
    assert document.locator("#quote").inner_text() == "The with statement closes it again."
    assert document.evaluate("document.activeElement.id") == "quote"
    assert violations(document) == []


def test_the_finished_answer_is_announced_once_and_the_log_is_silent(open_page, address, system):
    page = open_page(address)
    page.evaluate(
        """() => { window.told = [];
        new MutationObserver(() => { const text = document.getElementById('announcer').textContent;
            if (text) window.told.push(text); }).observe(document.getElementById('announcer'), {childList: true}); }"""
    )
    system.go_on.set()
    tell(page, "list")
    told = page.evaluate("window.told")
    assert len(told) == 1
    assert told[0].endswith("Sources: Lists & sorting.")
    log = page.locator("#log")
    assert (log.get_attribute("role"), log.get_attribute("aria-live")) == ("log", "off")


def test_a_talk_goes_on_with_what_was_said(open_page, address, system):
    page = open_page(address)
    tell(page, "Which statement closes a file?")
    tell(page, "And the iterable?")
    assert system.asked[-1][1] == (
        ("user", "Which statement closes a file?"),
        ("assistant", "The with statement closes it again."),
    )
    page.locator("#question").fill("one")
    page.locator("#question").press("Shift+Enter")
    assert page.locator("#question").input_value() == "one\n"


@pytest.mark.parametrize("question", ["document", "stay"])
def test_markup_in_documents_and_questions_is_shown_as_text(open_page, address, question):
    page = open_page(address)
    turn = tell(page, f"<script>document.title='taken'</script> <hx-partial hx-target='#log'>{question}</hx-partial> ")
    turn.locator("summary").first.click()
    assert "<script>" in page.locator(".asked .says").inner_text()
    assert "<script>document.title = 'taken'</script>" in turn.locator("blockquote").inner_text()
    assert page.title() == "tiny"
    assert page.locator("#log script, #log img, #log b").count() == 0
    assert page.wrong == []


def test_an_abstention_and_a_note_are_shown(open_page, address):
    page = open_page(address)
    turn = tell(page, "What is the weather? note")
    assert "I did not find an answer" in turn.locator(".says").inner_text()
    verdict = turn.locator(".verdict").inner_text()
    assert "No answer" in verdict
    assert "confidence 11%" in verdict
    assert "BM25 did not answer." in verdict
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(320, 640), (1100, 800), (320, 256)])
def test_no_axe_violation_and_no_sideways_scrolling(open_page, address, scheme, size):
    page = open_page(address, color_scheme=scheme, viewport={"width": size[0], "height": size[1]})
    assert violations(page) == []
    turn = tell(page, "library document note")
    turn.locator("summary").first.click()
    assert page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth")
    assert violations(page) == []
    if folder := os.environ.get("GENWRIGHT_SHOTS"):  # for a look at it
        page.screenshot(path=f"{folder}/{scheme}-{size[0]}x{size[1]}.png")


def test_a_refusal_gives_the_question_back(open_page, start_server):
    system = FakeGrounded()
    address, _, stop = start_server(system=system, num_slots=1, max_queue=0)
    try:
        first, second = open_page(address), open_page(address)
        tell(first, "iterable, slowly", wait=".source")
        tell(second, "an iterable", wait=None)
        second.get_by_role("alert").wait_for()
        assert "try again" in second.get_by_role("alert").inner_text()
        assert second.locator("#question").input_value() == "an iterable"
        assert violations(second) == []
        first.locator("#stop").click()
        first.get_by_text("The answer was broken off.").first.wait_for()
        assert first.locator("#send").is_visible()
        assert first.evaluate("document.activeElement.id") == "question"
        system.go_on.set()
    finally:
        stop()
    tell(second, "nobody there", wait=None)
    second.get_by_text("The server cannot be reached.").wait_for()
    assert second.locator("#question").input_value() == "nobody there"


def test_a_defect_is_told_in_its_turn(open_page, address):
    page = open_page(address)
    turn = tell(page, "a defect", wait=".problem")
    assert "a defect" in turn.locator(".problem").inner_text()
    assert page.locator("#said input").count() == 0


def test_any_system_that_generates_can_be_talked_with(open_page, server):
    page = open_page(server.address)
    turn = tell(page, "hello", wait=".end >> xpath=..")
    page.locator("#send").wait_for()
    assert turn.locator(".says").inner_text() != ""
    assert page.locator("#said input").count() == 2
    assert violations(page) == []
