"""A suite's columns: their scores, how much reseeding alone moves them, and where a gain comes from.

Everything is paired by pretraining seed, and over the runs that are not stuck (``run_learning``). A
gain is candidate minus baseline turned so that positive is better, also where a column or the suite
is better when low.

Shape legend: O objectives, S pretraining seeds, C columns, F fine-tuning seeds, G groups.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from objbench.judge.score_arrays import SuiteScores
from objbench.judge.statistics.estimate import Estimate, FloatArray
from objbench.judge.statistics.gain_by_task import (
    average,
    average_gain,
    contributions,
    leave_one_out,
    task_gains,
)
from objbench.judge.statistics.noise_floor import Noise, noise_floors
from objbench.leaderboard.quantity import turned
from objbench.leaderboard.run_learning import RunLearning, mean_of_counted
from objbench.results.plan import Plan, PlannedSuite


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedScores:
    """One objective's scores over the pretraining seeds that have one and whose run is not stuck.

    Attributes:
        found: None where no seed has a score.
        seeds: S, pretraining seeds of the study; ``found.runs`` of them are there.
        counted: number of seeds whose run is not stuck; None where none is stuck.
        learnt: how many runs learnt, such as "4 of 5"; "" where none is stuck.
    """

    found: Estimate | None
    seeds: int
    counted: int | None = None
    learnt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnScores:
    """One column, or the suite's average.

    Attributes:
        metric: what is measured, such as "accuracy and f1".
        is_lower_better: whether a lower value is better.
        scores: objective -> its scores.
        noise: pooled over the objectives that lack nothing and of which no run is stuck; None
            where there is none.
    """

    name: str
    metric: str
    is_lower_better: bool
    scores: Mapping[str, SeedScores]
    noise: Noise | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnGain:
    """One column's part in an objective's gain.

    Attributes:
        gain: positive is better; None where a seed is missing.
        p_value: of the paired t-test, Holm-corrected over the columns; None for too few seeds.
        is_significant: the corrected p-value is at most 5%.
        group: the columns it is averaged with before it enters the suite's average, itself
            among them; empty where it is not in the average.
        adds: what its group adds to the gain of the average.
        without: the gain of the average without its group; None where there is one group.
    """

    name: str
    gain: Estimate | None
    p_value: float | None
    is_significant: bool
    group: tuple[str, ...]
    adds: Estimate | None
    without: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gains:
    """An objective's gains over the baseline, column by column, and that of the average."""

    objective: str
    columns: tuple[ColumnGain, ...]
    average: Estimate


def average_groups(suite: PlannedSuite) -> list[list[int]]:
    """The columns of each group of the suite's average, by index."""
    place = {column.name: index for index, column in enumerate(suite.columns)}
    return [[place[name] for name in group] for group in suite.average_groups]


def column_scores(
    plan: Plan, found: SuiteScores, learnt: Mapping[str, RunLearning]
) -> tuple[ColumnScores, ...]:
    """The suite's columns in their order, then its average, if it has one."""
    suite = found.suite
    counted = np.stack([learnt[item.name].counted for item in plan.objectives])
    values = np.where(counted[:, :, np.newaxis, np.newaxis], found.values, np.nan)
    lines = [
        ColumnScores(
            name=column.name,
            metric=" and ".join(column.metrics),
            is_lower_better=column.direction == "min",
            scores=_by_objective(learnt, found.columns[:, :, number]),
            noise=_noise(values[:, :, number]),
        )
        for number, column in enumerate(suite.columns)
    ]
    if suite.average_groups:
        averages = average(values, average_groups(suite), axis=-2)
        lines.append(
            ColumnScores(
                name="average",
                metric=suite.average_label,
                is_lower_better=suite.direction == "min",
                scores=_by_objective(learnt, found.scores),
                noise=_noise(averages),
            )
        )
    return tuple(lines)


def gains(
    plan: Plan, found: SuiteScores, ranked: Collection[str], learnt: Mapping[str, RunLearning]
) -> tuple[Gains, ...]:
    """The gains of the ``ranked`` objectives over the baseline, in the order of the plan."""
    names = [objective.name for objective in plan.objectives]
    baseline = found.values[names.index(plan.baseline)]
    pairs = {name: learnt[name].counted & learnt[plan.baseline].counted for name in names}
    return tuple(
        _gains(name, found.suite, found.values[index][pairs[name]], baseline[pairs[name]])
        for index, name in enumerate(names)
        if name in ranked
    )


def _gains(
    objective: str, suite: PlannedSuite, candidate: FloatArray, baseline: FloatArray
) -> Gains:
    """The gains of one objective; (S, C, F) float64 each."""
    groups, names = average_groups(suite), [column.name for column in suite.columns]
    sign = 1.0 if suite.direction == "max" else -1.0
    whole = np.isfinite(candidate).all(axis=(0, 2)) & np.isfinite(baseline).all(axis=(0, 2))
    there = np.flatnonzero(whole)
    own = dict(
        zip(there.tolist(), task_gains(candidate[:, there], baseline[:, there]), strict=True)
    )
    adds = contributions(candidate, baseline, groups)
    without: Sequence[Estimate | None] = [None] * len(groups)
    if len(groups) > 1:
        without = leave_one_out(candidate, baseline, groups)
    columns = []
    for number, column in enumerate(suite.columns):
        gain, own_sign = own.get(number), 1.0 if column.direction == "max" else -1.0
        group = next((g for g, members in enumerate(groups) if number in members), None)
        rest = None if group is None else without[group]
        columns.append(
            ColumnGain(
                name=column.name,
                gain=None if gain is None else turned(gain.gain, own_sign),
                p_value=None if gain is None else gain.p_value,
                is_significant=gain is not None and gain.significant,
                group=() if group is None else tuple(names[n] for n in groups[group]),
                adds=None if group is None else turned(adds[group], sign),
                without=None if rest is None else turned(rest, sign),
            )
        )
    whole_gain = turned(average_gain(candidate, baseline, groups), sign)
    return Gains(objective=objective, columns=tuple(columns), average=whole_gain)


def seed_scores(values: FloatArray, learnt: RunLearning) -> SeedScores:
    """An objective's scores, from (S,) values that are NaN where missing."""
    return over_counted(mean_of_counted(values, learnt.counted), learnt)


def over_counted(found: Estimate | None, learnt: RunLearning) -> SeedScores:
    """A mean that ``mean_of_counted`` made, with what it is over."""
    if learnt.counted.all():
        return SeedScores(found=found, seeds=learnt.counted.size)
    return SeedScores(
        found=found,
        seeds=learnt.counted.size,
        counted=int(learnt.counted.sum()),
        learnt=learnt.share or "",
    )


def _by_objective(learnt: Mapping[str, RunLearning], values: FloatArray) -> dict[str, SeedScores]:
    """Objective -> its scores, from (O, S) values."""
    return {
        name: seed_scores(own, runs)
        for (name, runs), own in zip(learnt.items(), values, strict=True)
    }


def _noise(values: FloatArray) -> Noise | None:
    """The noise of one column from (O, S, F) scores, over the objectives that are whole."""
    whole = values[np.isfinite(values).all(axis=(1, 2))]
    return noise_floors(whole[:, :, None])[0] if len(whole) else None
