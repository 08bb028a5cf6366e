"""The bounds that the judge is held to, and when measured shares break one.

With 4,000 studies or more the measured share itself must be within the bound. With fewer it may be
beyond it by chance: then a bound is broken only where so many errors, or more, would be seen in
less than one of a thousand self-tests of a judge that is exactly at the bound (exact binomial test).
"""

from __future__ import annotations

from scipy.stats import binom

MOST_ERRORS = 0.05
LEAST_COVERAGE = 0.92
MOST_COVERAGE = 0.98

ENOUGH = 4000
"""Studies from which on a measured share itself must be within its bound."""

_CHANCE = 0.001


def is_above(share: float, studies: int, bound: float) -> bool:
    """Whether a share of ``studies`` is beyond an upper ``bound``.

    Args:
        share: what was measured, a whole number of studies.
        studies: number of studies it is a share of.
        bound: the largest share allowed.
    """
    if share <= bound:
        return False
    number = round(share * studies)
    return studies >= ENOUGH or float(binom.sf(number - 1, studies, bound)) < _CHANCE


def is_below(share: float, studies: int, bound: float) -> bool:
    """Whether a share of ``studies`` is beyond a lower ``bound``; as ``is_above``."""
    return is_above(1.0 - share, studies, 1.0 - bound)
