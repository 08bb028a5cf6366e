"""Suites without a score for somebody, or without an average: dashes, reasons, and who is ranked."""

import pytest

from objbench.judge.score_arrays import column_curves, final_scores
from objbench.judge.score_source import Pair, score_sources
from objbench.leaderboard.index import write_index
from objbench.leaderboard.page import write_leaderboard
from objbench.leaderboard.ranking import ranking
from objbench.leaderboard.tables.columns import budget_table
from objbench.leaderboard.terminal import terminal_summary
from objbench.leaderboard.unscored import unscored, unscored_sentence
from objbench.results.study_results import join

WHY = "no token head: its objective predicts no words by the encoder"


@pytest.fixture
def without_head(make_study):
    """taco can be scored on nothing; all of its evaluations are there."""
    study = make_study(points=1)
    for cell in study.plan.cells:
        if cell.kind == "evaluation" and cell.objective == "taco":
            columns = {"mnli": ("mnli_m", "mnli_mm")}.get(cell.task, (cell.task,))
            study.change(cell.id, scores={}, unscored=dict.fromkeys(columns, WHY))
    return study


@pytest.fixture
def without_average(make_study):
    """A suite by which nobody is ranked, at three points, followed by nothing."""
    study = make_study(points=3)
    suite = study.plan.suites[0].model_copy(update={"average_groups": (), "average_label": ""})
    cells = tuple(cell for cell in study.plan.cells if cell.kind != "curve")
    study.plan = study.plan.model_copy(update={"suites": (suite,), "cells": cells})
    study.records = {cell.id: study.records[cell.id] for cell in cells}
    return study


def standing_of(study):
    return join(study.plan, study.records.values())


def test_who_cannot_be_scored_is_not_ranked_and_the_reason_is_named(without_head):
    results = standing_of(without_head)
    suite = results.suites[0]
    rows = {row.objective: row for row in ranking(results, final_scores(results, suite))}
    assert (rows["mlm"].rank, rows["mlm"].why) == (1, "")
    assert (rows["taco"].rank, rows["taco"].why) == (None, WHY)
    assert unscored(results, suite, "taco") == dict.fromkeys(
        ("cola", "mrpc", "mnli_m", "mnli_mm"), WHY
    )
    assert unscored(results, suite, "mlm") == {}
    assert unscored_sentence(results, suite) == f"Cannot be scored: taco ({WHY})."


def test_it_is_no_gap_and_the_page_shows_dashes(without_head, tmp_path):
    page = write_leaderboard(without_head.write(tmp_path / "run"), tmp_path / "out").read_text()
    assert "Every planned cell was run." in page and "Incomplete" not in page
    assert f"Not ranked: taco ({WHY})." in page
    assert f"Cannot be scored: taco ({WHY})." in page
    cola = next(line for line in page.splitlines() if line.startswith("| cola"))
    assert [cell.strip() for cell in cola.split("|")][3:5] == ["20.50", "-"]


def test_a_column_that_is_not_in_the_average_keeps_nobody_out(make_study):
    study = make_study(points=1)
    suite = study.plan.suites[0].model_copy(update={"average_groups": (("cola",),)})
    study.plan = study.plan.model_copy(update={"suites": (suite, *study.plan.suites[1:])})
    for cell in study.plan.cells:
        if cell.kind == "evaluation" and (cell.objective, cell.task) == ("taco", "mnli"):
            scores = {"mnli_m": study.records[cell.id].scores["mnli_m"]}
            study.change(cell.id, scores=scores, unscored={"mnli_mm": "why | not"})
    results = standing_of(study)
    rows = ranking(results, final_scores(results, results.suites[0]))
    assert all(row.rank is not None for row in rows)
    sentence = unscored_sentence(results, results.suites[0])
    assert sentence == "Cannot be scored: taco on mnli_mm (why | not)."


def test_a_missing_evaluation_is_told_before_a_reason(without_head):
    lost = next(c.id for c in without_head.plan.cells if c.id.startswith("glue.cola.taco"))
    del without_head.records[lost]
    results = standing_of(without_head)
    rows = {r.objective: r for r in ranking(results, final_scores(results, results.suites[0]))}
    assert rows["taco"].why == "1 evaluation of 12 not there"


def test_nobody_is_ranked_where_nothing_is_better(without_average, report_of, tmp_path):
    run = without_average.write(tmp_path / "run")
    page = write_leaderboard(run, tmp_path / "out").read_text()
    assert "glue: protocol and columns" in page and "## Ranking" not in page
    assert "It has no average: its numbers are neither better nor worse." in page
    assert "Not ranked" not in page and "No gain on glue" not in page
    results = standing_of(without_average)
    assert "gain over" not in terminal_summary(report_of(without_average))
    assert "glue" not in score_sources(results, Pair("taco", "mlm"))


def test_the_index_says_nothing_of_a_ranking_that_there_is_not(without_average, tmp_path):
    folder = tmp_path / "leaderboard"
    without_average.write(folder / "made-up")
    text = write_index(folder).read_text()
    row = next(line for line in text.splitlines() if line.startswith("| made-up"))
    assert "glue" not in row


def test_columns_over_the_budget_by_hand(without_average, report_of, rows):
    results = standing_of(without_average)
    suite = results.suites[0]
    curves = column_curves(results, suite)
    assert curves.shares == pytest.approx((1 / 3, 2 / 3, 1.0))
    # Points, objectives, seeds, columns; of the fine-tuning seeds the first alone is everywhere.
    assert curves.values.shape == (3, 2, 2, 4)
    assert curves.values[2, 1, 0, 0] == pytest.approx(21.0)
    assert curves.values[0, 0, 1, 0] == pytest.approx(20 + 1 - 1 - 20 * 2 / 3)
    report = report_of(without_average)
    lines = rows(budget_table(report, report.suites[0], report.suites[0].along_budget))
    assert len(lines) == 3 * 2
    assert list(lines[0].values())[:3] == ["33.3%", "mlm", "6.17"]
    assert list(lines[-1].values())[:3] == ["100%", "taco", "22.00"]


def test_what_is_missing_over_the_budget_is_a_dash_or_counted(without_average, report_of, rows):
    for cell in without_average.plan.cells:
        if cell.task == "cola" and cell.share < 0.5 and cell.objective == "taco":
            del without_average.records[cell.id]
        if cell.task == "mrpc" and cell.share < 0.5 and (cell.objective, cell.seed) == ("mlm", 1):
            del without_average.records[cell.id]
    report = report_of(without_average)
    mlm, taco, *_ = rows(budget_table(report, report.suites[0], report.suites[0].along_budget))
    assert taco["cola"] == "-"
    assert mlm["mrpc"].endswith(" (1 of 2 seeds)")


def test_no_table_over_the_budget_where_curves_are_drawn_or_there_is_one_point(
    make_study, report_of
):
    for points in (1, 3):
        assert report_of(make_study(points=points)).suites[0].along_budget is None
