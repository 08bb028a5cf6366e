"""Where a gain comes from: each task's own, each group's part, and the average without it.

A suite's score is the mean over groups of each group's mean (``suite.Average``), so a group of a
G-group average moves it by 1/G of its own gain, and these parts add up to the average's gain. The
average without a group shows whether the verdict depends on a single task.

Everything is paired by pretraining seed, after the fine-tuning seeds of a run have been averaged.
Gains are candidate minus baseline in the unit of the scores, whichever direction is better. The
averages with a group left out are not corrected for each other: they are one verdict seen G
times, and none is a separate claim.

Shape legend: S pretraining seeds, T tasks or columns, F fine-tuning seeds, G groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from objbench.judge.statistics.estimate import Estimate, FloatArray, estimate, within_run_mean
from objbench.judge.statistics.multiple_tests import ERROR_RATE, holm, paired_p_values
from objbench.judge.statistics.ties import difference, mean_without_rounding

Groups = Sequence[Sequence[int]]
"""The columns of each group, by index; a column in no group is not part of the average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskGain:
    """One task's gain.

    Attributes:
        gain: mean over seeds of candidate minus baseline, with its own 95% t-interval, which is
            not corrected for the other tasks.
        p_value: of the paired t-test, Holm-corrected over the tasks; None for too few seeds.
        significant: the corrected p-value is at most 5%.
    """

    gain: Estimate
    p_value: float | None
    significant: bool


def group_means(values: FloatArray, groups: Groups, axis: int = -1) -> FloatArray:
    """The mean of each group's columns: G in place of T on ``axis``.

    Raises:
        ValueError: there is no group, a group is empty, or it names a column that is not there.
    """
    columns = values.shape[axis]
    if not groups or any(not group for group in groups):
        raise ValueError(f"an average needs groups with at least one column each, not {groups}")
    if any(not 0 <= column < columns for group in groups for column in group):
        raise ValueError(f"the groups {groups} name a column outside 0..{columns - 1}")
    means = [
        mean_without_rounding(np.take(values, list(group), axis=axis), axis) for group in groups
    ]
    return np.stack(means, axis=axis)


def average(values: FloatArray, groups: Groups, axis: int = -1) -> FloatArray:
    """The mean over groups of each group's mean, with ``axis`` gone; as ``suite.Average``.

    Raises:
        ValueError: as ``group_means``.
    """
    return mean_without_rounding(group_means(values, groups, axis), axis)


def task_gains(
    candidate: FloatArray, baseline: FloatArray, error_rate: float = ERROR_RATE
) -> tuple[TaskGain, ...]:
    """The gain on each of the T tasks.

    Args:
        candidate, baseline: (S, T, F) float64, none missing; F may differ between the two.
        error_rate: chance that any task is called significant that is not.

    Raises:
        ValueError: not the same seeds and tasks, or a value is missing.
    """
    gains = _gains(candidate, baseline)
    estimates = [estimate(column) for column in gains.T]
    raw = paired_p_values(gains.T)
    if raw is None:
        return tuple(TaskGain(gain=e, p_value=None, significant=False) for e in estimates)
    return tuple(
        TaskGain(gain=gain, p_value=float(p), significant=bool(p <= error_rate))
        for gain, p in zip(estimates, holm(raw), strict=True)
    )


def average_gain(candidate: FloatArray, baseline: FloatArray, groups: Groups) -> Estimate:
    """The gain of the average over the groups.

    Args:
        candidate, baseline: (S, T, F) float64; columns in no group may be missing.
        groups: the columns of each group.

    Raises:
        ValueError: not the same seeds and tasks, a value of a group is missing, or the groups are
            not groups of the columns.
    """
    return estimate(average(_gains(candidate, baseline), groups))


def contributions(
    candidate: FloatArray, baseline: FloatArray, groups: Groups
) -> tuple[Estimate, ...]:
    """What each group adds to the average's gain: its own gain over G; the means add up to it.

    Args and errors as ``average_gain``.
    """
    parts = group_means(_gains(candidate, baseline), groups) / len(groups)
    return tuple(estimate(part) for part in parts.T)


def leave_one_out(
    candidate: FloatArray, baseline: FloatArray, groups: Groups
) -> tuple[Estimate, ...]:
    """The average's gain without each group in turn.

    Args and errors as ``average_gain``; further,

    Raises:
        ValueError: there is one group, and nothing would be left.
    """
    means = group_means(_gains(candidate, baseline), groups)
    if len(groups) < 2:
        raise ValueError("nothing is left of an average over one group without that group")
    return tuple(
        estimate(mean_without_rounding(np.delete(means, group, axis=1)))
        for group in range(len(groups))
    )


def _gains(candidate: FloatArray, baseline: FloatArray) -> FloatArray:
    """(S, T) float64: candidate minus baseline, fine-tuning seeds averaged within their run."""
    if candidate.ndim != 3 or candidate.shape[:2] != baseline.shape[:2] or baseline.ndim != 3:
        raise ValueError(f"not paired by seed: {candidate.shape} against {baseline.shape}")
    return difference(within_run_mean(candidate), within_run_mean(baseline), axis=0)
