"""Columns, their noise and gains, and the gains in one number, against values by hand.

With four seeds mlm scores 49, 50, 51, 52 and taco 2, 3, 4, 5 more, on every column alike; the two
fine-tuning seeds are 1 point below and above their mean.
"""

import dataclasses

import numpy as np
import pytest

from objbench.judge.statistics.aggregates import pooled_interquartile_mean
from objbench.leaderboard.columns import average_groups
from objbench.leaderboard.tables.columns import column_table, gain_table
from objbench.leaderboard.tables.ranking import seeds_table

SEEDS = (1, 2, 3, 4)


@pytest.fixture
def columns(report_of, rows):
    """(study) -> the rows of its column table."""

    def make(study):
        report = report_of(study)
        return rows(column_table(report, report.suites[0]))

    return make


@pytest.fixture
def gains(report_of, rows):
    """(study) -> the rows of taco's table of gains."""

    def make(study):
        report = report_of(study)
        (found,) = report.suites[0].gains
        assert found.objective == "taco"
        return rows(gain_table(report, report.suites[0], found))

    return make


def test_noise_by_hand(make_study, columns):
    cola, *_, average = columns(make_study(seeds=SEEDS))
    assert cola["column"] == "cola"
    # Squares around the means: 5 for mlm's 0, 1, 2, 3 and 20 for taco's 0, 2, 4, 6, over 6
    # degrees of freedom; +1 and -1 in each of 8 runs, over 8; floor t(6) * sqrt(25 / 6 * 2 / 4).
    assert cola["sd of fine-tuning"] == f"{np.sqrt(2.0):.2f}"
    assert cola["sd of pretraining"] == f"{np.sqrt(25 / 6 - 2 / 2):.2f}"
    assert cola["noise floor"] == f"{2.446912 * np.sqrt(25 / 6 / 2):.2f}"
    assert average["noise floor"] == cola["noise floor"]


def test_noise_with_few_seeds_says_less(make_study, columns):
    head = columns(make_study(seeds=(1, 2), finetune=(0,)))[0]
    assert "sd of seeds" in head
    assert "noise floor" not in head
    assert not [name for name in columns(make_study(seeds=(1,)))[0] if "sd" in name]


def test_gains_of_the_columns_by_hand(make_study, gains):
    cola, mrpc, mnli_m, mnli_mm, average = gains(make_study(seeds=SEEDS))
    # p = 0.0123 of each of four columns, times 4 by Holm.
    assert (cola["gain"], cola["p (Holm)"], cola["significant"]) == (
        "+3.50 [+1.45, +5.55]",
        "0.049",
        "yes",
    )
    assert mrpc["gain without this column"] == "+3.50 [+1.45, +5.55]"
    # A third of the gain each: 3.5 / 3.
    assert cola["adds to the average"] == "+1.17"
    assert mnli_m["adds to the average"] == "+1.17 (with mnli_mm)"
    assert mnli_mm["adds to the average"] == "see mnli_m"
    assert (average["gain"], average["adds to the average"]) == ("+3.50 [+1.45, +5.55]", "+3.50")


def test_one_task_that_carries_the_gain_is_seen(make_study, gains):
    study = make_study(seeds=SEEDS)
    for cell_id, record in list(study.records.items()):
        if record.kind == "evaluation" and record.objective == "taco" and record.task != "cola":
            study.change(cell_id, scores=study.records[cell_id.replace("taco", "mlm")].scores)
    cola, mrpc, *_, average = gains(study)
    assert (cola["adds to the average"], mrpc["adds to the average"]) == ("+1.17", "0.00")
    assert cola["gain without this column"] == "0.00 [0.00, 0.00]"
    assert average["gain"].startswith("+1.17 [")


def test_two_seeds_have_no_test(make_study, gains):
    cola, *_ = gains(make_study())
    assert cola["gain"] == "+2.50"
    assert not {"p (Holm)", "significant"} & set(cola)


def test_a_column_outside_the_average_may_be_missing(make_study, gains):
    study = make_study(seeds=SEEDS)
    glue, curve = study.plan.suites
    glue = glue.model_copy(update={"average_groups": (("cola",), ("mnli_m", "mnli_mm"))})
    study.plan = study.plan.model_copy(update={"suites": (glue, curve)})
    del study.records["glue.mrpc.taco.seed-2.3of3.ft-0"]
    cola, mrpc, *_ = gains(study)
    assert (mrpc["gain"], mrpc["adds to the average"]) == ("-", "not in it")
    assert cola["p (Holm)"] == "0.037"  # over the three columns that are there


def test_an_incomplete_objective_has_no_gains(make_study, report_of):
    study = make_study(seeds=SEEDS)
    del study.records["glue.cola.taco.seed-2.3of3.ft-1"]
    suite = report_of(study).suites[0]
    assert (suite.gains, suite.interquartile) == ((), {})


def test_the_interquartile_mean_by_hand():
    # Two seeds (rows) of four tasks, sorted 0 2 2 2 3 3 8 12: the middle four.
    gains = np.array([[0.0, 2.0, 3.0, 8.0], [2.0, 2.0, 3.0, 12.0]])
    assert pooled_interquartile_mean(gains) == 2.5
    assert pooled_interquartile_mean(np.stack([gains, gains + 1])).tolist() == [2.5, 3.5]


def test_the_interquartile_mean_has_one_kind_of_interval(make_study, report_of):
    for seeds in (SEEDS, tuple(range(10))):
        found = report_of(make_study(seeds=seeds, points=1)).suites[0].interquartile["taco"]
        assert found.low.value < found.estimate.value < found.high.value
        middle = (found.low.value + found.high.value) / 2
        assert middle == pytest.approx(found.estimate.value)
    assert report_of(make_study()).suites[0].interquartile["taco"].text == "+2.50"


def test_the_draws_are_the_same_every_time(make_study, report_of):
    study = make_study(seeds=SEEDS)
    first, second = (report_of(study).suites[0].interquartile for _ in range(2))
    assert first == second


def test_a_lower_score_that_is_better_has_a_positive_gain(make_study, report_of):
    study = make_study(seeds=SEEDS)
    glue, curve = study.plan.suites
    lower = tuple(dataclasses.replace(column, direction="min") for column in glue.columns)
    glue = glue.model_copy(update={"direction": "min", "columns": lower})
    study.plan = study.plan.model_copy(update={"suites": (glue, curve)})
    suite = report_of(study).suites[0]
    (gains,) = suite.gains
    for gain in (gains.average, gains.columns[0].gain, gains.columns[0].without):
        assert gain.mean == pytest.approx(-3.5)
        assert (gain.least, gain.greatest) == pytest.approx((-5.0, -2.0))
    assert suite.interquartile["taco"].estimate.value == pytest.approx(-3.5)


def test_every_seed_has_its_score(make_study, report_of, rows):
    report = report_of(make_study(seeds=SEEDS))
    (table,) = seeds_table(report, report.suites[0])
    best, baseline = rows(table)
    assert [best[f"seed {seed}"] for seed in SEEDS] == ["51.00", "53.00", "55.00", "57.00"]
    assert (best["sd"], best["seeds better"]) == ("2.58", "4 of 4 [40%, 100%]")
    assert baseline["seeds better"] == "-"
    alone = report_of(make_study(seeds=(1,)))
    assert seeds_table(alone, alone.suites[0]) == []


def test_groups_are_indices_of_columns(make_study):
    assert average_groups(make_study().plan.suites[0]) == [[0], [1], [2, 3]]
