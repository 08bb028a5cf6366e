"""What a speedup that is only bounded means, or whose digits hide a difference from 1.

Each form is explained by an example from the tables themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal, TypeGuard

from objbench.judge.formatting import ratio
from objbench.judge.statistics.speedup import Bound
from objbench.leaderboard.quantity import Quantity

Form = Literal[
    "missed", "missed by the mean", "passed", "open above", "open below", "above 1", "below 1"
]


def bound_forms(speedup: Quantity) -> tuple[Form, ...]:
    """The ways in which a speedup is not what its digits say; none where all of it was measured.

    "above 1" and "below 1" are intervals without 1 one end of which is 1 when it is rounded.
    """
    estimate, low, high = speedup.estimate, speedup.low, speedup.high
    if estimate.side == "below":
        return ("missed",) if high is None or high.side == "below" else ("missed by the mean",)
    if estimate.side == "above":
        return ("passed",)
    found: list[Form] = []
    if low is not None and low.side:
        found.append("open below")
    if high is not None and high.side:
        found.append("open above")
    if _is_hidden(low) and low.value > 1:
        found.append("above 1")
    if _is_hidden(high) and high.value < 1:
        found.append("below 1")
    return tuple(found)


def _is_hidden(end: Bound | None) -> TypeGuard[Bound]:
    """Whether a measured end of an interval is another number than 1 and written like 1."""
    return end is not None and not end.side and end.value != 1 and ratio(end.value) == ratio(1)


def bounds_sentence(speedups: Iterable[Quantity], known: Collection[Form] = ()) -> str:
    """What the bounds among ``speedups`` mean, each form by its first example; "" for none.

    Args:
        speedups: in the order of their table.
        known: forms that were explained before.
    """
    found: dict[Form, str] = {}
    for speedup in speedups:
        for form in bound_forms(speedup):
            if form not in known:
                found.setdefault(form, _explained(form, speedup))
    return " ".join(found.values())


def _explained(form: Form, speedup: Quantity) -> str:
    text, value = f'"{speedup.text}"', ratio(speedup.estimate.value)
    low, high = ("" if end is None else ratio(end.value) for end in (speedup.low, speedup.high))
    if form == "missed":
        never = "the baseline's final score was not reached within the budget"
        return f"{text}: {never}, so the speedup is below {value}."
    if form == "passed":
        first = "the first point measured was already past the baseline's final score"
        return f"{text}: {first}, so the speedup is above {value}."
    if form == "open above":
        return (
            f"{text}: the interval ends above {high}, the largest speedup that could be measured."
        )
    if form == "open below":
        return (
            f"{text}: the interval begins below {low}, the smallest speedup that could be measured."
        )
    if form == "above 1":
        return f"{text}: the interval begins above 1, by less than its digits show."
    if form == "below 1":
        return f"{text}: the interval ends below 1, by less than its digits show."
    is_open = speedup.high is not None and speedup.high.side
    return (
        f"{text}: the mean curve did not reach the baseline's final score within the budget, so the "
        f"estimate is below {value}; the 95% interval ends {'above' if is_open else 'at'} {high}."
    )
