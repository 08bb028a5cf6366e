"""What a step costs: FLOPs counted, and seconds measured where a budget asks for time.

Timed objectives take turns, step by step, so that a machine that slows down or is shared for a
while slows all of them alike and their ratio holds. An objective with several modes takes a step in
each, and its time is their mean with the modes' shares, as its FLOPs are.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

import torch

from objbench.engine.training.job import PretrainJob
from objbench.engine.training.session import Session
from objbench.study.budget import StepCost

WARM_UP_STEPS = 3
TIMED_STEPS = 15


def calibrate(jobs: Sequence[PretrainJob], timed: bool) -> list[StepCost]:
    """The cost of an optimizer step of each job, on throw-away models.

    Args:
        jobs: their checkpoints and exports are not touched.
        timed: measure seconds too; all models are in memory at once then.

    Returns:
        One cost a job, in order; ``seconds`` is the median of TIMED_STEPS steps (of every mode,
        averaged over them with their shares), or None.
    """
    with torch.random.fork_rng():
        if not timed:
            return [_counted(job) for job in jobs]
        return _timed([Session(job) for job in jobs])


def measure_step(job: PretrainJob, timed: bool) -> StepCost:
    """The cost of an optimizer step of one job; see ``calibrate``."""
    return calibrate([job], timed)[0]


def _counted(job: PretrainJob) -> StepCost:
    session = Session(job)
    cost = StepCost(tokens=session.tokens_per_step, flops=session.flops_per_step)
    session.close()
    return cost


def _timed(sessions: Sequence[Session]) -> list[StepCost]:
    seconds: list[list[float]] = [[] for _ in sessions]
    for step in range(WARM_UP_STEPS + TIMED_STEPS):
        for session, own in zip(sessions, seconds, strict=True):
            taken = _seconds_of_step(session, step)
            if step >= WARM_UP_STEPS:
                own.append(taken)
    costs = [
        StepCost(session.tokens_per_step, session.flops_per_step, median(own))
        for session, own in zip(sessions, seconds, strict=True)
    ]
    for session in sessions:
        session.close()
    return costs


def _seconds_of_step(session: Session, step: int) -> float:
    """Of a step in expectation: one of each mode is taken."""
    expected = 0.0
    for mode, share in session.module.objective.modes.items():
        _wait(session.device)
        started = time.perf_counter()
        session.gradients(step, mode)
        session.update.apply(session.job.training.learning_rate)
        _wait(session.device)
        expected += share * (time.perf_counter() - started)
    return expected


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
