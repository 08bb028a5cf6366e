"""The one sentence on top of a page, which a tired reader may quote without being wrong.

What was compared, at which scale, on how many seeds, and what may be concluded: often nothing. Of whom
nothing can be concluded, since runs did not learn, comes first; scores that show nothing come last.
Nothing follows from runs of which it is not known whether they learnt, nor from scores without floors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from objbench.contract.meters import AXIS_WORDS
from objbench.judge.formatting import MOST_NAMES, amount, count, listed, named
from objbench.judge.score_source import COMMON
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.judge.verdict import Comparison, Finding
from objbench.judge.verdict_sentence import few_seeds_text
from objbench.leaderboard.document import shortened
from objbench.leaderboard.held_back import (
    leading_words,
    suite_parts,
    too_few_learnt,
    unlearnt_parts,
    unmeasured,
)
from objbench.leaderboard.ranking import Row
from objbench.leaderboard.report import CurveReport, Report
from objbench.leaderboard.speedups import Speedups, speedup_quantity
from objbench.results.plan import Plan

_LONGEST_SETTING = 60
_NEITHER = "{who} {be} neither significantly faster nor slower to reach {target}"


def headline(report: Report) -> str:
    """The sentence, such as "taco against mlm at equal FLOPs, ...: on glue, taco is ...".

    A comparison that settles something is followed by the scale that it is not about.
    """
    other = "from another checkpoint or at another scale" if report.plan.checkpoint else ""
    other = other or "at another scale"
    scale = f"; nothing here says what happens {other}" if is_settled(report) else ""
    return f"{_compared(report)}: {conclusion(report)}{scale}."


def compared_words(report: Report) -> str:
    """Who is compared with whom, such as "taco against mlm"."""
    if not report.others:
        return f"{report.baseline} only"
    return f"{named(report.others)} against {report.baseline}"


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
        return f"nothing may be concluded about {which}, because {few_seeds_text(seeds)}"
    if missing := unmeasured(report):
        return f"nothing may be concluded, because it is not known {missing}"
    parts = [*unlearnt_parts(report), *_parts(report), *suite_parts(report)]
    if not parts:
        has_losses = any(
            item.headline
            for curve in report.curves
            if curve.source.suite is None
            for item in curve.speedups.values()
        )
        why = "no score of both sides is complete"
        if has_losses:
            why = (
                "no suite score of both sides is complete, and their held-out losses are not "
                "comparable or not significantly different"
            )
        return f"nothing may be concluded, because {why}"
    return "; ".join(parts)


def _compared(report: Report) -> str:
    text = compared_words(report)
    if report.others:
        text += f" at equal {AXIS_WORDS[report.plan.equalize]}"
    checkpoint = report.plan.checkpoint
    start = [f"continuing from {checkpoint}"] if checkpoint else []
    what = [
        text,
        *start,
        *_setting(report.plan),
        scale_words(report),
        count(len(report.seeds), "seed"),
    ]
    return ", ".join(part for part in what if part)


def _setting(plan: Plan) -> list[str]:
    """Preset and text, such as "preset demo" and "corpus toy"; of a path its last two parts."""
    corpus = plan.corpus
    if not corpus.startswith("hf:"):
        corpus = "/".join(part for part in PurePosixPath(corpus).parts[-2:] if part != "/")
    return [
        f"{what} {shortened(name, _LONGEST_SETTING)}"
        for what, name in (("preset", plan.preset), ("corpus", corpus))
        if name
    ]


def _parts(report: Report) -> list[str]:
    """What the suites with floors say, those that say the same in one part; nothing for too few seeds."""
    if len(report.seeds) < MIN_RUNS or unmeasured(report):
        return []
    said: dict[str, list[str]] = {}
    held = too_few_learnt(report)
    for suite in report.suites:
        rows = [
            row
            for row in suite.rows
            if row.gain is not None and row.objective not in {*held, *suite.floors.held_back}
        ]
        if suite.is_ranked and suite.floors.rows and rows:
            said.setdefault(_outcome(report, rows), []).append(suite.suite.name)
    parts = [f"on {_suites(suites)}, {outcome}" for outcome, suites in said.items()]
    parts += [part for curve in report.curves for part in loss_parts(report, curve)]
    return [f"{leading_words(report)}{parts[0]}", *parts[1:]] if parts else []


def is_settled(report: Report) -> bool:
    """Whether the sentence says who is better, worse or neither; then also what is not known."""
    return bool(_parts(report))


def _suites(names: Sequence[str]) -> str:
    return f"the {'suite' if len(names) == 1 else 'suites'} {listed(names)}"


def loss_parts(report: Report, curve: CurveReport) -> list[str]:
    """Who reaches the baseline's final held-out loss sooner or later, where masked alike.

    By the common loss, which compares all, also who does neither. Nothing for a suite's curve: what a
    suite says is said by its ranking.
    """
    if curve.source.suite is not None:
        return []
    groups: dict[str, list[str]] = {}
    for name, item in curve.speedups.items():
        groups.setdefault(_reaching(report, curve, item), []).append(name)
    target = f"{report.baseline}'s final {curve.source.words}"
    groups = dict(sorted(groups.items(), key=lambda group: group[0].startswith(_NEITHER)))
    return [
        words.format(
            who=named(who),
            target=target,
            s="s" if len(who) == 1 else "",
            es="es" if len(who) == 1 else "",
            be=_is(who),
        )
        for words, who in groups.items()
        if words
    ]


def _reaching(report: Report, curve: CurveReport, item: Speedups) -> str:
    """How a target is reached, as a pattern; "" where that is open or cannot be compared."""
    axis = report.plan.equalize
    # One objective's number is not another's: many are said together, without.
    is_few = len(report.others) <= MOST_NAMES
    found = item.headline.get(axis)
    known = _known(found, item.comparison) if found is not None and is_few else ""
    if item.comparison == "unclear":
        if curve.source.name != COMMON or found is None or found.low is None:
            return ""
        if item.objective in too_few_learnt(report):
            return ""
        return f"{_NEITHER}{known and f' ({known} in {AXIS_WORDS[axis]})'}"
    aside = known and f" ({known})"
    if item.comparison == "better":
        return f"{{who}} reach{{es}} {{target}} with significantly fewer {AXIS_WORDS[axis]}{aside}"
    if item.headline[axis].estimate.side == "below":
        return "{who} never reach{es} {target} within the budget"
    return f"{{who}} need{{s}} significantly more {AXIS_WORDS[axis]} to reach {{target}}{aside}"


def _known(found: Finding, direction: Comparison) -> str:
    """A speedup with its interval; "" where that would seem to contradict the sentence."""
    low, high = found.low, found.high
    if low is None or high is None:
        return ""
    is_above, is_below = low.value > 1 and low.side != "below", high.value < 1
    fits = {"better": is_above, "worse": is_below, "unclear": not (is_above or is_below)}
    return speedup_quantity(found).text if fits[direction] else ""


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
        f"{named(groups[word])} {_is(groups[word])} significantly {word} than {report.baseline}"
        for word in ("better", "worse")
        if groups[word]
    ]
    if groups[""]:
        what = f"not significantly different from {report.baseline}"
        parts.append(f"{named(groups[''])} {_is(groups[''])} {what}")
    return ", ".join(parts)


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
