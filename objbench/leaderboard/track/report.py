"""What `objbench track check` says of the recipes that keep the rules, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from objbench.judge.formatting import count
from objbench.judge.statistics.time_to_target import median_spend
from objbench.judge.track.holders import against, holder_of
from objbench.judge.track.rows import Row
from objbench.judge.track.track import Target, Track
from objbench.leaderboard.document import shortened
from objbench.leaderboard.track.ranking import (
    first_points,
    percent_text,
    spend_quantity,
    tested_words,
)


def report_lines(track: Track, rows: Sequence[Row], others: Sequence[Row]) -> Iterator[str]:
    """Each recipe by each target: what it spent, and what it is against the holder.

    Args:
        track: the track.
        rows: the recipes that were checked.
        others: the rows that the track has.
    """
    for target in track.targets if rows else ():
        yield f"target: {target.words}"
        holder = holder_of(others, target, "flops")
        for row in rows:
            yield f"  {shortened(row.objective, 60)}: {_spent(row, target)}"
            if target.id not in row.unscored:
                yield f"    {_against(row, holder, target)}"


def _spent(row: Row, target: Target) -> str:
    if target.id in row.unscored:
        return f"not ranked, since {row.unscored[target.id]}"
    found = median_spend(row.runs[target.id, "flops"])
    reached, number = found.reached
    points = first_points(row, target)
    at = f", first at evaluation point {points}" if points else ""
    return (
        f"{spend_quantity(row, target, 'flops').text} FLOPs, "
        f"{spend_quantity(row, target, 'seconds').text}, at {percent_text(found.coverage)}; {reached} of "
        f"{count(number, 'run')} reached it{at}"
    )


def _against(row: Row, holder: Row | None, target: Target) -> str:
    if holder is None:
        return "no row has reached this target yet"
    if row.runs_of == holder.runs_of:
        # Whoever runs the holder's recipe again has made the same runs, and no row of their own.
        return f"its runs are those of {shortened(holder.name, 80)}, which holds the record"
    test = against(row, holder, target, "flops")
    verdict = "a record" if test.is_record else "no record, which needs p < 0.01"
    return f"speedup over {shortened(holder.name, 80)}: {tested_words(test)}; {verdict}"
