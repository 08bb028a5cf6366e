"""The verdicts come first, by every score that can answer, with the judge's own rates; and nothing
else on a page contradicts them."""

import numpy as np
import pytest

from objbench.judge.score_arrays import final_scores
from objbench.judge.selftest.error_rates import ClaimRates, RateRow, Rates
from objbench.leaderboard.caveats import verdicts
from objbench.leaderboard.ranking import ranking
from objbench.leaderboard.verdicts import (
    judge_lines,
    judged_claims,
    not_judged,
    rates_sentences,
    verdict_lines,
)
from objbench.results.study_results import join


def standing_of(study):
    return join(study.plan, study.records.values())


def with_probe(study):
    """The tasks scored a second time, at the end of the budget only."""
    glue, curve = study.plan.suites
    probe = glue.model_copy(update={"name": "probe"})
    cells = list(study.plan.cells)
    for cell in study.plan.cells:
        if cell.kind == "evaluation" and cell.share >= 1:
            cell_id = cell.id.replace("glue", "probe")
            changes = {"id": cell_id, "key": f"key-of-{cell_id}"}
            cells.append(cell.model_copy(update={**changes, "suite": "probe"}))
            own = study.records[cell.id].model_copy(update={**changes, "suite": "probe"})
            study.records[cell_id] = own
    changes = {"suites": (glue, probe, curve), "cells": tuple(cells)}
    study.plan = study.plan.model_copy(update=changes)
    return study


def test_every_claim_by_every_score_that_can_answer(make_study):
    results = standing_of(with_probe(make_study(seeds=(1, 2, 3, 4), points=20)))
    # A loss has no points to gain, and the probe no curve to read a speedup off.
    assert [(item.claim.id, item.source) for item in judged_claims(results)] == [
        ("speedup", "glue"),
        ("speedup", "heldout:mlm"),
        ("gain", "glue"),
        ("gain", "probe"),
    ]


def test_a_line_is_claim_score_verdict_and_reasons(make_study):
    results = standing_of(make_study(seeds=(1, 2, 3, 4), points=20))
    speedup, loss, gain = verdict_lines(results)
    assert speedup.startswith(
        "**taco-2022 speedup**, by glue score: **not reproduced** at 1.23M parameters and 2.46M "
    )
    assert r"speedup in steps 1.62x \[1.44x, 1.85x\], 95% interval over 4 seeds" in speedup
    assert loss.startswith("**taco-2022 speedup**, by held-out mlm loss: **not reproduced** at ")
    assert gain.startswith("**taco-2022 gain**, by glue score: **confirmed** at ")


def test_two_seeds_are_inconclusive_whatever_they_say(make_study):
    lines = verdict_lines(standing_of(make_study()))
    assert all("**inconclusive**" in line for line in lines)


def test_a_study_of_others_has_no_verdict_and_says_so(make_study):
    results = standing_of(make_study(objectives=("mlm", "new")))
    (line,) = judge_lines(results)
    assert line.startswith("No claim that ships is about the objectives of this study")
    assert "taco-2022 (taco against mlm)" in not_judged(results)


def test_claims_about_other_objectives_are_named(make_study):
    results = standing_of(make_study())
    assert not_judged(results) == (
        "Not judged, since an objective is not in the study: electra-2020 (rtd against mlm)."
    )
    assert not_judged(standing_of(make_study(objectives=("mlm", "taco", "rtd")))) == ""


def test_the_rates_stand_after_the_verdicts(make_study):
    lines = judge_lines(standing_of(make_study()))
    assert "simulated studies whose truth is known" in lines[3]
    assert "false confirmations" in lines[3]


def row(scenario, *, held, confirmed, refuted):
    claims = (
        ClaimRates(place="the truth", claimed=1.2, confirmed=0.5, refuted=refuted),
        ClaimRates(place="just above", claimed=1.25, confirmed=confirmed, refuted=0.0),
    )
    return RateRow(
        scenario=scenario,
        kind="gain",
        seeds=5,
        truth=1.2,
        is_held=held,
        coverage=0.95,
        open_ended=0.0,
        claims=claims,
    )


def test_the_rates_name_the_worst_of_what_is_held_to_no_bound():
    rows = (
        row("calm", held=True, confirmed=0.02, refuted=0.03),
        row("stuck", held=False, confirmed=0.4, refuted=0.01),
        row("quiet", held=False, confirmed=0.0, refuted=0.12),
    )
    held, strained = rates_sentences(Rates(judge_version=1, repetitions=1000, seed=0, rows=rows))
    assert "at most 2.0% false confirmations and 3.0% false refutations" in held
    assert strained.startswith("In 2 further simulations")
    assert "40.0% false confirmations (stuck, 5 seeds)" in strained
    assert "12.0% false refutations (quiet, 5 seeds)" in strained


def test_rates_that_were_not_measured_are_said_to_be_missing():
    (text,) = rates_sentences(None)
    assert "has not been measured" in text


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.03, 0.1])
@pytest.mark.parametrize("shift", [-0.02, 0.0, 0.012, 0.04])
def test_no_sentence_contradicts_a_verdict(make_study, shift, spread):
    study = make_study(seeds=(1, 2, 3, 4))
    generator = np.random.default_rng(0)
    moves = {seed: shift + spread * generator.standard_normal() for seed in (1, 2, 3, 4)}
    for cell_id, record in list(study.records.items()):
        if record.kind == "evaluation" and record.objective == "taco":
            twin = study.records[cell_id.replace("taco", "mlm")].scores
            moved = {
                name: {metric: value + moves[record.seed] for metric, value in metrics.items()}
                for name, metrics in twin.items()
            }
            study.change(cell_id, scores=moved)
    results = standing_of(study)
    (gain,) = (item for item in judged_claims(results) if item.claim.kind == "gain")
    text = verdicts(results)[0]
    words = {"better": "Better: ", "worse": "Worse: ", "unclear": "Not told apart: "}
    assert text.startswith(words[gain.finding.comparison])
    # 1.2 points are claimed: a page cannot confirm them of what it does not call better.
    if gain.verdict == "confirmed":
        assert text.startswith("Better: ")
    best = ranking(results, final_scores(results, results.suites[0]))
    assert best[0].is_apart or best[1].is_apart or gain.finding.comparison == "unclear"
