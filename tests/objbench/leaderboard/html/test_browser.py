"""The page in Chromium: it sorts, switches and filters, asks for nothing, and everybody can use it.

Without Chromium, its driver and selenium these are skipped; ``make test-browser`` requires them.
"""

import base64
import csv
import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from objbench.leaderboard.across.page import compare_studies, write_across_html
from objbench.leaderboard.analysis import analyse
from objbench.leaderboard.html.page import html_page
from objbench.leaderboard.index import write_index
from objbench.results.run_folder import RunFolder
from objbench.results.study_results import read_study_results

pytestmark = pytest.mark.browser

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
BREAKS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")


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
            and not event["params"]["documentURL"].startswith("chrome:")
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


RANKING = "#ranking .table"


def test_a_column_sorts_up_down_and_back(show, report):
    page = show(report)
    before = page.column(RANKING, 2)
    assert before[-1] == "wwm"
    head = f"{RANKING} thead th:nth-child(3)"
    state = f"return document.querySelector('{head}').getAttribute('aria-sort')"
    numbers = [float(text.split()[0]) for text in page.column(RANKING, 3) if text != "-"]
    orders = []
    for _ in range(3):
        # By keyboard: the heading is a button.
        page.keys(f"{head} button", "\ue007")
        texts = page.column(RANKING, 3)
        found = [float(text.split()[0]) for text in texts if text != "-"]
        # What is missing is last in either order.
        assert texts[-1] == "-"
        orders.append((page.run(state), found))
    assert orders == [
        ("ascending", sorted(numbers)),
        ("descending", sorted(numbers, reverse=True)),
        ("none", numbers),
    ]
    assert page.column(RANKING, 2) == before
    page.click(f"{RANKING} thead button", "objective")
    assert page.column(RANKING, 2) == sorted(before)
    sorted_by = "return document.querySelectorAll('#ranking [aria-sort=ascending]').length"
    assert page.run(sorted_by) == 1


def test_the_top_group_alone_and_a_download_of_what_is_on_screen(show, report):
    page = show(report)
    groups = dict(zip(page.column(RANKING, 2), page.texts(f"{RANKING} td.bands"), strict=True))
    first = next(iter(groups))
    top = [name for name, letters in groups.items() if set(letters) & set(groups[first])]
    assert 0 < len(top) < 4
    page.click(f"{RANKING} label", "Top group only")
    assert page.column(RANKING, 2) == top
    page.click(f"{RANKING} thead button", "objective")
    page.click(f"{RANKING} button", "CSV")
    rows = page.download("made-up-ranking-by-glue.csv")
    assert [row[1] for row in rows] == ["objective", *sorted(top)]
    # Without the column that is drawn, and with the texts as they are read.
    assert rows[0] == page.texts(f"{RANKING} thead th:not([data-drawn])")
    assert rows[1][2:5] == [page.column(RANKING, place)[0] for place in (3, 4, 5)]
    page.click(f"{RANKING} label", "Top group only")
    assert len(page.column(RANKING, 2)) == 5


FIGURE = "#curves [data-choice]:not([hidden]) .figure"


def test_the_curves_switch_axis_scale_and_objectives(show, report):
    page = show(report)
    words = f"{FIGURE} .words text"
    assert page.texts(words)[1].startswith("optimizer steps")
    page.click(f"{FIGURE} label", "device seconds")
    assert page.texts(words)[1].startswith("device time")
    # One axis for all figures of the page.
    assert page.texts("#speedup [data-choice]:not([hidden]) .words text")[0].startswith(
        "speedup in device seconds"
    )
    is_log = "log scale" in page.texts(words)[1]
    page.click(f"{FIGURE} label", "log scale")
    assert ("log scale" in page.texts(words)[1]) != is_log
    lines = f"return document.querySelectorAll('{FIGURE} .series').length"
    every = page.run(lines)
    assert every == 5
    page.click(f"{FIGURE} .list label", "span")
    assert page.run(lines) == every - 1
    page.click(f"{FIGURE} button", "None")
    assert page.run(lines) == 0
    page.click(f"{FIGURE} button", "All")
    assert page.run(lines) == every


def test_a_loss_has_its_lines_and_its_stuck_runs_dashed(show, report):
    page = show(report)
    words = "common held-out loss"
    choice = "select = document.querySelector('#curves select')"
    page.run(
        f"const {choice}; select.value = [...select.options].findIndex("
        "option => option.textContent === arguments[0]);"
        "select.dispatchEvent(new Event('change'))",
        words,
    )
    page.wait(f"return document.querySelector('{FIGURE} .seed') !== null")
    assert page.texts(f"{FIGURE} .words text")[0] == f"{words} (lower is better)"
    assert any(text.startswith("bigram 4.50") for text in page.texts(f"{FIGURE} .reference"))
    dashes = page.run(
        f"return [...document.querySelectorAll('{FIGURE} .stuck')]"
        ".map(node => getComputedStyle(node).strokeDasharray)"
    )
    assert dashes == ["3px, 3px"]


def test_the_numbers_behind_a_figure_are_those_on_screen(show, report):
    page = show(report)
    page.click(f"{FIGURE} button", "None")
    page.click(f"{FIGURE} .list label", "taco")
    page.click(f"{FIGURE} summary")
    page.wait(f"return document.querySelector('{FIGURE} table') !== null")
    assert page.column(FIGURE, 1) == ["taco"] * 3
    curve = report.curves[0].curves["taco"]
    means = [f"{scores.mean():.2f}" for scores in curve.scores]
    assert page.column(FIGURE, 4) == means
    page.click(f"{FIGURE} .table button", "CSV")
    rows = page.download("made-up-glue-score-along-the-budget.csv")
    assert [row[3] for row in rows] == ["mean", *means]
    page.click(f"{FIGURE} .list label", "rtd")
    assert page.column(FIGURE, 1) == ["taco"] * 3 + ["rtd"] * 3


def test_points_are_read_by_pointer_and_by_keyboard(show, report):
    page = show(report)
    page.keys(f"{FIGURE} .plot", "\ue014")
    assert page.texts(f"{FIGURE} .tip strong") == ["mlm, mean of 3 seeds"]
    page.keys(f"{FIGURE} .plot", "\ue015")
    (heard,) = page.run("return [document.getElementById('said').textContent]")
    assert heard.startswith("taco, mean of 4 seeds, ")
    assert page.run(f"return document.querySelectorAll('{FIGURE} .series.dim').length") == 4
    page.keys(f"{FIGURE} .plot", "\ue00c")
    assert page.texts(f"{FIGURE} .tip strong") == []
    x, y = page.run(
        f"const area = document.querySelector('{FIGURE} .series circle').getBoundingClientRect();"
        "return [area.x + area.width / 2, area.y + area.height / 2]"
    )
    page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
    page.wait(f"return !document.querySelector('{FIGURE} .tip').hidden")


def test_one_objective_of_the_forest_is_shown(show, report):
    page = show(report)
    assert page.texts("#gain-on-each-task h4") == []
    captions = "#gain-on-each-task caption"
    first = page.texts(captions)
    assert len(first) == 1
    page.run(
        "const select = document.querySelector('#gain-on-each-task select'); select.value = 1;"
        "select.dispatchEvent(new Event('change'))"
    )
    assert len(page.texts(captions)) == 1
    assert page.texts(captions) != first


def test_bands_stand_side_by_side(show, report):
    page = show(report, width=700)
    tops = page.run(
        f"return [...document.querySelectorAll('{RANKING} td.bands')].map(cell => "
        "new Set([...cell.children].map(band => band.getBoundingClientRect().top)).size)"
    )
    assert len(tops) == 5
    assert set(tops) == {1}


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(show, report, width):
    page = show(report, width=width)
    page.run("document.querySelectorAll('details').forEach(node => (node.open = true))")
    assert page.run("return document.documentElement.scrollWidth") <= width


def test_light_dark_and_paper(show, report):
    colour = "return getComputedStyle(document.body).backgroundColor"
    found = {page: show(report, scheme=page).run(colour) for page in ("light", "dark")}
    assert found == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}
    page = show(report, scheme="dark", media="print")
    assert page.run(colour) == found["light"]
    assert page.texts("nav a, .tools button, .controls label") == []
    assert page.texts("#ranking th[scope=row]")
    paper = base64.b64decode(page.driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert paper.startswith(b"%PDF") and len(paper) > 20_000


def test_what_strangers_wrote_does_nothing(show, hostile):
    run, _ = hostile
    report = analyse(read_study_results(run), RunFolder(run).read_step_comparison())
    page = show(report)
    page.run("document.querySelectorAll('details').forEach(node => (node.open = true))")
    time.sleep(0.3)
    foreign = "script:not([id=figures]):not(body > script:last-child), img, iframe, [onerror]"
    assert page.run("return document.querySelectorAll(arguments[0]).length", foreign) == 0
    assert "<img src=x onerror=y>" in page.run("return document.body.textContent")


def test_a_name_that_is_markup_is_text_in_figures_too(show, report):
    name = "<img src=x onerror=alert(1)>"
    objectives = tuple(
        item.model_copy(update={"name": name}) if item.name == "taco" else item
        for item in report.plan.objectives
    )
    plan = report.plan.model_copy(update={"objectives": objectives})
    renamed = {
        f: {name if key == "taco" else key: value for key, value in getattr(curve, f).items()}
        for curve in report.curves[:1]
        for f in ("curves", "counted", "speedups")
    }
    drawn = tuple(name if own == "taco" else own for own in report.curves[0].drawn)
    curve = replace(report.curves[0], **renamed, drawn=drawn)
    learning = {name if key == "taco" else key: own for key, own in report.learning.items()}
    bare = replace(
        report,
        plan=plan,
        curves=(curve,),
        suites=(),
        verdicts=(),
        heldout={},
        learning=learning,
    )
    page = show(bare)
    assert name in page.texts("#curves .figure .list label")
    page.click("#curves .figure summary")
    assert name in page.texts("#curves .figure table th")
    assert page.run("return document.querySelectorAll('img').length") == 0


def test_what_would_slip_in_is_neither_run_nor_fetched(driver, report, tmp_path):
    path = tmp_path / "index.html"
    foreign = (
        "<script>window.ran = 1</script><img src=http://127.0.0.1:9/a.png onerror='window.ran = 2'>"
        "<a id=x href='javascript:void(window.ran = 3)'>x</a>"
    )
    path.write_text(html_page(report).replace("<main", f"{foreign}<main"))
    page = Shown(driver, path, tmp_path).open()
    page.click("#x")
    time.sleep(0.2)
    assert page.run("return window.ran ?? 0") == 0
    faults = page.faults()
    # Blocked before anything was sent, and said so: what the other tests look for can be seen.
    assert any("Content Security Policy" in fault for fault in faults)
    assert not any(fault.startswith("http") for fault in faults)
    path.write_text("<!DOCTYPE html><img src=http://127.0.0.1:9/a.png><title>x</title>")
    faults = Shown(driver, path, tmp_path).open().faults()
    assert "http://127.0.0.1:9/a.png" in faults


def test_a_hundred_objectives(show, make_study, report_of):
    names = ("mlm", *(f"objective_{number:02d}" for number in range(1, 100)))
    page = show(report_of(make_study(names, seeds=(1, 2), points=2, finetune=(0,))))
    assert len(page.column(RANKING, 2)) == 100
    page.keys(f"{RANKING} input[type=search]", "objective_07")
    assert page.column(RANKING, 2) == ["objective_07"]
    lines = f"return document.querySelectorAll('{FIGURE} .series').length"
    assert page.run(lines) == 10
    page.click(f"{FIGURE} button", "All")
    assert page.run(lines) == 100
    page.click(f"{FIGURE} button", "The best")
    assert page.run(lines) == 10
    assert page.run("return document.documentElement.scrollWidth") <= 1280


def test_pages_over_many_studies(driver, make_study, tmp_path):
    folders = []
    for name, seeds in (("small", (1, 2, 3)), ("large", (4, 5, 6))):
        study = make_study(seeds=seeds, points=2)
        study.plan = study.plan.model_copy(update={"name": name})
        folders.append(study.write(tmp_path / "runs" / name))
    pages = [
        write_index(tmp_path / "runs", is_html=True),
        write_across_html(tmp_path / "across", compare_studies(folders)),
    ]
    for path in pages:
        page = Shown(driver, path, tmp_path)
        page.faults()
        for width in (390, 1280):
            page.open(width=width)
            assert page.run("return document.documentElement.scrollWidth") <= width
            assert page.texts("h1")
        sizes = page.run("return [...document.images].map(image => image.naturalWidth)")
        assert all(sizes) and len(sizes) == (path is pages[1])
        assert page.faults() == []
        if Path(AXE).is_file():
            assert violations(page) == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_axe_finds_nothing(show, report, width, scheme):
    if not Path(AXE).is_file():
        text = "AXE_CORE names no axe.min.js (CONTRIBUTING, 'The page in a browser')"
        (pytest.fail if REQUIRED else pytest.skip)(text)
    page = show(report, width=width, scheme=scheme)
    page.run("document.querySelectorAll('details').forEach(node => (node.open = true))")
    assert violations(page) == []


def violations(page):
    """What axe-core finds: rule, how bad it is, and where."""
    page.run(Path(AXE).read_text("utf-8"))
    found = page.driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document, {runOnly: arguments[0]}).then(found => done(found.violations))",
        list(BREAKS),
    )
    return [
        (broken["id"], broken["impact"], [node["html"][:200] for node in broken["nodes"][:3]])
        for broken in found
    ]
