"""A number with its 95% interval and the notation it is written in: ``estimate [low, high]``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from objbench.judge.formatting import (
    amount,
    duration,
    loss,
    loss_gain,
    memory,
    points,
    ratio,
    signed,
)
from objbench.judge.interval_text import interval_text, is_bound_only
from objbench.judge.statistics.estimate import Estimate
from objbench.judge.statistics.speedup import Bound

Notation = Literal[
    "points",
    "gain",
    "loss",
    "loss gain",
    "speedup",
    "amount",
    "count",
    "seconds",
    "bytes",
    "p",
    "percent",
]


def _p_value(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


_WRITERS: Mapping[Notation, Callable[[float], str]] = {
    "points": points,
    "gain": signed,
    "loss": loss,
    "loss gain": loss_gain,
    "speedup": ratio,
    "amount": amount,
    "count": lambda value: f"{value:,.0f}",
    "seconds": duration,
    "bytes": memory,
    "p": _p_value,
    "percent": lambda value: f"{100 * value:.3g}%",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number as a reader sees it.

    Attributes:
        estimate: the value, or the bound where it was not measured.
        low, high: ends of its 95% interval; None where there is none.
        notation: what it is and so how it is rounded.
        note: what to know of it, such as "2 of 3 seeds"; "" for nothing.
    """

    estimate: Bound
    low: Bound | None = None
    high: Bound | None = None
    notation: Notation
    note: str = ""

    @property
    def text(self) -> str:
        """The number in words and digits: "+3.67 [-8.61, +15.95]"."""
        ends = (self.estimate, self.low, self.high)
        text = interval_text(*ends, _WRITERS[self.notation])
        is_never = self.low is not None and self._is_missed and is_bound_only(*ends)
        return self._noted(f"never reached ({text})" if is_never else text)

    @property
    def _is_missed(self) -> bool:
        return self.notation == "speedup" and self.estimate.side == "below"

    def _noted(self, text: str) -> str:
        return f"{text} ({self.note})" if self.note else text


def quantity(value: float, notation: Notation, note: str = "") -> Quantity:
    """A number without an interval."""
    return Quantity(estimate=Bound(value), notation=notation, note=note)


def estimated(found: Estimate, notation: Notation) -> Quantity:
    """A mean over seeds, with its interval where there are enough seeds for one."""
    interval = found.interval
    low, high = (None, None) if interval is None else map(Bound, interval)
    return Quantity(estimate=Bound(found.mean), low=low, high=high, notation=notation)


def turned(found: Estimate, sign: float) -> Estimate:
    """The same estimate of the number times ``sign``, 1 or -1."""
    if sign > 0:
        return found
    return Estimate(
        mean=-found.mean,
        half_width=found.half_width,
        deviation=found.deviation,
        least=-found.greatest,
        greatest=-found.least,
        runs=found.runs,
    )
