"""What a large batch does, from small ones that were counted in full.

A batch of up to ``COUNTED_TOKENS`` is counted as it is. Of a larger one four small batches are, of
r / 8, r / 4, r / 2 and r sequences. Work on tokens and sequences grows with their number, and work
on pairs of them with its square, so

    flops(n) = a + b n + c n^2

through the last three is exact. Where it does not give the first one's, the batch is counted as it
is, which takes longer. Memory is extended in a straight line from the last two, or from larger batches
until it grows evenly: it is the largest of several things, and no polynomial where something is done
in blocks, so it is an estimate for more rows than were counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import isclose

COUNTED_TOKENS = 4_096
"""Of a batch that is counted as it is: every operator that loops over blocks has some of them."""


def counted_sizes(rows: int, length: int, with_numbers: bool) -> tuple[int, ...]:
    """The numbers of sequences, rising, that are counted for ``rows``: that alone, or four.

    Args:
        length: tokens of a sequence.
        with_numbers: whether tensors have numbers, so that counting takes longer.
    """
    tokens = COUNTED_TOKENS // 8 if with_numbers else COUNTED_TOKENS
    most = max(16, tokens // length // 8 * 8)
    return (rows,) if rows <= most else (most // 8, most // 4, most // 2, most)


def extended_flops(flops: Callable[[int], float], sizes: Sequence[int], rows: int) -> float:
    """The FLOPs of ``rows`` sequences, by the parabola through three of ``sizes``; exact.

    Args:
        flops: counts a number of sequences in full.
        sizes: as ``counted_sizes`` gives them.
    """
    if len(sizes) == 1:
        return flops(rows)
    first, *rest = sizes
    points = [(size, flops(size)) for size in rest]
    if not isclose(_through(points, first), flops(first), rel_tol=1e-12):
        return flops(rows)
    return _through(points, rows)


def extended_peak(peak: Callable[[int], int], sizes: Sequence[int], rows: int) -> int:
    """The bytes that a pass over ``rows`` sequences needs at a time; an estimate above ``sizes``.

    In a short batch the gradients of the weights may hide what is kept for each sequence, most of
    all where layers are computed again. So the batch is doubled until twice as many sequences need at
    least half as much again, and each of them as much as those before.

    Args:
        peak: counts a number of sequences in full.
        sizes: as ``counted_sizes`` gives them.
    """
    if len(sizes) == 1:
        return peak(rows)
    low, high = sizes[-2:]
    few, many = peak(low), peak(high)
    is_even = False
    while not is_even and high < rows:
        longer = min(2 * high, rows)
        more = peak(longer)
        was, now = (many - few) / (high - low), (more - many) / (longer - high)
        is_even = more >= 1.5 * many and now <= 1.05 * was
        low, few, high, many = high, many, longer, more
    return round(straight(low, few, high, many, rows))


def straight(low: float, at_low: float, high: float, at_high: float, wanted: float) -> float:
    """The straight line through two points, at ``wanted``."""
    return at_low if low == high else at_low + (at_high - at_low) / (high - low) * (wanted - low)


def _through(points: list[tuple[int, float]], wanted: int) -> float:
    """The parabola through three points, at ``wanted``."""
    total = Fraction(0)
    for x, y in points:
        share = Fraction(y)
        for other, _ in points:
            if other != x:
                share *= Fraction(wanted - other, x - other)
        total += share
    return float(total)
