"""The cost of a step: FLOPs are counted, and seconds are measured if a budget needs them.

Timed objectives take turns, step by step, so that a machine that is slow or shared for a while
slows all of them alike and their ratio holds. In a run, steps of one objective follow each other and
find its weights in the caches, which matters where they are short: such a step is taken twice in each
turn, and the second is timed. An objective with several modes takes a step in each; its time is the mean weighted by the modes' shares,
as its FLOPs are.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from objbench.engine.global_generators import forked_generators
from objbench.engine.measuring.realised_rate import realised_rate
from objbench.engine.training.job import PretrainJob
from objbench.engine.training.session import Session
from objbench.engine.training.stopwatch import Stopwatch
from objbench.results.step_cost import StepCost

WARM_UP_STEPS = 3
TIMED_STEPS = 15
SHORT = 0.2
"""Seconds of a step that is taken twice in a turn."""


def calibrate(jobs: Sequence[PretrainJob], timed: bool) -> list[StepCost]:
    """The cost of an optimizer step of each job, on throw-away models.

    Args:
        jobs: their checkpoints and exports are not touched.
        timed: measure seconds too; all models are in memory at once then.

    Returns:
        One cost per job, in order; ``seconds`` is the median of TIMED_STEPS steps, or None.
    """
    with forked_generators(jobs[0].device):
        if not timed:
            return [_counted(job) for job in jobs]
        sessions = [Session(job) for job in jobs]
        costs = [
            _cost(session, median(seconds))
            for session, seconds in zip(sessions, time_steps(sessions), strict=True)
        ]
        for session in sessions:
            session.close()
        return costs


def time_steps(sessions: Sequence[Session]) -> list[list[float]]:
    """Seconds of TIMED_STEPS optimizer steps of each session, which take turns.

    Returns:
        A list per session, in order; a step of an objective with several modes counts as the mean
        over its modes, weighted by their shares.
    """
    seconds: list[list[float]] = [[] for _ in sessions]
    for step in range(WARM_UP_STEPS + TIMED_STEPS):
        for session, own in zip(sessions, seconds, strict=True):
            taken = _seconds_of_step(session, step)
            if step >= WARM_UP_STEPS:
                own.append(taken)
    return seconds


def take_step(session: Session, step: int, mode: str) -> None:
    """Take optimizer step number ``step`` in ``mode``, at the full learning rate."""
    session.gradients(step, mode)
    session.update.apply(session.job.training.learning_rate)


def _counted(job: PretrainJob) -> StepCost:
    session = Session(job)
    cost = _cost(session, None)
    session.close()
    return cost


def _cost(session: Session, seconds: float | None) -> StepCost:
    return StepCost(
        tokens=session.tokens_per_step,
        flops=session.flops_per_step,
        seconds=seconds,
        rate=realised_rate(session),
        phases=session.phases,
    )


def _seconds_of_step(session: Session, step: int) -> float:
    """Seconds of a step in expectation: one step is taken in each mode."""
    expected = 0.0
    for mode, share in session.module.objective.modes.items():
        taken = _timed(session, step, mode)
        if taken < SHORT:
            taken = _timed(session, step, mode)
        expected += share * taken
    return expected


def _timed(session: Session, step: int, mode: str) -> float:
    watch = Stopwatch(session.device)
    watch.start()
    take_step(session, step, mode)
    return watch.pause()
