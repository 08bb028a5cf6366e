"""The overhead of objectives: time, FLOPs and memory of a step, split into its parts.

The parts of the gradients are those of ``step_parts``; the optimizer is clipping, the guard and
AdamW. Every part is timed on real steps of throw-away models, with the device waited for at its
borders, in training's precision. The whole step is timed by itself, uncut and waited for at its
ends only, and fetches its batch as well, from rows that are gathered for some steps at a time. So
the parts' seconds add up to about the whole: it has the fetching, they have the waiting. Objectives
take turns, a cut and a whole step each, so that a machine that is shared for a while slows all of
them alike.

An objective with several modes takes steps in each of them; all that is told of it is their mean
with the modes' shares, but for its memory, which is that of the mode that needs most.

FLOPs are counted once, part by part, by the convention of ``flops``. What terms declare belongs to
heads and loss, and what the objective declares beyond its terms to the corruption.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from statistics import median

import torch

from objbench.engine.measuring.step_memory import step_memory, uncompiled
from objbench.engine.measuring.step_parts import parted_gradients, parted_pass
from objbench.engine.training.allocator import give_back_freed_memory
from objbench.engine.training.flops import flop_counter
from objbench.engine.training.job import PretrainJob
from objbench.engine.training.session import Session
from objbench.engine.training.stopwatch import Stopwatch
from objbench.results.step_breakdown import PARTS, PartCost, StepOverhead

WARM_UP_ROUNDS = 2
TIMED_ROUNDS = 7

_WHOLE = "whole_step"


def measure_overhead(jobs: Sequence[PretrainJob]) -> list[StepOverhead]:
    """What a step of each job takes, on throw-away models that are in memory at once.

    20 passes of each, in each of its modes: two a round, and one each for FLOPs and memory.

    Args:
        jobs: their checkpoints and exports are not touched; for one process.

    Returns:
        One a job, in order; seconds are medians and ranges over TIMED_ROUNDS steps.

    Raises:
        ConfigError, DataError: a job does not fit.
    """
    sessions: list[Session] = []
    with torch.random.fork_rng():
        try:
            for job in jobs:
                sessions.append(Session(job))
            return _measured(sessions)
        finally:
            while sessions:
                sessions.pop().close()
            give_back_freed_memory()


def part_flops(session: Session) -> dict[str, float]:
    """FLOPs of each of PARTS in an optimizer step; their sum is ``session.flops_per_step``.

    Counted on the first micro-batch, as that number is; leaves no gradients.
    """
    objective = session.module.objective
    batch, _ = session.begin(0, 0)
    rows, length = batch.input_ids.shape
    flops = _expected(session, partial(_counted, session))
    of_terms = float(sum(term.extra_flops(rows, length) for term in objective.terms))
    flops["heads_and_loss"] += of_terms
    flops["corruption"] += float(objective.extra_flops(rows, length)) - of_terms
    return {part: count * session.job.training.micro_batches for part, count in flops.items()}


def _counted(session: Session, mode: str) -> dict[str, float]:
    """FLOPs of each part of a micro-batch in ``mode`` that the counter sees."""
    flops = dict.fromkeys(PARTS, 0.0)

    @contextmanager
    def counted(part: str) -> Iterator[None]:
        with flop_counter() as counter:
            yield
        flops[part] += counter.get_total_flops()

    with uncompiled(session.module.encoder):
        parted_pass(session, *session.begin(0, 0, mode), counted)
    session.module.zero_grad(set_to_none=True)
    return flops


def _expected(session: Session, measure: Callable[[str], dict[str, float]]) -> dict[str, float]:
    """The mean of what ``measure`` says of each mode of the objective, with the modes' shares."""
    modes = session.module.objective.modes
    found = [(share, measure(mode)) for mode, share in modes.items()]
    return {part: sum(share * one[part] for share, one in found) for part in found[0][1]}


def _measured(sessions: Sequence[Session]) -> list[StepOverhead]:
    flops = [part_flops(session) for session in sessions]
    rounds: list[list[dict[str, float]]] = [[] for _ in sessions]
    for number in range(WARM_UP_ROUNDS + TIMED_ROUNDS):
        for session, own in zip(sessions, rounds, strict=True):
            seconds = _seconds_of_round(session, number)
            if number >= WARM_UP_ROUNDS:
                own.append(seconds)
    return [_overhead(*each) for each in zip(sessions, flops, rounds, strict=True)]


def _seconds_of_round(session: Session, number: int) -> dict[str, float]:
    """Seconds of each part of a cut step, and of a whole one after it, in expectation."""
    return _expected(session, partial(_seconds, session, number))


def _seconds(session: Session, number: int, mode: str) -> dict[str, float]:
    watches = {part: Stopwatch(session.device) for part in (*PARTS, _WHOLE)}

    @contextmanager
    def timed(part: str) -> Iterator[None]:
        watches[part].start()
        yield
        watches[part].pause()

    parted_gradients(session, 2 * number, timed, mode)
    with timed("optimizer"):
        session.update.apply(session.job.training.learning_rate)
    with timed(_WHOLE):
        _take_step(session, 2 * number + 1, mode)
    return {part: watch.read() for part, watch in watches.items()}


def _take_step(session: Session, step: int, mode: str) -> None:
    session.gradients(step, mode)
    session.update.apply(session.job.training.learning_rate)


def _overhead(
    session: Session, flops: dict[str, float], rounds: Sequence[dict[str, float]]
) -> StepOverhead:
    flops = {**flops, _WHOLE: sum(flops.values())}
    costs = {}
    for part in (*PARTS, _WHOLE):
        seconds = [taken[part] for taken in rounds]
        costs[part] = PartCost(
            seconds=median(seconds),
            shortest=min(seconds),
            longest=max(seconds),
            flops=flops[part],
        )
    last = 2 * (WARM_UP_ROUNDS + TIMED_ROUNDS)
    peaks = [
        step_memory(session, partial(_take_step, session, last, mode))
        for mode in session.module.objective.modes
    ]
    memory, kind = max(peaks)
    return StepOverhead(
        objective=session.job.objective.name, peak_memory=memory, memory_kind=kind, **costs
    )
