"""Claims judged on the made-up study, against intervals worked out by hand.

With four seeds taco minus mlm is 2, 3, 4 and 5 points: 3.5 +- t(3, 0.975) * 1.291 / 2 = 2.054. At
a share s of its budget taco's gap to mlm's final score is that less 20 (1 - s), so it closes at
s = 0.825, and with points enough its interval ends where the gap is 2.054 from zero: s = 0.7223
and 0.9277.
"""

from pathlib import Path

import pytest

from objbench.errors import ConfigError, UnknownNameError
from objbench.judge.judgement import concerned, judge_claims
from objbench.judge.papers.claims import read_claims, shipped_claims
from objbench.judge.verdict_text import detail_text, verdict_lines
from objbench.results.study_results import join, read_study_results

SEEDS = (1, 2, 3, 4)
TINY = Path(__file__).parents[3] / "leaderboard" / "tiny"
TACO = read_claims("taco-2022")


def claims(**changes):
    """TACO's claims with fields of every claim, or of the file, replaced."""
    own = {k: v for k, v in changes.items() if k in ("value", "axis", "qualifier")}
    of_file = {k: v for k, v in changes.items() if k not in own}
    items = tuple(claim.model_copy(update=own) for claim in TACO.claims)
    return TACO.model_copy(update={"claims": items, **of_file})


def judged(study, file=TACO, score=""):
    results = join(study.plan, study.records.values())
    speedup, gain = judge_claims(results, [file], score)
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
        assert gain.sentence.startswith(f"{verdict} at 1.23M parameters and ")
        assert "gain in points +3.50, 95% interval +1.45 to +5.55, 4 seeds" in gain.sentence


def test_an_open_verdict_says_how_many_more_seeds_it_takes(make_study):
    study = make_study(seeds=SEEDS)
    _, gain = judged(study, claims(value=3.0))
    assert gain.finding.more_seeds > 0
    more = f"about {gain.finding.more_seeds} more seeds would settle it at this spread"
    assert more in gain.sentence
    # Exactly as claimed: no number of seeds tells it from a hair less.
    _, gain = judged(study, claims(value=gain.finding.estimate.value))
    assert gain.finding.more_seeds is None
    assert "no number of more seeds can be given that would settle it" in gain.sentence
    _, gain = judged(study, claims(value=1.2))
    assert "more seeds" not in gain.sentence


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
    assert "speedup in steps 1.62x, 95% interval 1.44x to 1.85x, 4 seeds" in speedup.sentence
    assert "up to 5.00x claimed" in speedup.sentence


def test_an_up_to_that_is_refuted_leaves_other_settings_open(make_study):
    study = make_study(seeds=SEEDS)
    refuted, confirmed = judged(study)
    assert "'up to' leaves other settings open" in refuted.sentence
    assert confirmed.verdict == "confirmed"
    assert "leaves other settings open" not in confirmed.sentence
    plainly, _ = judged(study, claims(qualifier=""))
    assert plainly.verdict == "refuted"
    assert "leaves other settings open" not in plainly.sentence


def test_the_axis_claimed_decides(make_study):
    study = make_study(seeds=SEEDS, points=20)
    for axis, verdict in [("steps", "confirmed"), ("flops", "inconclusive")]:
        speedup, _ = judged(study, claims(value=1.3, axis=axis))
        assert speedup.verdict == verdict


def test_every_label_of_another_measurement_is_in_the_sentence(make_study):
    study = make_study(seeds=SEEDS)
    for cell in study.plan.cells:
        if cell.kind == "evaluation":
            study.change(cell.id, max_train_samples=1000)
    speedup, gain = judged(study)
    for item in (speedup, gain):
        # 1,200 steps of 2,048 tokens.
        assert "at 1.23M parameters and 2.46M tokens (paper: 28.5M, 131B)" in item.sentence
        assert "another protocol than taco-2022" in item.sentence
        assert "mean of three tasks, not mean of nine columns" in item.sentence
        assert "fine-tuned on at most 1,000 examples a task" in item.sentence
    assert "points before the last unannealed (linear schedule)" in speedup.sentence
    assert "at equal FLOPs, not equal steps" in gain.sentence
    assert "unannealed" not in gain.sentence
    assert "at equal" not in speedup.sentence


def replan(made, protocol, label, **settings):
    glue, *others = made.plan.suites
    glue = glue.model_copy(update={"protocol": protocol, "average_label": label})
    made.plan = made.plan.model_copy(update={"suites": (glue, *others), **settings})


def test_the_papers_own_measurement_carries_no_label(make_study):
    study = make_study(seeds=SEEDS)
    trunk = {**study.plan.study, "training": {"schedule": "trunk"}}
    label = "mean of nine columns"
    replan(study, "taco-2022: AdamW, lr 5e-5", label, equalize="steps", study=trunk)
    same = {o.name: o.model_copy(update={"steps": 1200}) for o in study.plan.objectives}
    study.plan = study.plan.model_copy(update={"objectives": tuple(same.values())})
    scale = TACO.scale.model_copy(
        update={"parameters": 1_200_000, "tokens": 2_500_000, "sequences": 0, "length": 0}
    )
    speedup, gain = judged(study, claims(scale=scale))
    assert (speedup.labels.apart, gain.labels.apart) == ((), ())
    assert speedup.sentence.startswith(
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
    assert f"glue by {words}" in judged(study)[0].sentence


def test_another_suite_is_judged_by_and_said(make_study):
    study = make_study(seeds=SEEDS)
    score = TACO.score.model_copy(update={"suite": "superglue"})
    speedup, gain = judged(study, claims(score=score))
    assert (speedup.source, gain.source) == ("glue", "glue")
    assert "by glue (mean of three tasks), not by the paper's superglue" in gain.sentence


def test_held_out_loss_judges_a_speedup_and_no_gain(make_study):
    speedup, gain = judged(make_study(seeds=SEEDS), score="heldout:mlm")
    # Both have the same loss at the same share: 1,200 steps to 900.
    assert speedup.finding.estimate.value == pytest.approx(4 / 3)
    assert speedup.verdict == "refuted"
    assert "by held-out mlm loss, each under its own corruption, not by the p" in speedup.sentence
    assert (gain.verdict, gain.finding) == ("inconclusive", None)
    assert "a gain in points cannot be read off a loss" in gain.sentence


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
    assert "speedup in steps less than 1.33x, 95% interval less than 1.33x, 4" in speedup.sentence
    assert (speedup.verdict, gain.verdict) == ("refuted", "refuted")


def test_fewer_than_three_seeds_are_inconclusive_whatever_they_say(make_study):
    speedup, gain = judged(make_study(seeds=(1, 2)))
    for item in (speedup, gain):
        assert item.verdict == "inconclusive"
        assert item.finding.low is None
        assert "2 pretraining seeds carry no interval: at least 3 are needed" in item.sentence
        assert "would settle it" in item.sentence


def test_left_out_seeds_are_named(make_study):
    study = make_study(seeds=SEEDS)
    del study.records["glue.cola.mlm.seed-2.3of3.ft-0"]
    speedup, gain = judged(study)
    assert gain.seeds == (1, 3, 4)
    assert "3 of 4 seeds (without 2)" in gain.sentence
    assert "- Left out: seed 2: mlm's 1 evaluation not run yet." in detail_text(gain)
    assert "3 of 4 seeds (without 2)" in speedup.sentence


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
        assert "seed 4 diverged, and the seeds that did not are no fair sample" in item.sentence


def test_unequal_spend_is_no_gain(make_study):
    study = make_study(seeds=SEEDS)
    mlm, taco = study.plan.objectives
    dearer = taco.model_copy(update={"steps": 1100})
    study.plan = study.plan.model_copy(update={"objectives": (mlm, dearer)})
    speedup, gain = judged(study)
    assert gain.finding.verdict == "confirmed"
    assert gain.verdict == "inconclusive"
    assert "spends are not equal (taco: its budget is 122% of the baseline's" in gain.sentence
    assert speedup.verdict == "refuted"


def test_a_study_without_records_is_inconclusive(make_study):
    study = make_study(seeds=SEEDS)
    study.records.clear()
    for item in judged(study):
        assert (item.verdict, item.finding, item.seeds) == ("inconclusive", None, ())
        assert "no seed is complete: mlm's pretraining not run yet" in item.sentence
        assert "at a scale not recorded (paper: 28.5M, 131B)" in item.sentence
        assert "0 of 4 seeds (without 1, 2, 3 and 4)" in item.sentence


def test_a_study_without_scores_is_inconclusive(make_study):
    study = make_study(seeds=SEEDS)
    study.records.clear()
    study.plan = study.plan.model_copy(update={"suites": ()})
    for item in judged(study):
        assert (item.verdict, item.source) == ("inconclusive", "")
        assert "the study holds no score of both objectives" in item.sentence


def test_device_seconds_of_runs_apart_are_said(make_study):
    study = make_study(seeds=SEEDS)
    speedup, _ = judged(study, claims(axis="seconds"))
    assert speedup.labels.clocks == ""
    made = study.records["taco.seed-1"].provenance
    later = {"started": "2026-01-01T00:01:00+00:00", "finished": "2026-01-01T00:02:00+00:00"}
    for update, words in [
        (later, "device seconds of runs that were not side by side"),
        ({"threads": 4}, "device seconds of different machines or settings"),
    ]:
        study.change("taco.seed-1", provenance=made.model_copy(update=update))
        speedup, _ = judged(study, claims(axis="seconds"))
        assert words in speedup.sentence
        elsewhere, _ = judged(study)
        assert words not in elsewhere.sentence
        assert words in detail_text(elsewhere)


def test_the_text_marks_the_axis_claimed(make_study):
    speedup, gain = judged(make_study(seeds=SEEDS, points=20))
    assert verdict_lines([speedup, gain]) == [
        f"taco-2022 speedup: {speedup.sentence}",
        f"taco-2022 gain: {gain.sentence}",
    ]
    text = detail_text(speedup)
    assert text.startswith("## taco-2022 speedup: refuted\n")
    assert "Fu et al. 2022" in text
    rows = {
        cells[0]: cells[1:]
        for cells in (
            [cell.strip() for cell in line.split("|")[1:-1]]
            for line in text.splitlines()
            if line.startswith("|")
        )
    }
    assert rows["steps (claimed)"] == ["1.62x", "1.44x to 1.85x", "better", "4", "0", "refuted"]
    assert rows["FLOPs"][:3] == ["1.21x", "1.08x to 1.38x", "better"]
    assert {"tokens", "device seconds"} <= set(rows)
    assert "| gain     |" in detail_text(gain)


def test_claims_of_other_objectives_are_not_concerned(make_study):
    results = join((study := make_study()).plan, study.records.values())
    assert [file.name for file in concerned(results, shipped_claims())] == ["taco-2022"]
    with pytest.raises(ConfigError, match="electra-2020 is about rtd against mlm, and the study"):
        judge_claims(results, [read_claims("electra-2020")])
    with pytest.raises(UnknownNameError, match="did you mean 'glue'"):
        judge_claims(results, [TACO], "gleu")


def test_the_first_real_study_is_inconclusive():
    for score in ("", "heldout:mlm"):
        for item in judge_claims(read_study_results(TINY), [TACO], score):
            assert item.verdict == "inconclusive"
            assert "at 1.51M parameters and 24.6M tokens (paper: 28.5M, 131B)" in item.sentence
