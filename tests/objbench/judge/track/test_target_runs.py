"""A target in a suite's score: spends against plain loops, and nothing is scored by a part of what was planned."""

import math

import pytest
from made_track import FALLING, FLOPS, TOY, add_suite, track_study

from objbench.contract.options import configure
from objbench.contract.suite import Column
from objbench.judge.statistics.speedup import Bound
from objbench.judge.statistics.time_to_target import median_spend
from objbench.judge.track.holders import challenges, holder_of, ranked
from objbench.judge.track.rows import judged
from objbench.judge.track.rules import point_steps, unfinished
from objbench.judge.track.track import SuiteScore, Target, read_track, suite_digest
from objbench.results.plan import PlannedSuite
from objbench.results.planned_suites import planned_suite
from objbench_suites.blimp import BlimpSuite
from objbench_suites.blimp_data import PAIRS, PARADIGMS, Paradigm

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
PHENOMENA = (
    "anaphor_agreement",
    "argument_structure",
    "binding",
    "control_raising",
    "determiner_noun_agreement",
    "ellipsis",
    "filler_gap_dependency",
    "irregular_forms",
    "island_effects",
    "npi_licensing",
    "quantifiers",
    "subject_verb_agreement",
)
# Of five runs, at the steps 43, 60, 85, 120, 170 and 240; the target is 55.
BY_HAND = (
    (50, 51, 52, 53, 57, 60),  # half of the way from 120 to 170
    (51, 55, 56, 57, 58, 59),  # at 60
    (56, 57, 58, 59, 60, 61),  # at the first
    (50, 56, 54, 54, 58, 60),  # three pooled to 54 2/3: a tenth of the way from 120 to 170
    (50, 51, 51, 52, 53, 54),  # never
)
CELL = "blimp.binding.mlm.seed-2.170.ft-1"


def scores(objective, seed, point, column, finetune_seed):
    """Rises by two percent from point to point, apart from column, seed and fine-tuning seed."""
    return 47.0 + 2.0 * point + seed + 3.0 * COLUMNS.index(column) - 1.5 * finetune_seed


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
    points, means = point_steps(TOY, 240), []
    for point in range(len(points)):
        total = 0.0
        for column in COLUMNS:
            for finetune_seed in (0, 1):
                total += scores("mlm", seed, point, column, finetune_seed)
        means.append(total / 6)
    for point in range(1, len(points)):
        if means[point] >= 55.0:
            share = (55.0 - means[point - 1]) / (means[point] - means[point - 1])
            steps = points[point - 1] * (points[point] / points[point - 1]) ** share
            return FLOPS * steps, point + 1
    return math.inf, 0


def test_what_each_run_spent_is_what_loops_find(study):
    assert row(study).unscored == {}
    for seed, found in enumerate(row(study).runs["blimp", "flops"]):
        spend, point = spend_by_loops(seed)
        assert found.least == pytest.approx(spend) and found.point == point


def test_a_run_that_diverged_is_censored_at_the_budget_of_the_others():
    made = track_study({"mlm": [*[FALLING] * 4, FALLING[:2]]})
    add_suite(made, SUITE, scores)
    assert row(made).unscored == {}
    lost = row(made).runs["blimp", "flops"][4]
    assert (lost.least, lost.most, lost.point) == (240 * FLOPS, math.inf, 0)


def test_evaluations_that_are_still_to_be_done_are_one_line(study):
    assert [*unfinished(study.results())] == []
    del study.records[CELL]
    line = f"evaluation {CELL}: there is no record of it"
    assert [*unfinished(study.results())] == [f"{line}: run the study to its end"]
    del study.records["blimp.islands.mlm.seed-4.240.ft-1"]
    assert [*unfinished(study.results())] == [
        f"{line}, and 1 more like it: run the study to its end"
    ]


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


def by_hand(objective, seed, point, column, finetune_seed):
    """``BY_HAND`` for "mlm", never more than 54 for any other; columns lie three points apart."""
    rows = BY_HAND if objective == "mlm" else BY_HAND[4:] * 5
    return rows[seed][point] + 3.0 * (COLUMNS.index(column) - 1)


def test_five_runs_by_hand_of_which_one_is_never_there():
    made = track_study({"mlm": [FALLING] * 5})
    add_suite(made, SUITE, by_hand)
    found = row(made).runs["blimp", "flops"]
    spends = [
        math.sqrt(120 * 170),
        60.0,
        0.0,
        120 * (170 / 120) ** 0.1,
        240.0,
    ]
    assert [run.least / FLOPS for run in found] == pytest.approx(spends)
    assert (found[2].most, found[4].most) == (43 * FLOPS, math.inf)
    assert [run.point for run in found] == [5, 2, 1, 5, 0]
    median = median_spend(found)
    assert median.estimate.value == pytest.approx(FLOPS * spends[3]) and median.reached == (4, 5)
    assert (median.low, median.high) == (Bound(43 * FLOPS, "below"), Bound(240 * FLOPS, "above"))
    seconds = row(made).runs["blimp", "seconds"]
    assert [run.least for run in seconds] == pytest.approx([0.1 * steps for steps in spends])


def test_only_the_last_point_is_evaluated_so_that_a_spend_is_a_bound():
    made = track_study({"mlm": [FALLING] * 5})
    add_suite(made, SUITE, by_hand)
    early = {c.id for c in made.plan.cells if c.kind == "evaluation" and c.step < 240}
    made.change_plan(cells=tuple(c for c in made.plan.cells if c.id not in early))
    made.records = {name: record for name, record in made.records.items() if name not in early}
    assert row(made).unscored == {}
    assert [run.bound for run in row(made).runs["blimp", "flops"]] == [
        *[Bound(240 * FLOPS, "below")] * 4,
        Bound(240 * FLOPS, "above"),
    ]


def test_a_recipe_without_the_suite_is_ranked_on_the_loss_alone():
    both = TOY.model_copy(update={"targets": (*TOY.targets, TARGET)})
    made = track_study({"mlm": [FALLING] * 5, "taco": [FALLING] * 5})
    add_suite(made, SUITE, by_hand)
    mlm, taco = judged(both, "scored", made.results()).rows
    (plain,) = judged(both, "plain", track_study({"mlm": [FALLING] * 5}).results()).rows
    assert plain.unscored == {"blimp": "the study does not score blimp"}
    rows = [plain, taco, mlm]
    assert {found.name for found in ranked(rows, both.targets[0], "flops")} == {
        "plain: mlm",
        "scored: mlm",
        "scored: taco",
    }
    assert ranked(rows, TARGET, "flops") == [mlm, taco]
    assert holder_of(rows, TARGET, "flops") is mlm
    assert [found.row for found in challenges(rows, TARGET, "flops")] == [mlm, taco]


def test_the_suite_of_the_english_track_is_all_of_blimp(monkeypatch):
    """By the digest in its file; a part of the pairs is another suite."""
    sentences = ("a sentence",) * PAIRS
    paradigms = tuple(
        Paradigm(f"paradigm {n}", PHENOMENA[n % len(PHENOMENA)], sentences, sentences)
        for n in range(PARADIGMS)
    )
    monkeypatch.setattr("objbench_suites.blimp.read_folder", lambda folder, flag: paradigms)

    def digest(**options):
        suite = BlimpSuite(configure(BlimpSuite, {"dir": "blimp", **options}))
        return suite_digest(planned_suite(suite))

    (wanted,) = (target.suite for target in read_track("english").targets if target.suite)
    assert digest() == wanted.digest
    assert digest(pairs=100) != wanted.digest
