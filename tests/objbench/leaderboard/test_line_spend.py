"""The spend at which a common loss was down at a line, against curves whose crossings are known."""

import numpy as np
import pytest

from objbench.judge.score_arrays import Curve
from objbench.leaderboard.curve_sections import curve_details
from objbench.leaderboard.document import Fold, Table
from objbench.leaderboard.line_spend import line_spends
from objbench.results.reference_lines import Lines

LINES = Lines(uniform=9.0, unigram=6.0, bag=5.0, bigram=4.0, neighbours=3.0)
STEPS = np.array([100.0, 200.0, 400.0])


def curve(losses, name="mlm"):
    """Losses, a list of three per seed, at 100, 200 and 400 steps of 10 tokens, 7 FLOPs and 1 s."""
    spend = np.stack([STEPS, 10 * STEPS, 7 * STEPS, STEPS], axis=-1)
    scores = np.array(losses).T
    return Curve(name, (0.25, 0.5, 1.0), np.repeat(spend[:, None], scores.shape[1], axis=1), scores)


def spends(curves, counted=None, baseline="mlm"):
    counted = counted or {
        name: np.ones(own.scores.shape[1], dtype=bool) for name, own in curves.items()
    }
    found = line_spends(curves, counted, LINES, baseline, "the end")
    return {(item.line, item.objective): item for item in found}


def test_a_line_is_reached_where_the_mean_curve_crosses_it():
    found = spends({"mlm": curve([[5.5, 4.5, 3.5], [5.3, 4.3, 3.3]])})
    # The mean is 5.4, 4.4, 3.4: 4.0 is 0.4 of the way from 200 to 400 steps.
    at = found["bigram", "mlm"].spend
    assert at["steps"].estimate.value == pytest.approx(280)
    assert at["tokens"].estimate.value == pytest.approx(2800)
    assert at["flops"].estimate.value == pytest.approx(7 * 280)
    assert at["seconds"].estimate.value == pytest.approx(280)
    # Two seeds give no interval.
    assert at["steps"].low is None
    assert found["bag of words", "mlm"].spend["steps"].text == "140"


def test_three_seeds_give_the_interval_of_an_inverted_t_test():
    losses = [[5.6, 4.6, 3.6], [5.2, 4.2, 3.2], [5.4, 4.4, 3.4]]
    at = spends({"mlm": curve(losses)})["bigram", "mlm"].spend["steps"]
    # Parallel curves: at every spend the half-width of the mean gap is t(2) sd / sqrt(3).
    half = 4.302652729911275 * 0.2 / np.sqrt(3)
    assert at.estimate.value == pytest.approx(280)
    # The mean falls by 1 nat in 100 steps up to step 200, where it is 4.4, and in 200 after it.
    assert at.low.value == pytest.approx(200 - 100 * (half - 0.4))
    # The interval holds the two points around the estimate, 200 and 400.
    assert 280 + 200 * half < 400
    assert at.high.value == 400


def test_an_interval_is_no_finer_than_the_points():
    losses = [[5.5, 4.5, 3.5], [5.3, 4.3, 3.3], [5.4, 4.4, 3.4]]
    at = spends({"mlm": curve(losses)})["bigram", "mlm"].spend["steps"]
    assert at.text == "280 [200, 400]"


def test_what_was_not_measured_is_a_bound():
    found = spends({"mlm": curve([[5.5, 4.5, 3.5]]), "taco": curve([[4.9, 4.8, 4.7]])})
    assert found["bag of words", "taco"].spend["steps"].text == "< 100"
    assert found["bigram", "taco"].spend["steps"].text == "> 400"
    assert found["the end", "mlm"].spend["steps"].text == "400"
    assert found["the end", "mlm"].loss == pytest.approx(3.5)


def test_a_line_that_all_had_reached_at_the_first_point_is_left_out():
    found = spends({"mlm": curve([[5.5, 4.5, 3.5]])})
    assert {line for line, _ in found} == {"bag of words", "bigram", "both neighbours", "the end"}


def test_runs_that_are_stuck_are_in_no_mean():
    curves = {"mlm": curve([[5.5, 4.5, 3.5], [6.0, 5.9, 5.8]])}
    at = spends(curves, {"mlm": np.array([True, False])})["bigram", "mlm"].spend["steps"]
    assert at.estimate.value == pytest.approx(300)
    assert not spends(curves, {"mlm": np.array([False, False])})


def test_a_clock_that_goes_backwards_says_nothing_and_the_others_do():
    own = curve([[5.5, 4.5, 3.5]])
    own.spend[2, 0, 3] = 50.0
    found = spends({"mlm": own})["bigram", "mlm"].spend
    assert set(found) == {"steps", "tokens", "flops"}


def test_the_page_has_the_table_of_the_common_loss_alone(make_study, report_of):
    study = make_study(("mlm", "taco"), seeds=(1, 2, 3))
    study.measure_learning()
    report = report_of(study)
    folds = [block for block in curve_details(report) if isinstance(block, Fold)]
    titled = [fold for fold in folds if "reached each line" in fold.title]
    assert [fold.title for fold in titled] == [
        "Spend until the common held-out loss reached each line"
    ]
    table = next(block for block in titled[0].blocks if isinstance(block, Table))
    assert table.columns[:3] == ("line", "objective", "loss")
    assert {row[1] for row in table.rows} == {"mlm", "taco"}
    study.lines = None
    assert not any("each line" in fold.title for fold in curve_details(report_of(study)))
