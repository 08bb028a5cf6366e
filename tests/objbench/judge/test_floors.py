"""Floors read from hand-made records, whose averages can be worked out in the head."""

from math import isnan

import numpy as np
import pytest

from objbench.judge.evidence import gain_evidence
from objbench.judge.floors import best_floor, floor_scores
from objbench.judge.score_arrays import final_scores
from objbench.judge.score_source import Pair
from objbench.results.study_results import read_study_results

FLOORS = {"majority": 30, "bag-of-words": 5, "untrained": 10}


def results_of(study, folder):
    return read_study_results(study.write(folder))


def glue(results):
    return next(suite for suite in results.plan.suites if suite.name == "glue")


def test_what_needs_no_encoder_has_one_run_and_the_untrained_one_per_seed(make_study, tmp_path):
    results = results_of(make_study(seeds=(1, 2, 3), floors=FLOORS), tmp_path)
    found = floor_scores(results, glue(results), "mlm")
    assert list(found) == list(FLOORS)
    np.testing.assert_allclose(found["majority"].columns, [[-10.0, 45.0, 20.0, 24.0]])
    np.testing.assert_allclose(found["majority"].scores, [19.0])
    np.testing.assert_allclose(found["bag-of-words"].scores, [44.0])
    np.testing.assert_allclose(found["untrained"].columns[:, 0], [10.0, 11.0, 12.0])
    np.testing.assert_allclose(found["untrained"].scores, [39.0, 40.0, 41.0])
    assert found["untrained"].mean_score == pytest.approx(40.0)
    np.testing.assert_allclose(found["untrained"].mean_columns, [11.0, 66.0, 41.0, 45.0])


def test_an_objective_has_its_own_initial_weights_or_those_of_the_first_that_are_alike(
    make_study, tmp_path
):
    study = make_study(
        objectives=("mlm", "taco", "clm", "rtd"), floors=FLOORS, own_weights=("clm",)
    )
    study.plan = study.plan.model_copy(
        update={
            "objectives": tuple(
                # rtd's initial weights are those of clm, though it has no cells of its own.
                o.model_copy(update={"overrides": {"encoder.config.initializer_range": 0.1}})
                if o.name == "rtd"
                else o
                for o in study.plan.objectives
            )
        }
    )
    results = results_of(study, tmp_path)
    of = {
        name: floor_scores(results, glue(results), name)["untrained"].scores.tolist()
        for name in ("mlm", "taco", "clm", "rtd")
    }
    assert of["mlm"] == of["taco"] == pytest.approx([39.0, 40.0])
    assert of["clm"] == of["rtd"] == pytest.approx([41.0, 42.0])
    assert floor_scores(results, glue(results), "clm")["majority"].scores == pytest.approx([19.0])


def test_the_floor_is_the_best_mean_and_of_the_average_that_of_one_floor(make_study, tmp_path):
    study = make_study(floors=FLOORS)
    study.change("glue.cola.floor-majority.ft-0", scores={"cola": {"matthews": 0.9}})
    results = results_of(study, tmp_path)
    floor = best_floor(results, glue(results), "taco")
    assert floor.names == ("majority", "bag-of-words", "bag-of-words", "bag-of-words")
    np.testing.assert_allclose(floor.columns, [90.0, 70.0, 45.0, 49.0])
    # majority: (90 + 45 + 22) / 3; the columns' floors would average (90 + 70 + 47) / 3 = 69.
    assert (floor.name, floor.score) == ("majority", pytest.approx(157 / 3))


def test_of_a_loss_the_lowest_floor_is_the_best(make_study, tmp_path):
    study = make_study(floors=FLOORS)
    suites = [
        suite.model_copy(
            update={
                "direction": "min",
                "columns": tuple(
                    type(c)(c.name, c.task, c.metrics, "min", c.scale) for c in suite.columns
                ),
            }
        )
        if suite.name == "glue"
        else suite
        for suite in study.plan.suites
    ]
    study.plan = study.plan.model_copy(update={"suites": tuple(suites)})
    results = results_of(study, tmp_path)
    floor = best_floor(results, glue(results), "mlm")
    assert (floor.name, floor.score) == ("majority", pytest.approx(19.0))
    assert set(floor.names) == {"majority"}


def test_what_is_missing_is_not_filled_in(make_study, tmp_path):
    study = make_study(seeds=(1, 2, 3), floors={"majority": 30, "untrained": 10})
    study.change("glue.cola.floor-untrained.mlm.seed-2.ft-0", status="failed", scores={})
    del study.records["glue.mnli.floor-majority.ft-0"]
    results = results_of(study, tmp_path)
    found = floor_scores(results, glue(results), "mlm")
    assert isnan(found["untrained"].columns[1, 0])
    assert isnan(found["untrained"].scores[1])
    assert found["untrained"].mean_score == pytest.approx(40.0)  # of 39 and 41
    assert isnan(found["majority"].mean_score)
    floor = best_floor(results, glue(results), "mlm")
    assert floor.name == "untrained"


def test_a_study_from_before_there_were_floors_has_none(make_study, tmp_path):
    results = results_of(make_study(), tmp_path)
    assert floor_scores(results, glue(results), "mlm") == {}
    floor = best_floor(results, glue(results), "mlm")
    assert isnan(floor.score)
    assert floor.name == ""
    assert floor.names == ("",) * 4


def test_floors_are_no_scores_of_encoders_and_no_missing_evaluations(make_study, tmp_path):
    with_floors, without = make_study(floors=FLOORS), make_study()
    for name in list(with_floors.records):
        if ".floor-" in name:
            del with_floors.records[name]
    pair = Pair("taco", "mlm")
    one, other = (
        results_of(study, tmp_path / name)
        for study, name in ((with_floors, "with"), (without, "without"))
    )
    assert gain_evidence(one, pair, "glue").left_out == ()
    np.testing.assert_array_equal(
        final_scores(one, glue(one)).values, final_scores(other, glue(other)).values
    )
