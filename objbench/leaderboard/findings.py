"""What the numbers show, in sentences: gains, speedups, and how far each can be trusted.

The intervals are those of the judge, so no sentence here contradicts a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from objbench.contract.meters import AXES, AXIS_WORDS, Axis
from objbench.judge.formatting import listed
from objbench.judge.statistics.estimate import MIN_RUNS, Estimate
from objbench.judge.teacher_costs import not_counted
from objbench.judge.verdict import Comparison
from objbench.judge.verdict_sentence import few_seeds_text
from objbench.leaderboard.quantity import estimated
from objbench.leaderboard.ranking import Row
from objbench.leaderboard.report import CurveReport, Report, SuiteReport
from objbench.leaderboard.speedups import axis_orders

_DIRECTIONS: Mapping[Comparison, str] = {
    "better": "faster",
    "worse": "slower",
    "unclear": "not significantly different",
}


def findings(report: Report) -> list[str]:
    """What may be said of each suite's scores and of the compute axes."""
    found = [text for suite in report.suites for text in _suite_findings(report, suite)]
    for curve in report.curves:
        found += [*direction_sentences(report, curve), axes_sentence(report, curve)]
    return [text for text in found if text]


def uncounted_words(report: Report, objectives: Iterable[str]) -> str:
    """What comparisons of ``objectives`` leave out; "" where nothing."""
    names = list(objectives)
    return not_counted({c.objective: c.teachers for c in report.costs if c.objective in names})


def axes_sentence(report: Report, curve: CurveReport) -> str:
    """Whether the axes agree on which objective is fastest, in one sentence; "" if unknown."""
    orders = axis_orders(report.baseline, curve.speedups)
    if not orders:
        return ""
    lead, names = f"By {curve.source.words}, the order by estimated speedup", next(iter(orders))
    if len(orders) == 1:
        return _qualified(report, names, f"{lead} is the same on every axis: {', '.join(names)}.")
    parts = [f"{', '.join(order)} by {_axes(axes)}" for order, axes in orders.items()]
    return _qualified(report, names, f"{lead} depends on the axis: {'; '.join(parts)}.")


def direction_sentences(report: Report, curve: CurveReport) -> list[str]:
    """On which axes each objective is faster or slower than the baseline by its whole interval."""
    if len(report.seeds) < MIN_RUNS:
        return []
    found = []
    for item in curve.speedups.values():
        axes: dict[Comparison, tuple[Axis, ...]] = {}
        for axis, finding in item.headline.items():
            axes[finding.comparison] = (*axes.get(finding.comparison, ()), axis)
        parts = [
            f"{words} in {_axes(axes[direction])}"
            for direction, words in _DIRECTIONS.items()
            if direction in axes
        ]
        if len(axes) == 1 and len(item.headline) == len(AXES):
            direction = next(iter(axes))
            parts = [
                f"{_DIRECTIONS[direction]} on {'any' if direction == 'unclear' else 'every'} axis"
            ]
        if parts:
            # Only the headline corrects for the number of objectives.
            alone = "" if len(report.others) == 1 else ", each by itself"
            sentence = (
                f"To {report.baseline}'s final {curve.source.words}, by the 95% intervals{alone}, "
                f"{item.objective} is {', '.join(parts)}."
            )
            found.append(_qualified(report, [item.objective], sentence))
    return found


def _suite_findings(report: Report, suite: SuiteReport) -> list[str]:
    if not suite.is_ranked:
        # Nothing is better or worse on it.
        return []
    name = suite.suite.name
    rows = {row.objective: row for row in suite.rows}
    unranked = [f"{row.objective} ({row.why})" for row in suite.rows if row.rank is None]
    found = [f"Not ranked on {name}: {listed(unranked)}."] if unranked else []
    if len(rows) == 1:
        found.append(f"Only {report.baseline} was run, so nothing is compared.")
    elif rows[report.baseline].rank is None:
        found.append(f"No gain on {name}: the baseline {report.baseline} is not ranked.")
    for objective in report.others:
        row = rows[objective]
        if row.gain is not None:
            found.append(_qualified(report, [objective], _gain(report, name, row, row.gain)))
    return found


def _gain(report: Report, suite: str, row: Row, gain: Estimate) -> str:
    number = estimated(gain, "gain").text
    what = f"on {suite}, {row.objective} - {report.baseline} = {number} points"
    if gain.interval is None:
        return f"Inconclusive {what}: {few_seeds_text(gain.runs)}."
    low, high = gain.interval
    over = f"over {gain.runs} paired seeds"
    if low <= 0 <= high:
        return f"No significant difference {what} {over}."
    word = "better" if gain.mean > 0 else "worse"
    if row.is_significant:
        return f"Significantly {word} {what} {over}."
    return (
        f"No significant difference {what} {over}: {word} if compared alone, but not with all "
        "pairs of objectives compared at once (Holm)."
    )


def _qualified(report: Report, objectives: Iterable[str], sentence: str) -> str:
    """``sentence``, which compares ``objectives``, with what the comparison leaves out."""
    words = uncounted_words(report, objectives)
    return f"{sentence.removesuffix('.')}; {words}." if words else sentence


def _axes(axes: tuple[Axis, ...]) -> str:
    return listed([AXIS_WORDS[axis] for axis in axes])
