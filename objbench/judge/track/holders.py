"""Who holds the record of a track: rows in the order of time, each against the holder of its time.

The first row with a median that reached the target is the first holder. A later one takes over where the
test of ``statistics.record_test`` says with p < 0.01 that it takes less. Each new row is one test, so of
a hundred that are no faster about one would take over.

A row that was sent by somebody else is ranked and tested at once, and takes over when drawn cells of it
were run again and agree; one of which they differ is none, see ``rows``.

Seconds are compared between rows that were made on the same device only: each device has a holder of its
own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from objbench.contract.meters import Axis
from objbench.judge.statistics.record_test import RecordTest, record_test
from objbench.judge.statistics.time_to_target import median_spend
from objbench.judge.track.rows import Row
from objbench.judge.track.track import Target


@dataclass(frozen=True, slots=True, eq=False)
class Challenge:
    """A row against the holder of its time.

    Attributes:
        row: the row.
        holder: who held the record when it came; None for the first.
        test: the row against that holder; None for the first.
        is_faster: whether the rules make it the holder.
    """

    row: Row
    holder: Row | None
    test: RecordTest | None
    is_faster: bool

    @property
    def holds(self) -> bool:
        """Whether it is the holder from then on: faster, and run here or verified."""
        return self.is_faster and self.row.is_verified


def challenges(rows: Sequence[Row], target: Target, axis: Axis) -> tuple[Challenge, ...]:
    """What became of each row that is scored by ``target``, in the order of time.

    Args:
        rows: in any order; for seconds, all of one device.
        target: of the track.
        axis: of the spend.
    """
    holder: Row | None = None
    found = []
    for row in sorted(rows, key=lambda row: (row.since, row.name)):
        if target.id in row.unscored:
            continue
        test = None if holder is None else against(row, holder, target, axis)
        is_faster = _reaches(row, target, axis) if test is None else test.is_record
        found.append(Challenge(row, holder, test, is_faster))
        if found[-1].holds:
            holder = row
    return tuple(found)


def against(row: Row, holder: Row, target: Target, axis: Axis) -> RecordTest:
    """A row against a holder; it has to reach less where its masks were others."""
    ours = row.runs if row.exam == holder.exam else row.harder
    return record_test(ours[target.id, axis], holder.runs[target.id, axis])


def holder_of(rows: Sequence[Row], target: Target, axis: Axis) -> Row | None:
    """The present holder; None where no row has reached the target."""
    return next((c.row for c in reversed(challenges(rows, target, axis)) if c.holds), None)


def ranked(rows: Sequence[Row], target: Target, axis: Axis) -> list[Row]:
    """The rows that are scored by ``target``: by their median, then those whose median did not reach it.

    Those are in the order of how many of their runs did. What they spent without reaching it puts none
    before another: less of it is no merit.
    """

    def place(row: Row) -> tuple[bool, float, str]:
        found = median_spend(row.runs[target.id, axis])
        is_never = found.estimate.side == "above"
        return is_never, -found.reached[0] if is_never else found.estimate.value, row.name

    return sorted((row for row in rows if target.id not in row.unscored), key=place)


def _reaches(row: Row, target: Target, axis: Axis) -> bool:
    return median_spend(row.runs[target.id, axis]).estimate.side != "above"
