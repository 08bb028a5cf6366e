"""Columns, their noise and gains, and the gains in one number, against values by hand.

With four seeds mlm scores 49, 50, 51, 52 and taco 2, 3, 4, 5 more, on every column alike; the two
fine-tuning seeds are 1 point below and above their mean.
"""

import numpy as np
import pytest

from objbench.judge.score_arrays import final_scores
from objbench.leaderboard.tables.aggregates import (
    aggregate_sentence,
    aggregate_table,
    pooled_middle,
    task_median,
)
from objbench.leaderboard.tables.tasks import average_groups, column_table, gain_tables
from objbench.results.study_results import join

SEEDS = (1, 2, 3, 4)


def scores_of(study):
    results = join(study.plan, study.records.values())
    return results, final_scores(results, results.suites[0])


def cells(table):
    """A markdown table as a list of rows, header -> cell."""
    lines = [line for line in table.splitlines() if not line.startswith(("|:", "|-"))]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def test_noise_by_hand(make_study):
    results, found = scores_of(make_study(seeds=SEEDS))
    cola, *_, average = cells(column_table(results, found))
    assert cola["column"] == "cola"
    # Squares around the means: 5 for mlm's 0, 1, 2, 3 and 20 for taco's 0, 2, 4, 6, over 6
    # degrees of freedom; +1 and -1 in each of 8 runs, over 8; floor t(6) * sqrt(25 / 6 * 2 / 4).
    assert cola["sd of fine-tuning"] == f"{np.sqrt(2.0):.2f}"
    assert cola["sd of pretraining"] == f"{np.sqrt(25 / 6 - 2 / 2):.2f}"
    assert cola["noise floor"] == f"{2.446912 * np.sqrt(25 / 6 / 2):.2f}"
    assert average["noise floor"] == cola["noise floor"]


def test_noise_with_few_seeds_says_less(make_study):
    results, found = scores_of(make_study(seeds=(1, 2), finetune=(0,)))
    head = cells(column_table(results, found))[0]
    assert "sd of seeds" in head
    assert "noise floor" not in head
    results, found = scores_of(make_study(seeds=(1,)))
    assert not [name for name in cells(column_table(results, found))[0] if "sd" in name]


def test_gains_of_the_columns_by_hand(make_study):
    results, found = scores_of(make_study(seeds=SEEDS))
    tables = gain_tables(results, found)
    assert list(tables) == ["taco"]
    cola, mrpc, mnli_m, mnli_mm, average = cells(tables["taco"])
    # p = 0.0123 of each of four columns, times 4 by Holm.
    assert (cola["gain"], cola["p (Holm)"], cola["told apart"]) == ("+3.50 ± 2.05", "0.0490", "yes")
    assert mrpc["average's gain without it"] == "+3.50 ± 2.05"
    # A third of the gain each: 3.5 / 3.
    assert cola["adds to the average"] == "+1.17"
    assert mnli_m["adds to the average"] == "+1.17 (with mnli_mm)"
    assert mnli_mm["adds to the average"] == "see mnli_m"
    assert (average["gain"], average["adds to the average"]) == ("+3.50 ± 2.05", "+3.50")


def test_one_task_that_carries_the_gain_is_seen(make_study):
    study = make_study(seeds=SEEDS)
    for cell_id, record in list(study.records.items()):
        if record.kind == "evaluation" and record.objective == "taco" and record.task != "cola":
            study.change(cell_id, scores=study.records[cell_id.replace("taco", "mlm")].scores)
    results, found = scores_of(study)
    cola, mrpc, *_, average = cells(gain_tables(results, found)["taco"])
    assert (cola["adds to the average"], mrpc["adds to the average"]) == ("+1.17", "0.00")
    assert cola["average's gain without it"] == "0.00 ± 0.00"
    assert average["gain"].startswith("+1.17 ±")


def test_two_seeds_have_no_test(make_study):
    results, found = scores_of(make_study())
    cola, *_ = cells(gain_tables(results, found)["taco"])
    assert (cola["gain"], cola["p (Holm)"], cola["told apart"]) == (
        "+2.50 (+2.00 to +3.00)",
        "-",
        "-",
    )


def test_a_column_outside_the_average_may_be_missing(make_study):
    study = make_study(seeds=SEEDS)
    glue, curve = study.plan.suites
    glue = glue.model_copy(update={"average_groups": (("cola",), ("mnli_m", "mnli_mm"))})
    study.plan = study.plan.model_copy(update={"suites": (glue, curve)})
    del study.records["glue.mrpc.taco.seed-2.3of3.ft-0"]
    results, found = scores_of(study)
    cola, mrpc, *_ = cells(gain_tables(results, found)["taco"])
    assert (mrpc["gain"], mrpc["adds to the average"]) == ("-", "not in it")
    assert cola["p (Holm)"] == "0.0370"  # over the three columns that are there


def test_an_incomplete_objective_has_no_gains(make_study):
    study = make_study(seeds=SEEDS)
    del study.records["glue.cola.taco.seed-2.3of3.ft-1"]
    results, found = scores_of(study)
    assert gain_tables(results, found) == {}
    assert aggregate_table(results, found) == ""


def test_aggregates_by_hand():
    # Two seeds (rows) of four tasks: means over seeds 1, 2, 3, 10.
    gains = np.array([[0.0, 2.0, 3.0, 8.0], [2.0, 2.0, 3.0, 12.0]])
    assert task_median(gains) == 2.5
    # Sorted 0 2 2 2 3 3 8 12: the middle four.
    assert pooled_middle(gains) == 2.5
    assert task_median(np.stack([gains, gains + 1])).tolist() == [2.5, 3.5]


def test_the_aggregates_have_the_intervals_of_few_and_many_seeds(make_study):
    results, found = scores_of(make_study(seeds=SEEDS))
    (row,) = cells(aggregate_table(results, found))
    assert row["mean"] == "+3.50 ± 2.05"
    # All tasks gain alike, so the median of the tasks is the mean, and so is its interval but
    # for the error of 10,000 draws.
    value, half = row["median of the tasks"].split(" ± ")
    assert value == "+3.50"
    assert float(half) == pytest.approx(2.05, abs=0.06)
    assert "t with the bootstrap's standard error" in aggregate_sentence(results, found)
    results, found = scores_of(make_study(seeds=tuple(range(10)), points=1))
    (row,) = cells(aggregate_table(results, found))
    assert row["median of the tasks"].startswith("+6.50 [+")
    assert "expanded percentile" in aggregate_sentence(results, found)


def test_two_seeds_have_aggregates_without_intervals(make_study):
    results, found = scores_of(make_study())
    (row,) = cells(aggregate_table(results, found))
    assert (row["median of the tasks"], row["interquartile mean"]) == ("+2.50", "+2.50")
    assert "Intervals" not in aggregate_sentence(results, found)


def test_the_draws_are_the_same_every_time(make_study):
    study = make_study(seeds=SEEDS)
    assert aggregate_table(*scores_of(study)) == aggregate_table(*scores_of(study))


def test_groups_are_indices_of_columns(make_study):
    assert average_groups(make_study().plan.suites[0]) == [[0], [1], [2, 3]]
