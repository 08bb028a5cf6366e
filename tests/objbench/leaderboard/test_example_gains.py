"""The page's gains over seeds and examples: the same as the judge's, and nothing without examples."""

import numpy as np
import pytest
from made_examples import give_examples

from objbench.judge.evidence import gain_evidence
from objbench.judge.example_evidence import gain_examples
from objbench.judge.score_arrays import final_scores
from objbench.judge.score_source import Pair
from objbench.judge.statistics.crossed import with_examples
from objbench.judge.statistics.estimate import t_interval
from objbench.leaderboard.analysis import analyse
from objbench.leaderboard.example_gains import example_gains
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.sections import page_document

SEEDS = (1, 2, 3, 4)
TITLE = "glue: gains over seeds and examples"


def crossed(results, values, column=""):
    """(mean, low, high) of (S,) gains."""
    mean, half = t_interval(values)
    error = gain_examples(results, Pair("taco", "mlm"), "glue", SEEDS, column)
    return (float(mean), *with_examples(mean - half, mean + half, error))


def numbers(quantity):
    return quantity.estimate.value, quantity.low.value, quantity.high.value


def test_every_column_and_the_average(make_study):
    study = make_study(seeds=SEEDS)
    give_examples(study)
    results = study.results()
    found = final_scores(results, results.suites[0])
    (gains,) = example_gains(results, found, {"taco"})
    assert list(gains.columns) == ["cola", "mrpc", "mnli_m", "mnli_mm"]
    for number, (column, quantity) in enumerate(gains.columns.items()):
        own = found.columns[1, :, number] - found.columns[0, :, number]
        assert numbers(quantity) == pytest.approx(crossed(results, own, column))
    average = gain_evidence(results, Pair("taco", "mlm"), "glue").differences
    assert numbers(gains.average) == pytest.approx(crossed(results, average))
    low, high = (t_interval(average)[0] + sign * t_interval(average)[1] for sign in (-1, 1))
    assert gains.average.low.value < low < high < gains.average.high.value


def test_columns_whose_examples_are_stored_are_shown_without_the_average(make_study):
    study = make_study(seeds=SEEDS)
    give_examples(study)
    for cell in study.plan.cells:
        if cell.kind == "evaluation" and cell.task == "mnli":
            study.change(cell.id, examples={})
    results = study.results()
    (gains,) = example_gains(results, final_scores(results, results.suites[0]), {"taco"})
    assert list(gains.columns) == ["cola", "mrpc"] and gains.average is None
    page = render_markdown(page_document(analyse(results)))
    table = page.partition(TITLE)[2].partition("</details>")[0]
    assert "| cola " in table and "average" not in table


def test_the_page_shows_them_only_where_there_are_examples_and_seeds_enough(make_study):
    for seeds, has_examples in ((SEEDS, True), (SEEDS, False), (SEEDS[:2], True)):
        study = make_study(seeds=seeds)
        if has_examples:
            give_examples(study)
        page = render_markdown(page_document(analyse(study.results())))
        assert (TITLE in page) == (has_examples and len(seeds) > 2)
        if TITLE in page:
            (gains,) = analyse(study.results()).suites[0].example_gains
            assert gains.average.text in page.partition(TITLE)[2].partition("</details>")[0]
            assert np.isfinite(numbers(gains.average)).all()
