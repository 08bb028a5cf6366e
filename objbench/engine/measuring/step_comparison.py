"""Compare the optimizer steps of several objectives: time, FLOPs and peak memory.

Steps are timed on throw-away models in training's precision, the objectives taking turns step by
step (see ``step_cost``). An objective with several modes takes a step in each of them; its time and
FLOPs are the mean weighted by the modes' shares, its memory that of the mode that needs most.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import median

from objbench.engine.global_generators import forked_generators
from objbench.engine.measuring.step_cost import TIMED_STEPS, WARM_UP_STEPS, take_step, time_steps
from objbench.engine.measuring.step_memory import step_memory
from objbench.engine.training.allocator import give_back_freed_memory
from objbench.engine.training.job import PretrainJob
from objbench.engine.training.session import Session
from objbench.results.step_comparison import ComparedStep


def compare_steps(jobs: Sequence[PretrainJob]) -> list[ComparedStep]:
    """Measure an optimizer step of each job, with all models in memory at once.

    Args:
        jobs: their checkpoints and exports are not touched; for one process.

    Returns:
        One per job, in order; seconds are the median and range of TIMED_STEPS steps.

    Raises:
        ConfigError, DataError: a job does not fit.
    """
    sessions: list[Session] = []
    with forked_generators(jobs[0].device):
        try:
            for job in jobs:
                sessions.append(Session(job))
            times = time_steps(sessions)
            return [_compared(*each) for each in zip(sessions, times, strict=True)]
        finally:
            while sessions:
                sessions.pop().close()
            give_back_freed_memory()


def _compared(session: Session, seconds: Sequence[float]) -> ComparedStep:
    after = WARM_UP_STEPS + TIMED_STEPS
    peaks = [
        step_memory(session, partial(take_step, session, after, mode))
        for mode in session.module.objective.modes
    ]
    memory, kind = max(peaks)
    return ComparedStep(
        objective=session.job.objective.name,
        seconds=median(seconds),
        shortest=min(seconds),
        longest=max(seconds),
        flops=session.flops_per_step,
        peak_memory=memory,
        memory_kind=kind,
    )
