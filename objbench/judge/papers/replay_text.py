"""What published numbers support, in words and two tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tabulate import tabulate

from objbench.errors import one_line
from objbench.judge.formatting import amount, count, listed, points, ratio, signed
from objbench.judge.papers.figures import PublishedFigure
from objbench.judge.papers.replay import (
    CurveReplay,
    Reach,
    RowComparison,
    compare_rows,
    largest_disagreement,
    replay_curves,
    shortfall,
)

_FACTOR = re.compile(r"(\d+(?:\.\d+)?)\s?x\b")
_GAIN = re.compile(r"(\d+(?:\.\d+)?)\s?points?\b")
NO_INTERVAL = (
    "there is one number per point, apparently from one pretraining run, which gives no confidence "
    "interval"
)
# How many of the columns that contribute most to a gain are named.
_LARGEST = 2


def replay_text(published: PublishedFigure) -> str:
    """The report on one file: what its numbers say about its claims, then the numbers."""
    headline, *said = replay_headline(published)
    parts = [
        f"{published.name}: {one_line(published.source)}",
        "\n".join([headline, *_bullets(said)]),
    ]
    for replay in replay_curves(published):
        parts.append("\n".join([_curve_table(replay), "", *_bullets(_on_curve(replay))]))
    compared = compare_rows(published)
    if compared:
        lines = [_on_row(item) for item in compared]
        parts.append("\n".join([_columns_table(published, compared), "", *_bullets(lines)]))
    apart = largest_disagreement(published)
    if apart is not None:
        row, difference = apart
        parts.append(f"Figure and table differ by up to {points(difference)} points ({row}).")
    return "\n\n".join(parts) + "\n"


def replay_headline(published: PublishedFigure) -> list[str]:
    """The verdict on one file, then each of its claims with what its numbers say about it."""
    return [f"inconclusive: {NO_INTERVAL}.", *_on_claims(published)]


def _on_claims(published: PublishedFigure) -> list[str]:
    """Each claim with what the numbers say about it."""
    found = []
    for claim in published.claims:
        factor, gain = _FACTOR.search(claim), _GAIN.search(claim)
        if factor:
            said = _factor_said(published, float(factor[1]))
        elif gain:
            said = _gain_said(published)
        else:
            said = ""
        found.append(f"{one_line(claim)!r}: {said or 'no number in the file answers it'}")
    return found


def _factor_said(published: PublishedFigure, factor: float) -> str:
    parts = []
    for replay in replay_curves(published):
        strict = replay.reaches[0]
        text = (
            f"{replay.candidate} {_crossed(strict)} {replay.baseline}'s {points(strict.target)}"
            f"{_at(strict)}"
        )
        short = shortfall(replay, factor)
        if short is not None and short > 0:
            text += f"; {factor:g}x only for a score {points(short)} lower"
        parts.append(text)
    return "; ".join(parts)


def _gain_said(published: PublishedFigure) -> str:
    # A gain is one at equal steps.
    return listed(
        [
            f"{signed(item.gain)} on {item.table} ({item.row.name} minus {item.baseline.name})"
            for item in compare_rows(published)
            if item.row.steps == item.baseline.steps
        ]
    )


def _curve_table(replay: CurveReplay) -> str:
    steps, score = replay.figure.curves[replay.baseline][-1]
    title = (
        f"{replay.figure.name}: {replay.candidate} against {replay.baseline}'s {points(score)} "
        f"at {amount(steps)} steps"
    )
    lines = [
        {
            "target": points(item.target),
            f"below {replay.baseline}": points(item.below),
            f"{replay.candidate}'s steps": "not reached" if item.steps is None else _steps(item),
            "speedup": "-" if item.speedup is None else _speedup(item),
        }
        for item in replay.reaches
    ]
    return f"{title}\n\n{_table(lines)}"


def _on_curve(replay: CurveReplay) -> list[str]:
    found = []
    if len(replay.figure.curves[replay.baseline]) == 1:
        found.append(
            f"{replay.baseline} has a single point, its last, so there is no speedup at any other "
            "score."
        )
    before = len(replay.figure.curves[replay.candidate]) - 1
    if before:
        found.append(
            f"{count(before, 'point')} of {replay.candidate} before its last: the learning rate had "
            "not yet decayed there, unless each point was trained to its own end."
        )
    if replay.figure.note:
        found.append(f"Note in the file: {one_line(replay.figure.note)}.")
    return found


def _columns_table(published: PublishedFigure, compared: Sequence[RowComparison]) -> str:
    title = f"Columns: {one_line(published.average) or 'plain mean of the columns'}"
    lines = [
        {
            "table": item.table,
            "row": item.row.name,
            "mean": points(item.row.mean),
            "against": item.baseline.name,
            "its mean": points(item.baseline.mean),
            "gain": signed(item.gain),
            "below": len(item.below),
            "equal": len(item.equal),
            "above": len(item.above),
        }
        for item in compared
    ]
    return f"{title}\n\n{_table(lines)}"


def _on_row(item: RowComparison) -> str:
    columns = len(item.shares)
    lead = f"{item.row.name} on {item.table}"
    if item.gain < 0:
        equal = f", equal on {listed(item.equal)}" if item.equal else ""
        return (
            f"{lead} is below {item.baseline.name} on the mean ({points(item.row.mean)} against "
            f"{points(item.baseline.mean)}) and on {len(item.below)} of {columns} columns "
            f"({listed(item.below)}){equal}."
        )
    if columns <= _LARGEST:
        return f"{lead} is {signed(item.gain)} points over {item.baseline.name}."
    largest = item.shares[:_LARGEST]
    carried = sum(share for _, share in largest)
    first = largest[0][0]
    return (
        f"{lead}: {listed([name for name, _ in largest])} contribute {points(carried)} of the "
        f"{points(item.gain)} points gained over {item.baseline.name}; without {first} the gain is "
        f"{signed(item.without(first))}."
    )


def _crossed(item: Reach) -> str:
    return "does not reach" if item.steps is None else "reaches"


def _at(item: Reach) -> str:
    if item.steps is None:
        return ""
    return f" at {'about ' * (not item.is_bound)}{_steps(item)} steps, {_speedup(item)}"


def _steps(item: Reach) -> str:
    return f"{'no more than ' * item.is_bound}{amount(item.steps or 0.0)}"


def _speedup(item: Reach) -> str:
    return f"{'at least ' * item.is_bound}{ratio(item.speedup or 0.0)}"


def _bullets(lines: Sequence[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def _table(lines: Sequence[Mapping[str, object]]) -> str:
    return tabulate(
        lines, headers="keys", tablefmt="github", disable_numparse=True, stralign="right"
    )
