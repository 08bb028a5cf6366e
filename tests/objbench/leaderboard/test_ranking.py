"""Who is ranked on what, against scores worked out by hand in made_study.py."""

import numpy as np
import pytest

from objbench.judge.budgets import budget_mismatch
from objbench.judge.score_arrays import final_scores, score_curves
from objbench.leaderboard.analysis import analyse
from objbench.leaderboard.caveats import caveats
from objbench.leaderboard.findings import findings
from objbench.leaderboard.ranking import ranking
from objbench.results.study_results import join


def standing_of(study):
    return join(study.plan, study.records.values())


FAR = {"majority": 45}
"""A floor that leaves room for any gain."""


def findings_of(study):
    return findings(analyse(standing_of(study)))


def rows_of(study):
    results = standing_of(study)
    return ranking(results, final_scores(results, results.suites[0]))


def test_scores_and_gain_by_hand(make_study):
    best, baseline = rows_of(make_study())
    assert (best.objective, best.rank, baseline.objective, baseline.rank) == ("taco", 1, "mlm", 2)
    assert baseline.score.mean == pytest.approx(49.5)
    assert (baseline.score.least, baseline.score.greatest) == pytest.approx((49.0, 50.0))
    assert best.score.mean == pytest.approx(52.0)
    assert best.gain.mean == pytest.approx(2.5)
    assert (best.gain.least, best.gain.greatest) == pytest.approx((2.0, 3.0))
    assert baseline.gain is None


def test_columns_average_their_metrics_and_finetuning_seeds(make_study):
    results = standing_of(make_study())
    found = final_scores(results, results.suites[0])
    # Rows mlm and taco, columns cola, mrpc, mnli_m, mnli_mm; at the first seed.
    assert found.columns[:, 0] == pytest.approx(
        np.array([[20.0, 75.0, 50.0, 54.0], [22.0, 77.0, 52.0, 56.0]])
    )


def test_curves_use_the_same_finetuning_seeds_at_every_point(make_study):
    results = standing_of(make_study())
    curve = score_curves(results, results.curve_suites[0])["mlm"]
    # Fine-tuning seed 0 alone is 1 point below the mean of both; 20/3 points a third of budget.
    expected = np.array([48.0 - 40 / 3, 48.0 - 20 / 3, 48.0])
    assert curve.scores[:, 0] == pytest.approx(expected)
    assert curve.spend[:, 0, 0] == pytest.approx([400.0, 800.0, 1200.0])
    assert curve.whole == (0, 1, 2)


def test_rank_intervals_groups_and_how_often_it_is_better_by_hand(make_study):
    # Gains 2, 3, 4 and 5: t = 3.5 / (1.291 / 2) = 5.42 with 3 degrees of freedom, p = 0.012.
    best, baseline = rows_of(make_study(seeds=(1, 2, 3, 4)))
    assert (best.group, best.ranks, best.is_significant) == ("a", (1, 1), True)
    assert (baseline.group, baseline.ranks, baseline.is_significant) == ("b", (2, 2), False)
    assert best.improvement.share == 1.0
    # All of four: the lower end is the fourth root of 0.025.
    assert best.improvement.interval == pytest.approx((0.025**0.25, 1.0))
    assert baseline.improvement is None


def test_two_seeds_are_one_group_and_have_no_rank_interval(make_study):
    best, baseline = rows_of(make_study())
    assert (best.group, baseline.group) == ("a", "a")
    assert (best.ranks, baseline.ranks) == (None, None)
    assert (best.improvement.share, best.improvement.interval) == (1.0, None)


def equal_to_mlm(study, objective, *seeds):
    """Give an objective mlm's scores at some seeds, at all when none is named."""
    for cell_id, record in list(study.records.items()):
        own = record.kind == "evaluation" and record.objective == objective
        if own and (not seeds or record.seed in seeds):
            twin = study.records[cell_id.replace(objective, "mlm")]
            study.change(cell_id, scores=twin.scores)


def test_a_gain_that_many_comparisons_take_back_is_not_called_one(make_study):
    # taco's gains 2, 3 and 4 have p = 0.035, which Holm makes 0.105 over three pairs.
    study = make_study(objectives=("mlm", "taco", "same"), seeds=(1, 2, 3), floors=FAR)
    equal_to_mlm(study, "same")
    rows = {row.objective: row for row in rows_of(study)}
    assert {row.group for row in rows.values()} == {"a"}
    assert {row.ranks for row in rows.values()} == {(1, 3)}
    taco, same = findings_of(study)[:2]
    assert taco.startswith(
        "No significant difference on glue, where taco's gain on mlm is +3.00 [+0.52, +5.48] points"
    )
    assert "better if compared alone, but not with all pairs" in taco
    assert same.startswith(
        "No significant difference on glue, where same's gain on mlm is 0.00 [0.00, 0.00]"
    )
    # Alone it is one.
    alone = findings_of(make_study(seeds=(1, 2, 3), floors=FAR))[0]
    assert alone.startswith("Significantly better on glue")


def test_one_missing_task_leaves_the_objective_unranked_and_named(make_study):
    study = make_study()
    del study.records["glue.cola.taco.seed-2.3of3.ft-1"]
    rows = rows_of(study)
    assert [(row.objective, row.rank) for row in rows] == [("mlm", 1), ("taco", None)]
    assert rows[1].score is None
    assert rows[1].gain is None
    assert rows[1].why == "1 evaluation of 12 not there"
    assert any("Not ranked on glue: taco (1 evaluation" in t for t in findings_of(study))


def test_a_missing_intermediate_point_does_not_touch_the_ranking(make_study):
    study = make_study()
    del study.records["glue.cola.taco.seed-2.1of3.ft-0"]
    assert rows_of(study)[0].rank == 1
    results = standing_of(study)
    assert score_curves(results, results.curve_suites[0])["taco"].whole == (1, 2)


def test_a_diverged_run_is_not_ranked_whatever_else_is_there(make_study):
    study = make_study()
    study.change("taco.seed-2", status="diverged", reason="the loss is nan")
    row = rows_of(study)[1]
    assert (row.objective, row.rank, row.why) == ("taco", None, "pretraining with seed 2 diverged")


def test_an_unranked_baseline_leaves_no_gain(make_study):
    study = make_study()
    study.change("glue.mrpc.mlm.seed-1.3of3.ft-0", status="failed", reason="out of memory")
    rows = rows_of(study)
    assert [(row.objective, row.rank, row.gain) for row in rows] == [
        ("taco", 1, None),
        ("mlm", None, None),
    ]
    assert any("the baseline mlm is not ranked" in t for t in findings_of(study))


def test_a_record_without_the_metric_is_not_a_zero(make_study):
    study = make_study()
    study.change("glue.mrpc.taco.seed-1.3of3.ft-0", scores={"mrpc": {"accuracy": 0.7}})
    row = rows_of(study)[1]
    assert (row.objective, row.rank) == ("taco", None)
    assert row.why == "a score of the average is not in the records"


def test_equal_printed_scores_share_a_rank(make_study):
    study = make_study()
    equal_to_mlm(study, "taco")
    rows = rows_of(study)
    assert [row.rank for row in rows] == [1, 1]
    # A tie counts half.
    assert rows[1].improvement.share == 0.5


def test_lower_is_better_where_the_suite_says_so(make_study):
    study = make_study()
    glue = study.plan.suites[0].model_copy(update={"direction": "min"})
    study.plan = study.plan.model_copy(update={"suites": (glue, study.plan.suites[1])})
    assert [row.objective for row in rows_of(study)] == ["mlm", "taco"]
    # A gain is positive where the objective is better.
    assert rows_of(study)[1].gain.mean == pytest.approx(-2.5)


def test_another_budget_is_not_ranked(make_study):
    study = make_study()
    assert budget_mismatch(study.plan, study.plan.objectives[1]) == ""
    study.give_steps("taco", 1800)
    assert [row.rank for row in rows_of(study)] == [1, None]
    assert rows_of(study)[1].why == "its budget is 200% of the baseline's in FLOPs"


def test_a_budget_may_differ_by_part_of_a_step(make_study):
    study = make_study()
    taco = study.plan.objectives[1]
    for steps, equal in ((899, True), (898, False)):
        mismatch = budget_mismatch(study.plan, taco.model_copy(update={"steps": steps}))
        assert (mismatch == "") == equal


def test_two_seeds_are_inconclusive_and_say_so(make_study):
    text = findings_of(make_study())[0]
    assert text == (
        "Inconclusive on glue, where taco's gain on mlm is +2.50 points: 2 seeds give no confidence "
        "interval (objbench asks for at least 3)."
    )


def test_three_seeds_have_an_interval(make_study):
    text = findings_of(make_study(seeds=(1, 2, 3), floors=FAR))[0]
    # Gains 2, 3, 4: half-width 4.302653 / sqrt(3) = 2.484.
    assert text == (
        "Significantly better on glue, where taco's gain on mlm is +3.00 [+0.52, +5.48] points over 3 paired seeds."
    )


def test_a_gain_on_a_suite_without_floors_is_no_verdict(make_study):
    found = findings_of(make_study(seeds=(1, 2, 3)))
    first, second = found[:2]
    assert first == (
        "glue carries no verdict: it is not known what it would give without pretraining."
    )
    assert second.startswith("No verdict on glue, where taco's gain on mlm is +3.00 [+0.52, +5.48]")
    assert not any("ignificant" in text and "glue" in text for text in found)


def test_an_interval_around_zero_tells_nothing_apart(make_study):
    study = make_study(seeds=(1, 2, 3), floors=FAR)
    equal_to_mlm(study, "taco", 3)
    text = findings_of(study)[0]
    assert text.startswith("No significant difference on glue")
    assert text.endswith("over 3 paired seeds.")


def test_a_limit_on_training_examples_is_stated(make_study):
    study = make_study()
    study.change("glue.cola.mlm.seed-1.3of3.ft-0", max_train_samples=500, train_examples=500)
    assert caveats(standing_of(study))[0] == (
        "Trained on at most 500 examples per task on glue: not comparable with published scores."
    )


def test_what_sees_one_part_of_a_batch_at_a_time_is_stated(make_study):
    study = make_study()
    plain = caveats(standing_of(study))
    assert not any("parts" in text for text in plain)
    training = {**study.plan.study["training"], "micro_batches": 4}
    mlm, taco = study.plan.objectives
    contrast = taco.model_copy(update={"across_sequences": "its negatives are far"})
    cut = study.plan.model_copy(update={"study": {**study.plan.study, "training": training}})
    study.plan = cut
    assert caveats(standing_of(study)) == plain, "nothing compares sequences"
    study.plan = cut.model_copy(update={"objectives": (mlm, contrast)})
    (text,) = set(caveats(standing_of(study))) - set(plain)
    assert text.startswith("Batches are computed in 4 parts to save memory.")
    assert text.endswith("so its loss is not that of a whole batch: taco (its negatives are far).")


def test_a_spend_that_came_out_unequal_is_stated(make_study):
    study = make_study()
    for seed in (1, 2):
        point = study.records[f"taco.seed-{seed}"].points[-1]
        spent = point.meters.model_copy(update={"flops": point.meters.flops * 1.1})
        study.change(f"taco.seed-{seed}", points=[point.model_copy(update={"meters": spent})])
    assert "Measured FLOPs, relative to the baseline's: taco 110%." in caveats(standing_of(study))
