"""Stuck runs and reference lines in the convergence plot."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from objbench.judge.score_arrays import Curve
from objbench.leaderboard.pictures import convergence
from objbench.leaderboard.pictures.convergence import References, convergence_picture

LINES = {"uniform": 9.0, "unigram": 6.3, "bigram": 4.5, "both neighbours": 3.2}


def curve(name, *seeds):
    """A curve of two points with these losses at the end, of one seed each; 1 nat more at first."""
    scores = np.array([[loss + 1.0 for loss in seeds], seeds])
    spend = np.ones((2, len(seeds), 4)) * np.array([1.0, 2.0])[:, None, None]
    return Curve(name, (0.5, 1.0), spend, scores)


@pytest.fixture
def drawn(monkeypatch):
    """(curves, counted, references) -> the panels and the heading."""
    figure, grid = plt.subplots(2, 2, sharey=True)
    found = {}

    def picture(draw, title, heading, looks, kind):
        draw(grid.flatten().tolist())
        found["heading"] = " ".join(heading)
        return b""

    monkeypatch.setattr(convergence, "picture", picture)

    def make(curves, counted=None, references=convergence.NO_REFERENCES):
        by_name = {own.objective: own for own in curves}
        convergence_picture(
            by_name, list(by_name), "mlm", "loss", counted=counted, references=references
        )
        return grid.flatten(), found["heading"]

    yield make
    plt.close(figure)


def test_a_stuck_run_is_dashed_and_in_no_mean(drawn):
    counted = {"mlm": np.array([True, False, True])}
    (panel, *_), heading = drawn([curve("mlm", 3.0, 5.0, 4.0)], counted)
    dashed = [line for line in panel.lines if line.get_linestyle() == "--" and line.get_lw() == 0.9]
    stuck = [line for line in dashed if len(line.get_ydata()) == 2 and line.get_ydata()[0] == 6.0]
    assert len(stuck) == 1
    (mean,) = (line for line in panel.lines if line.get_linewidth() == 2.0)
    assert mean.get_ydata() == pytest.approx([4.5, 3.5])
    assert "Thin, dashed: stuck runs (mlm 1 of 3), in no mean." in heading
    assert "Thick: mean over runs that learnt." in heading


def test_without_a_run_that_learnt_there_is_no_mean(drawn):
    (panel, *_), heading = drawn([curve("mlm", 5.0, 5.2)], {"mlm": np.zeros(2, bool)})
    assert not [line for line in panel.lines if line.get_linewidth() == 2.0]
    assert "at the end of its budget" not in heading
    assert "stuck runs (mlm 2 of 2)" in heading


def test_all_runs_count_where_nothing_is_known(drawn):
    (panel, *_), heading = drawn([curve("mlm", 3.0, 5.0)])
    (mean,) = (line for line in panel.lines if line.get_linewidth() == 2.0)
    assert mean.get_ydata() == pytest.approx([5.0, 4.0])
    assert "stuck" not in heading and "Dotted" not in heading


def test_lines_beyond_the_curves_are_left_out_and_named_but_for_the_bigrams(drawn):
    # From 4.9 to 6: the bigram line is below, and drawn all the same.
    panels, heading = drawn(
        [curve("mlm", 4.9, 5.0)], references=References(values=LINES, needed=("bigram",))
    )
    levels = {line.get_ydata()[0] for line in panels[0].lines if line.get_linewidth() == 0.6}
    assert levels == {4.5}
    assert [text.get_text() for text in panels[0].texts] == ["bigram 4.50"]
    assert not panels[1].texts or "bigram 4.50" not in [t.get_text() for t in panels[1].texts]
    assert "Outside the picture: uniform 9.00, unigram 6.30, both neighbours 3.20." in heading
    low, high = panels[0].get_ylim()
    assert low < 4.5 and high < 6.3


def test_names_of_lines_that_are_close_do_not_overlap(drawn):
    values = {"bag of words": 5.01, "unigram": 5.0, "bigram": 4.99}
    panels, _ = drawn([curve("mlm", 4.0, 4.5)], references=References(values=values))
    heights = sorted(text.xy[1] for text in panels[0].texts)
    assert np.diff(heights) == pytest.approx([1 / 19] * 2)
    assert [text.get_text() for text in sorted(panels[0].texts, key=lambda t: -t.xy[1])] == [
        "bag of words 5.01",
        "unigram 5.00",
        "bigram 4.99",
    ]


def test_names_of_low_lines_are_at_the_left_where_falling_losses_are_not(drawn):
    values = {"unigram": 5.9, "both neighbours": 4.1}
    panels, _ = drawn([curve("mlm", 4.0, 6.0)], references=References(values=values))
    sides = {text.get_text(): (text.get_ha(), text.xy[0]) for text in panels[0].texts}
    assert sides == {"unigram 5.90": ("right", 0.99), "both neighbours 4.10": ("left", 0.01)}
