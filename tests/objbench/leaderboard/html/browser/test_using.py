"""The page in Chromium sorts, filters, switches, and lets its numbers be taken away."""

import pytest

pytestmark = pytest.mark.browser

RANKING = "#ranking .table"
FIGURE = "#curves [data-choice]:not([hidden]) .figure"


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


def test_a_hundred_objectives(show, make_study, report_of):
    names = ("mlm", *(f"objective_{number:02d}" for number in range(1, 100)))
    page = show(report_of(make_study(names, seeds=(1, 2), points=2, finetune=(0,))))
    best = "#ranking section > .table"
    assert len(page.column(best, 2)) == 10
    whole = "#ranking details .table"
    page.run("document.querySelector('#ranking details').open = true")
    assert len(page.column(whole, 2)) == 100
    page.keys(f"{whole} input[type=search]", "objective_07")
    assert page.column(whole, 2) == ["objective_07"]
    lines = f"return document.querySelectorAll('{FIGURE} .series').length"
    assert page.run(lines) == 10
    page.click(f"{FIGURE} button", "All")
    assert page.run(lines) == 100
    page.click(f"{FIGURE} button", "The best")
    assert page.run(lines) == 10
    assert page.run("return document.documentElement.scrollWidth") <= 1280
