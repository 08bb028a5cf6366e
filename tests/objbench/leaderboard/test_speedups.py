"""Speedups on the board are the judge's: values by hand, bounds, and axes that disagree.

With four seeds and 20 points taco closes mlm's gap at 0.825 of its budget, and the interval ends
at 0.7223 and 0.9277 (test_judge_judgement.py); its 900 steps cost what mlm's 1,200 do in FLOPs.
"""

import pytest

from objbench.judge.judgement import concerned, judge_claims
from objbench.judge.papers.claims import shipped_claims
from objbench.judge.statistics.speedup import Bound
from objbench.leaderboard.curve_sources import curve_sources
from objbench.leaderboard.speedups import (
    axes_sentence,
    bound_words,
    brief_bound,
    direction_sentences,
    speedup_text,
    speedups,
)
from objbench.leaderboard.tables.speedups import speedup_table
from objbench.results.study_results import join

SEEDS = (1, 2, 3, 4)


def standing_of(study):
    return join(study.plan, study.records.values())


def of(study, name="glue"):
    results = standing_of(study)
    source = next(s for s in curve_sources(results) if s.name == name)
    return results, source


def cells(table):
    """A markdown table's rows as lists of cells, the header first and the rule left out."""
    lines = [line for line in table.splitlines() if not line.startswith(("|:", "|-"))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def slower_clock(study, factor):
    """Make taco's device seconds longer by a factor, in every record."""
    for cell in study.plan.cells:
        if cell.kind == "evaluation" and cell.objective == "taco":
            meters = study.records[cell.id].meters
            slow = meters.model_copy(update={"seconds": factor * meters.seconds})
            study.change(cell.id, meters=slow)


def test_bounds_are_words_and_intervals_stand_in_square_brackets():
    one, low = Bound(1.5), Bound(1.01, "below")
    assert bound_words(Bound(8.0, "above")) == "more than 8.00x"
    assert brief_bound(Bound(8.0, "above")) == ">8.00x"
    assert speedup_text(one, None, None) == "1.50x"
    assert speedup_text(one, low, Bound(4.0, "above")) == (
        "1.50x [less than 1.01x to more than 4.00x]"
    )


def test_value_and_interval_by_hand(make_study):
    results, source = of(make_study(seeds=SEEDS, points=20))
    found = speedups(results, source)
    assert list(found) == ["taco"]
    finding = found["taco"].headline["flops"]
    assert finding.estimate.value == pytest.approx(1 / 0.825)
    assert speedup_text(finding.estimate, finding.low, finding.high) == "1.21x [1.08x to 1.38x]"
    finding = found["taco"].headline["steps"]
    assert speedup_text(finding.estimate, finding.low, finding.high) == "1.62x [1.44x to 1.85x]"


def test_the_numbers_are_those_of_the_verdicts(make_study):
    results, source = of(make_study(seeds=SEEDS, points=20))
    judged = judge_claims(results, concerned(results, shipped_claims()))
    verdict = next(item for item in judged if item.claim.kind == "speedup")
    own = speedups(results, source)["taco"].headline
    for axis, finding in verdict.by_axis.items():
        assert (own[axis].estimate, own[axis].low, own[axis].high) == (
            finding.estimate,
            finding.low,
            finding.high,
        )


def test_two_seeds_have_no_interval_and_no_direction(make_study):
    results, source = of(make_study(points=20))
    finding = speedups(results, source)["taco"].headline["steps"]
    assert finding.low is None
    assert direction_sentences(results, source) == []


def test_an_incomplete_seed_is_named_and_nothing_is_compared(make_study):
    study = make_study(seeds=SEEDS)
    del study.records["glue.cola.taco.seed-3.1of3.ft-0"]
    results, source = of(study)
    found = speedups(results, source)["taco"]
    assert found.headline == {}
    assert found.why == "seed 3: taco's 1 evaluation not run yet"
    assert speedup_table(results, source) == ""
    assert axes_sentence(results, source) == ""


def test_axes_that_disagree_are_said_in_words(make_study):
    study = make_study(seeds=SEEDS, points=20)
    results, source = of(study)
    assert axes_sentence(results, source) == (
        "By glue score, the order by estimated speedup is the same on every axis: taco, mlm."
    )
    assert direction_sentences(results, source) == [
        "To mlm's final glue score, by the 95% intervals, taco is faster on every axis."
    ]
    slower_clock(study, 2.5)
    results, source = of(study)
    assert axes_sentence(results, source) == (
        "By glue score, the order by estimated speedup depends on the axis: taco, mlm by steps, "
        "tokens and FLOPs; mlm, taco by device seconds."
    )
    assert direction_sentences(results, source) == [
        (
            "To mlm's final glue score, by the 95% intervals, taco is faster in steps, tokens and "
            "FLOPs, slower in device seconds."
        )
    ]


def test_axes_that_tell_nothing_apart_are_said_to(make_study):
    # The held-out losses of the two are the same, at the same FLOPs.
    results, source = of(make_study(seeds=SEEDS, points=20), "heldout:mlm")
    assert direction_sentences(results, source) == [
        (
            "To mlm's final held-out mlm loss, by the 95% intervals, taco is told apart from mlm on no "
            "axis."
        )
    ]


def test_a_bound_has_no_place_in_an_order(make_study):
    study = make_study(seeds=SEEDS, points=20)
    for cell in study.plan.cells:  # taco never gets to what mlm has at its end
        if cell.kind == "evaluation" and cell.objective == "taco":
            twin = study.records[cell.id.replace("taco", "mlm")]
            lower = {
                name: {metric: value - 0.01 for metric, value in metrics.items()}
                for name, metrics in twin.scores.items()
            }
            study.change(cell.id, scores=lower)
    results, source = of(study)
    finding = speedups(results, source)["taco"].headline["flops"]
    assert bound_words(finding.estimate) == "less than 1.00x"
    assert axes_sentence(results, source) == ""


def test_the_table_starts_with_the_judged_target_and_goes_down_the_curve(make_study):
    results, source = of(make_study(seeds=SEEDS, points=20))
    head, end, high, half, low = cells(speedup_table(results, source))
    assert head[:3] == ["objective", "mlm's glue score", "where it is that"]
    # mlm's four seeds end at 48, 49, 50 and 51 with fine-tuning seed 0.
    assert end[:4] == ["taco", "49.50", "its end, as judged", "1.62x [1.44x to 1.85x]"]
    # The curve rises by 19 points from a share of 0.05: half of it is at 0.525, which taco has
    # at 0.35 of its budget: 1.5 in FLOPs, 2 in steps.
    assert half[:3] == ["taco", "40.00", "1/2 of its rise"]
    assert (half[3].split()[0], half[5].split()[0]) == ("2.00x", "1.50x")
    assert (high[1], low[1]) == ("44.75", "35.25")


def test_a_loss_is_shown_as_a_loss(make_study):
    results, source = of(make_study(seeds=SEEDS, points=20), "heldout:mlm")
    head, end, *_ = cells(speedup_table(results, source))
    assert head[1] == "mlm's held-out mlm loss"
    # 4 + turn at the end, in the mean over four turns; both objectives' losses are the same.
    assert end[1] == "5.500"
    assert end[5].startswith("1.00x")
