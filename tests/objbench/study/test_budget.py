"""Budgets: what can be written is read back, what cannot is refused, nothing is overspent."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from objbench.contract.meters import AXES
from objbench.errors import BudgetError
from objbench.results.evaluation_points import export_steps, point_shares
from objbench.results.step_cost import StepCost
from objbench.study.budget import (
    MOST,
    baseline_steps,
    equal_steps,
    parse_budget,
)

UNITS = {
    "steps": ("steps", 1),
    "step": ("steps", 1),
    "tokens": ("tokens", 1),
    "flops": ("flops", 1),
    "FLOPs": ("flops", 1),
    "seconds": ("seconds", 1),
    "sec": ("seconds", 1),
    "min": ("seconds", 60),
    "minutes": ("seconds", 60),
    "hours": ("seconds", 3600),
    "gpu-hours": ("seconds", 3600),
    "gpu-min": ("seconds", 60),
}
SCALES = {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}

positive = st.floats(min_value=1e-3, max_value=1e15)
costs = st.builds(StepCost, tokens=positive, flops=positive, seconds=positive)
axes = st.sampled_from(AXES)


@given(
    st.integers(1, 10**9),
    st.sampled_from(sorted(SCALES)),
    st.sampled_from(sorted(UNITS)),
    st.sampled_from("- _"),
)
def test_what_is_written_is_read(number, scale, unit, joint):
    axis, factor = UNITS[unit]
    assume(number * SCALES[scale] * factor <= MOST[axis])
    budget = parse_budget(f"{number}{scale}{joint}{unit}")
    assert budget.axis == axis
    assert budget.amount == pytest.approx(number * SCALES[scale] * factor)
    assert budget.per_device == unit.startswith("gpu-")


@given(positive)
def test_any_number_is_read_exactly(amount):
    assert parse_budget(f"{amount!r}-flops").amount == amount


@pytest.mark.parametrize(
    ("text", "axis", "amount"),
    [
        ("100k-steps", "steps", 100_000),
        ("2B-tokens", "tokens", 2e9),
        ("1e18-flops", "flops", 1e18),
        ("24-gpu-hours", "seconds", 86_400),
        ("30-min", "seconds", 1800),
        (" 1.5m-steps ", "steps", 1.5e6),
    ],
)
def test_the_issues_examples(text, axis, amount):
    budget = parse_budget(text)
    assert (budget.axis, budget.amount) == (axis, amount)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "100",
        "steps",
        "k-steps",
        "-5-steps",
        "0-steps",
        "1e999-flops",
        "12-parsecs",
        "1,000-steps",
        "1..5-steps",
        "nan-steps",
        "inf-steps",
        "10x-steps",
        "5-steps-tokens",
        "10-",
        "ten-steps",
        "1e-steps",
    ],
)
def test_what_is_malformed_is_refused_in_one_line(text):
    with pytest.raises(BudgetError, match="such as 100k-steps") as caught:
        parse_budget(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["1e300-flops", "2e30-flops", "1e19-tokens", "1e12-hours", "1e15-gpu-min"]
)
def test_more_than_anybody_has_is_refused_before_a_step_is_measured(text):
    with pytest.raises(BudgetError, match=f"budget '{text}' is too large: at most 1e"):
        parse_budget(text)


@given(st.text(max_size=20))
def test_no_text_breaks_it(text):
    try:
        budget = parse_budget(text)
    except BudgetError:
        return
    assert math.isfinite(budget.amount) and budget.amount > 0


@given(axes, positive, costs, st.integers(1, 64))
def test_steps_never_exceed_the_budget_and_are_the_most(axis, amount, cost, devices):
    from objbench.study.budget import Budget

    budget = Budget(axis, amount, per_device=axis == "seconds")
    unit = cost.on(axis) * (devices if budget.per_device else 1)
    assume(amount / unit < 1e12)
    if amount < unit * (1 - 1e-6):
        with pytest.raises(BudgetError, match="too small"):
            baseline_steps(budget, cost, devices)
        return
    assume(amount >= unit)
    steps = baseline_steps(budget, cost, devices)
    assert steps * unit <= amount * (1 + 1e-9)
    assert (steps + 1) * unit > amount * (1 - 1e-9)


@given(st.integers(1, 10**6), costs, costs, axes)
def test_equalisation_never_overspends(steps, baseline, candidate, axis):
    spend = steps * baseline.on(axis)
    assume(spend >= candidate.on(axis) and spend / candidate.on(axis) < 1e12)
    equal = equal_steps(steps, baseline, candidate, axis)
    assert equal * candidate.on(axis) <= spend * (1 + 1e-9)
    assert (equal + 1) * candidate.on(axis) > spend * (1 - 1e-9)


@given(st.integers(1, 10**9), costs, axes)
def test_the_same_cost_gets_the_same_steps(steps, cost, axis):
    assert equal_steps(steps, cost, cost, axis) == steps


def test_a_candidate_that_costs_more_than_all_there_is_is_refused():
    with pytest.raises(BudgetError, match="less than one step"):
        equal_steps(1, StepCost(tokens=1, flops=1), StepCost(tokens=1, flops=2), "flops")


def test_uncalibrated_seconds_are_refused():
    with pytest.raises(BudgetError, match="not been calibrated"):
        StepCost(tokens=1, flops=1).on("seconds")


@given(st.integers(1, 10**7), st.integers(1, 50))
def test_exports_are_spread_evenly_and_end_with_the_budget(steps, points):
    exports = export_steps(steps, points)
    assert exports[-1] == steps and exports[0] >= 1
    assert len(exports) == min(points, steps)
    assert exports == sorted(set(exports))
    gaps = [b - a for a, b in zip([0, *exports], exports, strict=False)]
    assert max(gaps) - min(gaps) <= 1


@given(st.integers(1, 10**7), st.integers(1, 30))
def test_geometric_points_shrink_by_the_square_root_of_two(steps, points):
    shares = point_shares(points, "geometric")
    assert shares[-1] == 1 and len(shares) == points
    assert all(b / a == pytest.approx(2**0.5) for a, b in pairwise(shares))
    exports = export_steps(steps, points, "geometric")
    assert exports[-1] == steps and exports[0] >= 1 and exports == sorted(set(exports))
    assert len(export_steps(8000, 10, "geometric")) == 10
