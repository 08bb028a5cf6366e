"""The page in Chromium fits, asks for nothing, runs nothing of others, and everybody can use it."""

import base64
import time
from dataclasses import replace

import pytest

from objbench.leaderboard.across.page import compare_studies, write_across_html
from objbench.leaderboard.analysis import analyse
from objbench.leaderboard.html.page import html_page
from objbench.leaderboard.index import write_index
from objbench.results.run_folder import RunFolder
from objbench.results.study_results import read_study_results
from objbench.results.submissions.marks import Received, SentIn

pytestmark = pytest.mark.browser


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


def test_how_a_study_was_checked_is_no_larger_than_the_text_below_it(show, report):
    received = Received(
        submission="ab" * 32, records="0", received="2026-11-29", objbench="1", cells=3, keys=3
    )
    page = show(replace(report, sent_in=SentIn(received)))
    page.run("document.querySelectorAll('details').forEach(node => (node.open = true))")
    sizes = page.run(
        "return [...document.querySelectorAll('header details p, section > p')]"
        ".map(node => getComputedStyle(node).fontSize)"
    )
    assert len(sizes) > 3
    assert len(set(sizes)) == 1


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
    page.wait("return document.querySelector('#curves .figure table') !== null")
    assert name in page.texts("#curves .figure table th")
    assert page.run("return document.querySelectorAll('img').length") == 0


def test_what_would_slip_in_is_neither_run_nor_fetched(page_of, report, tmp_path):
    path = tmp_path / "index.html"
    foreign = (
        "<script>window.ran = 1</script><img src=http://127.0.0.1:9/a.png onerror='window.ran = 2'>"
        "<a id=x href='javascript:void(window.ran = 3)'>x</a>"
    )
    path.write_text(html_page(report).replace("<main", f"{foreign}<main"))
    page = page_of(path).open()
    page.click("#x")
    time.sleep(0.2)
    assert page.run("return window.ran ?? 0") == 0
    faults = page.faults()
    # Blocked before anything was sent, and said so: what the other tests look for can be seen.
    assert any("Content Security Policy" in fault for fault in faults)
    assert not any(fault.startswith("http") for fault in faults)
    path.write_text("<!DOCTYPE html><img src=http://127.0.0.1:9/a.png><title>x</title>")
    faults = page_of(path).open().faults()
    assert "http://127.0.0.1:9/a.png" in faults


def test_pages_over_many_studies(page_of, make_study, tmp_path, violations):
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
        page = page_of(path)
        page.faults()
        for width in (390, 1280):
            page.open(width=width)
            assert page.run("return document.documentElement.scrollWidth") <= width
            assert page.texts("h1")
        sizes = page.run("return [...document.images].map(image => image.naturalWidth)")
        assert all(sizes) and len(sizes) == (path is pages[1])
        assert page.faults() == []
        assert violations(page) == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_axe_finds_nothing(show, report, violations, width, scheme):
    page = show(report, width=width, scheme=scheme)
    page.run("document.querySelectorAll('details').forEach(node => (node.open = true))")
    assert violations(page) == []
