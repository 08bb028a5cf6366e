"""What phases cost: the sum over single steps in plain loops, and records without phases as ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from objbench.contract.phases import phase_at
from objbench.results.agreement import disagreement
from objbench.results.phase_costs import PhaseCost, mean_flops, spent_flops
from objbench.results.records import Cost, PretrainRecord
from objbench.results.step_cost import StepCost

CAUSAL_FIRST = (
    PhaseCost(mode="causal", share=0.2, flops_per_step=40.0),
    PhaseCost(mode="masked", share=0.8, flops_per_step=5.0),
)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 300), st.data())
def test_what_was_spent_is_the_sum_over_the_steps(weights, steps, data):
    phases = tuple(
        PhaseCost(mode=str(n), share=weight / sum(weights), flops_per_step=float(10**n))
        for n, weight in enumerate(weights)
    )
    shares = {phase.mode: phase.share for phase in phases}
    costs = {phase.mode: phase.flops_per_step for phase in phases}
    taken = data.draw(st.integers(0, steps))
    expected = 0.0
    for step in range(taken):
        expected += costs[phase_at(shares, (step + 0.5) / steps)]
    assert spent_flops(taken, steps, mean_flops(phases), phases) == expected


@given(st.integers(0, 10**6), st.floats(1, 1e20))
def test_without_phases_it_is_a_product_to_the_bit(step, per_step):
    assert spent_flops(step, 10**6, per_step, ()) == step * per_step


def test_a_forged_budget_of_no_steps_is_no_crash():
    assert spent_flops(10**12, 0, 1.0, CAUSAL_FIRST) > 0


def test_shares_that_do_not_add_up_are_refused():
    with pytest.raises(ValidationError, match=r"the shares of its phases add up to 0\.4, not 1"):
        StepCost(tokens=1.0, flops=1.0, phases=(CAUSAL_FIRST[0], CAUSAL_FIRST[0]))


def test_costs_without_phases_are_stored_as_before_there_were_any(make_study):
    assert "phases" not in StepCost(tokens=1.0, flops=1.0).model_dump_json()
    records = make_study().records.values()
    cost = next(record.cost for record in records if isinstance(record, PretrainRecord))
    assert "phases" not in cost.model_dump_json()
    assert Cost.model_validate_json(cost.model_dump_json()) == cost
    with_phases = cost.model_copy(update={"phases": CAUSAL_FIRST})
    assert Cost.model_validate_json(with_phases.model_dump_json()) == with_phases


def test_an_early_point_of_an_expensive_phase_is_of_its_cell(make_study):
    study = make_study(points=2)
    cell = next(cell for cell in study.plan.cells if cell.kind == "pretrain")
    planned = next(o for o in study.plan.objectives if o.name == cell.objective)
    record = study.records[cell.id]
    assert disagreement(record, cell, planned) == ""
    # Seven eighths of the FLOPs are spent in the first tenth of the steps.
    mean = planned.flops_per_step
    phases = (
        PhaseCost(mode="causal", share=0.1, flops_per_step=8.75 * mean),
        PhaseCost(mode="masked", share=0.9, flops_per_step=mean * 0.125 / 0.9),
    )
    point = record.points[0]
    steps = planned.steps // 10
    spent = spent_flops(steps, planned.steps, mean, phases)
    assert spent > 8 * steps * mean
    meters = point.meters.model_copy(update={"steps": steps, "flops": spent})
    early = record.model_copy(
        update={"points": [point.model_copy(update={"meters": meters}), *record.points[1:]]}
    )
    assert f"{steps} steps took" in disagreement(early, cell, planned)
    in_phases = planned.model_copy(update={"phases": phases})
    assert disagreement(early, cell, in_phases) == ""
