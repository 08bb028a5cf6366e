"""What the numbers show, in sentences: gains, speedups, and how far each can be trusted.

The intervals are those of the judge, so no sentence here contradicts a verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from objbench.contract.meters import AXES, AXIS_WORDS, Axis
from objbench.judge.formatting import MOST_NAMES, count, listed, named, signed
from objbench.judge.statistics.estimate import LEVEL, MIN_RUNS, Estimate
from objbench.judge.statistics.ranks import MOST_PAIRED
from objbench.judge.teacher_costs import not_counted
from objbench.judge.verdict import Comparison
from objbench.judge.verdict_sentence import few_seeds_text, level_text
from objbench.leaderboard.foremost import MOST_DRAWN, MOST_ROWS
from objbench.leaderboard.held_back import is_held, no_verdict_sentence
from objbench.leaderboard.quantity import estimated
from objbench.leaderboard.ranking import Row
from objbench.leaderboard.report import CurveReport, Report, SuiteReport
from objbench.leaderboard.speedups import Speedups, axis_orders

_DIRECTIONS: Mapping[Comparison, str] = {
    "better": "faster",
    "worse": "slower",
    "unclear": "not significantly different",
}
_NOWHERE = "not significantly different on any axis"
_KINDS = ("better", "worse", "alone", "open", "inconclusive", "held")


def findings(report: Report) -> list[str]:
    """What may be said of each suite's scores and of the compute axes."""
    found = [text for suite in report.suites for text in _suite_findings(report, suite)]
    held = {
        suite.suite.name
        for suite in report.suites
        if is_held(suite, [row.objective for row in suite.rows if row.gain is not None])
    }
    for curve in report.curves:
        if curve.source.name in held:
            continue
        found += [*direction_sentences(report, curve), axes_sentence(report, curve)]
    return [text for text in found if text]


def uncounted_words(report: Report, objectives: Iterable[str]) -> str:
    """What comparisons of ``objectives`` leave out; "" where nothing."""
    names = list(objectives)
    return not_counted({c.objective: c.teachers for c in report.costs if c.objective in names})


def axes_sentence(report: Report, curve: CurveReport) -> str:
    """Whether the axes agree on which objective is fastest, in one sentence; "" if unknown."""
    found = curve.speedups
    if len(report.seeds) >= MIN_RUNS:
        # Too few pairs of runs that learnt have no place in an order.
        found = {name: item for name, item in found.items() if _directions(item)}
    orders = axis_orders(report.baseline, found)
    if not orders:
        return ""
    names = next(iter(orders))
    bounds = [name for name in found if name not in names]
    without = (
        f" (without {named(bounds)}, of which not every speedup was measured)" if bounds else ""
    )
    lead = f"By {curve.source.words}, the order by estimated speedup{without}"
    if len(orders) == 1:
        return _qualified(report, names, f"{lead} is the same on every axis: {_order(names)}.")
    parts = [f"{_order(order)} by {_axes(axes)}" for order, axes in orders.items()]
    return _qualified(report, names, f"{lead} depends on the axis: {'; '.join(parts)}.")


def _order(names: Sequence[str]) -> str:
    """Who is first, second and so on; of many the first few."""
    if len(names) <= MOST_ROWS:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"


def direction_sentences(report: Report, curve: CurveReport) -> list[str]:
    """On which axes objectives are faster or slower than the baseline by their whole intervals.

    Objectives of which the same is to be said share a sentence; first those that differ.
    """
    if len(report.seeds) < MIN_RUNS:
        return []
    groups: dict[str, list[str]] = {}
    for item in curve.speedups.values():
        if said := _directions(item):
            groups.setdefault(said, []).append(item.objective)
    # Only the headline corrects for the number of objectives.
    alone = "" if len(report.others) == 1 else ", uncorrected for multiple comparisons"
    levels = [f.level for item in curve.speedups.values() for f in item.headline.values()]
    level = level_text(max(levels, default=LEVEL))
    lead = f"To {report.baseline}'s final {curve.source.words}, by the {level} intervals{alone}"
    return [
        _qualified(report, who, f"{lead}, {named(who)} {'is' if len(who) == 1 else 'are'} {said}.")
        for said, who in sorted(groups.items(), key=lambda group: group[0] == _NOWHERE)
    ]


def _directions(item: Speedups) -> str:
    """Such as "faster in steps, not significantly different in FLOPs"; "" where none was found.

    Too few pairs of runs that learnt show nothing, not even that there is no difference.
    """
    if any(finding.low is None for finding in item.headline.values()):
        return ""
    axes: dict[Comparison, tuple[Axis, ...]] = {}
    for axis, finding in item.headline.items():
        axes[finding.comparison] = (*axes.get(finding.comparison, ()), axis)
    if len(axes) == 1 and len(item.headline) == len(AXES):
        direction = next(iter(axes))
        return _NOWHERE if direction == "unclear" else f"{_DIRECTIONS[direction]} on every axis"
    return ", ".join(
        f"{words} in {_axes(axes[direction])}"
        for direction, words in _DIRECTIONS.items()
        if direction in axes
    )


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
    found += [text for text in (no_verdict_sentence(suite),) if text]
    held: Collection[str] = suite.floors.held_back
    if not suite.floors.rows:
        held = [name for name, row in rows.items() if row.gain is not None and row.gain.interval]
    return found + _gains(report, name, [rows[objective] for objective in report.others], held)


def _gains(report: Report, suite: str, rows: Sequence[Row], held: Collection[str]) -> list[str]:
    """A sentence for each gain; of many that are alike, one for all of them.

    Args:
        held: objectives on which the suite carries no verdict.
    """
    kinds: dict[str, list[tuple[Row, Estimate]]] = {}
    for row in rows:
        if row.gain is not None:
            kind = "held" if row.objective in held else _kind(row, row.gain)
            kinds.setdefault(kind, []).append((row, row.gain))
    found = []
    for kind in _KINDS:
        own = kinds.get(kind, [])
        if len(own) > (MOST_DRAWN if kind in ("better", "worse") else MOST_NAMES):
            found.append(_together(report, suite, kind, own))
        else:
            found += [
                _qualified(report, [row.objective], _gain(report, suite, row, gain, kind))
                for row, gain in own
            ]
    return found


def _kind(row: Row, gain: Estimate) -> str:
    if gain.interval is None:
        return "inconclusive"
    if row.is_significant:
        return "better" if gain.mean > 0 else "worse"
    low, high = gain.interval
    return "open" if low <= 0 <= high else "alone"


def _together(report: Report, suite: str, kind: str, rows: Sequence[tuple[Row, Estimate]]) -> str:
    who, means = [row.objective for row, _ in rows], [gain.mean for _, gain in rows]
    runs = [gain.runs for _, gain in rows]
    seeds = f"{min(runs)}" if min(runs) == max(runs) else f"{min(runs)} to {max(runs)}"
    over = f"over {seeds} paired seeds"
    many = count(len(rows), "objective")
    if kind == "held":
        text = f"No verdict on {suite}: {many} {over}."
    elif kind == "inconclusive":
        text = f"Inconclusive on {suite} for {many}: {_few(report, max(runs))}."
    elif kind in ("better", "worse"):
        ends = " to ".join(f"{signed(end)}" for end in (min(means), max(means)))
        text = (
            f"Significantly {kind} than {report.baseline} on {suite}: {many}, {ends} points {over}."
        )
    else:
        text = f"No significant difference from {report.baseline} on {suite}: {many} {over}"
        at_once = _at_once(report, "pairs")
        holm = f", better or worse if compared alone, but not with all {at_once}"
        text += f"{holm if kind == 'alone' else ''}."
    return _qualified(report, who, text)


def _gain(report: Report, suite: str, row: Row, gain: Estimate, kind: str) -> str:
    number = estimated(gain, "gain").text
    what = f"on {suite}, where {row.objective}'s gain on {report.baseline} is {number} points"
    over = f"over {gain.runs} paired seeds"
    if gain.runs < len(report.seeds):
        over += " at which both learnt"
    if kind == "held":
        return f"No verdict {what} {over}."
    if kind == "inconclusive":
        return f"Inconclusive {what}: {_few(report, gain.runs)}."
    if kind == "open":
        return f"No significant difference {what} {over}."
    if kind != "alone":
        return f"Significantly {kind} {what} {over}."
    return (
        f"No significant difference {what} {over}: {'better' if gain.mean > 0 else 'worse'} if "
        f"compared alone, but not with all {_at_once(report, 'pairs of objectives')}."
    )


def _at_once(report: Report, pairs: str) -> str:
    """How "all pairs compared at once (Holm)" goes on; of many objectives only with the baseline."""
    if len(report.plan.objectives) <= MOST_PAIRED:
        return f"{pairs} compared at once (Holm)"
    return f"objectives compared with {report.baseline} at once (Holm)"


def _few(report: Report, pairs: int) -> str:
    """Why a gain over so many pairs of runs has no interval."""
    if len(report.seeds) < MIN_RUNS:
        return few_seeds_text(pairs)
    return f"{count(pairs, 'pair')} of runs that learnt, and {MIN_RUNS} are needed"


def _qualified(report: Report, objectives: Iterable[str], sentence: str) -> str:
    """``sentence``, which compares ``objectives``, with what the comparison leaves out."""
    words = uncounted_words(report, objectives)
    return f"{sentence.removesuffix('.')}; {words}." if words else sentence


def _axes(axes: tuple[Axis, ...]) -> str:
    return listed([AXIS_WORDS[axis] for axis in axes])
