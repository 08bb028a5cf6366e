"""A page in Chromium, and what it says and asks for.

Without Chromium, its driver and selenium these tests are skipped; ``make test-browser`` requires them.
"""

import csv
import json
import os
import shutil
import time
from pathlib import Path

import pytest

from objbench.leaderboard.html.page import html_page

REQUIRED = os.environ.get("OBJBENCH_BROWSER") == "required"
AXE = os.environ.get("AXE_CORE", "")
# As root, without a sandbox of its own, and without looking anything up for itself.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1000",
)
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")


def lacking():
    """What a browser test needs and is not there."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    try:
        import selenium  # noqa: F401
    except ImportError:
        missing.append("selenium")
    return missing


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    missing = lacking()
    if missing:
        text = f"not installed: {', '.join(missing)} (CONTRIBUTING, 'The page in a browser')"
        (pytest.fail if REQUIRED else pytest.skip)(text)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    made = webdriver.Chrome(options=options, service=service)
    yield made
    made.quit()


class Shown:
    """A page in the browser."""

    def __init__(self, driver, path, downloads):
        self.driver = driver
        self.path = path
        self.downloads = downloads

    def open(self, width=1280, scheme="light", media="screen"):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        emulated = {"media": media, "features": [feature]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)
        allowed = {"behavior": "allow", "downloadPath": str(self.downloads)}
        self.driver.execute_cdp_cmd("Browser.setDownloadBehavior", allowed)
        self.driver.get(self.path.as_uri())
        # Figures are drawn when their size is known.
        self.wait(
            "return document.querySelectorAll('.figure').length === 0 || "
            "document.querySelector('.plot svg') !== null"
        )
        return self

    def wait(self, script, *given):
        end = time.monotonic() + 20
        while not (found := self.run(script, *given)):
            assert time.monotonic() < end, script
            time.sleep(0.02)
        return found

    def run(self, script, *given):
        return self.driver.execute_script(script, *given)

    def texts(self, selector):
        """The texts of what is on screen."""
        return self.run(
            "return [...document.querySelectorAll(arguments[0])]"
            ".filter(node => node.getClientRects().length).map(node => node.textContent)",
            selector,
        )

    def click(self, selector, text=""):
        """Click the first that is on screen and has this text."""
        found = self.run(
            "const node = [...document.querySelectorAll(arguments[0])].find(node => "
            "node.getClientRects().length && node.textContent.trim().startsWith(arguments[1]));"
            "node?.scrollIntoView({block: 'center'}); return node",
            selector,
            text,
        )
        assert found is not None, f"no {selector} {text!r} on screen"
        found.click()

    def keys(self, selector, *keys):
        node = self.run("return document.querySelector(arguments[0])", selector)
        node.send_keys(*keys)

    def column(self, table, place):
        """The texts of a column of the rows on screen."""
        return self.texts(f"{table} tbody tr > :nth-child({place})")

    def download(self, name):
        """The rows of a file that was saved."""
        path, end = self.downloads / name, time.monotonic() + 20
        while not path.is_file():
            assert time.monotonic() < end, f"no {name} in {[*self.downloads.iterdir()]}"
            time.sleep(0.05)
        with path.open(newline="") as file:
            return list(csv.reader(file))

    def faults(self):
        """What the console says, and every address that was asked for beyond the page itself."""
        said = [entry["message"] for entry in self.driver.get_log("browser")]
        events = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        blocked = {
            event["params"]["requestId"]
            for event in events
            if event["method"] == "Network.loadingFailed" and "blockedReason" in event["params"]
        }
        asked = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
            # The browser's own pages are made of many files; what is blocked the console says.
            and not event["params"]["documentURL"].startswith(("chrome:", "chrome-untrusted:"))
            and event["params"]["requestId"] not in blocked
        ]
        own = (self.path.as_uri(), "data:", "blob:")
        return said + [address for address in asked if not address.startswith(own)]


@pytest.fixture
def show(driver, tmp_path):
    """(report) -> its page in the browser; at the end it must have asked for nothing."""
    shown = []
    for kind in ("browser", "performance"):
        driver.get_log(kind)

    def show(report, **how):
        path = tmp_path / "index.html"
        path.write_text(html_page(report))
        (tmp_path / "saved").mkdir(exist_ok=True)
        shown.append(Shown(driver, path, tmp_path / "saved"))
        return shown[-1].open(**how)

    yield show
    assert not [fault for page in shown for fault in page.faults()]


@pytest.fixture
def report(make_study, report_of):
    """Five objectives, of which the last are better; a run of the baseline is stuck."""
    names = ("mlm", "taco", "wwm", "span", "rtd")
    study = make_study(names, seeds=(1, 2, 3, 4), points=3, trials=2)
    study.measure_learning(stuck={"mlm": [2]})
    for name, turn in (("rtd", 0.5), ("span", 0.3)):
        for cell_id, record in list(study.records.items()):
            if record.kind == "evaluation" and record.objective == name:
                scores = {c: {m: v + turn for m, v in s.items()} for c, s in record.scores.items()}
                study.change(cell_id, scores=scores)
    study.change("wwm.seed-1", status="diverged", reason="loss is nan")
    return report_of(study)


@pytest.fixture
def violations():
    """(page) -> what axe-core finds in it: rule, how bad it is, and where."""
    if not Path(AXE).is_file():
        text = "AXE_CORE names no axe.min.js (CONTRIBUTING, 'The page in a browser')"
        (pytest.fail if REQUIRED else pytest.skip)(text)

    def find(page):
        page.run(Path(AXE).read_text("utf-8"))
        found = page.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {runOnly: arguments[0]}).then(found => done(found.violations))",
            list(RULES),
        )
        return [
            (broken["id"], broken["impact"], [node["html"][:200] for node in broken["nodes"][:3]])
            for broken in found
        ]

    return find


@pytest.fixture
def page_of(driver, tmp_path):
    """(path of a file) -> the page in it, to be opened."""
    return lambda path: Shown(driver, path, tmp_path)
