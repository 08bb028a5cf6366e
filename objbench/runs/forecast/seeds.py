"""What a number of seeds can show, and how many are needed to show a difference."""

from __future__ import annotations

from objbench.judge.formatting import count, three_digits
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.judge.statistics.power import MOST_SEEDS, POWER, detectable, seeds_needed


def seeds_line(seeds: int, difference: float | None = None, deviation: float | None = None) -> str:
    """One line on the precision of a study.

    Args:
        seeds: of the study.
        difference: that is to be found significant, in the unit of the score; None if not asked for.
        deviation: standard deviation between seeds of the difference of two objectives with the same
            seed, in the same unit.
    """
    least = detectable(seeds)
    shows = (
        f"{count(seeds, 'seed')}: no difference can be significant, {MIN_RUNS} or more are needed"
        if least is None
        else f"{count(seeds, 'seed')}: a difference of {three_digits(least)} times its standard "
        f"deviation between seeds is significant with a probability of {POWER:.0%}"
    )
    if difference is None or deviation is None:
        return shows
    needed = seeds_needed(difference, deviation)
    wanted = f"more than {MOST_SEEDS:,}" if needed is None else f"{needed:,}"
    return f"{shows}; a difference of {difference:g} with a deviation of {deviation:g} needs {wanted} seeds"
