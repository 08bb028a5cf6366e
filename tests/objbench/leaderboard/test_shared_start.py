"""What runs of one seed share is said only where it is so."""

import pytest

from objbench.judge.shared_corruption import masking, shared_masking
from objbench.leaderboard.reading import reading
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.sections import page_document
from objbench.leaderboard.shared_start import shared_words, start_sentence

RANGE = "encoder.config.initializer_range"


def changed(plan, **changes):
    """The plan with fields of its objectives changed: objective -> field -> value."""
    objectives = tuple(o.model_copy(update=changes.get(o.name, {})) for o in plan.objectives)
    return plan.model_copy(update={"objectives": objectives})


def tuned(study, *values):
    own = zip(("mlm", "taco"), values, strict=True)
    study.plan = changed(study.plan, **{n: {"overrides": {RANGE: v}} for n, v in own})
    return study


def test_tuned_initial_weights_are_named_under_the_headline(make_study, report_of):
    report = report_of(tuned(make_study(seeds=(1, 2, 3)), 0.06, 0.02))
    own = "initial weights differ: initializer_range 0.06 (mlm), 0.02 (taco)"
    said = f"{own}, so this is not an objective-only comparison."
    assert said in start_sentence(report.plan)
    lines = render_markdown(page_document(report)).splitlines()
    (line,) = [line for line in lines[: lines.index("## Details")] if line.startswith("Same seeds")]
    assert line.endswith(said)
    assert not any("same initial weights" in str(point) for point in reading(report))


def test_equal_settings_say_nothing_and_share_the_weights(make_study, report_of):
    report = report_of(tuned(make_study(seeds=(1, 2, 3)), 0.02, 0.02))
    assert start_sentence(report.plan) == ""
    assert any("the same initial weights, documents" in str(point) for point in reading(report))


def test_a_setting_of_one_side_differs_from_the_default_of_the_other(make_study):
    plan = changed(make_study().plan, taco={"overrides": {"encoder.config.hidden_act": "relu"}})
    assert start_sentence(plan).endswith(
        "encoder settings differ: hidden_act default (mlm), relu (taco), so this is not an "
        "objective-only comparison."
    )


def test_another_batch_reads_other_documents(make_study):
    plan = changed(make_study().plan, taco={"overrides": {"training.batch": 7}})
    assert shared_words(plan) == "initial weights"


def test_losses_are_comparable_where_masking_is_the_same(make_study):
    same = {"rate": 0.15, "mask_share": 0.8, "final_rate": None}
    plan = changed(
        make_study().plan,
        mlm={"options": same},
        taco={"options": {"mlm.rate": 0.15, "mlm.mask_share": 0.8, "tc.weight": 1.0}},
    )
    assert shared_masking(plan, "mlm", ("mlm", "taco")) == "rate 0.15, mask_share 0.8"
    other = changed(plan, taco={"options": same | {"rate": 0.4}})
    assert shared_masking(other, "mlm", ("mlm", "taco")) == ""
    neither = changed(plan, mlm={"options": {}}, taco={"options": {}})
    assert shared_masking(neither, "mlm", ("mlm", "taco")) == ""


@pytest.mark.parametrize(
    ("options", "term", "found"),
    [
        ({"rate": 0.15, "temperature": 0.1}, "mlm", {"rate": 0.15}),
        ({"taco.rate": 0.15, "taco.temperature": 0.1}, "mlm", {"rate": 0.15}),
        ({"taco.rate": 0.15, "simcse.temperature": 0.1}, "tc", {"rate": 0.15}),
        (
            {"mlm.rate": 0.3, "mlm.final_rate": 0.15, "tc.window": 5},
            "mlm",
            {"rate": 0.3, "final_rate": 0.15},
        ),
        ({"mlm.rate": 0.3, "span.rate": 0.15}, "span", {"rate": 0.15}),
        # Which of the two masks the text of a third is not known from the options.
        ({"mlm.rate": 0.3, "span.rate": 0.15}, "tc", {}),
        ({"rate": 0.15, "final_rate": None}, "mlm", {"rate": 0.15}),
        ({"temperature": 0.1}, "mlm", {}),
    ],
)
def test_masking_is_that_of_the_part_that_masks(options, term, found):
    assert masking(options, term) == found
