"""A comparison's page in Chromium: it asks nobody for anything, and axe finds nothing."""

import json
import shutil
from pathlib import Path

import pytest

from genwright.core import Estimate
from genwright.project.compare import EVERY, Comparison, Cost, Row
from genwright.project.report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = Path(__file__).parents[1] / "serve" / "vendor" / "axe.min.js"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FAMILIES = ("autoregressive", "vae", "gan", "diffusion")


def page_of(folder):
    """A page of four families whose samples would fetch a picture and run a script if they could."""
    evil = '<script src="https://example.org/x.js"></script><img src="https://example.org/x.png">'
    samples = folder / "samples"
    samples.mkdir()
    (samples / "samples.csv").write_text('"a","b"\n1,"<img src=https://example.org/y.png>"\n')
    outside = '<svg xmlns="http://www.w3.org/2000/svg"><image href="https://example.org/z.png"/></svg>'
    (samples / "p.svg").write_text(outside)
    (samples / "samples.json").write_text(json.dumps({"samples": [{"text": evil}], "preview": "p.svg"}))
    rows = [
        Row("c2st_auc", "", "1", name, Estimate(0.7 + at / 20, 9, "auc", 0.6, 0.9), better="lower")
        for at, name in enumerate(FAMILIES)
    ]
    rows.append(Row("c2st_auc", "reference: other real samples", "1", EVERY, Estimate(0.5, 9, "auc"), better="lower"))
    costs = [Cost(name, 1.0, 20.0 + at, "120 J (guess)", 120.0 + at, "guess") for at, name in enumerate(FAMILIES)]
    found = Comparison(rows, costs, dict.fromkeys(FAMILIES, samples))
    return write_report(found, folder / "page.html", title="Families <at> one budget")


def test_what_a_sample_says_stays_text(tmp_path):
    text = page_of(tmp_path).read_text()
    assert "<script" not in text and "<img src" not in text
    assert text.count("&lt;script") == len(FAMILIES) == text.count("<td>&lt;img")
    assert "default-src 'none'" in text


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
def test_the_page_stands_alone_and_can_be_read_by_all(tmp_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install 'genwright[test]'")
    asked, wrong = [], []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: wrong.append(message.text))
        page.goto(page_of(tmp_path).as_uri())
        drawn = page.evaluate("[...document.images].map(one => one.complete && one.naturalWidth > 0)")
        found = _violations(page)
        browser.close()
    assert drawn == [True] * len(FAMILIES)
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == [] == wrong
    assert found == []


def _violations(page):
    """What axe finds; it runs in a world of its own, past the page's policy, which would not let it in."""
    session = page.context.new_cdp_session(page)
    frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
    world = session.send("Page.createIsolatedWorld", {"frameId": frame})["executionContextId"]
    run = AXE.read_text(encoding="utf-8") + ";axe.run(document).then(found => JSON.stringify(found.violations))"
    asked = {"expression": run, "contextId": world, "awaitPromise": True, "returnByValue": True}
    ran = session.send("Runtime.evaluate", asked)
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in json.loads(ran["result"]["value"])]
