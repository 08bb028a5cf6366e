"""What stands in a row beside the runs: branches of a trunk, and the trials that chose settings."""

from hashlib import sha256

import pytest

from objbench.leaderboard.settings import seeds_words
from objbench.leaderboard.tables.costs import cost_table
from objbench.leaderboard.tables.tuning import tuning_sentence, tuning_table
from objbench.results.training_points import LoggedPoint

BRANCHES = "cooldown branches (not in budget)"


@pytest.fixture
def costs(report_of, rows):
    """(study) -> objective -> its row of the cost table."""
    return lambda study: {row["objective"]: row for row in rows(cost_table(report_of(study)))}


def test_trials_are_part_of_the_price_by_hand(make_study, costs):
    # Half of 1,200 steps at 3 GFLOPs and a sixteenth of a second, three times.
    assert costs(make_study(trials=3))["mlm"]["tuning"] == "3 trials: 5.40e12 FLOPs, 112 s"


def test_without_trials_and_branches_there_are_no_such_columns(make_study, costs, report_of):
    assert not {"tuning", BRANCHES} & set(costs(make_study())["mlm"])
    assert report_of(make_study()).tuning is None


def test_branches_are_counted_apart_in_the_mean_over_runs(make_study, costs):
    study = make_study()
    for seed, steps in ((1, 100), (2, 300)):
        cost = study.records[f"taco.seed-{seed}"].cost
        changed = cost.model_copy(update={"branch_steps": steps, "branch_seconds": 12.5})
        study.change(f"taco.seed-{seed}", cost=changed)
    found = costs(study)
    assert found["taco"][BRANCHES] == "200 steps, 12.5 s"
    assert found["mlm"][BRANCHES] == "0 steps, 0 s"
    # They are no part of the objective's own spend.
    assert found["taco"]["steps"] == "900"


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(lambda meters: {"reached": meters}, id="in a record"),
        pytest.param(
            lambda meters: {
                "log": [LoggedPoint(meters=meters, loss=9.0, terms={}, learning_rate=0.1)]
            },
            id="in the log of an earlier version",
        ),
    ],
)
def test_a_trial_that_diverged_has_spent_what_it_reached(make_study, report_of, rows, costs, kept):
    study = make_study(trials=2)
    meters = study.records["mlm.trial-1"].points[0].meters.model_copy(update={"flops": 1e12})
    study.change("mlm.trial-1", status="diverged", reason="nan", points=[], **kept(meters))
    del study.records["taco.trial-0"]
    report = report_of(study)
    assert costs(study)["mlm"]["tuning"].startswith("2 trials: 2.80e12 FLOPs")
    assert costs(study)["taco"]["tuning"].endswith("(1 not recorded)")
    scores = {(row["objective"], row["chosen"]): row for row in rows(tuning_table(report.tuning))}
    assert scores["mlm", ""]["held-out mlm"] == "diverged"
    assert scores["taco", "yes"]["held-out mlm"] == "missing"


def test_the_tuning_table_has_a_row_a_trial(make_study, report_of, rows):
    report = report_of(make_study(trials=2))
    first, second, *others = rows(tuning_table(report.tuning))
    assert first["training.learning_rate"] == "0.001"
    assert (first["held-out mlm"], first["chosen"], first["steps"]) == ("4.000", "yes", "600")
    assert (second["held-out mlm"], second["chosen"]) == ("4.100", "")
    assert [row["objective"] for row in others] == ["taco", "taco"]
    assert tuning_sentence(report.tuning).startswith(
        "Before the seeds were run, every objective got 2 trials of 600-steps"
    )


def test_a_choice_on_one_seed_is_said_to_be_one(make_study, report_of):
    said = "Each setting was tried on one seed, so the choice may be luck."
    assert tuning_sentence(report_of(make_study(trials=2)).tuning).endswith(said)
    several = report_of(make_study(trials=2, tuning_seeds=(1000, 1001, 1002)))
    assert said not in tuning_sentence(several.tuning)


def test_each_setting_stands_with_its_mean_and_spread_over_the_tuning_seeds(
    make_study, report_of, rows
):
    report = report_of(make_study(trials=2, tuning_seeds=(1000, 1001, 1002)))
    found = rows(tuning_table(report.tuning))
    assert [row["objective"] for row in found] == ["mlm", "mlm", "taco", "taco"]
    assert found[1] == {
        "objective": "mlm",
        "training.learning_rate": "0.002",
        # 4.1 at the first tuning seed, half more at each of the others.
        "held-out mlm, mean": "4.600",
        "smallest": "4.100",
        "largest": "5.100",
        "seeds": "3",
        "chosen": "",
        # Three times half of 1,200 steps at 3 GFLOPs and a sixteenth of a second.
        "steps": "1,800",
        "FLOPs": "5.40e12",
        "device time": "112 s",
    }
    assert [row["chosen"] for row in found] == ["yes", "", "yes", ""]
    # The objective's row pays for all six.
    (tuned, _) = rows(cost_table(report))
    assert tuned["tuning"] == "6 trials: 1.08e13 FLOPs, 3.75 min"
    assert tuning_sentence(report.tuning) == (
        "Before the seeds were run, every objective got 6 trials of 600-steps (the baseline's, at "
        "equal spend), 2 settings on each of the pretraining seeds 1000, 1001 and 1002, scored by "
        "held-out mlm loss, on text that no reported number is measured on; the best mean over "
        "these seeds gave each objective its settings. A setting that diverged or failed on one "
        "of them has no mean and was not chosen; what was spent is summed over the seeds."
    )


def test_a_setting_that_diverged_on_one_tuning_seed_has_no_mean(make_study, report_of, rows):
    study = make_study(trials=2, tuning_seeds=(1000, 1001, 1002))
    study.change("mlm.trial-1.seed-1002", status="diverged", reason="nan", points=[])
    for name in ("taco.trial-0", "taco.trial-0.seed-1001", "taco.trial-0.seed-1002"):
        del study.records[name]
    _, mlm, taco, _ = rows(tuning_table(report_of(study).tuning))
    assert mlm["held-out mlm, mean"] == "diverged on 1 of 3 seeds"
    assert (mlm["smallest"], mlm["largest"], mlm["seeds"]) == ("4.100", "4.600", "2 of 3")
    assert mlm["steps"] == "1,200"
    assert taco["held-out mlm, mean"] == "missing on 3 of 3 seeds"
    assert [taco[name] for name in ("smallest", "largest", "seeds")] == ["-", "-", "0 of 3"]
    assert [taco[name] for name in ("steps", "FLOPs", "device time")] == ["-"] * 3


def test_a_suite_may_have_chosen(make_study, report_of, rows):
    study = make_study(trials=1)
    tuning = {**study.plan.study["tuning"], "score": "glue"}
    cells = list(study.plan.cells)
    for task in ("cola", "mrpc", "mnli"):
        of = next(c for c in cells if c.kind == "evaluation" and c.task == task and c.share == 1)
        scored = f"glue.{task}.mlm.trial-0"
        changes = {
            "id": scored,
            "key": sha256(scored.encode()).hexdigest(),
            "kind": "trial_evaluation",
        }
        cells.append(of.model_copy(update={**changes, "seed": 1000, "needs": ("mlm.trial-0",)}))
        study.records[scored] = study.records[of.id].model_copy(update={**changes, "seed": 1000})
    changes = {"cells": tuple(cells), "study": {**study.plan.study, "tuning": tuning}}
    study.plan = study.plan.model_copy(update=changes)
    report = report_of(study)
    mlm, taco = rows(tuning_table(report.tuning))
    # mlm's own 49 less 1 for fine-tuning seed 0; nothing scored taco's trial.
    assert (mlm["glue"], taco["glue"]) == ("48.00", "incomplete")
    assert "by glue on a split of its training examples" in tuning_sentence(report.tuning)
    # What tuned is not what is reported.
    assert report.seeds == (1, 2)


def test_seeds_are_shown_as_they_were_declared(make_study):
    assert seeds_words(make_study().plan) == "1, 2"
    once = make_study(declared=((1, 2),)).plan
    assert seeds_words(once) == "1, 2, declared before the first run"
    later = make_study(seeds=(0, 1, 2, 3, 4), declared=((0, 1, 2), (3, 4))).plan
    assert seeds_words(later) == "0, 1, 2 declared first; 3, 4 added later"
