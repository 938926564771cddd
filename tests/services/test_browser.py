"""A person's way through the pages, in a real browser: form, run, report, MLflow, approval."""

import os
import re
import shutil
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = [
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.xdist_group("servers"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH"),
]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
RUN_SECONDS = 240


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Where screenshots go: a folder that CI keeps, when it says one."""
    folder = Path(os.environ.get("TEST_ARTIFACTS") or tmp_path_factory.mktemp("pictures"))
    folder.mkdir(parents=True, exist_ok=True)

    def take(page, name):
        page.wait_for_timeout(1500)  # charts and graphs are drawn by scripts, in their own time
        page.screenshot(path=folder / f"{name}.png")

    return take


def open_deployment(page, house, flow, ui="/v2"):
    deployed = house.deployment(flow, "loans")["id"]
    page.goto(f"http://127.0.0.1:{house.prefect}{ui}/deployments/deployment/{deployed}")


def follow(page, state):
    """See the run's page until it says this state."""
    end = re.compile(rf"^({state}|Failed|Crashed|Refused|Champion kept)$")
    found = page.locator("main").get_by_text(end).first
    found.wait_for(timeout=RUN_SECONDS * 1000)
    assert found.inner_text().strip() == state


def submit(page):
    """Send the form and see its run; as long as an old mistake is being checked, it stays put."""
    send, seen = (page.get_by_role("button", name=name) for name in ("Submit", "View run"))
    for _ in range(6):
        if send.is_visible():
            send.click()
        try:
            seen.wait_for(timeout=10_000)
            break
        except playwright.TimeoutError:
            continue
    seen.click()


def test_from_the_form_to_a_version_with_its_alias(page, house, pictures):
    open_deployment(page, house, "train")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Custom run").click()
    epochs = page.get_by_label("Epochs (Optional)")
    epochs.fill("-1")
    page.get_by_role("button", name="Submit").click()
    said = epochs.evaluate("field => field.validationMessage")
    assert said == "Value must be greater than or equal to 0."
    epochs.fill("5")
    pictures(page, "form")
    submit(page)
    follow(page, "Awaiting approval")
    run = page.url.partition("/flow-run/")[2][:36]
    asked = house.ask(f"/flow_runs/{run}")
    assert asked["parameters"]["overrides"]["model"] == {"epochs": 5}
    pictures(page, "prefect-run")

    page.get_by_role("tab", name="Artifacts").click()
    for name in ("loans-report", "loans-checks", "loans-metrics", "loans-mlflow-run-link"):
        page.get_by_role("heading", name=name, exact=True).wait_for()
    pictures(page, "prefect-artifacts")
    page.get_by_role("heading", name="loans-report", exact=True).click()
    page.locator("main a[href*='/artifacts/artifact/']").first.click()
    page.get_by_role("heading", name="Awaiting approval").wait_for()
    page.get_by_role("heading", name="How good it is").wait_for()
    pictures(page, "prefect-report")

    tracked = page.get_by_role("link", name="MLflow run", exact=True).get_attribute("href")
    listed = page.get_by_role("link", name="All runs", exact=True).get_attribute("href")
    page.goto(listed)
    page.get_by_text("evaluate/roc_auc").first.wait_for()
    pictures(page, "mlflow-runs")
    page.goto(tracked)
    page.get_by_role("heading", name="Awaiting approval").wait_for()
    page.get_by_role("link", name="evaluate/roc_auc").wait_for()
    page.get_by_text("penstock.verdict").first.wait_for()
    pictures(page, "mlflow-run")
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("report.html", exact=True).first.click()
    report = page.frame_locator("iframe")
    report.get_by_role("heading", name="Awaiting approval").wait_for()
    pictures(page, "mlflow-report")
    page.get_by_role("tab", name="Overview").click()
    version = page.get_by_role("link", name="loans v1", exact=True).get_attribute("href")
    page.goto(version)
    page.get_by_text("challenger").first.wait_for()
    pictures(page, "mlflow-version")
    assert house.aliases("loans") == {"challenger": "1"}


def test_a_person_approves_a_suspended_run(page, house, pictures):
    if "challenger" not in house.aliases("loans"):  # this test runs alone
        assert house.penstock("train", "loans").returncode == 6
    open_deployment(page, house, "promote")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Quick run").click()
    page.get_by_role("dialog").get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("button", name="View run").click()
    follow(page, "Suspended")
    resume = page.get_by_role("menuitem", name="Resume")
    while not resume.is_visible():  # the page draws itself anew, and its menu closes
        page.locator("main").get_by_role("button").first.click()
        page.wait_for_timeout(500)
    resume.click()
    form = page.get_by_role("dialog")
    form.get_by_text("become the champion?").wait_for()
    form.get_by_label("Approve (Optional)").click()
    form.get_by_label("Name").fill("Ada")
    form.get_by_label("Reason").fill("Read the report.")
    pictures(page, "approval")
    form.get_by_role("button", name="Resume").click()
    follow(page, "Registered")
    assert house.aliases("loans") == {"champion": "1"}
    pictures(page, "approved")


@pytest.mark.parametrize("ui", ["", "/v2"])
def test_both_pages_work_on_this_port(page, house, pictures, ui):
    """They ask the server that they came from; one that asks port 4200 is dead."""
    asked = []
    page.on("response", lambda answer: asked.append((answer.url, answer.status)))
    page.on("requestfailed", lambda request: asked.append((request.url, 0)))
    page.goto(f"http://127.0.0.1:{house.prefect}{ui}/deployments")
    for name in ("shop", "loans"):
        page.get_by_role("link", name=name).first.wait_for()
    open_deployment(page, house, "train", ui)
    page.get_by_text("flows.train.train").first.wait_for()
    page.goto(f"http://127.0.0.1:{house.prefect}{ui}/work-pools")
    page.get_by_role("link", name="penstock", exact=True).first.wait_for()
    pictures(page, f"prefect{ui.replace('/', '-')}-work-pools")
    api = [(url, status) for url, status in asked if "/api/" in url and "amplitude" not in url]
    assert len(api) > 5
    assert {url.partition("/api/")[0] for url, _ in api} == {f"http://127.0.0.1:{house.prefect}"}
    assert [url for url, status in api if status >= 400] == []
    assert not [url for url, _ in asked if ":4200" in url]
