"""What holds a page's conclusions back, in words: runs that did not learn, scores that cannot show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from objbench.judge.formatting import MOST_NAMES, listed, named
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.leaderboard.report import Report, SuiteReport
from objbench.leaderboard.run_learning import stuck_words

# How the judge's reasons begin, and what they are in a sentence over one suite and over several.
_CLAUSES: Mapping[str, tuple[str, str]] = {
    "is at its floor": ("is at its floor", "are at their floor"),
    "has too little room": (
        "has too little room above its floor",
        "have too little room above their floors",
    ),
    "orders the encoders": (
        "orders encoders against their held-out loss",
        "order encoders against their held-out loss",
    ),
    "ranks stuck runs": (
        "ranks stuck runs above runs that learnt",
        "rank stuck runs above runs that learnt",
    ),
}
_UNMEASURED = ("lacks a floor that was not measured", "lack floors that were not measured")


def too_few_learnt(report: Report) -> tuple[str, ...]:
    """The objectives of which too few pairs of runs with the baseline are not stuck.

    Empty where the study has too few seeds anyway.
    """
    base = report.learning[report.baseline]
    if len(report.seeds) < MIN_RUNS:
        return ()
    return tuple(
        name
        for name in report.others
        if int((report.learning[name].counted & base.counted).sum()) < MIN_RUNS
    )


def unlearnt_parts(report: Report) -> list[str]:
    """About whom nothing can be concluded, since too few runs learnt; nothing where enough did."""
    held = too_few_learnt(report)
    sides = [report.learning[name] for name in (report.baseline, *held)]
    about = f"nothing can be concluded about {named(held)}, because {stuck_words(sides)}"
    return [about] if held else []


def suite_parts(report: Report) -> list[str]:
    """From which suites nothing can be concluded, and why; nothing where nothing is held back."""
    if len(report.seeds) < MIN_RUNS:
        return []
    held, found = too_few_learnt(report), []
    clauses = suite_clauses(report)
    if clauses and len(held) < len(report.others):
        number = sum(bool(_why(suite)) for suite in report.suites)
        it = "it" if number == 1 else "them"
        found.append(f"{listed(clauses)}, so nothing can be concluded from {it}")
    elif clauses:
        found.append(listed(clauses))
    bare = [suite.suite.name for suite in _bare(report) if _compared(suite)]
    if bare:
        it = "it" if len(bare) == 1 else "them"
        so = f", so nothing can be concluded from {it}" if len(held) < len(report.others) else ""
        found.append(f"it is not known what {listed(bare)} would give without pretraining{so}")
    return found


def suite_clauses(report: Report) -> list[str]:
    """What is wrong with the suites that carry no verdict, such as "glue and probe are at their floor"."""
    groups: dict[tuple[str, str], list[str]] = {}
    for suite in report.suites:
        if clause := _why(suite):
            groups.setdefault(clause, []).append(suite.suite.name)
    return [f"{listed(names)} {clause[len(names) > 1]}" for clause, names in groups.items()]


def no_verdict_sentence(suite: SuiteReport) -> str:
    """That a suite carries no verdict, and by which numbers; "" where it may."""
    held, compared = suite.floors.held_back, _compared(suite)
    if not suite.floors.rows and has_intervals(suite):
        name = suite.suite.name
        return f"{name} carries no verdict: it is not known what it would give without pretraining."
    if not held:
        return ""
    details = dict.fromkeys(text for own in held.values() for text in own)
    why = "; ".join(details) or "has floors that were not all measured"
    whom = "" if len(held) == len(compared) else f" on {named(list(held))}"
    return f"{suite.suite.name} carries no verdict{whom}: it {why}."


def leading_words(report: Report) -> str:
    """What comparisons are over, as "among runs that learnt (mlm 4 of 5), "; "" for all runs."""
    runs = report.learning.values()
    stuck = [f"{own.objective} {own.share}" for own in runs if own.seeds("stuck")]
    whose = f" ({listed(stuck)})" if len(stuck) <= MOST_NAMES else ""
    return f"among runs that learnt{whose}, " if stuck else ""


def unmeasured(report: Report) -> str:
    """What is not known, without which nothing follows, as "whether the runs learnt"; else ""."""
    runs = list(report.learning.values())
    unknown = []
    if any(own.seeds("unknown") for own in runs):
        which = "all runs" if any(own.is_known for own in runs) else "the runs"
        unknown.append(f"whether {which} learnt")
    bare = [suite.suite.name for suite in _bare(report)]
    if bare and (unknown or len(bare) == sum(suite.is_ranked for suite in report.suites)):
        unknown.append(f"what {listed(bare)} would give without pretraining")
    return " or ".join(unknown)


def _bare(report: Report) -> list[SuiteReport]:
    """The suites that rank objectives and of which no floor was measured."""
    return [suite for suite in report.suites if suite.is_ranked and not suite.floors.rows]


def has_intervals(suite: SuiteReport) -> bool:
    """Whether there are seeds enough for the interval of a gain."""
    return any(row.gain is not None and row.gain.interval is not None for row in suite.rows)


def _compared(suite: SuiteReport) -> list[str]:
    return [row.objective for row in suite.rows if row.gain is not None]


def _why(suite: SuiteReport) -> tuple[str, str] | None:
    """The first reason for which a suite carries no verdict on anybody; None where it may on some."""
    held, compared = suite.floors.held_back, _compared(suite)
    if not compared or any(name not in held for name in compared):
        return None
    first = held[compared[0]]
    if not first:
        return _UNMEASURED
    known = (words for start, words in _CLAUSES.items() if first[0].startswith(start))
    return next(known, (first[0], first[0]))


def is_held(suite: SuiteReport, objectives: Sequence[str]) -> bool:
    """Whether a suite carries no verdict on any of the objectives."""
    if not suite.floors.rows:
        return has_intervals(suite)
    return bool(objectives) and all(name in suite.floors.held_back for name in objectives)
