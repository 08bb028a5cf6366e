"""Whether a score can carry a verdict, by hand on the made-up study.

mlm has 49, 50, 51 and 52 points, taco 51, 53, 55 and 57; a floor is so many points below 49, and
the untrained encoder has one more at every later seed, as mlm has. The gain's interval is 3.5 +-
2.054.
"""

from dataclasses import replace

import numpy as np

from objbench.judge.judgement import judge_claims
from objbench.judge.obstacle_text import held_back_text
from objbench.judge.papers.claims import read_claims
from objbench.judge.score_source import Pair
from objbench.judge.sensitivity import columns_above_floor, insensitive
from objbench.judge.verdict_sentence import sentence

PAIR = Pair("taco", "mlm")
SEEDS = (1, 2, 3, 4)
TACO = read_claims("taco-2022")
HIGH = {"majority": 30, "untrained": 20, "bag-of-words": 20}


def study_with(make_study, floors, *, seeds=SEEDS, stuck=None, **options):
    study = make_study(seeds=seeds, floors=floors, **options)
    study.measure_learning(stuck)
    return study


def failures(study, source="glue", half_width=None):
    found = insensitive(study.results(), PAIR, source, half_width)
    return () if found is None else (found.obstacle, *found.details)


def add_to_scores(study, points, objective="mlm", column=None, seeds=SEEDS):
    """Other scores of one objective at the end of its budget, in points."""
    for cell in study.plan.cells:
        if cell.kind != "evaluation" or cell.objective != objective or cell.seed not in seeds:
            continue
        scores = {
            name: {m: v + points / 100 * (column in (None, name)) for m, v in metrics.items()}
            for name, metrics in study.records[cell.id].scores.items()
        }
        study.change(cell.id, scores=scores)


def test_a_score_above_its_floors_carries_a_verdict(make_study):
    study = study_with(make_study, HIGH)
    assert failures(study) == ()
    speedup, gain = judge_claims(study.results(), [TACO])
    assert (gain.verdict, speedup.verdict) == ("confirmed", "refuted")
    assert gain.held_back == speedup.held_back == ()


def test_a_score_at_its_floor_is_shown_and_decides_nothing(make_study):
    # The bag of words has 51 where mlm has 50.5 in the mean: -0.5 -+ 3.182 * 1.291 / 2.
    study = study_with(make_study, HIGH | {"bag-of-words": -2})
    for item in judge_claims(study.results(), [TACO]):
        assert (item.verdict, item.held_back[0].obstacle) == ("inconclusive", "insensitive")
        assert item.finding is not None
        said = "glue is at its floor at this scale (mlm 50.50, mlm - bag-of-words = -0.50 [-2.55, +1.55])"
        assert said in sentence(item)
    # Above it in the mean, by 1.5 -+ 2.05, is not above it.
    study = study_with(make_study, HIGH | {"bag-of-words": 0})
    assert "mlm - bag-of-words = +1.50 [-0.55, +3.55]" in failures(study)[1]
    # By 2.5 -+ 2.05 it is.
    assert failures(study_with(make_study, HIGH | {"bag-of-words": -1 + 2})) == ()


def test_the_untrained_encoder_is_compared_at_its_own_seed(make_study):
    # It rises with the seed as mlm does: 1 point above at every seed, without any spread.
    assert failures(study_with(make_study, {"untrained": 1})) == ()
    assert "+0.00" not in failures(study_with(make_study, {"untrained": 0}))[1]
    assert (
        "mlm - untrained = 0.00 [0.00, 0.00]"
        in failures(study_with(make_study, {"untrained": 0}))[1]
    )


def test_half_of_the_columns_have_to_be_above(make_study):
    study = study_with(make_study, HIGH)
    for column in ("cola", "mrpc"):
        add_to_scores(study, -40, column=column)
        add_to_scores(study, 45, column="mnli_m")
    # Two of four are at their floor, which is enough; the average is still above.
    above = columns_above_floor(study.results(), study.results().suites[0], "mlm")
    assert above.tolist() == [False, False, True, True]
    add_to_scores(study, 400, column="mnli_mm")
    assert failures(study) == ()
    add_to_scores(study, -400, column="mnli_m")
    add_to_scores(study, 400, column="mnli_mm")
    assert failures(study)[1] == "is at its floor at this scale on 3 of 4 columns"


def test_a_gain_needs_an_interval_that_fits_into_the_room(make_study):
    # mlm is 4.5 points above the majority in the mean: half of it is 2.25.
    study = study_with(make_study, {"majority": 3})
    assert failures(study, half_width=2.24) == ()
    assert failures(study) == ()
    (_, why) = failures(study, half_width=2.26)
    assert why == (
        "has too little room at this scale (the gain's interval has a half-width of 2.26, mlm is "
        "4.50 above its floor)"
    )
    # 2.05 is too wide for the 4 points above 46.5.
    speedup, gain = judge_claims(study_with(make_study, {"majority": 2.5}).results(), [TACO])
    assert (speedup.held_back, gain.held_back[0].obstacle) == ((), "insensitive")
    assert "half-width of 2.05" in held_back_text(gain)


def test_the_room_is_that_of_the_95_interval_at_whatever_level_a_look_judges(make_study):
    """At the first of three looks the interval is wider, which says nothing of the score."""
    study = study_with(make_study, {"majority": 3})
    (_, plain) = judge_claims(study.results(), [TACO])
    study.plan = study.plan.model_copy(update={"looks": (len(SEEDS), 40, 60)})
    (_, early) = judge_claims(study.results(), [TACO])
    assert early.finding.level > plain.finding.level
    widths = [item.finding.high.value - item.finding.low.value for item in (plain, early)]
    assert widths[0] / 2 < 2.25 < widths[1] / 2
    assert plain.held_back == early.held_back == ()


def test_a_score_that_is_better_when_low_has_its_floor_above(make_study):
    for floor, expected in [(-20, ()), (20, ("insensitive",))]:
        study = study_with(make_study, {"untrained": floor})
        first, *others = study.plan.suites
        columns = tuple(replace(column, direction="min") for column in first.columns)
        low = first.model_copy(update={"direction": "min", "columns": columns})
        study.plan = study.plan.model_copy(update={"suites": (low, *others)})
        # Its order against the loss is turned too, so only the floor is looked at here.
        found = failures(study)
        at_floor = [why for why in found if "at its floor" in why]
        assert bool(at_floor) == bool(expected)


def test_runs_that_are_stuck_do_not_lift_the_floor(make_study):
    # The runs at seeds 3 and 4 would bring the mean above; the one that learnt is below.
    study = study_with(make_study, {"majority": -1}, stuck={"mlm": (2, 3, 4)})
    found = failures(study)
    assert found[:2] == (
        "insensitive",
        "is at its floor at this scale (mlm 49.00, mlm - majority = -1.00)",
    )


def test_too_few_runs_for_an_interval_are_not_at_the_floor_by_that(make_study):
    assert failures(study_with(make_study, HIGH, seeds=(1, 2))) == ()


def test_a_score_against_the_loss_is_insensitive(make_study):
    study = study_with(make_study, HIGH)
    # Every later seed has a lower loss; now it also has a lower score, in both objectives.
    for turn, seed in enumerate(SEEDS):
        add_to_scores(study, -3.0 * turn, "mlm", seeds=(seed,))
        add_to_scores(study, -3.0 * turn, "taco", seeds=(seed,))
    (obstacle, why) = failures(study)
    assert obstacle == "insensitive"
    # All six pairs of either objective: (1/24)^2.
    assert why == (
        "orders the encoders of an objective against their held-out loss (Kendall's tau -1.00, "
        f"p = {1 / 576:.2g})"
    )


def test_stuck_runs_that_score_higher_make_a_score_insensitive(make_study):
    study = study_with(make_study, HIGH, stuck={"mlm": (2, 3, 4)})
    add_to_scores(study, 30, "mlm", seeds=(2, 3, 4))
    # Three stuck runs above all five that learnt: one of 56 orders.
    assert (
        "ranks stuck runs above runs that learnt (in 0% of pairs the one that learnt scores higher, "
        f"p = {1 / 56:.2g})" in failures(study)
    )
    # In their right place they are no argument.
    assert failures(study_with(make_study, HIGH, stuck={"taco": (2, 3, 4)})) != ()
    low = study_with(make_study, HIGH, stuck={"mlm": (2, 3, 4)})
    add_to_scores(low, -15, "mlm", seeds=(2, 3, 4))
    assert failures(low) == ()


def test_without_floors_nothing_is_judged_but_a_loss(make_study):
    study = study_with(make_study, None)
    assert failures(study) == ("no floors",)
    speedup, gain = judge_claims(study.results(), [TACO])
    for item in (speedup, gain):
        assert item.verdict == "inconclusive"
        assert "the floors of glue were not measured: run the study again" in sentence(item)
    assert failures(study, "heldout:mlm") == ()
    loss, _ = judge_claims(study.results(), [TACO], "heldout:mlm")
    assert loss.verdict == "refuted"


def test_floors_that_have_not_all_run_hold_a_verdict_back(make_study):
    study = study_with(make_study, HIGH)
    cell = next(c for c in study.plan.cells if c.floor == "bag-of-words")
    del study.records[cell.id]
    _, gain = judge_claims(study.results(), [TACO])
    assert "the floors of glue are not complete (bag-of-words)" in sentence(gain)


def test_small_english_as_it_will_read(make_study):
    """One baseline run of five learnt, and the stuck ones score as well as any."""
    study = study_with(
        make_study,
        {"untrained": 5, "bag-of-words": -15},
        seeds=(0, 1, 2, 3, 4),
        stuck={"mlm": (0, 2, 3, 4)},
    )
    add_to_scores(study, -12, "taco", seeds=(0, 1, 2, 3, 4))
    for item in judge_claims(study.results(), [TACO]):
        assert item.verdict == "inconclusive"
        said = held_back_text(item)
        assert "mlm learnt in 1 of 5 runs, so 1 pair is left; 3 are needed" in said
        assert "glue is at its floor at this scale (mlm 50.00, mlm - bag-of-words = -14.00)" in said
        assert "ranks stuck runs above runs that learnt" in said
        assert np.isfinite(item.finding.estimate.value)
