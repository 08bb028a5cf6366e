"""Claims judged on the made-up study, against intervals worked out by hand.

With four seeds taco minus mlm is 2, 3, 4 and 5 points: 3.5 +- t(3, 0.975) * 1.291 / 2 = 2.054. At
a share s of its budget taco's gap to mlm's final score is that less 20 (1 - s), so it closes at
s = 0.825, and with points enough its interval ends where the gap is 2.054 from zero: s = 0.7223
and 0.9277.
"""

from functools import partial
from pathlib import Path

import pytest

from objbench.errors import ConfigError, UnknownNameError
from objbench.judge.judgement import concerned, judge_by_every_score, judge_claims
from objbench.judge.papers.claims import read_claims, shipped_claims
from objbench.judge.verdict_sentence import sentence
from objbench.judge.verdict_text import detail_text, verdict_lines
from objbench.results.study_results import read_study_results

SEEDS = (1, 2, 3, 4)
TINY = Path(__file__).parents[3] / "leaderboard" / "tiny"
TACO = read_claims("taco-2022")


@pytest.fixture
def make_study(make_study):
    """``make_study`` with floors far below every score."""
    return partial(make_study, floors={"majority": 30, "untrained": 20})


def claims(**changes):
    """TACO's claims with fields of every claim, or of the file, replaced."""
    own = {k: v for k, v in changes.items() if k in ("value", "axis", "qualifier")}
    of_file = {k: v for k, v in changes.items() if k not in own}
    items = tuple(claim.model_copy(update=own) for claim in TACO.claims)
    return TACO.model_copy(update={"claims": items, **of_file})


def judged(study, file=TACO, score=""):
    if study.lines is None:
        study.measure_learning()
    speedup, gain = judge_claims(study.results(), [file], score)
    return speedup, gain


def test_a_gain_within_the_interval_is_confirmed_refuted_or_open(make_study):
    study = make_study(seeds=SEEDS)
    for value, verdict in [(1.2, "confirmed"), (3.0, "inconclusive"), (5.6, "refuted")]:
        _, gain = judged(study, claims(value=value))
        assert gain.verdict == verdict
        assert gain.finding.estimate.value == pytest.approx(3.5)
        assert gain.finding.low.value == pytest.approx(3.5 - 2.0543, abs=1e-4)
        assert gain.finding.high.value == pytest.approx(3.5 + 2.0543, abs=1e-4)
        assert gain.seeds == SEEDS
        words = {"confirmed": "reproduced", "refuted": "not reproduced"}.get(verdict, verdict)
        assert sentence(gain).startswith(f"{words} at 1.23M parameters and ")
        assert "gain in points +3.50 [+1.45, +5.55], 95% interval over 4 seeds, " in sentence(gain)


def test_an_open_verdict_says_how_many_more_seeds_it_takes(make_study):
    study = make_study(seeds=SEEDS)
    _, gain = judged(study, claims(value=3.0))
    # The spread of four seeds says too little.
    assert gain.finding.more_seeds is None
    assert "more seeds" not in sentence(gain)
    study = make_study(seeds=(*SEEDS, 5))
    _, gain = judged(study, claims(value=3.0))
    low, high = gain.finding.more_seeds.low, gain.finding.more_seeds.high
    assert 0 < low < high
    assert f"; about {low} to {high} more seeds would be needed to settle it" in sentence(gain)
    # Exactly as claimed: no number of seeds tells it from a hair less.
    _, gain = judged(study, claims(value=gain.finding.estimate.value))
    assert gain.finding.more_seeds is None
    assert "we cannot estimate how many more seeds would settle it" in sentence(gain)
    _, gain = judged(study, claims(value=1.2))
    assert "more seeds" not in sentence(gain)


def test_a_speedup_is_judged_on_every_axis(make_study):
    speedup, _ = judged(make_study(seeds=SEEDS, points=20))
    assert list(speedup.by_axis) == ["steps", "tokens", "flops", "seconds"]
    flops, steps = speedup.by_axis["flops"], speedup.by_axis["steps"]
    assert flops.estimate.value == pytest.approx(1 / 0.825)
    assert flops.low.value == pytest.approx(1 / 0.92771, abs=1e-4)
    assert flops.high.value == pytest.approx(1 / 0.72229, abs=1e-4)
    # 1,200 steps buy what 900 do.
    assert steps.estimate.value == pytest.approx(4 / 3 / 0.825)
    assert speedup.finding is steps
    assert speedup.verdict == "refuted"
    assert "speedup in steps 1.62x [1.44x, 1.85x], 95% interval over 4 seeds" in sentence(speedup)
    assert "up to 5.00x claimed" in sentence(speedup)


def test_an_up_to_that_is_refuted_leaves_other_settings_open(make_study):
    study = make_study(seeds=SEEDS)
    refuted, confirmed = judged(study)
    assert "the paper says 'up to', so other settings may still reach it" in sentence(refuted)
    assert confirmed.verdict == "confirmed"
    assert "other settings may still reach it" not in sentence(confirmed)
    plainly, _ = judged(study, claims(qualifier=""))
    assert plainly.verdict == "refuted"
    assert "other settings may still reach it" not in sentence(plainly)


def test_a_suite_that_trains_nothing_is_not_limited_in_its_training(make_study):
    study = make_study(seeds=SEEDS)
    for cell in study.plan.cells:
        if cell.kind == "evaluation":
            study.change(cell.id, max_train_samples=1000, train_examples=0)
    assert not any("trained on at most" in sentence(item) for item in judged(study))


def test_the_axis_claimed_decides(make_study):
    study = make_study(seeds=SEEDS, points=20)
    for axis, verdict in [("steps", "confirmed"), ("flops", "inconclusive")]:
        speedup, _ = judged(study, claims(value=1.3, axis=axis))
        assert speedup.verdict == verdict


def test_every_label_of_another_measurement_is_in_the_sentence(make_study):
    study = make_study(seeds=SEEDS)
    for cell in study.plan.cells:
        if cell.kind == "evaluation":
            study.change(cell.id, max_train_samples=1000, train_examples=1000)
    speedup, gain = judged(study)
    for item in (speedup, gain):
        # 1,200 steps of 2,048 tokens.
        assert "at 1.23M parameters and 2.46M tokens (paper: 28.5M, 131B)" in sentence(item)
        assert "a protocol other than taco-2022" in sentence(item)
        assert "mean of three tasks, not mean of nine columns" in sentence(item)
        assert "trained on at most 1,000 examples per task" in sentence(item)
    assert "learning rate not yet decayed before the last point (linear schedule)" in sentence(
        speedup
    )
    assert "at equal FLOPs, not equal steps" in sentence(gain)
    assert "not yet decayed" not in sentence(gain)
    assert "at equal" not in sentence(speedup)


def replan(made, protocol, label, **settings):
    glue, *others = made.plan.suites
    glue = glue.model_copy(update={"protocol": protocol, "average_label": label})
    made.plan = made.plan.model_copy(update={"suites": (glue, *others), **settings})


def test_the_papers_own_measurement_carries_no_label(make_study):
    study = make_study(seeds=SEEDS)
    trunk = {**study.plan.study, "training": {"schedule": "trunk"}}
    label = "mean of nine columns"
    replan(study, "taco-2022: AdamW, lr 5e-5", label, equalize="steps", study=trunk)
    for objective in study.plan.objectives:
        study.give_steps(objective.name, 1200)
    scale = TACO.scale.model_copy(
        update={"parameters": 1_200_000, "tokens": 2_500_000, "sequences": 0, "length": 0}
    )
    speedup, gain = judged(study, claims(scale=scale))
    assert (speedup.differences.others, gain.differences.others) == ((), ())
    assert sentence(speedup).startswith(
        "refuted at 1.23M parameters and 2.46M tokens (the paper's scale): speedup in steps "
    )


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        ("default (changed: length 64, learning_rate 0.0005): x", "protocol default (changed: l"),
        ("taco-2022 (changed: length 64): x", "protocol taco-2022 with changes (length 64)"),
        ("default: x", "protocol default, not taco-2022"),
    ],
)
def test_a_changed_protocol_is_named(make_study, protocol, words):
    study = make_study(seeds=SEEDS)
    replan(study, protocol, "mean of nine columns")
    assert f"glue scored by {words}" in sentence(judged(study)[0])


def test_a_score_that_the_study_does_not_have_is_a_verdict_of_its_own(make_study):
    study = make_study(seeds=SEEDS)
    file = claims(score=TACO.score.model_copy(update={"suite": "superglue"}))
    for item in judged(study, file):
        assert (item.source, item.verdict, item.finding) == ("", "inconclusive", None)
        assert item.is_primary
        assert "the study does not score superglue" in sentence(item)
    _, gain = judged(study, file, score="glue")
    assert not gain.is_primary
    assert "scored by glue (mean of three tasks), not by the paper's superglue" in sentence(gain)
    assert sentence(gain).endswith("; secondary, not corrected.")
    every = judge_by_every_score(study.results(), [file])
    assert [(item.claim.kind, item.source) for item in every][:2] == [
        ("speedup", ""),
        ("speedup", "glue"),
    ]


def test_held_out_loss_judges_a_speedup_and_no_gain(make_study):
    speedup, gain = judged(make_study(seeds=SEEDS), score="heldout:mlm")
    # Both have the same loss at the same share: 1,200 steps to 900.
    assert speedup.finding.estimate.value == pytest.approx(4 / 3)
    assert speedup.verdict == "refuted"
    assert (
        "scored by held-out mlm loss, each objective under its own corruption, not by"
        in sentence(speedup)
    )
    assert (gain.verdict, gain.finding) == ("inconclusive", None)
    assert "a gain in points cannot be read from a loss" in sentence(gain)


def test_an_unreached_target_is_a_bound(make_study):
    study = make_study(seeds=SEEDS)
    for cell in study.plan.cells:
        if cell.kind == "evaluation" and cell.objective == "taco":
            record = study.records[cell.id]
            scores = {
                column: {name: value - 0.3 for name, value in metrics.items()}
                for column, metrics in record.scores.items()
            }
            study.change(cell.id, scores=scores)
    speedup, gain = judged(study)
    assert speedup.finding.estimate.side == "below"
    assert "never reached the target (speedup in steps < 1.33x) over 4 seeds, " in sentence(speedup)
    assert (speedup.verdict, gain.verdict) == ("refuted", "refuted")


def test_fewer_than_three_seeds_are_inconclusive_whatever_they_say(make_study):
    speedup, gain = judged(make_study(seeds=(1, 2)))
    for item in (speedup, gain):
        assert item.verdict == "inconclusive"
        assert item.finding.low is None
        assert "2 seeds give no confidence interval (objbench asks for at least 3)" in sentence(
            item
        )
        assert "to settle it" not in sentence(item)


def test_left_out_seeds_are_named(make_study):
    study = make_study(seeds=SEEDS)
    del study.records["glue.cola.mlm.seed-2.3of3.ft-0"]
    speedup, gain = judged(study)
    assert gain.seeds == (1, 3, 4)
    assert "3 of 4 seeds (without 2)" in sentence(gain)
    assert "- Left out: seed 2: 1 evaluation of mlm has not run yet." in detail_text(gain)
    assert "3 of 4 seeds (without 2)" in sentence(speedup)


def test_what_is_left_after_a_divergence_decides_nothing(make_study):
    study = make_study(seeds=SEEDS)
    study.change("taco.seed-4", status="diverged", reason="nan")
    for cell in study.plan.cells:
        if cell.kind == "evaluation" and (cell.objective, cell.seed) == ("taco", 4):
            del study.records[cell.id]
    speedup, gain = judged(study, claims(value=0.1))
    assert gain.finding.low.value > 0.1
    for item in (speedup, gain):
        assert item.verdict == "inconclusive"
        assert "seed 4 diverged, and the others are not a fair sample" in sentence(item)


def test_unequal_spend_is_no_gain(make_study):
    study = make_study(seeds=SEEDS)
    study.give_steps("taco", 1100)
    speedup, gain = judged(study)
    assert gain.finding.verdict == "confirmed"
    assert gain.verdict == "inconclusive"
    assert "the budgets are not equal (taco: its budget is 122% of the baseline's" in sentence(gain)
    assert speedup.verdict == "refuted"


def test_a_study_without_records_is_inconclusive(make_study):
    study = make_study(seeds=SEEDS)
    study.records.clear()
    for item in judged(study):
        assert (item.verdict, item.finding, item.seeds) == ("inconclusive", None, ())
        assert "no seed is complete: mlm's pretraining has not run yet" in sentence(item)
        assert "at an unrecorded scale (paper: 28.5M, 131B)" in sentence(item)
        assert "- Seeds: none counts, since no seed is complete: mlm's pretra" in detail_text(item)


def test_a_study_without_scores_is_inconclusive(make_study):
    study = make_study(seeds=SEEDS)
    study.records.clear()
    study.plan = study.plan.model_copy(update={"suites": ()})
    for item in judged(study):
        assert (item.verdict, item.source) == ("inconclusive", "")
        assert "the study does not score glue" in sentence(item)


def test_device_seconds_of_runs_apart_are_said(make_study):
    study = make_study(seeds=SEEDS)
    speedup, _ = judged(study, claims(axis="seconds"))
    assert speedup.differences.clocks == ""
    made = study.records["taco.seed-1"].provenance
    later = {"started": "2026-01-01T00:01:00+00:00", "finished": "2026-01-01T00:02:00+00:00"}
    for update, words in [
        (later, "device seconds of runs that did not run side by side"),
        ({"threads": 4}, "device seconds from different machines or settings"),
    ]:
        study.change("taco.seed-1", provenance=made.model_copy(update=update))
        speedup, _ = judged(study, claims(axis="seconds"))
        assert words in sentence(speedup)
        elsewhere, _ = judged(study)
        assert words not in sentence(elsewhere)
        assert words in detail_text(elsewhere)


def test_only_the_score_that_a_claim_names_reproduces_it(make_study):
    study = make_study(seeds=SEEDS, points=20)
    speedup, _ = judged(study, score="heldout:mlm")
    assert speedup.verdict == "refuted"
    assert sentence(speedup).startswith("not found by held-out mlm loss at 1.23M parameters")
    elsewhere = TACO.score.model_copy(update={"suite": "probe"})
    _, gain = judged(study, claims(score=elsewhere), score="glue")
    assert (gain.source, gain.verdict) == ("glue", "confirmed")
    assert sentence(gain).startswith("found by glue at 1.23M parameters")


def test_points_are_not_read_from_a_suite_of_losses(make_study):
    study = make_study(seeds=SEEDS)
    losses = [
        suite.model_copy(update={"direction": "min"}) if suite.name == "glue" else suite
        for suite in study.plan.suites
    ]
    study.plan = study.plan.model_copy(update={"suites": tuple(losses)})
    results = study.results()
    for score in ("", "glue", "heldout:mlm"):
        _, gain = judge_claims(results, [TACO], score)
        assert (gain.verdict, gain.finding) == ("inconclusive", None)
        assert "a gain in points cannot be read from a loss" in sentence(gain)
    # A speedup can be judged by a loss, and a gain is judged by no other of them.
    by_every = [(item.claim.kind, item.source) for item in judge_by_every_score(results, [TACO])]
    assert by_every == [("speedup", "glue"), ("speedup", "heldout:mlm"), ("gain", "glue")]


def test_the_text_marks_the_axis_claimed(make_study):
    speedup, gain = judged(make_study(seeds=SEEDS, points=20))
    assert verdict_lines([speedup, gain]) == [
        f"taco-2022 speedup: {sentence(speedup)}",
        f"taco-2022 gain: {sentence(gain)}",
    ]
    text = detail_text(speedup)
    assert text.startswith("## taco-2022 speedup: not reproduced at this scale\n")
    assert "Fu et al. 2022" in text
    first, early = text.split("| at mlm's score at two thirds of its budget")
    rows, early_rows = (
        {
            cells[0]: cells[1:]
            for cells in (
                [cell.strip() for cell in line.split("|")[1:-1]]
                for line in part.splitlines()
                if line.startswith("|")
            )
        }
        for part in (first, early)
    )
    assert rows["steps (claimed)"] == [
        "1.62x [1.44x, 1.85x]",
        "better",
        "4",
        "0",
        "not reproduced at this scale",
    ]
    assert rows["FLOPs"][:2] == ["1.21x [1.08x, 1.38x]", "better"]
    assert {"tokens", "device seconds"} <= set(rows)
    # mlm's score there is 20 / 3 below its final one: taco's mean has it at a share of 0.49167.
    assert speedup.by_axis_early["flops"].estimate.value == pytest.approx(2 / 3 / 0.4916667)
    assert early_rows["FLOPs"] == ["1.36x [1.12x, 1.71x]", "better", "4", "0"]
    assert set(early_rows) > {"steps", "tokens", "FLOPs", "device seconds"}
    assert "| gain     |" in detail_text(gain)


def test_claims_of_other_objectives_are_not_concerned(make_study):
    results = make_study().results()
    assert [file.name for file in concerned(results, shipped_claims())] == ["taco-2022"]
    with pytest.raises(ConfigError, match="electra-2020 is about rtd against mlm, and the study"):
        judge_claims(results, [read_claims("electra-2020")])
    with pytest.raises(UnknownNameError, match="did you mean 'glue'"):
        judge_claims(results, [TACO], "gleu")


def test_the_first_real_study_is_inconclusive():
    for score in ("", "heldout:mlm"):
        for item in judge_claims(read_study_results(TINY), [TACO], score):
            assert item.verdict == "inconclusive"
            assert "at 1.51M parameters and 24.6M tokens (paper: 28.5M, 131B)" in sentence(item)
