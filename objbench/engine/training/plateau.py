"""The warning of a run that is still at its first plateau when much of its budget is spent."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from objbench.engine.training.job import PretrainJob
from objbench.results.learnt import bigram_line, point_status
from objbench.results.training_points import ExportedPoint

_log = logging.getLogger(__name__)

PATIENCE = 1 / 3
"""Share of its budget that a run may spend at its first plateau before the user is warned."""


@contextmanager
def unwarned() -> Iterator[None]:
    """Let runs that are too short to learn anything train without the warning."""
    before, _log.disabled = _log.disabled, True
    try:
        yield
    finally:
        _log.disabled = before


def warn_if_stuck(job: PretrainJob, points: Sequence[ExportedPoint]) -> None:
    """Warn that the last encoder of ``points`` has not learnt, by the rule of ``results.learnt``.

    It is said the first time that it is so, and once more at the end. Without the study's reference
    lines, only an encoder that makes nothing of the order of words is known to be stuck.

    Args:
        job: the run.
        points: what it has exported, in the order of its steps, before it was continued too.
    """
    stuck = [
        point.share > PATIENCE and point_status(point.common, job.lines) == "stuck"
        for point in points
    ]
    if stuck[-1] and (points[-1].share >= 1 or not any(stuck[:-1])):
        _log.warning("%s", warning(job, points[-1]))


def warning(job: PretrainJob, point: ExportedPoint) -> str:
    """One line: what was measured where, and what to try."""
    found = point.common
    assert found is not None
    line = bigram_line(found, job.lines)
    beside = "" if line is None else f", where a table of word pairs has {line:.2f}"
    where, other = "still at its first plateau", "initializer_range"
    if job.encoder.init is not None:
        where, other = "no better than counts of words, whatever its checkpoint was", "warm-up"
    return (
        f"{job.objective.name}, seed {job.seed}: {where} after {point.meters.steps:,} of "
        f"{job.steps:,} steps (loss {found.loss:.2f}{beside}; order gain {found.order_gain:.2f}): try "
        f"another {other}, learning rate or batch, or look for duplicated text"
    )
