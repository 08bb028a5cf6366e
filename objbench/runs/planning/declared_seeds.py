"""Pretraining seeds are declared before they are run, and none is ever removed.

A study that could drop a seed after seeing its scores could pick among them. A run folder therefore
remembers every seed that was ever declared: more may be added, which the leaderboard shows, and a
command that leaves one out is refused. So it is with the looks, the numbers of seeds at which a
verdict may be read: whoever has read one could choose them by it.
"""

from __future__ import annotations

from objbench.errors import ConfigError
from objbench.results.declared_looks import FIRST_LOOK
from objbench.results.run_folder import RunFolder
from objbench.study.study import Study


def declared_seeds(study: Study, run: RunFolder) -> tuple[tuple[int, ...], ...]:
    """The seeds of ``study`` as they were declared in ``run``, one row for each time.

    Raises:
        ConfigError: the study leaves out a seed that was declared there before.
        RecordError: the folder's plan cannot be read.
    """
    if not run.has_plan():
        return (study.seeds,)
    plan = run.read_plan()
    # A plan made before seeds were declared has run those of its study.
    rows = plan.declared or (plan.asked.seeds,)
    before = [seed for row in rows for seed in row]
    dropped = [seed for seed in before if seed not in study.seeds]
    if dropped:
        every = ",".join(map(str, [*before, *(s for s in study.seeds if s not in before)]))
        raise ConfigError(
            f"{run} has already declared the seeds {', '.join(map(str, before))}; dropping "
            f"{', '.join(map(str, dropped))} now would be cherry-picking: use --seeds {every}, or "
            "start another folder with --out"
        )
    added = tuple(seed for seed in study.seeds if seed not in before)
    return (*rows, added) if added else rows


def declared_looks(study: Study, run: RunFolder) -> tuple[int, ...]:
    """The looks of ``study`` as they were declared in ``run``; empty where none were.

    Raises:
        ConfigError: the study names others than those declared there before, and has had seeds
            enough to be judged.
        RecordError: the folder's plan cannot be read.
    """
    if not run.has_plan():
        return study.looks
    plan = run.read_plan()
    seeds = sum(len(row) for row in plan.declared or (plan.asked.seeds,))
    if seeds < FIRST_LOOK or study.looks in ((), plan.looks):
        return study.looks or plan.looks
    if plan.looks:
        before = ",".join(map(str, plan.looks))
        raise ConfigError(
            f"{run} has declared looks at {before} seeds, and others cannot be chosen after seeds "
            f"were run: use --looks {before}, or start another folder with --out"
        )
    raise ConfigError(
        f"{run} has {seeds} seeds and was begun without looks, which cannot be chosen after seeds "
        "were run: leave --looks out, or start another folder with --out"
    )
