"""A plan holds the phases of an objective that has some, and takes none over for one that has not."""

import pytest

from objbench.results.phase_costs import PhaseCost
from objbench.results.step_cost import StepCost
from objbench.runs.planning.configured_plugins import configure_plugins
from objbench.runs.planning.planner import make_plan
from objbench.runs.planning.replanned import _costs

PHASES = (
    PhaseCost(mode="causal", share=0.25, flops_per_step=2.5e9),
    PhaseCost(mode="masked", share=0.75, flops_per_step=0.5e9),
)


@pytest.mark.parametrize(("alternate", "phases"), [(False, PHASES), (True, ())])
def test_phases_are_those_of_the_objective(make_study, registry, alternate, phases):
    names = ["mlm", "clm_mlm"]
    options = {"toy": {"tasks": ["polarity"]}, "clm_mlm": {"alternate": alternate}}
    study = make_study(objectives=names, options=options)
    # As a stranger's plan may say of every objective, so that its early points look cheaper.
    cost = StepCost(flops=1e9, tokens=64, phases=PHASES)
    plan = make_plan(
        study,
        configure_plugins(study, registry),
        name="phases",
        command="",
        data={"key": "0"},
        costs=dict.fromkeys(names, cost),
        devices=1,
    )
    assert [objective.phases for objective in plan.objectives] == [(), phases]
    # What is planned again from the plan has them too.
    assert _costs(plan)["clm_mlm"].phases == phases
