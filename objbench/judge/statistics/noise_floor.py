"""How much a score moves when only the seed changes, task by task.

The nested one-way random-effects analysis of variance of x[o, s, f], the score of objective o
pretrained with seed s and fine-tuned with seed f, pooled over O objectives (for O = 1 the balanced
one-way case of Searle, Casella & McCulloch 1992, "Variance Components"):

    MSB = F * sum (mean[o, s] - mean[o])**2 / (O (S - 1))
    MSW = sum (x[o, s, f] - mean[o, s])**2 / (O S (F - 1))
    sigma2_finetune = MSW            sigma2_pretrain = max(0, (MSB - MSW) / F)

The floor is the smallest difference between the means of two objectives, S seeds each, that an
unpaired t-test could distinguish from reseeding alone:

    floor = t(O (S - 1), 0.975) * s * sqrt(2 / S),     s**2 = MSB / F,

with s the deviation between runs whose F fine-tuning seeds have been averaged. A comparison paired
by seed, as verdicts are, can detect less than the floor where objectives share the luck of a seed;
the floor says what a table of unpaired means, such as a published one, can show.

Two simplifications. A fine-tuning seed gives every run the same head
and order of examples; what that does to all runs alike is counted as fine-tuning noise and makes
sigma2_pretrain smaller by a 1/F of it. And objectives that share the luck of a seed have fewer
degrees of freedom than O (S - 1), so that t is a little small; with O = 1 it is exact.

Shape legend: O objectives, S pretraining seeds, T tasks or columns, F fine-tuning seeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from objbench.judge.statistics.estimate import MIN_RUNS, FloatArray, within_run_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The noise of one task, in the unit of its scores.

    Attributes:
        pretrain: deviation from pretraining seed to pretraining seed, without what fine-tuning
            adds; None where S or F is 1.
        finetune: deviation from fine-tuning seed to fine-tuning seed within a run; None where F
            is 1.
        deviation: s, between runs as measured, fine-tuning included; None where S is 1.
        freedom: the degrees of freedom of ``deviation``.
        floor: the smallest difference that can be distinguished from reseeding; None for fewer than
            ``MIN_RUNS`` seeds.
    """

    pretrain: float | None
    finetune: float | None
    deviation: float | None
    freedom: int
    floor: float | None


def noise_floors(scores: FloatArray, level: float = 0.95) -> tuple[Noise, ...]:
    """The noise of each of the T tasks, pooled over the objectives.

    Args:
        scores: (O, S, T, F) float64, none missing; one objective is O = 1, and a suite's average
            is a task of its own (``gain_by_task.average`` with axis -2).
        level: coverage of the floor, in (0, 1).

    Raises:
        ValueError: the scores do not have the four axes, one is empty, or a value is missing.
    """
    if scores.ndim != 4 or scores.size == 0 or not np.all(np.isfinite(scores)):
        raise ValueError(f"noise needs finite scores of four axes, not of shape {scores.shape}")
    objectives, seeds, tasks, tries = scores.shape
    means = within_run_mean(scores)
    within = ((scores - means[..., None]) ** 2).sum(axis=(0, 1, 3))
    between = ((means - means.mean(axis=1, keepdims=True)) ** 2).sum(axis=(0, 1))
    freedom = objectives * (seeds - 1)
    found = []
    for task in range(tasks):
        finetune2 = float(within[task]) / (objectives * seeds * (tries - 1)) if tries > 1 else None
        run2 = float(between[task]) / freedom if freedom else None
        pretrain2 = None
        if finetune2 is not None and run2 is not None:
            pretrain2 = max(0.0, run2 - finetune2 / tries)
        floor = None
        if run2 is not None and seeds >= MIN_RUNS:
            quantile = float(stdtrit(freedom, (1.0 + level) / 2.0))
            floor = quantile * math.sqrt(run2) * math.sqrt(2.0 / seeds)
        found.append(
            Noise(
                pretrain=_root(pretrain2),
                finetune=_root(finetune2),
                deviation=_root(run2),
                freedom=freedom,
                floor=floor,
            )
        )
    return tuple(found)


def _root(variance: float | None) -> float | None:
    return None if variance is None else math.sqrt(variance)
