"""An estimate with its 95% interval as text: "1.62x [1.44x, 1.85x]", one form on every page.

An estimate that is a bound at the very end of its interval is not put in brackets with itself:
"< 1.02x [< 1.02x, 1.12x]" is written "< 1.02x, up to 1.12x".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from objbench.judge.statistics.speedup import Bound

_SIDES: Mapping[str, str] = {"": "", "below": "< ", "above": "> "}


def bounded(bound: Bound, write: Callable[[float], str]) -> str:
    """A value, or a bound such as "> 8.00x"."""
    return _SIDES[bound.side] + write(bound.value)


def interval_text(
    estimate: Bound, low: Bound | None, high: Bound | None, write: Callable[[float], str]
) -> str:
    """The estimate with its interval; alone where there is none or where it is the bound again."""
    text = bounded(estimate, write)
    if low is None or high is None or is_bound_only(estimate, low, high):
        return text
    if estimate.side == "below" and low == estimate and not high.side:
        return f"{text}, up to {write(high.value)}"
    if estimate.side == "above" and high == estimate and not low.side:
        return f"{text}, down to {write(low.value)}"
    return f"{text} [{bounded(low, write)}, {bounded(high, write)}]"


def is_bound_only(estimate: Bound, low: Bound | None, high: Bound | None) -> bool:
    """Whether one bound is all that is known, of the estimate and of its interval."""
    return bool(estimate.side) and all(end in (None, estimate) for end in (low, high))
