"""The verdicts come first, by every score that can answer, with the judge's own rates; and nothing
else on a page contradicts them."""

from hashlib import sha256

import numpy as np
import pytest

from objbench.judge.papers.claims import read_claims
from objbench.judge.selftest.error_rates import ClaimRates, RateRow, Rates
from objbench.leaderboard.data_frames import Results
from objbench.leaderboard.findings import findings
from objbench.leaderboard.html.cards import cards_html
from objbench.leaderboard.judge_rates import rates_sentences
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.sections import page_document, verdict_lead
from objbench.leaderboard.tables.verdicts import verdict_blocks
from objbench.leaderboard.terminal import terminal_summary

FLOORS = {"majority": 30, "untrained": 20}


def with_probe(study):
    """The tasks scored a second time, at the end of the budget only."""
    glue, curve = study.plan.suites
    probe = glue.model_copy(update={"name": "probe"})
    cells = list(study.plan.cells)
    for cell in study.plan.cells:
        if cell.kind == "evaluation" and cell.share >= 1:
            cell_id = cell.id.replace("glue", "probe")
            changes = {"id": cell_id, "key": sha256(cell_id.encode()).hexdigest()}
            cells.append(cell.model_copy(update={**changes, "suite": "probe"}))
            own = study.records[cell.id].model_copy(update={**changes, "suite": "probe"})
            study.records[cell_id] = own
    changes = {"suites": (glue, probe, curve), "cells": tuple(cells)}
    study.plan = study.plan.model_copy(update=changes)
    return study


def test_every_claim_by_every_score_that_can_answer(make_study, report_of):
    report = report_of(with_probe(make_study(seeds=(1, 2, 3, 4), points=20)))
    # A loss has no points to gain, and the probe no curve to read a speedup off.
    assert [(item.claim.id, item.source) for item in report.verdicts] == [
        ("speedup", "glue"),
        ("speedup", "heldout:mlm"),
        ("gain", "glue"),
        ("gain", "probe"),
    ]


def test_a_row_is_claim_score_verdict_and_numbers(make_study, report_of, rows):
    study = make_study(seeds=(1, 2, 3, 4), points=20, floors=FLOORS)
    study.measure_learning()
    table, notes = verdict_blocks(report_of(study))
    speedup, gain, _, loss = rows(table)
    assert list(speedup.values()) == [
        "taco-2022 speedup",
        "glue score",
        # The whole interval is below 5x, at another scale than the paper's.
        "**not reproduced at this scale**",
        "1.62x [1.44x, 1.85x]",
        "up to 5.00x in steps",
        "4",
        "28.5M, 131B",
        "¹ ² ³ ⁴ ⁵",
    ]
    assert notes.items == (
        "Among runs that learnt (stuck: mlm 0 of 4 [0%, 60%] and taco 0 of 4 [0%, 60%]).",
        "glue scored by a protocol other than taco-2022; mean of three tasks, not mean of nine columns.",
        "Learning rate not yet decayed before the last point (linear schedule).",
        "The paper says 'up to', so other settings may still reach it.",
        "The paper has one run per side.",
        "At equal FLOPs, not equal steps.",
        "Scored by common held-out loss, of the same tokens for both, not by the paper's glue.",
        "Scored by held-out mlm loss, each objective under its own corruption, not by the paper's glue.",
    )
    # The claim does not name this score, so it is no verdict on it.
    assert (loss["score"], loss["verdict"]) == (
        "held-out mlm loss",
        "**not found by held-out mlm loss**",
    )
    assert (gain["verdict"], gain["claimed"]) == (
        "**reproduced at this scale**",
        "up to +1.20 points",
    )
    # A footnote that holds for several rows has one number.
    assert (gain["notes"], loss["notes"]) == ("¹ ² ⁵ ⁶", "¹ ³ ⁴ ⁵ ⁸")


def test_not_found_is_said_to_be_less_than_claimed_where_something_was(make_study, report_of):
    study = make_study(seeds=(1, 2, 3, 4), points=20, floors=FLOORS)
    study.measure_learning()
    lead = render_markdown(verdict_lead(report_of(study)))
    assert (
        '"Not" means that less was found than is claimed, which may still be a speedup: '
        "1.62x [1.44x, 1.85x] is one, though below the 5.00x claimed."
    ) in lead
    # Two seeds find nothing.
    study = make_study(floors=FLOORS)
    study.measure_learning()
    assert '"Not" means' not in render_markdown(verdict_lead(report_of(study)))


def test_the_scores_that_claims_name_come_first_measured_or_not(make_study, report_of, rows):
    study = make_study(seeds=(1, 2, 3, 4))
    for cell_id, record in list(study.records.items()):
        if record.kind == "evaluation" and record.share < 1:
            del study.records[cell_id]
    report = report_of(study)
    table, _ = verdict_blocks(report)
    found = [(row["claim"], row["score"], row["estimate [95%]"]) for row in rows(table)]
    assert [score for _, score, _ in found] == ["glue score", "glue score", "held-out mlm loss"]
    assert found[1] == ("taco-2022 speedup", "glue score", "not measured")
    assert all(estimate not in ("not measured", "-") for *_, estimate in (found[0], found[2]))


def test_two_seeds_are_inconclusive_whatever_they_say(make_study, report_of, rows):
    study = make_study(floors=FLOORS)
    study.measure_learning()
    table, notes = verdict_blocks(report_of(study))
    assert {row["verdict"] for row in rows(table)} == {"**inconclusive**"}
    assert notes.items[0].startswith("2 seeds give no confidence interval")


def test_a_study_of_others_has_no_verdict_and_says_so(make_study, report_of):
    report = report_of(make_study(objectives=("mlm", "new")))
    assert verdict_blocks(report) == []
    page = render_markdown(page_document(report))
    assert "None of the bundled claims concerns these objectives, so there is no verdict." in page
    assert "Not judged, since the study lacks one of the sides: 23 claim files." in page
    assert "simulated studies whose truth is known" not in page


def test_claims_about_other_objectives_are_named(make_study, report_of, monkeypatch):
    ours = [read_claims(name) for name in ("electra-2020", "taco-2022")]
    monkeypatch.setattr("objbench.leaderboard.analysis.shipped_claims", lambda: tuple(ours))
    assert [file.name for file in report_of(make_study()).other_claims] == ["electra-2020"]
    assert report_of(make_study(objectives=("mlm", "taco", "rtd"))).other_claims == ()
    page = render_markdown(page_document(report_of(make_study())))
    assert (
        "Not judged, since the study lacks one of the sides: electra-2020 (rtd against mlm)."
    ) in page


def test_many_verdicts_are_folded_behind_those_that_were_measured(
    make_study, report_of, rows, monkeypatch
):
    study = make_study(seeds=(1, 2, 3, 4), floors=FLOORS)
    study.measure_learning()
    taco = read_claims("taco-2022")
    squad = taco.score.model_copy(update={"suite": "squad"})
    claims = [
        taco.claims[1].model_copy(update={"id": f"gain-{n}", "score": squad if n else None})
        for n in range(21)
    ]
    many = taco.model_copy(update={"claims": tuple(claims)})
    monkeypatch.setattr("objbench.leaderboard.analysis.shipped_claims", lambda: (many,))
    report = report_of(study)
    first, notes, fold = verdict_blocks(report)
    # By the score that they do not name, "found by", the others are settled too.
    settled = [item for item in report.verdicts if item.verdict != "inconclusive"]
    assert len(rows(first)) == len(settled) > 0
    assert notes.items
    assert fold.title == f"All {len(report.verdicts)} verdicts"
    assert len(rows(fold.blocks[0])) == len(report.verdicts) > 21
    whole = [row for row in rows(fold.blocks[0]) if row["estimate [95%]"] == "not measured"]
    assert len(whole) == 20
    assert {row["score"] for row in whole} == {"squad (not scored)"}
    said = terminal_summary(report)
    left = len(report.verdicts) - len(settled)
    assert f"{left} more verdicts on papers' claims: see the page." in said
    assert said.count("taco-2022 gain-") == len(settled)


@pytest.mark.parametrize(
    ("runs", "words"), [(1, "one run"), (3, "3 runs"), (None, "")], ids=["one", "three", "open"]
)
def test_a_note_says_on_how_many_runs_the_papers_number_rests(
    make_study, report_of, monkeypatch, runs, words
):
    taco = read_claims("taco-2022")
    claims = tuple(claim.model_copy(update={"runs": runs}) for claim in taco.claims)
    ours = taco.model_copy(update={"claims": claims})
    monkeypatch.setattr("objbench.leaderboard.analysis.shipped_claims", lambda: (ours,))
    _, notes = verdict_blocks(report_of(make_study()))
    found = [note for note in notes.items if "per side" in note]
    assert found == ([f"The paper has {words} per side."] if words else [])


def test_the_rates_of_the_judge_are_on_its_page(make_study, report_of):
    page = render_markdown(page_document(report_of(make_study())))
    assert "simulated studies whose truth is known" in page


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
        test_coverage=0.95,
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
    assert strained.startswith("In 2 stress-test simulations")
    assert "40.0% false confirmations (stuck, 5 seeds)" in strained
    assert "12.0% false refutations (quiet, 5 seeds)" in strained


def test_luck_in_tuning_is_said_apart_and_judges_without_a_rule_are_not_this_one():
    null = {"truth": 0.0, "topic": "tuning"}
    at_truth = (ClaimRates(place="the truth", claimed=0.0, confirmed=0.11, refuted=0.1),)
    lucky = row("six settings on one tuning seed", held=False, confirmed=0.0, refuted=0.0)
    lucky = lucky.model_copy(update={**null, "claims": at_truth})
    rows = (
        row("calm", held=True, confirmed=0.02, refuted=0.03),
        row("quiet", held=False, confirmed=0.0, refuted=0.12),
        row("counted", held=False, confirmed=0.9, refuted=0.0).model_copy(
            update={"topic": "learning", "is_contrast": True}
        ),
        lucky,
        lucky.model_copy(update={"seeds": 20}),
    )
    _, strained, luck = rates_sentences(Rates(judge_version=1, repetitions=1000, seed=0, rows=rows))
    assert strained.startswith("In 1 stress-test simulations")
    assert "counted" not in strained
    assert luck == (
        "What it cannot see is luck in tuning: two equal objectives, each with the best of its own "
        "trials, were called different in 21.0% (six settings on one tuning seed) of the studies "
        "of 5 seeds."
    )


def test_rates_that_were_not_measured_are_said_to_be_missing():
    (text,) = rates_sentences(None)
    assert "has not been measured" in text


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.03, 0.1])
@pytest.mark.parametrize("shift", [-0.02, 0.0, 0.012, 0.04])
def test_no_sentence_contradicts_a_verdict(make_study, report_of, shift, spread):
    study = make_study(seeds=(1, 2, 3, 4), floors={"majority": 45})
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
    report = report_of(study)
    (gain,) = (item for item in report.verdicts if item.claim.kind == "gain")
    text = findings(report)[0]
    words = {
        "better": "Significantly better ",
        "worse": "Significantly worse ",
        "unclear": "No significant difference ",
    }
    assert text.startswith(words[gain.finding.comparison])
    # 1.2 points are claimed: a page cannot confirm them of what it does not call better.
    if gain.verdict == "confirmed":
        assert text.startswith("Significantly better ")
    best = report.suites[0].rows
    assert best[0].is_significant or best[1].is_significant or gain.finding.comparison == "unclear"


def test_a_score_that_the_study_lacks_is_a_row_of_its_own_below_the_others(
    make_study, report_of, rows
):
    study = with_probe(make_study(seeds=(1, 2, 3, 4), floors=FLOORS))
    study.measure_learning()
    cells = tuple(c for c in study.plan.cells if c.suite not in ("glue", "convergence"))
    study.records = {cell.id: study.records[cell.id] for cell in cells if cell.id in study.records}
    suites = tuple(suite for suite in study.plan.suites if suite.name == "probe")
    study.plan = study.plan.model_copy(update={"suites": suites, "cells": cells})
    report = report_of(study)
    table, notes = verdict_blocks(report)
    *secondary, first, second = rows(table)
    for row, claim in ((first, "speedup"), (second, "gain")):
        assert (row["claim"], row["score"]) == (f"taco-2022 {claim}", "glue (not scored)")
        assert (row["verdict"], row["estimate [95%]"]) == ("**not tested**", "not measured")
    assert "The study does not score glue." in notes.items
    # The same word wherever the verdict is: the page's lead, its HTML, the terminal, the table.
    assert "A claim is not tested if the study lacks the score that it names." in render_markdown(
        verdict_lead(report)
    )
    assert "\N{EN DASH}</span> not tested" in str(cards_html(report))
    assert "taco-2022 gain: not tested at 1.23M parameters" in terminal_summary(report)
    of_claims = Results(study.results()).verdicts().to_frame()
    assert set(of_claims[of_claims["score"] == ""]["verdict"]) == {"not tested"}
    assert "probe score" in {row["score"] for row in secondary}
    assert not any("not scored" in row["score"] for row in secondary)
