"""A page of many objectives is as short above its details as one of few, and its pictures legible."""

import re

import numpy as np
import pytest
from scipy.stats import ttest_rel

from objbench.leaderboard.curve_pictures import pictures
from objbench.leaderboard.document import Heading, Paragraph, Picture, Table
from objbench.leaderboard.foremost import MOST_DRAWN, MOST_ROWS
from objbench.leaderboard.html.page import html_page
from objbench.leaderboard.pictures.drawing import look
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.sections import page_document
from objbench.leaderboard.tables.ranking import ranking_table
from objbench.leaderboard.terminal import terminal_summary


def crowd(make_study, objectives, seeds=3, spread=0.02, floors=None):
    """A study of so many objectives, whose effects and seeds are normal and whose scores are not equal.

    One that is not the baseline is better by far than all others, and one is worse by far.
    """
    names = ("mlm", *(f"objective_{number:02d}" for number in range(1, objectives)))
    study = make_study(names, seeds=tuple(range(seeds)), points=2, finetune=(0,), floors=floors)
    draw = np.random.Generator(np.random.Philox(5)).standard_normal
    effects = {name: spread * draw() for name in names} | {"mlm": 0.0}
    if objectives > 2:
        effects |= {names[-1]: 0.15, names[-2]: -0.15}
    noise = {(name, seed): 0.002 * draw() for name in names for seed in range(seeds)}
    for cell_id, record in list(study.records.items()):
        by = effects.get(record.objective, 0.0) + noise.get((record.objective, record.seed), 0.0)
        if record.kind == "evaluation":
            by += 0.01 * record.seed - 0.1 * (1 - record.share)
            scores = {
                column: dict.fromkeys(metrics, 0.5 + by)
                for column, metrics in record.scores.items()
            }
            study.change(cell_id, scores=scores)
        elif record.kind == "pretrain":
            points = [
                point.model_copy(update={"heldout": {"mlm": point.heldout["mlm"] - 10 * by}})
                for point in record.points
            ]
            study.change(cell_id, points=points)
    return study


def sentences(blocks):
    """What a reader goes through before the first table: sentences of paragraphs."""
    found = []
    for block in blocks:
        if isinstance(block, Table):
            return found
        if isinstance(block, Paragraph):
            found += re.split(r"(?<=[.;]) ", render_markdown([block]).strip())
    raise AssertionError("no table")


def test_a_page_of_a_hundred_objectives(make_study, report_of):
    report = report_of(crowd(make_study, 100, seeds=4, floors={"majority": 45}))
    page = page_document(report)
    text = render_markdown(page)
    assert len(text.encode()) < 150_000
    assert len(sentences(page)) <= 8
    above, details = text.split("## Details")
    assert len(re.sub("<details>.*?</details>", "", above, flags=re.DOTALL).splitlines()) < 60
    # Findings: who differs by name, the others together.
    shown = re.search(r"What the numbers show.*?</details>", details, re.DOTALL).group()
    assert shown.count("\n- ") < 40
    many = r"mlm on glue: \d+ objectives, [-+.\d]+ to [-+.\d]+ points over 4 paired seeds"
    assert re.search(rf"Significantly better than {many}", shown)
    assert re.search(rf"Significantly worse than {many}", shown)
    assert re.search(r"No significant difference from mlm on glue: \d+ objectives over 4", shown)
    # Nobody is lost: every score is in a table that is folded.
    (whole,) = re.findall(r"glue: all 100 objectives.*?</details>", text, re.DOTALL)
    assert all(f" {o.name} " in whole for o in report.plan.objectives)
    assert "The baseline and the best of 100; all are in the fold below." in above
    said = "the baseline and, of the other 99 objectives, the 9 with the best final glue score."
    assert f"Drawn: {said}" in above
    files = pictures(report)
    assert max(map(len, files.values())) < 400_000
    for curve in report.curves:
        names = curve.drawn
        assert len(names) == MOST_DRAWN
        assert {"mlm", "objective_99"} <= {*names}
        assert "objective_98" not in names
        # Legible: no two look the same.
        assert len({look(name, names, "mlm") for name in names}) == MOST_DRAWN
    summary = terminal_summary(report)
    assert max(map(len, summary.splitlines()[1:])) < 500


@pytest.mark.parametrize("objectives", [30, 31])
def test_past_thirty_objectives_each_is_compared_with_the_baseline_alone(
    make_study, report_of, rows, objectives
):
    report = report_of(crowd(make_study, objectives, seeds=4))
    text = render_markdown(page_document(report))
    ranking = text[text.index("## Ranking") : text.index("## Details")]
    is_alone = objectives > 30
    assert ("each is compared with mlm alone, since 465 pairs" in ranking) == is_alone
    assert ("30 paired t-tests with Holm's correction" in ranking) == is_alone
    assert ("every objective compared with the baseline at once" in text) == is_alone
    assert ("all pairs of objectives compared at once" in text) == (not is_alone)
    assert ("rank [95%]" in ranking) == (not is_alone)
    (suite,) = report.suites
    said = {
        row["objective"]: row.get("vs mlm")
        for row in rows(ranking_table(report, suite, suite.rows))
    }
    if is_alone:
        # By hand: every pair with the baseline, Holm step by step, in float64.
        scores = {
            o.name: suite.found.scores[place] for place, o in enumerate(report.plan.objectives)
        }
        tests = {n: ttest_rel(own, scores["mlm"]) for n, own in scores.items() if n != "mlm"}
        expected, left = dict.fromkeys(tests, "not significant"), len(tests)
        for name in sorted(tests, key=lambda name: tests[name].pvalue):
            if tests[name].pvalue * left > 0.05:
                break
            expected[name], left = "better" if tests[name].statistic > 0 else "worse", left - 1
        assert said == {"mlm": "baseline"} | expected
        assert {*expected.values()} == {"better", "worse", "not significant"}
    else:
        assert {*said.values()} == {None}
    page = html_page(report)
    assert (f"glue: all {objectives} objectives</summary>" in page) == is_alone
    assert all(f">{name}<" in page for name in said)


@pytest.mark.parametrize(("objectives", "has_letters"), [(15, True), (16, False)])
def test_past_fifteen_objectives_ranks_have_intervals_and_no_letters(
    make_study, report_of, objectives, has_letters
):
    text = render_markdown(page_document(report_of(crowd(make_study, objectives))))
    ranking = text[text.index("## Ranking") : text.index("## Details")]
    assert (" group |" in ranking) == has_letters
    assert ("sharing a group letter" in ranking) == has_letters
    assert (
        "Of more than 15 objectives, the intervals of their ranks alone show which differ."
        in ranking
    ) == (not has_letters)
    assert "rank [95%]" in ranking


@pytest.mark.parametrize(("objectives", "seeds"), [(1, 3), (2, 3), (15, 1), (30, 3)])
def test_any_number_of_objectives_makes_a_page(make_study, report_of, objectives, seeds):
    report = report_of(crowd(make_study, objectives, seeds))
    page = page_document(report)
    text = render_markdown(page)
    assert len(sentences(page)) <= 11
    assert text.count("<details>") == text.count("</details>")
    (suite,) = report.suites
    shown = suite.above_fold("mlm")
    assert "mlm" in shown
    assert len(shown) == (objectives if objectives <= MOST_ROWS else MOST_DRAWN)
    ranking = page[[isinstance(b, Heading) and b.text == "Ranking" for b in page].index(True) :]
    table = next(block for block in ranking if isinstance(block, Table))
    assert len(table.rows) == len(shown)
    assert ("all 30 objectives" in text) == (objectives == 30)
    assert ("Drawn: " in text) == (objectives > MOST_DRAWN)
    assert [block.file for block in page if isinstance(block, Picture)] == ["convergence-glue.svg"]
