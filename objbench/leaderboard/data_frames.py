"""A study's results as tables for one's own analysis: one row per observation.

``read_results`` reads the folder of a run or of a published study. Nothing is rounded, ranked or
left out: what is planned and was not measured is a row with a missing value and its ``status``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from objbench.contract.meters import AXES
from objbench.judge.judgement import Judged, concerned, judge_by_every_score
from objbench.judge.learning import Learning
from objbench.judge.obstacle_text import held_back_text
from objbench.judge.papers.claims import read_claims, shipped_claims
from objbench.judge.score_arrays import score_curves
from objbench.judge.score_source import COMMON, HELDOUT
from objbench.judge.spending import last_meters
from objbench.judge.verdict_sentence import (
    reason_text,
    scale_text,
    verdict_words,
)
from objbench.leaderboard.run_learning import run_learning
from objbench.leaderboard.table_columns import COSTS, CURVES, FLOORS, SCORES, VERDICTS, TableColumn
from objbench.leaderboard.text_bits import bits
from objbench.results.records import Cost, EvaluationRecord, PretrainRecord
from objbench.results.scores import column_value
from objbench.results.study_results import StudyResults, read_study_results
from objbench.results.training_points import CommonLoss, ExportedPoint, Meters

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]

ORDER_GAIN = "order_gain"
"""What shuffling the visible tokens adds to the common loss, as a score of ``curves``."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one kind.

    Attributes:
        columns: name of each column -> its pandas dtype and what it means, with its unit.
        rows: one dictionary per observation; None or NaN where a value is missing.
    """

    columns: Mapping[str, TableColumn]
    rows: tuple[Row, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def to_frame(self) -> pd.DataFrame:
        """The rows as a DataFrame, with the columns and dtypes of ``columns``."""
        import pandas as pd

        frame = pd.DataFrame.from_records(list(self.rows), columns=list(self.columns))
        return frame.astype({name: column.dtype for name, column in self.columns.items()})


@dataclass(frozen=True, slots=True)
class Results:
    """The results of one study.

    Attributes:
        study: its plan joined with its records.
    """

    study: StudyResults

    def scores(self) -> Table:
        """Every evaluation: one row per score of a suite, encoder and fine-tuning seed."""
        return Table(SCORES, tuple(self._named(_scores(self.study))))

    def floors(self) -> Table:
        """What suites give without pretraining: one row per score of a suite, floor and seed."""
        return Table(FLOORS, tuple(self._named(_floors(self.study))))

    def curves(self) -> Table:
        """Scores, held-out losses and order gains along the budget: one row per score, seed, point.

        A suite's score has a curve where a curve suite, such as ``convergence``, follows it; each
        point, the last one too, is the mean over the fine-tuning seeds that ran at every point.
        """
        rows = (*_suite_curves(self.study), *_heldout_curves(self.study))
        return Table(CURVES, tuple(self._named(rows)))

    def verdicts(self, claims: Sequence[str] = ()) -> Table:
        """Papers' claims judged on the study: one row per claim and score that can answer it.

        Args:
            claims: names of bundled claims or paths of claim files; all bundled ones about
                objectives of the study, by default.

        Raises:
            ConfigError: a claim cannot be read, or is about an objective not in the study.
        """
        files = [read_claims(name) for name in claims] or concerned(self.study, shipped_claims())
        judged = judge_by_every_score(self.study, files)
        return Table(VERDICTS, tuple(self._named(_verdict(item) for item in judged)))

    def costs(self) -> Table:
        """What pretraining took, and whether it learnt: one row per objective and seed."""
        return Table(COSTS, tuple(self._named(_costs(self.study))))

    def _named(self, rows: Iterator[Row] | Sequence[Row]) -> Iterator[Row]:
        return ({"study": self.study.plan.name, **row} for row in rows)


def read_results(folder: str | Path) -> Results:
    """The results in ``folder``, of a run or of a published study; torch is not imported.

    Raises:
        RecordError: ``folder`` holds no study, or a file in it cannot be read.
    """
    return Results(read_study_results(Path(folder)))


def _scores(results: StudyResults) -> Iterator[Row]:
    for suite in results.suites:
        for cell in results.evaluations(suite.name):
            record = results.records.get(cell.id)
            found = record if isinstance(record, EvaluationRecord) else None
            is_ok = found is not None and found.status == "ok"
            for column in suite.columns:
                if column.task != cell.task:
                    continue
                why = found.unscored.get(column.name, found.reason) if found else ""
                yield {
                    "objective": cell.objective,
                    "seed": cell.seed,
                    "suite": suite.name,
                    "column": column.name,
                    "task": cell.task,
                    "metrics": "+".join(column.metrics),
                    "finetune_seed": cell.finetune_seed,
                    "share": cell.share,
                    "value": column_value(found, column) if found and is_ok else math.nan,
                    "scale": column.scale,
                    "direction": column.direction,
                    **_spend(found.meters if found else None),
                    "status": results.state(cell),
                    "why": why,
                }


def _floors(results: StudyResults) -> Iterator[Row]:
    for suite in results.suites:
        for cell in results.floors(suite.name):
            record = results.records.get(cell.id)
            found = record if isinstance(record, EvaluationRecord) else None
            is_ok = found is not None and found.status == "ok"
            for column in suite.columns:
                if column.task == cell.task:
                    yield {
                        "objective": cell.objective,
                        "seed": cell.seed,
                        "floor": cell.floor,
                        "suite": suite.name,
                        "column": column.name,
                        "task": cell.task,
                        "value": column_value(found, column) if found and is_ok else math.nan,
                        "scale": column.scale,
                        "direction": column.direction,
                        "status": results.state(cell),
                        "why": found.unscored.get(column.name, found.reason) if found else "",
                    }


def _suite_curves(results: StudyResults) -> Iterator[Row]:
    # Two curve suites may follow one suite: its curve is the same.
    for follower in {suite.follows: suite for suite in results.curve_suites}.values():
        direction = next(s.direction for s in results.suites if s.name == follower.follows)
        for objective, curve in score_curves(results, follower).items():
            for place, seed in enumerate(results.seeds):
                for point, share in enumerate(curve.shares):
                    spend = zip(AXES, curve.spend[point, place].tolist(), strict=True)
                    yield {
                        "objective": objective,
                        "seed": seed,
                        "score": follower.follows,
                        "direction": direction,
                        "point": point + 1,
                        "share": share,
                        "value": float(curve.scores[point, place]),
                        "bits_per_character": math.nan,
                        **{axis: None if math.isnan(spent) else spent for axis, spent in spend},
                    }


def _heldout_curves(results: StudyResults) -> Iterator[Row]:
    for objective in results.plan.objectives:
        for record in results.pretrained(objective.name):
            points = sorted(record.points, key=lambda point: point.meters.steps)
            losses = [_losses(point) for point in points]
            for score in dict.fromkeys(name for point in losses for name in point):
                for number, (point, own) in enumerate(zip(points, losses, strict=True), start=1):
                    yield {
                        "objective": objective.name,
                        "seed": record.seed,
                        "score": score,
                        "direction": "max" if score == ORDER_GAIN else "min",
                        "point": number,
                        "share": point.share,
                        "value": own.get(score, math.nan),
                        "bits_per_character": _bits(point.common, results, score == COMMON),
                        **_spend(point.meters),
                    }


def _losses(point: ExportedPoint) -> dict[str, float]:
    """What was measured of a point on held-out text, by the names of scores."""
    common = point.common
    found = {} if common is None else {COMMON: common.loss, ORDER_GAIN: common.order_gain}
    return {**{HELDOUT + term: loss for term, loss in point.heldout.items()}, **found}


def _verdict(item: Judged) -> Row:
    finding = item.finding
    more = finding.more_seeds if finding else None
    row: Row = {
        "claim": item.title,
        "kind": item.claim.kind,
        "objective": item.file.objective,
        "baseline": item.file.baseline,
        "axis": item.claim.axis or "",
        "claimed": item.claim.value,
        "score": item.source,
        "verdict": verdict_words(item),
        "comparison": finding.comparison if finding else "unclear",
        "level": finding.level if finding else math.nan,
        "look": item.look.number if item.look else None,
        "seeds": len(item.seeds),
        "seeds_left_out": len(item.left_out),
        "more_seeds_low": more.low if more else None,
        "more_seeds_high": more.high if more else None,
        "scale": scale_text(item),
        "why": held_back_text(item) or (reason_text(finding) if finding else ""),
    }
    ends = item.over_examples or (math.nan, math.nan)
    row |= dict(zip(("low_over_examples", "high_over_examples"), ends, strict=True))
    for name in ("estimate", "low", "high"):
        bound = getattr(finding, name, None)
        row |= {
            name: bound.value if bound else math.nan,
            f"{name}_side": bound.side if bound else "",
        }
    return row


def _costs(results: StudyResults) -> Iterator[Row]:
    cells = {cell.id: cell for cell in results.plan.cells}
    learnt = run_learning(results)
    for (objective, seed), cell_id in results.pretraining.items():
        record = results.records.get(cell_id)
        found = record if isinstance(record, PretrainRecord) else None
        cost = found.cost if found else None
        yield {
            "objective": objective,
            "seed": seed,
            "status": results.state(cells[cell_id]),
            **_spend(last_meters(found) if found else None),
            # Phases are no single value: what they make of a point is in its FLOPs.
            **{name: getattr(cost, name, None) for name in Cost.model_fields if name in COSTS},
            "device": found.provenance.device if found else "",
            **_learning(results, learnt[objective].runs.get(seed)),
        }


def _learning(results: StudyResults, run: Learning | None) -> Row:
    final = run.final if run else None
    return {
        "learnt": run.status if run else "unknown",
        "learnt_at": run.left_at if run else None,
        "common_loss": final.loss if final else math.nan,
        "common_bits_per_character": _bits(final, results),
        "common_of": final.of if final else "",
        "order_gain": final.order_gain if final else math.nan,
        "bigram_line": run.bigram if run and run.bigram is not None else math.nan,
    }


def _bits(common: CommonLoss | None, results: StudyResults, is_wanted: bool = True) -> float:
    """A common loss in bits per character; NaN where it is not known or predicts no tokens."""
    characters = None if results.lines is None else results.lines.characters_per_token
    if common is None or common.of == "own" or characters is None or not is_wanted:
        return math.nan
    return bits(common.loss, characters)


def _spend(meters: Meters | None) -> Row:
    return {axis: getattr(meters, axis, None) for axis in AXES}
