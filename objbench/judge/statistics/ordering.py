"""Whether a score orders encoders against their held-out loss.

Two exact one-sided tests. A score that sees nothing of what was learnt passes both at 95%: they ask
whether it contradicts the loss, not whether it follows it.

- Within objectives: the pairs of runs of one objective whose score is higher where the loss is higher
  too. Runs of different objectives are not compared, because a good objective may give better
  encoders at a higher loss: over all runs together such an objective would look like a bad score.
- Between runs that learnt and runs that are stuck, of whatever objective: the share of pairs in which
  the run that learnt has the higher score (AUC).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from scipy.stats import mannwhitneyu

from objbench.judge.statistics.estimate import FloatArray
from objbench.judge.statistics.ties import difference, leveled

_MOST_EXACT_PAIRS = 5_000
"""Pairs whose number against the loss has an exact distribution here."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """How a score orders runs.

    Attributes:
        value: Kendall's tau over the compared pairs, in [-1, 1], positive where a lower loss has
            the higher score; or the AUC, in [0, 1], where 0.5 is no order.
        p_against: probability of an order at least as much against the loss, where the score and
            the loss have nothing to do with each other.
    """

    value: float
    p_against: float


def order_within(groups: Sequence[tuple[FloatArray, FloatArray]]) -> Ordering | None:
    """Kendall's tau of score and negated loss over the pairs of runs within each group.

    tau = (C - D) / P, with C concordant and D discordant pairs of all P. If score and loss are
    independent, every order of a group's n runs is equally likely, and D over the groups is the sum
    of independent numbers of inversions, whose distribution is that of a sum of uniform variables
    over 0..k-1 for k = 1..n (Kendall 1938). A tie is neither, which only makes p larger. Of more than
    ``_MOST_EXACT_PAIRS`` pairs the sum is taken for normal, with its own mean and variance
    (n (n - 1) (2n + 5) / 72 for each group) and a correction for continuity: the exact distribution
    takes time quadratic in the number of groups.

    Args:
        groups: of each objective the scores and the losses of its runs, (n,) float64 each, none
            missing; greater scores are better.

    Returns:
        None where there is no pair.
    """
    concordant = discordant = pairs = 0
    for scores, losses in groups:
        first, second = np.triu_indices(len(scores), k=1)
        by_score, by_loss = (difference(v[first], v[second]) for v in (scores, losses))
        against = np.sign(by_score) * np.sign(by_loss)
        concordant += int((against < 0).sum())
        discordant += int((against > 0).sum())
        pairs += len(against)
    if not pairs:
        return None
    sizes = [len(scores) for scores, _ in groups]
    value = (concordant - discordant) / pairs
    if pairs > _MOST_EXACT_PAIRS:
        variance = sum(n * (n - 1) * (2 * n + 5) for n in sizes) / 72
        return Ordering(value, float(ndtr((pairs / 2 - discordant + 0.5) / math.sqrt(variance))))
    inversions = np.ones(1)
    for count in (count for n in sizes for count in range(2, n + 1)):
        inversions = np.convolve(inversions, np.full(count, 1.0 / count))
    return Ordering(value, min(1.0, float(inversions[discordant:].sum())))


def order_of_learnt(learnt: FloatArray, stuck: FloatArray) -> Ordering | None:
    """AUC: the share of pairs of a run that learnt and a stuck one in which the first scores higher.

    A tie is one half. The test is that of Mann and Whitney (1947), exact without ties and small.

    Args:
        learnt, stuck: scores, (n,) and (m,) float64; greater is better.

    Returns:
        None where either is empty.
    """
    if not learnt.size or not stuck.size:
        return None
    scores = leveled(np.concatenate([learnt, stuck]))
    found = mannwhitneyu(scores[: learnt.size], scores[learnt.size :], alternative="less")
    p_against = float(found.pvalue)
    # Without any spread there is no order.
    return Ordering(
        float(found.statistic) / (learnt.size * stuck.size),
        p_against if np.isfinite(p_against) else 1.0,
    )
