"""What a learner's budget leaves out is said wherever it is compared, from the records."""

import pytest

from objbench.judge.evidence import gain_evidence
from objbench.judge.judgement import judge_claims
from objbench.judge.papers.claims import read_claims
from objbench.judge.score_source import Pair
from objbench.judge.teacher_costs import teachers, uncounted, uncounted_words
from objbench.judge.verdict_sentence import sentence
from objbench.leaderboard.caveats import teacher_sentences
from objbench.leaderboard.missing import gaps
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.sections import page_document
from objbench.leaderboard.settings import budget_sentence
from objbench.leaderboard.tables.costs import cost_table
from objbench.results.study_results import join

# The baseline of the made-up study: 1,200 steps of 3 GFLOPs and 62.5 ms, and a second a seed.
MLM = "mlm (3.60e12 FLOPs, 76.5 s)"
NOT_COUNTED = f"taco's budget excludes pretraining its teacher {MLM}"


def standing_of(study):
    return join(study.plan, study.records.values())


@pytest.fixture
def taught(make_study):
    """(learner=teachers, ...) -> a study in which they learn from them; else as ``make_study``."""

    def make(who=None, **options):
        study = make_study(**options)
        who = {"taco": ("mlm",)} if who is None else who
        objectives = tuple(
            item.model_copy(update={"teachers": who.get(item.name, ())})
            for item in study.plan.objectives
        )
        cells = tuple(
            cell.model_copy(
                update={
                    "needs": tuple(f"{t}.seed-{cell.seed}" for t in who.get(cell.objective, ()))
                }
            )
            if cell.kind == "pretrain"
            else cell
            for cell in study.plan.cells
        )
        study.plan = study.plan.model_copy(update={"objectives": objectives, "cells": cells})
        return study

    return make


def test_a_study_without_teachers_says_nothing(make_study, report_of):
    results = standing_of(make_study())
    assert teacher_sentences(results) == []
    assert uncounted_words(results, ["mlm", "taco"]) == ""
    page = render_markdown(page_document(report_of(make_study())))
    assert "not counted" not in page
    assert "teachers (not" not in page


def test_what_the_teacher_took_by_hand(taught):
    results = standing_of(taught())
    assert uncounted(results, "taco") == {"mlm": "3.60e12 FLOPs, 76.5 s"}
    assert uncounted_words(results, ["mlm", "taco"]) == NOT_COUNTED
    # 900 steps of 4 GFLOPs and the teacher's 3.6e12 make twice the baseline's.
    assert teacher_sentences(results) == [
        (
            f"taco learns from the final encoder of {MLM} at the same seed; that pretraining is "
            "not counted in its budget; with it taco took 2.00 times the FLOPs of mlm."
        )
    ]


def test_a_teachers_teacher_is_told_once(taught):
    who = {"c": ("b", "a"), "b": ("a",)}
    study = taught(who, objectives=("mlm", "a", "b", "c"))
    assert teachers(study.plan, "c") == ("b", "a")
    assert teachers(study.plan, "mlm") == ()
    (of_b, of_c) = teacher_sentences(standing_of(study))
    assert of_c.startswith("c learns from the final encoders of b (3.60e12 FLOPs")
    assert "with it c took 3.00 times the FLOPs of mlm" in of_c
    assert "with it b took 2.00 times" in of_b


def test_a_teacher_that_was_not_run_is_no_number(taught):
    study = taught()
    for seed in (1, 2):
        del study.records[f"mlm.seed-{seed}"]
    results = standing_of(study)
    assert uncounted(results, "taco") == {"mlm": "no run recorded"}
    assert "times the FLOPs" not in teacher_sentences(results)[0]


def test_it_is_said_beside_the_numbers_of_the_page(taught, report_of, rows):
    report = report_of(taught(seeds=(1, 2, 3)))
    assert budget_sentence(report.plan).endswith(
        "the same FLOPs, excluding the pretraining of taco's teacher mlm (taco 900 steps)."
    )
    baseline, learner = rows(cost_table(report))
    assert baseline["teachers (not in budget)"] == "-"
    assert learner["teachers (not in budget)"] == "mlm: 3.60e12 FLOPs, 77.0 s"
    lines = render_markdown(page_document(report)).splitlines()
    not_counted = NOT_COUNTED.replace("76.5", "77.0")
    # In the finding, in that of the speedups, under the ranking and under the picture.
    assert any(
        "taco's gain on mlm is " in line and line.endswith(f"; {not_counted}.") for line in lines
    )
    assert any(line.startswith("- To mlm's final") and not_counted in line for line in lines)
    assert any(line.startswith(f"{not_counted}. glue carries no verdict") for line in lines)


def test_a_claims_verdict_carries_it(taught):
    results = standing_of(taught(seeds=(1, 2, 3)))
    for judged in judge_claims(results, [read_claims("taco-2022")]):
        assert NOT_COUNTED.replace("76.5", "77.0") in sentence(judged)


def test_what_waits_for_a_teacher_that_diverged_says_so(taught):
    who = {"third": ("taco",)}
    study = taught(who, objectives=("mlm", "taco", "third"))
    study.change("taco.seed-2", status="diverged", reason="nan at step 17", points=[])
    for cell in study.plan.cells:
        if cell.objective == "third" and cell.seed == 2:
            del study.records[cell.id]
    results = standing_of(study)
    of_third = {gap.what: gap.reason for gap in gaps(results) if gap.objective == "third"}
    assert of_third == dict.fromkeys(
        ("pretraining", "glue", "convergence"), "needs taco.seed-2, which diverged"
    )
    # The seed that is left is the lucky one, so it confirms and refutes nothing.
    (gone,) = gain_evidence(results, Pair("third", "mlm"), "glue").left_out
    assert (gone.seed, gone.why, gone.diverged) == (2, "third's pretraining has not run yet", True)
