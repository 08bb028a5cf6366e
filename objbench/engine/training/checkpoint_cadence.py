"""How often a run may be kept: as often as was asked for, but only as far as it costs next to nothing."""

from __future__ import annotations

from dataclasses import dataclass

RUN_SHARE = 0.01
"""Of a run's time that checkpoints may cost it."""
DISK_SHARE = 0.1
"""Of the time that something may be written: other cells share the disk, the store and the network."""


@dataclass(frozen=True, slots=True)
class WriteCost:
    """What one checkpoint cost, in seconds.

    Attributes:
        stalled: for which training stood still.
        computed: of a processor, while it was written beside the training.
        written: from its beginning until it was stored.
    """

    stalled: float
    computed: float
    written: float


def seconds_between(wanted: float, last: WriteCost | None) -> float:
    """Seconds from the beginning of one checkpoint to that of the next.

    Args:
        wanted: what the user asks for; 0 for a checkpoint after every step, whatever it costs.
        last: what the last one cost; None for the first of a run.
    """
    if last is None or wanted == 0:
        return wanted
    own = (last.stalled + last.computed) / RUN_SHARE
    return max(wanted, own, last.written / DISK_SHARE)
