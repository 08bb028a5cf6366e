"""The one sentence on top of a page, which a tired reader may quote without being wrong.

What was compared, at which scale, on how many seeds, and what may be concluded: often nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from objbench.contract.meters import AXIS_WORDS
from objbench.judge.formatting import amount, count, listed
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.leaderboard.ranking import Row
from objbench.leaderboard.report import Report

# More names than this are counted and not listed.
_MOST_NAMES = 4


def headline(report: Report) -> str:
    """The sentence, such as "taco against mlm at equal FLOPs, ...: on glue, taco is ...".

    A comparison that settles something is followed by the scale that it is not about.
    """
    scale = "; nothing here says what happens at another scale" if _parts(report) else ""
    return f"{_compared(report)}: {conclusion(report)}{scale}."


def compared_words(report: Report) -> str:
    """Who is compared with whom, such as "taco against mlm"."""
    if not report.others:
        return f"{report.baseline} alone"
    return f"{_names(report.others)} against {report.baseline}"


def scale_words(report: Report) -> str:
    """The scale, such as "141k parameters and 2.05M tokens"; "" before the baseline has run."""
    if report.scale is None:
        return ""
    return f"{amount(report.scale.parameters)} parameters and {amount(report.scale.tokens)} tokens"


def conclusion(report: Report) -> str:
    """What may be concluded, without a full stop."""
    if not report.others:
        return "nothing is compared"
    seeds = len(report.seeds)
    if seeds < MIN_RUNS:
        which = "which is better" if len(report.others) == 1 else "which of them is better"
        return (
            f"nothing may be concluded about {which}, because {count(seeds, 'seed')} cannot "
            f"give an interval (at least {MIN_RUNS} can)"
        )
    parts = _parts(report)
    if not parts:
        return "nothing may be concluded, because no score of both sides is complete"
    return "; ".join(parts)


def _compared(report: Report) -> str:
    text = compared_words(report)
    if report.others:
        text += f" at equal {AXIS_WORDS[report.plan.equalize]}"
    scale = scale_words(report)
    at = f", {scale}" if scale else ""
    return f"{text}{at}, {count(len(report.seeds), 'seed')}"


def _parts(report: Report) -> list[str]:
    """What the suites say, those that say the same in one part; nothing for too few seeds."""
    if len(report.seeds) < MIN_RUNS:
        return []
    said: dict[str, list[str]] = {}
    for suite in report.suites:
        rows = [row for row in suite.rows if row.gain is not None]
        if suite.is_ranked and rows:
            said.setdefault(_outcome(report, rows), []).append(suite.suite.name)
    return [f"on {listed(suites)}, {outcome}" for outcome, suites in said.items()]


def _outcome(report: Report, rows: Sequence[Row]) -> str:
    """Who is better and who is worse than the baseline, in the order of the plan."""
    by_name = {row.objective: row for row in rows}
    groups: dict[str, list[str]] = {"better": [], "worse": [], "": []}
    for name in report.others:
        row = by_name.get(name)
        if row is not None and row.gain is not None:
            word = "better" if row.gain.mean > 0 else "worse"
            groups[word if row.is_significant else ""].append(name)
    parts = [
        f"{_names(groups[word])} {_is(groups[word])} significantly {word} than {report.baseline}"
        for word in ("better", "worse")
        if groups[word]
    ]
    if groups[""]:
        what = f"not significantly different from {report.baseline}"
        parts.append(f"{_names(groups[''])} {_is(groups[''])} {what}")
    return ", ".join(parts)


def _names(names: Sequence[str]) -> str:
    return listed(names) if len(names) <= _MOST_NAMES else f"{len(names)} objectives"


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
