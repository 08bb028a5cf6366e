"""What holds a page's conclusions back, in words: runs that did not learn, scores that cannot show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from objbench.judge.formatting import MOST_NAMES, count, listed, named
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.leaderboard.report import Report, SuiteReport

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

    None where the study has too few seeds anyway.
    """
    base = report.learning[report.baseline]
    if len(report.seeds) < MIN_RUNS:
        return ()
    return tuple(
        name
        for name in report.others
        if int((report.learning[name].counted & base.counted).sum()) < MIN_RUNS
    )


def held_parts(report: Report) -> list[str]:
    """Why nothing can be concluded: of whom, and from which suites; nothing where nothing is held."""
    if len(report.seeds) < MIN_RUNS:
        return []
    held, found = too_few_learnt(report), []
    if held:
        sides = [report.learning[name] for name in (report.baseline, *held)]
        whys = [
            f"{own.objective} learnt in {own.share} runs" for own in sides if own.seeds("stuck")
        ]
        few = len(whys) <= MOST_NAMES
        why = listed(whys) if few else f"{count(len(whys), 'objective')} have stuck runs"
        found.append(f"nothing can be concluded about {named(held)}, because {why}")
    clauses = suite_clauses(report)
    if clauses and len(held) < len(report.others):
        number = sum(bool(_why(suite)) for suite in report.suites)
        it = "it" if number == 1 else "them"
        found.append(f"{listed(clauses)}, so nothing can be concluded from {it}")
    elif clauses:
        found.append(listed(clauses))
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
    held = suite.floors.held_back
    compared = [row.objective for row in suite.rows if row.gain is not None]
    if not held:
        return ""
    details = dict.fromkeys(text for own in held.values() for text in own)
    why = "; ".join(details) or "has floors that were not all measured"
    whom = "" if len(held) == len(compared) else f" on {named(list(held))}"
    return f"{suite.suite.name} carries no verdict{whom}: it {why}."


def leading_words(report: Report) -> str:
    """What comparisons are over, such as "among runs that learnt (mlm 4 of 5), "; "" for all runs.

    First what is not known of them.
    """
    runs = list(report.learning.values())
    stuck = [f"{own.objective} {own.share}" for own in runs if own.seeds("stuck")]
    whose = f" ({listed(stuck)})" if len(stuck) <= MOST_NAMES else ""
    among = f"among runs that learnt{whose}, " if stuck else ""
    unknown = []
    if any(own.seeds("unknown") for own in runs):
        which = "all runs" if any(own.is_known for own in runs) else "the runs"
        unknown.append(f"whether {which} learnt")
    bare = [s.suite.name for s in report.suites if s.is_ranked and not s.floors.rows]
    if bare:
        unknown.append(f"what {listed(bare)} would give without pretraining")
    return f"it is not known {' or '.join(unknown)}; {among}" if unknown else among


def _why(suite: SuiteReport) -> tuple[str, str] | None:
    """The first reason for which a suite carries no verdict on anybody; None where it may on some."""
    held = suite.floors.held_back
    compared = [row.objective for row in suite.rows if row.gain is not None]
    if not compared or any(name not in held for name in compared):
        return None
    first = held[compared[0]]
    if not first:
        return _UNMEASURED
    known = (words for start, words in _CLAUSES.items() if first[0].startswith(start))
    return next(known, (first[0], first[0]))


def is_held(suite: SuiteReport, objectives: Sequence[str]) -> bool:
    """Whether a suite carries no verdict on any of the objectives."""
    return bool(objectives) and all(name in suite.floors.held_back for name in objectives)
