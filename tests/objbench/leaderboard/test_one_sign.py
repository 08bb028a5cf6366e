"""One sign: every gain on a page is positive where the objective is better, also of losses."""

from dataclasses import replace

import pytest

from objbench.leaderboard.findings import findings
from objbench.leaderboard.headline import headline


def at_loss_one(point):
    return point.model_copy(update={"common": point.common.model_copy(update={"loss": 1.0})})


@pytest.fixture
def report_in(make_study, report_of):
    """(direction) -> the report of four seeds at which taco scores 2 to 5 more than mlm."""

    def report(direction):
        # A floor that is worse, and losses that say nothing of the scores.
        floors = {"majority": 30 if direction == "max" else -30}
        study = make_study(seeds=(1, 2, 3, 4), points=20, floors=floors)
        study.measure_learning(of="own")
        for cell_id, record in list(study.records.items()):
            if record.kind == "pretrain":
                study.change(cell_id, points=[at_loss_one(point) for point in record.points])
        suites = [
            suite
            if suite.follows
            else suite.model_copy(
                update={
                    "direction": direction,
                    "columns": tuple(
                        replace(column, direction=direction) for column in suite.columns
                    ),
                }
            )
            for suite in study.plan.suites
        ]
        study.plan = study.plan.model_copy(update={"suites": tuple(suites)})
        return report_of(study)

    return report


@pytest.mark.parametrize(
    ("direction", "sign", "word"), [("max", 1, "better"), ("min", -1, "worse")]
)
def test_a_gain_is_positive_where_the_objective_is_better(report_in, direction, sign, word):
    report = report_in(direction)
    (suite,) = report.suites
    row = next(row for row in suite.rows if row.objective == "taco")
    assert row.gain.mean == pytest.approx(sign * 3.5)
    assert row.improvement.share == (1.0 if sign > 0 else 0.0)
    (gains,) = suite.gains
    assert gains.average.mean == pytest.approx(sign * 3.5)
    for column in gains.columns:
        assert column.gain.mean == pytest.approx(sign * 3.5)
        assert column.without is None or column.without.mean == pytest.approx(sign * 3.5)
    assert suite.interquartile["taco"].estimate.value == pytest.approx(sign * 3.5)
    assert f"taco is significantly {word} than mlm" in headline(report)
    printed = f"{sign * 3.5:+.2f}"
    said = f"Significantly {word} on glue, where taco's gain on mlm is {printed} "
    assert any(text.startswith(said) for text in findings(report))
