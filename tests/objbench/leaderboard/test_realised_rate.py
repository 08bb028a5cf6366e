"""The page says it where an objective does not predict the share of tokens that it declares."""

import pytest

from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.sections import page_document
from objbench.results.realised_rate import RealisedRate


@pytest.mark.parametrize(("predicted", "is_said"), [(0.15, False), (0.155, False), (0.12, True)])
def test_a_share_that_is_off_by_more_than_a_tenth_is_on_the_page(
    predicted, is_said, make_study, report_of
):
    study = make_study()
    rate = RealisedRate(declared=0.15, predicted=predicted, tokens=10_000)
    first, *others = study.plan.objectives
    objectives = (first.model_copy(update={"rate": rate}), *others)
    study.plan = study.plan.model_copy(update={"objectives": objectives})
    page = render_markdown(page_document(report_of(study)))
    sentence = (
        "mlm predicts 12% of the tokens of this text and not the declared 15%: its scores are "
        "those of the share predicted."
    )
    assert (sentence in page) == is_said
