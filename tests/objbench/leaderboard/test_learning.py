"""Whether runs learnt: what is said of it, and that no mean or interval mixes stuck runs with others."""

import dataclasses

import numpy as np
import pytest

from objbench.judge.statistics.estimate import estimate, paired_difference
from objbench.leaderboard.columns import over_counted
from objbench.leaderboard.curve_sources import curve_sources
from objbench.leaderboard.document import Heading, Picture, Table
from objbench.leaderboard.findings import findings
from objbench.leaderboard.headline import headline
from objbench.leaderboard.learning_sections import (
    NOT_KNOWN,
    learning_blocks,
    learning_sentence,
)
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.run_learning import mean_of_counted, seeds_words
from objbench.leaderboard.sections import page_document
from objbench.leaderboard.tables.columns import seeds_quantity
from objbench.leaderboard.tables.costs import heldout_table
from objbench.leaderboard.tables.ranking import ranking_table, seeds_table
from objbench.leaderboard.terminal import terminal_summary

SEEDS = (1, 2, 3, 4, 5)


@pytest.fixture
def measured(make_study, report_of):
    """(stuck seeds by objective) -> the report of a study of five seeds."""

    def make(stuck=None, objectives=("mlm", "taco"), **values):
        values.setdefault("floors", {"majority": 30})
        study = make_study(objectives, seeds=SEEDS, **values)
        study.measure_learning(stuck)
        return report_of(study)

    return make


# -- which runs a mean is over


def test_a_mean_is_over_the_runs_that_are_not_stuck():
    values = np.array([1.0, 2.0, 3.0, 4.0, np.nan])
    counted = np.array([True, False, True, True, True])
    assert mean_of_counted(values, counted) == estimate(np.array([1.0, 3.0, 4.0]))
    # Of runs that are all stuck there is a mean, and nothing is inferred from it.
    stuck = mean_of_counted(values, np.zeros(5, bool))
    assert (stuck.mean, stuck.interval, stuck.runs) == (2.5, None, 4)
    assert mean_of_counted(np.full(5, np.nan), counted) is None


@pytest.mark.parametrize(
    ("values", "stuck", "text"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0], (), "3.00 [1.04, 4.96]"),
        # 1, 3 and 5 less and more t(2) * 2 / sqrt(3).
        ([1.0, 9.0, 3.0, 9.0, 5.0], (2, 4), "3.00 [-1.97, 7.97] (3 of 5 learnt)"),
        ([1.0, 9.0, 9.0, 9.0, 5.0], (2, 3, 4), "3.00 (2 of 5 learnt)"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], SEEDS, "3.00 (0 of 5 learnt)"),
        ([1.0, np.nan, 3.0, 9.0, 5.0], (4,), "3.00 (3 of 4 seeds, 4 of 5 learnt)"),
    ],
)
def test_a_cell_says_how_many_runs_learnt(measured, values, stuck, text):
    runs = measured({"mlm": stuck}, points=1).learning["mlm"]
    found = over_counted(mean_of_counted(np.array(values), runs.counted), runs)
    assert seeds_quantity(found, "points").text == text


def test_ranking_gains_and_wins_are_over_pairs_that_learnt(measured, rows):
    report = measured({"mlm": (2, 4)})
    (suite,) = report.suites
    best, baseline = suite.rows
    # mlm 49 to 53 and taco 51 to 59, two by two; seeds 1, 3 and 5 are left of mlm.
    mlm, taco = np.array([49.0, 51.0, 53.0]), np.array([51.0, 55.0, 59.0])
    assert baseline.score.mean == pytest.approx(51.0)
    assert baseline.score.half_width == pytest.approx(estimate(mlm).half_width)
    assert best.score.half_width == pytest.approx(
        estimate(np.array([51.0, 53.0, 55.0, 57.0, 59.0])).half_width
    )
    wanted = paired_difference(taco, mlm)
    assert (best.gain.mean, best.gain.half_width) == pytest.approx((wanted.mean, wanted.half_width))
    assert best.gain.runs == 3
    assert (best.improvement.share, best.improvement.seeds) == (1.0, 3)
    assert best.improvement.interval[0] == pytest.approx(0.025 ** (1 / 3))
    first, second, _ = rows(ranking_table(report, suite, suite.rows))
    assert (first["learnt"], second["learnt"]) == ("5 of 5", "3 of 5")
    assert first["gain over mlm"].endswith("]")
    assert first["seeds better"].startswith("3 of 3 [")
    by_seed = {row["objective"]: row for row in rows(seeds_table(report, suite)[0])}
    assert by_seed["mlm"]["seed 2"] == "50.00 (stuck)"
    assert by_seed["mlm"]["sd"] == "2.00"


def test_too_few_pairs_have_no_interval_anywhere(measured, rows):
    report = measured({"mlm": (2, 3, 4, 5)})
    (suite,) = report.suites
    best, baseline = suite.rows
    assert (baseline.score.interval, best.gain.interval, best.gain.runs) == (None, None, 1)
    assert (baseline.group, baseline.ranks) == ("", None)
    assert not best.is_significant
    (gains,) = suite.gains
    assert gains.average.interval is None
    assert all(column.p_value is None for column in gains.columns)
    assert suite.interquartile["taco"].low is None
    for curve in report.curves:
        assert all(found.low is None for found in curve.speedups["taco"].headline.values())
        assert curve.speedups["taco"].comparison == "unclear"
    first, *_ = rows(ranking_table(report, suite, suite.rows))
    assert first["gain over mlm"] == "+2.00 (1 pair)"
    said = findings(report)
    assert (
        "Inconclusive on glue, where taco's gain on mlm is +2.00 points: 1 pair of runs that learnt, and 3 are needed."
        in said
    )
    assert not any("order by estimated speedup" in text or "95% interval" in text for text in said)


def test_an_objective_whose_runs_are_all_stuck_is_not_ranked(measured):
    report = measured({"taco": SEEDS})
    rows = {row.objective: row for row in report.suites[0].rows}
    assert rows["taco"].rank is None
    assert rows["taco"].why == "all of its 5 runs are stuck"
    assert rows["mlm"].rank == 1
    columns = report.suites[0].columns
    assert columns[0].scores["taco"].found.interval is None
    assert headline(report).endswith(
        ": nothing can be concluded about taco, because taco learnt in 0 of 5 runs (mlm in 5 of 5)."
    )


def test_noise_is_of_objectives_without_a_stuck_run(measured):
    mixed, whole = measured({"mlm": (2,)}), measured()
    (cola, *_), (other, *_) = mixed.suites[0].columns, whole.suites[0].columns
    # The seeds of taco are 2 points apart, those of mlm 1.
    assert cola.noise.deviation == pytest.approx(np.sqrt(10.0))
    assert other.noise.deviation == pytest.approx(np.sqrt((10.0 + 2.5) / 2))


# -- what is said


def test_the_sentence_on_top_says_first_what_holds_a_conclusion_back(measured):
    assert headline(measured({"mlm": (2, 3, 4, 5)})).endswith(
        ", 5 seeds: nothing can be concluded about taco, because mlm learnt in 1 of 5 runs (taco in 5 of 5)."
    )
    # One of two others can be compared.
    report = measured({"other": (1, 2, 3)}, ("mlm", "taco", "other"))
    said = headline(report).partition(" 5 seeds: ")[2]
    assert said.startswith(
        "nothing can be concluded about other, because other learnt in 2 of 5 runs (mlm in 5 of 5); among runs that "
        "learnt (other 2 of 5), on the suite glue, taco is significantly better than mlm"
    )
    assert "other is" not in said
    # Enough pairs are left.
    assert ": among runs that learnt (mlm 4 of 5), on the suite glue, taco is" in headline(
        measured({"mlm": (2,)})
    )
    assert "learnt" not in headline(measured())


def test_a_side_without_a_finished_run_has_no_share_of_runs_that_learnt(make_study, report_of):
    study = make_study(seeds=SEEDS, floors={"majority": 30})
    study.measure_learning({"mlm": (2, 3, 4, 5)})
    study.records = {name: own for name, own in study.records.items() if own.objective != "taco"}
    assert "because mlm learnt in 1 of 5 runs" in headline(report_of(study))
    assert "None" not in headline(report_of(study))


def test_stuck_runs_are_said_with_hints_and_old_records_in_one_sentence(
    make_study, measured, report_of
):
    assert learning_sentence(measured()) == ""
    said = learning_sentence(measured({"mlm": (2, 3)}))
    assert said.startswith("Stuck runs: mlm (3 of 5 learnt).")
    for hint in ("initial weights", "learning rate", "batches", "duplicates"):
        assert hint in said
    old = report_of(make_study())
    assert learning_sentence(old) == NOT_KNOWN
    assert learning_blocks(old) == []
    text = render_markdown(page_document(old))
    assert text.count(NOT_KNOWN) == 1
    assert not any(word in text for word in ("| learnt", "Stuck runs", "Did the runs learn?"))
    # With enough seeds for a conclusion it is the headline's.
    assert "it is not known whether the runs learnt" in headline(report_of(make_study(seeds=SEEDS)))


def test_the_table_has_steps_losses_and_the_line(measured, rows):
    blocks = learning_blocks(measured({"mlm": (2, 3)}))
    (table,) = (block for block in blocks if isinstance(block, Table))
    mlm, taco, line = rows(table)
    assert mlm["learnt"] == "3 of 5 (stuck: seeds 2 and 3)"
    # From the second of three points on.
    assert (mlm["by step"], taco["by step"]) == ("800", "600")
    assert mlm["loss if stuck"] == "5.200"
    assert mlm["order gain if stuck"] == "0.000"
    assert mlm["order gain"] == "2.000 [2.000, 2.000]"
    finals = np.array([3.0, 2.97, 2.96])
    mean, half = estimate(finals).mean, estimate(finals).half_width
    assert mlm["common loss"] == f"{mean:.3f} [{mean - half:.3f}, {mean + half:.3f}]"
    assert (line["objective"], line["common loss"]) == ("bigram line", "4.500")
    assert "bigram 4.500" in render_markdown(blocks)


def test_another_kind_of_loss_is_said_and_is_in_no_curve_of_the_baselines(make_study, report_of):
    study = make_study(("mlm", "taco", "clm"), seeds=SEEDS)
    study.measure_learning()
    for seed in SEEDS:
        cell = f"clm.seed-{seed}"
        points = [
            p.model_copy(update={"common": p.common.model_copy(update={"of": "next"})})
            for p in study.records[cell].points
        ]
        study.change(cell, points=points)
    report = report_of(study)
    common = next(curve for curve in report.curves if curve.source.name == "heldout:common")
    assert [name for name, own in common.curves.items() if own.whole] == ["mlm", "taco"]
    assert common.lines == study.lines.lines["masked"]
    text = render_markdown(page_document(report))
    assert "Not drawn, since they predict something else: clm." in text
    assert "bigram line, masked tokens" in text and "bigram line, next tokens" in text
    losses = render_markdown([heldout_table(report)])
    assert "(next tokens)" in losses


def test_lines_stand_beside_held_out_losses(measured, rows):
    found = {row["objective"]: row for row in rows(heldout_table(measured({"mlm": (2,)})))}
    assert found["mlm"]["common loss"].endswith("(4 of 5 learnt)")
    assert found["bigram line"]["common loss"] == "4.500"
    assert found["both neighbours line"]["common loss"] == "3.200"
    # A loss under its own masks has no lines.
    assert found["bigram line"]["mlm"] == "-"


def test_a_term_that_is_the_common_loss_is_drawn_once_and_has_its_lines(
    make_study, report_of, rows
):
    study = make_study(seeds=SEEDS)
    study.measure_learning()
    for cell in study.plan.cells:
        if cell.kind == "pretrain":
            points = [
                p.model_copy(update={"heldout": {**p.heldout, "mlm": p.common.loss * (1 + 1e-5)}})
                for p in study.records[cell.id].points
            ]
            study.change(cell.id, points=points)
    report = report_of(study)
    assert [source.name for source in curve_sources(study.results())] == ["glue", "heldout:common"]
    assert report.common_terms == ("heldout:mlm",)
    found = {row["objective"]: row for row in rows(heldout_table(report))}
    assert found["bigram line"]["mlm"] == "4.500"
    assert "the mlm loss is the same" in render_markdown(page_document(report))


def test_the_common_loss_is_shown_above_the_details(measured):
    page = page_document(measured({"mlm": (2,)}))
    headings = [block.text for block in page if isinstance(block, Heading)]
    assert headings.index("Did the runs learn?") < headings.index("Curves: glue score")
    files = [block.file for block in page if isinstance(block, Picture)]
    assert files == ["convergence-glue.svg", "convergence-heldout-common.svg"]


def test_one_objective_alone_has_a_picture_of_whether_it_learnt(measured):
    page = page_document(measured({"mlm": (2,)}, objectives=("mlm",)))
    assert "convergence-heldout-common.svg" in {b.file for b in page if isinstance(b, Picture)}


def test_the_terminal_says_it_too(measured):
    text = terminal_summary(measured({"mlm": (2, 3, 4, 5)}))
    assert "Stuck runs: mlm (1 of 5 learnt)." in text
    (ranked,) = (line for line in text.splitlines() if line.startswith("2    mlm"))
    assert "1 of 5" in ranked


def test_of_many_objectives_the_stuck_ones_are_above_the_fold(measured):
    names = ("mlm", *(f"o{number:02d}" for number in range(29)))
    report = measured({"o07": (1,), "o09": (2, 3)}, names, points=1, finetune=(0,))
    blocks = learning_blocks(report)
    (table,) = (block for block in blocks if isinstance(block, Table))
    assert [row[0] for row in table.rows] == ["o07", "o09", "bigram line"]
    assert render_markdown(blocks).count("5 of 5") == 28
    clean = dataclasses.replace(report, learning=measured(None, names, points=1).learning)
    assert "All runs of 30 objectives learnt." in render_markdown(learning_blocks(clean))


def test_many_seeds_are_counted():
    assert seeds_words((3,)) == "seed 3"
    assert seeds_words((1, 2, 3)) == "seeds 1, 2 and 3"
    assert seeds_words(tuple(range(7))) == "7 seeds"
