"""What the objectives are stands under the first sentence of every page."""

import pytest

from objbench.leaderboard.compared_objectives import MOST_LISTED, compared_blocks
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.sections import opening

SUMMARY = "masked language modelling"


@pytest.fixture
def planned(make_study):
    """(name -> changed fields) -> a plan of objectives that are made alike but for these."""
    plan = make_study().plan
    like = plan.objectives[0].model_copy(update={"summary": SUMMARY, "options": {"rate": 0.15}})

    def make(fields):
        objectives = [like.model_copy(update={"name": name, **own}) for name, own in fields.items()]
        return plan.model_copy(update={"objectives": tuple(objectives)})

    return make


def lines(plan):
    return render_markdown(compared_blocks(plan)).strip().splitlines()


def test_each_is_said_in_a_line(planned):
    plan = planned({"mlm": {}, "clm": {"summary": "predict the next token", "options": {}}})
    assert lines(plan) == [f"- **mlm**: {SUMMARY}", "- **clm**: predict the next token"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"options": {"rate": 0.4}}, "mlm with rate = 0.4"),
        ({"options": {"mlm.rate": 0.4, "mlm.keep": 0.1}}, "mlm with keep = 0.1 and rate = 0.4"),
        ({"overrides": {"encoder.family": "bert"}}, "mlm with encoder.family = bert"),
        (
            {"options": {"mlm.rate": 0.4}, "overrides": {"training.learning_rate": 0.1}},
            "mlm with rate = 0.4",
        ),
        ({}, "mlm, again"),
    ],
)
def test_of_one_kind_the_difference_is_said(planned, fields, said):
    assert lines(planned({"mlm": {}, "mlm@other": fields}))[1] == f"- **mlm@other**: {said}"


def test_options_of_several_terms_keep_their_names(planned):
    options = {"mlm.rate": 0.4, "nsp.weight": 1.0}
    plan = planned(
        {
            "mlm+nsp": {"options": options | {"mlm.rate": 0.15}},
            "mlm+nsp@other": {"options": options},
        }
    )
    assert lines(plan)[1] == "- **mlm+nsp@other**: mlm+nsp with mlm.rate = 0.4"


def test_many_are_left_to_the_table_of_settings(planned):
    few = planned({f"o{number}": {} for number in range(MOST_LISTED)})
    many = planned({f"o{number}": {} for number in range(MOST_LISTED + 1)})
    assert len(lines(few)) == MOST_LISTED
    assert compared_blocks(many) == []


def test_the_page_has_it_under_its_first_sentence(make_study, report_of):
    report = report_of(make_study())
    text = render_markdown(opening(report))
    assert render_markdown(compared_blocks(report.plan)).strip() in text
