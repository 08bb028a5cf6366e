"""Whether a pretraining run learnt: it beats a table of pairs of words, and it uses their order.

A run that never left its first plateau is no sample of what its objective does to an encoder. A run
has learnt if its encoder has at the end of its budget, by the rule of ``results.learnt``; otherwise
it is stuck. The same is asked of a run that continues from a checkpoint, which may have learnt before
its first step: one that is stuck has lost it, or never had it. Nothing is known of a run whose records
are from before either was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

from objbench.results.learnt import RunStatus, bigram_line, point_status
from objbench.results.reference_lines import ReferenceLines
from objbench.results.study_results import StudyResults
from objbench.results.training_points import CommonLoss, ExportedPoint

__all__ = [
    "Learning",
    "RunStatus",
    "learning",
    "learning_of",
    "learnt_seeds",
    "point_status",
    "stuck_seeds",
    "unknown_seeds",
]


@dataclass(frozen=True, slots=True)
class Learning:
    """Whether a run learnt, and from what that is known.

    Attributes:
        status: "unknown" where the final point has no common loss, or the study has no lines.
        final: the common loss at the end of the budget; None where it is not known.
        bigram: the line of the left neighbour for what ``final`` predicts; None where there is none.
        left_at: the steps at the first point from which on the run had learnt; None where it never
            had, or where that is not known.
    """

    status: RunStatus
    final: CommonLoss | None
    bigram: float | None
    left_at: int | None


def learning(results: StudyResults, objective: str) -> dict[int, Learning]:
    """Pretraining seed -> whether the run learnt, for each finished run of ``objective``."""
    return {
        record.seed: learning_of(record.points, results.lines)
        for record in results.pretrained(objective)
    }


def learnt_seeds(results: StudyResults, objective: str) -> tuple[int, ...]:
    """The seeds whose run of ``objective`` learnt, in the order of the plan."""
    return _seeds(results, objective, "learnt")


def stuck_seeds(results: StudyResults, objective: str) -> tuple[int, ...]:
    """The seeds whose run of ``objective`` is stuck, in the order of the plan.

    No interval over seeds may mix these with the others. The seeds that are in neither list have no
    finished run, or one of which it is not known whether it learnt.
    """
    return _seeds(results, objective, "stuck")


def unknown_seeds(results: StudyResults, objective: str) -> tuple[int, ...]:
    """The seeds of finished runs of which it is not known whether they learnt."""
    return _seeds(results, objective, "unknown")


def learning_of(points: list[ExportedPoint], lines: ReferenceLines | None) -> Learning:
    """Whether the run with these points learnt."""
    ordered = sorted(points, key=lambda point: point.meters.steps)
    statuses = [point_status(point.common, lines) for point in ordered]
    final = ordered[-1].common if ordered else None
    status = statuses[-1] if statuses else "unknown"
    left_at = None
    for point, found in zip(reversed(ordered), reversed(statuses), strict=True):
        if found != "learnt":
            break
        left_at = point.meters.steps
    return Learning(status, final, bigram_line(final, lines), left_at)


def _seeds(results: StudyResults, objective: str, status: RunStatus) -> tuple[int, ...]:
    return tuple(seed for seed, run in learning(results, objective).items() if run.status == status)
