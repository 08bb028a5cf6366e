"""One study as a rung of a ladder: its scale, and what a pair of objectives shows there by one score.

Speedups are those of the study's own page. A gain is the difference at the end of the budget, paired
by seed, over the runs that are not stuck; of a loss it is the baseline's minus the objective's. Both
are at the look that the study has reached.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from objbench.judge.budgets import budget_mismatch
from objbench.judge.evidence import gain_evidence
from objbench.judge.formatting import amount
from objbench.judge.looks import at_look, look_at
from objbench.judge.score_source import HELDOUT, Pair
from objbench.judge.statistics.estimate import MIN_RUNS, Estimate, estimate, t_factor, t_interval
from objbench.judge.verdict import Comparison, Finding
from objbench.leaderboard.across.likeness import Likeness, recipe
from objbench.leaderboard.across.studies import Study
from objbench.leaderboard.quantity import Notation, Quantity, estimated, quantity
from objbench.leaderboard.report import Scale, SuiteReport
from objbench.leaderboard.run_learning import RunLearning
from objbench.leaderboard.speedups import Speedups, speedup_quantity
from objbench.leaderboard.text_bits import bits, in_bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a trend is a line through.

    Attributes:
        value: of a gain itself, of a speedup its natural logarithm.
        error: its standard error.
        degrees: degrees of freedom of the error, pairs of runs - 1.
    """

    value: float
    error: float
    degrees: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rung:
    """What a study shows of a pair by one score.

    Attributes:
        study: its name.
        recipe: the kind of encoder.
        likeness: what must be the same for scores to be compared.
        scale: None before the baseline has been run.
        flops: what the baseline's pretraining took, in the mean over seeds; None likewise.
        learnt: which runs of the baseline and of the objective learnt.
        base: the baseline's final score.
        gain: over the baseline, positive where the objective is better; None where a record lacks.
        notation: of the gain.
        speedup: on the axis of equal spend; None where the score has no whole curve.
        early: the speedup to the baseline's score at two thirds of its budget; None likewise.
        comparison: better or worse than the baseline; "unclear" where neither is shown.
        why: what is missing; "" where nothing is.
        held_back: why nothing follows from it, such as "glue is at its floor"; "" where it may.
    """

    study: str
    recipe: str
    likeness: Likeness
    scale: Scale | None
    flops: float | None
    learnt: tuple[RunLearning, RunLearning]
    base: Quantity | None
    gain: Estimate | None
    notation: Notation
    speedup: Finding | None
    early: Quantity | None
    comparison: Comparison
    why: str
    held_back: str = ""

    @property
    def scale_words(self) -> str:
        """Such as "1.05M parameters and 12.0M tokens"."""
        if self.scale is None:
            return "an unrecorded scale"
        return f"{amount(self.scale.parameters)} parameters and {amount(self.scale.tokens)} tokens"

    @property
    def gain_quantity(self) -> Quantity | None:
        """The gain with its interval."""
        return None if self.gain is None else estimated(self.gain, self.notation)

    @property
    def shown(self) -> Quantity | None:
        """The speedup, or the gain where there is none, if it has an interval and shows something."""
        if self.held_back:
            return None
        if self.speedup is not None:
            return speedup_quantity(self.speedup) if self.speedup.low is not None else None
        return self.gain_quantity if self.gain and self.gain.interval else None

    @property
    def pairs(self) -> int | None:
        """The pairs of runs that it rests on."""
        if self.gain is not None:
            return self.gain.runs
        return None if self.speedup is None else self.speedup.seeds

    def gain_effect(self) -> Effect | None:
        """The gain for a trend; None below ``MIN_RUNS`` pairs, and where the score shows nothing."""
        if (
            self.held_back
            or self.gain is None
            or self.gain.deviation is None
            or self.gain.runs < MIN_RUNS
        ):
            return None
        runs = self.gain.runs
        return Effect(
            value=self.gain.mean, error=self.gain.deviation / math.sqrt(runs), degrees=runs - 1.0
        )

    def speedup_effect(self) -> Effect | None:
        """The speedup for a trend; None where the estimate or an end of its interval is a bound.

        Its interval is close to symmetric on a logarithmic scale; a t-interval of that length has
        this error. The points around the estimate, which it always holds, count with that length.
        """
        found = self.speedup
        if self.held_back or found is None or found.low is None or found.high is None:
            return None
        if any(bound.side for bound in (found.estimate, found.low, found.high)):
            return None
        length = math.log(found.high.value / found.low.value)
        # t_factor is t / sqrt(S), of a mean with the deviation sd; the error is sd / sqrt(S).
        critical = t_factor(found.seeds, found.level) * math.sqrt(found.seeds)
        return Effect(
            value=math.log(found.estimate.value),
            error=length / (2.0 * critical),
            degrees=found.seeds - 1.0,
        )


def rung(study: Study, pair: Pair, source: str, alike: Likeness, in_bits_: bool) -> Rung:
    """What ``study`` shows of ``pair``.

    Args:
        source: a score that the study has of both.
        in_bits_: whether losses are in bits per character, and not in nats per token.
    """
    report = study.report
    curve = next((c for c in report.curves if c.source.name == source), None)
    found = None if curve is None else curve.speedups.get(pair.objective)
    speedup = None if found is None else found.headline.get(report.plan.equalize)
    is_loss = source.startswith(HELDOUT)
    of_both = _loss_gain if is_loss else _suite_gain
    base, gain, comparison, why = of_both(study, pair, source, found)
    early = None if found is None or found.early is None else found.early.speedups
    characters = report.characters_per_token
    if in_bits_ and characters is not None:
        base, gain = in_bits(base, characters), _scaled(gain, characters)
    cost = next(cost for cost in report.costs if cost.objective == pair.baseline)
    return Rung(
        study=study.name,
        recipe=recipe(study, pair),
        likeness=alike,
        scale=report.scale,
        flops=cost.meters.get("flops") or None,
        learnt=(report.learning[pair.baseline], report.learning[pair.objective]),
        base=base,
        gain=gain,
        notation="loss gain" if is_loss else "gain",
        speedup=speedup,
        early=None if early is None else early.get(report.plan.equalize),
        comparison=found.comparison if speedup is not None and found is not None else comparison,
        why=why or ("" if found is None else found.why),
        held_back=_held_back(study, pair, source),
    )


Found = tuple[Quantity | None, Estimate | None, Comparison, str]


def _suite_gain(study: Study, pair: Pair, source: str, _: Speedups | None) -> Found:
    """What the ranking of the study's own page says."""
    rows = {row.objective: row for row in _suite(study, source).rows}
    row, base = rows[pair.objective], rows[pair.baseline]
    score = None if base.score is None else estimated(base.score, "points")
    direction: Comparison = "unclear"
    if row.gain is not None and row.is_significant:
        direction = "better" if row.gain.mean > 0 else "worse"
    return score, row.gain, direction, row.why or base.why


def _held_back(study: Study, pair: Pair, source: str) -> str:
    """Why nothing follows from what a study shows, as on its own page; "" where it may."""
    sides = [study.report.learning[name] for name in (pair.baseline, pair.objective)]
    if any(own.seeds("unknown") for own in sides):
        which = "all runs" if any(own.is_known for own in sides) else "the runs"
        return f"it is not known whether {which} learnt"
    if source.startswith(HELDOUT):
        return ""
    floors = _suite(study, source).floors
    if not floors.rows:
        return f"it is not known what {source} would give without pretraining"
    held = floors.held_back.get(pair.objective)
    if held is None:
        return ""
    return f"{source} {'; '.join(held) or 'has floors that were not all measured'}"


def _suite(study: Study, source: str) -> SuiteReport:
    return next(suite for suite in study.report.suites if suite.suite.name == source)


def _loss_gain(study: Study, pair: Pair, source: str, found: Speedups | None) -> Found:
    plan = study.results.plan
    planned = next(item for item in plan.objectives if item.name == pair.objective)
    if mismatch := budget_mismatch(plan, planned):
        return None, None, "unclear", mismatch
    look = look_at(study.results)
    evidence = gain_evidence(at_look(study.results, look), pair, source)
    lacking = [gone for gone in evidence.left_out if not gone.stuck]
    why = "; ".join(dict.fromkeys(gone.why for gone in lacking or evidence.left_out))
    if lacking or not evidence.seeds:
        return None, None, "unclear", why
    gain = estimate(evidence.differences)
    direction: Comparison = "unclear"
    if gain.runs >= MIN_RUNS and look.is_reached:
        mean, half = t_interval(evidence.differences, look.level(gain.runs))
        direction = "better" if mean > half else "worse" if mean < -half else "unclear"
    final = found.targets[0].score if found is not None and found.targets else None
    return None if final is None else quantity(final, "loss"), gain, direction, ""


def _scaled(found: Estimate | None, characters_per_token: float) -> Estimate | None:
    """A difference of losses in nats per token in bits per character."""
    if found is None:
        return None
    one = bits(1.0, characters_per_token)
    return replace(
        found,
        mean=found.mean * one,
        least=found.least * one,
        greatest=found.greatest * one,
        deviation=None if found.deviation is None else found.deviation * one,
        half_width=None if found.half_width is None else found.half_width * one,
    )
