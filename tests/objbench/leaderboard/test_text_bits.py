"""Bits per character stand beside the common loss wherever it is shown, and nowhere else."""

import math

import numpy as np
import pytest

import objbench
from objbench.judge.statistics.estimate import estimate
from objbench.judge.statistics.speedup import Bound
from objbench.leaderboard import curve_pictures
from objbench.leaderboard.document import Table
from objbench.leaderboard.learning_sections import learning_blocks
from objbench.leaderboard.quantity import Quantity, estimated, quantity
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.sections import page_document
from objbench.leaderboard.tables.costs import heldout_table
from objbench.leaderboard.tables.learning import learning_table
from objbench.leaderboard.tables.speedups import speedup_table
from objbench.leaderboard.text_bits import BITS, bits_sentence, in_bits

SEEDS = (1, 2, 3, 4, 5)
# Of made-up lines: 4.2 characters per token.
FACTOR = 1 / (math.log(2) * 4.2)


@pytest.fixture
def measured(make_study):
    def make(characters=4.2, of="masked", objectives=("mlm", "taco")):
        study = make_study(objectives, seeds=SEEDS)
        study.measure_learning({"mlm": (2,)}, of)
        study.lines = study.lines.model_copy(update={"characters_per_token": characters})
        return study

    return make


def test_a_mean_and_its_interval_are_turned_alike():
    losses = np.array([2.0, 3.0, 4.0])
    found = in_bits(estimated(estimate(losses), "loss"), 4.2)
    wanted = estimate(losses * FACTOR)
    ends = (found.estimate.value, found.low.value, found.high.value)
    assert ends == pytest.approx((wanted.mean, *wanted.interval))
    # What is said of the loss beside it is not said twice, and a bound stays one.
    noted = Quantity(estimate=Bound(2.0, "below"), notation="loss", note="4 of 5 learnt")
    assert in_bits(noted, 1.0).text == f"< {2 / math.log(2):.3f}"
    assert in_bits(quantity(2.0, "loss"), None) is in_bits(None, 4.2) is None


def test_tables_have_a_column_and_lines_too(measured, report_of, rows):
    report = report_of(measured())
    (table,) = (block for block in learning_blocks(report) if isinstance(block, Table))
    for found in (rows(table), rows(heldout_table(report))):
        by_name = {row["objective"]: row for row in found}
        assert by_name["bigram line"][BITS] == f"{4.5 * FACTOR:.3f}"
        # 3 at the first seed, 0.01 less for each later one; that of seed 2 is stuck.
        mean = np.mean([3.0, 2.98, 2.97, 2.96])
        assert by_name["mlm"][BITS].startswith(f"{mean * FACTOR:.3f} [")
        assert "learnt" not in by_name["mlm"][BITS]
    for curve in report.curves:
        columns = speedup_table(report, curve)[0].columns
        assert (BITS in columns) == (curve.source.name == "heldout:common")
    text = render_markdown(page_document(report))
    assert text.count(bits_sentence(4.2)) == 1
    assert f"bigram 4.500 ({4.5 * FACTOR:.3f})" in text
    assert f"Of these losses the bigram line 4.500 ({4.5 * FACTOR:.3f} {BITS})." in text


def test_the_picture_of_the_common_loss_says_what_a_nat_is(measured, report_of, monkeypatch):
    notes = {}

    def picture(curves, objectives, baseline, label, *, note="", **values):
        notes[label] = note
        return b""

    monkeypatch.setattr(curve_pictures, "convergence_picture", picture)
    curve_pictures.pictures(report_of(measured()))
    common = "common held-out loss (lower is better)"
    assert notes.pop(common) == f"One nat per token is {FACTOR:.3f} bits per character."
    assert set(notes.values()) == {""}
    curve_pictures.pictures(report_of(measured(characters=None)))
    assert notes[common] == ""


def test_nothing_is_shown_where_it_is_not_known(measured, report_of):
    report = report_of(measured(characters=None))
    assert "its per character" not in render_markdown(page_document(report))


def test_a_loss_that_predicts_no_tokens_has_none(measured, report_of, rows):
    report = report_of(measured(of="own"))
    assert BITS not in learning_table(report, ["mlm", "taco"]).columns
    mixed = measured(objectives=("mlm", "taco", "rtd"))
    for seed in SEEDS:
        cell = f"rtd.seed-{seed}"
        points = [
            p.model_copy(update={"common": p.common.model_copy(update={"of": "own"})})
            for p in mixed.records[cell].points
        ]
        mixed.change(cell, points=points)
    report = report_of(mixed)
    for table in (learning_table(report, ["mlm", "taco", "rtd"]), heldout_table(report)):
        found = {row["objective"]: row[BITS] for row in rows(table)}
        assert found["rtd"] == "-" != found["taco"]


def test_data_frames_have_them(measured, tmp_path):
    results = objbench.read_results(measured().write(tmp_path))
    curves = results.curves().to_frame()
    common = curves[curves["score"] == "heldout:common"]
    assert common["bits_per_character"].to_numpy() == pytest.approx(
        common["value"].to_numpy() * FACTOR
    )
    assert curves[curves["score"] != "heldout:common"]["bits_per_character"].isna().all()
    costs = results.costs().to_frame()
    assert costs["common_bits_per_character"].to_numpy() == pytest.approx(
        costs["common_loss"].to_numpy() * FACTOR
    )
