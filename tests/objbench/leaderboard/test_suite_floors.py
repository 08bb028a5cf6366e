"""Floors beside the scores, tasks that are at them, and suites that carry no verdict."""

import pytest

import objbench
from objbench.leaderboard.document import Table
from objbench.leaderboard.findings import findings
from objbench.leaderboard.headline import headline
from objbench.leaderboard.held_back import no_verdict_sentence, suite_clauses
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.sections import page_document
from objbench.leaderboard.tables.columns import column_table, floor_note, gain_table
from objbench.leaderboard.tables.ranking import ranking_table

SEEDS = (1, 2, 3, 4, 5)
# Of an average of 49 at the first seed.
FAR = {"majority": 30, "bag-of-words": 35, "untrained": 20}
AT = {"majority": 30, "bag-of-words": -30, "untrained": 20}


@pytest.fixture
def report(make_study, report_of):
    def make(floors, stuck=None, objectives=("mlm", "taco"), **values):
        study = make_study(objectives, seeds=SEEDS, floors=floors, points=1, **values)
        study.measure_learning(stuck)
        return report_of(study)

    return make


def also_called_probe(study):
    """Give the study a second suite, probe, of the same scores and floors."""
    glue = study.plan.suites[0]
    cells = []
    for cell in study.plan.cells:
        if cell.suite == "glue":
            own = cell.model_copy(update={"id": f"probe.{cell.id}", "suite": "probe"})
            cells.append(own)
            record = study.records[cell.id]
            study.records[own.id] = record.model_copy(update={"id": own.id, "suite": "probe"})
    study.plan = study.plan.model_copy(
        update={
            "suites": (*study.plan.suites, glue.model_copy(update={"name": "probe"})),
            "cells": (*study.plan.cells, *cells),
        }
    )


def test_floors_are_rows_below_the_ranking(report, rows):
    found = report(FAR)
    (suite,) = found.suites
    shown = rows(ranking_table(found, suite, suite.rows))
    scores = {row["objective"]: row["score"] for row in shown}
    assert list(scores)[2:] == ["floor: majority", "floor: bag of words", "floor: untrained (mlm)"]
    assert scores["floor: majority"] == "19.00"
    assert scores["floor: bag of words"] == "14.00"
    # Over the five seeds, each a point more: 29 to 33.
    assert scores["floor: untrained (mlm)"] == "31.00 [29.04, 32.96]"
    assert {row["#"] for row in shown[2:]} == {"-"}


def test_floors_stand_beside_every_column(report, rows):
    found = report(FAR)
    cola, *_, average = rows(column_table(found, found.suites[0]))
    assert cola["floor: majority"] == "-10.00"
    assert average["floor: majority"] == "19.00"
    assert average["column"] == "**average**"
    assert floor_note(found.suites[0]) == ""
    assert found.suites[0].floors.at_floor == frozenset()


def test_a_task_at_its_floor_is_marked_and_not_bold(report, rows):
    found = report(AT)
    (suite,) = found.suites
    assert suite.floors.at_floor == {"cola", "mrpc", "mnli_m", "mnli_mm", "average"}
    *_, average = rows(column_table(found, suite))
    assert average["column"] == "average †"
    first, *_, last = rows(gain_table(found, suite, suite.gains[0]))
    assert (first["column"], last["column"]) == ("cola †", "average †")
    text = render_markdown(page_document(found))
    assert text.count("† at its floor: no objective's runs that learnt are above") == 1


def test_one_objective_above_is_enough(make_study, report_of):
    study = make_study(seeds=SEEDS, points=1, floors={"untrained": -2})
    study.measure_learning()
    # taco gains on mlm with the seed, and so on the untrained encoder of the seed.
    (suite,) = report_of(study).suites
    assert suite.floors.at_floor == frozenset()
    assert "taco" in suite.floors.held_back


def test_too_few_runs_are_at_no_floor(make_study, report_of):
    study = make_study(seeds=(1, 2), points=1, floors=AT)
    study.measure_learning()
    assert report_of(study).suites[0].floors.at_floor == frozenset()


def test_a_score_at_its_floor_concludes_nothing(report):
    found = report(AT)
    said = headline(found).partition("5 seeds: ")[2]
    settled, _, rest = said.partition(
        "; glue is at its floor, so nothing can be concluded from it; "
    )
    assert settled.startswith("taco reaches ") and rest.startswith("nothing here says ")
    assert "better" not in said and "worse" not in said
    (suite,) = found.suites
    said = no_verdict_sentence(suite)
    assert said.startswith("glue carries no verdict: it is at its floor at this scale (mlm 51.00,")
    assert said in findings(found)
    assert any(
        text.startswith("No verdict on glue, where taco's gain on mlm is ")
        for text in findings(found)
    )
    assert not any("ignificant" in text and "glue" in text for text in findings(found))
    ranking = render_markdown(page_document(found)).partition("## Ranking")[2]
    assert said in ranking.partition("## Details")[0]


def test_runs_that_did_not_learn_come_first(report):
    found = report(AT, {"mlm": (2, 3, 4, 5)})
    assert headline(found).endswith(
        "5 seeds: nothing can be concluded about taco, because mlm learnt in 1 of 5 runs (taco in 5 of 5); glue is at "
        "its floor."
    )


def test_a_score_above_its_floors_carries_its_verdict(report):
    found = report(FAR)
    assert suite_clauses(found) == []
    assert no_verdict_sentence(found.suites[0]) == ""
    assert ": on the suite glue, taco is significantly better than mlm" in headline(found)


def test_without_floors_it_is_said_that_they_are_not_known(report):
    found = report(None)
    assert found.suites[0].floors.rows == ()
    assert headline(found).endswith(
        "5 seeds: nothing may be concluded, because it is not known what glue would give without "
        "pretraining."
    )


@pytest.mark.parametrize("suite", ["glue", "probe"])
def test_of_a_suite_without_floors_beside_others_nothing_is_concluded(make_study, report_of, suite):
    study = make_study(seeds=SEEDS, points=1, floors=FAR)
    study.measure_learning(of="own")
    also_called_probe(study)
    both = report_of(study)
    assert (
        headline(both)
        .partition("5 seeds: ")[2]
        .startswith("on the suites glue and probe, taco is significantly better than mlm")
    )
    for cell in study.plan.cells:
        if cell.floor and cell.suite == suite:
            del study.records[cell.id]
    other = "probe" if suite == "glue" else "glue"
    found = report_of(study)
    assert headline(found).partition("5 seeds: ")[2] == (
        f"on the suite {other}, taco is significantly better than mlm; it is not known what {suite} "
        "would give without pretraining, so nothing can be concluded from it; nothing here says what "
        "happens at another scale."
    )


def test_a_floor_that_has_not_run_is_named(make_study, report_of):
    study = make_study(seeds=SEEDS, points=1, floors=FAR)
    study.measure_learning()
    for cell in study.plan.cells:
        if cell.floor == "majority":
            del study.records[cell.id]
    found = report_of(study)
    assert no_verdict_sentence(found.suites[0]) == (
        "glue carries no verdict: it has floors that were not all measured."
    )
    assert "glue lacks a floor that was not measured" in headline(found)


def test_the_untrained_encoder_of_own_weights_has_a_row_of_its_own(report):
    found = report(FAR, own_weights=("taco",))
    names = [row.name for row in found.suites[0].floors.rows]
    assert names == ["majority", "bag of words", "untrained (mlm)", "untrained (taco)"]


def test_of_many_objectives_the_floors_are_few_rows(report):
    names = ("mlm", *(f"o{number:02d}" for number in range(24)))
    found = report(FAR, objectives=names, own_weights=names[1:], finetune=(0,))
    (suite,) = found.suites
    assert len(suite.floors.rows) == 2 + 10
    page = page_document(found)
    tables = [block for block in page if isinstance(block, Table)]
    assert max(len(table.columns) for table in tables) < 10


def test_the_data_frame_has_every_floor(make_study, tmp_path):
    study = make_study(points=1, floors=FAR)
    made = objbench.read_results(study.write(tmp_path)).floors()
    frame = made.to_frame()
    assert list(frame) == list(made.columns)
    cola = frame.query("column == 'cola'")
    assert dict(zip(cola["floor"], cola["value"], strict=False)) == pytest.approx(
        {"majority": -10.0, "bag-of-words": -15.0, "untrained": 1.0}
    )
    assert set(frame["status"]) == {"ok"}
