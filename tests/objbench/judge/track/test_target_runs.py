"""A target in a suite's score: spends against plain loops, and nothing is scored by a part of what was planned."""

import math

import pytest
from made_track import FALLING, FLOPS, TOY, add_suite, track_study

from objbench.contract.suite import Column
from objbench.judge.track.rows import judged
from objbench.judge.track.rules import look_steps
from objbench.judge.track.track import SuiteScore, Target, suite_digest
from objbench.results.plan import PlannedSuite

COLUMNS = ("agreement", "binding", "islands")
SUITE = PlannedSuite(
    name="blimp",
    summary="Pairs of sentences.",
    version=1,
    protocol="made up",
    columns=tuple(
        Column(name=name, task=name, metrics=("accuracy",), direction="max", scale=100.0)
        for name in COLUMNS
    ),
    average_label="mean of three",
    average_groups=tuple((name,) for name in COLUMNS),
    seeds=(0, 1),
)
TARGET = Target(
    id="blimp",
    words="55% on pairs",
    at_least=55.0,
    suite=SuiteScore(name="blimp", digest=suite_digest(SUITE)),
)
TRACK = TOY.model_copy(update={"targets": (TARGET,)})
CELL = "blimp.binding.mlm.seed-2.170.ft-1"


def scores(objective, seed, look, column, finetune_seed):
    """Rises by two points a look, apart from column, seed and fine-tuning seed."""
    return 47.0 + 2.0 * look + seed + 3.0 * COLUMNS.index(column) - 1.5 * finetune_seed


@pytest.fixture
def study():
    made = track_study({"mlm": [FALLING] * 5})
    add_suite(made, SUITE, scores)
    return made


def row(study):
    (found,) = judged(TRACK, "mine", study.results()).rows
    return found


def spend_by_loops(seed):
    """Where the mean over columns and fine-tuning seeds is at 55, along the logarithm of the steps."""
    looks, means = look_steps(TOY, 240), []
    for look in range(len(looks)):
        total = 0.0
        for column in COLUMNS:
            for finetune_seed in (0, 1):
                total += scores("mlm", seed, look, column, finetune_seed)
        means.append(total / 6)
    for look in range(1, len(looks)):
        if means[look] >= 55.0:
            share = (55.0 - means[look - 1]) / (means[look] - means[look - 1])
            steps = looks[look - 1] * (looks[look] / looks[look - 1]) ** share
            return FLOPS * steps, look + 1
    return math.inf, 0


def test_what_each_run_spent_is_what_loops_find(study):
    assert row(study).unscored == {}
    for seed, found in enumerate(row(study).runs["blimp", "flops"]):
        spend, look = spend_by_loops(seed)
        assert found.least == pytest.approx(spend) and found.look == look


def test_a_run_that_diverged_is_censored_at_the_budget_of_the_others():
    made = track_study({"mlm": [*[FALLING] * 4, FALLING[:2]]})
    add_suite(made, SUITE, scores)
    assert row(made).unscored == {}
    lost = row(made).runs["blimp", "flops"][4]
    assert (lost.least, lost.most, lost.look) == (240 * FLOPS, math.inf, 0)


def lose(study, cell):
    del study.records[cell]


def fail(study, cell):
    study.change(cell, status="failed", scores={})


def score_a_part(study, cell):
    study.change(cell, official_examples={"binding": 1000})


def score_nothing(study, cell):
    for name in list(study.records):
        if name.startswith("blimp.binding.mlm.seed-2."):
            study.change(name, scores={})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lose, f"{CELL} is missing"),
        (fail, f"{CELL} failed"),
        (score_a_part, f"{CELL} scored a part of the official examples only"),
        (score_nothing, "not every run is scored by blimp"),
        (lambda study, _: study.change_plan(suites=()), "the study does not score blimp"),
        (
            lambda study, _: study.change_plan(suites=(SUITE.model_copy(update={"version": 2}),)),
            "the blimp of the study is not the track's",
        ),
    ],
)
def test_a_recipe_with_a_part_of_its_scores_is_not_ranked(study, spoil, said):
    spoil(study, CELL)
    if not study.plan.suites:
        for name in [name for name in study.records if name.startswith("blimp")]:
            del study.records[name]
        study.change_plan(cells=tuple(c for c in study.plan.cells if c.kind == "pretrain"))
    found = row(study)
    assert found.unscored["blimp"].startswith(said) and found.runs == {}
