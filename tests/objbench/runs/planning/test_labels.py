"""Two of one plugin in a study: each with its options, its own cells and the same initial weights."""

from objbench.judge.claimed_sides import as_planned
from objbench.judge.papers.claims import read_claims
from objbench.results.step_cost import StepCost
from objbench.runs.planning.configured_plugins import configure_plugins
from objbench.runs.planning.planner import make_plan

OPTIONS = {"mlm@30-15": {"mlm": {"rate": 0.3, "final_rate": 0.15}}}


def planned(make_study, registry, *objectives, **options):
    study = make_study(
        objectives=list(objectives), options={"toy": {"tasks": ["polarity"]}, **options}
    )
    cost = StepCost(flops=1e9, tokens=64, seconds=None, rate=None)
    return make_plan(
        study,
        configure_plugins(study, registry),
        name="labels",
        command="",
        data={"key": "0"},
        costs=dict.fromkeys(objectives, cost),
        devices=1,
    )


def test_each_has_its_options_and_cells_of_its_own(make_study, registry):
    plan = planned(make_study, registry, "mlm", "mlm@30-15", **OPTIONS)
    plain, labelled = plan.objectives
    assert (plain.options["rate"], plain.options["final_rate"]) == (0.15, None)
    assert (labelled.options["mlm.rate"], labelled.options["mlm.final_rate"]) == (0.3, 0.15)
    keys = {cell.objective: cell.key for cell in plan.cells if cell.kind == "pretrain"}
    assert len(set(keys.values())) == 2
    # The initial weights of both are those of the study, so they are scored once.
    untrained = [cell.id for cell in plan.cells if cell.floor == "untrained"]
    assert len(untrained) == 1
    # The plain one is the run that it is in a study without the other.
    alone = planned(make_study, registry, "mlm")
    assert keys["mlm"] == next(cell.key for cell in alone.cells if cell.kind == "pretrain")


def test_a_claim_about_the_options_is_about_the_two(make_study, registry):
    plan = planned(make_study, registry, "mlm", "mlm@30-15", **OPTIONS)
    found = as_planned(plan, read_claims("ankner-2024"))
    assert (found.objective, found.baseline) == ("mlm@30-15", "mlm")
    # Found again under these names, as where verdicts are judged at once.
    assert as_planned(plan, found) == found
    assert as_planned(plan, read_claims("ankner-2024-large")) is None
    other = planned(make_study, registry, "mlm", "mlm@30-15")
    assert as_planned(other, read_claims("ankner-2024")) is None
