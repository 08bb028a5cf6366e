"""The HTML page as a file: one, whole, allowed to do little, and the same for the same records."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest

import objbench.leaderboard.html
from objbench.leaderboard.analysis import analyse
from objbench.leaderboard.document import Table
from objbench.leaderboard.html.curve_data import figure_data
from objbench.leaderboard.html.page import html_page
from objbench.leaderboard.html.whole_page import SCRIPTS, STYLES
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.sections import page_document
from objbench.results.run_folder import RunFolder
from objbench.results.study_results import join, read_study_results

FOLDER = Path(objbench.leaderboard.html.__file__).parent
PUBLISHED = Path(__file__).parents[4] / "leaderboard"
FOREIGN = {"script", "style", "link", "meta", "iframe", "object", "embed", "img", "image", "form"}


@pytest.fixture
def learnt(make_study):
    """A study of four seeds, one run of which is stuck."""
    study = make_study(seeds=(1, 2, 3, 4), points=3, trials=2, floors={"majority": 30})
    study.measure_learning(stuck={"mlm": [3]})
    return study


def test_what_is_read_first_comes_first(learnt, report_of, parsed):
    report = report_of(learnt)
    tree = parsed(html_page(report, "a <study>"))
    assert next(tree.all("h1")).text == "Leaderboard: a <study>"
    headline = next(tree.all("strong")).text
    assert headline.startswith("taco against mlm at equal FLOPs")
    assert [node.text for node in tree.all("h2")] == [
        "Verdicts on papers' claims",
        "Did the runs learn?",
        "Curves",
        "Speedup",
        "Ranking",
        "Gain on each task",
        "Costs",
        "Suites",
        "What the numbers show",
        "Settings",
    ]
    ids = [node.attributes["id"] for node in tree.all() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    for link in next(tree.all("nav")).all("a"):
        assert link.attributes["href"][1:] in ids
    cards = list(tree.all("article"))
    titles = [card.children[0].text for card in cards]
    assert titles == [item.title for item in report.listed_verdicts]


def test_every_table_of_the_first_minute_is_there_with_the_same_texts(learnt, report_of, parsed):
    report = report_of(learnt)
    tree = parsed(html_page(report))
    there = []
    for node in tree.all("table"):
        rows = [
            [cell.text for cell in row.children if "data-drawn" not in cell.attributes]
            for row in node.all("tr")
        ]
        there.append(rows)
    tables = [block for block in page_document(report) if isinstance(block, Table)]
    assert len(tables) >= 4
    for table in tables:
        lines = render_markdown([table]).strip().splitlines()
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        # Bold is markup there, and nothing here is escaped by a backslash.
        wanted = [[re.sub(r"\*\*|\\", "", cell) for cell in row] for row in cells]
        assert [wanted[0], *wanted[2:]] in there


def test_nothing_is_fetched_and_nothing_else_is_run(learnt, report_of, parsed):
    tree = parsed(html_page(report_of(learnt)))
    assert not [n for n in tree.all() if {"src", "srcset", "style"} & {*n.attributes}]
    hrefs = [node.attributes["href"] for node in tree.all() if "href" in node.attributes]
    assert all(re.match(r"#|https://|\./|data:,$", href) for href in hrefs)
    (style,) = tree.all("style")
    assert not re.search(r"url\(|@import", style.text)
    _data, script = tree.all("script")
    assert script.attributes == {}
    policy = next(tree.all("meta", http_equiv="Content-Security-Policy")).attributes["content"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for name, node in (("style-src", style), ("script-src", script)):
        digest = b64encode(sha256(node.text.encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"
    assert len(rules) == 6


def test_scripts_read_no_text_as_markup_or_code():
    assert {path.name for path in FOLDER.iterdir() if path.suffix in (".js", ".css")} == {
        *SCRIPTS,
        *STYLES,
    }
    for name in SCRIPTS:
        text = (FOLDER / name).read_text()
        assert len(text.splitlines()) <= 250
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert word not in text
        assert not re.search(r"new Function|fetch\(|XMLHttpRequest|import\(|</|<!--", text)


def test_headings_drawings_and_regions_have_names_and_an_order(learnt, report_of, parsed):
    tree = parsed(html_page(report_of(learnt)))
    levels = [int(n.tag[1]) for n in tree.all() if re.fullmatch(r"h\d", n.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for drawing in tree.all("svg"):
        assert drawing.attributes["role"] == "img"
        assert next(drawing.all("title")).text
    for node in tree.all("table"):
        assert next(node.all("caption")).text
    (html,) = tree.all("html")
    assert html.attributes == {"lang": "en"}


def test_same_records_same_bytes_in_any_order(learnt):
    pages = set()
    for order in (1, -1):
        records = list(learnt.records.values())[::order]
        pages.add(html_page(analyse(join(learnt.plan, records, learnt.lines))))
    assert len(pages) == 1


def test_what_strangers_wrote_is_text(hostile, parsed):
    run, taken = hostile
    assert {"summary", "reason", "device"} <= {name for _, name in taken}
    report = analyse(read_study_results(run), RunFolder(run).read_step_comparison())
    text = html_page(report, "<script>alert(1)</script>", "NOTES.md")
    assert all(line.isprintable() for line in text.replace("\t", " ").split("\n"))
    tree = parsed(text)
    assert not [
        name for node in tree.all() for name in node.attributes if name.lower().startswith("on")
    ]
    (body,) = tree.all("body")
    assert [n.tag for n in body.all() if n.tag in FOREIGN] == ["script", "script"]
    (found,) = body.all("script", id="figures")
    assert "<" not in found.text
    assert json.loads(found.text) == figure_data(report)
    # It was there to be shown, and is.
    assert "<img src=x onerror=y>" in body.text


def test_a_hundred_objectives(make_study, report_of, parsed):
    names = ("mlm", *(f"objective_{number:02d}" for number in range(1, 100)))
    report = report_of(make_study(names, seeds=(1, 2), points=2, finetune=(0,)))
    text = html_page(report)
    assert len(text) < 1_000_000
    tree = parsed(text)
    captions = {next(node.all("caption")).text: node for node in tree.all("table")}
    best, whole = (
        {node.text for node in captions[title].all("th", scope="row")}
        for title in ("Ranking by glue", "glue: all 100 objectives")
    )
    assert whole == {*names}
    assert len(best) == 10
    assert "The baseline and the best of 100; all are in the fold below." in text
    data = json.loads(next(tree.all("script", id="figures")).text)
    assert all(len(curve["own"]) == 100 for curve in data["curves"])
    assert all(sum(own["shown"] for own in curve["own"]) == 10 for curve in data["curves"])


def test_a_study_without_curves_or_claims(make_study, report_of, parsed):
    study = make_study(("mlm",), seeds=(1,), points=1)
    text = html_page(report_of(study))
    assert "no curve to draw" in text
    assert "there is no verdict" in text
    assert list(parsed(text).all("main"))


@pytest.mark.parametrize("name", ["demo-all", "toy-same"])
def test_published_studies(name, parsed):
    assert list(parsed(html_page(analyse(read_study_results(PUBLISHED / name)))).all("main"))


def test_what_was_measured_stands_before_what_was_not(parsed):
    report = analyse(read_study_results(PUBLISHED / "toy"))
    assert not any(item.is_tested for item in report.listed_verdicts if item.is_primary)
    text = html_page(report)
    cards = [card.text for card in parsed(text).all("article")]
    untested = ["not tested" in card for card in cards]
    assert untested == sorted(untested)
    assert set(untested) == {False, True}
    # The first card comes before the words on how to read it.
    assert text.index("<article") < text.index("How to read a verdict")
