"""Budgets, and the number of steps that a budget allows each objective.

A budget is an amount on one of four compute axes that the baseline, the first objective named, may
spend. Every other objective gets as much as the baseline on the axis of ``equalize``. Each budget
is then fixed as a number of steps, which is what is run and recorded, so that the learning-rate
schedule of a time budget can be repeated on another machine. No torch, and no clock is read.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from objbench.contract.meters import Axis
from objbench.errors import BudgetError

if TYPE_CHECKING:
    # pydantic, which the command line reads budgets without.
    from objbench.results.step_cost import StepCost

MOST_STEPS = 10**12
"""A longer pretraining is a slip: at a millisecond per step it takes 30 years."""

MOST: dict[Axis, float] = {"steps": MOST_STEPS, "tokens": 1e18, "flops": 1e30, "seconds": 1e12}
"""A larger budget is a slip, which can be said before a step is measured: no step takes so much."""

_SCALES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_UNITS: dict[str, tuple[Axis, float]] = {
    "step": ("steps", 1.0),
    "token": ("tokens", 1.0),
    "flop": ("flops", 1.0),
    "second": ("seconds", 1.0),
    "sec": ("seconds", 1.0),
    "min": ("seconds", 60.0),
    "minute": ("seconds", 60.0),
    "hour": ("seconds", 3600.0),
    "gpu-second": ("seconds", 1.0),
    "gpu-min": ("seconds", 60.0),
    "gpu-minute": ("seconds", 60.0),
    "gpu-hour": ("seconds", 3600.0),
}
_PATTERN = re.compile(
    r"(\d+(?:\.\d*)?(?:e[+-]?\d+)?)([kmbt]?)[- _]([a-z][a-z-]*?)s?", re.IGNORECASE
)
_HELP = (
    "write an amount and a unit, such as 100k-steps, 2B-tokens, 1e18-flops, 30-min, 24-gpu-hours"
)


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount to spend on one compute axis.

    Attributes:
        axis: "seconds" are device seconds.
        amount: in steps, tokens, FLOPs or seconds.
        per_device: whether the amount is summed over devices ("gpu-hours"), so that n devices spend
            n seconds per second.
    """

    axis: Axis
    amount: float
    per_device: bool = False


def parse_budget(text: str) -> Budget:
    """The budget that ``text`` stands for: NUMBER[k|M|B|T]-UNIT.

    Raises:
        BudgetError: the text cannot be read, the amount is not positive and finite or more than
            ``MOST``, or it is less than one step.
    """
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        raise BudgetError(f"budget {text!r} cannot be read; {_HELP}")
    number, scale, unit = match.groups()
    if unit.lower() not in _UNITS:
        raise BudgetError(f"budget {text!r} has the unknown unit {unit!r}; {_HELP}")
    axis, factor = _UNITS[unit.lower()]
    amount = float(number) * _SCALES[scale.lower()] * factor
    if not math.isfinite(amount) or amount <= 0:
        raise BudgetError(f"budget {text!r} is not a positive amount; {_HELP}")
    if axis == "steps":
        _whole_steps(amount, f"{amount:g} steps")
    if amount > MOST[axis]:
        raise BudgetError(f"budget {text!r} is too large: at most {MOST[axis]:g} {axis}")
    return Budget(axis, amount, per_device=unit.lower().startswith("gpu-"))


def baseline_steps(budget: Budget, cost: StepCost, devices: int = 1) -> int:
    """Number of steps of the baseline, the largest that does not exceed the budget.

    Raises:
        BudgetError: the budget is less than one step.
    """
    seconds_scale = devices if budget.per_device else 1
    unit = cost.on(budget.axis) * (seconds_scale if budget.axis == "seconds" else 1)
    return _whole_steps(budget.amount / unit, f"{budget.amount:g} {budget.axis}")


def equal_steps(steps: int, baseline: StepCost, candidate: StepCost, equalize: Axis) -> int:
    """Number of steps with which ``candidate`` spends what ``baseline`` spends, never more.

    Args:
        steps: steps of the baseline.
        equalize: compute axis on which the two spend the same.

    Raises:
        BudgetError: that is less than one step.
    """
    spend = steps * baseline.on(equalize)
    return _whole_steps(spend / candidate.on(equalize), f"the baseline's {spend:g} {equalize}")


def _whole_steps(exact: float, what: str) -> int:
    # A ratio that differs from a whole number only by rounding counts as that number.
    nearest = round(exact)
    steps = nearest if math.isclose(exact, nearest, rel_tol=1e-9) else math.floor(exact)
    if steps > MOST_STEPS:
        raise BudgetError(f"the budget is too large: {what} is more than {MOST_STEPS:,} steps")
    if steps < 1:
        raise BudgetError(f"the budget is too small: {what} is less than one step")
    return steps
