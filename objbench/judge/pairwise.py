"""Two objectives against each other by every score: along the budget, in speed, and by examples.

Nothing is claimed here, so the question is whether one is better at all; the answers are those that
the judge gives to papers' claims (``answers``), with everything that may hold them back.

Shape legend: S pretraining seeds that count, P points of the budget, N examples of a column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from objbench.judge.answers import Answer, Question, answer_claim
from objbench.judge.evidence import curve_evidence
from objbench.judge.example_evidence import right_or_wrong
from objbench.judge.looks import at_look, look_at
from objbench.judge.score_arrays import score_curves
from objbench.judge.score_source import (
    HELDOUT,
    Pair,
    following_suite,
    is_loss,
    is_the_common_loss,
    planned_suite,
    score_sources,
)
from objbench.judge.statistics.multiple_tests import ERROR_RATE, holm
from objbench.judge.statistics.proportions import paired_share_p_value
from objbench.judge.statistics.ties import difference
from objbench.judge.verdict import NO_GAIN, NO_SPEEDUP, Comparison, Finding, judge_gain
from objbench.results.study_results import StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleTest:
    """The encoders of one pretraining seed on the examples of one column (McNemar's exact test).

    Attributes:
        column: of the suite.
        seed: the pretraining seed of both encoders.
        examples: N, those that are stored.
        only_objective, only_baseline: how many the one encoder has right and the other wrong.
        p_value: two-sided, corrected for the columns of the suite (Holm).
    """

    column: str
    seed: int
    examples: int
    only_objective: int
    only_baseline: int
    p_value: float

    @property
    def comparison(self) -> Comparison:
        """Whether the objective's encoder has more of such examples right."""
        if self.p_value > ERROR_RATE:
            return "unclear"
        return "better" if self.only_objective > self.only_baseline else "worse"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparedScore:
    """The pair by one score.

    Attributes:
        source: the score; see ``score_source``.
        gain: in points at the end of the budget; None for a loss, which has none.
        speedup: None for a score at the end of the budget only.
        along: share of the budget -> the objective's score less the baseline's there, greater being
            better, in points or nats; empty where no seed is complete.
        examples: by column; empty where there is no single pretraining seed to compare.
    """

    source: str
    gain: Answer | None
    speedup: Answer | None
    along: dict[float, Finding]
    examples: tuple[ExampleTest, ...]

    @property
    def main(self) -> Answer:
        """What settles whether the objective is better by this score."""
        found = self.gain or self.speedup
        assert found is not None
        return found


def compare_pair(results: StudyResults, pair: Pair) -> tuple[ComparedScore, ...]:
    """The pair by every score that both sides have, in the order of the study.

    Args:
        pair: two objectives of the study, neither of which need be its baseline.
    """
    found = []
    axis = results.plan.equalize
    for source in score_sources(results, pair):
        if source.startswith(HELDOUT) and is_the_common_loss(results, source):
            continue
        has_curve = source.startswith(HELDOUT) or following_suite(results, source) is not None
        has_points = not is_loss(results, source)
        if not (has_curve or has_points):
            continue
        gain = speedup = None
        if has_points:
            gain = answer_claim(results, pair, Question("gain", axis, NO_GAIN), source)
        if has_curve:
            speedup = answer_claim(results, pair, Question("speedup", axis, NO_SPEEDUP), source)
        found.append(
            ComparedScore(
                source=source,
                gain=gain,
                speedup=speedup,
                along=_along(results, pair, source, gain),
                examples=_examples(results, pair, source),
            )
        )
    return tuple(found)


def _along(
    results: StudyResults, pair: Pair, source: str, gain: Answer | None
) -> dict[float, Finding]:
    """The gain at every point of the budget, by the interval of the look that is reached."""
    final = {1.0: gain.finding} if gain is not None and gain.finding is not None else {}
    look = look_at(results)
    part = at_look(results, look)
    found = curve_evidence(part, pair, source)
    curves = found.curves.get("steps")
    if curves is None:
        return final
    shares = [_shares(part, name, source) for name in (pair.baseline, pair.objective)]
    if shares[0] != shares[1] or len(shares[0]) != curves[0].scores.shape[1]:
        return final
    level = look.level(len(found.seeds))
    baseline, objective = curves
    gains = {
        share: judge_gain(
            difference(objective.scores[:, place], baseline.scores[:, place]), NO_GAIN, level
        )
        for place, share in enumerate(shares[0])
    }
    # At the end every fine-tuning seed counts, and along the budget only the first.
    return gains | final


def _shares(results: StudyResults, objective: str, source: str) -> tuple[float, ...]:
    follower = following_suite(results, source)
    if follower is not None:
        return score_curves(results, follower)[objective].shares
    runs = results.pretrained(objective)
    return tuple(sorted(point.share for point in runs[0].points)) if runs else ()


def _examples(results: StudyResults, pair: Pair, source: str) -> tuple[ExampleTest, ...]:
    """Column by column, where each side has one and the same pretraining seed."""
    suite = planned_suite(results, source)
    if suite is None or len(results.seeds) != 1:
        return ()
    (seed,) = results.seeds
    sides = {
        column.name: found
        for column in suite.columns
        if (found := right_or_wrong(results, pair, source, seed, column.name)) is not None
    }
    raw = [paired_share_p_value(ours, theirs) for ours, theirs in sides.values()]
    corrected = holm(np.array(raw)) if raw else ()
    return tuple(
        ExampleTest(
            column=name,
            seed=seed,
            examples=ours.size,
            only_objective=int((ours & ~theirs).sum()),
            only_baseline=int((theirs & ~ours).sum()),
            p_value=float(p_value),
        )
        for (name, (ours, theirs)), p_value in zip(sides.items(), corrected, strict=True)
    )
