"""The rules of a track: an honest study keeps them, and whatever is changed breaks the one that is meant."""

import pytest
from made_track import FALLING, TOY, track_study

from objbench.judge.track.rows import judged
from objbench.judge.track.rules import recipe_faults, study_faults
from objbench.judge.track.track import read_track

FIRST = "mlm.seed-0"


@pytest.fixture
def study():
    return track_study({"mlm": [FALLING] * 5})


def faults(study):
    results = study.results()
    return [*study_faults(TOY, results), *recipe_faults(TOY, results, "mlm")]


def test_an_honest_study_keeps_all_rules(study):
    assert faults(study) == []
    found = judged(TOY, "mine", study.results())
    assert [row.name for row in found.rows] == ["mine: mlm"]


def drop_a_seed(study):
    del study.records["mlm.seed-4"]


def hide_a_seed(study):
    study.change_plan(declared=((0, 1, 2, 3, 4, 5),))


def fail_a_seed(study):
    study.change(FIRST, status="failed", points=[])


def add_seeds_later(study):
    study.change_plan(declared=((0, 1, 2, 3), (4,)))


def look_at_seeds_twice(study):
    study.change_plan(looks=(3, 5))


def evaluate_once_more(study):
    study.change_points(FIRST, lambda points: [*points[:2], points[1], *points[2:]])


def leave_out_a_point(study):
    study.change_points(FIRST, lambda points: points[1:])


def evaluate_elsewhere(study):
    def edit(points):
        meters = points[3].meters.model_copy(update={"steps": points[3].meters.steps + 1})
        return [*points[:3], points[3].model_copy(update={"meters": meters}), *points[4:]]

    study.change_points(FIRST, edit)


def common(**values):
    def edit(points):
        last = points[-1].common.model_copy(update=values)
        return [*points[:-1], points[-1].model_copy(update={"common": last})]

    return lambda study: study.change_points(FIRST, edit)


def unmeasured(study):
    study.change_points(FIRST, lambda p: [p[0].model_copy(update={"common": None}), *p[1:]])


def text(part, digest):
    def change(study):
        made_from = {**study.records[FIRST].made_from, part: digest}
        study.change(FIRST, made_from={n: d for n, d in made_from.items() if d})

    return change


def teacher(study):
    taught = study.plan.objectives[0].model_copy(update={"teachers": ("mlm",)})
    study.change_plan(objectives=(taught,))


def override(study):
    own = study.plan.objectives[0].model_copy(update={"overrides": {"training.batch": 64}})
    study.change_plan(objectives=(own,))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (drop_a_seed, "mlm.seed-4 has no record"),
        (hide_a_seed, "seed 5 was declared and is not in the plan"),
        (fail_a_seed, "mlm.seed-0 failed"),
        (add_seeds_later, "declared 2 times"),
        (lambda s: s.change_plan(declared=((0, 1, 2),)), "declares 3 seeds, and the track needs 5"),
        (look_at_seeds_twice, "looks at 3, 5 seeds"),
        (evaluate_once_more, "was evaluated after 43 60 60 85"),
        (leave_out_a_point, "was evaluated after 60 85"),
        (evaluate_elsewhere, "was evaluated after 43 60 85 121"),
        (lambda s: s.change_study("evaluation", points=8), "evaluation.points is 8"),
        (lambda s: s.change_study("evaluation", heldout_batches=1), "heldout_batches is 1"),
        (lambda s: s.change_study("training", batch=64), "training.batch is 64"),
        (override, "the training.batch of mlm is 64"),
        (lambda s: s.change_study("data", length=64), "data.length is 64"),
        (lambda s: s.change_study("data", length="32"), "data.length is 32"),
        (lambda s: s.change_plan(data={"key": "0", "vocabulary": 420}), "the key of its data"),
        (lambda s: s.change_plan(data={}), "does not have the 420 tokens"),
        (text("train", "0" * 64), "the train text of mlm.seed-0 is 000000000000..."),
        (text("heldout", ""), "the heldout text of mlm.seed-0 has no digest"),
        (
            lambda s: s.change_study("encoder", init="a", init_digest="0" * 64),
            "continue from a checkpoint",
        ),
        (teacher, "mlm learns from mlm"),
        (common(of="next"), "the loss of next tokens"),
        (common(of="own"), "the loss of own tokens"),
        (unmeasured, "the loss of nothing tokens"),
        (common(tokens=14), "14 tokens were predicted at step 240"),
    ],
)
def test_whatever_is_changed_is_found(study, spoil, said):
    spoil(study)
    found = faults(study)
    assert any(said in fault for fault in found), found
    assert all("\n" not in fault for fault in found)
    assert judged(TOY, "mine", study.results()).rows == ()


def test_a_run_that_diverged_is_no_fault_and_no_row_is_lost():
    study = track_study({"mlm": [FALLING] * 4 + [FALLING[:2]]})
    assert faults(study) == []
    (row,) = judged(TOY, "mine", study.results()).rows
    assert [run.point for run in row.runs["bits", "flops"]] == [5, 5, 5, 5, 0]


def test_a_fault_of_one_recipe_leaves_the_others():
    study = track_study({"mlm": [FALLING] * 5, "taco": [FALLING] * 5})
    study.change_points("taco.seed-1", lambda points: points[1:])
    found = judged(TOY, "mine", study.results())
    assert [row.objective for row in found.rows] == ["mlm"] and list(found.of_recipe) == ["taco"]


def test_on_another_track_it_is_another_text(study):
    found = [*study_faults(read_track("english"), study.results())]
    assert any("is not the track's" in fault for fault in found)


def test_where_the_batch_is_free_the_held_out_text_is_of_one_size():
    english = read_track("english")
    losses = (2.0, 1.9, 1.8, 1.7, 1.6, 1.5, 1.4, 1.3)

    def study(batch, length, batches):
        sizes = {"batch": batch, "length": length, "heldout_batches": batches}
        return track_study({"mlm": [losses] * 5}, track=english, steps=6000, **sizes).results()

    for sizes in ((32, 64, 32), (64, 64, 16), (32, 128, 16)):
        assert [*study_faults(english, study(*sizes))] == []
        assert [*recipe_faults(english, study(*sizes), "mlm")] == []
    (fault,) = recipe_faults(english, study(32, 64, 16), "mlm")
    assert "is 32,768 tokens" in fault and "scores 65,536" in fault
