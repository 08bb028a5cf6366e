"""What the evidence says about one claim by one score: a finding, and what holds it back.

The seeds are those of the look that the study has reached (``looks``), without the pairs in which a run
is stuck; the finding is at the level of that look.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from objbench.contract.meters import AXIS_WORDS, Axis
from objbench.judge.evidence import (
    LeftOut,
    curve_evidence,
    gain_evidence,
    incomplete,
    learning_evidence,
)
from objbench.judge.example_evidence import interval_over_examples
from objbench.judge.looks import Look, at_look, look_at
from objbench.judge.obstacles import (
    HeldBack,
    divergence,
    few_learnt,
    in_order,
    learning_unknown,
    look_not_reached,
    nothing_left,
    unequal_spend,
)
from objbench.judge.papers.claims import Claim
from objbench.judge.score_source import Pair, is_loss
from objbench.judge.sensitivity import insensitive
from objbench.judge.statistics.estimate import MIN_RUNS, FloatArray, t_interval
from objbench.judge.verdict import (
    Finding,
    judge_early_speedup,
    judge_gain,
    judge_reliability,
    judge_speedup,
)
from objbench.results.study_results import StudyResults


@dataclass(frozen=True, slots=True)
class Question:
    """Whether the objective of a pair is better than the baseline at all, by no paper's number.

    Attributes:
        kind: "gain" or "speedup".
        axis: the compute axis of a speedup, or on which the spends of a gain are equal.
        value: from which on it is better: ``NO_GAIN`` or ``NO_SPEEDUP``.
    """

    kind: Literal["speedup", "gain"]
    axis: Axis
    value: float

    @property
    def axis_words(self) -> str:
        """What the axis is called in a sentence."""
        return AXIS_WORDS[self.axis]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the evidence says about a claim.

    Attributes:
        finding: what the complete seeds say; None where there is nothing to judge.
        by_axis: for a speedup, the finding on each compute axis that was measured.
        by_axis_early: the same for the score that the baseline had at two thirds of its final spend;
            without the axes on which it was not measured there. It is no verdict.
        held_back: why the finding is no verdict, most basic first; empty where it is one.
        seeds: the pretraining seeds of the look that are complete and not stuck.
        left_out: the look's other seeds, with what they lack.
        look: which seeds the verdict is read from; None where there is nothing to read.
        over_examples: for a gain, the interval over seeds and evaluation examples; None where
            examples are not stored, and where the finding has no interval.
    """

    finding: Finding | None = None
    by_axis: Mapping[Axis, Finding]
    by_axis_early: Mapping[Axis, Finding] = field(default_factory=dict)
    held_back: tuple[HeldBack, ...] = ()
    seeds: tuple[int, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    over_examples: tuple[float, float] | None = None
    look: Look | None = None


def answer_claim(
    results: StudyResults, pair: Pair, claim: Claim | Question, source: str, claims: int = 1
) -> Answer:
    """What a study's evidence says about a claim or a question, at the look that it has reached.

    Args:
        source: one of ``score_sources``; of no concern to a claim about how often runs learn.
        claims: how many claims share the error rate.
    """
    if claim.kind == "leaves-plateau":
        return _reliability(results, pair, claims)
    if claim.kind == "speedup":
        return _speedup(results, pair, claim, source, claims)
    return _gain(results, pair, claim, source, claims)


def _gain(
    results: StudyResults, pair: Pair, claim: Claim | Question, source: str, claims: int
) -> Answer:
    if is_loss(results, source):
        return Answer(by_axis={}, held_back=(HeldBack("a loss"),))
    whole = gain_evidence(results, pair, source)
    look = look_at(results, incomplete(whole.left_out))
    part = at_look(results, look)
    found = whole if part is results else gain_evidence(part, pair, source)
    level = look.level(len(found.seeds), claims)
    finding = judge_gain(found.differences, claim.value, level) if found.seeds else None
    obstacles = [
        unequal_spend(results, pair) if finding else None,
        divergence(whole.left_out),
        *_of_runs(part, pair, look, found.seeds, found.left_out),
        insensitive(part, pair, source, _half_width(found.differences)),
    ]
    return Answer(
        finding=finding,
        by_axis={},
        held_back=in_order(obstacles),
        seeds=found.seeds,
        left_out=found.left_out,
        over_examples=interval_over_examples(results, pair, source, found.seeds, finding),
        look=look,
    )


def _speedup(
    results: StudyResults, pair: Pair, claim: Claim | Question, source: str, claims: int
) -> Answer:
    whole = curve_evidence(results, pair, source)
    look = look_at(results, incomplete(whole.left_out))
    part = at_look(results, look)
    found = whole if part is results else curve_evidence(part, pair, source)
    level = look.level(len(found.seeds), claims)
    by_axis, early = {}, {}
    for axis, (baseline, objective) in found.curves.items():
        # The seeds' clocks may differ so much that their device seconds do not overlap.
        with suppress(ValueError):
            by_axis[axis] = judge_speedup(baseline, objective, claim.value, level=level)
            early[axis] = judge_early_speedup(baseline, objective, claim.value, level)
    finding = by_axis.get(claim.axis) if claim.axis else None
    obstacles = [
        HeldBack("no shared spend") if found.seeds and finding is None else None,
        divergence(whole.left_out),
        *_of_runs(part, pair, look, found.seeds, found.left_out),
        insensitive(part, pair, source),
    ]
    return Answer(
        finding=finding,
        by_axis=by_axis,
        by_axis_early=early,
        held_back=in_order(obstacles),
        seeds=found.seeds,
        left_out=found.left_out,
        look=look,
    )


def _reliability(results: StudyResults, pair: Pair, claims: int) -> Answer:
    whole = learning_evidence(results, pair)
    look = look_at(results, incomplete(whole.left_out))
    part = at_look(results, look)
    found = whole if part is results else learning_evidence(part, pair)
    level = look.level(len(found.seeds), claims)
    finding = judge_reliability(found.objective, found.baseline, level) if found.seeds else None
    unknown = learning_unknown(part, pair)
    reached = look_not_reached(look, found.left_out)
    obstacles = [
        unequal_spend(results, pair) if finding else None,
        divergence(whole.left_out) if finding else None,
        unknown,
        reached if finding and not unknown else None,
        None if finding or unknown else nothing_left(found.left_out),
    ]
    return Answer(
        finding=finding,
        by_axis={},
        held_back=in_order(obstacles),
        seeds=found.seeds,
        left_out=found.left_out,
        look=look,
    )


def _of_runs(
    results: StudyResults,
    pair: Pair,
    look: Look,
    seeds: tuple[int, ...],
    left_out: tuple[LeftOut, ...],
) -> list[HeldBack | None]:
    """What is wrong with the runs themselves, whatever the score."""
    few = few_learnt(results, pair, seeds, left_out)
    if not seeds:
        return [few or nothing_left(left_out)]
    return [look_not_reached(look, left_out), learning_unknown(results, pair, seeds), few]


def _half_width(differences: FloatArray) -> float | None:
    """Of the gain's 95% interval, at whatever level its look judges it; None without an interval."""
    return float(t_interval(differences)[1]) if differences.size >= MIN_RUNS else None
