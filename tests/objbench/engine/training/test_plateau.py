"""A run that is still at its first plateau says so, at once and at its end, and says what to try."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from objbench.engine.training.plateau import unwarned, warn_if_stuck, warning
from objbench.engine.training.trainer import pretrain
from objbench.plugins.loading import load_plugins
from objbench.results.records import Provenance
from objbench.results.reference_lines import Lines, ReferenceLines
from objbench.results.training_points import CommonLoss, ExportedPoint, Meters

MLM = load_plugins().objectives["mlm"]
ORIGIN = Provenance(
    command="", versions={}, device="cpu", threads=1, processes=1, git_commit=None,
    started="", finished="",
)  # fmt: skip
LINES = ReferenceLines(
    lines={"masked": Lines(uniform=9.0, unigram=6.3, bag=5.3, bigram=4.47)},
    train_tokens=1, heldout_tokens=1, key="a", provenance=ORIGIN,
)  # fmt: skip


def point(share, loss=5.25, gain=0.001):
    return ExportedPoint(
        meters=Meters(steps=round(12_000 * share), tokens=0, flops=0.0, seconds=0.0),
        share=share,
        encoder="encoders/mlm/step",
        heldout={"loss": loss},
        common=CommonLoss(of="masked", loss=loss, order_gain=gain, error=0.001, tokens=10),
    )


@pytest.fixture
def job(tiny, tmp_path):
    return replace(tiny.tiny_job(tmp_path, steps=12_000, seed=3), objective=MLM)


@pytest.mark.parametrize(
    ("share", "loss", "gain", "lines", "warns"),
    [
        (0.5, 5.25, 0.001, None, True),
        (0.5, 5.25, 0.001, LINES, True),
        (0.3, 5.25, 0.001, LINES, False),  # early
        (1 / 3, 5.25, 0.001, LINES, False),
        (1.0, 3.2, 2.0, LINES, False),  # learnt
        (1.0, 3.2, 2.0, None, False),  # not known
        (1.0, 5.0, 0.5, LINES, True),  # above the line
        (1.0, 5.0, 0.5, None, False),
    ],
)
def test_it_warns_of_a_stuck_run_past_a_third_of_its_budget(
    job, caplog, share, loss, gain, lines, warns
):
    with caplog.at_level(logging.WARNING):
        warn_if_stuck(replace(job, lines=lines), [point(share, loss, gain)])
    assert len(caplog.records) == warns


def test_the_line_in_words(job):
    assert warning(job, point(1 / 3)) == (
        "mlm, seed 3: still at its first plateau after 4,000 of 12,000 steps (loss 5.25; order "
        "gain 0.00): try another initializer_range, learning rate or batch, or look for duplicated "
        "text"
    )
    assert "(loss 5.25, where a table of word pairs has 4.47; order gain 0.00)" in warning(
        replace(job, lines=LINES), point(1 / 3)
    )


@pytest.mark.parametrize(
    ("losses", "warns"),
    [
        ((5.25, 5.2, 5.2, 5.2), ["4,800", "12,000"]),
        ((5.25, 5.2, 5.2, 3.2), ["4,800"]),
        ((5.25, 3.2, 5.2, 5.2), ["7,200", "12,000"]),
        ((3.2, 3.2, 3.2, 5.2), ["12,000"]),
        ((3.2, 3.2, 3.2, 3.2), []),
    ],
)
def test_it_is_said_the_first_time_and_at_the_end(job, caplog, losses, warns):
    job, points = replace(job, lines=LINES), []
    with caplog.at_level(logging.WARNING):
        for share, loss in zip((0.2, 0.4, 0.6, 1.0), losses, strict=True):
            points.append(point(share, loss, 0.001 if loss > 5 else 2.0))
            warn_if_stuck(job, points)
    assert [r.getMessage().split(" after ")[1].split(" of ")[0] for r in caplog.records] == warns


def test_a_run_warns_of_what_it_exports(tiny, tmp_path, silent, caplog):
    job = tiny.tiny_job(
        tmp_path, learning_rate=1e-9, steps=12, export_steps=(4, 8, 10, 12), heldout_batches=2
    )
    with caplog.at_level(logging.WARNING):
        pretrain(replace(job, objective=MLM, config=MLM.Config()), silent)
    said = [r.getMessage() for r in caplog.records if "first plateau" in r.getMessage()]
    assert [text.split(" after ")[1].split(" of ")[0] for text in said] == ["8", "12"]


def test_a_run_that_is_too_short_to_learn_may_train_without_it(job, caplog):
    with caplog.at_level(logging.WARNING):
        with unwarned():
            warn_if_stuck(job, [point(1.0)])
        assert caplog.records == []
        warn_if_stuck(job, [point(1.0)])
    assert len(caplog.records) == 1
