"""What a page calls different is so at the look that the study has reached.

With four seeds taco minus mlm is 2, 3, 4 and 5 points: t = 5.42 with 3 degrees of freedom, p = 0.012.
"""

import pytest

from objbench.leaderboard.findings import findings
from objbench.leaderboard.headline import headline
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.sections import page_document

NOTE = "Over all 4 seeds at 95%, which does not allow for several looks."


@pytest.fixture
def report_at(make_study, report_of):
    """(**declaration) -> the report of four seeds so declared."""

    def report(**declaration):
        study = make_study(seeds=(1, 2, 3, 4), points=20, floors={"majority": 30})
        study.measure_learning()
        study.plan = study.plan.model_copy(update=declaration)
        return report_of(study)

    return report


def taco(report):
    """Its row, and its speedups by glue."""
    row = next(row for row in report.suites[0].rows if row.objective == "taco")
    curve = next(curve for curve in report.curves if curve.source.name == "glue")
    return row, curve.speedups["taco"]


def test_one_look_is_read_at_95_percent(report_at):
    for declaration in ({}, {"declared": ((1, 2, 3, 4),)}, {"declared": ((1, 2), (3, 4))}):
        report = report_at(**declaration)
        row, speedups = taco(report)
        assert row.is_significant
        assert (speedups.headline["steps"].level, speedups.comparison) == (0.95, "better")
        assert not any("look" in text for text in report.caveats)
        assert "on the suite glue, taco is significantly better than mlm" in headline(report)
        assert NOTE not in render_markdown(page_document(report))


def test_after_seeds_were_added_nothing_is_called_different_that_looking_might_have_made(report_at):
    report = report_at(declared=((1, 2, 3), (4,)))
    row, speedups = taco(report)
    # At every look with four seeds a difference needs p < 0.0055.
    assert not row.is_significant
    assert "on the suite glue, taco is not significantly different from mlm" in headline(report)
    assert row.ranks == (1, 2)
    assert row.gain.mean == pytest.approx(3.5)
    assert speedups.headline["steps"].level == pytest.approx(0.9945, abs=1e-4)
    assert speedups.comparison == "unclear"
    said = (
        "Seeds were added to the 3 declared: whatever is called different is so at a level (99.5%)"
    )
    assert any(text.startswith(said) for text in report.caveats)
    assert any("by the 99.5% intervals" in text for text in findings(report))


def test_a_page_between_two_looks_is_at_the_first(report_at):
    report = report_at(looks=(3, 5))
    row, speedups = taco(report)
    assert (row.gain.mean, row.gain.runs) == (pytest.approx(3.0), 3)
    assert speedups.headline["steps"].seeds == 3
    assert speedups.headline["steps"].level == pytest.approx(0.97)
    said = "The study is read at look 1 of 2, at 3 seeds: "
    assert any(text.startswith(said) for text in report.caveats)
    assert "Brackets: 95% t-interval over 3 seeds" in render_markdown(page_document(report))


def test_tables_that_are_not_at_the_look_say_so(report_at):
    for declaration in ({"looks": (3, 5)}, {"declared": ((1, 2, 3), (4,))}, {"looks": (5, 10)}):
        text = render_markdown(page_document(report_at(**declaration)))
        # The columns with their noise and the interquartile mean, and the gains on each column.
        assert text.count(NOTE) == 2
        columns = text.partition("glue: protocol and columns")[2].partition("</details>")[0]
        assert columns.index(NOTE) < columns.index("noise floor")
        assert columns.index("noise floor") < columns.index("Interquartile mean")


def test_before_the_first_look_nothing_is_called_different(report_at):
    report = report_at(looks=(5, 10))
    row, speedups = taco(report)
    assert not row.is_significant
    assert speedups.comparison == "unclear"
    assert {finding.comparison for finding in speedups.headline.values()} == {"unclear"}
    said = "The study has not reached look 1 of 2, at 5 seeds: nothing is called different before."
    assert said in report.caveats
