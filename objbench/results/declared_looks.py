"""At which numbers of pretraining seeds a study is judged, as declared before it was run.

Who adds seeds until a difference is significant finds one in the end. So the numbers of seeds at
which a verdict may be read are declared, and each is read at a level of its own; without a
declaration there is one look, at the seeds of the first command.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

FIRST_LOOK = 3
"""Fewer seeds have no interval, so nothing can be read from them that would have to be declared."""

LAST_LOOK = 100_000
"""More seeds than a study has cells for; a look there would only take what other looks may spend."""

MOST_LOOKS = 50
"""The critical value of each is simulated, which takes about a second."""


def require_looks(looks: tuple[int, ...]) -> tuple[int, ...]:
    """``looks`` as they are, where they may be declared.

    Raises:
        ValueError: they do not rise, the first is below ``FIRST_LOOK``, the last is beyond
            ``LAST_LOOK``, or there are more than ``MOST_LOOKS``.
    """
    if any(later <= look for look, later in pairwise(looks)):
        raise ValueError("looks are numbers of seeds, each larger than the one before")
    if looks and looks[0] < FIRST_LOOK:
        raise ValueError(f"{looks[0]} seeds give no interval: look from {FIRST_LOOK} seeds on")
    if looks and looks[-1] > LAST_LOOK:
        raise ValueError(f"no study has {looks[-1]:,} seeds: look at {LAST_LOOK:,} at the latest")
    if len(looks) > MOST_LOOKS:
        raise ValueError(f"{len(looks)} looks are too many: declare at most {MOST_LOOKS}")
    return looks


def first_look(declared: Sequence[Sequence[int]]) -> int:
    """The seeds of the first command; where that were too few to look, with those of the next.

    Args:
        declared: the pretraining seeds, one row for each time that some were declared.
    """
    seeds = 0
    for row in declared:
        seeds += len(row)
        if seeds >= FIRST_LOOK:
            break
    return seeds
