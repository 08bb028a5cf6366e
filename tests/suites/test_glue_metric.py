"""GLUE's metrics against hand-computed values, numpy, and constant predictions."""

import math

import numpy as np
import pytest

from objbench.errors import UnknownNameError
from objbench_suites.glue_metric import GlueMetric
from objbench_suites.glue_tasks import GLUE_TASKS, METRICS

# 3 true and 1 false positives, 2 true and 2 false negatives.
TRUTH = [1, 1, 1, 1, 1, 0, 0, 0]
SAID = [1, 1, 1, 0, 0, 1, 0, 0]


def _scores(task, folder, said, truth):
    return GlueMetric(task, folder).compute(predictions=said, references=truth)


def test_accuracy_and_f1_by_hand(tmp_path):
    for task in ("mrpc", "qqp"):
        scores = _scores(task, tmp_path, SAID, TRUTH)
        assert scores == {"accuracy": 5 / 8, "f1": pytest.approx(2 * 3 / (2 * 3 + 1 + 2))}


def test_matthews_by_hand(tmp_path):
    expected = (3 * 2 - 1 * 2) / math.sqrt(4 * 5 * 3 * 4)
    scores = _scores("cola", tmp_path, SAID, TRUTH)
    assert scores == {"matthews_correlation": pytest.approx(expected)}


def test_correlations_by_hand(tmp_path):
    scores = _scores("stsb", tmp_path, [1.0, 2.0, 3.0, 10.0], [0.0, 1.0, 3.0, 2.0])
    # One swap of neighbours in four ranks: 1 - 6 x 2 / (4 x 15).
    assert scores["spearmanr"] == pytest.approx(0.8)
    expected = np.corrcoef([1.0, 2.0, 3.0, 10.0], [0.0, 1.0, 3.0, 2.0])[0, 1]
    assert scores["pearson"] == pytest.approx(expected)


@pytest.mark.parametrize("task", sorted(METRICS))
def test_a_constant_prediction_has_a_number(task, tmp_path):
    classes = GLUE_TASKS[task].labels
    truth = np.arange(12) % max(2, classes)
    scores = _scores(task, tmp_path, np.zeros(12), truth)
    assert tuple(scores) == METRICS[task]
    assert all(np.isfinite(value) for value in scores.values())
    for name in {"matthews_correlation", "pearson", "spearmanr", "f1"} & set(scores):
        assert scores[name] == 0.0


def test_three_classes(tmp_path):
    assert _scores("mnli", tmp_path, [0, 1, 2, 2], [0, 1, 2, 1]) == {"accuracy": 0.75}


def test_an_unknown_task(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'cola'"):
        GlueMetric("colla", tmp_path)
