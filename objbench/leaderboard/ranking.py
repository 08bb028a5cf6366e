"""Who is ranked on a suite, by what score, how far the ranking can be trusted, and who is not.

An objective is ranked only if every one of its evaluations is there, its budget is the baseline's,
and one of its runs learnt; otherwise it keeps a dash and its reason. Scores are over the runs that
are not stuck, gains are differences to the baseline within a pretraining seed at which neither is. Groups and rank intervals rest on all pairs at once (``judge.statistics.ranks``), gains
each on itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from objbench.judge.budgets import budget_mismatch
from objbench.judge.formatting import count
from objbench.judge.looks import look_at
from objbench.judge.score_arrays import SuiteScores
from objbench.judge.statistics.aggregates import improvement_interval, paired_improvement
from objbench.judge.statistics.estimate import (
    MIN_RUNS,
    Estimate,
    FloatArray,
    estimate,
    paired_difference,
)
from objbench.judge.statistics.ranks import MOST_PAIRED, differ_from_one, rank_objectives
from objbench.judge.statistics.ties import leveled
from objbench.leaderboard.run_learning import RunLearning, run_learning
from objbench.leaderboard.unscored import unscored_reason
from objbench.results.plan import PlannedObjective
from objbench.results.study_results import StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class Improvement:
    """How often an objective is better than the baseline at the same seed.

    Attributes:
        share: of the seeds; a tie counts half.
        seeds: at which neither run is stuck.
        interval: exact, 95%; None for fewer than ``MIN_RUNS`` seeds.
    """

    share: float
    seeds: int
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One objective's place.

    Attributes:
        rank: 1 for the best; equal printed scores share a rank; None if not ranked.
        group: letters; objectives that share one are not significantly different. "" if not ranked,
            where fewer than ``MIN_RUNS`` runs learnt, and with more than ``MOST_GROUPED`` ranked.
        ranks: lowest and highest rank that the seeds allow; None for too few seeds, and in a study
            of more than ``MOST_PAIRED`` objectives.
        score: of the runs that are not stuck; None if not ranked.
        gain: over the baseline, paired by seed, positive where the objective is better; None for
            the baseline itself, where either is not ranked, and where no seed has a pair of runs
            that are not stuck. So is ``improvement``.
        is_significant: differs from the baseline with all pairs of objectives compared at once, or
            with all objectives compared with the baseline at once where there are more than
            ``MOST_PAIRED``.
        why: why it is not ranked; "" if it is.
    """

    objective: str
    rank: int | None = None
    group: str = ""
    ranks: tuple[int, int] | None = None
    score: Estimate | None = None
    gain: Estimate | None = None
    improvement: Improvement | None = None
    is_significant: bool = False
    why: str = ""


def ranking(results: StudyResults, found: SuiteScores) -> tuple[Row, ...]:
    """The ranked objectives, best first, then the others in the order of the plan."""
    learnt, look = run_learning(results), look_at(results)
    read = np.array([seed in look.seeds for seed in results.seeds], dtype=bool)
    reasons = {
        objective.name: _why_not(results, found, index, objective)
        or _all_stuck(learnt[objective.name])
        for index, objective in enumerate(results.plan.objectives)
    }
    values = {
        objective.name: np.where(learnt[objective.name].counted & read, found.scores[index], np.nan)
        for index, objective in enumerate(results.plan.objectives)
        if not reasons[objective.name]
    }
    empty = [name for name, own in values.items() if not np.isfinite(own).any()]
    reasons |= dict.fromkeys(
        empty, f"all of its runs at the first {int(read.sum())} seeds are stuck"
    )
    values = {name: own for name, own in values.items() if name not in empty}
    rows: list[Row] = []
    if values:
        is_paired = len(results.plan.objectives) <= MOST_PAIRED
        rows = _ranked(values, results.plan.baseline, found, look.error_rate, is_paired=is_paired)
    rows += [Row(objective=name, why=why) for name, why in reasons.items() if why]
    return tuple(rows)


def _ranked(
    values: Mapping[str, FloatArray],
    baseline: str,
    found: SuiteScores,
    error_rate: float,
    *,
    is_paired: bool,
) -> list[Row]:
    """The rows of what is ranked; ``is_paired``: by all pairs, and not by the baseline alone."""
    names = list(values)
    place = {name: index for index, name in enumerate(names)}
    scores = np.stack(list(values.values()))
    letters: Sequence[str] = [""] * len(names)
    intervals: Sequence[tuple[int, int]] | None = None
    differs = np.zeros(len(names), dtype=np.bool_)
    if is_paired:
        ranks = rank_objectives(scores, found.suite.direction, error_rate)
        letters, intervals = ranks.letters, ranks.intervals
        if baseline in place:
            differs = ranks.better[place[baseline]] | ranks.better[:, place[baseline]]
    elif baseline in place:
        differs = differ_from_one(scores, place[baseline], error_rate)
    sign = 1.0 if found.suite.direction == "max" else -1.0
    # Compared as printed: a difference that cannot be seen is no difference in rank.
    means = leveled(np.nanmean(scores, axis=1))
    keys = {name: -sign * round(float(mean), 2) for name, mean in zip(names, means, strict=True)}
    ordered = sorted(keys.values())
    rows = []
    for name in sorted(names, key=keys.__getitem__):
        own, index = values[name], place[name]
        base = values.get(baseline, np.full_like(own, np.nan))
        pairs = np.isfinite(own) & np.isfinite(base)
        others = name != baseline and bool(pairs.any())
        # Nothing is known of how an objective compares of which too few runs learnt.
        is_placed = np.isfinite(own).sum() >= min(MIN_RUNS, own.size)
        rows.append(
            Row(
                objective=name,
                rank=1 + bisect_left(ordered, keys[name]),
                group=letters[index] if is_placed else "",
                ranks=intervals[index] if intervals and is_placed else None,
                score=estimate(own[np.isfinite(own)]),
                gain=paired_difference(sign * own[pairs], sign * base[pairs]) if others else None,
                improvement=_improvement(sign * own[pairs], sign * base[pairs]) if others else None,
                is_significant=others and bool(differs[index]),
            )
        )
    return rows


def _improvement(candidate: FloatArray, baseline: FloatArray) -> Improvement:
    share = float(paired_improvement(candidate, baseline))
    interval = improvement_interval(candidate, baseline)
    return Improvement(share=share, seeds=candidate.size, interval=interval)


def _all_stuck(learnt: RunLearning) -> str:
    """That no run of an objective learnt; "" where one may have."""
    runs, stuck = len(learnt.runs), len(learnt.seeds("stuck"))
    if not runs or stuck < runs:
        return ""
    return "its run is stuck" if runs == 1 else f"all of its {runs} runs are stuck"


def _why_not(
    results: StudyResults, found: SuiteScores, index: int, objective: PlannedObjective
) -> str:
    if not found.suite.average_groups:
        return "the suite names no average"
    for seed in results.seeds:
        record = results.records.get(results.pretraining[objective.name, seed])
        if record is not None and record.status != "ok":
            return f"pretraining with seed {seed} {record.status}"
    if np.isfinite(found.scores[index]).all():
        return budget_mismatch(results.plan, objective)
    cells = [
        cell for cell in results.evaluations(found.suite.name, objective.name) if cell.share >= 1.0
    ]
    absent = sum(results.state(cell) != "ok" for cell in cells)
    if absent:
        return f"{count(absent, 'evaluation')} of {len(cells)} not there"
    why = unscored_reason(results, found.suite, objective.name)
    return why or "a score of the average is not in the records"
