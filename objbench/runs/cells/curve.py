"""A curve cell: one objective's curve against the baseline's, for one pretraining seed."""

from __future__ import annotations

from typing import Any

from objbench.contract.composition import Composition
from objbench.contract.meters import AXES
from objbench.contract.suite import CurvePoint
from objbench.errors import RecordError
from objbench.results.plan import PlannedCell, PlannedSuite
from objbench.results.records import AnyRecord, EvaluationRecord
from objbench.results.scores import column_scores
from objbench.runs.cells.cell_work import CellWork


class CurveWork(CellWork):
    """Puts the two curves together from stored evaluations and hands them to the curve suite."""

    def do(self, cell: PlannedCell, started: str) -> AnyRecord:
        """Measure the curve.

        Raises:
            RecordError: a column of the followed score is missing.
        """
        context = self.context
        followed = context.suite(context.suite(cell.suite).follows)
        values = self.prepared.plugins.curves[cell.suite].measure(
            self._curve(cell, followed, context.plan.baseline),
            self._curve(cell, followed, cell.objective),
            followed.direction,
        )
        return self.record(cell, started, status="ok", values=dict(values))

    def plugin(self, cell: PlannedCell) -> type[Any] | Composition:
        """The curve suite."""
        return type(self.prepared.plugins.curves[cell.suite])

    def fields(self, cell: PlannedCell) -> dict[str, Any]:
        """Which curves were compared."""
        planned = self.context.suite(cell.suite)
        return {
            "suite": cell.suite,
            "suite_version": planned.version,
            "follows": planned.follows,
            "baseline": self.context.plan.baseline,
            "upstream": [self.context.cell(needed).key for needed in cell.needs],
        }

    def _curve(self, cell: PlannedCell, followed: PlannedSuite, objective: str) -> list[CurvePoint]:
        """The followed suite's score of one objective and seed at every point, in order.

        Points whose encoder cannot be scored are left out.
        """
        records: dict[float, list[EvaluationRecord]] = {}
        for needed in map(self.context.cell, cell.needs):
            if needed.objective == objective:
                record = self.context.evaluation(needed)
                records.setdefault(record.share, []).append(record)
        points = (_point(followed, records[share]) for share in sorted(records))
        return [point for point in points if point is not None]


def _point(suite: PlannedSuite, records: list[EvaluationRecord]) -> CurvePoint | None:
    """The mean score over fine-tuning seeds at one point; None where there can be none."""
    if not suite.average_groups:
        return None
    scores = []
    for seed in sorted({record.finetune_seed for record in records}):
        own = [record for record in records if record.finetune_seed == seed]
        score = suite.average.score(column_scores(suite.columns, own))
        if score is None and any(record.unscored for record in own):
            return None
        if score is None:
            raise RecordError(f"the {suite.name} score lacks a column; run the study again")
        scores.append(score)
    spend: dict[str, float] = {axis: float(getattr(records[0].meters, axis)) for axis in AXES}
    return CurvePoint(spend=spend, score=sum(scores) / len(scores))
