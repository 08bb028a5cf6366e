"""How often the runs of two objectives learn, in words: counts and an exact p-value, no interval."""

from __future__ import annotations

from objbench.judge.formatting import count
from objbench.judge.statistics.proportions import PairedShares, fewest_unlike_pairs


def learnt_pairs_text(found: PairedShares) -> str:
    """Such as "leaves its plateau more often: 4 of 5 against 0 of 5, exact p = 0.125"."""
    often = "as often"
    if found.candidate != found.baseline:
        often = "more often" if found.candidate > found.baseline else "less often"
    return f"leaves its plateau {often}: {learnt_counts(found)}"


def learnt_counts(found: PairedShares) -> str:
    """Such as "4 of 5 against 0 of 5, exact p = 0.125"."""
    runs = found.runs
    counts = f"{found.candidate} of {runs} against {found.baseline} of {runs}"
    return f"{counts}, exact p = {found.p_value:.3g}"


def exact_test_text(found: PairedShares, error_rate: float) -> str:
    """What the exact test finds, and how many pairs would have to differ where these are too few."""
    if found.p_value < error_rate:
        return f"an exact paired test finds the difference (p = {found.p_value:.3g})"
    needed = fewest_unlike_pairs(error_rate)
    text = "no significant difference by an exact paired test"
    if found.unlike >= needed:
        return text
    return (
        f"{text}: the runs differ at {count(found.unlike, 'seed')}, and it takes at least {needed}"
    )
