"""Speedups of the leaderboard are the judge's: values by hand, bounds, and axes that disagree.

With four seeds and 20 points taco closes mlm's gap at 0.825 of its budget, and the interval ends
at 0.7223 and 0.9277 (test_judge_judgement.py); its 900 steps cost what mlm's 1,200 do in FLOPs.
"""

import dataclasses

import pytest

from objbench.judge.statistics.speedup import Bound
from objbench.leaderboard.findings import axes_sentence, direction_sentences
from objbench.leaderboard.quantity import Quantity
from objbench.leaderboard.speedups import speedup_quantity
from objbench.leaderboard.tables.speedups import speedup_table

SEEDS = (1, 2, 3, 4)


@pytest.fixture
def of(report_of):
    """(study, score) -> its report, and the score's curves."""

    def make(study, name="glue"):
        report = report_of(study)
        return report, next(curve for curve in report.curves if curve.source.name == name)

    return make


def slower_clock(study, factor):
    """Make taco's device seconds longer by a factor, in every record."""
    for cell in study.plan.cells:
        if cell.kind == "evaluation" and cell.objective == "taco":
            meters = study.records[cell.id].meters
            slow = meters.model_copy(update={"seconds": factor * meters.seconds})
            study.change(cell.id, meters=slow)


def speedup(estimate, low=None, high=None):
    return Quantity(estimate=estimate, low=low, high=high, notation="speedup").text


def test_bounds_and_intervals_in_one_notation():
    missed = Bound(1.02, "below")
    assert speedup(Bound(8.0, "above")) == "> 8.00x"
    assert speedup(Bound(1.5)) == "1.50x"
    assert speedup(Bound(1.5), Bound(1.01, "below"), Bound(4.0, "above")) == (
        "1.50x [< 1.01x, > 4.00x]"
    )
    assert speedup(missed, missed, Bound(1.12)) == "< 1.02x, up to 1.12x"
    assert speedup(missed, missed, missed) == "never reached (< 1.02x)"


def test_value_and_interval_by_hand(make_study, of):
    _, curve = of(make_study(seeds=SEEDS, points=20))
    found = curve.speedups
    assert list(found) == ["taco"]
    finding = found["taco"].headline["flops"]
    assert finding.estimate.value == pytest.approx(1 / 0.825)
    assert speedup_quantity(finding).text == "1.21x [1.08x, 1.38x]"
    finding = found["taco"].headline["steps"]
    assert speedup_quantity(finding).text == "1.62x [1.44x, 1.85x]"


def test_the_numbers_are_those_of_the_verdicts(make_study, of):
    report, curve = of(make_study(seeds=SEEDS, points=20))
    verdict = next(item for item in report.verdicts if item.claim.kind == "speedup")
    own = curve.speedups["taco"].headline
    for axis, finding in verdict.by_axis.items():
        assert (own[axis].estimate, own[axis].low, own[axis].high) == (
            finding.estimate,
            finding.low,
            finding.high,
        )


def test_two_seeds_have_no_interval_and_no_direction(make_study, of):
    report, curve = of(make_study(points=20))
    finding = curve.speedups["taco"].headline["steps"]
    assert finding.low is None
    assert direction_sentences(report, curve) == []


def test_an_incomplete_seed_is_named_and_nothing_is_compared(make_study, of):
    study = make_study(seeds=SEEDS)
    del study.records["glue.cola.taco.seed-3.1of3.ft-0"]
    report, curve = of(study)
    found = curve.speedups["taco"]
    assert found.headline == {}
    assert found.why == "seed 3: 1 evaluation of taco has not run yet"
    assert speedup_table(report, curve) == []
    assert axes_sentence(report, curve) == ""


def test_axes_that_disagree_are_said_in_words(make_study, of):
    study = make_study(seeds=SEEDS, points=20)
    report, curve = of(study)
    assert axes_sentence(report, curve) == (
        "By glue score, the order by estimated speedup is the same on every axis: taco, mlm."
    )
    assert direction_sentences(report, curve) == [
        "To mlm's final glue score, by the 95% intervals, taco is faster on every axis."
    ]
    slower_clock(study, 2.5)
    report, curve = of(study)
    assert axes_sentence(report, curve) == (
        "By glue score, the order by estimated speedup depends on the axis: taco, mlm by steps, "
        "tokens and FLOPs; mlm, taco by device seconds."
    )
    assert direction_sentences(report, curve) == [
        (
            "To mlm's final glue score, by the 95% intervals, taco is faster in steps, tokens and "
            "FLOPs, slower in device seconds."
        )
    ]


def test_what_has_only_a_bound_is_named_as_left_out_of_the_order(make_study, of):
    report, curve = of(make_study(seeds=SEEDS, points=20))
    own = curve.speedups["taco"]
    bound = dataclasses.replace(own.headline["seconds"], estimate=Bound(0.9, "below"))
    late = dataclasses.replace(own, objective="late", headline={**own.headline, "seconds": bound})
    curve = dataclasses.replace(curve, speedups={"taco": own, "late": late})
    assert axes_sentence(report, curve) == (
        "By glue score, the order by estimated speedup (without late, of which not every speedup was "
        "measured) is the same on every axis: taco, mlm."
    )


def test_axes_that_tell_nothing_apart_are_said_to(make_study, of):
    # The held-out losses of the two are the same, at the same FLOPs.
    report, curve = of(make_study(seeds=SEEDS, points=20), "heldout:mlm")
    assert direction_sentences(report, curve) == [
        (
            "To mlm's final held-out mlm loss, by the 95% intervals, taco is not "
            "significantly different on any axis."
        )
    ]


def test_a_bound_has_no_place_in_an_order(make_study, of):
    study = make_study(seeds=SEEDS, points=20)
    for cell in study.plan.cells:  # taco never gets to what mlm has at its end
        if cell.kind == "evaluation" and cell.objective == "taco":
            twin = study.records[cell.id.replace("taco", "mlm")]
            lower = {
                name: {metric: value - 0.01 for metric, value in metrics.items()}
                for name, metrics in twin.scores.items()
            }
            study.change(cell.id, scores=lower)
    report, curve = of(study)
    finding = curve.speedups["taco"].headline["flops"]
    assert speedup(finding.estimate) == "< 1.00x"
    assert axes_sentence(report, curve) == ""


def test_the_table_starts_with_the_judged_target_and_goes_down_the_curve(make_study, of, rows):
    (table,) = speedup_table(*of(make_study(seeds=SEEDS, points=20)))
    end, early, high, half, low = rows(table)
    # mlm's four seeds end at 48, 49, 50 and 51 with fine-tuning seed 0.
    assert list(end.values())[:4] == [
        "taco",
        "49.50",
        "final score (judged)",
        "1.62x [1.44x, 1.85x]",
    ]
    # Two thirds of the budget are 20 / 3 points less, which taco has at a share of 0.49167.
    assert list(early.values())[1:3] == ["42.83", "score at two thirds of its budget"]
    assert (early["steps"].split()[0], early["FLOPs"].split()[0]) == ("1.81x", "1.36x")
    # The curve rises by 19 points from a share of 0.05: half of it is at 0.525, which taco has
    # at 0.35 of its budget: 1.5 in FLOPs, 2 in steps.
    assert (half["mlm's glue score"], half["point of its curve"]) == (
        "40.00",
        "50% of its improvement",
    )
    assert (half["steps"].split()[0], half["FLOPs"].split()[0]) == ("2.00x", "1.50x")
    assert (high["mlm's glue score"], low["mlm's glue score"]) == ("44.75", "35.25")


def test_a_loss_is_shown_as_a_loss(make_study, of, rows):
    (table,) = speedup_table(*of(make_study(seeds=SEEDS, points=20), "heldout:mlm"))
    end = rows(table)[0]
    # 4 + turn at the end, in the mean over four turns; both objectives' losses are the same.
    assert end["mlm's held-out mlm loss"] == "5.500"
    assert end["FLOPs"].startswith("1.00x")
