"""Budgets: what may be spent, and how many steps that is for each objective.

A budget is an amount on one of four axes. It is what the baseline, the first objective named, may
spend. Every other objective gets as much on the axis of ``equalize``; each is then frozen to a
number of steps, which is what runs and what the record keeps, so that the learning-rate curve of
a time budget can be replayed on another machine. Pure arithmetic: no torch, no clock.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from objbench.contract.meters import Axis
from objbench.errors import BudgetError
from objbench.results.records import StepCost
from objbench.study.choices import Spacing

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
    """An amount to spend on one axis.

    Attributes:
        axis: what is counted; "seconds" are device seconds.
        amount: in steps, tokens, FLOPs or seconds.
        per_device: the amount is summed over devices ("gpu-hours"): n devices spend n a second.
    """

    axis: Axis
    amount: float
    per_device: bool = False


def parse_budget(text: str) -> Budget:
    """The budget written as ``text``: NUMBER[k|M|B|T]-UNIT.

    Raises:
        BudgetError: it cannot be read, or it is not a positive finite amount.
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
    return Budget(axis, amount, per_device=unit.lower().startswith("gpu-"))


def baseline_steps(budget: Budget, cost: StepCost, devices: int = 1) -> int:
    """Steps the baseline may take: the largest number that does not exceed the budget.

    Raises:
        BudgetError: the budget does not pay for a single step.
    """
    seconds_scale = devices if budget.per_device else 1
    unit = cost.on(budget.axis) * (seconds_scale if budget.axis == "seconds" else 1)
    return _whole_steps(budget.amount / unit, f"{budget.amount:g} {budget.axis}")


def equal_steps(steps: int, baseline: StepCost, candidate: StepCost, equalize: Axis) -> int:
    """Steps that let ``candidate`` spend what ``baseline`` spends in ``steps``, never more.

    Raises:
        BudgetError: that is not a single step.
    """
    spend = steps * baseline.on(equalize)
    return _whole_steps(spend / candidate.on(equalize), f"the baseline's {spend:g} {equalize}")


def _whole_steps(exact: float, what: str) -> int:
    # A ratio that is a whole number but for rounding counts as that number.
    nearest = round(exact)
    steps = nearest if math.isclose(exact, nearest, rel_tol=1e-9) else math.floor(exact)
    if steps < 1:
        raise BudgetError(f"the budget is too small: {what} does not pay for a single step")
    return steps


def point_shares(points: int, spacing: Spacing = "equal") -> tuple[float, ...]:
    """The shares of the budget at which encoders are scored; rising, the last is 1.

    "equal": the ends of ``points`` equal parts, k / points. "geometric": each is the next one over
    the square root of two, 2 ** (-(points - k) / 2); ten points then reach down to a 23rd of the
    budget, so that large speedups can be read off, and cost few cooldown steps.
    """
    if spacing == "geometric":
        return tuple(2.0 ** (-(points - part) / 2) for part in range(1, points + 1))
    return tuple(part / points for part in range(1, points + 1))


def export_steps(steps: int, points: int, spacing: Spacing = "equal") -> list[int]:
    """The steps after which an encoder is exported: rising, the last is ``steps``.

    Points that fall on the same step are one, so with few steps there are fewer than ``points``.
    """
    if spacing == "equal":
        # In whole numbers: exact for any number of steps.
        return sorted({-(-steps * part // points) for part in range(1, points + 1)})
    return sorted({math.ceil(steps * share) for share in point_shares(points, spacing)})
