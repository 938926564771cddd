"""The report in a real browser: it fits a telephone, loads nothing, runs nothing."""

import shutil

import pytest

from penstock.adapters import report
from penstock.evidence import Check, Evidence, Figure, Series, Table
from penstock.outcomes import Decision
from penstock.records import Record
from penstock.spec import Data, Pipeline

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH"),
]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PAYLOAD = "<script>alert('run')</script><img src=x onerror=alert('run')>"
LONG = "a_column_name_without_a_single_space_" * 6


def page_of_a_run():
    """Every kind of content, each with the payload or with a word that is far too long."""
    texts = [PAYLOAD, LONG]
    checks = [
        Check(name=text, stage=stage, subject=text, value=0.5, low=0.1, high=0.9, limit=0.2,
              outcome=outcome, why=text, remedy=text)
        for stage in ("split", LONG)
        for text, outcome in zip(texts, ("refuse", "warn"), strict=True)
    ]  # fmt: skip
    wide = Table(title=LONG, columns=[f"{LONG}{n}" for n in range(12)], note=PAYLOAD,
                 rows=[[PAYLOAD, LONG, *range(10)]] * 40)  # fmt: skip
    figures = {
        style: Figure(title=text, x=text, y=text, note=text, marks=[(0.0, text)], series=[
            Series(name=f"{text}{n}", x=texts, y=[1.0, n], style=style) for n in range(3)])
        for style in ("bars", "points", "line") for text in texts
    }  # fmt: skip
    evidence = Evidence(notes=texts, tables={"wide": wide}, figures=figures)
    decision = Decision(verdict="refused", model=LONG, checks=checks, why=PAYLOAD,
                        metrics={LONG: 0.5}, fingerprints={LONG: "f" * 64})  # fmt: skip
    pipeline = Pipeline(name="x", description=LONG, data=Data(source=PAYLOAD, target=LONG))
    links = {"MLflow run": "http://127.0.0.1:5000/#/runs/1", LONG: "javascript:alert('run')"}
    return report.render(decision, {"split": Record(evidence=evidence)}, pipeline, links)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page_of_a_run(), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, address):
    """Open the report; returns the page and what happened while it loaded."""
    contexts = []

    def open_page(**how):
        context = browser.new_context(**how)
        contexts.append(context)
        page = context.new_page()
        seen = {"requests": [], "troubles": [], "dialogs": []}
        page.on("request", lambda request: seen["requests"].append(request.url))
        page.on("console", lambda message: seen["troubles"].append(message.text))
        page.on("pageerror", lambda error: seen["troubles"].append(str(error)))
        page.on("dialog", lambda dialog: (seen["dialogs"].append(dialog.message), dialog.accept()))
        page.goto(address, wait_until="networkidle")
        return page, seen

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", [360, 768, 1200])
def test_nothing_runs_out_of_the_page(visit, width):
    page, _ = visit(viewport={"width": width, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    cut = """[...document.querySelectorAll('h1, h2, h3, h4, p, li, dd, figure, .chart, .reading')]
        .filter(e => e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML)"""
    assert page.evaluate(cut) == []
    assert page.evaluate("document.querySelector('#stage-split .scroll').scrollWidth") > width


def test_the_verdict_is_seen_without_scrolling(visit):
    page, _ = visit(viewport={"width": 360, "height": 740})
    heading = page.get_by_role("heading", level=1)
    assert heading.inner_text().split() == ["✕", "Refused"]
    assert heading.is_visible()
    assert heading.bounding_box()["y"] < 400


def test_the_page_asks_for_nothing_but_itself_and_runs_nothing(visit, address):
    page, seen = visit(viewport={"width": 360, "height": 740})
    page.get_by_text("javascript:").first.click()
    assert seen["requests"] == [address]
    assert seen["troubles"] == []
    assert seen["dialogs"] == []
    assert page.evaluate("document.querySelectorAll('script, main img').length") == 0


def test_each_stage_is_one_click_away(visit):
    page, _ = visit(viewport={"width": 360, "height": 740})
    page.locator(".pipe a").first.click()
    assert page.locator("#stage-split h2").bounding_box()["y"] < 100


def test_dark_on_a_dark_screen_and_never_on_paper(visit):
    ground = "getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).map(Number)"
    page, _ = visit(color_scheme="dark")
    assert max(page.evaluate(ground)[:3]) < 60
    ink = "getComputedStyle(document.querySelector('.chart text')).fill.match(/\\d+/g).map(Number)"
    assert min(page.evaluate(ink)) > 120
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(ground)[3] == 0
    assert max(page.evaluate(ink)) < 120
    assert page.evaluate("document.querySelector('#stage-split .scroll').scrollWidth") <= 1280
