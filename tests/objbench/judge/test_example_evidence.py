"""What examples add to a gain, from records: against plain loops over raw bits."""

import math

import numpy as np
import pytest
from made_examples import SIZES, give_examples
from scipy.stats import t as student

from objbench.judge.example_evidence import gain_examples, interval_over_examples
from objbench.judge.judgement import judge_claims
from objbench.judge.papers.claims import read_claims
from objbench.judge.score_source import Pair
from objbench.judge.verdict import judge_gain
from objbench.judge.verdict_sentence import sentence
from objbench.judge.verdict_text import numbers_table
from objbench.leaderboard.data_frames import Results

SEEDS = (1, 2, 3, 4)
PAIR = Pair("taco", "mlm")
TACO = read_claims("taco-2022")
WEIGHTS = {"cola": 1 / 3, "mrpc": 1 / 3, "mnli_m": 1 / 6, "mnli_mm": 1 / 6}


def difference(raw, seed, column, row):
    """Taco minus mlm on one example, in points of the average."""
    means = []
    for objective in ("taco", "mlm"):
        own = [
            values[row]
            for finetune in (0, 1)
            for values in raw[objective, seed, finetune, column].values()
        ]
        means.append(sum(own) / len(own))
    return 100 * WEIGHTS[column] * (means[0] - means[1])


def variance_by_loops(raw, columns, size):
    """The examples' part of the variance, of columns that share their examples."""
    d = [
        [sum(difference(raw, seed, column, row) for column in columns) for row in range(size)]
        for seed in SEEDS
    ]
    seeds, mean = len(SEEDS), sum(map(sum, d)) / (len(SEEDS) * size)
    of_row = [sum(row[i] for row in d) / seeds for i in range(size)]
    between = sum((one - mean) ** 2 for one in of_row) / (size - 1)
    rest = sum(
        (d[s][i] - sum(d[s]) / size - of_row[i] + mean) ** 2
        for s in range(seeds)
        for i in range(size)
    ) / ((seeds - 1) * (size - 1))
    return (between - rest / seeds) / size


@pytest.fixture
def study(make_study):
    made = make_study(seeds=SEEDS, floors={"majority": 45})
    made.measure_learning()
    return made


def test_the_error_of_an_average_over_tasks_by_loops(study):
    raw = give_examples(study)
    found = gain_examples(study.results(), PAIR, "glue", SEEDS)
    expected = sum(variance_by_loops(raw, [column], size) for column, size in SIZES.items())
    assert expected > 0
    assert found.error == pytest.approx(math.sqrt(expected))
    assert found.freedom == 39


def test_the_error_of_one_column_by_loops(study):
    raw = give_examples(study)
    found = gain_examples(study.results(), PAIR, "glue", SEEDS, "mrpc")
    # The loops weigh a column as the average does.
    expected = variance_by_loops(raw, ["mrpc"], SIZES["mrpc"]) * 9
    assert found.error == pytest.approx(math.sqrt(expected))
    assert found.freedom == 69


def test_columns_of_the_same_examples_are_added_up_first(study):
    raw = give_examples(study, same_mnli=True)
    found = gain_examples(study.results(), PAIR, "glue", SEEDS)
    expected = variance_by_loops(raw, ["mnli_m", "mnli_mm"], SIZES["mnli_m"]) + sum(
        variance_by_loops(raw, [column], SIZES[column]) for column in ("cola", "mrpc")
    )
    assert found.error == pytest.approx(math.sqrt(expected))


def test_a_part_of_the_seeds(study):
    give_examples(study)
    results = study.results()
    three = gain_examples(results, PAIR, "glue", SEEDS[:3])
    assert three is not None and three != gain_examples(results, PAIR, "glue", SEEDS)
    assert gain_examples(results, PAIR, "glue", SEEDS[:2]) is None
    assert gain_examples(results, PAIR, "heldout:mlm", SEEDS) is None


def spoil(study, how):
    """Change the examples of one final evaluation of cola."""
    cell = next(
        c for c in study.plan.cells if c.kind == "evaluation" and c.task == "cola" and c.share == 1
    )
    own = study.records[cell.id].examples["cola"]
    if how == "none":
        study.change(cell.id, examples={})
    elif how == "others":
        study.change(cell.id, examples={"cola": own.model_copy(update={"of": "ab"})})
    elif how == "more":
        study.change(cell.id, eval_examples={"cola": 39})
    else:
        study.change(cell.id, examples={"cola": own.model_copy(update={"metrics": {}})})


@pytest.mark.parametrize("how", ["none", "others", "more", "no metric"])
def test_examples_that_are_not_all_alike_give_nothing(study, how):
    give_examples(study)
    spoil(study, how)
    assert gain_examples(study.results(), PAIR, "glue", SEEDS) is None


def gain_of(study, value=1.2):
    items = tuple(claim.model_copy(update={"value": value}) for claim in TACO.claims)
    results = study.results()
    return judge_claims(results, [TACO.model_copy(update={"claims": items})])[1], results


def test_it_stands_beside_the_interval_over_seeds(study):
    give_examples(study)
    gain, results = gain_of(study)
    low, high = gain.over_examples
    finding, found = gain.finding, gain_examples(results, PAIR, "glue", SEEDS)
    half = math.hypot(
        (finding.high.value - finding.low.value) / 2,
        student.ppf(0.975, found.freedom) * found.error,
    )
    assert (low, high) == (
        pytest.approx(finding.estimate.value - half),
        pytest.approx(finding.estimate.value + half),
    )
    assert low < finding.low.value < finding.high.value < high
    text = f"[{low:+.2f}, {high:+.2f}]"
    assert f"; over seeds and evaluation examples the interval is {text}" in sentence(gain)
    header, _, row = numbers_table(gain).splitlines()
    assert "over seeds and examples" in header and text in row
    rows = [r for r in Results(results).verdicts() if r["kind"] == "gain" and r["score"] == "glue"]
    assert (rows[0]["low_over_examples"], rows[0]["high_over_examples"]) == (low, high)


def test_it_is_at_the_level_of_the_interval_over_seeds(study):
    give_examples(study)
    results = study.results()
    finding = judge_gain(np.array([1.0, 2.0, 3.0, 4.5]), 1.0, level=0.99)
    low, high = interval_over_examples(results, PAIR, "glue", SEEDS, finding)
    found = gain_examples(results, PAIR, "glue", SEEDS)
    half = math.hypot(finding.high.value - 2.625, student.ppf(0.995, found.freedom) * found.error)
    assert (low, high) == (pytest.approx(2.625 - half), pytest.approx(2.625 + half))


def test_a_verdict_that_the_examples_leave_open_says_so(study):
    give_examples(study)
    gain, _ = gain_of(study)
    between = (gain.over_examples[0] + gain.finding.low.value) / 2
    confirmed, _ = gain_of(study, between)
    assert confirmed.verdict == "confirmed"
    assert f"] and contains {between:+.2f}" in sentence(confirmed)
    below, _ = gain_of(study, gain.over_examples[0] - 1)
    assert below.verdict == "confirmed" and "contains" not in sentence(below)


def test_nothing_is_shown_of_records_without_examples(study):
    gain, results = gain_of(study)
    assert gain.finding.low is not None and gain.over_examples is None
    assert "evaluation examples" not in sentence(gain)
    assert "examples" not in numbers_table(gain)
    rows = [r for r in Results(results).verdicts() if r["kind"] == "gain"]
    assert all(math.isnan(row["low_over_examples"]) for row in rows)
