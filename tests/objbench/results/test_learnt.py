"""The rule by which an encoder has learnt, case by case."""

from __future__ import annotations

import pytest

from objbench.results.learnt import bigram_line, point_status
from objbench.results.records import Provenance
from objbench.results.reference_lines import Lines, ReferenceLines
from objbench.results.training_points import CommonLoss


def lines(predicted="masked", unigram=6.3, bigram=4.5):
    counts = Lines(uniform=9.0, unigram=unigram, bag=5.3, bigram=bigram)
    origin = Provenance(
        command="", versions={}, device="cpu", threads=1, processes=1, git_commit=None,
        started="", finished="",
    )  # fmt: skip
    return ReferenceLines(
        lines={predicted: counts}, train_tokens=1, heldout_tokens=1, key="a", provenance=origin
    )


def common(loss, gain, error=0.01, of="masked"):
    return CommonLoss(of=of, loss=loss, order_gain=gain, error=error, tokens=100)


@pytest.mark.parametrize(
    ("loss", "gain", "error", "status"),
    [
        (3.2, 2.0, 0.05, "learnt"),
        (4.5, 0.5, 0.05, "learnt"),  # at the line
        (4.51, 0.5, 0.05, "stuck"),
        (5.25, 0.0, 0.01, "stuck"),  # a plateau of word frequencies
        (4.0, 0.0, 0.01, "stuck"),  # below the line by what occurs together alone
        (4.0, 0.02, 0.002, "stuck"),  # ten errors above 0, and next to nothing
        (4.0, 0.5, 0.2, "stuck"),  # much, and within its noise
        (4.0, 0.19, 0.01, "learnt"),  # a tenth of 6.3 - 4.5 is 0.18
        (4.0, 0.17, 0.01, "stuck"),
        (4.0, -2.0, 0.01, "stuck"),
        (3.2, 2.0, None, "unknown"),
    ],
)
def test_a_token_head(loss, gain, error, status):
    assert point_status(common(loss, gain, error), lines()) == status


def test_without_lines_only_an_encoder_without_order_is_known():
    assert point_status(None, lines()) == "unknown"
    for given in (None, lines("next")):
        assert point_status(common(3.2, 2.0), given) == "unknown"
        assert point_status(common(5.2, 0.02), given) == "stuck"


def test_where_the_neighbour_is_worth_nothing_the_noise_alone_decides():
    # A text without order, in which a table of pairs is worse than one of words.
    assert point_status(common(4.0, 0.04), lines(unigram=4.4)) == "learnt"


@pytest.mark.parametrize(
    ("loss", "gain", "error", "status"),
    [
        (19.6, 2.5, 0.18, "learnt"),
        (22.5, 0.02, 0.005, "stuck"),
        (22.5, 0.23, 0.01, "learnt"),
        (22.5, 0.23, 0.08, "stuck"),
        (-22.5, 0.2, 0.01, "stuck"),
        (22.5, 2.0, None, "unknown"),
    ],
)
def test_an_objectives_own_loss_has_no_line(loss, gain, error, status):
    for given in (None, lines()):
        assert point_status(common(loss, gain, error, "own"), given) == status


def test_the_line_is_that_of_what_is_predicted():
    assert bigram_line(common(4, 1), lines()) == 4.5
    assert bigram_line(common(4, 1, of="next"), lines()) is None
    assert bigram_line(common(4, 1, of="own"), lines()) is None
    assert bigram_line(None, lines()) is None and bigram_line(common(4, 1), None) is None
