"""The loss that every objective is measured by alike, as a score of a pair."""

import numpy as np
import pytest

from objbench.judge.evidence import curve_evidence, gain_evidence
from objbench.judge.judgement import judge_by_every_score
from objbench.judge.papers.claims import read_claims
from objbench.judge.score_source import (
    COMMON,
    Pair,
    common_kind,
    is_loss,
    is_the_common_loss,
    score_sources,
)
from objbench.judge.verdict_sentence import sentence
from objbench.results.study_results import join

PAIR = Pair("taco", "mlm")
SEEDS = (1, 2, 3)


def results_of(study):
    return join(study.plan, study.records.values(), study.lines)


def with_common(study, cell_id, place, **values):
    """Another common loss at one point of one run; ``values`` None for none at all."""
    points = list(study.records[cell_id].points)
    common = points[place].common.model_copy(update=values) if values else None
    points[place] = points[place].model_copy(update={"common": common})
    study.change(cell_id, points=points)


@pytest.mark.parametrize("of", ["masked", "next"])
def test_it_is_a_score_that_is_better_when_low(make_study, of):
    study = make_study(seeds=SEEDS)
    study.measure_learning(of=of)
    results = results_of(study)
    assert common_kind(results) == of
    assert score_sources(results, PAIR) == ("glue", COMMON, "heldout:mlm")
    assert is_loss(results, COMMON)
    baseline, objective = curve_evidence(results, PAIR, COMMON).curves["steps"]
    turns = np.array([[0], [1], [2]])
    assert baseline.scores == pytest.approx(-(np.array([5.0, 4.0, 3.0]) - 0.01 * turns))
    assert objective.scores == pytest.approx(-(np.array([4.9, 3.9, 2.9]) - 0.02 * turns))
    # Lower by 0.1 and, at later seeds, by 0.11 and 0.12: greater is better.
    assert gain_evidence(results, PAIR, COMMON).differences == pytest.approx([0.1, 0.11, 0.12])


def test_an_own_loss_is_nobodys_in_common(make_study):
    study = make_study(seeds=SEEDS)
    study.measure_learning(of="own")
    assert common_kind(results_of(study)) is None
    assert score_sources(results_of(study), PAIR) == ("glue", "heldout:mlm")


@pytest.mark.parametrize("values", [{}, {"of": "next"}, {"of": "own"}])
def test_it_is_no_score_where_a_point_lacks_it_or_predicts_something_else(make_study, values):
    study = make_study(seeds=SEEDS)
    study.measure_learning()
    with_common(study, "taco.seed-2", 1, **values)
    results = results_of(study)
    assert score_sources(results, PAIR) == ("glue", "heldout:mlm")
    # And it is missing, never taken for a value.
    found = curve_evidence(results, PAIR, COMMON)
    assert [gone.seed for gone in found.left_out] == [2]


def test_a_term_of_the_same_name_is_not_taken_for_it(make_study):
    study = make_study(seeds=SEEDS)
    for cell in ("mlm.seed-1", "mlm.seed-2", "mlm.seed-3", "taco.seed-1", "taco.seed-2"):
        points = [
            p.model_copy(update={"heldout": {"common": 1.0, **p.heldout}})
            for p in study.records[cell].points
        ]
        study.change(cell, points=points)
    assert COMMON not in score_sources(results_of(study), PAIR)


def test_a_verdict_by_it_is_called_by_its_name_and_says_what_is_alike(make_study):
    study = make_study(seeds=SEEDS)
    study.measure_learning()
    (judged,) = (
        item
        for item in judge_by_every_score(results_of(study), [read_claims("taco-2022")])
        if item.source == COMMON
    )
    said = "scored by common held-out loss, of the same tokens for both, not by the paper's glue"
    assert said in sentence(judged)


def with_terms(make_study, **factors):
    """A study whose mlm losses are the common loss times the factor of each objective."""
    study = make_study(seeds=SEEDS)
    study.measure_learning()
    for cell in study.plan.cells:
        if cell.kind == "pretrain":
            by = factors[cell.objective]
            points = [
                p.model_copy(update={"heldout": {"mlm": p.common.loss * by, "loss": 9.0}})
                for p in study.records[cell.id].points
            ]
            study.change(cell.id, points=points)
    return results_of(study)


def test_a_term_of_the_same_masks_is_the_same_loss_and_judged_once(make_study):
    results = with_terms(make_study, mlm=1 + 1e-6, taco=1 - 1e-6)
    assert is_the_common_loss(results, "heldout:mlm")
    assert not is_the_common_loss(results, "heldout:loss")
    assert not is_the_common_loss(results, COMMON)
    sources = {item.source for item in judge_by_every_score(results, [read_claims("taco-2022")])}
    assert COMMON in sources and "heldout:mlm" not in sources
    # Asked for by its name it is there.
    assert "heldout:mlm" in score_sources(results, PAIR)


@pytest.mark.parametrize("factors", [{"mlm": 1.0, "taco": 1.01}, {"mlm": 0.98, "taco": 0.98}])
def test_a_term_of_other_masks_is_a_loss_of_its_own(make_study, factors):
    results = with_terms(make_study, **factors)
    assert not is_the_common_loss(results, "heldout:mlm")
    sources = {item.source for item in judge_by_every_score(results, [read_claims("taco-2022")])}
    assert "heldout:mlm" in sources
