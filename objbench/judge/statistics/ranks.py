"""How far a ranking can be trusted: rank intervals, and groups that do not differ significantly.

All pairs of objectives are compared by the paired t-test over pretraining seeds, with Holm's
correction at 5% over the O(O - 1)/2 pairs. With B(i) the objectives significantly better than i
and W(i) those significantly worse, the rank of i is in

    [1 + |B(i)|, O - |W(i)|]

(Mogstad, Romano, Shaikh & Wilhelm 2024, "Inference for Ranks with Applications to Mobility across
Neighbourhoods and Academic Achievement across Countries", Review of Economic Studies 91), for all
objectives at once: an interval is wrong only if the test is wrong about one of the pairs. The rank
meant is 1 + the number of objectives whose mean over all possible seeds is better. Theirs makes
each pair two one-sided questions; one two-sided question and the sign seen, as here, is the same
at the first step of Holm's and a little bolder after.

Two objectives share a letter if and only if they are not separable: the compact letter display of
Piepho (2004), "An Algorithm for a Letter-Based Representation of All-Pairwise Comparisons", by
insertion and absorption. "Not separable" is no equivalence, so an objective may have two letters.
Past ``MOST_GROUPED`` objectives there are rank intervals alone: letters would be dozens a row. Past
``MOST_PAIRED`` there are neither: Holm's correction over 4,950 pairs of a hundred objectives leaves
hardly any of ten seeds significant, while what a study asks is which differ from its baseline.

Shape legend: O objectives, S pretraining seeds.
"""

from __future__ import annotations

import string
from collections import Counter
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt

from objbench.contract.suite import Direction
from objbench.judge.statistics.estimate import MIN_RUNS, FloatArray
from objbench.judge.statistics.multiple_tests import ERROR_RATE, holm, paired_p_values
from objbench.judge.statistics.ties import difference, leveled, mean_without_rounding

MOST_GROUPED = 15
"""Of more objectives there are no groups and no letters."""

MOST_PAIRED = 30
"""Of more objectives each is compared with the baseline alone (``differ_from_one``)."""

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """A ranking with its doubts; objectives by their index in the scores.

    Attributes:
        order: the objectives by mean score, best first.
        p_values: (O, O) float64, adjusted; 1 on the diagonal, and for a pair with too few seeds in
            common; None where all have too few.
        better: (O, O) bool: [i, j] where i is significantly better than j.
        intervals: lowest and highest rank of each objective, 1 the best; None for too few seeds.
    """

    order: tuple[int, ...]
    p_values: FloatArray | None
    better: BoolArray
    intervals: tuple[tuple[int, int], ...] | None

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Sets of objectives no two of which differ significantly, as few as show it, best first.

        Their number, and the time they take, can grow exponentially with the objectives: there are
        none for more than ``MOST_GROUPED``.
        """
        if len(self.order) > MOST_GROUPED:
            return ()
        return tied_groups(self.better | self.better.T, self.order)

    @property
    def letters(self) -> tuple[str, ...]:
        """Of each objective, one letter per group it is in, such as "ab"; "" without groups."""
        return group_letters(self.groups, len(self.order))


def rank_objectives(
    scores: FloatArray, direction: Direction = "max", error_rate: float = ERROR_RATE
) -> Ranks:
    """Rank intervals and tied groups of objectives run with the same pretraining seeds.

    A pair is compared by the seeds that both have, and corrected for the number of pairs compared.
    Below ``MIN_RUNS`` of them no pair is separable and there is no interval. Objectives
    with equal scores at every seed, up to rounding (``ties``), are not separable; ones that differ by the same amount at
    every seed are (t is infinite, see ``paired_p_values``).

    Args:
        scores: (O, S) float64; the same column is the same pretraining seed; NaN for a run that
            does not count.
        direction: "max" where larger is better.
        error_rate: chance of any wrong call among all pairs.

    Raises:
        ValueError: the scores are not (O, S) with O and S at least 1, or an objective has none.
    """
    if scores.ndim != 2 or scores.size == 0 or not np.isfinite(scores).any(axis=1).all():
        raise ValueError(f"a ranking needs finite scores by objective and seed, not {scores!r}")
    signed = scores if direction == "max" else -scores
    count = len(signed)
    means = leveled(np.nanmean(signed, axis=1))
    order = tuple(int(index) for index in np.argsort(-means, kind="stable"))
    better = np.zeros((count, count), dtype=np.bool_)
    first, second = np.triu_indices(count, k=1)
    gains, raw = _paired_tests(difference(signed[first], signed[second]))
    tested = np.isfinite(raw)
    p_values = None
    intervals = None
    if tested.any() or (count == 1 and np.isfinite(signed).sum() >= MIN_RUNS):
        adjusted = np.ones(len(raw))
        adjusted[tested] = holm(raw[tested])
        p_values = np.ones((count, count))
        p_values[first, second] = p_values[second, first] = adjusted
        separable = p_values <= error_rate
        # The sign of the mean difference, as the test saw it, not of the difference of the means.
        ahead = np.zeros_like(better)
        ahead[first, second] = gains > 0.0
        ahead[second, first] = gains < 0.0
        better = separable & ahead
        intervals = tuple(
            (1 + int(better[:, i].sum()), count - int(better[i].sum())) for i in range(count)
        )
    return Ranks(order=order, p_values=p_values, better=better, intervals=intervals)


def differ_from_one(scores: FloatArray, one: int, error_rate: float = ERROR_RATE) -> BoolArray:
    """Which objectives differ significantly from one of them, with all of them compared at once.

    Paired t-tests of the O - 1 differences, with Holm's correction. Dunnett's test is made for
    comparisons with one control, and would be a little more powerful, but it needs equal variances
    and independent groups: objectives differ in how much seeds move them, and are paired by seed.
    Holm's bound holds whatever their dependence, such as the baseline's runs that all share.

    Args:
        scores: (O, S) float64; the same column is the same pretraining seed; NaN for a run that
            does not count.
        one: the row of the objective that the others are compared with.
        error_rate: chance of any wrong call among them.

    Returns:
        (O,) bool; False for ``one`` itself, and where a pair has fewer than ``MIN_RUNS`` seeds.
    """
    _, raw = _paired_tests(difference(scores, scores[one]))
    raw[one] = np.nan
    tested = np.isfinite(raw)
    found = np.zeros(len(scores), dtype=np.bool_)
    found[tested] = holm(raw[tested]) <= error_rate
    return found


def _paired_tests(differences: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The mean difference of each pair and its p-value, by the seeds that it has.

    Args:
        differences: (N, S) float64, NaN where a pair lacks a seed.

    Returns:
        (N,) float64 each; NaN for a pair of fewer than ``MIN_RUNS`` seeds.
    """
    means, p_values = np.full((2, len(differences)), np.nan)
    present = np.isfinite(differences)
    for seeds in {tuple(row) for row in present.tolist()}:
        rows, there = (present == seeds).all(axis=1), np.array(seeds, dtype=np.bool_)
        own = differences[np.ix_(rows, there)]
        found = paired_p_values(own)
        if found is not None:
            means[rows], p_values[rows] = mean_without_rounding(own), found
    return means, p_values


def tied_groups(separable: BoolArray, order: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Sets without a separable pair that hold every other pair (Piepho 2004).

    Starting from one set of all, every separable pair splits each set that contains both into one
    without the first and one without the second; a set inside another is dropped. Piepho's final
    sweep then drops each set, the last first, all of whose pairs the others hold as well.

    Args:
        separable: (O, O) bool, symmetric, False on the diagonal.
        order: the objectives, best first.

    Returns:
        Sets of objectives, members and sets best first.
    """
    sets = [frozenset(order)]
    for i, j in zip(*np.nonzero(np.triu(separable)), strict=True):
        both = [part for part in sets if i in part and j in part]
        if both:
            kept = set(sets).difference(both)
            split = {part - {int(drop)} for part in both for drop in (i, j)}
            # Only a new set can be inside another, and only inside one that was kept.
            sets = [*kept, *(new for new in split if not any(new <= other for other in kept))]
    place = {index: position for position, index in enumerate(order)}
    positions = sorted(sorted(place[index] for index in part) for part in sets)
    swept = _swept([tuple(order[position] for position in part) for part in positions])
    return tuple(swept)


def _swept(groups: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """``groups`` without those that say nothing: others hold all of their pairs and members."""
    # A member is a pair with itself.
    pairs = [set(combinations_with_replacement(sorted(group), 2)) for group in groups]
    held = Counter(pair for own in pairs for pair in own)
    kept = []
    for group, own in zip(reversed(groups), reversed(pairs), strict=True):
        if all(held[pair] > 1 for pair in own):
            held.subtract(own)
        else:
            kept.append(group)
    return kept[::-1]


def group_letters(groups: tuple[tuple[int, ...], ...], count: int) -> tuple[str, ...]:
    """The letters of each of ``count`` objectives: "a" for the first group, "(27)" past "z"."""
    names = [
        string.ascii_lowercase[number] if number < 26 else f"({number + 1})"
        for number in range(len(groups))
    ]
    return tuple(
        "".join(name for name, group in zip(names, groups, strict=True) if index in group)
        for index in range(count)
    )
