"""A claim about options is about the objectives of a study that have them, by the study's names."""

import pytest

from objbench.judge.claimed_sides import as_planned
from objbench.judge.papers.claims import parse_claims

FILE = """
summary = "s"
objective = "{objective}"
baseline = "{baseline}"
{options}
[source]
paper = "p"
url = "https://example.org"
read = "paper"
measured = "m"

[scale]
parameters = 1
steps = 1
tokens = 1

[score]
suite = "glue"
protocol = "p"
average = "a"

[[claims]]
id = "gain"
kind = "gain"
axis = "steps"
value = 1
where = "w"
wording = "w"
"""


def claims(objective="taco", baseline="mlm", options=""):
    return parse_claims(
        FILE.format(objective=objective, baseline=baseline, options=options), "n", "file"
    )


@pytest.fixture
def plan(make_study):
    """A plan whose objectives have these names and options."""

    def made(**options):
        plan = make_study(objectives=("mlm", "taco")).plan
        known = {item.name: item for item in plan.objectives}
        objectives = [
            known.get(name, plan.objectives[0]).model_copy(update={"name": name, "options": own})
            for name, own in options.items()
        ]
        return plan.model_copy(update={"objectives": tuple(objectives)})

    return made


def test_without_options_names_decide(plan):
    study = plan(mlm={"rate": 0.4}, taco={"rate": 0.15})
    assert as_planned(study, claims()) == claims()
    assert as_planned(study, claims(objective="rtd")) is None
    assert as_planned(study, claims(objective="mlm", baseline="rtd")) is None


@pytest.mark.parametrize(
    ("planned", "claimed", "has"),
    [
        ({"rate": 0.4}, "rate = 0.4", True),
        ({"rate": 0.4}, "rate = 0.15", False),
        ({"rate": 1.0}, "rate = 1", True),
        ({"rate": 0.4, "final_rate": None}, 'rate = 0.4\nfinal_rate = "none"', True),
        ({"rate": 0.4, "final_rate": 0.15}, 'rate = 0.4\nfinal_rate = "none"', False),
        ({"rate": 0.4, "final_rate": None}, "final_rate = 0.15", False),
        ({"rate": 0.4}, 'final_rate = "none"', True),
        ({"start": "teacher"}, 'start = "teacher"', True),
        ({"boundary": True}, "boundary = true", True),
        # Python has 1 == True; an option that is a number is no truth value.
        ({"boundary": True}, "boundary = 1", False),
        ({"rate": 1.0}, "rate = true", False),
    ],
)
def test_an_objective_has_the_options_that_a_claim_names(plan, planned, claimed, has):
    study = plan(taco=planned, mlm={})
    found = as_planned(study, claims(options=f"[objective_options.taco]\n{claimed}\n"))
    assert (found is not None) == has


def test_options_of_a_composition_are_those_of_its_parts(plan):
    study = plan(**{"mlm+sop": {"mlm.rate": 0.4, "sop.weight": 1.0}, "mlm": {"rate": 0.4}})
    options = "[objective_options.mlm]\nrate = {}\n[baseline_options.mlm]\nrate = 0.4\n"
    file = claims("mlm+sop", options=options.format(0.4))
    assert as_planned(study, file).objective == "mlm+sop"
    assert as_planned(study, claims("mlm+sop", options=options.format(0.15))) is None


def test_a_label_counts_only_where_the_claim_names_options(plan):
    options = "[objective_options.taco]\nrate = 0.4\n"
    labelled = plan(**{"taco@40": {"taco.rate": 0.4}, "mlm": {}})
    assert as_planned(labelled, claims(options=options)).objective == "taco@40"
    assert as_planned(labelled, claims()) is None
    both = plan(**{"taco@40": {"taco.rate": 0.4}, "taco": {"rate": 0.4}, "mlm": {}})
    assert as_planned(both, claims(options=options)).objective == "taco"
    joined = plan(**{"taco+sop@40": {"taco.rate": 0.4}, "mlm": {}})
    assert as_planned(joined, claims(options=options)) is None


def test_one_objective_is_not_both_sides(plan):
    options = "[objective_options.mlm]\nrate = 0.4\n"
    file = claims("mlm", "mlm", options)
    assert as_planned(plan(mlm={"rate": 0.4}), file) is None
    assert as_planned(plan(mlm={"rate": 0.15}), file) is None
